//! The history, and what its rows do to the current ones once their date has come.

use encours_domain::balance::Balance;
use encours_domain::dunning::Emitted;
use encours_domain::state::PlannedPayment;
use encours_domain::{Currency, Day};

use super::known;
use crate::counts::{Counted, status};
use crate::error::FoldError;
use crate::index::Indexed;
use crate::model::Ledger;
use crate::rows::{
    BalanceRow, Change, ChangeKind, InvoiceFlags, InvoiceRow, Item, NONE, reversal_kind,
};

impl Ledger {
    /// Adds a row to the history; it counts at once unless its date is still to come.
    pub(super) fn record(&mut self, change: Change) -> Result<(), FoldError> {
        let (item, other) = (change.item(), change.other());
        self.exists(item)?;
        other.map_or(Ok(()), |other| self.exists(other))?;
        let row = self.tables.history.push(change);
        self.index.links.push();
        self.link(item, row);
        if let Some(other) = other {
            self.link(other, row);
        }
        self.take_effect(row, &change)
    }

    /// The same for the first row about an item just made, which has its number as the last.
    pub(super) fn record_first(&mut self, change: Change) -> Result<(), FoldError> {
        let other = change.other();
        other.map_or(Ok(()), |other| self.exists(other))?;
        let row = self.tables.history.push(change);
        self.index.links.push();
        if let Some(other) = other {
            self.link(other, row);
        }
        self.take_effect(row, &change)
    }

    fn link(&mut self, item: Item, row: u32) {
        let Some(last) = self.tables.last_mut(item) else { return };
        let previous = std::mem::replace(last, row);
        if previous != NONE {
            self.index.links.set(&self.tables.history, previous, item, row);
        }
    }

    fn take_effect(&mut self, row: u32, change: &Change) -> Result<(), FoldError> {
        if change.date > self.today {
            self.index.wait(&self.tables, row, change);
            return Ok(());
        }
        self.effect(change)
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
        while let Some(numbers) = self.index.overdue_from.take_first(day) {
            for no in numbers {
                self.becomes_overdue(no, before)?;
            }
        }
        while let Some(entry) = self.index.waiting.first_entry()
            && *entry.key() <= day
        {
            for row in entry.remove() {
                let change = *known(self.tables.history.get(row), "history row", row)?;
                self.index.waited(&self.tables, &change);
                self.effect(&change)?;
            }
        }
        Ok(())
    }

    fn becomes_overdue(&mut self, no: u32, before: Day) -> Result<(), FoldError> {
        let row = known(self.tables.invoices.get(no), "invoice", no)?;
        if !row.flags.has(InvoiceFlags::COUNTS) || row.open() == 0 {
            return Ok(());
        }
        self.index.counts.invoice(Counted::of(row, before), Counted::of(row, self.today));
        let (customer, zero) = (row.customer, Balance::zero(row.currency));
        let overdue = row.open();
        self.add(customer, &Balance { overdue, ..zero })
    }

