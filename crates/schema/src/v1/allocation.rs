//! Events of allocations.

use encours_domain::{CreditNoteNo, InvoiceNo, LedgerNo, PaymentNo, Source, event};
use serde::{Deserialize, Serialize};

use super::values;
use crate::error::{InvalidValue, Unfit};
use crate::{EventKind, Frozen};

/// Where money comes from: kind 1 is a credit note, 2 a payment, 3 an opening item owing to the customer.
#[derive(Serialize, Deserialize)]
struct FrozenSource {
    kind: u8,
    number: u32,
}

impl FrozenSource {
    const fn freeze(source: Source) -> Self {
        match source {
            Source::CreditNote(CreditNoteNo(number)) => Self { kind: 1, number },
            Source::Payment(PaymentNo(number)) => Self { kind: 2, number },
            Source::Opening(InvoiceNo(number)) => Self { kind: 3, number },
        }
    }

    fn thaw(self) -> Result<Source, InvalidValue> {
        match self.kind {
            1 => Ok(Source::CreditNote(CreditNoteNo(self.number))),
            2 => Ok(Source::Payment(PaymentNo(self.number))),
            3 => Ok(Source::Opening(InvoiceNo(self.number))),
            other => Err(InvalidValue::new("source.kind", &other)),
        }
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Allocated {
    ledger: u32,
    source: FrozenSource,
    invoice: u32,
    amount: i64,
    date: i32,
    open_after: i64,
    unapplied_after: i64,
}

impl Frozen<'_> for Allocated {
    const KIND: EventKind = EventKind::Allocated;
    const VERSION: u16 = 1;
    type Live = event::Allocated;

    fn freeze(event: &event::Allocated) -> Result<Self, Unfit> {
        Ok(Self {
            ledger: event.ledger.0,
            source: FrozenSource::freeze(event.source),
            invoice: event.invoice.0,
            amount: values::positive("amount", event.amount)?,
            date: event.date.number(),
            open_after: values::not_negative("open_after", event.open_after)?,
            unapplied_after: values::not_negative("unapplied_after", event.unapplied_after)?,
        })
    }

    fn thaw(self) -> Result<event::Allocated, InvalidValue> {
        Ok(event::Allocated {
            ledger: LedgerNo(self.ledger),
            source: self.source.thaw()?,
            invoice: InvoiceNo(self.invoice),
            amount: values::positive("amount", self.amount)?,
            date: values::day("date", self.date)?,
            open_after: values::not_negative("open_after", self.open_after)?,
            unapplied_after: values::not_negative("unapplied_after", self.unapplied_after)?,
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Deallocated {
    ledger: u32,
    source: FrozenSource,
    invoice: u32,
    amount: i64,
    date: i32,
    open_after: i64,
    unapplied_after: i64,
}

impl Frozen<'_> for Deallocated {
    const KIND: EventKind = EventKind::Deallocated;
    const VERSION: u16 = 1;
    type Live = event::Deallocated;

    fn freeze(event: &event::Deallocated) -> Result<Self, Unfit> {
        Ok(Self {
            ledger: event.ledger.0,
            source: FrozenSource::freeze(event.source),
            invoice: event.invoice.0,
            amount: values::positive("amount", event.amount)?,
            date: event.date.number(),
            open_after: values::not_negative("open_after", event.open_after)?,
            unapplied_after: values::not_negative("unapplied_after", event.unapplied_after)?,
        })
    }

    fn thaw(self) -> Result<event::Deallocated, InvalidValue> {
        Ok(event::Deallocated {
            ledger: LedgerNo(self.ledger),
            source: self.source.thaw()?,
            invoice: InvoiceNo(self.invoice),
            amount: values::positive("amount", self.amount)?,
            date: values::day("date", self.date)?,
            open_after: values::not_negative("open_after", self.open_after)?,
            unapplied_after: values::not_negative("unapplied_after", self.unapplied_after)?,
        })
    }
}
