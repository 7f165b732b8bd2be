//! `CreateDraft`: writes a draft of an invoice.

use std::sync::Arc;

use super::{Context, Decision, IssueInvoice, issuing, lookup};
use crate::content::Content;
use crate::event::{Draft, DraftCreated};
use crate::number::{InvoiceNo, Subject};
use crate::refusal::{Reason, Refusal};
use crate::state::{Ledger, Stage, State};

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
        let id = lookup::assigned(self.invoice.invoice_id.as_ref(), "invoice_id")?;
        if let Some((no, row)) = lookup::known_invoice(state, ledger, &id) {
            return if row.digest == context.digest {
                let subject = Subject::Invoice(ledger.no, no);
                Ok(Decision::Repeat { subject, position: row.created })
            } else if row.stage == Stage::Deleted {
                let said = format!("invoice {id} was a draft that was given up: give another id");
                Err(Refusal::new(Reason::IdExists, "invoice_id", said).with("id", &id))
            } else {
                Err(lookup::id_exists("invoice_id", "invoice", &id))
            };
        }
        lookup::no_version(context)?;
        let draft = Arc::new(checked(&self.invoice, state, ledger)?);
        let invoice = InvoiceNo(lookup::next_number(ledger.invoices.len(), "invoice_id")?);
        let event = DraftCreated { ledger: ledger.no, invoice, id, draft };
        Ok(Decision::Accept(vec![event.into()]))
    }
}

/// What a draft says, checked as far as it can be before its issue.
pub(super) fn checked(
    invoice: &IssueInvoice,
    state: &State,
    ledger: &Ledger,
) -> Result<Draft, Refusal> {
    if invoice.override_credit_limit {
        return Err(Refusal::new(
            Reason::ConflictingFields,
            "override_credit_limit",
            "a draft passes no credit limit: override_credit_limit is for its issue",
        ));
    }
    let draft = invoice.draft(state, ledger)?;
    issuing::check_draft(state, ledger, &draft)?;
    Ok(draft)
}
