//! The values that events carry besides ids, days and amounts.

use std::sync::Arc;

use crate::currency::Currency;
use crate::number::CustomerNo;
use crate::position::Day;
use crate::terms::{Due, DueTerms};

/// How money came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Method {
    Transfer,
    Card,
    DirectDebit,
    Cheque,
    Cash,
    Other,
}

/// Who owes whom in an opening item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Direction {
    /// The customer owes it: it ages, is paid and reminded of like an invoice.
    Owed,
    /// It is owing to the customer: a credit to be used.
    Owing,
}

/// What happens to an invoice that takes its customer past its credit limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum CreditPolicy {
    /// It is issued; the limit is only shown.
    Allow,
    /// It is issued, and the log says that it passed the limit.
    Warn,
    /// It is refused, unless the command overrides that; then as with `Warn`.
    Refuse,
}

/// What a draft says: as asked for, with its amounts computed. Dates and numbers that are left out
/// are settled at issue.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Draft {
    /// The customer.
    pub customer: CustomerNo,
    /// The currency of the amounts.
    pub currency: Currency,
    /// What it would claim; 0 or more.
    pub total: i64,
    /// The number it is to have, where the caller numbers its own invoices.
    pub number: Option<Arc<str>>,
    /// The issue date; that of the day of issue where left out.
    pub issue_date: Option<Day>,
    /// When it is to be due; the customer's terms, else the ledger's, where left out.
    pub due: Option<Due>,
    /// ISO 11649 reference, where one was given.
    pub reference: Option<Arc<str>>,
    /// Lines, taxes, texts and metadata.
    pub content: InvoiceContent,
}

impl Draft {
    /// When it would be due, where it says a date of its own.
    #[must_use]
    pub fn due_date(&self) -> Option<DueTerms> {
        match (self.due?, self.issue_date) {
            (Due::Date(date), _) => DueTerms::new(Some(date), 0).ok(),
            (Due::Terms(terms), Some(issue_date)) => terms.due(issue_date).ok(),
            (Due::Terms(_), None) => None,
        }
    }
}

/// Why a payment was taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum ReversalKind {
    /// It was typed in wrongly.
    EntryError,
    /// It was recorded twice.
    Duplicate,
    /// The cheque or direct debit bounced.
    Bounced,
    /// The card holder took it back.
    Chargeback,
}

/// What an invoice carries along besides its claim.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct InvoiceContent {
    /// What is sold, in order.
    pub lines: Vec<Line>,
    /// Tax by rate, ascending.
    pub taxes: Vec<Tax>,
    /// The customer's purchase-order number; may be empty.
    pub purchase_order: String,
    /// Free text; may be empty.
    pub text: String,
    /// Pairs of the caller's, in the order of their keys.
    pub metadata: Vec<(String, String)>,
}

/// A line of an invoice.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Line {
    /// What is sold.
    pub description: String,
    /// How many, where given: a decimal number.
    pub quantity: Option<rust_decimal::Decimal>,
    /// Price of one without tax, in whole units, where given.
    pub unit_price: Option<rust_decimal::Decimal>,
    /// The line's amount without tax, in minor units.
    pub amount: i64,
    /// The tax rate.
    pub rate: Rate,
}

/// A tax rate in thousandths of a percent: 20 % is `Rate(20_000)`; 0 to 100 %.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct Rate(pub u32);

/// The tax of one rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Tax {
    /// The rate.
    pub rate: Rate,
    /// What it applies to, in minor units.
    pub base: i64,
    /// The tax, in minor units.
    pub tax: i64,
}