    /// What a row of the history does to the current rows.
    fn effect(&mut self, change: &Change) -> Result<(), FoldError> {
        let amount = change.amount;
        match change.kind {
            ChangeKind::CustomerCreated
            | ChangeKind::CustomerUpdated
            | ChangeKind::LimitSet
            | ChangeKind::CustomerReminded
            | ChangeKind::DraftCreated
            | ChangeKind::DraftUpdated
            | ChangeKind::DraftDeleted
            | ChangeKind::PlanCleared
            | ChangeKind::InvoiceDue
            | ChangeKind::InvoicePaid
            | ChangeKind::InvoiceReopened
            | ChangeKind::InvoiceCancelled => Ok(()),
            ChangeKind::InvoiceIssued | ChangeKind::OpeningAdded => self.count_item(change.item),
            ChangeKind::OpeningCorrected => self.correct(change.item, amount),
            ChangeKind::PaymentRecorded
            | ChangeKind::PaymentReversed
            | ChangeKind::PaymentRefunded => self.payment_effect(change),
            ChangeKind::CreditNoteIssued => {
                let row = self.tables.credit_notes.get(change.item);
                let row = known(row, "credit note", change.item)?;
                let (customer, zero) = (row.customer, Balance::zero(row.currency));
                self.change_invoice(change.other, |row| row.credit_noted += amount)?;
                self.add(customer, &Balance { credited: amount, unapplied: amount, ..zero })
            }
            ChangeKind::PaymentAllocated => self.allocate(change, Item::Payment(change.other)),
            ChangeKind::CreditAllocated => self.allocate(change, Item::CreditNote(change.other)),
            ChangeKind::OpeningAllocated => self.allocate(change, Item::Invoice(change.other)),
            ChangeKind::PaymentDeallocated => self.deallocate(change, Item::Payment(change.other)),
            ChangeKind::CreditDeallocated => {
                self.deallocate(change, Item::CreditNote(change.other))
            }
            ChangeKind::OpeningDeallocated => self.deallocate(change, Item::Invoice(change.other)),
            ChangeKind::LimitExceeded
            | ChangeKind::InvoiceSent
            | ChangeKind::InvoiceDisputed
            | ChangeKind::DisputeResolved
            | ChangeKind::InvoiceOverdue
            | ChangeKind::PaymentPlanned
            | ChangeKind::PlanCancelled
            | ChangeKind::PlanLapsed
            | ChangeKind::ReminderEmitted
            | ChangeKind::ReminderRecorded
            | ChangeKind::RemindersStopped => self.invoice_effect(change),
        }
    }

    /// What a row of the history that moves no money does to its invoice.
    fn invoice_effect(&mut self, change: &Change) -> Result<(), FoldError> {
        let reminder = match change.kind {
            ChangeKind::ReminderEmitted | ChangeKind::ReminderRecorded => {
                let row = self.tables.reminders.get(change.other);
                Some(*known(row, "reminder", change.other)?)
            }
            _ => None,
        };
        self.change_invoice(change.item, |row| match change.kind {
            ChangeKind::LimitExceeded => row.over_limit = change.amount,
            ChangeKind::InvoiceSent => row.sent_on = row.sent_on.or(Some(change.date)),
            ChangeKind::InvoiceDisputed => {
                row.flags.set(InvoiceFlags::DISPUTED | InvoiceFlags::HELD, true);
            }
            ChangeKind::DisputeResolved => {
                row.flags.set(InvoiceFlags::DISPUTED | InvoiceFlags::HELD, false);
            }
            ChangeKind::InvoiceOverdue => row.flags.set(InvoiceFlags::EVER_OVERDUE, true),
            ChangeKind::PaymentPlanned => {
                let (amount, remaining) = (change.amount, change.amount);
                row.planned = Day::from_number(change.other.cast_signed())
                    .map(|date| PlannedPayment { amount, remaining, date });
            }
            ChangeKind::PlanCancelled | ChangeKind::PlanLapsed => row.planned = None,
            ChangeKind::RemindersStopped => row.flags.set(InvoiceFlags::STOPPED, true),
            _ => {
                let Some(reminder) = reminder else { return };
                row.level = row.level.max(reminder.level);
                let emitted = |step| Emitted { step, planned: reminder.planned, date: change.date };
                row.last_step = reminder.step.map(emitted).or(row.last_step);
            }
        })?;
        Ok(())
    }

    fn payment_effect(&mut self, change: &Change) -> Result<(), FoldError> {
        let amount = change.amount;
        if change.kind == ChangeKind::PaymentRecorded {
            let row = known(self.tables.payments.get(change.item), "payment", change.item)?;
            let (customer, zero) = (row.customer, Balance::zero(row.currency));
            return self.add(customer, &Balance { collected: amount, unapplied: amount, ..zero });
        }
        let row = known(self.tables.payments.get_mut(change.item), "payment", change.item)?;
        row.unapplied -= amount;
        let (customer, zero) = (row.customer, Balance::zero(row.currency));
        let balance = match change.kind {
            ChangeKind::PaymentReversed => {
                row.reversed += amount;
                row.reversal = Some(reversal_kind(change.other));
                Balance { collected: -amount, unapplied: -amount, ..zero }
            }
            _ => {
                row.refunded += amount;
                Balance { refunded: amount, unapplied: -amount, ..zero }
            }
        };
        self.add(customer, &balance)
    }

