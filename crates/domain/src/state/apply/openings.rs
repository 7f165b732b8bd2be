//! Applying events of opening items.

use super::{At, must};
use crate::commands::Digest;
use crate::event::{Direction, OpeningItemAdded, OpeningItemCorrected};
use crate::position::{Day, Position};
use crate::state::rows::{Invoice, Ledger, Opening};
use crate::state::spells;

impl Ledger {
    pub(super) fn add_opening_item(&mut self, e: &OpeningItemAdded, at: At) {
        assert!(e.amount > 0 && (0..=e.amount).contains(&e.paid), "a part is settled at most");
        self.push_invoice(Invoice::opening_item(e, at.position, at.digest), e.invoice);
        self.invoice_series.pass(&e.number);
        self.add_volume(e.currency, e.amount);
        let (open, unapplied) = split(e.direction, e.amount - e.paid);
        self.balance(e.customer, e.currency, at, |balance| {
            balance.opening += open - unapplied;
            balance.outstanding += open;
            balance.unapplied += unapplied;
        });
    }

    pub(super) fn correct_opening_item(
        &mut self,
        e: &OpeningItemCorrected,
        told_from: Day,
        at: At,
    ) {
        assert!((0..=e.amount).contains(&e.paid), "a part is settled at most");
        let row = self.invoice(e.invoice, at);
        let (total, overdue) = (row.total, row.overdue_amount());
        let (open, unapplied) = must(row.correct(e, told_from), "opening item", at);
        let overdue = row.overdue_amount() - overdue;
        let (customer, currency) = (row.customer, row.currency);
        if e.amount > total {
            self.add_volume(currency, e.amount - total);
        }
        self.balance(customer, currency, at, |balance| {
            balance.opening += open - unapplied;
            balance.outstanding += open;
            balance.overdue += overdue;
            balance.unapplied += unapplied;
        });
    }
}

impl Invoice {
    /// The row of an opening item that was just brought in.
    pub(crate) fn opening_item(e: &OpeningItemAdded, position: Position, digest: Digest) -> Self {
        let at = At { position, digest };
        let mut row = Self::new(e.id.clone(), e.number.clone(), e.customer, e.currency, at);
        let (open, unapplied) = split(e.direction, e.amount - e.paid);
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
            lowered_on: None,
        }));
        row
    }

    /// Corrects an opening item on a day; tells by how much what is open and what is unapplied of it grow.
    /// `None` where it is no opening item.
    pub(crate) fn correct(
        &mut self,
        e: &OpeningItemCorrected,
        told_from: Day,
    ) -> Option<(i64, i64)> {
        let (from, total) = (self.issue_date, self.total);
        let opening = self.opening.as_deref_mut()?;
        let more = (e.amount - e.paid) - (total - opening.paid);
        let (open, unapplied) = split(opening.direction, more);
        // Before its day, what a correction adds was not there to be settled or used.
        let noted = match opening.direction {
            Direction::Owed => &mut self.spells,
            Direction::Owing => &mut opening.spells,
        };
        if more > 0 {
            spells::note(noted, from, e.date, more);
        } else if more < 0 {
            opening.lowered_on = Some(e.date);
        }
        opening.paid = e.paid;
        opening.corrected_on = Some(e.date);
        opening.unapplied += unapplied;
        self.total = e.amount;
        self.open += open;
        let left = if opening.direction == Direction::Owed { self.open } else { opening.unapplied };
        assert_eq!(left, e.left_after, "the event tells what is left");
        assert!(left >= 0, "a correction leaves what is allocated");
        if e.not_overdue {
            self.overdue = false;
            self.overdue_emitted = false;
        }
        if e.due != self.due {
            // Its new due date is told when it comes; where it has passed, it is told at once.
            self.due_emitted = self.overdue_emitted;
            self.told_from = Some(told_from);
        }
        self.due = e.due;
        Some((open, unapplied))
    }

    /// What of its open amount is in the customer's overdue one.
    fn overdue_amount(&self) -> i64 {
        if self.overdue { self.open } else { 0 }
    }
}

/// An amount as what is open and what is unapplied.
const fn split(direction: Direction, amount: i64) -> (i64, i64) {
    match direction {
        Direction::Owed => (amount, 0),
        Direction::Owing => (0, amount),
    }
}
