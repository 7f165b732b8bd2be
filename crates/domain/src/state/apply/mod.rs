//! Applying events to rows. Every step asserts, in release too, that the event fits the rows and
//! that the books balance after it: going on would write wrong figures.

mod customers;
mod invoices;
mod money;
mod openings;

use crate::balance::Balance;
use crate::commands::Digest;
use crate::currency::Currency;
use crate::event::{Event, LedgerCreated};
use crate::limits::MAX_VOLUME;
use crate::number::{CustomerNo, InvoiceNo, LedgerNo};
use crate::position::{Day, Position};
use crate::state::rows::{Clock, Dispute, Invoice, Ledger, Rows, Series};

/// Where an event stands: its position and the digest of its command.
#[derive(Clone, Copy)]
struct At {
    position: Position,
    digest: Digest,
}

#[expect(clippy::panic, reason = "INVARIANT: an event that does not fit must stop the writer")]
fn must<T>(found: Option<T>, what: &str, at: At) -> T {
    match found {
        Some(found) => found,
        None => panic!("the event at position {} names an unknown {what}", at.position),
    }
}

impl Rows {
    /// Applies an event.
    ///
    /// # Panics
    /// As [`crate::State::apply`].
    pub fn apply(&mut self, position: Position, digest: Digest, event: &Event) {
        let at = At { position, digest };
        match event {
            Event::LogCreated(_) | Event::WriterOpened(_) | Event::LogForked(_) => {}
            Event::ClockCreated(e) => {
                let no = self.clocks.push(Clock {
                    id: e.id.clone(),
                    test: e.test,
                    zone: e.zone.clone(),
                    today: e.day,
                    finished: e.day,
                    target: e.day,
                    outage: false,
                    late_until: None,
                    created: position,
                    version: position,
                });
                assert_eq!(no, e.clock.0, "clock numbers are dense");
            }
            Event::ClockAdvanced(e) => {
                let clock = self.clock(e.clock.0, at);
                clock.target = e.target;
                clock.outage = e.outage;
            }
            Event::DayOpened(e) => {
                let clock = self.clock(e.clock.0, at);
                assert_eq!(e.day.since(clock.today), 1, "days open one after the other");
                clock.today = e.day;
                clock.target = clock.target.max(e.day);
                clock.late_until = if e.on_time { clock.late_until } else { Some(e.day) };
            }
            Event::DayFinished(e) => {
                let clock = self.clock(e.clock.0, at);
                assert_eq!(e.day.since(clock.finished), 1, "days finish one after the other");
                clock.finished = e.day;
            }
            Event::LedgerCreated(e) => self.create_ledger(e, at),
            Event::OpeningItemCorrected(e) => {
                let (ledger, from) = self.ledger_from(e.ledger, at);
                ledger.correct_opening_item(e, from, at);
            }
            Event::InvoiceReopened(e) => {
                let (ledger, from) = self.ledger_from(e.ledger, at);
                ledger.reopen(e.invoice, from, at);
            }
            Event::Deallocated(e) => {
                let (ledger, from) = self.ledger_from(e.ledger, at);
                ledger.deallocate(e, from, at);
            }
            _ => {
                let ledger = event.ledger().and_then(|no| self.ledgers.get_mut(no.0));
                must(ledger, "ledger", at).apply(event, at);
            }
        }
    }

    /// A ledger, and the first day that can still tell what is due of its invoices.
    fn ledger_from(&mut self, no: LedgerNo, at: At) -> (&mut Ledger, Day) {
        let ledger = must(self.ledgers.get_mut(no.0), "ledger", at);
        let clock = must(self.clocks.get(ledger.clock.0), "clock", at);
        (ledger, clock.first_unfinished())
    }

    fn clock(&mut self, no: u32, at: At) -> &mut Clock {
        let clock = must(self.clocks.get_mut(no), "clock", at);
        clock.version = at.position;
        clock
    }

    fn create_ledger(&mut self, e: &LedgerCreated, at: At) {
        let no = self.ledgers.push(Ledger {
            no: e.ledger,
            id: e.id.clone(),
            name: e.name.clone(),
            currency: e.currency,
            clock: e.clock,
            terms: e.terms,
            invoice_series: Series::new(e.invoice_pattern.clone()),
            credit_note_series: Series::new(e.credit_note_pattern.clone()),
            calendar: e.calendar,
            reminders: e.reminders,
            volume: Vec::new(),
            customers: crate::table::Table::default(),
            invoices: crate::table::Table::default(),
            payments: crate::table::Table::default(),
            credit_notes: crate::table::Table::default(),
            created: at.position,
            version: at.position,
            digest: at.digest,
        });
        assert_eq!(LedgerNo(no), e.ledger, "ledger numbers are dense");
    }
}