    /// Changes an invoice and keeps the indexes in step; tells what it is then.
    pub(super) fn change_invoice(
        &mut self,
        no: u32,
        change: impl FnOnce(&mut InvoiceRow),
    ) -> Result<&InvoiceRow, FoldError> {
        let row = known(self.tables.invoices.get_mut(no), "invoice", no)?;
        let before = Indexed::of(row, self.today);
        change(row);
        let after = Indexed::of(row, self.today);
        if before != after {
            self.index.change(no, before, after);
        }
        Ok(row)
    }

    /// The day of an invoice or opening item has come.
    fn count_item(&mut self, no: u32) -> Result<(), FoldError> {
        let today = self.today;
        let row = self.change_invoice(no, |row| row.flags.set(InvoiceFlags::COUNTS, true))?;
        let (customer, claim) = (row.customer, claim(row, row.left, today));
        let balance = if row.flags.has(InvoiceFlags::OPENING) {
            Balance { opening: claim.net(), ..claim }
        } else {
            Balance { invoiced: row.total, ..claim }
        };
        self.add(customer, &balance)
    }

    /// An opening item claims more from here on (or less, where negative).
    fn correct(&mut self, no: u32, amount: i64) -> Result<(), FoldError> {
        let today = self.today;
        let row = self.change_invoice(no, |row| row.left += amount)?;
        let (customer, claim) = (row.customer, claim(row, amount, today));
        self.add(customer, &Balance { opening: claim.net(), ..claim })
    }

    /// Adds to a customer's balance in the currency of `change`, and to the ledger's.
    pub(super) fn add(&mut self, customer: u32, change: &Balance) -> Result<(), FoldError> {
        let first = known(self.tables.customers.get(customer), "customer", customer)?.balance;
        let (before, after) = match self.tables.balances.get_mut(first) {
            // Nearly always: its only balance, which makes its status alone.
            Some(row) if row.next == NONE && row.balance.currency == change.currency => {
                let before = status(std::slice::from_ref(&row.balance));
                add_to(&mut row.balance, change);
                (before, status(std::slice::from_ref(&row.balance)))
            }
            _ => {
                let before = self.tables.status(first);
                let at = match self.tables.balance_of(first, change.currency) {
                    Some(at) => at,
                    None => self.new_balance(customer, change.currency)?,
                };
                let row = known(self.tables.balances.get_mut(at), "balance", at)?;
                add_to(&mut row.balance, change);
                let row = known(self.tables.customers.get(customer), "customer", customer)?;
                (before, self.tables.status(row.balance))
            }
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

/// What `amount` more of an item is to its customer's balance.
pub(super) fn claim(row: &InvoiceRow, amount: i64, today: Day) -> Balance {
    let zero = Balance::zero(row.currency);
    if row.flags.has(InvoiceFlags::OWING) {
        Balance { unapplied: amount, ..zero }
    } else {
        let overdue = if row.is_late(today) { amount } else { 0 };
        Balance { outstanding: amount, overdue, ..zero }
    }
}

/// Adds the figures of `change` to a balance in its currency.
fn add_to(balance: &mut Balance, change: &Balance) {
    balance.opening += change.opening;
    balance.invoiced += change.invoiced;
    balance.credited += change.credited;
    balance.collected += change.collected;
    balance.refunded += change.refunded;
    balance.outstanding += change.outstanding;
    balance.overdue += change.overdue;
    balance.unapplied += change.unapplied;
}
