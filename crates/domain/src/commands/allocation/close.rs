//! Closing the book: what became of the invoices that a decision touched.

use super::{Account, Book};
use crate::commands::reminder;
use crate::event::{
    Event, InvoiceCancelled, InvoiceDue, InvoiceOverdue, InvoicePaid, InvoiceReopened,
    PlannedPaymentCleared,
};
use crate::number::{CreditNoteNo, InvoiceNo, LedgerNo, Source};
use crate::position::Day;
use crate::state::{Invoice, InvoiceAllocation, Ledger};
use crate::terms::DueTerms;

impl Book<'_> {
    /// The events, with those that say what became of the invoices.
    pub(in crate::commands) fn close(mut self) -> Vec<Event> {
        for (invoice, account) in std::mem::take(&mut self.invoices) {
            self.clear_plan(invoice, &account);
            self.tell_standing(invoice, &account);
            self.resume_reminders(invoice, &account);
        }
        self.events
    }

    /// A planned payment is over when payments brought all of it, or when nothing is open any more.
    fn clear_plan(&mut self, invoice: InvoiceNo, account: &Account) {
        let row = &account.row;
        if row.planned.is_some_and(|planned| planned.remaining == 0 || row.open == 0) {
            // WHY today at the earliest: it was planned on a day up to today.
            let date = account.changed.max(self.clock.today);
            self.push(PlannedPaymentCleared { ledger: self.ledger.no, invoice, date });
        }
    }

    /// Settled, cancelled, reopened, and what its due date says of it at once.
    fn tell_standing(&mut self, invoice: InvoiceNo, account: &Account) {
        let (row, ledger) = (&account.row, self.ledger.no);
        if row.open == 0 {
            let date = settled_on(row).unwrap_or(account.changed);
            if is_cancelled(self.ledger, row, invoice) {
                if !row.cancelled {
                    self.push(InvoiceCancelled { ledger, invoice, date });
                }
            } else if account.open_before != Some(0) || row.cancelled {
                self.push(InvoicePaid { ledger, invoice, date });
            }
        }
        let reopened = account.open_before == Some(0) && row.open > 0;
        if reopened {
            let date = account.changed;
            self.push(InvoiceReopened { ledger, invoice, date, open: row.open });
        }
        // What is open again today is told at once; what will be on a day to come, then. Money that
        // comes on a day to come does not silence today.
        let (due, today) = (row.due, self.clock.today);
        let open = row.open_on(today);
        let untold = !row.overdue_emitted && (account.retimed || open > self.open_today(invoice));
        if open > 0 && (reopened || untold) {
            self.events.extend(timing(ledger, invoice, open, due, row.due_emitted, today));
        }
    }

    /// What was open today on an invoice before the decision.
    fn open_today(&self, invoice: InvoiceNo) -> i64 {
        let before = self.ledger.invoices.get(invoice.0);
        before.map_or(0, |row| row.open_on(self.clock.today))
    }

    /// A plan that starts, goes on after nothing was open today, or follows another due date, tells
    /// the latest step whose day has come. One that ran all the while has told it.
    fn resume_reminders(&mut self, invoice: InvoiceNo, account: &Account) {
        let silent = account.open_before.is_none_or(|open| open == 0);
        if account.retimed || silent || self.open_today(invoice) == 0 {
            let reminder = reminder::at_once(self.clock, self.ledger, invoice, &account.row);
            self.events.extend(reminder);
        }
    }
}

/// The day on which the last open cent was settled, where a fact beyond the issue did it.
fn settled_on(row: &Invoice) -> Option<Day> {
    let lowered = row.opening.as_ref().and_then(|opening| opening.lowered_on);
    row.allocations.iter().map(|allocation| allocation.date).chain(lowered).max()
}

/// Credit notes reach the total, nothing is open, and nothing but them is allocated.
fn is_cancelled(ledger: &Ledger, row: &Invoice, invoice: InvoiceNo) -> bool {
    let own = |allocation: &InvoiceAllocation| match allocation.source {
        Source::Payment(_) | Source::Opening(_) => false,
        // A credit note that this decision creates is this invoice's own.
        Source::CreditNote(CreditNoteNo(no)) => {
            ledger.credit_notes.get(no).is_none_or(|credit_note| credit_note.invoice == invoice)
        }
    };
    row.open == 0
        && row.total > 0
        && row.credit_noted == row.total
        && row.allocations.iter().all(own)
}

/// What has to be said at once about an invoice whose due date or grace has passed already, since
/// the day that would have said it is over.
pub(in crate::commands) fn timing(
    ledger: LedgerNo,
    invoice: InvoiceNo,
    open: i64,
    due: DueTerms,
    due_emitted: bool,
    today: Day,
) -> Option<Event> {
    if today >= due.overdue_from() {
        return Some(InvoiceOverdue { ledger, invoice, date: today, open }.into());
    }
    let due = today >= due.date && !due_emitted;
    due.then(|| InvoiceDue { ledger, invoice, date: today, open }.into())
}
