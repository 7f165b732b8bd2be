//! `IssueCreditNote`: credits part or all of an invoice.

use super::allocation::Book;
use super::{Context, Decision, lookup};
use crate::content::Content;
use crate::currency::Currency;
use crate::event::CreditNoteIssued;
use crate::id::Id;
use crate::money::Money;
use crate::number::{CreditNoteNo, InvoiceNo, Source, Subject};
use crate::position::Day;
use crate::refusal::{Reason, Refusal};
use crate::series;
use crate::state::{Invoice, Kind, Ledger, State};
use crate::text;
use std::sync::Arc;

/// Issues a numbered credit note against an invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssueCreditNote {
    /// The ledger.
    pub ledger_id: Id,
    /// Its id; assigned where left out.
    pub credit_note_id: Option<Id>,
    /// The invoice it corrects.
    pub invoice_id: Id,
    /// The number, where the caller numbers its own; else the series allots one.
    pub number: Option<String>,
    /// What it credits, in minor units; all that is creditable where left out.
    pub amount: Option<i64>,
    /// The currency that the amounts are meant in; the invoice's, which it must be, where left out.
    pub currency: Option<Currency>,
    /// The issue date; the ledger's today where left out.
    pub issue_date: Option<Day>,
    /// What becomes of it.
    pub usage: CreditUse,
    /// Why; may be empty.
    pub reason: String,
}

/// What becomes of a credit note's amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreditUse {
    /// Offset as far as the invoice is open, keep the rest.
    OffsetThenKeep,
    /// This much (minor units) reduces the invoice; the rest is kept.
    Offset(i64),
    /// All of it stays with the customer, for any of its invoices.
    Keep,
}

impl IssueCreditNote {
    pub(super) fn content(&self, out: &mut dyn Content) {
        out.text(1, self.ledger_id.as_str());
        out.optional_text(2, self.credit_note_id.as_ref().map(Id::as_str));
        out.text(3, self.invoice_id.as_str());
        out.optional_text(4, self.number.as_deref());
        out.optional_number(5, self.amount);
        out.optional_number(6, self.issue_date.map(|day| i64::from(day.number())));
        match self.usage {
            CreditUse::OffsetThenKeep => {}
            CreditUse::Offset(amount) => out.number(7, amount),
            CreditUse::Keep => out.number(8, 1),
        }
        out.text(9, &self.reason);
        out.optional_text(10, self.currency.as_ref().map(Currency::code));
    }

    pub(super) const fn named(&self, _: &State) -> Option<Subject> {
        None
    }

    pub(super) fn decide(&self, state: &State, context: &Context) -> Result<Decision, Refusal> {
        let ledger = lookup::ledger(state, &self.ledger_id)?;
        let id = lookup::assigned(self.credit_note_id.as_ref(), "credit_note_id")?;
        if let Some(repeat) = repeat(state, context, ledger, &id)? {
            return Ok(repeat);
        }
        let (invoice, row) = lookup::creditable(state, ledger, &self.invoice_id)?;
        lookup::check_version(context, row.version)?;
        lookup::check_currency("amount", self.currency, row)?;
        let creditable = row.total - row.credit_noted;
        let money = |minor| Money::new(minor, row.currency);
        if creditable == 0 {
            let message = format!("nothing is creditable on invoice {}", row.id);
            return Err(Refusal::new(Reason::NothingLeft, "invoice_id", message));
        }
        let amount = lookup::positive("amount", money(self.amount.unwrap_or(creditable)))?;
        if amount > creditable {
            return Err(over_credit("amount", "creditable", money(creditable), money(amount)));
        }
        let offset = match self.usage {
            CreditUse::OffsetThenKeep => amount.min(row.open),
            CreditUse::Keep => 0,
            CreditUse::Offset(offset) => {
                let most = amount.min(row.open);
                if lookup::positive("offset", money(offset))? > most {
                    return Err(over_credit(
                        "offset",
                        "open or credited",
                        money(most),
                        money(offset),
                    ));
                }
                offset
            }
        };
        let asked = NewCreditNote {
            id,
            invoice,
            row,
            number: self.number.as_deref(),
            amount,
            date: self.issue_date,
            date_field: "issue_date",
            reason: &self.reason,
        };
        let mut book = Book::open(state, ledger)?;
        let (source, date) = asked.issue(state, ledger, &mut book)?;
        if offset > 0 {
            book.allocate(source, invoice, offset, date)?;
        }
        Ok(Decision::Accept(book.close()))
    }
}

