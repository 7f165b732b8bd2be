//! `DeleteDraft`: gives a draft up.

use super::{Context, Decision, lookup};
use crate::content::Content;
use crate::event::DraftDeleted;
use crate::id::Id;
use crate::number::Subject;
use crate::refusal::Refusal;
use crate::state::{Stage, State};

/// Gives a draft up; its id stays used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteDraft {
    /// The ledger.
    pub ledger_id: Id,
    /// The draft.
    pub invoice_id: Id,
}

impl DeleteDraft {
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
        let (invoice, row) = lookup::invoice(state, ledger, &self.invoice_id)?;
        if row.stage == Stage::Deleted {
            let subject = Subject::Invoice(ledger.no, invoice);
            return Ok(Decision::Repeat { subject, position: row.version });
        }
        lookup::draft(state, ledger, &self.invoice_id)?;
        lookup::check_version(context, row.version)?;
        Ok(Decision::Accept(vec![DraftDeleted { ledger: ledger.no, invoice }.into()]))
    }
}
