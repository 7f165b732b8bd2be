//! Events as lines for people: when, what, how much, by whom.

use chrono::DateTime;
use encours_proto::v1;
use encours_proto::v1::public_event::Body;

use crate::failure::Outcome;
use crate::output::{self, Cell, Column};

pub(crate) const COLUMNS: [Column; 7] = [
    Column::right("position"),
    Column::left("date"),
    Column::left("event"),
    Column::right("amount"),
    Column::left("detail"),
    Column::left("actor"),
    Column::left("recorded_at"),
];

/// An event as a row.
pub(crate) fn row(event: &v1::PublicEvent) -> Outcome<Vec<Cell>> {
    let (date, amount, detail) = event.body.as_ref().map_or((None, None, Cell::Empty), told);
    let detail = match detail {
        detail if event.reason.is_empty() => detail,
        Cell::Empty => Cell::text(&event.reason),
        detail => Cell::phrase("{}: {}", [detail, Cell::text(&event.reason)]),
    };
    let recorded = event.recorded_at.as_ref().and_then(|at| {
        DateTime::from_timestamp(at.seconds, u32::try_from(at.nanos).unwrap_or_default())
    });
    Ok(vec![
        Cell::Count(event.position),
        output::date(date),
        Cell::word(&event.event),
        output::money(amount.as_ref())?,
        detail,
        Cell::text(&event.actor),
        recorded.map_or(Cell::Empty, |at| Cell::text(at.format("%Y-%m-%dT%H:%M:%SZ").to_string())),
    ])
}

/// What an event is about: the id of the document, payment, customer or clock.
pub(crate) fn subject(event: &v1::PublicEvent) -> String {
    match event.body.clone() {
        Some(
            Body::ClockCreated(v1::ClockCreated { clock_id: id, .. })
            | Body::ClockAdvanced(v1::ClockAdvanced { clock_id: id, .. })
            | Body::DayOpened(v1::DayOpened { clock_id: id, .. })
            | Body::DayFinished(v1::DayFinished { clock_id: id, .. })
            | Body::CustomerCreated(v1::CustomerCreated { customer_id: id, .. })
            | Body::CustomerUpdated(v1::CustomerUpdated { customer_id: id, .. })
            | Body::CustomerCreditLimitSet(v1::CustomerCreditLimitSet { customer_id: id, .. })
            | Body::CustomerReminded(v1::CustomerReminded { customer_id: id, .. })
            | Body::DraftCreated(v1::DraftCreated { invoice_id: id, .. })
            | Body::DraftUpdated(v1::DraftUpdated { invoice_id: id, .. })
            | Body::DraftDeleted(v1::DraftDeleted { invoice_id: id, .. })
            | Body::InvoiceCreditLimitExceeded(v1::InvoiceCreditLimitExceeded {
                invoice_id: id, ..
            })
            | Body::OpeningItemAdded(v1::OpeningItemAdded { invoice_id: id, .. })
            | Body::OpeningItemCorrected(v1::OpeningItemCorrected { invoice_id: id, .. })
            | Body::PaymentPlanMade(v1::PaymentPlanMade { invoice_id: id, .. })
            | Body::PaymentPlanCancelled(v1::PaymentPlanCancelled { invoice_id: id, .. })
            | Body::PaymentPlanCleared(v1::PaymentPlanCleared { invoice_id: id, .. })
            | Body::PaymentPlanLapsed(v1::PaymentPlanLapsed { invoice_id: id, .. })
            | Body::ReminderEmitted(v1::ReminderEmitted { invoice_id: id, .. })
            | Body::ReminderRecorded(v1::ReminderRecorded { invoice_id: id, .. })
            | Body::ReminderStopped(v1::ReminderStopped { invoice_id: id, .. })
            | Body::PaymentRefunded(v1::PaymentRefunded { payment_id: id, .. })
            | Body::InvoiceIssued(v1::InvoiceIssued { invoice_id: id, .. })
            | Body::InvoiceSent(v1::InvoiceSent { invoice_id: id, .. })
            | Body::InvoiceDisputed(v1::InvoiceDisputed { invoice_id: id, .. })
            | Body::InvoiceDisputeResolved(v1::InvoiceDisputeResolved { invoice_id: id, .. })
            | Body::InvoiceDue(v1::InvoiceDue { invoice_id: id, .. })
            | Body::InvoiceOverdue(v1::InvoiceOverdue { invoice_id: id, .. })
            | Body::InvoicePaid(v1::InvoicePaid { invoice_id: id, .. })
            | Body::InvoiceReopened(v1::InvoiceReopened { invoice_id: id, .. })
            | Body::InvoiceCancelled(v1::InvoiceCancelled { invoice_id: id, .. })
            | Body::PaymentRecorded(v1::PaymentRecorded { payment_id: id, .. })
            | Body::PaymentReversed(v1::PaymentReversed { payment_id: id, .. })
            | Body::CreditNoteIssued(v1::CreditNoteIssued { credit_note_id: id, .. })
            | Body::AllocationMade(v1::AllocationMade { invoice_id: id, .. })
            | Body::AllocationUndone(v1::AllocationUndone { invoice_id: id, .. }),
        ) => id,
        Some(Body::LedgerCreated(_)) => event.ledger_id.clone(),
        _ => String::new(),
    }
}

