//! `PlanPayment`: notes when a customer will pay.

use super::{Context, Decision, lookup};
use crate::content::Content;
use crate::currency::Currency;
use crate::id::Id;
use crate::number::Subject;
use crate::position::Day;
use crate::refusal::{Reason, Refusal};
use crate::state::State;

/// Notes what a customer will pay on an invoice and when; replaces what was planned before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanPayment {
    /// The ledger.
    pub ledger_id: Id,
    /// The invoice.
    pub invoice_id: Id,
    /// The day on which it will: today or later.
    pub date: Day,
    /// What it will pay, in minor units; the open amount where left out.
    pub amount: Option<i64>,
    /// The currency that the amount is meant in; the invoice's, which it must be, where left out.
    pub currency: Option<Currency>,
}

impl PlanPayment {
    pub(super) fn content(&self, out: &mut dyn Content) {
        out.text(1, self.ledger_id.as_str());
        out.text(2, self.invoice_id.as_str());
        out.number(3, i64::from(self.date.number()));
        out.optional_number(4, self.amount);
        out.optional_text(5, self.currency.as_ref().map(Currency::code));
    }

    pub(super) fn named(&self, state: &State) -> Option<Subject> {
        let ledger = lookup::ledger(state, &self.ledger_id).ok()?;
        let (no, _) = lookup::invoice(state, ledger, &self.invoice_id).ok()?;
        Some(Subject::Invoice(ledger.no, no))
    }

    pub(super) fn decide(&self, state: &State, context: &Context) -> Result<Decision, Refusal> {
        let ledger = lookup::ledger(state, &self.ledger_id)?;
        let _ = (ledger, context);
        Err(Refusal::new(Reason::WrongState, "ledger_id", "PlanPayment is being built"))
    }
}
