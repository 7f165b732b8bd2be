//! The values that several events share, frozen, and their checks in both directions.

use encours_domain::terms::{DueTerms, Terms};
use encours_domain::{Currency, Day, Id};
use serde::{Deserialize, Serialize};

use crate::error::InvalidValue;

/// A day number since 1970-01-01 as a day.
pub(crate) fn day(field: &'static str, number: i32) -> Result<Day, InvalidValue> {
    Day::from_number(number).ok_or_else(|| InvalidValue::new(field, &number))
}

/// A text as an id.
pub(crate) fn id(field: &'static str, text: &str) -> Result<Id, InvalidValue> {
    Id::parse(field, text).map_err(|_| InvalidValue::new(field, &format_args!("{text:?}")))
}

/// The three letters of a currency.
pub(crate) fn code(currency: Currency) -> [u8; 3] {
    let mut letters = [0; 3];
    for (to, from) in letters.iter_mut().zip(currency.code().bytes()) {
        *to = from;
    }
    letters
}

/// Three letters as a currency.
pub(crate) fn currency(field: &'static str, letters: [u8; 3]) -> Result<Currency, InvalidValue> {
    std::str::from_utf8(&letters)
        .ok()
        .and_then(|text| Currency::parse(field, text).ok())
        .ok_or_else(|| InvalidValue::new(field, &letters.escape_ascii()))
}

/// An amount above 0.
pub(crate) fn positive(field: &'static str, amount: i64) -> Result<i64, InvalidValue> {
    if amount > 0 { Ok(amount) } else { Err(InvalidValue::new(field, &amount)) }
}

/// An amount of 0 or more.
pub(crate) fn not_negative(field: &'static str, amount: i64) -> Result<i64, InvalidValue> {
    if amount >= 0 { Ok(amount) } else { Err(InvalidValue::new(field, &amount)) }
}

/// Terms: kind 1 is net days, 2 on receipt (its days and grace are 0).
#[derive(Serialize, Deserialize)]
pub(crate) struct FrozenTerms {
    kind: u8,
    days: u16,
    grace_days: u8,
}

impl FrozenTerms {
    pub(crate) fn freeze(field: &'static str, terms: Terms) -> Result<Self, InvalidValue> {
        terms.check().map_err(|refusal| InvalidValue::new(field, &refusal))?;
        Ok(match terms {
            Terms::NetDays { days, grace_days } => Self { kind: 1, days, grace_days },
            Terms::OnReceipt => Self { kind: 2, days: 0, grace_days: 0 },
        })
    }

    pub(crate) fn thaw(self, field: &'static str) -> Result<Terms, InvalidValue> {
        let terms = match self {
            Self { kind: 1, days, grace_days } => Terms::NetDays { days, grace_days },
            Self { kind: 2, days: 0, grace_days: 0 } => Terms::OnReceipt,
            Self { kind, days, grace_days } => {
                let value = format_args!("kind {kind}, {days} days, {grace_days} of grace");
                return Err(InvalidValue::new(field, &value));
            }
        };
        terms.check().map_err(|refusal| InvalidValue::new(field, &refusal))?;
        Ok(terms)
    }
}

/// A due date and its grace; the first overdue day lies inside the calendar.
pub(crate) fn due(
    field: &'static str,
    date: i32,
    grace_days: u8,
) -> Result<DueTerms, InvalidValue> {
    DueTerms::new(Day::from_number(date), grace_days).map_err(|_| {
        InvalidValue::new(field, &format_args!("day {date} with {grace_days} days of grace"))
    })
}

/// Part of an amount, 0 to the whole of it.
pub(crate) fn part(field: &'static str, part: i64, whole: i64) -> Result<i64, InvalidValue> {
    if (0..=whole).contains(&part) {
        Ok(part)
    } else {
        Err(InvalidValue::new(field, &format_args!("{part} of {whole}")))
    }
}
