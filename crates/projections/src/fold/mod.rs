//! The fold: from events to rows.
//!
//! Each event adds at most one row to the history of its ledger. What the row says counts in the
//! current rows from its date on: at once where the date is not after the ledger's today, else on
//! the day that the clock opens it. Everything an event refers to is looked up before anything is
//! changed, so that an event that does not fit leaves the model as it was.

mod allocations;
mod create;
mod customers;
mod effect;
mod items;
#[cfg(test)]
mod tests;

pub(crate) use customers::read_details;
use encours_domain::{ClockNo, Day, Event, Position};

use crate::error::FoldError;
use crate::index::Index;
use crate::model::{Ledger, Model};
use crate::rows::{
    Change, ChangeKind, ClockRow, DayRow, InvoiceFlags, LedgerRow, NONE, Plans, ReminderRow,
    reversal_code,
};
use crate::tables::Tables;
use encours_domain::event::{Allocated, ClockCreated, Deallocated, LedgerCreated};
use encours_domain::number::{InvoiceNo, Source};

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
            Event::LogCreated(_) | Event::WriterOpened(_) | Event::LogForked(_) => {}
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
        let plans = Plans { policy: e.reminders, calendar: e.calendar };
        self.root.ledgers.push(LedgerRow {
            texts,
            currency: e.currency,
            clock: e.clock.0,
            terms: e.terms,
            plans,
            created: position.0,
        });
        self.ledger_ids.insert(e.id.as_str().into(), e.ledger.0);
        let (tables, index) = (Tables::default(), Index::default());
        self.ledgers.push(Ledger { clock: e.clock.0, today, plans, tables, index });
        Ok(())
    }
}

impl Ledger {
    fn fold(&mut self, position: Position, event: &Event) -> Result<(), FoldError> {
        match event {
            Event::CustomerCreated(e) => self.create_customer(position, e),
            Event::CustomerUpdated(e) => self.update_customer(position, e),
            Event::CreditLimitSet(e) => self.set_limit(position, e),
            Event::CustomerReminderRecorded(e) => self.remind_customer(position, e),
            Event::DraftCreated(e) => self.create_draft(position, e),
            Event::DraftUpdated(e) => self.update_draft(position, e),
            Event::DraftDeleted(e) => self.delete_draft(position, e),
            Event::InvoiceIssued(e) => self.issue_invoice(position, e),
            Event::OpeningItemAdded(e) => self.add_opening_item(position, e),
            Event::OpeningItemCorrected(e) => self.correct_opening_item(position, e),
            Event::PaymentRecorded(e) => self.record_payment(position, e),
            Event::CreditNoteIssued(e) => self.issue_credit_note(position, e),
            Event::Allocated(e) => self.fold_allocated(position, e),
            Event::Deallocated(e) => self.fold_deallocated(position, e),
            Event::ReminderEmitted(e) => {
                let (step, level, channel, planned) = (Some(e.step), e.level, e.channel, e.planned);
                let reminder = ReminderRow { step, level, channel, planned };
                self.remind(position, e.invoice, reminder, e.date, e.open)
            }
            Event::ReminderRecorded(e) => {
                let (level, channel, planned) = (e.level, e.channel, e.date);
                let reminder = ReminderRow { step: None, level, channel, planned };
                self.remind(position, e.invoice, reminder, e.date, 0)
            }
            _ => match self.plain(event) {
                Some(change) => {
                    self.record(Change { position: position.0, ..change })?;
                    self.at_once(&change)
                }
                None => Ok(()),
            },
        }
    }

