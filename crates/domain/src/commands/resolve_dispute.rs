//! `ResolveDispute`: ends the dispute of an invoice.

use super::{Context, Decision, lookup, reminder};
use crate::content::Content;
use crate::event::{DisputeResolved, Event};
use crate::id::Id;
use crate::number::Subject;
use crate::position::Day;
use crate::refusal::{Reason, Refusal};
use crate::state::{Invoice, State};

/// Ends a dispute; of the reminders that were held back the latest goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolveDispute {
    /// The ledger.
    pub ledger_id: Id,
    /// The invoice.
    pub invoice_id: Id,
    /// The day, not before the dispute began; the ledger's today where left out.
    pub date: Option<Day>,
}

impl ResolveDispute {
    pub(super) fn content(&self, out: &mut dyn Content) {
        out.text(1, self.ledger_id.as_str());
        out.text(2, self.invoice_id.as_str());
        out.optional_number(3, self.date.map(|day| i64::from(day.number())));
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
        let Some(dispute) = row.dispute else {
            let message = format!("invoice {} is not disputed", row.id);
            return Err(Refusal::new(Reason::WrongState, "invoice_id", message));
        };
        let clock = lookup::clock(state, ledger)?;
        let date = lookup::not_before(self.date, clock.today, dispute.since, "the dispute")?;
        let resolved = DisputeResolved { ledger: ledger.no, invoice, date };
        let mut events: Vec<Event> = vec![resolved.into()];
        let after = Invoice { dispute: None, resolved_on: Some(date), ..row.clone() };
        events.extend(reminder::at_once(clock, ledger, invoice, &after));
        Ok(Decision::Accept(events))
    }
}
