//! `SetCreditLimit`: says how far a customer may go into debt.

use super::{Context, Decision, lookup};
use crate::content::Content;
use crate::currency::Currency;
use crate::event::CreditPolicy;
use crate::id::Id;
use crate::number::Subject;
use crate::refusal::{Reason, Refusal};
use crate::state::State;

/// Sets or lifts the credit limit of a customer in a currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetCreditLimit {
    /// The ledger.
    pub ledger_id: Id,
    /// The customer.
    pub customer_id: Id,
    /// The currency; the customer's, else the ledger's, where left out.
    pub currency: Option<Currency>,
    /// The limit in minor units, 0 or more; left out, it is lifted.
    pub limit: Option<i64>,
    /// What happens to an invoice that passes it.
    pub policy: CreditPolicy,
}

impl SetCreditLimit {
    pub(super) fn content(&self, out: &mut dyn Content) {
        out.text(1, self.ledger_id.as_str());
        out.text(2, self.customer_id.as_str());
        out.optional_text(3, self.currency.as_ref().map(Currency::code));
        out.optional_number(4, self.limit);
        out.number(5, self.policy as i64);
    }

    pub(super) fn named(&self, state: &State) -> Option<Subject> {
        let ledger = lookup::ledger(state, &self.ledger_id).ok()?;
        let (no, _) = lookup::customer(state, ledger, &self.customer_id).ok()?;
        Some(Subject::Customer(ledger.no, no))
    }

    pub(super) fn decide(&self, state: &State, context: &Context) -> Result<Decision, Refusal> {
        let ledger = lookup::ledger(state, &self.ledger_id)?;
        let _ = (ledger, context);
        Err(Refusal::new(Reason::WrongState, "ledger_id", "SetCreditLimit is being built"))
    }
}
