//! From an event of the log to the public event that subscribers and readers get.

mod documents;
mod follow_up;

use std::sync::Arc;

use encours_domain::details::DetailKind;
use encours_domain::event::{Allocated, Deallocated};
use encours_domain::terms::DueTerms;
use encours_domain::{
    ClockNo, CreditNoteNo, Currency, CustomerNo, Day, Event, Id, InvoiceNo, LedgerNo, Micros,
    PaymentNo, Position, Source,
};

use crate::money::timestamp;
use crate::money::{date_message, method_message, money_message, reversal_message, terms_message};
use crate::v1::{self, public_event::Body};

/// Tells what a dense number of an event stands for, and what of it never changes.
pub trait Names {
    /// The id of a clock.
    fn clock(&self, clock: ClockNo) -> Option<Id>;
    /// The id of a ledger.
    fn ledger(&self, ledger: LedgerNo) -> Option<Id>;
    /// The id of a customer.
    fn customer(&self, ledger: LedgerNo, customer: CustomerNo) -> Option<Id>;
    /// An invoice.
    fn invoice(&self, ledger: LedgerNo, invoice: InvoiceNo) -> Option<InvoiceName>;
    /// A payment.
    fn payment(&self, ledger: LedgerNo, payment: PaymentNo) -> Option<SourceName>;
    /// A credit note.
    fn credit_note(&self, ledger: LedgerNo, credit_note: CreditNoteNo) -> Option<SourceName>;
}

/// What names an invoice: of an issued one it never changes. Of a draft and of an opening item it is
/// what is said of it now; events that say it themselves are told with what they say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvoiceName {
    /// Its id.
    pub id: Id,
    /// The number of the document.
    pub number: Arc<str>,
    /// The customer that owes it.
    pub customer_id: Id,
    /// The currency of its amounts.
    pub currency: Currency,
    /// What it claims, in minor units.
    pub total: i64,
    /// When it is due; `None` where it never is, or that is not known.
    pub due: Option<DueTerms>,
}

/// What of a payment or a credit note never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceName {
    /// Its id.
    pub id: Id,
    /// The customer.
    pub customer_id: Id,
    /// The currency of its amounts.
    pub currency: Currency,
}

/// What surrounds an event in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// The log, as 32 hexadecimal digits.
    pub log_id: &'a str,
    /// Its position.
    pub position: Position,
    /// When it was recorded.
    pub recorded_at: Micros,
    /// Who acted.
    pub actor: &'a str,
    /// Why.
    pub reason: &'a str,
    /// The request id of the command; may be empty.
    pub request_id: &'a str,
}

/// The names of all public events, sorted.
pub const EVENT_NAMES: &[&str] = &[
    "allocation.made",
    "allocation.undone",
    "clock.advanced",
    "clock.created",
    "credit_note.issued",
    "customer.created",
    "customer.credit_limit_set",
    "customer.reminded",
    "customer.updated",
    "day.finished",
    "day.opened",
    "draft.created",
    "draft.deleted",
    "draft.updated",
    "invoice.cancelled",
    "invoice.credit_limit_exceeded",
    "invoice.dispute_resolved",
    "invoice.disputed",
    "invoice.due",
    "invoice.issued",
    "invoice.overdue",
    "invoice.paid",
    "invoice.reopened",
    "invoice.sent",
    "ledger.created",
    "log.created",
    "log.forked",
    "log.writer_opened",
    "opening_item.added",
    "opening_item.corrected",
    "payment.recorded",
    "payment.refunded",
    "payment.reversed",
    "payment_plan.cancelled",
    "payment_plan.cleared",
    "payment_plan.lapsed",
    "payment_plan.made",
    "reminder.emitted",
    "reminder.recorded",
    "reminder.stopped",
];