    /// The row of the history that an event makes which does nothing besides; its position is left
    /// out.
    fn plain(&self, event: &Event) -> Option<Change> {
        let about = |item: u32, kind, date, amount, other| {
            Some(Change { position: 0, amount, item, other, date, kind })
        };
        let invoice = |no: InvoiceNo, kind, date, amount| about(no.0, kind, date, amount, NONE);
        match event {
            Event::PaymentReversed(e) => {
                let kind = ChangeKind::PaymentReversed;
                about(e.payment.0, kind, e.date, e.amount, reversal_code(e.kind))
            }
            Event::PaymentRefunded(e) => {
                about(e.payment.0, ChangeKind::PaymentRefunded, e.date, e.amount, NONE)
            }
            Event::PaymentPlanned(e) => {
                let day = e.planned_for.number().cast_unsigned();
                about(e.invoice.0, ChangeKind::PaymentPlanned, e.date, e.amount, day)
            }
            Event::PlannedPaymentCancelled(e) => {
                invoice(e.invoice, ChangeKind::PlanCancelled, e.date, 0)
            }
            Event::PlannedPaymentCleared(e) => {
                invoice(e.invoice, ChangeKind::PlanCleared, e.date, 0)
            }
            Event::PlannedPaymentLapsed(e) => invoice(e.invoice, ChangeKind::PlanLapsed, e.date, 0),
            Event::CreditLimitExceeded(e) => {
                let above = e.exposure.saturating_sub(e.limit);
                invoice(e.invoice, ChangeKind::LimitExceeded, self.today, above)
            }
            Event::RemindersStopped(e) => {
                invoice(e.invoice, ChangeKind::RemindersStopped, e.date, 0)
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
            // The others are folded by functions of their own, or belong to no ledger.
            _ => None,
        }
    }

    fn fold_allocated(&mut self, position: Position, e: &Allocated) -> Result<(), FoldError> {
        let (kind, other) = match e.source {
            Source::Payment(no) => (ChangeKind::PaymentAllocated, no.0),
            Source::CreditNote(no) => (ChangeKind::CreditAllocated, no.0),
            Source::Opening(no) => (ChangeKind::OpeningAllocated, no.0),
        };
        let (item, position) = (e.invoice.0, position.0);
        let change = Change { position, amount: e.amount, item, other, date: e.date, kind };
        self.record(change)?;
        self.pay_planned(item, e.source, e.amount)
    }

    fn fold_deallocated(&mut self, position: Position, e: &Deallocated) -> Result<(), FoldError> {
        let (kind, other) = match e.source {
            Source::Payment(no) => (ChangeKind::PaymentDeallocated, no.0),
            Source::CreditNote(no) => (ChangeKind::CreditDeallocated, no.0),
            Source::Opening(no) => (ChangeKind::OpeningDeallocated, no.0),
        };
        let (item, position) = (e.invoice.0, position.0);
        let change = Change { position, amount: e.amount, item, other, date: e.date, kind };
        self.record(change)?;
        self.pay_planned(item, e.source, -e.amount)
    }

    /// What a fact changes whatever its date, as it does for the writer: a plan of payment is
    /// cleared, and a plan of reminders held, by what is known.
    fn at_once(&mut self, change: &Change) -> Result<(), FoldError> {
        match change.kind {
            ChangeKind::PlanCleared => {
                self.change_invoice(change.item, |row| row.planned = None)?;
            }
            ChangeKind::InvoiceDisputed => {
                self.change_invoice(change.item, |row| row.flags.set(InvoiceFlags::HELD, true))?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Part of what was planned came (or went, where negative).
    ///
    /// WHY whatever the date: see [`at_once`](Self::at_once).
    fn pay_planned(&mut self, no: u32, source: Source, amount: i64) -> Result<(), FoldError> {
        let row = known(self.tables.invoices.get(no), "invoice", no)?;
        if row.planned.is_none() || !matches!(source, Source::Payment(_)) {
            return Ok(());
        }
        self.change_invoice(no, |row| {
            if let Some(planned) = &mut row.planned {
                planned.remaining = (planned.remaining - amount).clamp(0, planned.amount);
            }
        })?;
        Ok(())
    }

    fn remind(
        &mut self,
        position: Position,
        no: InvoiceNo,
        reminder: ReminderRow,
        date: Day,
        open: i64,
    ) -> Result<(), FoldError> {
        let emitted = reminder.step.is_some();
        let kind = if emitted { ChangeKind::ReminderEmitted } else { ChangeKind::ReminderRecorded };
        known(self.tables.invoices.get(no.0), "invoice", no.0)?;
        let other = self.tables.reminders.push(reminder);
        let (position, amount, item) = (position.0, open, no.0);
        self.record(Change { position, amount, item, other, date, kind })
    }
}
