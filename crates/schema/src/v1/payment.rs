//! Events of payments.

use encours_domain::event::{self, Method, ReversalKind};
use encours_domain::{CustomerNo, LedgerNo, PaymentNo};
use serde::{Deserialize, Serialize};

use super::values;
use crate::error::{InvalidValue, Unfit};
use crate::{EventKind, Frozen};

const fn method_code(method: Method) -> u8 {
    match method {
        Method::Transfer => 1,
        Method::Card => 2,
        Method::DirectDebit => 3,
        Method::Cheque => 4,
        Method::Cash => 5,
        Method::Other => 6,
    }
}

fn method(code: u8) -> Result<Method, InvalidValue> {
    Ok(match code {
        1 => Method::Transfer,
        2 => Method::Card,
        3 => Method::DirectDebit,
        4 => Method::Cheque,
        5 => Method::Cash,
        6 => Method::Other,
        other => return Err(InvalidValue::new("method", &other)),
    })
}

const fn reversal_code(kind: ReversalKind) -> u8 {
    match kind {
        ReversalKind::EntryError => 1,
        ReversalKind::Duplicate => 2,
        ReversalKind::Bounced => 3,
        ReversalKind::Chargeback => 4,
    }
}

fn reversal(code: u8) -> Result<ReversalKind, InvalidValue> {
    Ok(match code {
        1 => ReversalKind::EntryError,
        2 => ReversalKind::Duplicate,
        3 => ReversalKind::Bounced,
        4 => ReversalKind::Chargeback,
        other => return Err(InvalidValue::new("kind", &other)),
    })
}

#[derive(Serialize, Deserialize)]
pub(crate) struct PaymentRecorded<'a> {
    ledger: u32,
    payment: u32,
    id: &'a str,
    customer: u32,
    currency: [u8; 3],
    amount: i64,
    method: u8,
    received_on: i32,
    reference: &'a str,
}

impl<'a> Frozen<'a> for PaymentRecorded<'a> {
    const KIND: EventKind = EventKind::PaymentRecorded;
    const VERSION: u16 = 1;
    type Live = event::PaymentRecorded;

    fn freeze(event: &'a event::PaymentRecorded) -> Result<Self, Unfit> {
        Ok(Self {
            ledger: event.ledger.0,
            payment: event.payment.0,
            id: event.id.as_str(),
            customer: event.customer.0,
            currency: values::code(event.currency),
            amount: values::positive("amount", event.amount)?,
            method: method_code(event.method),
            received_on: event.received_on.number(),
            reference: &event.reference,
        })
    }

    fn thaw(self) -> Result<event::PaymentRecorded, InvalidValue> {
        Ok(event::PaymentRecorded {
            ledger: LedgerNo(self.ledger),
            payment: PaymentNo(self.payment),
            id: values::id("id", self.id)?,
            customer: CustomerNo(self.customer),
            currency: values::currency("currency", self.currency)?,
            amount: values::positive("amount", self.amount)?,
            method: method(self.method)?,
            received_on: values::day("received_on", self.received_on)?,
            reference: self.reference.into(),
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct PaymentReversed {
    ledger: u32,
    payment: u32,
    kind: u8,
    amount: i64,
    date: i32,
}

impl Frozen<'_> for PaymentReversed {
    const KIND: EventKind = EventKind::PaymentReversed;
    const VERSION: u16 = 1;
    type Live = event::PaymentReversed;

    fn freeze(event: &event::PaymentReversed) -> Result<Self, Unfit> {
        Ok(Self {
            ledger: event.ledger.0,
            payment: event.payment.0,
            kind: reversal_code(event.kind),
            amount: values::positive("amount", event.amount)?,
            date: event.date.number(),
        })
    }

    fn thaw(self) -> Result<event::PaymentReversed, InvalidValue> {
        Ok(event::PaymentReversed {
            ledger: LedgerNo(self.ledger),
            payment: PaymentNo(self.payment),
            kind: reversal(self.kind)?,
            amount: values::positive("amount", self.amount)?,
            date: values::day("date", self.date)?,
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct PaymentRefunded<'a> {
    ledger: u32,
    payment: u32,
    amount: i64,
    method: u8,
    date: i32,
    reference: &'a str,
    unapplied_after: i64,
}

impl<'a> Frozen<'a> for PaymentRefunded<'a> {
    const KIND: EventKind = EventKind::PaymentRefunded;
    const VERSION: u16 = 1;
    type Live = event::PaymentRefunded;

    fn freeze(event: &'a event::PaymentRefunded) -> Result<Self, Unfit> {
        Ok(Self {
            ledger: event.ledger.0,
            payment: event.payment.0,
            amount: values::positive("amount", event.amount)?,
            method: method_code(event.method),
            date: event.date.number(),
            reference: &event.reference,
            unapplied_after: values::not_negative("unapplied_after", event.unapplied_after)?,
        })
    }

    fn thaw(self) -> Result<event::PaymentRefunded, InvalidValue> {
        Ok(event::PaymentRefunded {
            ledger: LedgerNo(self.ledger),
            payment: PaymentNo(self.payment),
            amount: values::positive("amount", self.amount)?,
            method: method(self.method)?,
            date: values::day("date", self.date)?,
            reference: self.reference.into(),
            unapplied_after: values::not_negative("unapplied_after", self.unapplied_after)?,
        })
    }
}
