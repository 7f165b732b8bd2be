//! `IssueCreditNote`: credits part or all of an invoice.

use crate::id::Id;
use crate::position::Day;

/// Issues a numbered credit note against an invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssueCreditNote {
    /// The ledger.
    pub ledger_id: Id,
    /// Its id; assigned where left out.
    pub credit_note_id: Option<Id>,
    /// The invoice it corrects.
    pub invoice_id: Id,
    /// The number, where the caller numbers its own; else the series allots one.
    pub number: Option<String>,
    /// What it credits, in minor units; all that is creditable where left out.
    pub amount: Option<i64>,
    /// The issue date; the ledger's today where left out.
    pub issue_date: Option<Day>,
    /// What becomes of it.
    pub usage: CreditUse,
    /// Why; may be empty.
    pub reason: String,
}

/// What becomes of a credit note's amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreditUse {
    /// Offset as far as the invoice is open, keep the rest.
    OffsetThenKeep,
    /// This much (minor units) reduces the invoice; the rest is kept.
    Offset(i64),
    /// All of it stays with the customer, for any of its invoices.
    Keep,
}
