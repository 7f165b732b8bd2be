//! `IssueDraft`: makes an invoice of a draft.

use super::{Context, Decision, issuing, lookup};
use crate::content::Content;
use crate::event::Draft;
use crate::id::Id;
use crate::number::Subject;
use crate::position::Day;
use crate::refusal::Refusal;
use crate::series;
use crate::state::State;

/// Issues a draft as it stands: it gets its number and is fixed for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssueDraft {
    /// The ledger.
    pub ledger_id: Id,
    /// The draft.
    pub invoice_id: Id,
    /// The issue date; the draft's, else the ledger's today, where left out.
    pub issue_date: Option<Day>,
    /// The number; the draft's where left out, else the series allots one.
    pub number: Option<String>,
    /// Whether it is issued though a credit limit would refuse it.
    pub override_credit_limit: bool,
}

impl IssueDraft {
    pub(super) fn content(&self, out: &mut dyn Content) {
        out.text(1, self.ledger_id.as_str());
        out.text(2, self.invoice_id.as_str());
        out.optional_number(3, self.issue_date.map(|day| i64::from(day.number())));
        out.optional_text(4, self.number.as_deref());
        if self.override_credit_limit {
            out.number(5, 1);
        }
    }

    pub(super) fn named(&self, state: &State) -> Option<Subject> {
        let ledger = lookup::ledger(state, &self.ledger_id).ok()?;
        let (no, _) = lookup::invoice(state, ledger, &self.invoice_id).ok()?;
        Some(Subject::Invoice(ledger.no, no))
    }

    pub(super) fn decide(&self, state: &State, context: &Context) -> Result<Decision, Refusal> {
        let ledger = lookup::ledger(state, &self.ledger_id)?;
        let (invoice, row) = lookup::invoice(state, ledger, &self.invoice_id)?;
        if row.issue_digest == Some(context.digest) {
            let subject = Subject::Invoice(ledger.no, invoice);
            return Ok(Decision::Repeat { subject, position: row.content });
        }
        let (_, _, draft) = lookup::draft(state, ledger, &self.invoice_id)?;
        lookup::check_version(context, row.version)?;
        let mut draft = Draft::clone(draft);
        draft.issue_date = self.issue_date.or(draft.issue_date);
        if let Some(given) = &self.number {
            draft.number = Some(series::check_given(given, &ledger.invoice_series)?);
        }
        let (id, overridden) = (row.id.clone(), self.override_credit_limit);
        issuing::issue(state, ledger, (invoice, id), draft, overridden).map(Decision::Accept)
    }
}
