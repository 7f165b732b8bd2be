//! `RecordPayment`: money was received.

use std::borrow::Cow;

use super::allocate::check_sides;
use super::allocation::Book;
use super::{Context, Decision, auto, lookup};
use crate::content::Content;
use crate::currency::Currency;
use crate::event::Method;
use crate::event::PaymentRecorded;
use crate::id::Id;
use crate::limits::MAX_ALLOCATIONS;
use crate::money::Money;
use crate::number::{CustomerNo, InvoiceNo, PaymentNo, Source, Subject};
use crate::position::Day;
use crate::refusal::{Reason, Refusal};
use crate::state::{Invoice, Ledger, State};
use crate::text;

/// Records a payment and puts it against invoices as asked; the rest stays unapplied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordPayment {
    /// The ledger.
    pub ledger_id: Id,
    /// Its id; assigned where left out.
    pub payment_id: Option<Id>,
    /// Who paid. May be left out where `put` names an invoice: that invoice's customer.
    pub customer_id: Option<Id>,
    /// What was received, in minor units. May be left out with [`Put::Invoice`]: its open amount.
    pub amount: Option<i64>,
    /// The currency; the invoice's, else the customer's, else the ledger's, where left out.
    pub currency: Option<Currency>,
    /// How it came.
    pub method: Method,
    /// The day it was received; the ledger's today where left out.
    pub received_on: Option<Day>,
    /// The payer's reference; may be empty.
    pub reference: String,
    /// What it is for.
    pub put: Put,
}

/// What a payment is put against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Put {
    /// Nothing: all of it stays unapplied.
    Nothing,
    /// These invoices, with these amounts.
    Explicit(Vec<ExplicitAllocation>),
    /// One invoice, up to its open amount.
    Invoice(Id),
    /// The invoices that the reference names; else one whose open amount is exactly this; else
    /// the oldest due first.
    Auto,
}

/// An amount for an invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplicitAllocation {
    /// The invoice.
    pub invoice_id: Id,
    /// Minor units; above 0.
    pub amount: i64,
}

/// An invoice that the command names.
struct Aimed<'a> {
    field: Cow<'static, str>,
    invoice: InvoiceNo,
    row: &'a Invoice,
    /// The amount, where one is given.
    amount: Option<i64>,
}

impl RecordPayment {
    pub(super) fn content(&self, out: &mut dyn Content) {
        out.text(1, self.ledger_id.as_str());
        out.optional_text(2, self.payment_id.as_ref().map(Id::as_str));
        out.optional_text(3, self.customer_id.as_ref().map(Id::as_str));
        out.optional_number(4, self.amount);
        out.optional_text(5, self.currency.as_ref().map(Currency::code));
        out.number(6, self.method as i64);
        out.optional_number(7, self.received_on.map(|day| i64::from(day.number())));
        out.optional_text(8, Some(self.reference.as_str()).filter(|text| !text.is_empty()));
        match &self.put {
            Put::Nothing => {}
            Put::Explicit(allocations) => {
                for allocation in allocations {
                    out.text(9, allocation.invoice_id.as_str());
                    out.number(10, allocation.amount);
                }
            }
            Put::Invoice(id) => out.text(11, id.as_str()),
            Put::Auto => out.number(12, 1),
        }
    }

    pub(super) const fn named(&self, _: &State) -> Option<Subject> {
        None
    }

