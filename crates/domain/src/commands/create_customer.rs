//! `CreateCustomer`: opens a debtor account in a ledger.

use crate::currency::Currency;
use crate::details::Contact;
use crate::id::Id;
use crate::terms::Terms;

/// Creates a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateCustomer {
    /// The ledger.
    pub ledger_id: Id,
    /// Its id; assigned where left out.
    pub customer_id: Option<Id>,
    /// Currency of its documents that name none; the ledger's where left out.
    pub currency: Option<Currency>,
    /// Terms of its invoices that name none; the ledger's where left out.
    pub terms: Option<Terms>,
    /// Name (which must be given), address, contacts, note.
    pub details: CustomerDetails,
}

/// The personal details of a customer; what is `None` is not set, or not changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CustomerDetails {
    /// The name; never empty.
    pub name: Option<String>,
    /// Postal address; empty removes it.
    pub address: Option<String>,
    /// People to write to; empty removes them.
    pub contacts: Option<Vec<Contact>>,
    /// Free text; empty removes it.
    pub note: Option<String>,
}
