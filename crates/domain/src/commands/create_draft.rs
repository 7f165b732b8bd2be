//! `CreateDraft`: writes a draft of an invoice.

use super::{Context, Decision, IssueInvoice, lookup};
use crate::content::Content;
use crate::number::Subject;
use crate::refusal::{Reason, Refusal};
use crate::state::State;

/// Writes a draft: it can be changed and deleted, and counts in no balance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateDraft {
    /// The invoice that it is to become.
    pub invoice: IssueInvoice,
}

impl CreateDraft {
    pub(super) fn content(&self, out: &mut dyn Content) {
        self.invoice.content(out);
    }

    pub(super) const fn named(&self, _: &State) -> Option<Subject> {
        None
    }

    pub(super) fn decide(&self, state: &State, context: &Context) -> Result<Decision, Refusal> {
        let ledger = lookup::ledger(state, &self.invoice.ledger_id)?;
        let _ = (ledger, context);
        Err(Refusal::new(Reason::WrongState, "ledger_id", "CreateDraft is being built"))
    }
}
