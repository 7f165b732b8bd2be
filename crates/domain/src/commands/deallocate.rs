//! `Deallocate`: takes money or credit off an invoice again.

use crate::id::Id;
use crate::number::Source;
use crate::position::Day;

/// Takes what a payment or a credit note has on an invoice back to unapplied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deallocate {
    /// The ledger.
    pub ledger_id: Id,
    /// The invoice.
    pub invoice_id: Id,
    /// The payment, where it is one.
    pub payment_id: Option<Id>,
    /// The credit note, where it is one.
    pub credit_note_id: Option<Id>,
    /// How much, in minor units; all of it where left out.
    pub amount: Option<i64>,
    /// The day, not before the allocation's; the ledger's today, or that day, where left out.
    pub date: Option<Day>,
}
