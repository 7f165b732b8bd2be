//! Version 1 of every event. Frozen: a change here makes existing logs unreadable.

mod allocation;
mod clock;
mod credit;
mod credit_note;
mod customer;
mod draft;
mod invoice;
mod invoice_facts;
mod ledger;
mod log;
mod opening;
mod payment;
mod plan;
mod reminder;
pub(crate) mod values;

pub(crate) use allocation::{Allocated, Deallocated};
pub(crate) use clock::{ClockAdvanced, ClockCreated, DayFinished, DayOpened};
pub(crate) use credit::{CreditLimitExceeded, CreditLimitSet};
pub(crate) use credit_note::CreditNoteIssued;
pub(crate) use customer::{CustomerCreated, CustomerUpdated};
pub(crate) use draft::{DraftCreated, DraftDeleted, DraftUpdated};
pub(crate) use invoice::InvoiceIssued;
pub(crate) use invoice_facts::{
    DisputeResolved, InvoiceCancelled, InvoiceDisputed, InvoiceDue, InvoiceOverdue, InvoicePaid,
    InvoiceReopened, InvoiceSent,
};
pub(crate) use ledger::LedgerCreated;
pub(crate) use log::{LogCreated, LogForked, WriterOpened};
pub(crate) use opening::{OpeningItemAdded, OpeningItemCorrected};
pub(crate) use payment::{PaymentRecorded, PaymentRefunded, PaymentReversed};
pub(crate) use plan::{
    PaymentPlanned, PlannedPaymentCancelled, PlannedPaymentCleared, PlannedPaymentLapsed,
};
pub(crate) use reminder::{
    CustomerReminderRecorded, ReminderEmitted, ReminderRecorded, RemindersStopped,
};
