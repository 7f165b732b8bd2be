//! What is paid back: unapplied money, or what a payment has on an invoice.

use crate::scenario::*;
use encours_domain::commands::{CreditUse, From, Put};
use encours_domain::event::{Method, PaymentRefunded};
use encours_domain::limits::MAX_ALLOCATIONS;
use encours_domain::status::Headline;
use encours_domain::{Event, Reason};

fn refunded(events: &[Event]) -> PaymentRefunded {
    let found = events.iter().find_map(|event| match event {
        Event::PaymentRefunded(e) => Some(e.clone()),
        _ => None,
    });
    found.unwrap()
}

/// Collected, refunded, outstanding and unapplied of `dupont` in EUR.
fn books(s: &Scenario) -> (i64, i64, i64, i64) {
    let balance = s.customer("dupont").balances[0];
    (balance.collected, balance.refunded, balance.outstanding, balance.unapplied)
}

#[test]
fn unapplied_money_is_paid_back_up_to_the_last_cent() {
    let mut s = Scenario::new();
    s.accept(invoice("a", 15_000));
    s.accept(payment("p", 50_000, Put::Invoice(id("a"))));
    let refusal = s.refuse(refund("p", None, Some(35_001)));
    assert_eq!(refusal.reason, Reason::OverAllocation);
    let figures = "unapplied amount is 350.00 EUR, asked 350.01 EUR";
    assert!(refusal.message.contains(figures), "{refusal}");
    let events = s.accept(refund("p", None, Some(10_000)));
    assert_eq!(names(&events), ["PaymentRefunded"]);
    let event = refunded(&events);
    assert_eq!((event.amount, event.unapplied_after), (10_000, 25_000));
    assert_eq!((event.method, event.date), (Method::Transfer, day("2026-01-01")));
    assert_eq!(books(&s), (50_000, 10_000, 0, 25_000));
    s.accept(refund("p", None, None));
    assert_eq!(books(&s), (50_000, 35_000, 0, 0));
    assert_eq!((s.payment("p").refunded, s.payment("p").unapplied), (35_000, 0));
    assert_eq!(s.reason(refund("p", None, None)), Reason::NothingLeft);
    assert_eq!(s.reason(refund("p", None, Some(1))), Reason::NothingLeft);
}

#[test]
fn money_of_an_invoice_is_paid_back_and_the_invoice_reopens() {
    let mut s = Scenario::new();
    s.accept(invoice("a", 1_000));
    s.accept(payment("p", 1_200, Put::Invoice(id("a"))));
    let refusal = s.refuse(refund("p", Some("a"), Some(1_001)));
    assert_eq!(refusal.reason, Reason::OverAllocation);
    let figures = "allocated amount is 10.00 EUR, asked 10.01 EUR";
    assert!(refusal.message.contains(figures), "{refusal}");
    let events = s.accept(refund("p", Some("a"), Some(300)));
    assert_eq!(names(&events), ["Deallocated", "PaymentRefunded", "InvoiceReopened"]);
    assert_eq!(refunded(&events).unapplied_after, 200, "the unapplied part stays");
    assert_eq!((s.invoice("a").open, books(&s)), (300, (1_200, 300, 300, 200)));
    s.advance("2026-02-05");
    assert_eq!(s.figures("dupont"), (300, 300, 200));
    // All that the payment still has on it.
    let events = s.accept(refund("p", Some("a"), None));
    assert_eq!(
        (names(&events), refunded(&events).amount),
        (vec!["Deallocated", "PaymentRefunded"], 700)
    );
    assert_eq!((s.figures("dupont"), books(&s)), ((1_000, 1_000, 200), (1_200, 1_000, 1_000, 200)));
    assert_eq!(s.reason(refund("p", Some("a"), None)), Reason::NothingLeft);
}

#[test]
fn an_overdue_invoice_that_reopens_says_so_at_once() {
    let mut s = Scenario::new();
    s.accept(invoice("a", 1_000));
    s.accept(payment("p", 1_000, Put::Invoice(id("a"))));
    s.advance("2026-02-05");
    let events = s.accept(refund("p", Some("a"), Some(1)));
    let expected = ["Deallocated", "PaymentRefunded", "InvoiceReopened", "InvoiceOverdue"];
    assert_eq!(names(&events), expected);
    assert_eq!(s.invoice("a").facets.headline(), Headline::Overdue);
}

#[test]
fn refunds_that_do_not_fit_are_refused() {
    let mut s = Scenario::new();
    s.accept(invoice("a", 1_000));
    s.accept(payment("p", 1_000, Put::Nothing));
    assert_eq!(s.reason(refund("p", None, Some(0))), Reason::NotPositive);
    assert_eq!(s.reason(refund("p", Some("a"), Some(-1))), Reason::NotPositive);
    assert_eq!(s.reason(refund("p", Some("a"), None)), Reason::NothingLeft);
    assert_eq!(s.reason(refund("p", Some("none"), None)), Reason::UnknownInvoice);
    assert_eq!(s.reason(refund("none", None, None)), Reason::UnknownPayment);
    let mut dollars = refund("p", None, None);
    dollars.currency = Some(currency("USD"));
    let refusal = s.refuse(dollars);
    assert_eq!((refusal.reason, refusal.field.as_str()), (Reason::CurrencyMismatch, "amount"));
    let mut text = refund("p", None, None);
    text.reference = "\u{7}".into();
    assert_eq!(s.reason(text), Reason::InvalidText);
    let mut early = refund("p", None, None);
    early.date = Some(day("2025-12-31"));
    assert_eq!(s.reason(early), Reason::DatedBeforeFact, "before the money was there");
    s.accept(reverse("p"));
    assert_eq!(s.reason(refund("p", None, None)), Reason::WrongState);
}

