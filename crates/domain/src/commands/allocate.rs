//! `Allocate`: puts unapplied money or credit against an invoice.

use super::allocation::Book;
use super::{Context, Decision, lookup};
use crate::content::Content;
use crate::currency::Currency;
use crate::id::Id;
use crate::money::Money;
use crate::number::{CustomerNo, InvoiceNo, Source, Subject};
use crate::position::Day;
use crate::refusal::{Reason, Refusal};
use crate::state::{Invoice, Ledger, State};

/// Allocates unapplied money or credit of the invoice's customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allocate {
    /// The ledger.
    pub ledger_id: Id,
    /// The invoice.
    pub invoice_id: Id,
    /// Where the money comes from.
    pub from: From,
    /// How much, in minor units; as much as fits where left out.
    pub amount: Option<i64>,
    /// The currency that the amount is meant in; the invoice's, which it must be, where left out.
    pub currency: Option<Currency>,
    /// The day; the ledger's today where left out.
    pub date: Option<Day>,
}

/// Where allocated money comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// Credits, then payments, oldest first.
    Anything,
    /// Credits only (opening items owing to the customer are credits too), oldest first.
    CreditNotes,
    /// Payments only, oldest first.
    Payments,
    /// This payment.
    Payment(Id),
    /// This credit note.
    CreditNote(Id),
    /// This opening item owing to the customer.
    OpeningItem(Id),
}

impl Allocate {
    pub(super) fn content(&self, out: &mut dyn Content) {
        out.text(1, self.ledger_id.as_str());
        out.text(2, self.invoice_id.as_str());
        match &self.from {
            From::Anything => {}
            From::CreditNotes => out.number(3, 1),
            From::Payments => out.number(3, 2),
            From::Payment(id) => out.text(4, id.as_str()),
            From::CreditNote(id) => out.text(5, id.as_str()),
            From::OpeningItem(id) => out.text(9, id.as_str()),
        }
        out.optional_number(6, self.amount);
        out.optional_number(7, self.date.map(|day| i64::from(day.number())));
        out.optional_text(8, self.currency.as_ref().map(Currency::code));
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
        if let Some(amount) = self.amount {
            lookup::positive("amount", money(amount))?;
        }
        if row.open == 0 {
            let message = format!("nothing is open on invoice {}", row.id);
            return Err(Refusal::new(Reason::NothingLeft, "invoice_id", message));
        }
        let date = self.date.unwrap_or(lookup::today(state, ledger)?);
        let mut book = Book::open(state, ledger)?;
        match self.named_source(state, ledger, row)? {
            Some(source) => {
                let fits = row.open.min(book.unapplied_of(source)?);
                if fits == 0 {
                    return Err(nothing_unapplied(row));
                }
                book.allocate(source, invoice, self.amount.unwrap_or(fits), date)?;
            }
            None => self.any(state, ledger, (invoice, row), &mut book, date)?,
        }
        Ok(Decision::Accept(book.close()))
    }

    fn named_source(
        &self,
        state: &State,
        ledger: &Ledger,
        invoice: &Invoice,
    ) -> Result<Option<Source>, Refusal> {
        let source = match &self.from {
            From::Payment(id) => {
                let (no, row) = lookup::payment(state, ledger, id)?;
                check_sides("payment_id", (row.customer, row.currency), invoice)?;
                Source::Payment(no)
            }
            From::CreditNote(id) => {
                let (no, row) = lookup::credit_note(state, ledger, id)?;
                check_sides("credit_note_id", (row.customer, row.currency), invoice)?;
                Source::CreditNote(no)
            }
            From::OpeningItem(id) => {
                let (no, row) = opening_source(state, ledger, id)?;
                check_sides("opening_item_id", (row.customer, row.currency), invoice)?;
                Source::Opening(no)
            }
            From::Anything | From::CreditNotes | From::Payments => return Ok(None),
        };
        Ok(Some(source))
    }

    /// Credits, then payments, oldest first, up to what is open or asked.
    fn any(
        &self,
        state: &State,
        ledger: &Ledger,
        (invoice, row): (InvoiceNo, &Invoice),
        book: &mut Book<'_>,
        date: Day,
    ) -> Result<(), Refusal> {
        let asked = self.amount.unwrap_or(row.open);
        let mut left = asked;
        let wanted = |source: &Source| match source {
            Source::CreditNote(_) | Source::Opening(_) => self.from != From::Payments,
            Source::Payment(_) => self.from != From::CreditNotes,
        };
        let sources = state.indexes().free_sources(ledger.no, row.customer, row.currency);
        for source in sources.filter(wanted) {
            let amount = book.unapplied_of(source)?.min(left);
            if amount == 0 || !book.has_room(invoice)? {
                break;
            }
            if !book.may_take_another(source)? {
                continue;
            }
            book.allocate(source, invoice, amount, date)?;
            left -= amount;
        }
        if left == asked {
            return Err(nothing_unapplied(row));
        }
        if self.amount.is_some() && left > 0 {
            let (found, asked) = (asked - left, asked);
            let (found, asked) = (Money::new(found, row.currency), Money::new(asked, row.currency));
            return Err(Refusal::new(
                Reason::OverAllocation,
                "amount",
                format!("unapplied amount is {found}, asked {asked} (invoice {})", row.id),
            )
            .with("limit", found)
            .with("asked", asked));
        }
        Ok(())
    }
}

/// An opening item owing to the customer: a credit.
pub(super) fn opening_source<'a>(
    state: &State,
    ledger: &'a Ledger,
    id: &Id,
) -> Result<(InvoiceNo, &'a Invoice), Refusal> {
    let named = |refusal| Refusal { field: "opening_item_id".to_owned(), ..refusal };
    let (no, row) = lookup::invoice(state, ledger, id).map_err(named)?;
    if row.is_owing() {
        return Ok((no, row));
    }
    Err(Refusal::new(
        Reason::WrongState,
        "opening_item_id",
        format!("{id} is no opening item owing to the customer: there is no credit in it"),
    )
    .with("opening_item_id", id))
}

fn nothing_unapplied(invoice: &Invoice) -> Refusal {
    Refusal::new(
        Reason::NothingLeft,
        "invoice_id",
        format!(
            "there is nothing unapplied in {} to put on invoice {}",
            invoice.currency, invoice.id
        ),
    )
}

/// Both sides of an allocation have the same customer and currency.
pub(super) fn check_sides(
    field: &str,
    (customer, currency): (CustomerNo, Currency),
    invoice: &Invoice,
) -> Result<(), Refusal> {
    if customer != invoice.customer {
        return Err(Refusal::new(
            Reason::CustomerMismatch,
            field,
            format!("invoice {} belongs to another customer", invoice.id),
        )
        .with("invoice_id", &invoice.id));
    }
    if currency != invoice.currency {
        return Err(Refusal::new(
            Reason::CurrencyMismatch,
            field,
            format!("invoice {} is in {}, not in {currency}", invoice.id, invoice.currency),
        )
        .with("invoice_id", &invoice.id)
        .with("invoice_currency", invoice.currency)
        .with("currency", currency));
    }
    Ok(())
}
