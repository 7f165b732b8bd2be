//! Balances: what a customer was invoiced, has paid and still owes, in one currency.

use serde::{Deserialize, Serialize};

use crate::currency::Currency;
use crate::status::CustomerFigures;

/// A customer's figures in one currency, in minor units.
///
/// Always: `net = outstanding - unapplied = opening + invoiced - credited - collected + refunded`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// The currency.
    pub currency: Currency,
    /// Opening items: owed less owing, less what of them was settled before, as corrected.
    pub opening: i64,
    /// Totals of the invoices issued (facturé).
    pub invoiced: i64,
    /// Amounts of the credit notes issued.
    pub credited: i64,
    /// Payments received less reversed (encaissé).
    pub collected: i64,
    /// Paid back to the customer.
    pub refunded: i64,
    /// Open amounts of the invoices (encours).
    pub outstanding: i64,
    /// Of `outstanding`, what is past due date and grace.
    pub overdue: i64,
    /// Payments and credits not yet allocated (reste à utiliser).
    pub unapplied: i64,
}

impl Balance {
    /// Nothing yet.
    #[must_use]
    pub const fn zero(currency: Currency) -> Self {
        Self {
            currency,
            opening: 0,
            invoiced: 0,
            credited: 0,
            collected: 0,
            refunded: 0,
            outstanding: 0,
            overdue: 0,
            unapplied: 0,
        }
    }

    /// What the customer owes on balance; negative where the customer has more left than owed.
    #[must_use]
    pub const fn net(&self) -> i64 {
        self.outstanding - self.unapplied
    }

    /// Whether the figures fit each other. False is a defect, never a state of affairs.
    #[must_use]
    pub const fn balances(&self) -> bool {
        self.net() == self.opening + self.invoiced - self.credited - self.collected + self.refunded
            && self.refunded >= 0
            && self.outstanding >= 0
            && self.unapplied >= 0
            && self.overdue >= 0
            && self.overdue <= self.outstanding
    }

    /// What the customer's status is derived from.
    #[must_use]
    pub const fn figures(&self) -> CustomerFigures {
        CustomerFigures {
            outstanding: self.outstanding,
            overdue: self.overdue,
            unapplied: self.unapplied,
        }
    }
}
