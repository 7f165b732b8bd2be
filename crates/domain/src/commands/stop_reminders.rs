//! `StopReminders`: ends the reminders of an invoice.

use super::{Context, Decision, lookup};
use crate::content::Content;
use crate::id::Id;
use crate::number::Subject;
use crate::refusal::{Reason, Refusal};
use crate::state::State;

/// Ends the reminders of an invoice, for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopReminders {
    /// The ledger.
    pub ledger_id: Id,
    /// The invoice.
    pub invoice_id: Id,
    /// Why; may be empty.
    pub reason: String,
}

impl StopReminders {
    pub(super) fn content(&self, out: &mut dyn Content) {
        out.text(1, self.ledger_id.as_str());
        out.text(2, self.invoice_id.as_str());
        out.text(3, &self.reason);
    }

    pub(super) fn named(&self, state: &State) -> Option<Subject> {
        let ledger = lookup::ledger(state, &self.ledger_id).ok()?;
        let (no, _) = lookup::invoice(state, ledger, &self.invoice_id).ok()?;
        Some(Subject::Invoice(ledger.no, no))
    }

    pub(super) fn decide(&self, state: &State, context: &Context) -> Result<Decision, Refusal> {
        let ledger = lookup::ledger(state, &self.ledger_id)?;
        let _ = (ledger, context);
        Err(Refusal::new(Reason::WrongState, "ledger_id", "StopReminders is being built"))
    }
}