/// The business date, the amount and what else there is to say.
fn told(body: &Body) -> (Option<v1::Date>, Option<v1::Money>, Cell) {
    let due = |date: Option<v1::Date>| {
        date.map_or(Cell::Empty, |date| Cell::phrase("due {}", [Cell::Date(date)]))
    };
    let way = |id: String, word: String| {
        Cell::phrase("{} {}", [Cell::Text(id), Cell::word(word.to_lowercase())])
    };
    match body.clone() {
        Body::ClockCreated(e) => {
            let place = [Cell::Text(e.clock_id), Cell::Text(e.time_zone)];
            (e.day, None, Cell::phrase("{} in {}", place))
        }
        Body::ClockAdvanced(e) => (e.target, None, Cell::Empty),
        Body::DayOpened(e) => (e.day, None, Cell::Empty),
        Body::DayFinished(e) => (e.day, None, Cell::Empty),
        Body::LedgerCreated(e) => (None, None, Cell::Text(e.currency_code)),
        Body::CustomerUpdated(e) => (None, None, list(e.changed_details)),
        Body::InvoiceIssued(e) => (e.issue_date, e.total, due(e.due_date)),
        Body::InvoiceSent(e) => (e.date, None, Cell::Empty),
        Body::InvoiceDisputed(e) => (e.date, None, Cell::Empty),
        Body::InvoiceDisputeResolved(e) => (e.date, None, Cell::Empty),
        Body::InvoiceDue(e) => (e.date, e.open, due(e.due_date)),
        Body::InvoiceOverdue(e) => (e.date, e.open, due(e.due_date)),
        Body::InvoicePaid(e) => (e.date, e.total, Cell::Empty),
        Body::InvoiceReopened(e) => (e.date, e.open, due(e.due_date)),
        Body::InvoiceCancelled(e) => (e.date, e.total, Cell::Empty),
        Body::PaymentRecorded(e) => {
            let method = output::word(e.method().as_str_name(), "PAYMENT_METHOD_");
            (e.received_on, e.amount, way(e.payment_id, method))
        }
        Body::PaymentReversed(e) => {
            let kind = output::word(e.kind().as_str_name(), "REVERSAL_KIND_");
            (e.date, e.amount, way(e.payment_id, kind))
        }
        Body::CreditNoteIssued(e) => (e.issue_date, e.amount, Cell::Text(e.number)),
        Body::AllocationMade(e) => {
            use v1::allocation_made::Source;
            let from = e.source.map(|source| match source {
                Source::PaymentId(id) => Cell::phrase("from payment {}", [Cell::Text(id)]),
                Source::CreditNoteId(id) => Cell::phrase("from credit note {}", [Cell::Text(id)]),
                Source::OpeningItemId(id) => Cell::phrase("from opening item {}", [Cell::Text(id)]),
            });
            (e.date, e.amount, from.unwrap_or(Cell::Empty))
        }
        Body::AllocationUndone(e) => {
            use v1::allocation_undone::Source;
            let to = e.source.map(|source| match source {
                Source::PaymentId(id) => Cell::phrase("back to payment {}", [Cell::Text(id)]),
                Source::CreditNoteId(id) => {
                    Cell::phrase("back to credit note {}", [Cell::Text(id)])
                }
                Source::OpeningItemId(id) => {
                    Cell::phrase("back to opening item {}", [Cell::Text(id)])
                }
            });
            (e.date, e.amount, to.unwrap_or(Cell::Empty))
        }
        body => told_of_following_up(body),
    }
}

