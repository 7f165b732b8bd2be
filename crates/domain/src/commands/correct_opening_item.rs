//! `CorrectOpeningItem`: corrects what is said of an opening item.

use super::{Context, Decision, lookup};
use crate::content::Content;
use crate::currency::Currency;
use crate::id::Id;
use crate::number::Subject;
use crate::position::Day;
use crate::refusal::{Reason, Refusal};
use crate::state::State;

/// Corrects an opening item; never below what is allocated of it or to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorrectOpeningItem {
    /// The ledger.
    pub ledger_id: Id,
    /// The item.
    pub invoice_id: Id,
    /// The amount, in minor units, 0 or more; unchanged where left out.
    pub amount: Option<i64>,
    /// What of it was settled before, in minor units; unchanged where left out.
    pub paid: Option<i64>,
    /// The currency that the amounts are meant in; the item's, which it must be, where left out.
    pub currency: Option<Currency>,
    /// When it is due; unchanged where left out. Not for one owing.
    pub due_date: Option<Day>,
    /// The day from which the correction counts, not before the last one and not after today; the
    /// ledger's today where left out.
    pub date: Option<Day>,
}

impl CorrectOpeningItem {
    pub(super) fn content(&self, out: &mut dyn Content) {
        out.text(1, self.ledger_id.as_str());
        out.text(2, self.invoice_id.as_str());
        out.optional_number(3, self.amount);
        out.optional_number(4, self.paid);
        out.optional_text(5, self.currency.as_ref().map(Currency::code));
        out.optional_number(6, self.due_date.map(|day| i64::from(day.number())));
        out.optional_number(7, self.date.map(|day| i64::from(day.number())));
    }

    pub(super) fn named(&self, state: &State) -> Option<Subject> {
        let ledger = lookup::ledger(state, &self.ledger_id).ok()?;
        let (no, _) = lookup::invoice(state, ledger, &self.invoice_id).ok()?;
        Some(Subject::Invoice(ledger.no, no))
    }

    pub(super) fn decide(&self, state: &State, context: &Context) -> Result<Decision, Refusal> {
        let ledger = lookup::ledger(state, &self.ledger_id)?;
        let _ = (ledger, context);
        Err(Refusal::new(Reason::WrongState, "ledger_id", "CorrectOpeningItem is being built"))
    }
}
