//! On which day it is told that an item is due or overdue: on that day, else on the day on which it
//! came to be known, never on one that is over.

use crate::openings::dates;
use crate::scenario::*;
use encours_domain::commands::{CreditUse, Put};

/// The invoice `a`, due on 2026-01-02 and paid, with a kept credit note over all of it of a day.
fn paid_and_credited(credit_date: &str) -> Scenario {
    let mut s = Scenario::new();
    let mut command = invoice("a", 5_000);
    command.due = Some(encours_domain::terms::Due::Date(day("2026-01-02")));
    s.accept(command);
    s.accept(payment("p", 5_000, Put::Auto));
    s.advance("2026-01-20");
    let mut kept = credit("c", "a", 5_000, CreditUse::Keep);
    (kept.number, kept.issue_date) = (Some("C-1".into()), Some(day(credit_date)));
    s.accept(kept);
    s
}

/// Between the day on which the money comes off and that of the credit note it was open: that is
/// over, and nobody is told tomorrow that it is overdue.
#[test]
fn days_that_are_over_tell_nothing_of_an_invoice_cancelled_from_a_day_before_its_credit_note() {
    let mut s = paid_and_credited("2026-01-20");
    let mut command = cancel("a", true);
    command.date = Some(day("2026-01-17"));
    let events = s.accept(command);
    assert_eq!(names(&events), ["Deallocated", "Allocated", "InvoiceCancelled"]);
    assert_eq!(dates(&events), ["2026-01-17", "2026-01-20"]);
    assert_eq!(dates(&s.advance("2026-01-25")), [""; 0]);
}

/// Cancelled by a credit note of a day to come it is open until then, and overdue today.
#[test]
fn what_a_credit_note_of_a_day_to_come_leaves_open_today_is_told_today() {
    let mut s = paid_and_credited("2026-01-30");
    let events = s.accept(cancel("a", true));
    assert_eq!(names(&events), ["Deallocated", "Allocated", "InvoiceCancelled", "InvoiceOverdue"]);
    assert_eq!(dates(&events), ["2026-01-20", "2026-01-30", "2026-01-20"]);
    assert_eq!(s.figures("dupont"), (0, 0, 5_000), "all facts counted nothing is open");
    assert_eq!(dates(&s.advance("2026-02-02")), [""; 0]);
}
