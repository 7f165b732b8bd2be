//! `UpdateCustomer`: changes a customer's defaults and details.

use super::create_customer::CustomerDetails;
use crate::currency::Currency;
use crate::id::Id;
use crate::terms::Terms;

/// Changes what is given, leaves the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateCustomer {
    /// The ledger.
    pub ledger_id: Id,
    /// The customer.
    pub customer_id: Id,
    /// New default currency of its documents.
    pub currency: Option<Currency>,
    /// New default terms of its invoices.
    pub terms: Option<Terms>,
    /// New details.
    pub details: CustomerDetails,
}
