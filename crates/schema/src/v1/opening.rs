//! Events of opening items.

use encours_domain::event::{self, Direction};
use encours_domain::{CustomerNo, Day, InvoiceNo, LedgerNo};
use serde::{Deserialize, Serialize};

use super::values;
use crate::error::{InvalidValue, Unfit};
use crate::{EventKind, Frozen};

const fn direction_code(direction: Direction) -> u8 {
    match direction {
        Direction::Owed => 1,
        Direction::Owing => 2,
    }
}

fn direction(code: u8) -> Result<Direction, InvalidValue> {
    Ok(match code {
        1 => Direction::Owed,
        2 => Direction::Owing,
        other => return Err(InvalidValue::new("direction", &other)),
    })
}

#[derive(Serialize, Deserialize)]
pub(crate) struct OpeningItemAdded<'a> {
    ledger: u32,
    invoice: u32,
    id: &'a str,
    customer: u32,
    number: &'a str,
    direction: u8,
    currency: [u8; 3],
    amount: i64,
    paid: i64,
    date: i32,
    due_date: i32,
    grace_days: u8,
    reference: &'a str,
    sent_on: Option<i32>,
}

impl<'a> Frozen<'a> for OpeningItemAdded<'a> {
    const KIND: EventKind = EventKind::OpeningItemAdded;
    const VERSION: u16 = 1;
    type Live = event::OpeningItemAdded;

    fn freeze(event: &'a event::OpeningItemAdded) -> Result<Self, Unfit> {
        let due = values::due("due_date", event.due.date.number(), event.due.grace_days)?;
        Ok(Self {
            ledger: event.ledger.0,
            invoice: event.invoice.0,
            id: event.id.as_str(),
            customer: event.customer.0,
            number: &event.number,
            direction: direction_code(event.direction),
            currency: values::code(event.currency),
            amount: values::positive("amount", event.amount)?,
            paid: values::part("paid", event.paid, event.amount)?,
            date: event.date.number(),
            due_date: due.date.number(),
            grace_days: due.grace_days,
            reference: &event.reference,
            sent_on: event.sent_on.map(Day::number),
        })
    }

    fn thaw(self) -> Result<event::OpeningItemAdded, InvalidValue> {
        Ok(event::OpeningItemAdded {
            ledger: LedgerNo(self.ledger),
            invoice: InvoiceNo(self.invoice),
            id: values::id("id", self.id)?,
            customer: CustomerNo(self.customer),
            number: self.number.into(),
            direction: direction(self.direction)?,
            currency: values::currency("currency", self.currency)?,
            amount: values::positive("amount", self.amount)?,
            paid: values::part("paid", self.paid, self.amount)?,
            date: values::day("date", self.date)?,
            due: values::due("due_date", self.due_date, self.grace_days)?,
            reference: self.reference.into(),
            sent_on: self.sent_on.map(|date| values::day("sent_on", date)).transpose()?,
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct OpeningItemCorrected {
    ledger: u32,
    invoice: u32,
    amount: i64,
    paid: i64,
    due_date: i32,
    grace_days: u8,
    date: i32,
    left_after: i64,
    not_overdue: bool,
}

impl Frozen<'_> for OpeningItemCorrected {
    const KIND: EventKind = EventKind::OpeningItemCorrected;
    const VERSION: u16 = 1;
    type Live = event::OpeningItemCorrected;

    fn freeze(event: &event::OpeningItemCorrected) -> Result<Self, Unfit> {
        let due = values::due("due_date", event.due.date.number(), event.due.grace_days)?;
        Ok(Self {
            ledger: event.ledger.0,
            invoice: event.invoice.0,
            amount: values::not_negative("amount", event.amount)?,
            paid: values::part("paid", event.paid, event.amount)?,
            due_date: due.date.number(),
            grace_days: due.grace_days,
            date: event.date.number(),
            left_after: values::not_negative("left_after", event.left_after)?,
            not_overdue: event.not_overdue,
        })
    }

    fn thaw(self) -> Result<event::OpeningItemCorrected, InvalidValue> {
        Ok(event::OpeningItemCorrected {
            ledger: LedgerNo(self.ledger),
            invoice: InvoiceNo(self.invoice),
            amount: values::not_negative("amount", self.amount)?,
            paid: values::part("paid", self.paid, self.amount)?,
            due: values::due("due_date", self.due_date, self.grace_days)?,
            date: values::day("date", self.date)?,
            left_after: values::not_negative("left_after", self.left_after)?,
            not_overdue: self.not_overdue,
        })
    }
}
