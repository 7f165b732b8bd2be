//! Ranges of the command line: `2026-01-01..2026-01-31`, `100..500`, `2..`, or one value alone.

use encours_domain::Day;
use encours_proto::v1;

use super::{amount, day};
use crate::failure::{Failure, Outcome};
use crate::output;

/// The ends of a range as texts; both where it is one value.
fn ends(text: &str) -> Result<(Option<&str>, Option<&str>), String> {
    let (least, most) = text.split_once("..").unwrap_or((text, text));
    let [least, most] = [least, most].map(|end| Some(end.trim()).filter(|end| !end.is_empty()));
    match (least, most) {
        (None, None) => Err("give A..B, A.., ..B or one value".to_owned()),
        ends => Ok(ends),
    }
}

/// Days, both ends included.
pub(super) fn days(text: &str) -> Result<v1::DateRange, String> {
    let (first, last) = ends(text)?;
    let end = |text: Option<&str>| text.map(day).transpose();
    let (first, last): (Option<Day>, Option<Day>) = (end(first)?, end(last)?);
    if first.zip(last).is_some_and(|(first, last)| last < first) {
        return Err("it ends before it begins".to_owned());
    }
    Ok(v1::DateRange { first: first.map(output::day), last: last.map(output::day) })
}

/// The least and the most level of a reminder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Levels {
    pub(super) least: Option<i32>,
    pub(super) most: Option<i32>,
}

/// Levels of reminders.
pub(super) fn levels(text: &str) -> Result<Levels, String> {
    let level = |text: &str| match text.parse() {
        Ok(level @ 0..=9) => Ok(level),
        _ => Err("a level is a number from 0 to 9".to_owned()),
    };
    let (least, most) = ends(text)?;
    let (least, most) = (least.map(level).transpose()?, most.map(level).transpose()?);
    if least.zip(most).is_some_and(|(least, most)| most < least) {
        return Err("it ends before it begins".to_owned());
    }
    Ok(Levels { least, most })
}

/// Amounts as they were typed: their currency is known later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Amounts {
    least: Option<String>,
    most: Option<String>,
    currency: Option<String>,
}

/// Amounts, such as `100..500` or `100..500 USD`.
pub(super) fn amounts(text: &str) -> Result<Amounts, String> {
    let (range, currency) = match text.trim().rsplit_once(' ') {
        Some((range, currency)) => (range, Some(currency.to_owned())),
        None => (text, None),
    };
    let (least, most) = ends(range)?;
    Ok(Amounts { least: least.map(str::to_owned), most: most.map(str::to_owned), currency })
}

impl Amounts {
    /// For the protocol, in this currency where they name none.
    pub(super) fn within(&self, flag: &str, currency_code: &str) -> Outcome<v1::MoneyRange> {
        let code = self.currency.as_deref().unwrap_or(currency_code);
        let end =
            |text: &Option<String>| text.as_ref().map(|text| amount(flag, text, code)).transpose();
        let (least, most) = (end(&self.least)?, end(&self.most)?);
        let parts = |money: &v1::Money| (money.units, money.nanos);
        if least.as_ref().zip(most.as_ref()).is_some_and(|(a, b)| parts(b) < parts(a)) {
            return Err(Failure::usage(format!("{flag}: the range ends before it begins")));
        }
        Ok(v1::MoneyRange { least, most })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_days_has_two_ends_or_one_or_is_one_day() {
        let both = days("2026-01-01..2026-01-31").unwrap();
        assert_eq!((both.first.unwrap().day, both.last.unwrap().day), (1, 31));
        let from = days("2026-01-02..").unwrap();
        assert_eq!((from.first.unwrap().day, from.last), (2, None));
        assert_eq!(days("..2026-01-03").unwrap().first, None);
        let one = days("2026-01-04").unwrap();
        assert_eq!(one.first, one.last);
        for wrong in ["", "..", "2026-02-01..2026-01-01", "2026-01-01..tomorrow"] {
            assert!(days(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_range_of_levels_is_from_0_to_9() {
        assert_eq!(levels("2..").unwrap(), Levels { least: Some(2), most: None });
        assert_eq!(levels("1").unwrap(), Levels { least: Some(1), most: Some(1) });
        for wrong in ["10", "2..1", "-1..", "a"] {
            assert!(levels(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_range_of_amounts_brings_its_currency_or_takes_the_default() {
        let range = amounts("100..500.50").unwrap().within("--open", "EUR").unwrap();
        let most = range.most.unwrap();
        assert_eq!(
            (most.units, most.nanos, most.currency_code.as_str()),
            (500, 500_000_000, "EUR")
        );
        let dollars = amounts("-3.. USD").unwrap().within("--open", "EUR").unwrap();
        assert_eq!(dollars.least.unwrap().currency_code, "USD");
        assert_eq!(dollars.most, None);
        let wrong = amounts("5..4").unwrap().within("--open", "EUR").unwrap_err();
        assert_eq!(wrong.to_string(), "--open: the range ends before it begins");
        assert!(amounts(".. EUR").is_err());
    }
}
