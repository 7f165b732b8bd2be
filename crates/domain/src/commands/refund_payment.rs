//! `RefundPayment`: pays money back.

use super::{Context, Decision, lookup};
use crate::content::Content;
use crate::currency::Currency;
use crate::event::Method;
use crate::id::Id;
use crate::number::Subject;
use crate::position::Day;
use crate::refusal::{Reason, Refusal};
use crate::state::State;

/// Pays back unapplied money of a payment, or what it has on an invoice, which reopens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundPayment {
    /// The ledger.
    pub ledger_id: Id,
    /// The payment.
    pub payment_id: Id,
    /// The invoice whose money is paid back; unapplied money where left out.
    pub invoice_id: Option<Id>,
    /// How much, in minor units; all that is unapplied, or on the invoice, where left out.
    pub amount: Option<i64>,
    /// The currency that the amount is meant in; the payment's, which it must be, where left out.
    pub currency: Option<Currency>,
    /// How; as the payment came where left out.
    pub method: Option<Method>,
    /// The day, not before the money was there to be paid back; the ledger's today, or that day,
    /// where left out.
    pub date: Option<Day>,
    /// The reference of the refund; may be empty.
    pub reference: String,
}

impl RefundPayment {
    pub(super) fn content(&self, out: &mut dyn Content) {
        out.text(1, self.ledger_id.as_str());
        out.text(2, self.payment_id.as_str());
        out.optional_text(3, self.invoice_id.as_ref().map(Id::as_str));
        out.optional_number(4, self.amount);
        out.optional_text(5, self.currency.as_ref().map(Currency::code));
        out.optional_number(6, self.method.map(|method| method as i64));
        out.optional_number(7, self.date.map(|day| i64::from(day.number())));
        out.optional_text(8, Some(self.reference.as_str()).filter(|text| !text.is_empty()));
    }

    pub(super) fn named(&self, state: &State) -> Option<Subject> {
        let ledger = lookup::ledger(state, &self.ledger_id).ok()?;
        let (no, _) = lookup::payment(state, ledger, &self.payment_id).ok()?;
        Some(Subject::Payment(ledger.no, no))
    }

    pub(super) fn decide(&self, state: &State, context: &Context) -> Result<Decision, Refusal> {
        let ledger = lookup::ledger(state, &self.ledger_id)?;
        let _ = (ledger, context);
        Err(Refusal::new(Reason::WrongState, "ledger_id", "RefundPayment is being built"))
    }
}
