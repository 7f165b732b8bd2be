//! What issuing an invoice and issuing a draft have in common, and what a draft is checked for.

use std::sync::Arc;

use super::{allocation, lookup};
use crate::credit::{Credit, Verdict};
use crate::event::{CreditLimitExceeded, Draft, Event, InvoiceIssued, InvoicePaid};
use crate::id::Id;
use crate::money::Money;
use crate::number::InvoiceNo;
use crate::position::Day;
use crate::reference;
use crate::refusal::{Reason, Refusal};
use crate::state::{Kind, Ledger, State};
use crate::terms::{Due, DueTerms};

/// Issues what a draft says, be it one that was written down or one that a command makes on the
/// spot: settles its dates and its number, and tells what follows at once.
pub(super) fn issue(
    state: &State,
    ledger: &Ledger,
    (invoice, id): (InvoiceNo, Id),
    draft: Draft,
    override_credit_limit: bool,
) -> Result<Vec<Event>, Refusal> {
    let today = lookup::today(state, ledger)?;
    let issue_date = draft.issue_date.unwrap_or(today);
    let due = due(&draft, issue_date, ledger)?;
    lookup::check_fits("total", ledger, Money::new(draft.total, draft.currency))?;
    let exceeded = check_credit(ledger, invoice, &draft, override_credit_limit)?;
    let (number, allotted) = match &draft.number {
        Some(given) => (check_free(state, ledger, given)?, false),
        None => (ledger.invoice_series.allot(issue_date, today)?, true),
    };
    let reference = draft.reference.unwrap_or_else(|| reference::of_number(&number));
    let issued = InvoiceIssued {
        ledger: ledger.no,
        invoice,
        id,
        customer: draft.customer,
        number,
        allotted,
        currency: draft.currency,
        total: draft.total,
        issue_date,
        due,
        reference,
        content: Arc::new(draft.content),
    };
    let follows = follows(&issued, today);
    let mut events = Vec::with_capacity(1);
    events.push(issued.into());
    events.extend(exceeded.map(Event::from));
    events.extend(follows);
    Ok(events)
}

/// Checks what can be checked of a draft before its dates and its number are settled.
pub(super) fn check_draft(state: &State, ledger: &Ledger, draft: &Draft) -> Result<(), Refusal> {
    match (draft.issue_date, draft.due) {
        (Some(issue_date), _) => drop(due(draft, issue_date, ledger)?),
        (None, Some(Due::Date(date))) => drop(DueTerms::new(Some(date), 0)?),
        (None, _) => {}
    }
    lookup::check_fits("total", ledger, Money::new(draft.total, draft.currency))?;
    if let Some(given) = &draft.number {
        check_free(state, ledger, given)?;
    }
    Ok(())
}

fn due(draft: &Draft, issue_date: Day, ledger: &Ledger) -> Result<DueTerms, Refusal> {
    match draft.due {
        Some(Due::Date(date)) if date < issue_date => Err(Refusal::new(
            Reason::DueBeforeIssue,
            "due_date",
            format!("the due date {date} lies before the issue date {issue_date}"),
        )
        .with("due_date", date)
        .with("issue_date", issue_date)),
        Some(Due::Date(date)) => DueTerms::new(Some(date), 0),
        Some(Due::Terms(terms)) => terms.due(issue_date),
        None => {
            let own = ledger.customers.get(draft.customer.0).and_then(|row| row.terms);
            own.unwrap_or(ledger.terms).due(issue_date)
        }
    }
}

/// A given number must not be used in the ledger yet.
pub(super) fn check_free(
    state: &State,
    ledger: &Ledger,
    given: &Arc<str>,
) -> Result<Arc<str>, Refusal> {
    if state.indexes().find(Kind::InvoiceNumber, ledger.no, given).is_none() {
        return Ok(Arc::clone(given));
    }
    Err(Refusal::new(
        Reason::NumberExists,
        "number",
        format!("the number {given} is used already in ledger {}", ledger.id),
    )
    .with("number", given))
}

/// What the customer's credit limit says to the invoice: nothing, an event, or no.
fn check_credit(
    ledger: &Ledger,
    invoice: InvoiceNo,
    draft: &Draft,
    overridden: bool,
) -> Result<Option<CreditLimitExceeded>, Refusal> {
    let Some(row) = ledger.customers.get(draft.customer.0) else { return Ok(None) };
    let credit = Credit::of(&row.credit_limits, &row.balances, draft.currency, draft.total);
    let Some(limit) = credit.limit.map(|limit| limit.limit) else { return Ok(None) };
    let (exposure, customer) = (credit.exposure_after(), draft.customer);
    let exceeded = |overridden| {
        let ledger = ledger.no;
        Some(CreditLimitExceeded { ledger, invoice, customer, limit, exposure, overridden })
    };
    match credit.verdict() {
        Verdict::Allowed => Ok(None),
        Verdict::Warned => Ok(exceeded(false)),
        Verdict::Refused if overridden => Ok(exceeded(true)),
        Verdict::Refused => {
            let money = |minor| Money::new(minor, draft.currency);
            let (limit, exposure) = (money(limit), money(exposure));
            Err(Refusal::new(
                Reason::CreditLimitExceeded,
                "override_credit_limit",
                format!(
                    "the credit limit of customer {} is {limit}, with this invoice it would owe \
                     {exposure}: say override_credit_limit",
                    row.id
                ),
            )
            .with("limit", limit)
            .with("exposure", exposure)
            .with("available", money(credit.available().unwrap_or(0)))
            .with("customer_id", &row.id))
        }
    }
}

/// What follows at once: a zero total is paid at issue; a due date that has come is told.
fn follows(issued: &InvoiceIssued, today: Day) -> Option<Event> {
    let (ledger, invoice, date) = (issued.ledger, issued.invoice, issued.issue_date);
    if issued.total == 0 {
        return Some(InvoicePaid { ledger, invoice, date }.into());
    }
    allocation::timing(ledger, invoice, issued.total, issued.due, false, today)
}
