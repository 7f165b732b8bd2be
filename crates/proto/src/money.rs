//! Money, days, terms, balances and moments: the types that every message shares.

use encours_domain::balance::Balance;
use encours_domain::event::{Method, ReversalKind};
use encours_domain::terms::Terms;
use encours_domain::{Currency, Day, Micros, Money, Reason, Refusal, resource};

use crate::v1;

const MICROS_PER_SECOND: i64 = 1_000_000;

/// Reads an amount.
///
/// # Errors
/// `MISSING_FIELD` or `INVALID_CURRENCY` for its currency, `INVALID_AMOUNT`, `TOO_MANY_DECIMALS` or
/// `AMOUNT_OVERFLOW`, naming `field`.
pub fn money(field: &str, message: &v1::Money) -> Result<Money, Refusal> {
    let code = format!("{field}.currency_code");
    if message.currency_code.is_empty() {
        return Err(missing(&code));
    }
    let currency = Currency::parse(&code, &message.currency_code)?;
    Money::from_units(field, message.units, message.nanos, currency)
}

/// Reads an amount that must be in `currency`.
///
/// # Errors
/// As [`money`], and `CURRENCY_MISMATCH`.
pub fn money_in(field: &str, message: &v1::Money, currency: Currency) -> Result<i64, Refusal> {
    let amount = money(field, message)?;
    if amount.currency == currency {
        return Ok(amount.minor);
    }
    Err(Refusal::new(
        Reason::CurrencyMismatch,
        format!("{field}.currency_code"),
        format!("{field} is in {}, expected {currency}", amount.currency),
    )
    .with("currency", amount.currency)
    .with("expected", currency))
}

/// Reads a currency that may be left out.
///
/// # Errors
/// `INVALID_CURRENCY`, naming `field`.
pub fn currency(field: &str, code: &str) -> Result<Option<Currency>, Refusal> {
    if code.is_empty() { Ok(None) } else { Currency::parse(field, code).map(Some) }
}

/// Writes an amount of minor units.
#[must_use]
pub fn money_message(minor: i64, currency: Currency) -> v1::Money {
    let (units, nanos) = Money::new(minor, currency).to_units();
    v1::Money { currency_code: currency.code().to_owned(), units, nanos }
}

/// Reads a day.
///
/// # Errors
/// `INVALID_DATE`, naming `field`.
pub fn day(field: &str, message: v1::Date) -> Result<Day, Refusal> {
    let v1::Date { year, month, day } = message;
    u32::try_from(month)
        .ok()
        .zip(u32::try_from(day).ok())
        .and_then(|(month, day)| Day::from_ymd(year, month, day))
        .ok_or_else(|| {
            Refusal::new(
                Reason::InvalidDate,
                field,
                format!(
                    "{field} is no day between {} and {}: year {year}, month {month}, day {day}",
                    Day::MIN,
                    Day::MAX
                ),
            )
        })
}

/// Reads a day that may be left out.
///
/// # Errors
/// `INVALID_DATE`, naming `field`.
pub fn optional_day(field: &str, message: Option<v1::Date>) -> Result<Option<Day>, Refusal> {
    message.map(|message| day(field, message)).transpose()
}

/// Writes a day.
#[must_use]
pub fn date_message(day: Day) -> v1::Date {
    // The text form is `YYYY-MM-DD` for every day there is (1900 to 2199).
    let text = day.to_string();
    let mut parts = text.split('-').map(|part| part.parse().unwrap_or_default());
    let mut next = || parts.next().unwrap_or_default();
    v1::Date { year: next(), month: next(), day: next() }
}

/// Reads terms.
///
/// # Errors
/// `MISSING_FIELD` where neither kind is given, `INVALID_TERMS` out of range.
pub fn terms(field: &str, message: v1::Terms) -> Result<Terms, Refusal> {
    let Some(kind) = message.terms else {
        return Err(missing(&format!("{field}.net_days")));
    };
    let v1::terms::Terms::NetDays(v1::NetDays { days, grace_days }) = kind else {
        return Ok(Terms::OnReceipt);
    };
    let out_of_range = |name: &str, value: i32, most: u16| {
        Refusal::new(
            Reason::InvalidTerms,
            format!("{field}.net_days.{name}"),
            format!("{name} is {value}, 0 to {most} are allowed"),
        )
        .with("value", value)
        .with("limit", most)
    };
    let days = u16::try_from(days)
        .ok()
        .filter(|days| *days <= Terms::MAX_NET_DAYS)
        .ok_or_else(|| out_of_range("days", days, Terms::MAX_NET_DAYS))?;
    let grace_days = u8::try_from(grace_days)
        .ok()
        .filter(|days| *days <= Terms::MAX_GRACE_DAYS)
        .ok_or_else(|| out_of_range("grace_days", grace_days, u16::from(Terms::MAX_GRACE_DAYS)))?;
    Ok(Terms::NetDays { days, grace_days })
}

/// Reads terms that may be left out.
///
/// # Errors
/// As [`terms`].
pub fn optional_terms(field: &str, message: Option<v1::Terms>) -> Result<Option<Terms>, Refusal> {
    message.map(|message| terms(field, message)).transpose()
}

/// Writes terms.
#[must_use]
pub fn terms_message(terms: Terms) -> v1::Terms {
    let kind = match terms {
        Terms::NetDays { days, grace_days } => v1::terms::Terms::NetDays(v1::NetDays {
            days: i32::from(days),
            grace_days: i32::from(grace_days),
        }),
        Terms::OnReceipt => v1::terms::Terms::OnReceipt(v1::OnReceipt {}),
    };
    v1::Terms { terms: Some(kind) }
}

