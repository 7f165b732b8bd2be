//! `IssueInvoice`: claims an amount from a customer.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use crate::currency::Currency;
use crate::event::{Rate, Tax};
use crate::id::Id;
use crate::position::Day;
use crate::terms::Terms;

/// Issues an invoice; number, customer, dates and amounts are fixed for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssueInvoice {
    /// The ledger.
    pub ledger_id: Id,
    /// Its id; assigned where left out.
    pub invoice_id: Option<Id>,
    /// The customer that owes it.
    pub customer_id: Id,
    /// The number, where the caller numbers its own invoices; else the series allots one.
    pub number: Option<String>,
    /// The issue date; the ledger's today where left out.
    pub issue_date: Option<Day>,
    /// When it is due; the customer's terms, else the ledger's, where left out.
    pub due: Option<Due>,
    /// The customer's currency, else the ledger's, where left out.
    pub currency: Option<Currency>,
    /// What is claimed, tax included, in minor units; left out, what lines and taxes add up to.
    pub total: Option<i64>,
    /// What is sold.
    pub lines: Vec<InvoiceLine>,
    /// Tax by rate; left out, computed from the lines.
    pub taxes: Vec<Tax>,
    /// ISO 11649 reference (spaces ignored); made from the number where left out.
    pub reference: Option<String>,
    /// The customer's purchase-order number; may be empty.
    pub purchase_order: String,
    /// Free text; may be empty.
    pub text: String,
    /// The caller's own pairs.
    pub metadata: BTreeMap<String, String>,
}

/// When an invoice is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// By terms, from the issue date.
    Terms(Terms),
    /// On this date, without grace.
    Date(Day),
}

/// A line as asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvoiceLine {
    /// What is sold.
    pub description: String,
    /// How many.
    pub quantity: Option<Decimal>,
    /// Price of one without tax, in whole units of the currency.
    pub unit_price: Option<Decimal>,
    /// Amount without tax in minor units; left out, quantity times price rounded half up.
    pub amount: Option<i64>,
    /// The tax rate; 0 where left out.
    pub rate: Rate,
}
