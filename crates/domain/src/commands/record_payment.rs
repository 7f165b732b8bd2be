//! `RecordPayment`: money was received.

use crate::currency::Currency;
use crate::event::Method;
use crate::id::Id;
use crate::position::Day;

/// Records a payment and puts it against invoices as asked; the rest stays unapplied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordPayment {
    /// The ledger.
    pub ledger_id: Id,
    /// Its id; assigned where left out.
    pub payment_id: Option<Id>,
    /// Who paid. May be left out where `put` names an invoice: that invoice's customer.
    pub customer_id: Option<Id>,
    /// What was received, in minor units. May be left out with [`Put::Invoice`]: its open amount.
    pub amount: Option<i64>,
    /// The currency; the invoice's, else the customer's, else the ledger's, where left out.
    pub currency: Option<Currency>,
    /// How it came.
    pub method: Method,
    /// The day it was received; the ledger's today where left out.
    pub received_on: Option<Day>,
    /// The payer's reference; may be empty.
    pub reference: String,
    /// What it is for.
    pub put: Put,
}

/// What a payment is put against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Put {
    /// Nothing: all of it stays unapplied.
    Nothing,
    /// These invoices, with these amounts.
    Explicit(Vec<ExplicitAllocation>),
    /// One invoice, up to its open amount.
    Invoice(Id),
    /// The invoices that the reference names; else one whose open amount is exactly this; else
    /// the oldest due first.
    Auto,
}

/// An amount for an invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplicitAllocation {
    /// The invoice.
    pub invoice_id: Id,
    /// Minor units; above 0.
    pub amount: i64,
}
