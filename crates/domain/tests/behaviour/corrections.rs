//! What is said of an opening item is corrected: amounts, what was settled before, due dates.

use crate::openings::{books, dates};
use crate::scenario::*;
use encours_domain::commands::{CorrectOpeningItem, From, Put};
use encours_domain::event::OpeningItemCorrected;
use encours_domain::limits::MAX_VOLUME;
use encours_domain::status::CustomerStatus;
use encours_domain::{Event, Reason};

fn correction(events: &[Event]) -> OpeningItemCorrected {
    match events {
        [Event::OpeningItemCorrected(e), ..] => e.clone(),
        other => panic!("{other:?}"),
    }
}

/// Paid when it was overdue, the money taken off on a day to come, and then more is owed of it by a
/// due date of today: tomorrow it is overdue again, whatever comes off later.
#[test]
fn a_new_due_date_counts_though_the_item_reopens_on_a_day_to_come() {
    let mut s = Scenario::new();
    let mut item = owed("old", 440);
    item.paid = 268;
    s.accept(item);
    s.advance("2026-01-02");
    s.accept(payment("p", 172, Put::Auto));
    let mut off = refund("p", Some("old"), None);
    off.date = Some(day("2026-01-16"));
    s.accept(off);
    let mut command = correct("old", None);
    (command.paid, command.due_date) = (Some(0), Some(day("2026-01-02")));
    let events = s.accept(command);
    assert_eq!(names(&events), ["OpeningItemCorrected", "InvoiceDue"]);
    assert_eq!(dates(&s.advance("2026-01-05")), ["2026-01-03"]);
    assert_eq!(books(&s), (440, 0, 440, 440, 0));
}

/// Money that comes on a day to come silences nothing before it: the new due date is told today, not
/// tomorrow of today.
#[test]
fn a_due_date_corrected_to_a_day_that_is_over_is_told_at_once_though_money_is_to_come() {
    for (due, told) in [("2026-01-10", "InvoiceDue"), ("2026-01-09", "InvoiceOverdue")] {
        let mut s = Scenario::new();
        let mut item = owed("old", 1_000);
        item.due_date = Some(day("2026-02-01"));
        s.accept(item);
        s.advance("2026-01-10");
        let mut to_come = payment("p", 1_000, Put::Auto);
        to_come.received_on = Some(day("2026-01-20"));
        s.accept(to_come);
        let mut command = correct("old", None);
        command.due_date = Some(day(due));
        let events = s.accept(command);
        assert_eq!(names(&events), ["OpeningItemCorrected", told]);
        assert_eq!(dates(&events), ["2026-01-10"; 2]);
        assert_eq!(books(&s), (1_000, 0, 0, 0, 0), "all facts counted nothing is open");
        let later = dates(&s.advance("2026-01-25"));
        assert_eq!(later, if told == "InvoiceDue" { vec!["2026-01-11"] } else { vec![] });
    }
}

#[test]
fn a_correction_never_goes_below_what_is_allocated() {
    let mut s = Scenario::new();
    let mut item = owed("old", 1_000);
    item.paid = 200;
    s.accept(item);
    s.accept(payment("p", 500, Put::Invoice(id("old"))));
    // 500 are allocated: with 200 paid before, 700 is the least, and 300 open on it go.
    let refusal = s.refuse(correct("old", Some(699)));
    assert_eq!(refusal.reason, Reason::OverAllocation);
    assert!(refusal.message.contains("allocated amount is 5.00 EUR, asked 4.99 EUR"), "{refusal}");
    let mut paid = correct("old", None);
    paid.paid = Some(501);
    let refusal = s.refuse(paid.clone());
    assert_eq!((refusal.reason, refusal.field.as_str()), (Reason::OverAllocation, "paid"));
    let events = s.accept(correct("old", Some(700)));
    assert_eq!(names(&events), ["OpeningItemCorrected", "InvoicePaid"]);
    assert_eq!((s.invoice("old").total, s.invoice("old").open), (700, 0));
    assert_eq!(books(&s), (500, 0, 0, 0, 0));
    paid.paid = Some(199);
    let events = s.accept(paid);
    assert_eq!(names(&events), ["OpeningItemCorrected", "InvoiceReopened"]);
    assert_eq!((s.invoice("old").open, books(&s)), (1, (501, 0, 1, 0, 0)));
}

