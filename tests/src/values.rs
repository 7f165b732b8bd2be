//! Amounts and dates as people write them, and back.

use encours_proto::v1::{Date, Money};

/// An amount such as `-1.75`, in a currency.
///
/// # Panics
/// Where it is no decimal number of at most nine fraction digits.
#[must_use]
pub fn money(currency: &str, decimal: &str) -> Money {
    let (sign, digits) = decimal.strip_prefix('-').map_or((1, decimal), |digits| (-1, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let nanos: i32 = format!("{fraction:0<9}").parse().expect("at most nine fraction digits");
    let units: i64 = whole.parse().expect("whole units");
    Money {
        currency_code: currency.to_owned(),
        units: units * i64::from(sign),
        nanos: nanos * sign,
    }
}

/// An amount in euro.
#[must_use]
pub fn eur(decimal: &str) -> Option<Money> {
    Some(money("EUR", decimal))
}

/// An amount as text, with two fraction digits at least; empty where there is none.
#[must_use]
pub fn amount(money: Option<&Money>) -> String {
    let Some(money) = money else { return String::new() };
    let sign = if money.units < 0 || money.nanos < 0 { "-" } else { "" };
    let nanos = format!("{:09}", money.nanos.unsigned_abs());
    let fraction = nanos.trim_end_matches('0');
    format!("{sign}{}.{fraction:0<2}", money.units.unsigned_abs())
}

/// A day such as `2024-01-31`.
///
/// # Panics
/// Where it is not written so.
#[must_use]
pub fn date(iso: &str) -> Option<Date> {
    let mut parts = iso.split('-').map(|part| part.parse::<i32>().expect("a number"));
    let mut next = || parts.next().expect("year, month and day");
    Some(Date { year: next(), month: next(), day: next() })
}

/// A day as text; empty where there is none.
#[must_use]
pub fn day(date: Option<&Date>) -> String {
    date.map_or_else(String::new, |date| {
        format!("{:04}-{:02}-{:02}", date.year, date.month, date.day)
    })
}
