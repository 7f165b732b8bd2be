//! What lists are filtered by: labels, ranges, states of the follow-up.

use encours_domain::labels::{CustomerLabel, CustomerLabels, InvoiceLabel, InvoiceLabels};
use encours_domain::{Currency, Day, Reason, Refusal};

use crate::money::{missing, money, money_in, optional_day, unknown_word};
use crate::v1;

/// The most bytes of a text to look for.
pub const MAX_SEARCH_BYTES: usize = 256;

/// Amounts of one currency, in minor units; both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amounts {
    /// The currency.
    pub currency: Currency,
    /// The least.
    pub least: Option<i64>,
    /// The most; not below the least.
    pub most: Option<i64>,
}

/// Reads a label of invoices.
///
/// # Errors
/// `UNKNOWN_VALUE`, naming the field and what it can be.
pub fn invoice_label(field: &str, message: &v1::LabelFilter) -> Result<InvoiceLabel, Refusal> {
    let set = InvoiceLabels::by_id(&message.label_set).ok_or_else(|| {
        let known: Vec<&str> = InvoiceLabels::ALL.iter().map(|set| set.id()).collect();
        unknown_set(field, message, &known)
    })?;
    set.parse(&message.label).ok_or_else(|| unknown_label(field, message, set.words()))
}

/// Reads a label of customers.
///
/// # Errors
/// `UNKNOWN_VALUE`, naming the field and what it can be.
pub fn customer_label(field: &str, message: &v1::LabelFilter) -> Result<CustomerLabel, Refusal> {
    let set = CustomerLabels::by_id(&message.label_set).ok_or_else(|| {
        let known: Vec<&str> = CustomerLabels::ALL.iter().map(|set| set.id()).collect();
        unknown_set(field, message, &known)
    })?;
    set.parse(&message.label).ok_or_else(|| unknown_label(field, message, set.words()))
}

fn unknown_set(field: &str, message: &v1::LabelFilter, known: &[&str]) -> Refusal {
    unknown_word(&format!("{field}.label_set"), &message.label_set, known)
}

fn unknown_label(field: &str, message: &v1::LabelFilter, known: &[&str]) -> Refusal {
    unknown_word(&format!("{field}.label"), &message.label, known)
}

/// Reads a range of days: first and last, both included.
///
/// # Errors
/// `INVALID_DATE`, naming the field; also where it ends before it begins.
pub fn days(field: &str, range: v1::DateRange) -> Result<(Option<Day>, Option<Day>), Refusal> {
    let first = optional_day(&format!("{field}.first"), range.first)?;
    let last = optional_day(&format!("{field}.last"), range.last)?;
    match (first, last) {
        (Some(first), Some(last)) if last < first => Err(Refusal::new(
            Reason::InvalidDate,
            format!("{field}.last"),
            format!("{field} ends on {last}, before it begins, on {first}"),
        )
        .with("first", first)
        .with("last", last)),
        range => Ok(range),
    }
}

/// Reads a range of amounts.
///
/// # Errors
/// As [`money()`]; `MISSING_FIELD` where neither end is given, `CURRENCY_MISMATCH`, and
/// `INVALID_AMOUNT` where it ends below its beginning.
pub fn amounts(field: &str, range: &v1::MoneyRange) -> Result<Amounts, Refusal> {
    let (least, most) = (format!("{field}.least"), format!("{field}.most"));
    let Some(first) = range
        .least
        .as_ref()
        .map(|amount| (&least, amount))
        .or_else(|| range.most.as_ref().map(|amount| (&most, amount)))
    else {
        return Err(missing(&least));
    };
    let currency = money(first.0, first.1)?.currency;
    let end = |field: &str, amount: &Option<v1::Money>| {
        amount.as_ref().map(|amount| money_in(field, amount, currency)).transpose()
    };
    let amounts =
        Amounts { currency, least: end(&least, &range.least)?, most: end(&most, &range.most)? };
    match (amounts.least, amounts.most) {
        (Some(from), Some(to)) if to < from => Err(Refusal::new(
            Reason::InvalidAmount,
            most,
            format!("{field} ends below its beginning"),
        )),
        _ => Ok(amounts),
    }
}

/// Checks a text to look for.
///
/// # Errors
/// `TOO_LARGE`, naming `field`, above [`MAX_SEARCH_BYTES`].
pub fn search(field: &str, text: String) -> Result<String, Refusal> {
    let bytes = text.len();
    if bytes <= MAX_SEARCH_BYTES {
        return Ok(text);
    }
    let message = format!("{field} has {bytes} bytes, at most {MAX_SEARCH_BYTES} are searched for");
    Err(Refusal::new(Reason::TooLarge, field, message)
        .with("bytes", bytes)
        .with("limit", MAX_SEARCH_BYTES))
}
