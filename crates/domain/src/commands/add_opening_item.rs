//! `AddOpeningItem`: brings in an item from before the ledger.

use std::sync::Arc;

use super::allocation::Book;
use super::{Context, Decision, issuing, lookup};
use crate::content::Content;
use crate::currency::Currency;
use crate::event::{Direction, OpeningItemAdded};
use crate::id::Id;
use crate::money::Money;
use crate::number::{InvoiceNo, Subject};
use crate::position::Day;
use crate::reference;
use crate::refusal::{Reason, Refusal};
use crate::series;
use crate::state::{Invoice, Ledger, State};
use crate::terms::DueTerms;

/// Brings in what a customer owed, or was owed, before the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddOpeningItem {
    /// The ledger.
    pub ledger_id: Id,
    /// Its id among the invoices; assigned where left out.
    pub invoice_id: Option<Id>,
    /// The customer.
    pub customer_id: Id,
    /// Who owes whom.
    pub direction: Direction,
    /// The amount of the old document in minor units; above 0.
    pub amount: i64,
    /// What of it was settled before, in minor units: 0 to `amount`.
    pub paid: i64,
    /// The currency; the customer's, else the ledger's, where left out.
    pub currency: Option<Currency>,
    /// The day from which it counts; the ledger's today where left out.
    pub date: Option<Day>,
    /// When it is due, before or after `date`; `date` where left out. Not for one owing.
    pub due_date: Option<Day>,
    /// The number of the old document, unique in the ledger; the id where left out. One of the
    /// form of the ledger's own series must be of a year before today's, which the series has then
    /// passed.
    pub number: Option<String>,
    /// ISO 11649 reference (spaces ignored); made from the number where left out.
    pub reference: Option<String>,
    /// The day the old document was sent; its reminders wait for `MarkSent` where left out.
    pub sent_on: Option<Day>,
}

impl AddOpeningItem {
    pub(super) fn content(&self, out: &mut dyn Content) {
        out.text(1, self.ledger_id.as_str());
        out.optional_text(2, self.invoice_id.as_ref().map(Id::as_str));
        out.text(3, self.customer_id.as_str());
        out.number(4, self.direction as i64);
        out.number(5, self.amount);
        out.number(6, self.paid);
        out.optional_text(7, self.currency.as_ref().map(Currency::code));
        out.optional_number(8, self.date.map(|day| i64::from(day.number())));
        out.optional_number(9, self.due_date.map(|day| i64::from(day.number())));
        out.optional_text(10, self.number.as_deref());
        out.optional_text(11, self.reference.as_deref());
        out.optional_number(12, self.sent_on.map(|day| i64::from(day.number())));
    }

    pub(super) const fn named(&self, _: &State) -> Option<Subject> {
        None
    }

    pub(super) fn decide(&self, state: &State, context: &Context) -> Result<Decision, Refusal> {
        let ledger = lookup::ledger(state, &self.ledger_id)?;
        let id = lookup::assigned(self.invoice_id.as_ref(), "invoice_id")?;
        if let Some((no, row)) = lookup::known_invoice(state, ledger, &id) {
            return if row.digest == context.digest {
                let subject = Subject::Invoice(ledger.no, no);
                Ok(Decision::Repeat { subject, position: row.created })
            } else {
                Err(lookup::id_exists("invoice_id", "invoice", &id))
            };
        }
        lookup::no_version(context)?;
        let (customer, customer_row) = lookup::customer(state, ledger, &self.customer_id)?;
        let currency = self.currency.or(customer_row.currency).unwrap_or(ledger.currency);
        let amount = lookup::positive("amount", Money::new(self.amount, currency))?;
        check_paid("paid", self.paid, amount, currency)?;
        lookup::check_fits("amount", ledger, Money::new(amount, currency))?;
        let today = lookup::today(state, ledger)?;
        let date = self.date.unwrap_or(today);
        let due = self.due(date)?;
        let number = self.number(state, ledger, &id, today)?;
        let reference = match &self.reference {
            Some(given) => reference::check(given)?,
            None => reference::of_number(&number),
        };
        let invoice = InvoiceNo(lookup::next_number(ledger.invoices.len(), "invoice_id")?);
        let added = OpeningItemAdded {
            ledger: ledger.no,
            invoice,
            id,
            customer,
            number,
            direction: self.direction,
            currency,
            amount,
            paid: self.paid,
            date,
            due,
            reference,
            sent_on: self.sent_on,
        };
        let mut book = Book::open(state, ledger)?;
        if self.direction == Direction::Owed {
            let row = Invoice::opening_item(&added, context.position, context.digest);
            book.add_item(invoice, row);
        }
        book.push(added);
        Ok(Decision::Accept(book.close()))
    }

    fn due(&self, date: Day) -> Result<DueTerms, Refusal> {
        if self.direction == Direction::Owing {
            not_for_owing("due_date", self.due_date.is_some())?;
            not_for_owing("sent_on", self.sent_on.is_some())?;
        }
        DueTerms::new(Some(self.due_date.unwrap_or(date)), 0)
    }

    /// The number of the old document, else the id: unique, and none that the series could allot.
    fn number(
        &self,
        state: &State,
        ledger: &Ledger,
        id: &Id,
        today: Day,
    ) -> Result<Arc<str>, Refusal> {
        let given = self.number.as_deref().unwrap_or(id.as_str());
        let number = series::check_old(given, &ledger.invoice_series, today)?;
        issuing::check_free(state, ledger, &number)
    }
}

/// What was settled before lies between nothing and the amount.
pub(super) fn check_paid(
    field: &str,
    paid: i64,
    amount: i64,
    currency: Currency,
) -> Result<(), Refusal> {
    let (paid, amount) = (Money::new(paid, currency), Money::new(amount, currency));
    if paid.minor < 0 {
        let message = format!("paid must be 0 or more, is {paid}");
        return Err(Refusal::new(Reason::NotPositive, "paid", message).with("amount", paid));
    }
    if paid.minor > amount.minor {
        let message = format!("the amount is {amount}, paid before {paid}");
        return Err(Refusal::new(Reason::OverAllocation, field, message)
            .with("limit", amount)
            .with("asked", paid));
    }
    Ok(())
}

/// An item owing to the customer is not due and not sent.
pub(super) fn not_for_owing(field: &'static str, given: bool) -> Result<(), Refusal> {
    if !given {
        return Ok(());
    }
    let message = format!("{field} is for items owed by the customer, this one is owing to it");
    Err(Refusal::new(Reason::ConflictingFields, field, message))
}
