//! From the ids of a command to the rows it is about, or the refusal that names what is unknown.

use std::sync::Arc;

use super::Context;
use crate::currency::Currency;
use crate::event::{Direction, Draft};
use crate::id::Id;
use crate::limits::MAX_VOLUME;
use crate::money::Money;
use crate::number::{CreditNoteNo, CustomerNo, InvoiceNo, LedgerNo, PaymentNo};
use crate::position::{Day, Position};
use crate::refusal::{Reason, Refusal};
use crate::state::{Clock, CreditNote, Customer, Invoice, Kind, Ledger, Payment, Stage, State};

fn unknown(reason: Reason, field: &'static str, what: &str, id: &Id) -> Refusal {
    Refusal::new(reason, field, format!("there is no {what} {id}")).with("id", id)
}

pub(super) fn ledger<'a>(state: &'a State, id: &Id) -> Result<&'a Ledger, Refusal> {
    state
        .indexes()
        .find(Kind::Ledger, LedgerNo(0), id.as_str())
        .and_then(|no| state.rows().ledgers.get(no))
        .ok_or_else(|| unknown(Reason::UnknownLedger, "ledger_id", "ledger", id))
}

pub(super) fn clock<'a>(state: &'a State, ledger: &Ledger) -> Result<&'a Clock, Refusal> {
    state
        .rows()
        .clocks
        .get(ledger.clock.0)
        .ok_or_else(|| unknown(Reason::UnknownClock, "ledger_id", "clock of ledger", &ledger.id))
}

pub(super) fn today(state: &State, ledger: &Ledger) -> Result<Day, Refusal> {
    clock(state, ledger).map(|clock| clock.today)
}

pub(super) fn customer<'a>(
    state: &State,
    ledger: &'a Ledger,
    id: &Id,
) -> Result<(CustomerNo, &'a Customer), Refusal> {
    known_customer(state, ledger, id)
        .ok_or_else(|| unknown(Reason::UnknownCustomer, "customer_id", "customer", id))
}

/// The customer with this id, where there is one.
pub(super) fn known_customer<'a>(
    state: &State,
    ledger: &'a Ledger,
    id: &Id,
) -> Option<(CustomerNo, &'a Customer)> {
    let no = state.indexes().find(Kind::Customer, ledger.no, id.as_str())?;
    Some((CustomerNo(no), ledger.customers.get(no)?))
}

pub(super) fn invoice<'a>(
    state: &State,
    ledger: &'a Ledger,
    id: &Id,
) -> Result<(InvoiceNo, &'a Invoice), Refusal> {
    known_invoice(state, ledger, id)
        .ok_or_else(|| unknown(Reason::UnknownInvoice, "invoice_id", "invoice", id))
}

/// The invoice with this id, where there is one.
pub(super) fn known_invoice<'a>(
    state: &State,
    ledger: &'a Ledger,
    id: &Id,
) -> Option<(InvoiceNo, &'a Invoice)> {
    let no = state.indexes().find(Kind::Invoice, ledger.no, id.as_str())?;
    Some((InvoiceNo(no), ledger.invoices.get(no)?))
}

/// What is issued: an invoice or an opening item, not a draft.
pub(super) fn issued<'a>(
    state: &State,
    ledger: &'a Ledger,
    id: &Id,
) -> Result<(InvoiceNo, &'a Invoice), Refusal> {
    let (no, row) = invoice(state, ledger, id)?;
    match row.stage {
        Stage::Issued => Ok((no, row)),
        Stage::Draft(_) => Err(wrong_item(id, "is a draft: issue it first")),
        Stage::Deleted => Err(wrong_item(id, "is a deleted draft")),
    }
}

/// What can be sent, paid and disputed: an issued invoice or an opening item that is owed.
pub(super) fn owed<'a>(
    state: &State,
    ledger: &'a Ledger,
    id: &Id,
) -> Result<(InvoiceNo, &'a Invoice), Refusal> {
    let (no, row) = issued(state, ledger, id)?;
    match &row.opening {
        Some(opening) if opening.direction == Direction::Owing => {
            Err(wrong_item(id, "is an opening item owing to the customer: it is a credit"))
        }
        _ => Ok((no, row)),
    }
}

/// What can be credited: an issued invoice, not an opening item.
pub(super) fn creditable<'a>(
    state: &State,
    ledger: &'a Ledger,
    id: &Id,
) -> Result<(InvoiceNo, &'a Invoice), Refusal> {
    let (no, row) = issued(state, ledger, id)?;
    match row.opening {
        Some(_) => Err(wrong_item(id, "is an opening item: correct it instead")),
        None => Ok((no, row)),
    }
}

/// A draft that can be changed, and what it says.
pub(super) fn draft<'a>(
    state: &State,
    ledger: &'a Ledger,
    id: &Id,
) -> Result<(InvoiceNo, &'a Invoice, &'a Arc<Draft>), Refusal> {
    let (no, row) = invoice(state, ledger, id)?;
    match &row.stage {
        Stage::Draft(draft) => Ok((no, row, draft)),
        Stage::Deleted => Err(wrong_item(id, "is a deleted draft")),
        Stage::Issued if row.opening.is_some() => Err(wrong_item(id, "is an opening item")),
        Stage::Issued => Err(wrong_item(id, "is issued already")),
    }
}

