//! Version 1 of every event. Frozen: a change here makes existing logs unreadable.

mod allocation;
mod clock;
mod credit_note;
mod customer;
mod invoice;
mod invoice_facts;
mod ledger;
mod log;
mod payment;
mod values;

pub(crate) use allocation::{Allocated, Deallocated};
pub(crate) use clock::{ClockAdvanced, ClockCreated, DayFinished, DayOpened};
pub(crate) use credit_note::CreditNoteIssued;
pub(crate) use customer::{CustomerCreated, CustomerUpdated};
pub(crate) use invoice::InvoiceIssued;
pub(crate) use invoice_facts::{
    DisputeResolved, InvoiceCancelled, InvoiceDisputed, InvoiceDue, InvoiceOverdue, InvoicePaid,
    InvoiceReopened, InvoiceSent,
};
pub(crate) use ledger::LedgerCreated;
pub(crate) use log::{LogCreated, WriterOpened};
pub(crate) use payment::{PaymentRecorded, PaymentReversed};
