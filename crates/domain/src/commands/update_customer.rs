//! `UpdateCustomer`: changes a customer's defaults and details.

use super::create_customer::CustomerDetails;
use super::{Context, Decision, lookup};
use crate::content::Content;
use crate::currency::Currency;
use crate::event::CustomerUpdated;
use crate::id::Id;
use crate::number::Subject;
use crate::refusal::{Reason, Refusal};
use crate::state::State;
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

impl UpdateCustomer {
    pub(super) fn content(&self, out: &mut dyn Content) {
        out.text(1, self.ledger_id.as_str());
        out.text(2, self.customer_id.as_str());
        out.optional_text(3, self.currency.as_ref().map(Currency::code));
        if let Some(terms) = self.terms {
            terms.content(4, out);
        }
        self.details.content(5, out);
    }

    pub(super) fn named(&self, state: &State) -> Option<Subject> {
        let ledger = lookup::ledger(state, &self.ledger_id).ok()?;
        let (no, _) = lookup::customer(state, ledger, &self.customer_id).ok()?;
        Some(Subject::Customer(ledger.no, no))
    }

    pub(super) fn decide(&self, state: &State, context: &Context) -> Result<Decision, Refusal> {
        let ledger = lookup::ledger(state, &self.ledger_id)?;
        let (customer, row) = lookup::customer(state, ledger, &self.customer_id)?;
        lookup::check_version(context, row.version)?;
        if let Some(terms) = self.terms {
            terms.check()?;
        }
        if self.currency.is_none() && self.terms.is_none() && self.details.is_empty() {
            return Err(Refusal::new(
                Reason::MissingField,
                "details",
                "nothing to change is given: name, address, contacts, note, currency or terms",
            ));
        }
        let event = CustomerUpdated {
            ledger: ledger.no,
            customer,
            currency: self.currency,
            terms: self.terms,
            details: self.details.secrets()?,
        };
        Ok(Decision::Accept(vec![event.into()]))
    }
}
