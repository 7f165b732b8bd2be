//! `CancelPlannedPayment`: takes a planned payment back.

use super::{Context, Decision, lookup};
use crate::content::Content;
use crate::event::PlannedPaymentCancelled;
use crate::id::Id;
use crate::number::Subject;
use crate::refusal::{Reason, Refusal};
use crate::state::State;

/// Takes back what a customer planned to pay on an invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancelPlannedPayment {
    /// The ledger.
    pub ledger_id: Id,
    /// The invoice.
    pub invoice_id: Id,
}

impl CancelPlannedPayment {
    pub(super) fn content(&self, out: &mut dyn Content) {
        out.text(1, self.ledger_id.as_str());
        out.text(2, self.invoice_id.as_str());
    }

    pub(super) fn named(&self, state: &State) -> Option<Subject> {
        let ledger = lookup::ledger(state, &self.ledger_id).ok()?;
        let (no, _) = lookup::invoice(state, ledger, &self.invoice_id).ok()?;
        Some(Subject::Invoice(ledger.no, no))
    }

    pub(super) fn decide(&self, state: &State, context: &Context) -> Result<Decision, Refusal> {
        let ledger = lookup::ledger(state, &self.ledger_id)?;
        let (invoice, row) = lookup::owed(state, ledger, &self.invoice_id)?;
        lookup::check_version(context, row.version)?;
        if row.planned.is_none() {
            let message = format!("no payment is planned on invoice {}", row.id);
            return Err(Refusal::new(Reason::WrongState, "invoice_id", message));
        }
        let date = lookup::today(state, ledger)?;
        let event = PlannedPaymentCancelled { ledger: ledger.no, invoice, date };
        Ok(Decision::Accept(vec![event.into()]))
    }
}
