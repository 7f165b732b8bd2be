//! Public events of drafts, opening items and what is said of customers.

use encours_domain::Event;
use encours_domain::event::{Direction, Draft, OpeningItemAdded};

use super::{Names, WithCustomer};
use crate::credit::policy_message;
use crate::money::{date_message, money_message};
use crate::opening::direction_message;
use crate::reminder::channel_message;
use crate::v1::{self, public_event::Body};

/// Events of customers: their credit limits and reminders.
pub(super) fn customer(event: &Event, names: &impl Names) -> WithCustomer {
    Some(match event {
        Event::CreditLimitSet(e) => {
            let customer = names.customer(e.ledger, e.customer)?;
            let policy = e.limit.map(|_| policy_message(e.policy)).unwrap_or_default();
            let body = v1::CustomerCreditLimitSet {
                customer_id: customer.to_string(),
                currency_code: e.currency.to_string(),
                limit: e.limit.map(|limit| money_message(limit, e.currency)),
                policy: policy.into(),
            };
            (Some(customer), Body::CustomerCreditLimitSet(body))
        }
        Event::CustomerReminderRecorded(e) => {
            let customer = names.customer(e.ledger, e.customer)?;
            let body = v1::CustomerReminded {
                customer_id: customer.to_string(),
                level: i32::from(e.level),
                channel: channel_message(e.channel).into(),
                date: Some(date_message(e.date)),
                text: e.text.to_string(),
            };
            (Some(customer), Body::CustomerReminded(body))
        }
        _ => return None,
    })
}

/// Events of drafts and opening items.
pub(super) fn item(event: &Event, names: &impl Names) -> WithCustomer {
    Some(match event {
        Event::DraftCreated(e) => {
            let said = said(&e.draft);
            let body = v1::DraftCreated {
                invoice_id: e.id.to_string(),
                total: said.total,
                issue_date: said.issue_date,
                due_date: said.due_date,
                number: said.number,
            };
            (Some(names.customer(e.ledger, e.draft.customer)?), Body::DraftCreated(body))
        }
        Event::DraftUpdated(e) => {
            let said = said(&e.draft);
            let body = v1::DraftUpdated {
                invoice_id: names.invoice(e.ledger, e.invoice)?.id.to_string(),
                total: said.total,
                issue_date: said.issue_date,
                due_date: said.due_date,
                number: said.number,
            };
            (Some(names.customer(e.ledger, e.draft.customer)?), Body::DraftUpdated(body))
        }
        Event::DraftDeleted(e) => {
            let draft = names.invoice(e.ledger, e.invoice)?;
            let body = v1::DraftDeleted { invoice_id: draft.id.to_string() };
            (Some(draft.customer_id), Body::DraftDeleted(body))
        }
        Event::OpeningItemAdded(e) => {
            (Some(names.customer(e.ledger, e.customer)?), Body::OpeningItemAdded(added(e)))
        }
        Event::OpeningItemCorrected(e) => {
            let item = names.invoice(e.ledger, e.invoice)?;
            let money = |minor| Some(money_message(minor, item.currency));
            let body = v1::OpeningItemCorrected {
                invoice_id: item.id.to_string(),
                number: item.number.to_string(),
                amount: money(e.amount),
                paid: money(e.paid),
                due_date: Some(date_message(e.due.date)),
                date: Some(date_message(e.date)),
                left_after: money(e.left_after),
                not_overdue: e.not_overdue,
            };
            (Some(item.customer_id), Body::OpeningItemCorrected(body))
        }
        _ => return None,
    })
}

/// What both events of a draft tell of it.
struct Said {
    total: Option<v1::Money>,
    issue_date: Option<v1::Date>,
    due_date: Option<v1::Date>,
    number: String,
}

fn said(draft: &Draft) -> Said {
    Said {
        total: Some(money_message(draft.total, draft.currency)),
        issue_date: draft.issue_date.map(date_message),
        due_date: draft.due_date().map(|due| date_message(due.date)),
        number: draft.number.as_deref().unwrap_or_default().to_owned(),
    }
}

fn added(event: &OpeningItemAdded) -> v1::OpeningItemAdded {
    let money = |minor| Some(money_message(minor, event.currency));
    let owed = event.direction == Direction::Owed;
    v1::OpeningItemAdded {
        invoice_id: event.id.to_string(),
        number: event.number.to_string(),
        direction: direction_message(event.direction).into(),
        amount: money(event.amount),
        paid: money(event.paid),
        date: Some(date_message(event.date)),
        due_date: owed.then(|| date_message(event.due.date)),
        reference: event.reference.to_string(),
        sent_on: event.sent_on.map(date_message),
    }
}
