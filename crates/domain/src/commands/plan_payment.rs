//! `PlanPayment`: notes when a customer will pay.

use super::{Context, Decision, allocation, lookup};
use crate::content::Content;
use crate::currency::Currency;
use crate::event::PaymentPlanned;
use crate::id::Id;
use crate::money::Money;
use crate::number::Subject;
use crate::position::Day;
use crate::refusal::{Reason, Refusal};
use crate::state::State;

/// Notes what a customer will pay on an invoice and when; replaces what was planned before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanPayment {
    /// The ledger.
    pub ledger_id: Id,
    /// The invoice.
    pub invoice_id: Id,
    /// The day on which it will: today or later.
    pub date: Day,
    /// What it will pay, in minor units; the open amount where left out.
    pub amount: Option<i64>,
    /// The currency that the amount is meant in; the invoice's, which it must be, where left out.
    pub currency: Option<Currency>,
}

impl PlanPayment {
    pub(super) fn content(&self, out: &mut dyn Content) {
        out.text(1, self.ledger_id.as_str());
        out.text(2, self.invoice_id.as_str());
        out.number(3, i64::from(self.date.number()));
        out.optional_number(4, self.amount);
        out.optional_text(5, self.currency.as_ref().map(Currency::code));
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
        lookup::check_currency("amount", self.currency, row)?;
        let money = |minor| Money::new(minor, row.currency);
        if row.open == 0 {
            let message = format!("nothing is open on invoice {}", row.id);
            return Err(Refusal::new(Reason::NothingLeft, "invoice_id", message));
        }
        let amount = lookup::positive("amount", money(self.amount.unwrap_or(row.open)))?;
        let same = |planned| (amount, self.date) == planned;
        if row.planned.is_some_and(|planned| same((planned.amount, planned.date))) {
            let subject = Subject::Invoice(ledger.no, invoice);
            return Ok(Decision::Repeat { subject, position: row.version });
        }
        if amount > row.open {
            return Err(allocation::over("open amount", money(row.open), money(amount), row));
        }
        let today = lookup::today(state, ledger)?;
        let planned_for = lookup::not_before(Some(self.date), today, today, "today")?;
        let ledger = ledger.no;
        let event = PaymentPlanned { ledger, invoice, amount, planned_for, date: today };
        Ok(Decision::Accept(vec![event.into()]))
    }
}
