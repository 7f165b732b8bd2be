//! The history, and what its rows do to the current ones once their date has come.

use encours_domain::balance::Balance;
use encours_domain::{Currency, Day};

use super::known;
use crate::counts;
use crate::error::FoldError;
use crate::model::Ledger;
use crate::rows::{
    AllocationRow, BalanceRow, Change, ChangeKind, InvoiceFlags, InvoiceRow, Item, NONE,
    reversal_kind,
};

impl Ledger {
    /// Adds a row to the history; it counts at once unless its date is still to come.
    pub(super) fn record(&mut self, change: Change) -> Result<(), FoldError> {
        let items = [Some(change.item()), change.other()];
        for item in items.into_iter().flatten() {
            self.exists(item)?;
        }
        let row = self.tables.history.push(change);
        self.index.links.push();
        for item in items.into_iter().flatten() {
            let Some(last) = self.tables.last_mut(item) else { continue };
            let previous = std::mem::replace(last, row);
            if previous != NONE {
                self.index.links.set(&self.tables.history, previous, item, row);
            }
        }
        if change.date > self.today {
            self.index.waiting.entry(change.date).or_default().push(row);
            return Ok(());
        }
        self.effect(&change)
    }

    fn exists(&self, item: Item) -> Result<(), FoldError> {
        let tables = &self.tables;
        let (what, no, len) = match item {
            Item::Customer(no) => ("customer", no, tables.customers.len()),
            Item::Invoice(no) => ("invoice", no, tables.invoices.len()),
            Item::Payment(no) => ("payment", no, tables.payments.len()),
            Item::CreditNote(no) => ("credit note", no, tables.credit_notes.len()),
        };
        known((no < len).then_some(()), what, no)
    }

    /// Opens a day: open invoices become overdue, and facts dated on it begin to count.
    pub(super) fn open_day(&mut self, day: Day) -> Result<(), FoldError> {
        let before = self.today;
        self.today = day;
        while let Some(entry) = self.index.overdue_from.first_entry()
            && *entry.key() <= day
        {
            for no in entry.remove() {
                self.becomes_overdue(no, before)?;
            }
        }
        while let Some(entry) = self.index.waiting.first_entry()
            && *entry.key() <= day
        {
            for row in entry.remove() {
                let change = *known(self.tables.history.get(row), "history row", row)?;
                self.effect(&change)?;
            }
        }
        Ok(())
    }

    fn becomes_overdue(&mut self, no: u32, before: Day) -> Result<(), FoldError> {
        let row = *known(self.tables.invoices.get(no), "invoice", no)?;
        if !row.flags.has(InvoiceFlags::COUNTS) || row.open == 0 {
            return Ok(());
        }
        self.index.counts.invoice(Some((&row, before)), Some((&row, self.today)));
        let zero = Balance::zero(row.currency);
        self.add(row.customer, &Balance { overdue: row.open, ..zero })
    }

    /// What a row of the history does to the current rows.
    fn effect(&mut self, change: &Change) -> Result<(), FoldError> {
        let amount = change.amount;
        match change.kind {
            ChangeKind::CustomerCreated
            | ChangeKind::CustomerUpdated
            | ChangeKind::InvoiceDue
            | ChangeKind::InvoicePaid => Ok(()),
            ChangeKind::InvoiceIssued => self.count_invoice(change.item),
            ChangeKind::InvoiceSent => self.change_invoice(change.item, |row| {
                row.sent_on = row.sent_on.or(Some(change.date));
            }),
            ChangeKind::InvoiceDisputed => self.flag(change.item, InvoiceFlags::DISPUTED, true),
            ChangeKind::DisputeResolved => self.flag(change.item, InvoiceFlags::DISPUTED, false),
            ChangeKind::InvoiceOverdue => self.flag(change.item, InvoiceFlags::EVER_OVERDUE, true),
            // WHY: a de-allocation recorded later may take effect before the cancellation does.
            ChangeKind::InvoiceCancelled => self.change_invoice(change.item, |row| {
                row.flags.set(InvoiceFlags::CANCELLED, row.open == 0);
            }),
            // WHY: a reopening dated later than a cancellation recorded after it takes effect when
            // nothing is open any more.
            ChangeKind::InvoiceReopened => self.change_invoice(change.item, |row| {
                row.flags.set(
                    InvoiceFlags::CANCELLED,
                    row.open == 0 && row.flags.has(InvoiceFlags::CANCELLED),
                );
            }),
            ChangeKind::PaymentRecorded => {
                let row = known(self.tables.payments.get(change.item), "payment", change.item)?;
                let (customer, zero) = (row.customer, Balance::zero(row.currency));
                self.add(customer, &Balance { collected: amount, unapplied: amount, ..zero })
            }
            ChangeKind::PaymentReversed => {
                let row = self.tables.payments.get_mut(change.item);
                let row = known(row, "payment", change.item)?;
                row.unapplied -= amount;
                row.reversed += amount;
                row.reversal = Some(reversal_kind(change.other));
                let (customer, zero) = (row.customer, Balance::zero(row.currency));
                self.add(customer, &Balance { collected: -amount, unapplied: -amount, ..zero })
            }
            ChangeKind::CreditNoteIssued => {
                let row = self.tables.credit_notes.get(change.item);
                let row = known(row, "credit note", change.item)?;
                let (customer, zero) = (row.customer, Balance::zero(row.currency));
                self.change_invoice(change.other, |row| row.credit_noted += amount)?;
                self.add(customer, &Balance { credited: amount, unapplied: amount, ..zero })
            }
            ChangeKind::PaymentAllocated => self.allocate(change, Item::Payment(change.other)),
            ChangeKind::CreditAllocated => self.allocate(change, Item::CreditNote(change.other)),
            ChangeKind::PaymentDeallocated => self.deallocate(change, Item::Payment(change.other)),
            ChangeKind::CreditDeallocated => {
                self.deallocate(change, Item::CreditNote(change.other))
            }
        }
    }

