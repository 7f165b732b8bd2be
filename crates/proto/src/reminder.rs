//! Reminders: steps, channels, and what a person records or stops.

use encours_domain::commands::{RecordReminder, ReminderTarget, StopReminders};
use encours_domain::dunning::{Channel, Emitted, Planned, Step};
use encours_domain::{Day, Reason, Refusal};

use crate::command::id;
use crate::money::{date_message, missing, optional_day, unknown};
use crate::v1;

pub(crate) fn stop_reminders(request: v1::StopRemindersRequest) -> Result<StopReminders, Refusal> {
    Ok(StopReminders {
        ledger_id: id("ledger_id", &request.ledger_id)?,
        invoice_id: id("invoice_id", &request.invoice_id)?,
        reason: request.reason,
    })
}

pub(crate) fn record_reminder(
    request: v1::RecordReminderRequest,
) -> Result<RecordReminder, Refusal> {
    Ok(RecordReminder {
        ledger_id: id("ledger_id", &request.ledger_id)?,
        target: ReminderTarget::Invoice(id("invoice_id", &request.invoice_id)?),
        level: level("level", request.level)?,
        channel: channel("channel", request.channel)?,
        date: optional_day("date", request.date)?,
        text: request.text,
    })
}

pub(crate) fn record_customer_reminder(
    request: v1::CustomerServiceRecordReminderRequest,
) -> Result<RecordReminder, Refusal> {
    Ok(RecordReminder {
        ledger_id: id("ledger_id", &request.ledger_id)?,
        target: ReminderTarget::Customer(id("customer_id", &request.customer_id)?),
        level: level("level", request.level)?,
        channel: channel("channel", request.channel)?,
        date: optional_day("date", request.date)?,
        text: request.text,
    })
}

/// Reads a level: a small number, whose range is the domain's to judge.
///
/// # Errors
/// `UNKNOWN_VALUE`, naming `field`, where it is no level anywhere.
pub fn level(field: &str, number: i32) -> Result<u8, Refusal> {
    u8::try_from(number).map_err(|_| {
        Refusal::new(Reason::UnknownValue, field, format!("{field} is {number}, which is no level"))
            .with("level", number)
    })
}

/// Reads how a reminder went out.
///
/// # Errors
/// `UNKNOWN_VALUE` or `MISSING_FIELD`, naming `field`.
pub fn channel(field: &str, number: i32) -> Result<Channel, Refusal> {
    use v1::ReminderChannel as C;
    match C::try_from(number).map_err(|_| unknown(field, number))? {
        C::Unspecified => Err(missing(field)),
        C::Email => Ok(Channel::Email),
        C::Letter => Ok(Channel::Letter),
        C::Sms => Ok(Channel::Sms),
        C::Phone => Ok(Channel::Phone),
    }
}

/// Writes how a reminder goes out.
#[must_use]
pub const fn channel_message(channel: Channel) -> v1::ReminderChannel {
    match channel {
        Channel::Email => v1::ReminderChannel::Email,
        Channel::Letter => v1::ReminderChannel::Letter,
        Channel::Sms => v1::ReminderChannel::Sms,
        Channel::Phone => v1::ReminderChannel::Phone,
    }
}

/// Writes a step; its level stands beside it.
#[must_use]
pub const fn step_message(step: Step) -> v1::ReminderStep {
    match step {
        Step::IssueNotice => v1::ReminderStep::IssueNotice,
        Step::Midpoint => v1::ReminderStep::Midpoint,
        Step::DueDate => v1::ReminderStep::DueDate,
        Step::Overdue(_) => v1::ReminderStep::Overdue,
    }
}

/// Writes a step that went out.
#[must_use]
pub fn sent_message(sent: &Emitted) -> v1::SentReminder {
    v1::SentReminder {
        step: step_message(sent.step).into(),
        level: i32::from(sent.step.level()),
        template: sent.step.template().to_owned(),
        planned_date: Some(date_message(sent.planned)),
        date: Some(date_message(sent.date)),
    }
}

/// Writes a step to come.
#[must_use]
pub fn next_message(next: &Planned) -> v1::NextReminder {
    v1::NextReminder {
        step: step_message(next.step).into(),
        level: i32::from(next.step.level()),
        date: Some(date_message(next.date)),
        channel: channel_message(next.channel).into(),
        template: next.step.template().to_owned(),
    }
}

/// Writes a reminder of all a customer owes that a person recorded.
#[must_use]
pub fn manual_message(level: u8, date: Day) -> v1::ManualReminder {
    v1::ManualReminder { level: i32::from(level), date: Some(date_message(date)) }
}
