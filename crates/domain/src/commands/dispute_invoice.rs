//! `DisputeInvoice`: notes that the customer contests an invoice.

use super::{Context, Decision, lookup};
use crate::content::Content;
use crate::event::InvoiceDisputed;
use crate::id::Id;
use crate::number::Subject;
use crate::position::Day;
use crate::refusal::{Reason, Refusal};
use crate::state::State;
use crate::text;

/// Opens a dispute; reminders and fees pause until it is resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisputeInvoice {
    /// The ledger.
    pub ledger_id: Id,
    /// The invoice.
    pub invoice_id: Id,
    /// The day; the ledger's today where left out.
    pub date: Option<Day>,
    /// Why; may be empty.
    pub reason: String,
}

impl DisputeInvoice {
    pub(super) fn content(&self, out: &mut dyn Content) {
        out.text(1, self.ledger_id.as_str());
        out.text(2, self.invoice_id.as_str());
        out.optional_number(3, self.date.map(|day| i64::from(day.number())));
        out.text(4, &self.reason);
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
        text::check("reason", &self.reason)?;
        let wrong = |why: String| Refusal::new(Reason::WrongState, "invoice_id", why);
        if row.cancelled {
            return Err(wrong(format!("invoice {} is cancelled", row.id)));
        }
        if let Some(dispute) = row.dispute {
            let since = dispute.since;
            return Err(wrong(format!("invoice {} is disputed since {since}", row.id))
                .with("disputed_since", since));
        }
        let today = lookup::today(state, ledger)?;
        let last = row.resolved_on.map_or(row.issue_date, |day| day.max(row.issue_date));
        let date = lookup::not_before(self.date, today, last, "issue or of the last resolution")?;
        let reason = self.reason.as_str().into();
        let event = InvoiceDisputed { ledger: ledger.no, invoice, date, reason };
        Ok(Decision::Accept(vec![event.into()]))
    }
}