#[test]
fn a_reversal_takes_back_what_refunds_left() {
    let mut s = Scenario::new();
    s.accept(invoice("a", 1_000));
    s.accept(payment("p", 1_500, Put::Invoice(id("a"))));
    let mut later = refund("p", None, Some(200));
    later.date = Some(day("2026-01-08"));
    s.accept(later);
    let mut early = reverse("p");
    early.date = Some(day("2026-01-07"));
    assert_eq!(s.reason(early), Reason::DatedBeforeFact);
    let events = s.accept(reverse("p"));
    assert_eq!(names(&events), ["Deallocated", "PaymentReversed", "InvoiceReopened"]);
    assert_eq!(s.payment("p").reversed, 1_300);
    assert_eq!(books(&s), (200, 200, 1_000, 0), "1,500 less 1,300 collected, 200 refunded");
    s.accept(payment("q", 300, Put::Nothing));
    s.accept(refund("q", None, None));
    assert_eq!(s.reason(reverse("q")), Reason::NothingLeft, "nothing of it is left");
}

#[test]
fn money_is_not_paid_back_in_the_time_that_it_was_on_an_invoice() {
    let mut s = Scenario::new();
    s.accept(invoice("a", 1_000));
    s.advance("2026-01-05");
    s.accept(payment("p", 1_000, Put::Invoice(id("a"))));
    s.advance("2026-01-20");
    s.accept(deallocate_payment("a", "p", Some(600)));
    let mut command = refund("p", None, Some(600));
    command.date = Some(day("2026-01-19"));
    let refusal = s.refuse(command.clone());
    assert_eq!(refusal.reason, Reason::DatedBeforeFact);
    assert!(refusal.figures.contains(&("fact_date", "2026-01-20".into())), "{refusal:?}");
    command.date = Some(day("2026-01-20"));
    s.accept(command);
    // On the invoice, it is the allocation's day that it cannot be dated before.
    let mut command = refund("p", Some("a"), None);
    command.date = Some(day("2026-01-04"));
    assert_eq!(s.reason(command.clone()), Reason::DatedBeforeFact);
    command.date = Some(day("2026-01-05"));
    s.accept(command);
    assert_eq!((s.payment("p").refunded, s.invoice("a").open), (1_000, 1_000));
}

#[test]
fn money_to_come_is_paid_back_from_the_day_it_is_there() {
    let mut s = Scenario::new();
    let mut to_come = payment("p", 500, Put::Nothing);
    to_come.received_on = Some(day("2026-01-10"));
    s.accept(to_come);
    assert_eq!(refunded(&s.accept(refund("p", None, Some(100)))).date, day("2026-01-10"));
    // Taken off on a day to come, it is free from that day on.
    s.accept(invoice("a", 400));
    s.accept(allocate("a", From::Payment(id("p")), None));
    let mut off = deallocate_payment("a", "p", None);
    off.date = Some(day("2026-01-15"));
    s.accept(off);
    assert_eq!(refunded(&s.accept(refund("p", None, None))).date, day("2026-01-15"));
}

/// 1,000 on an invoice until the 20th, 300 of it paid back on the 25th: an allocation of the other
/// 700 dated earlier counts from the 20th, and what was paid back is never used again.
#[test]
fn a_refund_counts_for_later_allocations() {
    let mut s = Scenario::new();
    s.accept(invoice("a", 1_000));
    s.accept(invoice("b", 1_000));
    s.accept(payment("p", 1_000, Put::Invoice(id("a"))));
    s.advance("2026-01-20");
    s.accept(deallocate_payment("a", "p", None));
    s.advance("2026-01-25");
    s.accept(refund("p", None, Some(300)));
    let mut again = allocate("b", From::Payment(id("p")), Some(701));
    again.date = Some(day("2026-01-10"));
    assert_eq!(s.reason(again.clone()), Reason::OverAllocation);
    again.amount = Some(700);
    let events = s.accept(again);
    let [Event::Allocated(allocated)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((allocated.date, allocated.unapplied_after), (day("2026-01-20"), 0));
}

#[test]
fn a_payment_takes_as_many_refunds_as_it_may() {
    let mut s = Scenario::new();
    s.accept(payment("p", 1_000_000, Put::Nothing));
    for _ in 0..MAX_ALLOCATIONS {
        s.accept(refund("p", None, Some(1)));
    }
    assert_eq!(s.reason(refund("p", None, Some(1))), Reason::LimitReached);
    s.accept(reverse("p"));
    let most = i64::try_from(MAX_ALLOCATIONS).unwrap();
    assert_eq!(s.payment("p").reversed, 1_000_000 - most);
}

#[test]
fn an_opening_item_is_refunded_of_like_an_invoice_and_a_credit_never_in_cash() {
    let mut s = Scenario::new();
    let mut item = owed("old", 500);
    item.due_date = Some(day("2026-03-01"));
    s.accept(item);
    s.accept(payment("p", 500, Put::Invoice(id("old"))));
    let events = s.accept(refund("p", Some("old"), None));
    assert_eq!(names(&events), ["Deallocated", "PaymentRefunded", "InvoiceReopened"]);
    s.accept(invoice("a", 100));
    s.accept(credit("c", "a", 100, CreditUse::Keep));
    s.accept(allocate("old", From::CreditNote(id("c")), None));
    assert_eq!(s.reason(refund("p", Some("old"), Some(1))), Reason::NothingLeft);
}
