//! `AddOpeningItem`: brings in an item from before the ledger.

use super::{Context, Decision, lookup};
use crate::content::Content;
use crate::currency::Currency;
use crate::event::Direction;
use crate::id::Id;
use crate::number::Subject;
use crate::position::Day;
use crate::refusal::{Reason, Refusal};
use crate::state::State;

/// Brings in what a customer owed, or was owed, before the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddOpeningItem {
    /// The ledger.
    pub ledger_id: Id,
    /// Its id among the invoices; assigned where left out.
    pub invoice_id: Option<Id>,
    /// The customer.
    pub customer_id: Id,
    /// Who owes whom.
    pub direction: Direction,
    /// The amount of the old document in minor units; above 0.
    pub amount: i64,
    /// What of it was settled before, in minor units: 0 to `amount`.
    pub paid: i64,
    /// The currency; the customer's, else the ledger's, where left out.
    pub currency: Option<Currency>,
    /// The day from which it counts; the ledger's today where left out.
    pub date: Option<Day>,
    /// When it is due, before or after `date`; `date` where left out. Not for one owing.
    pub due_date: Option<Day>,
    /// The number of the old document, unique in the ledger; the id where left out.
    pub number: Option<String>,
    /// ISO 11649 reference (spaces ignored); made from the number where left out.
    pub reference: Option<String>,
    /// The day the old document was sent; its reminders wait for `MarkSent` where left out.
    pub sent_on: Option<Day>,
}

impl AddOpeningItem {
    pub(super) fn content(&self, out: &mut dyn Content) {
        out.text(1, self.ledger_id.as_str());
        out.optional_text(2, self.invoice_id.as_ref().map(Id::as_str));
        out.text(3, self.customer_id.as_str());
        out.number(4, self.direction as i64);
        out.number(5, self.amount);
        out.number(6, self.paid);
        out.optional_text(7, self.currency.as_ref().map(Currency::code));
        out.optional_number(8, self.date.map(|day| i64::from(day.number())));
        out.optional_number(9, self.due_date.map(|day| i64::from(day.number())));
        out.optional_text(10, self.number.as_deref());
        out.optional_text(11, self.reference.as_deref());
        out.optional_number(12, self.sent_on.map(|day| i64::from(day.number())));
    }

    pub(super) const fn named(&self, _: &State) -> Option<Subject> {
        None
    }

    pub(super) fn decide(&self, state: &State, context: &Context) -> Result<Decision, Refusal> {
        let ledger = lookup::ledger(state, &self.ledger_id)?;
        let _ = (ledger, context);
        Err(Refusal::new(Reason::WrongState, "ledger_id", "AddOpeningItem is being built"))
    }
}