/// The public name of an event: entity and what happened to it, such as `invoice.overdue`.
#[must_use]
pub const fn event_name(event: &Event) -> &'static str {
    match event {
        Event::LogCreated(_) => "log.created",
        Event::WriterOpened(_) => "log.writer_opened",
        Event::LogForked(_) => "log.forked",
        Event::ClockCreated(_) => "clock.created",
        Event::ClockAdvanced(_) => "clock.advanced",
        Event::DayOpened(_) => "day.opened",
        Event::DayFinished(_) => "day.finished",
        Event::LedgerCreated(_) => "ledger.created",
        Event::CustomerCreated(_) => "customer.created",
        Event::CustomerUpdated(_) => "customer.updated",
        Event::InvoiceIssued(_) => "invoice.issued",
        Event::InvoiceSent(_) => "invoice.sent",
        Event::InvoiceDisputed(_) => "invoice.disputed",
        Event::DisputeResolved(_) => "invoice.dispute_resolved",
        Event::InvoiceDue(_) => "invoice.due",
        Event::InvoiceOverdue(_) => "invoice.overdue",
        Event::InvoicePaid(_) => "invoice.paid",
        Event::InvoiceReopened(_) => "invoice.reopened",
        Event::InvoiceCancelled(_) => "invoice.cancelled",
        Event::PaymentRecorded(_) => "payment.recorded",
        Event::PaymentReversed(_) => "payment.reversed",
        Event::CreditNoteIssued(_) => "credit_note.issued",
        Event::Allocated(_) => "allocation.made",
        Event::Deallocated(_) => "allocation.undone",
        Event::CreditLimitSet(_) => "customer.credit_limit_set",
        Event::CustomerReminderRecorded(_) => "customer.reminded",
        Event::DraftCreated(_) => "draft.created",
        Event::DraftUpdated(_) => "draft.updated",
        Event::DraftDeleted(_) => "draft.deleted",
        Event::CreditLimitExceeded(_) => "invoice.credit_limit_exceeded",
        Event::OpeningItemAdded(_) => "opening_item.added",
        Event::OpeningItemCorrected(_) => "opening_item.corrected",
        Event::PaymentPlanned(_) => "payment_plan.made",
        Event::PlannedPaymentCancelled(_) => "payment_plan.cancelled",
        Event::PlannedPaymentCleared(_) => "payment_plan.cleared",
        Event::PlannedPaymentLapsed(_) => "payment_plan.lapsed",
        Event::ReminderEmitted(_) => "reminder.emitted",
        Event::ReminderRecorded(_) => "reminder.recorded",
        Event::RemindersStopped(_) => "reminder.stopped",
        Event::PaymentRefunded(_) => "payment.refunded",
    }
}

/// The entity of a public event's name: `invoice` of `invoice.overdue`.
#[must_use]
pub fn entity_of(name: &str) -> &str {
    name.split_once('.').map_or(name, |(entity, _)| entity)
}

/// The public event; `None` where `names` does not know yet what the event is about.
#[must_use]
pub fn public_event(
    envelope: Envelope<'_>,
    event: &Event,
    names: &impl Names,
) -> Option<v1::PublicEvent> {
    let (customer_id, body) = body(event, names)?;
    let name = event_name(event);
    Some(v1::PublicEvent {
        log_id: envelope.log_id.to_owned(),
        position: envelope.position.0,
        recorded_at: Some(timestamp(envelope.recorded_at)),
        actor: envelope.actor.to_owned(),
        reason: envelope.reason.to_owned(),
        request_id: envelope.request_id.to_owned(),
        ledger_id: match event.ledger() {
            Some(ledger) => names.ledger(ledger)?.to_string(),
            None => String::new(),
        },
        entity: entity_of(name).to_owned(),
        event: name.to_owned(),
        customer_id: customer_id.map_or_else(String::new, |id| id.to_string()),
        body: Some(body),
    })
}

type WithCustomer = Option<(Option<Id>, Body)>;

fn body(event: &Event, names: &impl Names) -> WithCustomer {
    match event {
        Event::LogCreated(_)
        | Event::WriterOpened(_)
        | Event::LogForked(_)
        | Event::ClockCreated(_)
        | Event::ClockAdvanced(_)
        | Event::DayOpened(_)
        | Event::DayFinished(_)
        | Event::LedgerCreated(_) => Some((None, surroundings(event, names)?)),
        Event::CustomerCreated(_)
        | Event::CustomerUpdated(_)
        | Event::PaymentRecorded(_)
        | Event::PaymentReversed(_)
        | Event::PaymentRefunded(_)
        | Event::CreditNoteIssued(_) => account(event, names),
        Event::CreditLimitSet(_) | Event::CustomerReminderRecorded(_) => {
            documents::customer(event, names)
        }
        Event::DraftCreated(_)
        | Event::DraftUpdated(_)
        | Event::DraftDeleted(_)
        | Event::OpeningItemAdded(_)
        | Event::OpeningItemCorrected(_) => documents::item(event, names),
        Event::CreditLimitExceeded(_)
        | Event::PaymentPlanned(_)
        | Event::PlannedPaymentCancelled(_)
        | Event::PlannedPaymentCleared(_)
        | Event::PlannedPaymentLapsed(_)
        | Event::ReminderEmitted(_)
        | Event::ReminderRecorded(_)
        | Event::RemindersStopped(_) => follow_up::invoice(event, names),
        Event::Allocated(e) => allocation_made(e, names),
        Event::Deallocated(e) => allocation_undone(e, names),
        Event::InvoiceIssued(_)
        | Event::InvoiceSent(_)
        | Event::InvoiceDisputed(_)
        | Event::DisputeResolved(_)
        | Event::InvoiceDue(_)
        | Event::InvoiceOverdue(_)
        | Event::InvoicePaid(_)
        | Event::InvoiceReopened(_)
        | Event::InvoiceCancelled(_) => invoice(event, names),
    }
}

