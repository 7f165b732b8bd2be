//! The past: balances as of a day and as known at a position, from the history.

use std::collections::BTreeMap;

use encours_domain::balance::Balance;
use encours_domain::{Currency, Day, Position};

use super::AsOf;
use crate::model::{Ledger, Model};
use crate::rows::{Change, ChangeKind, CustomerRow, Item};

/// A point in both times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Past {
    /// Facts dated up to this day count.
    pub(super) date: Day,
    /// Facts recorded up to this position count.
    pub(super) known: u64,
}

impl Past {
    /// What `as_of` means in a ledger; `None`: now, where the current rows answer.
    pub(super) fn of(model: &Model, ledger: &Ledger, as_of: AsOf) -> Option<Self> {
        (!as_of.is_now()).then(|| Self::at(model, ledger, as_of))
    }

    /// What `as_of` means in a ledger.
    pub(super) fn at(model: &Model, ledger: &Ledger, as_of: AsOf) -> Self {
        let known = as_of.known.unwrap_or(model.seen.position).min(model.seen.position);
        // A ledger that was not known yet has no rows either: any day will do.
        let today = || model.root.today_at(ledger.clock, known).unwrap_or(ledger.today);
        let Position(known) = known;
        Self { date: as_of.date.unwrap_or_else(today), known }
    }

    fn counts(self, change: &Change) -> bool {
        change.position <= self.known && change.date <= self.date
    }
}

impl Ledger {
    /// A customer's balances, by currency code.
    pub(super) fn balances_at(&self, row: &CustomerRow, no: u32, past: Past) -> Vec<Balance> {
        let mut balances = BTreeMap::new();
        for (at, change) in self.chain(row.first, Item::Customer(no)) {
            if change.position > past.known {
                break;
            }
            match change.kind {
                ChangeKind::InvoiceIssued => self.invoice_at(at, change, past, &mut balances),
                ChangeKind::PaymentRecorded => self.payment_at(at, change, past, &mut balances),
                _ => {}
            }
        }
        balances.into_values().collect()
    }

    fn invoice_at(
        &self,
        first: u32,
        issued: &Change,
        past: Past,
        balances: &mut BTreeMap<Currency, Balance>,
    ) {
        let Some(row) = self.tables.invoices.get(issued.item) else { return };
        let (mut invoiced, mut open) = (0, 0);
        for (at, change) in self.chain(first, Item::Invoice(issued.item)) {
            // Its own date decides whether a credit note counts, but not where it is found.
            if change.kind == ChangeKind::CreditNoteIssued && change.position <= past.known {
                self.credit_note_at(at, change, past, balances);
            }
            if !past.counts(change) {
                continue;
            }
            match change.kind {
                ChangeKind::InvoiceIssued => {
                    invoiced += change.amount;
                    open += change.amount;
                }
                ChangeKind::PaymentAllocated | ChangeKind::CreditAllocated => open -= change.amount,
                ChangeKind::PaymentDeallocated | ChangeKind::CreditDeallocated => {
                    open += change.amount;
                }
                _ => {}
            }
        }
        if !past.counts(issued) {
            return;
        }
        let overdue = if row.due.overdue_from() <= past.date { open } else { 0 };
        let balance = balances.entry(row.currency).or_insert(Balance::zero(row.currency));
        balance.invoiced += invoiced;
        balance.outstanding += open;
        balance.overdue += overdue;
    }

    fn payment_at(
        &self,
        first: u32,
        recorded: &Change,
        past: Past,
        balances: &mut BTreeMap<Currency, Balance>,
    ) {
        let Some(row) = self.tables.payments.get(recorded.item) else { return };
        if !past.counts(recorded) {
            return;
        }
        let balance = balances.entry(row.currency).or_insert(Balance::zero(row.currency));
        let chain = self.chain(first, Item::Payment(recorded.item));
        for (_, change) in chain.filter(|(_, change)| past.counts(change)) {
            match change.kind {
                ChangeKind::PaymentRecorded => {
                    balance.collected += change.amount;
                    balance.unapplied += change.amount;
                }
                ChangeKind::PaymentReversed => {
                    balance.collected -= change.amount;
                    balance.unapplied -= change.amount;
                }
                ChangeKind::PaymentAllocated => balance.unapplied -= change.amount,
                ChangeKind::PaymentDeallocated => balance.unapplied += change.amount,
                _ => {}
            }
        }
    }

    fn credit_note_at(
        &self,
        first: u32,
        issued: &Change,
        past: Past,
        balances: &mut BTreeMap<Currency, Balance>,
    ) {
        let Some(row) = self.tables.credit_notes.get(issued.item) else { return };
        if !past.counts(issued) {
            return;
        }
        let balance = balances.entry(row.currency).or_insert(Balance::zero(row.currency));
        let chain = self.chain(first, Item::CreditNote(issued.item));
        for (_, change) in chain.filter(|(_, change)| past.counts(change)) {
            match change.kind {
                ChangeKind::CreditNoteIssued => {
                    balance.credited += change.amount;
                    balance.unapplied += change.amount;
                }
                ChangeKind::CreditAllocated => balance.unapplied -= change.amount,
                ChangeKind::CreditDeallocated => balance.unapplied += change.amount,
                _ => {}
            }
        }
    }
}
