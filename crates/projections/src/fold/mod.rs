//! The fold: from events to rows.
//!
//! Each event adds at most one row to the history of its ledger. What the row says counts in the
//! current rows from its date on: at once where the date is not after the ledger's today, else on
//! the day that the clock opens it. Everything an event refers to is looked up before anything is
//! changed, so that an event that does not fit leaves the model as it was.

mod create;
mod effect;
#[cfg(test)]
mod tests;

pub(crate) use create::read_details;
use encours_domain::{ClockNo, Day, Event, Position};

use crate::error::FoldError;
use crate::model::{Ledger, Model};
use crate::rows::{Change, ChangeKind, ClockRow, DayRow, LedgerRow, NONE, reversal_code};
use crate::tables::{Index, Tables};
use encours_domain::event::{ClockCreated, LedgerCreated};
use encours_domain::number::Source;

pub(crate) fn known<T>(row: Option<T>, what: &'static str, number: u32) -> Result<T, FoldError> {
    row.ok_or(FoldError::Unknown { what, number })
}

pub(crate) fn next(what: &'static str, wanted: u32, found: u32) -> Result<(), FoldError> {
    if wanted == found { Ok(()) } else { Err(FoldError::NotNext { what, wanted, found }) }
}

impl Model {
    /// Folds the event that stands at `position`.
    ///
    /// # Errors
    /// [`FoldError`] where the event does not fit; the model is then as before.
    pub(crate) fn fold(&mut self, position: Position, event: &Event) -> Result<(), FoldError> {
        match event {
            Event::LogCreated(_) | Event::WriterOpened(_) => {}
            Event::ClockCreated(e) => self.create_clock(position, e)?,
            Event::ClockAdvanced(e) => self.clock(e.clock)?.target = e.target,
            Event::DayOpened(e) => {
                let clock = self.clock(e.clock)?;
                clock.today = e.day;
                clock.target = clock.target.max(e.day);
                self.open_day(position, e.clock, e.day)?;
            }
            Event::DayFinished(e) => self.clock(e.clock)?.finished = e.day,
            Event::LedgerCreated(e) => self.create_ledger(position, e)?,
            _ => {
                let no = event.ledger().map_or(NONE, |no| no.0);
                let ledger = known(self.ledgers.get_mut(no as usize), "ledger", no)?;
                ledger.fold(position, event)?;
            }
        }
        self.seen.position = position;
        Ok(())
    }

    fn clock(&mut self, no: ClockNo) -> Result<&mut ClockRow, FoldError> {
        known(self.root.clocks.get_mut(no.0), "clock", no.0)
    }

    fn create_clock(&mut self, position: Position, e: &ClockCreated) -> Result<(), FoldError> {
        next("clock", self.root.clocks.len(), e.clock.0)?;
        let texts = [e.id.as_str().as_bytes(), e.zone.as_bytes()];
        let texts = self.root.heap.put(&texts).ok_or(FoldError::NoRoom)?;
        let (test, day) = (e.test, e.day);
        self.root.clocks.push(ClockRow { texts, test, today: day, finished: day, target: day });
        self.root.days.push(DayRow { position: position.0, clock: e.clock.0, day });
        Ok(())
    }

    fn open_day(&mut self, position: Position, clock: ClockNo, day: Day) -> Result<(), FoldError> {
        self.root.days.push(DayRow { position: position.0, clock: clock.0, day });
        for ledger in self.ledgers.iter_mut().filter(|ledger| ledger.clock == clock.0) {
            ledger.open_day(day)?;
        }
        Ok(())
    }

    fn create_ledger(&mut self, position: Position, e: &LedgerCreated) -> Result<(), FoldError> {
        next("ledger", self.root.ledgers.len(), e.ledger.0)?;
        let today = known(self.root.clocks.get(e.clock.0), "clock", e.clock.0)?.today;
        let texts = [e.id.as_str(), &e.name, &e.invoice_pattern, &e.credit_note_pattern];
        let texts = self.root.heap.put(&texts.map(str::as_bytes)).ok_or(FoldError::NoRoom)?;
        self.root.ledgers.push(LedgerRow {
            texts,
            currency: e.currency,
            clock: e.clock.0,
            terms: e.terms,
            created: position.0,
        });
        self.ledger_ids.insert(e.id.as_str().into(), e.ledger.0);
        let (tables, index) = (Tables::default(), Index::default());
        self.ledgers.push(Ledger { clock: e.clock.0, today, tables, index });
        Ok(())
    }
}

impl Ledger {
    fn fold(&mut self, position: Position, event: &Event) -> Result<(), FoldError> {
        let invoice =
            |no: encours_domain::InvoiceNo, kind, date, amount| (no.0, kind, date, amount, NONE);
        let (item, kind, date, amount, other) = match event {
            Event::CustomerCreated(e) => return self.create_customer(position, e),
            Event::CustomerUpdated(e) => return self.update_customer(position, e),
            Event::InvoiceIssued(e) => return self.issue_invoice(position, e),
            Event::PaymentRecorded(e) => return self.record_payment(position, e),
            Event::CreditNoteIssued(e) => return self.issue_credit_note(position, e),
            Event::PaymentReversed(e) => {
                let kind = ChangeKind::PaymentReversed;
                (e.payment.0, kind, e.date, e.amount, reversal_code(e.kind))
            }
            Event::InvoiceSent(e) => invoice(e.invoice, ChangeKind::InvoiceSent, e.date, 0),
            Event::InvoiceDisputed(e) => invoice(e.invoice, ChangeKind::InvoiceDisputed, e.date, 0),
            Event::DisputeResolved(e) => invoice(e.invoice, ChangeKind::DisputeResolved, e.date, 0),
            Event::InvoiceDue(e) => invoice(e.invoice, ChangeKind::InvoiceDue, e.date, e.open),
            Event::InvoiceOverdue(e) => {
                invoice(e.invoice, ChangeKind::InvoiceOverdue, e.date, e.open)
            }
            Event::InvoicePaid(e) => invoice(e.invoice, ChangeKind::InvoicePaid, e.date, 0),
            Event::InvoiceReopened(e) => {
                invoice(e.invoice, ChangeKind::InvoiceReopened, e.date, e.open)
            }
            Event::InvoiceCancelled(e) => {
                invoice(e.invoice, ChangeKind::InvoiceCancelled, e.date, 0)
            }
            Event::Allocated(e) => {
                let (kind, source) = match e.source {
                    Source::Payment(no) => (ChangeKind::PaymentAllocated, no.0),
                    Source::CreditNote(no) => (ChangeKind::CreditAllocated, no.0),
                };
                (e.invoice.0, kind, e.date, e.amount, source)
            }
            Event::Deallocated(e) => {
                let (kind, source) = match e.source {
                    Source::Payment(no) => (ChangeKind::PaymentDeallocated, no.0),
                    Source::CreditNote(no) => (ChangeKind::CreditDeallocated, no.0),
                };
                (e.invoice.0, kind, e.date, e.amount, source)
            }
            Event::LogCreated(_)
            | Event::WriterOpened(_)
            | Event::ClockCreated(_)
            | Event::ClockAdvanced(_)
            | Event::DayOpened(_)
            | Event::DayFinished(_)
            | Event::LedgerCreated(_) => return Ok(()),
        };
        self.record(Change { position: position.0, amount, item, other, date, kind })
    }
}
