//! What a customer said it will pay: shown, never counted, cleared, lapsed or taken back.

use crate::scenario::*;
use encours_domain::commands::{CancelPlannedPayment, CreditUse, From, Put};
use encours_domain::status::Headline;
use encours_domain::{Event, Reason};

fn cancel_plan(invoice: &str) -> CancelPlannedPayment {
    CancelPlannedPayment { ledger_id: id("acme"), invoice_id: id(invoice) }
}

/// Amount and remaining of what is planned.
fn planned(s: &Scenario, invoice: &str) -> Option<(i64, i64)> {
    s.invoice(invoice).planned.map(|planned| (planned.amount, planned.remaining))
}

#[test]
fn a_plan_is_shown_and_counts_nowhere() {
    let mut s = Scenario::new();
    s.accept(invoice("a", 1_000));
    assert_eq!(names(&s.accept(plan("a", "2026-01-20", None))), ["PaymentPlanned"]);
    assert_eq!(planned(&s, "a"), Some((1_000, 1_000)));
    assert_eq!(s.invoice("a").facets.headline(), Headline::PaymentPlanned);
    assert_eq!(s.figures("dupont"), (1_000, 0, 0));
    assert_eq!(s.accept(plan("a", "2026-01-20", Some(1_000))), [], "the same again");
    s.accept(plan("a", "2026-01-20", Some(400)));
    assert_eq!(planned(&s, "a"), Some((400, 400)), "the last word replaces");
    assert_eq!(names(&s.accept(cancel_plan("a"))), ["PlannedPaymentCancelled"]);
    assert_eq!(planned(&s, "a"), None);
    assert_eq!(s.reason(cancel_plan("a")), Reason::WrongState);
}

#[test]
fn plans_that_do_not_fit_are_refused_with_the_figures() {
    let mut s = Scenario::new();
    s.advance("2026-01-10");
    s.accept(invoice("a", 1_000));
    let refusal = s.refuse(plan("a", "2026-01-20", Some(1_001)));
    assert_eq!(refusal.reason, Reason::OverAllocation);
    assert!(refusal.message.contains("open amount is 10.00 EUR, asked 10.01 EUR"), "{refusal}");
    assert_eq!(s.reason(plan("a", "2026-01-20", Some(0))), Reason::NotPositive);
    let refusal = s.refuse(plan("a", "2026-01-09", None));
    assert_eq!((refusal.reason, refusal.field.as_str()), (Reason::DatedBeforeFact, "date"));
    let mut dollars = plan("a", "2026-01-20", None);
    dollars.currency = Some(currency("USD"));
    assert_eq!(s.reason(dollars), Reason::CurrencyMismatch);
    assert_eq!(s.reason(plan("none", "2026-01-20", None)), Reason::UnknownInvoice);
    s.accept(owing("credit", 100));
    assert_eq!(s.reason(plan("credit", "2026-01-20", None)), Reason::WrongState);
    s.accept(plan("a", "2026-01-10", None));
    s.accept(payment("p", 1_000, Put::Invoice(id("a"))));
    assert_eq!(s.reason(plan("a", "2026-01-20", Some(1))), Reason::NothingLeft);
}

#[test]
fn payments_that_reach_the_plan_clear_it_and_one_cent_less_does_not() {
    let mut s = Scenario::new();
    s.accept(invoice("a", 1_000));
    s.accept(plan("a", "2026-01-20", Some(600)));
    assert_eq!(names(&s.accept(payment("p", 599, Put::Auto))), ["PaymentRecorded", "Allocated"]);
    assert_eq!(planned(&s, "a"), Some((600, 1)));
    s.accept(deallocate_payment("a", "p", Some(100)));
    assert_eq!(planned(&s, "a"), Some((600, 101)));
    s.accept(allocate("a", From::Payment(id("p")), None));
    // A credit is not what was planned.
    s.accept(credit("c", "a", 50, CreditUse::OffsetThenKeep));
    assert_eq!(planned(&s, "a"), Some((600, 1)));
    let events = s.accept(payment("q", 1, Put::Auto));
    assert_eq!(names(&events), ["PaymentRecorded", "Allocated", "PlannedPaymentCleared"]);
    assert_eq!((planned(&s, "a"), s.invoice("a").open), (None, 350));
}