    pub(super) fn decide(&self, state: &State, context: &Context) -> Result<Decision, Refusal> {
        let ledger = lookup::ledger(state, &self.ledger_id)?;
        let id = lookup::assigned(self.payment_id.as_ref(), "payment_id")?;
        if let Some((no, row)) = lookup::known_payment(state, ledger, &id) {
            return if row.digest == context.digest {
                let subject = Subject::Payment(ledger.no, no);
                Ok(Decision::Repeat { subject, position: row.created })
            } else {
                Err(lookup::id_exists("payment_id", "payment", &id))
            };
        }
        lookup::no_version(context)?;
        text::check("reference", &self.reference)?;
        let aimed = self.aimed(state, ledger)?;
        let (customer, currency) = self.sides(state, ledger, &aimed)?;
        for aim in &aimed {
            check_sides(&aim.field, (customer, currency), aim.row)?;
        }
        let amount = self.amount(currency, &aimed)?;
        lookup::check_fits("amount", ledger, Money::new(amount, currency))?;
        let received_on = self.received_on.unwrap_or(lookup::today(state, ledger)?);
        let payment = PaymentNo(lookup::next_number(ledger.payments.len(), "payment_id")?);
        let source = Source::Payment(payment);
        let mut book = Book::open(state, ledger)?;
        book.push(PaymentRecorded {
            ledger: ledger.no,
            payment,
            id,
            customer,
            currency,
            amount,
            method: self.method,
            received_on,
            reference: text::shared(&self.reference),
        });
        book.add_source(source, amount, received_on);
        for aim in aimed {
            let part = aim.amount.unwrap_or(amount.min(aim.row.open));
            if part > 0 {
                book.allocate(source, aim.invoice, part, received_on)
                    .map_err(|no| Refusal { field: aim.field.into_owned(), ..no })?;
            }
        }
        if self.put == Put::Auto {
            for invoice in auto::targets(state, ledger, (customer, currency), self) {
                let left = book.unapplied_of(source)?;
                if left == 0 || !book.may_take_another(source)? {
                    break;
                }
                let part = left.min(book.open_on(invoice)?);
                if part > 0 && book.has_room(invoice)? {
                    book.allocate(source, invoice, part, received_on)?;
                }
            }
        }
        Ok(Decision::Accept(book.close()))
    }

    /// The invoices that the command names.
    fn aimed<'a>(&self, state: &State, ledger: &'a Ledger) -> Result<Vec<Aimed<'a>>, Refusal> {
        match &self.put {
            Put::Nothing | Put::Auto => Ok(Vec::new()),
            Put::Invoice(id) => {
                let (no, row) = lookup::owed(state, ledger, id)?;
                let field = "invoice_id".into();
                Ok(vec![Aimed { field, invoice: no, row, amount: None }])
            }
            Put::Explicit(allocations) => {
                if allocations.len() > MAX_ALLOCATIONS {
                    return Err(text::too_many("allocations", allocations.len(), MAX_ALLOCATIONS));
                }
                let one = |(at, asked): (usize, &ExplicitAllocation)| {
                    let parent = format!("allocations[{at}]");
                    let (no, row) = lookup::owed(state, ledger, &asked.invoice_id)
                        .map_err(|refusal| refusal.within(&parent))?;
                    let amount = Money::new(asked.amount, row.currency);
                    let field = format!("{parent}.amount");
                    let amount = lookup::positive(&field, amount)?;
                    Ok(Aimed { field: field.into(), invoice: no, row, amount: Some(amount) })
                };
                allocations.iter().enumerate().map(one).collect()
            }
        }
    }

    /// Who paid, in which currency.
    fn sides(
        &self,
        state: &State,
        ledger: &Ledger,
        aimed: &[Aimed<'_>],
    ) -> Result<(CustomerNo, Currency), Refusal> {
        let first = aimed.first().map(|aim| aim.row);
        let customer = match (&self.customer_id, first) {
            (Some(id), _) => lookup::customer(state, ledger, id)?.0,
            (None, Some(row)) => row.customer,
            (None, None) => return Err(Refusal::missing("customer_id")),
        };
        let own = ledger.customers.get(customer.0).and_then(|row| row.currency);
        let currency = self.currency.or(first.map(|row| row.currency)).or(own);
        Ok((customer, currency.unwrap_or(ledger.currency)))
    }

    fn amount(&self, currency: Currency, aimed: &[Aimed<'_>]) -> Result<i64, Refusal> {
        match (self.amount, &self.put, aimed) {
            (Some(amount), _, _) => lookup::positive("amount", Money::new(amount, currency)),
            (None, Put::Invoice(_), [Aimed { row, .. }]) if row.open == 0 => Err(Refusal::new(
                Reason::NothingLeft,
                "invoice_id",
                format!("nothing is open on invoice {}, and no amount is given", row.id),
            )),
            (None, Put::Invoice(_), [Aimed { row, .. }]) => Ok(row.open),
            _ => Err(Refusal::missing("amount")),
        }
    }
}