#[test]
fn a_correction_of_an_item_owing_never_goes_below_what_is_used() {
    let mut s = Scenario::new();
    s.accept(owing("old", 1_000));
    s.accept(invoice("a", 400));
    s.accept(allocate("a", From::OpeningItem(id("old")), None));
    assert_eq!(s.reason(correct("old", Some(399))), Reason::OverAllocation);
    assert_eq!(names(&s.accept(correct("old", Some(400)))), ["OpeningItemCorrected"]);
    assert_eq!((s.invoice("old").unapplied, books(&s)), (0, (-400, 400, 0, 0, 0)));
    s.accept(correct("old", Some(650)));
    assert_eq!((s.invoice("old").unapplied, books(&s)), (250, (-650, 400, 0, 0, 250)));
    let mut due = correct("old", None);
    due.due_date = Some(day("2026-02-01"));
    assert_eq!(s.reason(due), Reason::ConflictingFields);
}

#[test]
fn a_correction_that_changes_nothing_is_a_repeat_and_wrong_ones_are_refused() {
    let mut s = Scenario::new();
    s.accept(owed("old", 1_000));
    s.accept(invoice("a", 400));
    assert_eq!(s.accept(correct("old", Some(1_000))), []);
    assert_eq!(s.accept(correct("old", None)), []);
    assert_eq!(s.reason(correct("a", Some(1))), Reason::WrongState);
    assert_eq!(s.reason(correct("none", Some(1))), Reason::UnknownInvoice);
    assert_eq!(s.reason(correct("old", Some(-1))), Reason::NotPositive);
    let mut paid = correct("old", Some(500));
    paid.paid = Some(501);
    assert_eq!(s.refuse(paid).field, "paid");
    let mut dollars = correct("old", Some(1));
    dollars.currency = Some(currency("USD"));
    assert_eq!(s.reason(dollars), Reason::CurrencyMismatch);
    assert_eq!(s.reason(correct("old", Some(MAX_VOLUME))), Reason::AmountOverflow);
    assert_eq!(names(&s.accept(correct("old", Some(0)))), ["OpeningItemCorrected", "InvoicePaid"]);
    assert_eq!(books(&s), (0, 400, 400, 0, 0));
}

#[test]
fn a_correction_counts_from_its_day_in_order_and_not_after_today() {
    let mut s = Scenario::new();
    s.advance("2026-01-20");
    let mut item = owed("old", 1_000);
    (item.date, item.due_date) = (Some(day("2026-01-05")), Some(day("2026-03-01")));
    s.accept(item);
    let dated = |amount, date| {
        let date = Some(day(date));
        CorrectOpeningItem { date, ..correct("old", Some(amount)) }
    };
    assert_eq!(s.reason(dated(900, "2026-01-04")), Reason::DatedBeforeFact);
    let refusal = s.refuse(dated(900, "2026-01-21"));
    assert_eq!((refusal.reason, refusal.field.as_str()), (Reason::WrongState, "date"));
    s.accept(dated(1_500, "2026-01-10"));
    assert_eq!(s.reason(dated(900, "2026-01-09")), Reason::DatedBeforeFact);
    // Of the 1,500, 500 are there from January 10th only.
    let mut early = payment("p", 1_000, Put::Invoice(id("old")));
    early.received_on = Some(day("2026-01-06"));
    assert_eq!(dates(&s.accept(early.clone())), ["2026-01-06"]);
    (early.payment_id, early.amount) = (Some(id("q")), Some(1));
    assert_eq!(dates(&s.accept(early)), ["2026-01-10"]);
    // What is left is 499; lowered by them on the 15th, it is paid from then on.
    let events = s.accept(dated(1_001, "2026-01-15"));
    assert_eq!(names(&events), ["OpeningItemCorrected", "InvoicePaid"]);
    assert_eq!(dates(&events), ["2026-01-15", "2026-01-15"]);
}

#[test]
fn a_correction_is_not_dated_in_the_time_that_more_was_allocated() {
    let mut s = Scenario::new();
    s.accept(owed("old", 1_000));
    s.accept(owing("credit", 1_000));
    s.accept(payment("p", 900, Put::Invoice(id("old"))));
    s.accept(invoice("a", 900));
    s.accept(allocate("a", From::OpeningItem(id("credit")), None));
    s.advance("2026-01-20");
    let mut off = deallocate_payment("old", "p", Some(600));
    off.date = Some(day("2026-01-15"));
    s.accept(off);
    let mut off = deallocate_opening("a", "credit");
    off.date = Some(day("2026-01-15"));
    s.accept(off);
    for item in ["old", "credit"] {
        let mut lower = correct(item, Some(899));
        lower.date = Some(day("2026-01-14"));
        let refusal = s.refuse(lower.clone());
        assert_eq!(refusal.reason, Reason::DatedBeforeFact);
        assert!(refusal.message.contains("2026-01-15"), "{refusal}");
        lower.amount = Some(900);
        s.accept(lower);
    }
    let mut lower = correct("old", Some(300));
    lower.date = Some(day("2026-01-15"));
    s.accept(lower);
    assert_eq!(s.invoice("old").open, 0);
}

