//! The past: balances as of a day and as known at a position, from the history.

use std::collections::BTreeMap;

use encours_domain::balance::Balance;
use encours_domain::terms::DueTerms;
use encours_domain::{Currency, Day, Position};

use super::AsOf;
use crate::model::{Ledger, Model};
use crate::rows::{Change, ChangeKind, CorrectionRow, InvoiceFlags, Item};
use crate::tables::{Links, Tables};

/// A point in both times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Past {
    /// Facts dated up to this day count.
    pub(super) date: Day,
    /// Facts recorded up to this position count.
    pub(super) known: u64,
}

impl Past {
    /// What `as_of` means in a ledger.
    pub(super) fn at(model: &Model, ledger: &Ledger, as_of: AsOf) -> Self {
        let known = as_of.known.unwrap_or(model.seen.position).min(model.seen.position);
        // A ledger that was not known yet has no rows either: any day will do.
        let today = || model.root.today_at(ledger.clock, known).unwrap_or(ledger.today);
        let Position(known) = known;
        Self { date: as_of.date.unwrap_or_else(today), known }
    }

    fn counts(self, change: &Change) -> bool {
        self.holds(change.position, change.date)
    }

    /// Whether a fact of this position and day counts.
    pub(super) const fn holds(self, position: u64, date: Day) -> bool {
        position <= self.known && date.since(self.date) <= 0
    }

    /// Whether a correction does not count, so that the item is due as before it. Corrections of an
    /// item are in the order of their days too: those that count come first.
    pub(super) const fn is_before(self, correction: &CorrectionRow) -> bool {
        !self.holds(correction.position, correction.date)
    }
}

/// What the past is read from, taken under the lock, so that a long history holds nobody off.
pub(super) struct PastBooks {
    pub(super) tables: Tables,
    links: Links,
    past: Past,
}

type Balances = BTreeMap<Currency, Balance>;

fn entry(balances: &mut Balances, currency: Currency) -> &mut Balance {
    balances.entry(currency).or_insert(Balance::zero(currency))
}

impl PastBooks {
    pub(super) fn of(ledger: &Ledger, past: Past) -> Self {
        Self { tables: ledger.tables.clone(), links: ledger.index.links.clone(), past }
    }

    fn chain(&self, first: u32, item: Item) -> impl Iterator<Item = (u32, &Change)> {
        self.tables.chain(&self.links, first, item)
    }

    /// A customer's balances, by currency code; `None` where it was not known yet.
    pub(super) fn balances(&self, no: u32) -> Option<Vec<Balance>> {
        let row = self.tables.customers.get(no).filter(|row| row.created <= self.past.known)?;
        let mut balances = Balances::new();
        for (at, change) in self.chain(row.first, Item::Customer(no)) {
            if change.position > self.past.known {
                break;
            }
            match change.kind {
                ChangeKind::InvoiceIssued | ChangeKind::OpeningAdded => {
                    self.item(at, change, &mut balances);
                }
                ChangeKind::PaymentRecorded => self.payment(at, change, &mut balances),
                _ => {}
            }
        }
        Some(balances.into_values().collect())
    }

    /// An invoice or opening item, with the credit notes against it.
    fn item(&self, first: u32, added: &Change, balances: &mut Balances) {
        let Some(row) = self.tables.invoices.get(added.item) else { return };
        let (mut claimed, mut left) = (0, 0);
        let mut due_before: Option<DueTerms> = None;
        for (at, change) in self.chain(first, Item::Invoice(added.item)) {
            // Its own date decides whether a credit note counts, but not where it is found.
            if change.kind == ChangeKind::CreditNoteIssued && change.position <= self.past.known {
                self.credit_note(at, change, balances);
            }
            if change.kind == ChangeKind::OpeningCorrected
                && let Some(correction) = self.tables.corrections.get(change.other)
                && self.past.is_before(correction)
            {
                due_before = due_before.or(Some(correction.before));
            }
            if !self.past.counts(change) {
                continue;
            }
            match change.kind {
                ChangeKind::InvoiceIssued
                | ChangeKind::OpeningAdded
                | ChangeKind::OpeningCorrected => {
                    claimed += change.amount;
                    left += change.amount;
                }
                // Of an opening item that is used, too.
                ChangeKind::PaymentAllocated
                | ChangeKind::CreditAllocated
                | ChangeKind::OpeningAllocated => left -= change.amount,
                ChangeKind::PaymentDeallocated
                | ChangeKind::CreditDeallocated
                | ChangeKind::OpeningDeallocated => left += change.amount,
                _ => {}
            }
        }
        if !self.past.counts(added) {
            return;
        }
        let due = row.claim_due().map(|due| due_before.unwrap_or(due));
        let balance = entry(balances, row.currency);
        if row.flags.has(InvoiceFlags::OWING) {
            balance.opening -= claimed;
            balance.unapplied += left;
            return;
        }
        match added.kind {
            ChangeKind::OpeningAdded => balance.opening += claimed,
            _ => balance.invoiced += claimed,
        }
        balance.outstanding += left;
        if due.is_some_and(|due| due.overdue_from() <= self.past.date) {
            balance.overdue += left;
        }
    }

    fn payment(&self, first: u32, recorded: &Change, balances: &mut Balances) {
        let Some(row) = self.tables.payments.get(recorded.item) else { return };
        if !self.past.counts(recorded) {
            return;
        }
        let balance = entry(balances, row.currency);
        let chain = self.chain(first, Item::Payment(recorded.item));
        for (_, change) in chain.filter(|(_, change)| self.past.counts(change)) {
            match change.kind {
                ChangeKind::PaymentRecorded => {
                    balance.collected += change.amount;
                    balance.unapplied += change.amount;
                }
                ChangeKind::PaymentReversed => {
                    balance.collected -= change.amount;
                    balance.unapplied -= change.amount;
                }
                ChangeKind::PaymentRefunded => {
                    balance.refunded += change.amount;
                    balance.unapplied -= change.amount;
                }
                ChangeKind::PaymentAllocated => balance.unapplied -= change.amount,
                ChangeKind::PaymentDeallocated => balance.unapplied += change.amount,
                _ => {}
            }
        }
    }

    fn credit_note(&self, first: u32, issued: &Change, balances: &mut Balances) {
        let Some(row) = self.tables.credit_notes.get(issued.item) else { return };
        if !self.past.counts(issued) {
            return;
        }
        let balance = entry(balances, row.currency);
        let chain = self.chain(first, Item::CreditNote(issued.item));
        for (_, change) in chain.filter(|(_, change)| self.past.counts(change)) {
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
