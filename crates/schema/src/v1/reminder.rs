//! Events of reminders.

use encours_domain::dunning::{Channel, Step};
use encours_domain::{CustomerNo, Day, InvoiceNo, LedgerNo, event};
use serde::{Deserialize, Serialize};

use super::values;
use crate::error::{InvalidValue, Unfit};
use crate::{EventKind, Frozen};

const fn channel_code(channel: Channel) -> u8 {
    match channel {
        Channel::Email => 1,
        Channel::Letter => 2,
        Channel::Sms => 3,
        Channel::Phone => 4,
    }
}

fn channel(code: u8) -> Result<Channel, InvalidValue> {
    Ok(match code {
        1 => Channel::Email,
        2 => Channel::Letter,
        3 => Channel::Sms,
        4 => Channel::Phone,
        other => return Err(InvalidValue::new("channel", &other)),
    })
}

/// A step: code 0 is the issue notice, 1 the midpoint, 2 the due date, 3 to 11 the first to the
/// ninth after it.
fn step_code(step: Step) -> Result<u8, InvalidValue> {
    match step {
        Step::Overdue(nth) if !(1..=9).contains(&nth) => {
            Err(InvalidValue::new("step", &format_args!("overdue {nth}")))
        }
        step => Ok(step.code()),
    }
}

fn step(code: u8) -> Result<Step, InvalidValue> {
    Step::by_code(code).ok_or_else(|| InvalidValue::new("step", &code))
}

/// The level of a reminder that a person recorded, 1 to 9; of a step of a plan, 0 to 9.
fn level(lowest: u8, level: u8) -> Result<u8, InvalidValue> {
    if (lowest..=9).contains(&level) { Ok(level) } else { Err(InvalidValue::new("level", &level)) }
}

/// The day a step went out, not before the one the plan had for it.
fn not_before(planned: Day, date: Day) -> Result<Day, InvalidValue> {
    if date >= planned {
        Ok(date)
    } else {
        Err(InvalidValue::new("date", &format_args!("{date}, before the planned {planned}")))
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct ReminderEmitted<'a> {
    ledger: u32,
    invoice: u32,
    step: u8,
    level: u8,
    channel: u8,
    template: &'a str,
    planned: i32,
    date: i32,
    open: i64,
}

impl<'a> Frozen<'a> for ReminderEmitted<'a> {
    const KIND: EventKind = EventKind::ReminderEmitted;
    const VERSION: u16 = 1;
    type Live = event::ReminderEmitted;

    fn freeze(event: &'a event::ReminderEmitted) -> Result<Self, Unfit> {
        Ok(Self {
            ledger: event.ledger.0,
            invoice: event.invoice.0,
            step: step_code(event.step)?,
            level: level(0, event.level)?,
            channel: channel_code(event.channel),
            template: &event.template,
            planned: event.planned.number(),
            date: not_before(event.planned, event.date)?.number(),
            open: values::positive("open", event.open)?,
        })
    }

    fn thaw(self) -> Result<event::ReminderEmitted, InvalidValue> {
        let planned = values::day("planned", self.planned)?;
        Ok(event::ReminderEmitted {
            ledger: LedgerNo(self.ledger),
            invoice: InvoiceNo(self.invoice),
            step: step(self.step)?,
            level: level(0, self.level)?,
            channel: channel(self.channel)?,
            template: self.template.into(),
            planned,
            date: not_before(planned, values::day("date", self.date)?)?,
            open: values::positive("open", self.open)?,
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct ReminderRecorded<'a> {
    ledger: u32,
    invoice: u32,
    level: u8,
    channel: u8,
    date: i32,
    text: &'a str,
}

impl<'a> Frozen<'a> for ReminderRecorded<'a> {
    const KIND: EventKind = EventKind::ReminderRecorded;
    const VERSION: u16 = 1;
    type Live = event::ReminderRecorded;

    fn freeze(event: &'a event::ReminderRecorded) -> Result<Self, Unfit> {
        Ok(Self {
            ledger: event.ledger.0,
            invoice: event.invoice.0,
            level: level(1, event.level)?,
            channel: channel_code(event.channel),
            date: event.date.number(),
            text: &event.text,
        })
    }

    fn thaw(self) -> Result<event::ReminderRecorded, InvalidValue> {
        Ok(event::ReminderRecorded {
            ledger: LedgerNo(self.ledger),
            invoice: InvoiceNo(self.invoice),
            level: level(1, self.level)?,
            channel: channel(self.channel)?,
            date: values::day("date", self.date)?,
            text: self.text.into(),
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct CustomerReminderRecorded<'a> {
    ledger: u32,
    customer: u32,
    level: u8,
    channel: u8,
    date: i32,
    text: &'a str,
}

impl<'a> Frozen<'a> for CustomerReminderRecorded<'a> {
    const KIND: EventKind = EventKind::CustomerReminderRecorded;
    const VERSION: u16 = 1;
    type Live = event::CustomerReminderRecorded;

    fn freeze(event: &'a event::CustomerReminderRecorded) -> Result<Self, Unfit> {
        Ok(Self {
            ledger: event.ledger.0,
            customer: event.customer.0,
            level: level(1, event.level)?,
            channel: channel_code(event.channel),
            date: event.date.number(),
            text: &event.text,
        })
    }

    fn thaw(self) -> Result<event::CustomerReminderRecorded, InvalidValue> {
        Ok(event::CustomerReminderRecorded {
            ledger: LedgerNo(self.ledger),
            customer: CustomerNo(self.customer),
            level: level(1, self.level)?,
            channel: channel(self.channel)?,
            date: values::day("date", self.date)?,
            text: self.text.into(),
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct RemindersStopped<'a> {
    ledger: u32,
    invoice: u32,
    date: i32,
    reason: &'a str,
}

impl<'a> Frozen<'a> for RemindersStopped<'a> {
    const KIND: EventKind = EventKind::RemindersStopped;
    const VERSION: u16 = 1;
    type Live = event::RemindersStopped;

    fn freeze(event: &'a event::RemindersStopped) -> Result<Self, Unfit> {
        Ok(Self {
            ledger: event.ledger.0,
            invoice: event.invoice.0,
            date: event.date.number(),
            reason: &event.reason,
        })
    }

    fn thaw(self) -> Result<event::RemindersStopped, InvalidValue> {
        Ok(event::RemindersStopped {
            ledger: LedgerNo(self.ledger),
            invoice: InvoiceNo(self.invoice),
            date: values::day("date", self.date)?,
            reason: self.reason.into(),
        })
    }
}