impl Ledger {
    fn apply(&mut self, event: &Event, at: At) {
        match event {
            Event::CustomerCreated(e) => self.create_customer(e, at),
            Event::CustomerUpdated(e) => self.update_customer(e, at),
            Event::CreditLimitSet(e) => self.set_credit_limit(e, at),
            Event::CustomerReminderRecorded(e) => self.remind_customer(e, at),
            Event::DraftCreated(e) => self.create_draft(e, at),
            Event::DraftUpdated(e) => self.update_draft(e, at),
            Event::DraftDeleted(e) => self.delete_draft(e.invoice, at),
            Event::InvoiceIssued(e) => self.issue_invoice(e, at),
            Event::CreditLimitExceeded(e) => self.pass_limit(e, at),
            Event::OpeningItemAdded(e) => self.add_opening_item(e, at),
            Event::PaymentPlanned(e) => self.plan_payment(e, at),
            Event::PlannedPaymentCancelled(e) => self.invoice(e.invoice, at).planned = None,
            Event::PlannedPaymentCleared(e) => self.invoice(e.invoice, at).planned = None,
            Event::PlannedPaymentLapsed(e) => self.invoice(e.invoice, at).planned = None,
            Event::ReminderEmitted(e) => self.emit_reminder(e, at),
            Event::ReminderRecorded(e) => {
                let invoice = self.invoice(e.invoice, at);
                invoice.reminder_level = invoice.reminder_level.max(e.level);
            }
            Event::RemindersStopped(e) => self.invoice(e.invoice, at).reminders_stopped = true,
            Event::InvoiceSent(e) => {
                let invoice = self.invoice(e.invoice, at);
                invoice.sent_on = invoice.sent_on.or(Some(e.date));
            }
            Event::InvoiceDisputed(e) => {
                self.invoice(e.invoice, at).dispute = Some(Dispute { since: e.date });
            }
            Event::DisputeResolved(e) => {
                let invoice = self.invoice(e.invoice, at);
                invoice.dispute = None;
                invoice.resolved_on = Some(e.date);
            }
            Event::InvoiceDue(e) => self.invoice(e.invoice, at).due_emitted = true,
            Event::InvoiceOverdue(e) => self.overdue(e.invoice, at),
            Event::InvoicePaid(e) => self.settled(e.invoice, false, at),
            Event::InvoiceCancelled(e) => self.settled(e.invoice, true, at),
            Event::PaymentRecorded(e) => self.record_payment(e, at),
            Event::PaymentReversed(e) => self.reverse_payment(e, at),
            Event::PaymentRefunded(e) => self.refund_payment(e, at),
            Event::CreditNoteIssued(e) => self.issue_credit_note(e, at),
            Event::Allocated(e) => self.allocate(e, at),
            Event::LogCreated(_)
            | Event::WriterOpened(_)
            | Event::LogForked(_)
            | Event::ClockCreated(_)
            | Event::ClockAdvanced(_)
            | Event::DayOpened(_)
            | Event::DayFinished(_)
            | Event::LedgerCreated(_)
            | Event::InvoiceReopened(_)
            | Event::Deallocated(_)
            | Event::OpeningItemCorrected(_) => {}
        }
    }

    fn invoice(&mut self, no: InvoiceNo, at: At) -> &mut Invoice {
        let invoice = must(self.invoices.get_mut(no.0), "invoice", at);
        invoice.version = at.position;
        invoice
    }

    /// Changes a customer's balance and checks the identity it must keep.
    fn balance(
        &mut self,
        customer: CustomerNo,
        currency: Currency,
        at: At,
        change: impl FnOnce(&mut Balance),
    ) {
        let balances = &mut must(self.customers.get_mut(customer.0), "customer", at).balances;
        let index = match balances.binary_search_by_key(&currency, |balance| balance.currency) {
            Ok(index) => index,
            Err(index) => {
                balances.insert(index, Balance::zero(currency));
                index
            }
        };
        let balance = &mut balances[index];
        change(balance);
        assert!(balance.balances(), "books balance at {}: {balance:?}", at.position);
    }

    /// Adds a document's amount to the volume of its currency.
    fn add_volume(&mut self, currency: Currency, amount: i64) {
        match self.volume.iter_mut().find(|(known, _)| *known == currency) {
            Some((_, volume)) => *volume += amount,
            None => self.volume.push((currency, amount)),
        }
        assert!(self.volume_in(currency) <= MAX_VOLUME, "the volume of a ledger is limited");
    }
}