#[test]
fn a_due_date_moved_to_a_day_to_come_takes_the_item_out_of_what_is_overdue() {
    let mut s = Scenario::new();
    let mut item = owed("old", 1_000);
    item.due_date = Some(day("2026-01-03"));
    s.accept(item);
    s.advance("2026-01-10");
    assert_eq!(books(&s), (1_000, 0, 1_000, 1_000, 0));
    let moved = |date, amount| {
        let due_date = Some(day(date));
        CorrectOpeningItem { due_date, ..correct("old", amount) }
    };
    let events = s.accept(moved("2026-01-08", None));
    assert_eq!(names(&events), ["OpeningItemCorrected"]);
    assert!(!correction(&events).not_overdue, "the 8th has passed too");
    assert_eq!(books(&s).3, 1_000);
    // The last day on which it is not overdue is its due date.
    let events = s.accept(moved("2026-01-10", Some(1_200)));
    assert_eq!(names(&events), ["OpeningItemCorrected", "InvoiceDue"]);
    assert!(correction(&events).not_overdue);
    assert_eq!(books(&s), (1_200, 0, 1_200, 0, 0));
    assert_eq!(s.customer("dupont").status, CustomerStatus::AwaitingPayment);
    assert_eq!(names(&s.accept(moved("2026-01-14", None))), ["OpeningItemCorrected"]);
    let events = s.advance("2026-01-20");
    assert_eq!(dates(&events), ["2026-01-14", "2026-01-15"], "due and overdue are told again");
    assert_eq!(books(&s), (1_200, 0, 1_200, 1_200, 0));
    let events = s.accept(moved("2026-02-14", Some(0)));
    assert_eq!(names(&events), ["OpeningItemCorrected", "InvoicePaid"]);
    assert_eq!(books(&s), (0, 0, 0, 0, 0));
}

#[test]
fn a_due_date_moved_to_a_day_that_has_passed_is_told_at_once() {
    let mut s = Scenario::new();
    let mut item = owed("old", 1_000);
    item.due_date = Some(day("2026-02-03"));
    s.accept(item);
    s.advance("2026-01-10");
    let mut moved = correct("old", None);
    moved.due_date = Some(day("2026-01-09"));
    assert_eq!(names(&s.accept(moved)), ["OpeningItemCorrected", "InvoiceOverdue"]);
    assert_eq!(books(&s), (1_000, 0, 1_000, 1_000, 0));
    assert!(dates(&s.advance("2026-02-20")).is_empty(), "it is told once");
}

/// On the days from its new due date to its payment it was open, but they are over.
#[test]
fn a_paid_item_is_not_told_to_be_overdue_by_a_due_date_that_has_passed() {
    let mut s = Scenario::new();
    let mut item = owed("old", 108);
    item.due_date = Some(day("2026-02-01"));
    s.accept(item);
    s.advance("2026-01-13");
    s.accept(payment("p", 108, Put::Auto));
    let mut moved = correct("old", None);
    (moved.due_date, moved.date) = (Some(day("2026-01-02")), Some(day("2026-01-02")));
    assert_eq!(names(&s.accept(moved)), ["OpeningItemCorrected"]);
    assert!(dates(&s.advance("2026-01-20")).is_empty());
    let events = s.accept(reverse("p"));
    let expected = ["Deallocated", "PaymentReversed", "InvoiceReopened", "InvoiceOverdue"];
    assert_eq!(names(&events), expected);
    assert_eq!(books(&s), (108, 0, 108, 108, 0));
}

#[test]
fn an_item_paid_late_and_reopened_by_a_correction_is_overdue_again() {
    let mut s = Scenario::new();
    let mut item = owed("old", 1_000);
    item.due_date = Some(day("2026-01-03"));
    s.accept(item);
    s.advance("2026-01-10");
    s.accept(payment("p", 1_000, Put::Invoice(id("old"))));
    assert_eq!(books(&s), (1_000, 0, 0, 0, 0));
    let events = s.accept(correct("old", Some(1_250)));
    assert_eq!(names(&events), ["OpeningItemCorrected", "InvoiceReopened", "InvoiceOverdue"]);
    assert_eq!(books(&s), (1_250, 0, 250, 250, 0));
    s.accept(reverse("p"));
    assert_eq!(books(&s), (1_250, 0, 1_250, 1_250, 0));
}
