//! `DisputeInvoice`: notes that the customer contests an invoice.

use crate::id::Id;
use crate::position::Day;

/// Opens a dispute; reminders and fees pause until it is resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisputeInvoice {
    /// The ledger.
    pub ledger_id: Id,
    /// The invoice.
    pub invoice_id: Id,
    /// The day; the ledger's today where left out.
    pub date: Option<Day>,
    /// Why; may be empty.
    pub reason: String,
}
