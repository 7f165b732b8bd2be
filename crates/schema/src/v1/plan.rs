//! Events of planned payments.

use encours_domain::{InvoiceNo, LedgerNo, event};
use serde::{Deserialize, Serialize};

use super::values;
use crate::error::{InvalidValue, Unfit};
use crate::{EventKind, Frozen};

#[derive(Serialize, Deserialize)]
pub(crate) struct PaymentPlanned {
    ledger: u32,
    invoice: u32,
    amount: i64,
    planned_for: i32,
    date: i32,
}

impl Frozen<'_> for PaymentPlanned {
    const KIND: EventKind = EventKind::PaymentPlanned;
    const VERSION: u16 = 1;
    type Live = event::PaymentPlanned;

    fn freeze(event: &event::PaymentPlanned) -> Result<Self, Unfit> {
        Ok(Self {
            ledger: event.ledger.0,
            invoice: event.invoice.0,
            amount: values::positive("amount", event.amount)?,
            planned_for: event.planned_for.number(),
            date: event.date.number(),
        })
    }

    fn thaw(self) -> Result<event::PaymentPlanned, InvalidValue> {
        Ok(event::PaymentPlanned {
            ledger: LedgerNo(self.ledger),
            invoice: InvoiceNo(self.invoice),
            amount: values::positive("amount", self.amount)?,
            planned_for: values::day("planned_for", self.planned_for)?,
            date: values::day("date", self.date)?,
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct PlannedPaymentCancelled {
    ledger: u32,
    invoice: u32,
    date: i32,
}

impl Frozen<'_> for PlannedPaymentCancelled {
    const KIND: EventKind = EventKind::PlannedPaymentCancelled;
    const VERSION: u16 = 1;
    type Live = event::PlannedPaymentCancelled;

    fn freeze(event: &event::PlannedPaymentCancelled) -> Result<Self, Unfit> {
        Ok(Self { ledger: event.ledger.0, invoice: event.invoice.0, date: event.date.number() })
    }

    fn thaw(self) -> Result<event::PlannedPaymentCancelled, InvalidValue> {
        Ok(event::PlannedPaymentCancelled {
            ledger: LedgerNo(self.ledger),
            invoice: InvoiceNo(self.invoice),
            date: values::day("date", self.date)?,
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct PlannedPaymentCleared {
    ledger: u32,
    invoice: u32,
    date: i32,
}

impl Frozen<'_> for PlannedPaymentCleared {
    const KIND: EventKind = EventKind::PlannedPaymentCleared;
    const VERSION: u16 = 1;
    type Live = event::PlannedPaymentCleared;

    fn freeze(event: &event::PlannedPaymentCleared) -> Result<Self, Unfit> {
        Ok(Self { ledger: event.ledger.0, invoice: event.invoice.0, date: event.date.number() })
    }

    fn thaw(self) -> Result<event::PlannedPaymentCleared, InvalidValue> {
        Ok(event::PlannedPaymentCleared {
            ledger: LedgerNo(self.ledger),
            invoice: InvoiceNo(self.invoice),
            date: values::day("date", self.date)?,
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct PlannedPaymentLapsed {
    ledger: u32,
    invoice: u32,
    date: i32,
}

impl Frozen<'_> for PlannedPaymentLapsed {
    const KIND: EventKind = EventKind::PlannedPaymentLapsed;
    const VERSION: u16 = 1;
    type Live = event::PlannedPaymentLapsed;

    fn freeze(event: &event::PlannedPaymentLapsed) -> Result<Self, Unfit> {
        Ok(Self { ledger: event.ledger.0, invoice: event.invoice.0, date: event.date.number() })
    }

    fn thaw(self) -> Result<event::PlannedPaymentLapsed, InvalidValue> {
        Ok(event::PlannedPaymentLapsed {
            ledger: LedgerNo(self.ledger),
            invoice: InvoiceNo(self.invoice),
            date: values::day("date", self.date)?,
        })
    }
}