/// Events of the log, of clocks and of ledgers.
fn surroundings(event: &Event, names: &impl Names) -> Option<Body> {
    let clock_id = |no| names.clock(no).map(|id| id.to_string());
    let date = |day: Day| Some(date_message(day));
    Some(match event {
        Event::LogCreated(_) => Body::LogCreated(v1::LogCreated {}),
        Event::WriterOpened(e) => Body::LogWriterOpened(v1::LogWriterOpened { epoch: e.epoch }),
        Event::LogForked(e) => Body::LogForked(v1::LogForked {
            forked_from: e.log_id.iter().map(|byte| format!("{byte:02x}")).collect(),
            frame_number: e.frame,
            frame_hash: e.frame_hash.to_vec(),
            position: e.position.0,
        }),
        Event::ClockCreated(e) => Body::ClockCreated(v1::ClockCreated {
            clock_id: e.id.to_string(),
            test: e.test,
            time_zone: e.zone.to_string(),
            day: date(e.day),
        }),
        Event::ClockAdvanced(e) => Body::ClockAdvanced(v1::ClockAdvanced {
            clock_id: clock_id(e.clock)?,
            target: date(e.target),
            outage: e.outage,
        }),
        Event::DayOpened(e) => Body::DayOpened(v1::DayOpened {
            clock_id: clock_id(e.clock)?,
            day: date(e.day),
            on_time: e.on_time,
        }),
        Event::DayFinished(e) => {
            Body::DayFinished(v1::DayFinished { clock_id: clock_id(e.clock)?, day: date(e.day) })
        }
        Event::LedgerCreated(e) => Body::LedgerCreated(v1::LedgerCreated {
            name: e.name.to_string(),
            currency_code: e.currency.to_string(),
            clock_id: clock_id(e.clock)?,
            terms: Some(terms_message(e.terms)),
            invoice_number_pattern: e.invoice_pattern.to_string(),
            credit_note_number_pattern: e.credit_note_pattern.to_string(),
            calendar_id: e.calendar.id().to_owned(),
            reminder_policy_id: e.reminders.id().to_owned(),
        }),
        _ => return None,
    })
}