/// The same of drafts, opening items, limits, plans, reminders and refunds.
fn told_of_following_up(body: Body) -> (Option<v1::Date>, Option<v1::Money>, Cell) {
    let due = |date: Option<v1::Date>| {
        date.map_or(Cell::Empty, |date| Cell::phrase("due {}", [Cell::Date(date)]))
    };
    let level = |level: i32, way: &str| {
        let way = Cell::word(output::word(way, "REMINDER_CHANNEL_").to_lowercase());
        Cell::phrase("level {} by {}", [Cell::Count(u64::from(level.unsigned_abs())), way])
    };
    match body {
        Body::CustomerCreditLimitSet(e) => {
            let policy = output::word(e.policy().as_str_name(), "CREDIT_POLICY_");
            (None, e.limit, Cell::word(policy.to_lowercase()))
        }
        Body::CustomerReminded(e) => {
            let detail = said(level(e.level, e.channel().as_str_name()), &e.text);
            (e.date, None, detail)
        }
        Body::DraftCreated(e) => (e.issue_date, e.total, due(e.due_date)),
        Body::DraftUpdated(e) => (e.issue_date, e.total, due(e.due_date)),
        Body::InvoiceCreditLimitExceeded(e) => {
            let limit = e.limit.and_then(|limit| output::amount(&limit).ok());
            let phrase = if e.overridden { "limit {}, overridden" } else { "limit {}" };
            let limit =
                limit.map_or(Cell::Empty, |limit| Cell::phrase(phrase, [Cell::Money(limit)]));
            (None, e.exposure, limit)
        }
        Body::OpeningItemAdded(e) => (e.date, e.amount, due(e.due_date)),
        Body::OpeningItemCorrected(e) => (e.date, e.amount, due(e.due_date)),
        Body::PaymentPlanMade(e) => {
            let planned = e.planned_for.map(|date| Cell::phrase("for {}", [Cell::Date(date)]));
            (e.date, e.amount, planned.unwrap_or(Cell::Empty))
        }
        Body::PaymentPlanCancelled(e) => (e.date, None, Cell::Empty),
        Body::PaymentPlanCleared(e) => (e.date, None, Cell::Empty),
        Body::PaymentPlanLapsed(e) => (e.date, None, Cell::Empty),
        Body::ReminderEmitted(e) => {
            let channel = output::word(e.channel().as_str_name(), "REMINDER_CHANNEL_");
            let way = [Cell::Word(e.template), Cell::word(channel.to_lowercase())];
            (e.date, e.open, Cell::phrase("{} by {}", way))
        }
        Body::ReminderRecorded(e) => {
            let detail = said(level(e.level, e.channel().as_str_name()), &e.text);
            (e.date, None, detail)
        }
        Body::ReminderStopped(e) => (e.date, None, Cell::Empty),
        Body::PaymentRefunded(e) => {
            let method = output::word(e.method().as_str_name(), "PAYMENT_METHOD_");
            (e.date, e.amount, Cell::word(method.to_lowercase()))
        }
        _ => (None, None, Cell::Empty),
    }
}

/// A detail with what was said.
fn said(detail: Cell, text: &str) -> Cell {
    if text.is_empty() { detail } else { Cell::phrase("{}: {}", [detail, Cell::text(text)]) }
}

/// Words with commas between.
fn list(words: Vec<String>) -> Cell {
    let words = words.into_iter().map(Cell::Word);
    words.reduce(|before, word| Cell::phrase("{}, {}", [before, word])).unwrap_or(Cell::Empty)
}
