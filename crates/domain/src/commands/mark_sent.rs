//! `MarkSent`: notes that an invoice went out to its customer.

use crate::id::Id;
use crate::position::Day;

/// Notes the day an invoice was sent; the first one stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkSent {
    /// The ledger.
    pub ledger_id: Id,
    /// The invoice.
    pub invoice_id: Id,
    /// The day; the ledger's today where left out.
    pub date: Option<Day>,
}
