//! `RefundPayment`: pays money back.

use super::allocation::Book;
use super::{Context, Decision, lookup};
use crate::content::Content;
use crate::currency::Currency;
use crate::event::{Method, PaymentRefunded};
use crate::id::Id;
use crate::limits::MAX_ALLOCATIONS;
use crate::money::Money;
use crate::number::{Source, Subject};
use crate::position::Day;
use crate::refusal::{Reason, Refusal};
use crate::state::{Payment, State};
use crate::text;

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
        let (payment, row) = lookup::payment(state, ledger, &self.payment_id)?;
        lookup::check_version(context, row.version)?;
        self.check(row)?;
        let source = Source::Payment(payment);
        let today = lookup::today(state, ledger)?;
        let mut book = Book::open(state, ledger)?;
        let (amount, start) = match &self.invoice_id {
            Some(id) => {
                let (invoice, item) = lookup::owed(state, ledger, id)?;
                let date = book.deallocate(source, invoice, self.amount, self.date)?;
                (self.amount.unwrap_or(item.allocated_from(source)), date)
            }
            None => (self.unapplied(row)?, self.date.unwrap_or(today)),
        };
        // What was on an invoice for a time cannot have been paid back in that time.
        let free = book.free_from(source, amount, start)?;
        let what = "the payment or of the last allocation that came off";
        let date = lookup::not_before(self.date, start, free, what)?;
        let unapplied_after = book.unapplied_of(source)? - amount;
        book.push(PaymentRefunded {
            ledger: ledger.no,
            payment,
            amount,
            method: self.method.unwrap_or(row.method),
            date,
            reference: self.reference.as_str().into(),
            unapplied_after,
        });
        Ok(Decision::Accept(book.close()))
    }

    fn check(&self, row: &Payment) -> Result<(), Refusal> {
        text::check("reference", &self.reference)?;
        if let Some(currency) = self.currency.filter(|currency| *currency != row.currency) {
            return Err(Refusal::new(
                Reason::CurrencyMismatch,
                "amount",
                format!("payment {} is in {}, not in {currency}", row.id, row.currency),
            )
            .with("payment_currency", row.currency)
            .with("currency", currency));
        }
        if let Some(amount) = self.amount {
            lookup::positive("amount", Money::new(amount, row.currency))?;
        }
        if row.reversed > 0 {
            let message = format!("payment {} is reversed: none of it is left", row.id);
            return Err(Refusal::new(Reason::WrongState, "payment_id", message));
        }
        if row.refunds.len() >= MAX_ALLOCATIONS {
            let message =
                format!("payment {} has {MAX_ALLOCATIONS} refunds, the most there may be", row.id);
            return Err(Refusal::new(Reason::LimitReached, "payment_id", message)
                .with("limit", MAX_ALLOCATIONS));
        }
        Ok(())
    }

    /// How much of the unapplied money is asked for.
    fn unapplied(&self, row: &Payment) -> Result<i64, Refusal> {
        if row.unapplied == 0 {
            let message = format!("nothing of payment {} is unapplied", row.id);
            return Err(Refusal::new(Reason::NothingLeft, "payment_id", message));
        }
        match self.amount {
            Some(amount) if amount > row.unapplied => {
                let unapplied = Money::new(row.unapplied, row.currency);
                let asked = Money::new(amount, row.currency);
                Err(Refusal::new(
                    Reason::OverAllocation,
                    "amount",
                    format!("unapplied amount is {unapplied}, asked {asked} (payment {})", row.id),
                )
                .with("limit", unapplied)
                .with("asked", asked)
                .with("payment_id", &row.id))
            }
            amount => Ok(amount.unwrap_or(row.unapplied)),
        }
    }
}
