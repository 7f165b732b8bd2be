//! `CreateCustomer`: opens a debtor account in a ledger.

use super::{Context, Decision, lookup};
use crate::content::Content;
use crate::currency::Currency;
use crate::details::Contact;
use crate::details::{Detail, DetailKind, Secret};
use crate::event::CustomerCreated;
use crate::id::Id;
use crate::limits::MAX_CONTACTS;
use crate::number::{CustomerNo, Subject};
use crate::refusal::Refusal;
use crate::state::State;
use crate::terms::Terms;
use crate::text;

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
#[derive(Clone, Default, PartialEq, Eq)]
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

impl CreateCustomer {
    pub(super) fn content(&self, out: &mut dyn Content) {
        out.text(1, self.ledger_id.as_str());
        out.optional_text(2, self.customer_id.as_ref().map(Id::as_str));
        out.optional_text(3, self.currency.as_ref().map(Currency::code));
        if let Some(terms) = self.terms {
            terms.content(4, out);
        }
        self.details.content(5, out);
    }

    pub(super) const fn named(&self, _: &State) -> Option<Subject> {
        None
    }

    pub(super) fn decide(&self, state: &State, context: &Context) -> Result<Decision, Refusal> {
        let ledger = lookup::ledger(state, &self.ledger_id)?;
        let id = lookup::assigned(self.customer_id.as_ref(), "customer_id")?;
        if let Some((no, row)) = lookup::known_customer(state, ledger, &id) {
            return if row.digest == context.digest {
                let subject = Subject::Customer(ledger.no, no);
                Ok(Decision::Repeat { subject, position: row.created })
            } else {
                Err(lookup::id_exists("customer_id", "customer", &id))
            };
        }
        lookup::no_version(context)?;
        if let Some(terms) = self.terms {
            terms.check()?;
        }
        if self.details.name.is_none() {
            return Err(Refusal::missing("name"));
        }
        let event = CustomerCreated {
            ledger: ledger.no,
            customer: CustomerNo(lookup::next_number(ledger.customers.len(), "customer_id")?),
            id,
            currency: self.currency,
            terms: self.terms,
            details: self.details.secrets()?,
        };
        Ok(Decision::Accept(vec![event.into()]))
    }
}

/// Shows which details are set, and nothing of them.
impl std::fmt::Debug for CustomerDetails {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.set()).finish()
    }
}

impl CustomerDetails {
    /// The details that are set, by kind.
    fn set(&self) -> Vec<Detail> {
        let details = [
            self.name.clone().map(Detail::Name),
            self.address.clone().map(Detail::Address),
            self.contacts.clone().map(Detail::Contacts),
            self.note.clone().map(Detail::Note),
        ];
        details.into_iter().flatten().collect()
    }

    pub(super) fn content(&self, field: u16, out: &mut dyn Content) {
        for detail in self.set() {
            out.personal(field, &detail);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.set().is_empty()
    }

    pub(super) fn secrets(&self) -> Result<Vec<(DetailKind, Secret)>, Refusal> {
        let contacts = self.contacts.as_ref().map_or(0, Vec::len);
        if contacts > MAX_CONTACTS {
            return Err(text::too_many("contacts", contacts, MAX_CONTACTS));
        }
        self.set()
            .into_iter()
            .map(|detail| {
                detail.check()?;
                Ok((detail.kind(), Secret::Clear(detail)))
            })
            .collect()
    }
}
