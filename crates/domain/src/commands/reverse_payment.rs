//! `ReversePayment`: takes a payment back.

use crate::event::ReversalKind;
use crate::id::Id;
use crate::position::Day;

/// Takes back what is left of a payment; the invoices it settled reopen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReversePayment {
    /// The ledger.
    pub ledger_id: Id,
    /// The payment.
    pub payment_id: Id,
    /// Why.
    pub kind: ReversalKind,
    /// The day, not before the payment or its allocations; the earliest such day from the
    /// ledger's today on where left out.
    pub date: Option<Day>,
}
