//! Automatic allocation: which invoices a payment is for.

use std::collections::BTreeSet;

use super::RecordPayment;
use crate::currency::Currency;
use crate::limits::MAX_ALLOCATIONS;
use crate::number::{CustomerNo, InvoiceNo};
use crate::reference;
use crate::state::{Indexes, Kind, Ledger, State};

/// How many words of a payer's reference are looked at.
const MAX_WORDS: usize = 64;
/// The most characters of an ISO 11649 reference.
const MAX_REFERENCE: usize = 25;

/// The invoices of the customer, in the order in which the payment settles them: those that its
/// reference names by number or RF reference; else one whose open amount is exactly the payment;
/// else all open ones, oldest due date first, then by number. What the named ones leave stays
/// unapplied.
pub(super) fn targets<'a>(
    state: &'a State,
    ledger: &'a Ledger,
    (customer, currency): (CustomerNo, Currency),
    payment: &RecordPayment,
) -> Box<dyn Iterator<Item = InvoiceNo> + 'a> {
    let indexes = state.indexes();
    if let Some(named) = named(indexes, ledger, (customer, currency), &payment.reference) {
        return Box::new(named.into_iter());
    }
    let exact = payment
        .amount
        .and_then(|amount| indexes.open_exactly(ledger.no, customer, currency, amount));
    if let Some(invoice) = exact {
        return Box::new(std::iter::once(invoice));
    }
    Box::new(indexes.open_invoices(ledger.no, customer, currency))
}

/// The customer's open invoices in the currency that a text names by number or reference, oldest due
/// date first; `None` where it names none, open or settled.
fn named(
    indexes: &Indexes,
    ledger: &Ledger,
    sides: (CustomerNo, Currency),
    text: &str,
) -> Option<Vec<InvoiceNo>> {
    let (customer, currency) = sides;
    let (numbers, references) = names(text);
    let by_number =
        numbers.iter().filter_map(|text| indexes.find(Kind::InvoiceNumber, ledger.no, text));
    let kind = Kind::Reference(customer, currency);
    let by_reference = references.iter().filter_map(|text| indexes.find(kind, ledger.no, text));
    let mut found: BTreeSet<u32> = by_number.chain(by_reference).collect();
    for reference in &references {
        // Several invoices of a customer may carry the same reference.
        let open = indexes.open_with_reference(ledger.no, customer, currency, reference);
        found.extend(open.take(MAX_ALLOCATIONS).map(|no| no.0));
    }
    let mut named: Vec<_> = found
        .into_iter()
        .filter_map(|no| ledger.invoices.get(no).map(|row| (InvoiceNo(no), row)))
        .filter(|(_, row)| (row.customer, row.currency) == sides && !row.is_owing())
        .collect();
    named.sort_by(|(_, a), (_, b)| (a.due.date, &a.number).cmp(&(b.due.date, &b.number)));
    (!named.is_empty()).then(|| named.into_iter().map(|(no, _)| no).collect())
}

/// What may be document numbers, and what may be references, in a payer's text.
fn names(text: &str) -> (BTreeSet<&str>, BTreeSet<String>) {
    let separator = |c: char| c.is_whitespace() || matches!(c, ',' | ';' | '(' | ')' | '"');
    let words: Vec<&str> =
        text.split(separator).filter(|word| !word.is_empty()).take(MAX_WORDS).collect();
    let numbers = words.iter().copied().chain([text.trim()]).collect();
    let mut references = BTreeSet::new();
    for at in 0..words.len() {
        // A reference is often printed in groups of four: RF18 5390 0754 7034.
        let mut joined = String::new();
        for part in words.iter().skip(at) {
            joined.push_str(&reference::normalise(part));
            if !joined.starts_with("RF") || joined.len() > MAX_REFERENCE {
                break;
            }
            references.insert(joined.clone());
        }
    }
    (numbers, references)
}
