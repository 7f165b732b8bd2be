//! Amounts, ids and currencies as texts, right and wrong: what is refused before there is a command.

use encours_domain::{Currency, Id, Money, Reason, Refusal};

use super::currency;
use crate::rng::Rng;

/// Reads some values, and tells which refusals came of it.
///
/// # Errors
/// A value that was read as another one, or refused for another reason than it must be.
pub(crate) fn check(rng: &mut Rng) -> Result<Vec<Reason>, String> {
    let mut refused = Vec::new();
    for _ in 0..4 {
        refused.extend(amount(rng)?);
    }
    let wrong = ["", " ", "é", "a b", "semi;colon"][rng.index(5)];
    refused.extend(must_refuse(Id::parse("id", wrong), Reason::InvalidId, wrong)?);
    let wrong = ["EUX", "eur", "EURO", "", "XAU"][rng.index(5)];
    let read = Currency::parse("currency", wrong);
    refused.extend(must_refuse(read, Reason::InvalidCurrency, wrong)?);
    Ok(refused)
}

fn must_refuse<T: std::fmt::Debug>(
    read: Result<T, Refusal>,
    reason: Reason,
    text: &str,
) -> Result<Option<Reason>, String> {
    match read {
        Err(refusal) if refusal.reason == reason => Ok(Some(reason)),
        other => Err(format!("{text:?} must be {reason:?}, and is {other:?}")),
    }
}

/// An amount, put together digit by digit.
fn amount(rng: &mut Rng) -> Result<Option<Reason>, String> {
    let (code, digits) = [("JPY", 0), ("EUR", 2), ("BHD", 3)][rng.index(3)];
    let units = rng.below(1_000_000);
    let places = rng.index(5);
    let mut minor = i64::try_from(units).unwrap_or_default();
    let mut text = units.to_string();
    for place in 0..places {
        // No zero at the end: it would count as left out.
        let digit = 1 + rng.below(9);
        text.push_str(if place == 0 { "." } else { "" });
        text.push_str(&digit.to_string());
        minor = minor * 10 + i64::try_from(digit).unwrap_or_default();
    }
    for _ in places..digits {
        minor *= 10;
    }
    if rng.one_in(3) {
        text.insert(0, '-');
        minor = -minor;
    }
    let reason = match rng.below(8) {
        0 => {
            text.push_str(["x", "e3x", ".", ",5"][rng.index(4)]);
            // A second point, or one with nothing after it.
            if text.ends_with('.') && places == 0 {
                text.push('?');
            }
            Some(Reason::InvalidAmount)
        }
        1 => {
            text = "9".repeat(20);
            Some(Reason::AmountOverflow)
        }
        _ if places > digits => Some(Reason::TooManyDecimals),
        _ => None,
    };
    let read = Money::parse("amount", &text, currency(code));
    match (reason, read) {
        (None, Ok(money)) if money.minor == minor => Ok(None),
        (Some(reason), read) => must_refuse(read, reason, &text),
        (None, read) => Err(format!("{text:?} {code} must be {minor}, and is {read:?}")),
    }
}