    /// Changes an invoice and keeps the counts of headlines in step.
    fn change_invoice(
        &mut self,
        no: u32,
        change: impl FnOnce(&mut InvoiceRow),
    ) -> Result<(), FoldError> {
        let row = known(self.tables.invoices.get_mut(no), "invoice", no)?;
        let before = *row;
        change(row);
        if before.flags.has(InvoiceFlags::COUNTS) {
            let today = self.today;
            self.index.counts.invoice(Some((&before, today)), Some((row, today)));
        }
        Ok(())
    }

    fn flag(&mut self, no: u32, flag: u8, on: bool) -> Result<(), FoldError> {
        self.change_invoice(no, |row| row.flags.set(flag, on))
    }

    fn count_invoice(&mut self, no: u32) -> Result<(), FoldError> {
        let row = known(self.tables.invoices.get_mut(no), "invoice", no)?;
        row.flags.set(InvoiceFlags::COUNTS, true);
        let row = *row;
        self.index.counts.invoice(None, Some((&row, self.today)));
        let balance = Balance {
            invoiced: row.total,
            outstanding: row.open,
            overdue: self.overdue(&row, row.open),
            ..Balance::zero(row.currency)
        };
        self.add(row.customer, &balance)
    }

    /// The part of `open` that is overdue today: all or nothing.
    fn overdue(&self, row: &InvoiceRow, open: i64) -> i64 {
        if row.due.overdue_from() <= self.today { open } else { 0 }
    }

    /// What a source has unapplied, and the newest of its allocations.
    fn source(&mut self, source: Item) -> Result<(&mut i64, &mut u32), FoldError> {
        match source {
            Item::Payment(no) => {
                let row = known(self.tables.payments.get_mut(no), "payment", no)?;
                Ok((&mut row.unapplied, &mut row.allocation))
            }
            Item::CreditNote(no) => {
                let row = known(self.tables.credit_notes.get_mut(no), "credit note", no)?;
                Ok((&mut row.unapplied, &mut row.allocation))
            }
            Item::Customer(number) | Item::Invoice(number) => {
                Err(FoldError::Unknown { what: "source", number })
            }
        }
    }

    fn allocate(&mut self, change: &Change, source: Item) -> Result<(), FoldError> {
        let free = self.index.free.pop();
        let row = free.unwrap_or(self.tables.allocations.len());
        let (unapplied, newest) = self.source(source)?;
        *unapplied -= change.amount;
        let next = std::mem::replace(newest, row);
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

    fn deallocate(&mut self, change: &Change, source: Item) -> Result<(), FoldError> {
        self.take_off(change, source)?;
        let (unapplied, _) = self.source(source)?;
        *unapplied += change.amount;
        self.settle(change.item, source, -change.amount)
    }

    /// Takes an amount off the newest allocations of a source to an invoice, as the writer does.
    fn take_off(&mut self, change: &Change, source: Item) -> Result<(), FoldError> {
        let mut left = change.amount;
        let mut at = *self.source(source)?.1;
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
                    None => *self.source(source)?.1 = row.next,
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
        self.change_invoice(invoice, |row| {
            row.open -= amount;
            if matches!(source, Item::CreditNote(_)) {
                row.credited += amount;
            }
        })?;
        let row = known(self.tables.invoices.get(invoice), "invoice", invoice)?;
        let balance = Balance {
            outstanding: -amount,
            overdue: -self.overdue(row, amount),
            unapplied: -amount,
            ..Balance::zero(row.currency)
        };
        self.add(row.customer, &balance)
    }

    /// Adds to a customer's balance in the currency of `change`, and to the ledger's.
    fn add(&mut self, customer: u32, change: &Balance) -> Result<(), FoldError> {
        let row = known(self.tables.customers.get(customer), "customer", customer)?;
        let first = row.balance;
        let before = self.tables.status(first);
        let at = match self.tables.balance_of(first, change.currency) {
            Some(at) => at,
            None => self.new_balance(customer, change.currency)?,
        };
        let row = known(self.tables.balances.get_mut(at), "balance", at)?;
        let balance = &mut row.balance;
        balance.invoiced += change.invoiced;
        balance.credited += change.credited;
        balance.collected += change.collected;
        balance.outstanding += change.outstanding;
        balance.overdue += change.overdue;
        balance.unapplied += change.unapplied;
        let after = if first == at && row.next == NONE {
            counts::status(std::slice::from_ref(balance))
        } else {
            let row = known(self.tables.customers.get(customer), "customer", customer)?;
            self.tables.status(row.balance)
        };
        self.index.counts.status(Some(before), Some(after));
        self.index.counts.add(change);
        Ok(())
    }

    /// An empty balance, put where the order of the currencies' codes wants it.
    fn new_balance(&mut self, customer: u32, currency: Currency) -> Result<u32, FoldError> {
        let new = self.tables.balances.len();
        let row = known(self.tables.customers.get_mut(customer), "customer", customer)?;
        let smaller = |row: &BalanceRow| row.balance.currency < currency;
        let mut link = &mut row.balance;
        if self.tables.balances.get(*link).is_some_and(smaller) {
            let mut before = *link;
            while let Some(row) = self.tables.balances.get(before)
                && self.tables.balances.get(row.next).is_some_and(smaller)
            {
                before = row.next;
            }
            link = &mut known(self.tables.balances.get_mut(before), "balance", before)?.next;
        }
        let next = std::mem::replace(link, new);
        self.tables.balances.push(BalanceRow { balance: Balance::zero(currency), next });
        Ok(new)
    }
}