#[test]
fn whatever_closes_the_invoice_clears_the_plan_before_it_says_so() {
    let mut s = Scenario::new();
    for name in ["paid", "credited", "cancelled", "corrected"] {
        if name == "corrected" {
            let mut item = owed(name, 1_000);
            item.due_date = Some(day("2026-02-01"));
            s.accept(item);
        } else {
            s.accept(invoice(name, 1_000));
        }
        s.accept(plan(name, "2026-01-20", None));
    }
    let last = |events: Vec<Event>| names(&events).split_off(events.len() - 2);
    let mut to_come = payment("p", 1_000, Put::Invoice(id("paid")));
    to_come.received_on = Some(day("2026-01-03"));
    let events = s.accept(to_come);
    assert!(
        events.iter().any(|event| matches!(
            event,
            Event::PlannedPaymentCleared(e) if e.date == day("2026-01-03")
        )),
        "{events:?}"
    );
    assert_eq!(last(events), ["PlannedPaymentCleared", "InvoicePaid"]);
    let events = s.accept(credit("c", "credited", 1_000, CreditUse::OffsetThenKeep));
    assert_eq!(last(events), ["PlannedPaymentCleared", "InvoiceCancelled"]);
    let events = s.accept(cancel("cancelled", false));
    assert_eq!(last(events), ["PlannedPaymentCleared", "InvoiceCancelled"]);
    let events = s.accept(correct("corrected", Some(0)));
    assert_eq!(last(events), ["PlannedPaymentCleared", "InvoicePaid"]);
    s.accept(reverse("p"));
    assert_eq!(planned(&s, "paid"), None, "what was cleared does not come back");
}

#[test]
fn a_plan_cleared_by_money_that_came_before_it_is_cleared_today() {
    let mut s = Scenario::new();
    s.accept(invoice("a", 1_000));
    s.advance("2026-01-10");
    s.accept(plan("a", "2026-01-20", Some(300)));
    let mut earlier = payment("p", 300, Put::Invoice(id("a")));
    earlier.received_on = Some(day("2026-01-04"));
    let cleared = s.accept(earlier).into_iter().find_map(|event| match event {
        Event::PlannedPaymentCleared(e) => Some(e.date),
        _ => None,
    });
    assert_eq!(cleared, Some(day("2026-01-10")), "never before it was planned");
}

#[test]
fn a_plan_lapses_the_day_after_its_date_and_pauses_nothing() {
    let mut s = Scenario::new();
    s.accept(invoice("a", 1_000));
    s.accept(plan("a", "2026-02-04", None));
    let events = s.advance("2026-02-04");
    assert!(names(&events).contains(&"InvoiceOverdue"));
    assert!(!names(&events).contains(&"PlannedPaymentLapsed"), "its own day is still its day");
    assert_eq!(planned(&s, "a"), Some((1_000, 1_000)));
    let lapsed = s.advance("2026-02-06").into_iter().filter_map(|event| match event {
        Event::PlannedPaymentLapsed(e) => Some(e.date),
        _ => None,
    });
    assert_eq!(lapsed.collect::<Vec<_>>(), [day("2026-02-05")]);
    assert_eq!(planned(&s, "a"), None);
    // Planned for today, and replaced: the first one does not lapse any more.
    s.accept(plan("a", "2026-02-06", None));
    s.accept(plan("a", "2026-02-08", None));
    let lapsed = |events: &[Event]| names(events).contains(&"PlannedPaymentLapsed");
    assert!(!lapsed(&s.advance("2026-02-08")));
    assert!(lapsed(&s.advance("2026-02-09")));
}
