//! `UpdateDraft`: changes a draft.

use std::sync::Arc;

use super::{Context, Decision, IssueInvoice, create_draft, lookup};
use crate::content::Content;
use crate::event::DraftUpdated;
use crate::number::Subject;
use crate::refusal::Refusal;
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
        let id = lookup::assigned(self.invoice.invoice_id.as_ref(), "invoice_id")?;
        let (invoice, row, known) = lookup::draft(state, ledger, &id)?;
        lookup::check_version(context, row.version)?;
        let draft = create_draft::checked(&self.invoice, state, ledger)?;
        if draft == **known {
            let subject = Subject::Invoice(ledger.no, invoice);
            return Ok(Decision::Repeat { subject, position: row.version });
        }
        let event = DraftUpdated { ledger: ledger.no, invoice, draft: Arc::new(draft) };
        Ok(Decision::Accept(vec![event.into()]))
    }
}
