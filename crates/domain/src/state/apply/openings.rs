//! Applying events of opening items.

use super::{At, must};
use crate::event::{Direction, OpeningItemAdded, OpeningItemCorrected};
use crate::state::rows::{Invoice, Ledger, Opening};
use crate::state::spells;

impl Ledger {
    pub(super) fn add_opening_item(&mut self, e: &OpeningItemAdded, at: At) {
        assert!(e.amount > 0 && (0..=e.amount).contains(&e.paid), "a part is settled at most");
        let mut row = Invoice::new(e.id.clone(), e.number.clone(), e.customer, e.currency, at);
        let left = e.amount - e.paid;
        let (open, unapplied) = split(e.direction, left);
        row.total = e.amount;
        row.open = open;
        row.issue_date = e.date;
        row.due = e.due;
        row.reference = e.reference.clone();
        row.sent_on = e.sent_on;
        row.opening = Some(Box::new(Opening {
            direction: e.direction,
            paid: e.paid,
            unapplied,
            invoices: Vec::new(),
            spells: Vec::new(),
            corrected_on: None,
        }));
        self.push_invoice(row, e.invoice);
        self.add_volume(e.currency, e.amount);
        self.balance(e.customer, e.currency, at, |balance| {
            balance.opening += open - unapplied;
            balance.outstanding += open;
            balance.unapplied += unapplied;
        });
    }

    pub(super) fn correct_opening_item(&mut self, e: &OpeningItemCorrected, at: At) {
        assert!((0..=e.amount).contains(&e.paid), "a part is settled at most");
        let row = self.invoice(e.invoice, at);
        let (from, total_before) = (row.issue_date, row.total);
        let opening = must(row.opening.as_deref_mut(), "opening item", at);
        let more = (e.amount - e.paid) - (total_before - opening.paid);
        let (open, unapplied) = split(opening.direction, more);
        // Before its day, what a correction adds was not there to be settled or used.
        let noted = match opening.direction {
            Direction::Owed => &mut row.spells,
            Direction::Owing => &mut opening.spells,
        };
        if more > 0 {
            spells::note(noted, from, e.date, more);
        }
        opening.paid = e.paid;
        opening.corrected_on = Some(e.date);
        opening.unapplied += unapplied;
        row.total = e.amount;
        row.open += open;
        row.due = e.due;
        let left = if opening.direction == Direction::Owed { row.open } else { opening.unapplied };
        assert_eq!(left, e.left_after, "the event tells what is left");
        assert!(left >= 0, "a correction leaves what is allocated");
        let overdue = if row.overdue { open } else { 0 };
        let (customer, currency) = (row.customer, row.currency);
        if e.amount > total_before {
            self.add_volume(currency, e.amount - total_before);
        }
        self.balance(customer, currency, at, |balance| {
            balance.opening += open - unapplied;
            balance.outstanding += open;
            balance.overdue += overdue;
            balance.unapplied += unapplied;
        });
    }
}

/// An amount as what is open and what is unapplied.
const fn split(direction: Direction, amount: i64) -> (i64, i64) {
    match direction {
        Direction::Owed => (amount, 0),
        Direction::Owing => (0, amount),
    }
}
