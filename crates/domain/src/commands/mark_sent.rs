//! `MarkSent`: notes that an invoice went out to its customer.

use super::{Context, Decision, lookup, reminder};
use crate::content::Content;
use crate::event::{Event, InvoiceSent};
use crate::id::Id;
use crate::number::Subject;
use crate::position::Day;
use crate::refusal::Refusal;
use crate::state::{Invoice, State};

/// Notes the day an invoice was sent; the first one stands, and starts its reminders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkSent {
    /// The ledger.
    pub ledger_id: Id,
    /// The invoice.
    pub invoice_id: Id,
    /// The day; the ledger's today where left out.
    pub date: Option<Day>,
}

impl MarkSent {
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
        let clock = lookup::clock(state, ledger)?;
        // The first one stands, so a later one is not dated before it.
        let first = row.sent_on.unwrap_or_else(|| row.since());
        let date = lookup::not_before(self.date, clock.today, first, "issue or first sending")?;
        if row.sent_on == Some(date) {
            let subject = Subject::Invoice(ledger.no, invoice);
            return Ok(Decision::Repeat { subject, position: row.version });
        }
        let mut events: Vec<Event> = vec![InvoiceSent { ledger: ledger.no, invoice, date }.into()];
        if row.sent_on.is_none() {
            let after = Invoice { sent_on: Some(date), ..row.clone() };
            events.extend(reminder::at_once(clock, ledger, invoice, &after));
        }
        Ok(Decision::Accept(events))
    }
}
