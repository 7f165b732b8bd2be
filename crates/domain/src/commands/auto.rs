//! Automatic allocation: which invoices a payment is for.

use std::collections::BTreeSet;

use super::RecordPayment;
use crate::currency::Currency;
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
    let named = named(indexes, ledger, (customer, currency), &payment.reference);
    if !named.is_empty() {
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

/// The customer's invoices in the currency that a text names, oldest due date first.
fn named(
    indexes: &Indexes,
    ledger: &Ledger,
    sides: (CustomerNo, Currency),
    text: &str,
) -> Vec<InvoiceNo> {
    let separator = |c: char| c.is_whitespace() || matches!(c, ',' | ';' | '(' | ')' | '"');
    let words: Vec<&str> =
        text.split(separator).filter(|word| !word.is_empty()).take(MAX_WORDS).collect();
    let mut found = BTreeSet::new();
    let mut look = |kind, text: &str| found.extend(indexes.find(kind, ledger.no, text));
    look(Kind::InvoiceNumber, text.trim());
    for (at, word) in words.iter().enumerate() {
        look(Kind::InvoiceNumber, word);
        // A reference is often printed in groups of four: RF18 5390 0754 7034.
        let mut joined = String::new();
        for part in words.iter().skip(at) {
            joined.push_str(&reference::normalise(part));
            if !joined.starts_with("RF") || joined.len() > MAX_REFERENCE {
                break;
            }
            look(Kind::Reference, &joined);
        }
    }
    let mut named: Vec<_> = found
        .into_iter()
        .filter_map(|no| ledger.invoices.get(no).map(|row| (InvoiceNo(no), row)))
        .filter(|(_, row)| (row.customer, row.currency) == sides)
        .collect();
    named.sort_by(|(_, a), (_, b)| (a.due.date, &a.number).cmp(&(b.due.date, &b.number)));
    named.into_iter().map(|(no, _)| no).collect()
}
