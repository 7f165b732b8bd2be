//! `UpdateDraft`: changes a draft.

use super::{Context, Decision, IssueInvoice, lookup};
use crate::content::Content;
use crate::number::Subject;
use crate::refusal::{Reason, Refusal};
use crate::state::State;

/// Says all that a draft says from here on; what is left out is not said any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateDraft {
    /// The invoice that it is to become.
    pub invoice: IssueInvoice,
}

impl UpdateDraft {
    pub(super) fn content(&self, out: &mut dyn Content) {
        self.invoice.content(out);
    }

    pub(super) fn named(&self, state: &State) -> Option<Subject> {
        let ledger = lookup::ledger(state, &self.invoice.ledger_id).ok()?;
        let (no, _) = lookup::invoice(state, ledger, self.invoice.invoice_id.as_ref()?).ok()?;
        Some(Subject::Invoice(ledger.no, no))
    }

    pub(super) fn decide(&self, state: &State, context: &Context) -> Result<Decision, Refusal> {
        let ledger = lookup::ledger(state, &self.invoice.ledger_id)?;
        let _ = (ledger, context);
        Err(Refusal::new(Reason::WrongState, "ledger_id", "UpdateDraft is being built"))
    }
}
