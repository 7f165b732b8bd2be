//! `Allocate`: puts unapplied money or credit against an invoice.

use crate::id::Id;
use crate::position::Day;

/// Allocates unapplied money or credit of the invoice's customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allocate {
    /// The ledger.
    pub ledger_id: Id,
    /// The invoice.
    pub invoice_id: Id,
    /// Where the money comes from.
    pub from: From,
    /// How much, in minor units; as much as fits where left out.
    pub amount: Option<i64>,
    /// The day; the ledger's today where left out.
    pub date: Option<Day>,
}

/// Where allocated money comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// Credits, then payments, oldest first.
    Anything,
    /// Credits only, oldest first.
    CreditNotes,
    /// Payments only, oldest first.
    Payments,
    /// This payment.
    Payment(Id),
    /// This credit note.
    CreditNote(Id),
}
