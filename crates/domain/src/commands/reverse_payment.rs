//! `ReversePayment`: takes a payment back.

use super::allocation::Book;
use super::{Context, Decision, lookup};
use crate::content::Content;
use crate::event::PaymentReversed;
use crate::event::ReversalKind;
use crate::id::Id;
use crate::number::{Source, Subject};
use crate::position::Day;
use crate::refusal::{Reason, Refusal};
use crate::state::State;

/// Takes back what is left of a payment; the invoices it settled reopen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReversePayment {
    /// The ledger.
    pub ledger_id: Id,
    /// The payment.
    pub payment_id: Id,
    /// Why.
    pub kind: ReversalKind,
    /// The day, not before the payment or its allocations; the earliest such day from the
    /// ledger's today on where left out.
    pub date: Option<Day>,
}

impl ReversePayment {
    pub(super) fn content(&self, out: &mut dyn Content) {
        out.text(1, self.ledger_id.as_str());
        out.text(2, self.payment_id.as_str());
        out.number(3, self.kind as i64);
        out.optional_number(4, self.date.map(|day| i64::from(day.number())));
    }

    pub(super) fn named(&self, state: &State) -> Option<Subject> {
        let ledger = lookup::ledger(state, &self.ledger_id).ok()?;
        let (no, _) = lookup::payment(state, ledger, &self.payment_id).ok()?;
        Some(Subject::Payment(ledger.no, no))
    }

    pub(super) fn decide(&self, state: &State, context: &Context) -> Result<Decision, Refusal> {
        let ledger = lookup::ledger(state, &self.ledger_id)?;
        let (payment, row) = lookup::payment(state, ledger, &self.payment_id)?;
        lookup::check_version(context, row.version)?;
        if row.reversed > 0 {
            let message = format!("payment {} is reversed already", row.id);
            return Err(Refusal::new(Reason::WrongState, "payment_id", message));
        }
        let amount = row.amount - row.refunded();
        if amount == 0 {
            let message = format!("all of payment {} is refunded", row.id);
            return Err(Refusal::new(Reason::NothingLeft, "payment_id", message));
        }
        let source = Source::Payment(payment);
        let allocated = row.invoices.iter().filter_map(|no| ledger.invoices.get(no.0));
        let last = allocated
            .flat_map(|invoice| &invoice.allocations)
            .filter(|allocation| allocation.source == source)
            .map(|allocation| allocation.date)
            // What was elsewhere for a time cannot have been taken back in that time.
            .chain(row.spells.iter().map(|spell| spell.to))
            .chain(row.refunds.iter().map(|refund| refund.date))
            .chain([row.received_on])
            .max()
            .unwrap_or(row.received_on);
        let today = lookup::today(state, ledger)?;
        let what = "the payment, its allocations or its refunds";
        let date = lookup::not_before(self.date, today, last, what)?;
        let mut book = Book::open(state, ledger)?;
        for invoice in &row.invoices {
            book.deallocate(source, *invoice, None, Some(date))?;
        }
        let ledger = ledger.no;
        book.push(PaymentReversed { ledger, payment, kind: self.kind, amount, date });
        Ok(Decision::Accept(book.close()))
    }
}