/// Writes a balance.
#[must_use]
pub fn balance_message(balance: &Balance) -> v1::Balance {
    let money = |minor| Some(money_message(minor, balance.currency));
    v1::Balance {
        currency_code: balance.currency.code().to_owned(),
        invoiced: money(balance.invoiced),
        credited: money(balance.credited),
        collected: money(balance.collected),
        outstanding: money(balance.outstanding),
        overdue: money(balance.overdue),
        not_due: money(balance.outstanding - balance.overdue),
        unapplied: money(balance.unapplied),
        net: money(balance.net()),
        opening: money(balance.opening),
        refunded: money(balance.refunded),
    }
}

/// Writes what a payment or credit note has on invoices.
#[must_use]
pub fn allocation_messages(
    allocations: &[resource::Allocation],
    currency: Currency,
) -> Vec<v1::Allocation> {
    allocations
        .iter()
        .map(|allocation| v1::Allocation {
            invoice_id: allocation.invoice_id.to_string(),
            amount: Some(money_message(allocation.amount, currency)),
            date: Some(date_message(allocation.date)),
        })
        .collect()
}

/// Writes a moment.
#[must_use]
pub fn timestamp(at: Micros) -> prost_types::Timestamp {
    let micros = i32::try_from(at.0.rem_euclid(MICROS_PER_SECOND)).unwrap_or_default();
    prost_types::Timestamp { seconds: at.0.div_euclid(MICROS_PER_SECOND), nanos: micros * 1_000 }
}

/// Reads a moment; parts of a microsecond are cut off.
///
/// # Errors
/// `INVALID_DATE`, naming `field`, where it is out of range.
pub fn micros(field: &str, message: &prost_types::Timestamp) -> Result<Micros, Refusal> {
    Some(message.nanos)
        .filter(|nanos| (0..1_000_000_000).contains(nanos))
        .zip(message.seconds.checked_mul(MICROS_PER_SECOND))
        .and_then(|(nanos, micros)| micros.checked_add(i64::from(nanos / 1_000)))
        .map(Micros)
        .ok_or_else(|| {
            Refusal::new(Reason::InvalidDate, field, format!("{field} is no moment in range"))
        })
}

/// Reads how money came; not said is `Other`.
///
/// # Errors
/// `UNKNOWN_VALUE`, naming `field`.
pub fn method(field: &str, number: i32) -> Result<Method, Refusal> {
    use v1::PaymentMethod as M;
    Ok(match M::try_from(number).map_err(|_| unknown(field, number))? {
        M::Transfer => Method::Transfer,
        M::Card => Method::Card,
        M::DirectDebit => Method::DirectDebit,
        M::Cheque => Method::Cheque,
        M::Cash => Method::Cash,
        M::Unspecified | M::Other => Method::Other,
    })
}

/// Writes how money came.
#[must_use]
pub const fn method_message(method: Method) -> v1::PaymentMethod {
    use v1::PaymentMethod as M;
    match method {
        Method::Transfer => M::Transfer,
        Method::Card => M::Card,
        Method::DirectDebit => M::DirectDebit,
        Method::Cheque => M::Cheque,
        Method::Cash => M::Cash,
        Method::Other => M::Other,
    }
}

/// Reads why a payment is taken back.
///
/// # Errors
/// `UNKNOWN_VALUE` or `MISSING_FIELD`, naming `field`.
pub fn reversal(field: &str, number: i32) -> Result<ReversalKind, Refusal> {
    use v1::ReversalKind as K;
    match K::try_from(number).map_err(|_| unknown(field, number))? {
        K::Unspecified => Err(missing(field)),
        K::EntryError => Ok(ReversalKind::EntryError),
        K::Duplicate => Ok(ReversalKind::Duplicate),
        K::Bounced => Ok(ReversalKind::Bounced),
        K::Chargeback => Ok(ReversalKind::Chargeback),
    }
}

/// Writes why a payment was taken back.
#[must_use]
pub const fn reversal_message(kind: ReversalKind) -> v1::ReversalKind {
    use v1::ReversalKind as K;
    match kind {
        ReversalKind::EntryError => K::EntryError,
        ReversalKind::Duplicate => K::Duplicate,
        ReversalKind::Bounced => K::Bounced,
        ReversalKind::Chargeback => K::Chargeback,
    }
}

/// `field` must be given and is not.
#[must_use]
pub fn missing(field: &str) -> Refusal {
    Refusal::new(Reason::MissingField, field, format!("{field} is missing"))
}

/// `field` has a number that this version of the contract does not know.
#[must_use]
pub fn unknown(field: &str, number: i32) -> Refusal {
    Refusal::new(
        Reason::UnknownValue,
        field,
        format!("{field} is {number}, which this version does not know"),
    )
    .with("value", number)
}

/// `field` has a word that is none of those it can have.
#[must_use]
pub fn unknown_word(field: &str, word: &str, known: &[&str]) -> Refusal {
    // WHY cut: what is shown of a wrong word needs to be no longer than a right one.
    let shown: String = word.chars().take(64).collect();
    let known = known.join(", ");
    let message = format!("{field} is {shown:?}, it can be one of: {known}");
    Refusal::new(Reason::UnknownValue, field, message).with("known", known)
}

/// A text that may be left out: empty is not set.
#[must_use]
pub fn optional(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}
