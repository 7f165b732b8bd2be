//! Dense numbers: how events and tables name what a caller named by an id.
//!
//! Numbers count from 0 in the order of creation: clocks and ledgers in their log, the rest in
//! their ledger.

use serde::{Deserialize, Serialize};

macro_rules! number {
    ($(#[$doc:meta] $name:ident),* $(,)?) => {$(
        #[$doc]
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        pub struct $name(pub u32);
    )*};
}

number! {
    /// A clock of the log.
    ClockNo,
    /// A ledger of the log.
    LedgerNo,
    /// A customer of a ledger.
    CustomerNo,
    /// An invoice of a ledger (opening items and fee items share this space).
    InvoiceNo,
    /// A payment of a ledger.
    PaymentNo,
    /// A credit note of a ledger.
    CreditNoteNo,
}

/// What an allocation takes its money from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Source {
    /// A credit note.
    CreditNote(CreditNoteNo),
    /// An opening item owing to the customer.
    Opening(InvoiceNo),
    /// A payment.
    Payment(PaymentNo),
}

/// The one resource that a command is about and that its answer shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Subject {
    /// A clock.
    Clock(ClockNo),
    /// A ledger.
    Ledger(LedgerNo),
    /// A customer.
    Customer(LedgerNo, CustomerNo),
    /// An invoice.
    Invoice(LedgerNo, InvoiceNo),
    /// A payment.
    Payment(LedgerNo, PaymentNo),
    /// A credit note.
    CreditNote(LedgerNo, CreditNoteNo),
}
