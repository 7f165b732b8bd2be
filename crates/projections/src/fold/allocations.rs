//! What payments, credit notes and opening items put on invoices, and what is taken off again.

use encours_domain::balance::Balance;

use super::effect::claim;
use super::known;
use crate::error::FoldError;
use crate::model::Ledger;
use crate::rows::{AllocationRow, Change, Item, NONE};

impl Ledger {
    /// The newest allocation of a source.
    fn newest(&mut self, source: Item) -> Result<&mut u32, FoldError> {
        match source {
            Item::Payment(no) => {
                Ok(&mut known(self.tables.payments.get_mut(no), "payment", no)?.allocation)
            }
            Item::CreditNote(no) => {
                Ok(&mut known(self.tables.credit_notes.get_mut(no), "credit note", no)?.allocation)
            }
            Item::Invoice(no) => {
                Ok(&mut known(self.tables.invoices.get_mut(no), "opening item", no)?.allocation)
            }
            Item::Customer(number) => Err(FoldError::Unknown { what: "source", number }),
        }
    }

    /// Takes `amount` out of a source (or puts it back, where negative). Tells its newest
    /// allocation.
    fn spend(&mut self, source: Item, amount: i64) -> Result<&mut u32, FoldError> {
        match source {
            Item::Payment(no) => {
                let row = known(self.tables.payments.get_mut(no), "payment", no)?;
                row.unapplied -= amount;
                Ok(&mut row.allocation)
            }
            Item::CreditNote(no) => {
                let row = known(self.tables.credit_notes.get_mut(no), "credit note", no)?;
                row.unapplied -= amount;
                Ok(&mut row.allocation)
            }
            Item::Invoice(no) => {
                self.change_invoice(no, |row| row.left -= amount)?;
                self.newest(source)
            }
            Item::Customer(number) => Err(FoldError::Unknown { what: "source", number }),
        }
    }

    pub(super) fn allocate(&mut self, change: &Change, source: Item) -> Result<(), FoldError> {
        let free = self.index.free.pop();
        let row = free.unwrap_or(self.tables.allocations.len());
        let next = std::mem::replace(self.spend(source, change.amount)?, row);
        let allocation =
            AllocationRow { invoice: change.item, amount: change.amount, date: change.date, next };
        match self.tables.allocations.get_mut(row) {
            Some(row) => *row = allocation,
            None => {
                self.tables.allocations.push(allocation);
            }
        }
        self.settle(change.item, source, change.amount)
    }

    pub(super) fn deallocate(&mut self, change: &Change, source: Item) -> Result<(), FoldError> {
        self.take_off(change, source)?;
        self.spend(source, -change.amount)?;
        self.settle(change.item, source, -change.amount)
    }

    /// Takes an amount off the newest allocations of a source to an invoice, as the writer does.
    fn take_off(&mut self, change: &Change, source: Item) -> Result<(), FoldError> {
        let mut left = change.amount;
        let mut at = *self.newest(source)?;
        let mut before = NONE;
        while left > 0 {
            let Some(row) = self.tables.allocations.get(at).copied() else {
                return Err(FoldError::NotAllocated { invoice: change.item, missing: left });
            };
            let part = if row.invoice == change.item { row.amount.min(left) } else { 0 };
            left -= part;
            if part > 0
                && let Some(changed) = self.tables.allocations.get_mut(at)
            {
                changed.amount -= part;
            }
            if part > 0 && part == row.amount {
                match self.tables.allocations.get_mut(before) {
                    Some(before) => before.next = row.next,
                    None => *self.newest(source)? = row.next,
                }
                self.index.free.push(at);
            } else {
                before = at;
            }
            at = row.next;
        }
        Ok(())
    }

    /// `amount` of an invoice is settled by a source (or is open again, where negative).
    fn settle(&mut self, invoice: u32, source: Item, amount: i64) -> Result<(), FoldError> {
        let today = self.today;
        let is_own = match source {
            Item::CreditNote(no) => {
                known(self.tables.credit_notes.get(no), "credit note", no)?.invoice == invoice
            }
            _ => false,
        };
        let row = self.change_invoice(invoice, |row| {
            row.left -= amount;
            row.by_others += if is_own { 0 } else { amount };
            if matches!(source, Item::CreditNote(_) | Item::Invoice(_)) {
                row.credited += amount;
            }
        })?;
        let (customer, claim) = (row.customer, claim(row, -amount, today));
        self.add(customer, &Balance { unapplied: -amount, ..claim })
    }
}