/// Events of customers, payments and credit notes.
fn account(event: &Event, names: &impl Names) -> WithCustomer {
    let code = |currency: Option<Currency>| currency.map_or_else(String::new, |c| c.to_string());
    Some(match event {
        Event::CustomerCreated(e) => {
            let body = v1::CustomerCreated {
                customer_id: e.id.to_string(),
                currency_code: code(e.currency),
                terms: e.terms.map(terms_message),
            };
            (Some(e.id.clone()), Body::CustomerCreated(body))
        }
        Event::CustomerUpdated(e) => {
            let customer = names.customer(e.ledger, e.customer)?;
            let body = v1::CustomerUpdated {
                customer_id: customer.to_string(),
                currency_code: code(e.currency),
                terms: e.terms.map(terms_message),
                changed_details: e.details.iter().map(|(kind, _)| detail_name(*kind)).collect(),
            };
            (Some(customer), Body::CustomerUpdated(body))
        }
        Event::PaymentRecorded(e) => {
            let body = v1::PaymentRecorded {
                payment_id: e.id.to_string(),
                amount: Some(money_message(e.amount, e.currency)),
                method: method_message(e.method).into(),
                received_on: Some(date_message(e.received_on)),
                reference: e.reference.to_string(),
            };
            (Some(names.customer(e.ledger, e.customer)?), Body::PaymentRecorded(body))
        }
        Event::PaymentReversed(e) => {
            let payment = names.payment(e.ledger, e.payment)?;
            let body = v1::PaymentReversed {
                payment_id: payment.id.to_string(),
                amount: Some(money_message(e.amount, payment.currency)),
                kind: reversal_message(e.kind).into(),
                date: Some(date_message(e.date)),
            };
            (Some(payment.customer_id), Body::PaymentReversed(body))
        }
        Event::PaymentRefunded(e) => {
            let payment = names.payment(e.ledger, e.payment)?;
            let body = v1::PaymentRefunded {
                payment_id: payment.id.to_string(),
                amount: Some(money_message(e.amount, payment.currency)),
                method: method_message(e.method).into(),
                date: Some(date_message(e.date)),
                reference: e.reference.to_string(),
                unapplied_after: Some(money_message(e.unapplied_after, payment.currency)),
            };
            (Some(payment.customer_id), Body::PaymentRefunded(body))
        }
        Event::CreditNoteIssued(e) => {
            let invoice = names.invoice(e.ledger, e.invoice)?;
            let body = v1::CreditNoteIssued {
                credit_note_id: e.id.to_string(),
                number: e.number.to_string(),
                invoice_id: invoice.id.to_string(),
                invoice_number: invoice.number.to_string(),
                amount: Some(money_message(e.amount, e.currency)),
                issue_date: Some(date_message(e.issue_date)),
                reason: e.reason.to_string(),
            };
            (Some(invoice.customer_id), Body::CreditNoteIssued(body))
        }
        _ => return None,
    })
}

fn detail_name(kind: DetailKind) -> String {
    match kind {
        DetailKind::Name => "name",
        DetailKind::Address => "address",
        DetailKind::Contacts => "contacts",
        DetailKind::Note => "note",
    }
    .to_owned()
}

/// Events of invoices.
fn invoice(event: &Event, names: &impl Names) -> WithCustomer {
    let date = |day: Day| Some(date_message(day));
    let (ledger, no) = invoice_of(event)?;
    let name = names.invoice(ledger, no)?;
    let money = |minor| Some(money_message(minor, name.currency));
    let (invoice_id, number) = (name.id.to_string(), name.number.to_string());
    let (due_date, total) = (name.due.and_then(|due| date(due.date)), money(name.total));
    let body = match event {
        Event::InvoiceIssued(e) => Body::InvoiceIssued(v1::InvoiceIssued {
            invoice_id,
            number: e.number.to_string(),
            total: Some(money_message(e.total, e.currency)),
            issue_date: date(e.issue_date),
            due_date: date(e.due.date),
            grace_days: i32::from(e.due.grace_days),
            reference: e.reference.to_string(),
        }),
        Event::InvoiceSent(e) => {
            let date = date(e.date);
            Body::InvoiceSent(v1::InvoiceSent { invoice_id, number, date, due_date, total })
        }
        Event::InvoiceDisputed(e) => {
            let (date, reason) = (date(e.date), e.reason.to_string());
            Body::InvoiceDisputed(v1::InvoiceDisputed { invoice_id, number, date, reason })
        }
        Event::DisputeResolved(e) => {
            let date = date(e.date);
            Body::InvoiceDisputeResolved(v1::InvoiceDisputeResolved { invoice_id, number, date })
        }
        Event::InvoiceDue(e) => {
            let (date, open) = (date(e.date), money(e.open));
            Body::InvoiceDue(v1::InvoiceDue { invoice_id, number, date, due_date, open })
        }
        Event::InvoiceOverdue(e) => {
            let (date, open) = (date(e.date), money(e.open));
            Body::InvoiceOverdue(v1::InvoiceOverdue { invoice_id, number, date, due_date, open })
        }
        Event::InvoicePaid(e) => {
            let date = date(e.date);
            Body::InvoicePaid(v1::InvoicePaid { invoice_id, number, date, due_date, total })
        }
        Event::InvoiceReopened(e) => {
            let (date, open) = (date(e.date), money(e.open));
            Body::InvoiceReopened(v1::InvoiceReopened { invoice_id, number, date, due_date, open })
        }
        Event::InvoiceCancelled(e) => {
            let date = date(e.date);
            Body::InvoiceCancelled(v1::InvoiceCancelled { invoice_id, number, date, total })
        }
        _ => return None,
    };
    Some((Some(name.customer_id), body))
}

