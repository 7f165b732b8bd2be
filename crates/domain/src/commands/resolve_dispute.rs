//! `ResolveDispute`: ends the dispute of an invoice.

use crate::id::Id;
use crate::position::Day;

/// Ends a dispute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolveDispute {
    /// The ledger.
    pub ledger_id: Id,
    /// The invoice.
    pub invoice_id: Id,
    /// The day, not before the dispute began; the ledger's today where left out.
    pub date: Option<Day>,
}
