//! `CancelInvoice`: credits all that is creditable of an invoice.

use crate::id::Id;
use crate::position::Day;

/// Cancels an invoice by a credit note over all that is creditable. Other credits used on it are
/// returned. Refused where payments are allocated, unless `keep_unapplied`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancelInvoice {
    /// The ledger.
    pub ledger_id: Id,
    /// The invoice.
    pub invoice_id: Id,
    /// Id of the credit note; assigned where left out.
    pub credit_note_id: Option<Id>,
    /// Number of the credit note, where the caller numbers its own; else the series allots one.
    pub number: Option<String>,
    /// Issue date of the credit note; the ledger's today where left out.
    pub date: Option<Day>,
    /// Why; may be empty.
    pub reason: String,
    /// Whether payments come off the invoice and stay with the customer, unapplied.
    pub keep_unapplied: bool,
}