/// The invoice that an event is about, where it is about one.
#[must_use]
pub const fn invoice_of(event: &Event) -> Option<(LedgerNo, InvoiceNo)> {
    Some(match event {
        Event::InvoiceIssued(e) => (e.ledger, e.invoice),
        Event::InvoiceSent(e) => (e.ledger, e.invoice),
        Event::InvoiceDisputed(e) => (e.ledger, e.invoice),
        Event::DisputeResolved(e) => (e.ledger, e.invoice),
        Event::InvoiceDue(e) => (e.ledger, e.invoice),
        Event::InvoiceOverdue(e) => (e.ledger, e.invoice),
        Event::InvoicePaid(e) => (e.ledger, e.invoice),
        Event::InvoiceReopened(e) => (e.ledger, e.invoice),
        Event::InvoiceCancelled(e) => (e.ledger, e.invoice),
        Event::CreditNoteIssued(e) => (e.ledger, e.invoice),
        Event::Allocated(e) => (e.ledger, e.invoice),
        Event::Deallocated(e) => (e.ledger, e.invoice),
        Event::DraftCreated(e) => (e.ledger, e.invoice),
        Event::DraftUpdated(e) => (e.ledger, e.invoice),
        Event::DraftDeleted(e) => (e.ledger, e.invoice),
        Event::CreditLimitExceeded(e) => (e.ledger, e.invoice),
        Event::OpeningItemAdded(e) => (e.ledger, e.invoice),
        Event::OpeningItemCorrected(e) => (e.ledger, e.invoice),
        Event::PaymentPlanned(e) => (e.ledger, e.invoice),
        Event::PlannedPaymentCancelled(e) => (e.ledger, e.invoice),
        Event::PlannedPaymentCleared(e) => (e.ledger, e.invoice),
        Event::PlannedPaymentLapsed(e) => (e.ledger, e.invoice),
        Event::ReminderEmitted(e) => (e.ledger, e.invoice),
        Event::ReminderRecorded(e) => (e.ledger, e.invoice),
        Event::RemindersStopped(e) => (e.ledger, e.invoice),
        _ => return None,
    })
}

/// The id of what an allocation takes its money from.
fn source_id(ledger: LedgerNo, source: Source, names: &impl Names) -> Option<String> {
    let id = match source {
        Source::Payment(no) => names.payment(ledger, no)?.id,
        Source::CreditNote(no) => names.credit_note(ledger, no)?.id,
        Source::Opening(no) => names.invoice(ledger, no)?.id,
    };
    Some(id.to_string())
}

fn allocation_made(event: &Allocated, names: &impl Names) -> WithCustomer {
    use v1::allocation_made::Source as S;
    let invoice = names.invoice(event.ledger, event.invoice)?;
    let source = source_id(event.ledger, event.source, names)?;
    let money = |minor| Some(money_message(minor, invoice.currency));
    let body = v1::AllocationMade {
        invoice_id: invoice.id.to_string(),
        number: invoice.number.to_string(),
        source: Some(match event.source {
            Source::Payment(_) => S::PaymentId(source),
            Source::CreditNote(_) => S::CreditNoteId(source),
            Source::Opening(_) => S::OpeningItemId(source),
        }),
        amount: money(event.amount),
        date: Some(date_message(event.date)),
        open_after: money(event.open_after),
        unapplied_after: money(event.unapplied_after),
        due_date: invoice.due.map(|due| date_message(due.date)),
    };
    Some((Some(invoice.customer_id.clone()), Body::AllocationMade(body)))
}

fn allocation_undone(event: &Deallocated, names: &impl Names) -> WithCustomer {
    use v1::allocation_undone::Source as S;
    let invoice = names.invoice(event.ledger, event.invoice)?;
    let source = source_id(event.ledger, event.source, names)?;
    let money = |minor| Some(money_message(minor, invoice.currency));
    let body = v1::AllocationUndone {
        invoice_id: invoice.id.to_string(),
        number: invoice.number.to_string(),
        source: Some(match event.source {
            Source::Payment(_) => S::PaymentId(source),
            Source::CreditNote(_) => S::CreditNoteId(source),
            Source::Opening(_) => S::OpeningItemId(source),
        }),
        amount: money(event.amount),
        date: Some(date_message(event.date)),
        open_after: money(event.open_after),
        unapplied_after: money(event.unapplied_after),
        due_date: invoice.due.map(|due| date_message(due.date)),
    };
    Some((Some(invoice.customer_id.clone()), Body::AllocationUndone(body)))
}
