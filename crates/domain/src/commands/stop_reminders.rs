//! `StopReminders`: ends the reminders of an invoice.

use super::{Context, Decision, lookup};
use crate::content::Content;
use crate::event::RemindersStopped;
use crate::id::Id;
use crate::number::Subject;
use crate::refusal::Refusal;
use crate::state::State;
use crate::text;

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
        let (invoice, row) = lookup::owed(state, ledger, &self.invoice_id)?;
        lookup::check_version(context, row.version)?;
        text::check("reason", &self.reason)?;
        if row.reminders_stopped {
            let subject = Subject::Invoice(ledger.no, invoice);
            return Ok(Decision::Repeat { subject, position: row.version });
        }
        let date = lookup::today(state, ledger)?;
        let reason = self.reason.as_str().into();
        let event = RemindersStopped { ledger: ledger.no, invoice, date, reason };
        Ok(Decision::Accept(vec![event.into()]))
    }
}