/// The first outcome, where a credit note with this id and content exists.
pub(super) fn repeat(
    state: &State,
    context: &Context,
    ledger: &Ledger,
    id: &Id,
) -> Result<Option<Decision>, Refusal> {
    match lookup::credit_note(state, ledger, id) {
        Ok((no, row)) if row.digest == context.digest => Ok(Some(Decision::Repeat {
            subject: Subject::CreditNote(ledger.no, no),
            position: row.created,
        })),
        Ok(_) => Err(lookup::id_exists("credit_note_id", "credit note", id)),
        Err(_) => Ok(None),
    }
}

/// A credit note about to be issued.
pub(super) struct NewCreditNote<'a> {
    pub(super) id: Id,
    pub(super) invoice: InvoiceNo,
    pub(super) row: &'a Invoice,
    pub(super) number: Option<&'a str>,
    pub(super) amount: i64,
    pub(super) date: Option<Day>,
    /// What the command calls its date.
    pub(super) date_field: &'static str,
    pub(super) reason: &'a str,
}

impl NewCreditNote<'_> {
    /// Enters it in the book; tells it as a source, and its date.
    pub(super) fn issue(
        self,
        state: &State,
        ledger: &Ledger,
        book: &mut Book<'_>,
    ) -> Result<(Source, Day), Refusal> {
        text::check("reason", self.reason)?;
        let amount = Money::new(self.amount, self.row.currency);
        lookup::check_fits("amount", ledger, amount)?;
        let today = lookup::today(state, ledger)?;
        let dated = |refusal| Refusal { field: self.date_field.to_owned(), ..refusal };
        let date = lookup::not_before(self.date, today, self.row.issue_date, "the invoice")
            .map_err(dated)?;
        let (number, allotted) = self.number(state, ledger, date, today)?;
        let credit_note =
            CreditNoteNo(lookup::next_number(ledger.credit_notes.len(), "credit_note_id")?);
        book.push(CreditNoteIssued {
            ledger: ledger.no,
            credit_note,
            id: self.id,
            invoice: self.invoice,
            customer: self.row.customer,
            number,
            allotted,
            currency: self.row.currency,
            amount: self.amount,
            issue_date: date,
            reason: self.reason.into(),
        });
        let source = Source::CreditNote(credit_note);
        book.add_source(source, self.amount, date);
        book.credit_noted(self.invoice, self.amount)?;
        Ok((source, date))
    }

    fn number(
        &self,
        state: &State,
        ledger: &Ledger,
        date: Day,
        today: Day,
    ) -> Result<(Arc<str>, bool), Refusal> {
        let Some(given) = self.number else {
            let dated = |refusal| Refusal { field: self.date_field.to_owned(), ..refusal };
            return Ok((ledger.credit_note_series.allot(date, today).map_err(dated)?, true));
        };
        let number = series::check_given(given, &ledger.credit_note_series)?;
        if state.indexes().find(Kind::CreditNoteNumber, ledger.no, given).is_some() {
            return Err(Refusal::new(
                Reason::NumberExists,
                "number",
                format!("the number {given} is used already in ledger {}", ledger.id),
            )
            .with("number", given));
        }
        Ok((number, false))
    }
}

fn over_credit(field: &str, what: &str, limit: Money, asked: Money) -> Refusal {
    Refusal::new(Reason::OverCredit, field, format!("{what} is {limit}, asked {asked}"))
        .with("limit", limit)
        .with("asked", asked)
}