fn wrong_item(id: &Id, why: &str) -> Refusal {
    Refusal::new(Reason::WrongState, "invoice_id", format!("invoice {id} {why}"))
        .with("invoice_id", id)
}

pub(super) fn payment<'a>(
    state: &State,
    ledger: &'a Ledger,
    id: &Id,
) -> Result<(PaymentNo, &'a Payment), Refusal> {
    known_payment(state, ledger, id)
        .ok_or_else(|| unknown(Reason::UnknownPayment, "payment_id", "payment", id))
}

/// The payment with this id, where there is one.
pub(super) fn known_payment<'a>(
    state: &State,
    ledger: &'a Ledger,
    id: &Id,
) -> Option<(PaymentNo, &'a Payment)> {
    let no = state.indexes().find(Kind::Payment, ledger.no, id.as_str())?;
    Some((PaymentNo(no), ledger.payments.get(no)?))
}

pub(super) fn credit_note<'a>(
    state: &State,
    ledger: &'a Ledger,
    id: &Id,
) -> Result<(CreditNoteNo, &'a CreditNote), Refusal> {
    state
        .indexes()
        .find(Kind::CreditNote, ledger.no, id.as_str())
        .and_then(|no| Some((CreditNoteNo(no), ledger.credit_notes.get(no)?)))
        .ok_or_else(|| unknown(Reason::UnknownCreditNote, "credit_note_id", "credit note", id))
}

/// The id that the engine has filled in where the caller left it out.
pub(super) fn assigned(id: Option<&Id>, field: &'static str) -> Result<Id, Refusal> {
    id.cloned().ok_or_else(|| Refusal::missing(field))
}

/// The next dense number of a table.
pub(super) fn next_number(len: u32, field: &'static str) -> Result<u32, Refusal> {
    if len < u32::MAX {
        return Ok(len);
    }
    Err(Refusal::new(Reason::LimitReached, field, format!("there are {len} already")))
}

pub(super) fn id_exists(field: &'static str, what: &str, id: &Id) -> Refusal {
    Refusal::new(Reason::IdExists, field, format!("{what} {id} exists already with other content"))
        .with("id", id)
}

pub(super) fn check_version(context: &Context, version: Position) -> Result<(), Refusal> {
    match context.expected_version {
        Some(expected) if expected != version => Err(Refusal::new(
            Reason::VersionMismatch,
            "expected_version",
            format!("the version is {version}, expected {expected}"),
        )
        .with("version", version)
        .with("expected", expected)),
        _ => Ok(()),
    }
}

/// A command that creates something has no version to expect.
pub(super) fn no_version(context: &Context) -> Result<(), Refusal> {
    match context.expected_version {
        None => Ok(()),
        Some(_) => Err(Refusal::new(
            Reason::ConflictingFields,
            "expected_version",
            "expected_version is for what exists, this command creates something",
        )),
    }
}

/// `date` where it is given, else `today`; never before `fact`, which it undoes or follows.
pub(super) fn not_before(
    date: Option<Day>,
    today: Day,
    fact: Day,
    what: &str,
) -> Result<Day, Refusal> {
    match date {
        None => Ok(today.max(fact)),
        Some(date) if date >= fact => Ok(date),
        Some(date) => Err(Refusal::new(
            Reason::DatedBeforeFact,
            "date",
            format!("the date {date} lies before {fact}, the date of {what}"),
        )
        .with("date", date)
        .with("fact_date", fact)),
    }
}

/// An amount for an invoice must be meant in the invoice's currency.
pub(super) fn check_currency(
    field: &str,
    currency: Option<Currency>,
    invoice: &Invoice,
) -> Result<(), Refusal> {
    match currency {
        Some(currency) if currency != invoice.currency => Err(Refusal::new(
            Reason::CurrencyMismatch,
            field,
            format!("invoice {} is in {}, not in {currency}", invoice.id, invoice.currency),
        )
        .with("invoice_id", &invoice.id)
        .with("invoice_currency", invoice.currency)
        .with("currency", currency)),
        _ => Ok(()),
    }
}

/// An amount that must be above 0.
pub(super) fn positive(field: &str, amount: Money) -> Result<i64, Refusal> {
    if amount.minor > 0 {
        return Ok(amount.minor);
    }
    Err(Refusal::new(Reason::NotPositive, field, format!("{field} must be above 0, is {amount}"))
        .with("amount", amount))
}

/// A document's amount must leave the ledger's volume in its currency under its limit.
///
/// WHY: every figure of every customer, of the ledger, of any day, adds up amounts of documents. With
/// all of them together under a quarter of 64 bits, no sum that a reader makes can overflow.
pub(super) fn check_fits(field: &str, ledger: &Ledger, amount: Money) -> Result<(), Refusal> {
    let volume = ledger.volume_in(amount.currency);
    match volume.checked_add(amount.minor) {
        Some(sum) if sum <= MAX_VOLUME => Ok(()),
        _ => {
            let currency = amount.currency;
            let (volume, limit) = (Money::new(volume, currency), Money::new(MAX_VOLUME, currency));
            Err(Refusal::new(
                Reason::AmountOverflow,
                field,
                format!(
                    "{field} is {amount}: with the {volume} of the documents that are there, ledger \
                     {} would pass {limit}",
                    ledger.id
                ),
            )
            .with("amount", amount)
            .with("volume", volume)
            .with("limit", limit))
        }
    }
}
