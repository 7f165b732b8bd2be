//! Public events of the follow-up of invoices: limits passed, planned payments, reminders.

use encours_domain::{Day, Event};

use super::{Names, WithCustomer, invoice_of};
use crate::money::{date_message, money_message};
use crate::reminder::{channel_message, step_message};
use crate::v1::{self, public_event::Body};

pub(super) fn invoice(event: &Event, names: &impl Names) -> WithCustomer {
    let date = |day: Day| Some(date_message(day));
    let (ledger, no) = invoice_of(event)?;
    let name = names.invoice(ledger, no)?;
    let money = |minor| Some(money_message(minor, name.currency));
    let (invoice_id, number) = (name.id.to_string(), name.number.to_string());
    let due_date = name.due.and_then(|due| date(due.date));
    let body = match event {
        Event::CreditLimitExceeded(e) => {
            Body::InvoiceCreditLimitExceeded(v1::InvoiceCreditLimitExceeded {
                invoice_id,
                number,
                limit: money(e.limit),
                exposure: money(e.exposure),
                overridden: e.overridden,
            })
        }
        Event::PaymentPlanned(e) => Body::PaymentPlanMade(v1::PaymentPlanMade {
            invoice_id,
            number,
            amount: money(e.amount),
            planned_for: date(e.planned_for),
            date: date(e.date),
            due_date,
        }),
        Event::PlannedPaymentCancelled(e) => {
            let date = date(e.date);
            Body::PaymentPlanCancelled(v1::PaymentPlanCancelled {
                invoice_id,
                number,
                date,
                due_date,
            })
        }
        Event::PlannedPaymentCleared(e) => {
            let date = date(e.date);
            Body::PaymentPlanCleared(v1::PaymentPlanCleared { invoice_id, number, date, due_date })
        }
        Event::PlannedPaymentLapsed(e) => {
            let date = date(e.date);
            Body::PaymentPlanLapsed(v1::PaymentPlanLapsed { invoice_id, number, date, due_date })
        }
        Event::ReminderEmitted(e) => Body::ReminderEmitted(v1::ReminderEmitted {
            invoice_id,
            number,
            step: step_message(e.step).into(),
            level: i32::from(e.level),
            channel: channel_message(e.channel).into(),
            template: e.template.to_string(),
            planned_date: date(e.planned),
            date: date(e.date),
            open: money(e.open),
            due_date,
            total: money(name.total),
        }),
        Event::ReminderRecorded(e) => Body::ReminderRecorded(v1::ReminderRecorded {
            invoice_id,
            number,
            level: i32::from(e.level),
            channel: channel_message(e.channel).into(),
            date: date(e.date),
            text: e.text.to_string(),
        }),
        Event::RemindersStopped(e) => {
            let (date, reason) = (date(e.date), e.reason.to_string());
            Body::ReminderStopped(v1::ReminderStopped { invoice_id, number, date, reason })
        }
        _ => return None,
    };
    Some((Some(name.customer_id), body))
}
