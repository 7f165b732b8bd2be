//! Events about an invoice after it was issued.

use encours_domain::{InvoiceNo, LedgerNo, event};
use serde::{Deserialize, Serialize};

use super::values;
use crate::error::{InvalidValue, Unfit};
use crate::{EventKind, Frozen};

#[derive(Serialize, Deserialize)]
pub(crate) struct InvoiceSent {
    ledger: u32,
    invoice: u32,
    date: i32,
}

impl Frozen<'_> for InvoiceSent {
    const KIND: EventKind = EventKind::InvoiceSent;
    const VERSION: u16 = 1;
    type Live = event::InvoiceSent;

    fn freeze(event: &event::InvoiceSent) -> Result<Self, Unfit> {
        Ok(Self { ledger: event.ledger.0, invoice: event.invoice.0, date: event.date.number() })
    }

    fn thaw(self) -> Result<event::InvoiceSent, InvalidValue> {
        Ok(event::InvoiceSent {
            ledger: LedgerNo(self.ledger),
            invoice: InvoiceNo(self.invoice),
            date: values::day("date", self.date)?,
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct InvoiceDisputed<'a> {
    ledger: u32,
    invoice: u32,
    date: i32,
    reason: &'a str,
}

impl<'a> Frozen<'a> for InvoiceDisputed<'a> {
    const KIND: EventKind = EventKind::InvoiceDisputed;
    const VERSION: u16 = 1;
    type Live = event::InvoiceDisputed;

    fn freeze(event: &'a event::InvoiceDisputed) -> Result<Self, Unfit> {
        Ok(Self {
            ledger: event.ledger.0,
            invoice: event.invoice.0,
            date: event.date.number(),
            reason: &event.reason,
        })
    }

    fn thaw(self) -> Result<event::InvoiceDisputed, InvalidValue> {
        Ok(event::InvoiceDisputed {
            ledger: LedgerNo(self.ledger),
            invoice: InvoiceNo(self.invoice),
            date: values::day("date", self.date)?,
            reason: self.reason.into(),
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct DisputeResolved {
    ledger: u32,
    invoice: u32,
    date: i32,
}

impl Frozen<'_> for DisputeResolved {
    const KIND: EventKind = EventKind::DisputeResolved;
    const VERSION: u16 = 1;
    type Live = event::DisputeResolved;

    fn freeze(event: &event::DisputeResolved) -> Result<Self, Unfit> {
        Ok(Self { ledger: event.ledger.0, invoice: event.invoice.0, date: event.date.number() })
    }

    fn thaw(self) -> Result<event::DisputeResolved, InvalidValue> {
        Ok(event::DisputeResolved {
            ledger: LedgerNo(self.ledger),
            invoice: InvoiceNo(self.invoice),
            date: values::day("date", self.date)?,
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct InvoiceDue {
    ledger: u32,
    invoice: u32,
    date: i32,
    open: i64,
}

impl Frozen<'_> for InvoiceDue {
    const KIND: EventKind = EventKind::InvoiceDue;
    const VERSION: u16 = 1;
    type Live = event::InvoiceDue;

    fn freeze(event: &event::InvoiceDue) -> Result<Self, Unfit> {
        Ok(Self {
            ledger: event.ledger.0,
            invoice: event.invoice.0,
            date: event.date.number(),
            open: values::not_negative("open", event.open)?,
        })
    }

    fn thaw(self) -> Result<event::InvoiceDue, InvalidValue> {
        Ok(event::InvoiceDue {
            ledger: LedgerNo(self.ledger),
            invoice: InvoiceNo(self.invoice),
            date: values::day("date", self.date)?,
            open: values::not_negative("open", self.open)?,
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct InvoiceOverdue {
    ledger: u32,
    invoice: u32,
    date: i32,
    open: i64,
}

impl Frozen<'_> for InvoiceOverdue {
    const KIND: EventKind = EventKind::InvoiceOverdue;
    const VERSION: u16 = 1;
    type Live = event::InvoiceOverdue;

    fn freeze(event: &event::InvoiceOverdue) -> Result<Self, Unfit> {
        Ok(Self {
            ledger: event.ledger.0,
            invoice: event.invoice.0,
            date: event.date.number(),
            open: values::not_negative("open", event.open)?,
        })
    }

    fn thaw(self) -> Result<event::InvoiceOverdue, InvalidValue> {
        Ok(event::InvoiceOverdue {
            ledger: LedgerNo(self.ledger),
            invoice: InvoiceNo(self.invoice),
            date: values::day("date", self.date)?,
            open: values::not_negative("open", self.open)?,
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct InvoicePaid {
    ledger: u32,
    invoice: u32,
    date: i32,
}

impl Frozen<'_> for InvoicePaid {
    const KIND: EventKind = EventKind::InvoicePaid;
    const VERSION: u16 = 1;
    type Live = event::InvoicePaid;

    fn freeze(event: &event::InvoicePaid) -> Result<Self, Unfit> {
        Ok(Self { ledger: event.ledger.0, invoice: event.invoice.0, date: event.date.number() })
    }

    fn thaw(self) -> Result<event::InvoicePaid, InvalidValue> {
        Ok(event::InvoicePaid {
            ledger: LedgerNo(self.ledger),
            invoice: InvoiceNo(self.invoice),
            date: values::day("date", self.date)?,
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct InvoiceReopened {
    ledger: u32,
    invoice: u32,
    date: i32,
    open: i64,
}

impl Frozen<'_> for InvoiceReopened {
    const KIND: EventKind = EventKind::InvoiceReopened;
    const VERSION: u16 = 1;
    type Live = event::InvoiceReopened;

    fn freeze(event: &event::InvoiceReopened) -> Result<Self, Unfit> {
        Ok(Self {
            ledger: event.ledger.0,
            invoice: event.invoice.0,
            date: event.date.number(),
            open: values::not_negative("open", event.open)?,
        })
    }

    fn thaw(self) -> Result<event::InvoiceReopened, InvalidValue> {
        Ok(event::InvoiceReopened {
            ledger: LedgerNo(self.ledger),
            invoice: InvoiceNo(self.invoice),
            date: values::day("date", self.date)?,
            open: values::not_negative("open", self.open)?,
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct InvoiceCancelled {
    ledger: u32,
    invoice: u32,
    date: i32,
}

impl Frozen<'_> for InvoiceCancelled {
    const KIND: EventKind = EventKind::InvoiceCancelled;
    const VERSION: u16 = 1;
    type Live = event::InvoiceCancelled;

    fn freeze(event: &event::InvoiceCancelled) -> Result<Self, Unfit> {
        Ok(Self { ledger: event.ledger.0, invoice: event.invoice.0, date: event.date.number() })
    }

    fn thaw(self) -> Result<event::InvoiceCancelled, InvalidValue> {
        Ok(event::InvoiceCancelled {
            ledger: LedgerNo(self.ledger),
            invoice: InvoiceNo(self.invoice),
            date: values::day("date", self.date)?,
        })
    }
}
