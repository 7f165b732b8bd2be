//! `Deallocate`: takes money or credit off an invoice again.

use super::allocate::opening_source;
use super::allocation::Book;
use super::{Context, Decision, lookup};
use crate::content::Content;
use crate::currency::Currency;
use crate::id::Id;
use crate::money::Money;
use crate::number::Source;
use crate::number::Subject;
use crate::position::Day;
use crate::refusal::{Reason, Refusal};
use crate::state::{Ledger, State};

/// Takes what a payment or a credit has on an invoice back to unapplied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deallocate {
    /// The ledger.
    pub ledger_id: Id,
    /// The invoice.
    pub invoice_id: Id,
    /// The payment, where it is one.
    pub payment_id: Option<Id>,
    /// The credit note, where it is one.
    pub credit_note_id: Option<Id>,
    /// The opening item owing to the customer, where it is one.
    pub opening_item_id: Option<Id>,
    /// How much, in minor units; all of it where left out.
    pub amount: Option<i64>,
    /// The currency that the amount is meant in; the invoice's, which it must be, where left out.
    pub currency: Option<Currency>,
    /// The day, not before the allocation's; the ledger's today, or that day, where left out.
    pub date: Option<Day>,
}

impl Deallocate {
    pub(super) fn content(&self, out: &mut dyn Content) {
        out.text(1, self.ledger_id.as_str());
        out.text(2, self.invoice_id.as_str());
        out.optional_text(3, self.payment_id.as_ref().map(Id::as_str));
        out.optional_text(4, self.credit_note_id.as_ref().map(Id::as_str));
        out.optional_number(5, self.amount);
        out.optional_number(6, self.date.map(|day| i64::from(day.number())));
        out.optional_text(7, self.currency.as_ref().map(Currency::code));
        out.optional_text(8, self.opening_item_id.as_ref().map(Id::as_str));
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
        let source = self.source(state, ledger)?;
        if let Some(amount) = self.amount {
            lookup::positive("amount", Money::new(amount, row.currency))?;
        }
        let mut book = Book::open(state, ledger)?;
        book.deallocate(source, invoice, self.amount, self.date)?;
        Ok(Decision::Accept(book.close()))
    }

    fn source(&self, state: &State, ledger: &Ledger) -> Result<Source, Refusal> {
        match (&self.payment_id, &self.credit_note_id, &self.opening_item_id) {
            (Some(id), None, None) => {
                lookup::payment(state, ledger, id).map(|(no, _)| Source::Payment(no))
            }
            (None, Some(id), None) => {
                lookup::credit_note(state, ledger, id).map(|(no, _)| Source::CreditNote(no))
            }
            (None, None, Some(id)) => {
                opening_source(state, ledger, id).map(|(no, _)| Source::Opening(no))
            }
            (None, None, None) => Err(Refusal::missing("payment_id")),
            (first, second, _) => Err(Refusal::new(
                Reason::ConflictingFields,
                if first.is_some() && second.is_some() {
                    "credit_note_id"
                } else {
                    "opening_item_id"
                },
                "payment_id, credit_note_id and opening_item_id exclude each other",
            )),
        }
    }
}
