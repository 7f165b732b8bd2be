//! Dice, days and amounts of the story.

use chrono::{Datelike, Weekday};
use encours_domain::{Currency, Day, Money};
use encours_proto::v1;

/// Pseudo-random numbers: SplitMix64.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    /// A number from 0 to below `sides`.
    pub(super) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % sides.max(1)
    }

    /// A number of days from `least` to `most`.
    pub(super) fn days(&mut self, least: i32, most: i32) -> i32 {
        let range = u64::from(most.abs_diff(least)) + 1;
        least + i32::try_from(self.roll(range)).unwrap_or_default()
    }
}

/// Euros of the protocol.
pub(super) fn euro(cents: i64) -> v1::Money {
    let currency = Currency::parse("currency", "EUR");
    let (units, nanos) = currency.map_or((0, 0), |currency| Money::new(cents, currency).to_units());
    v1::Money { currency_code: "EUR".to_owned(), units, nanos }
}

/// This day, or the Monday after it.
pub(super) fn workday(day: Day) -> Option<Day> {
    match day.date().weekday() {
        Weekday::Sat => day.plus(2),
        Weekday::Sun => day.plus(1),
        _ => Some(day),
    }
}

/// The first day of the month after that of `first`.
pub(super) fn next_month(first: Day) -> Day {
    let date = first.date();
    let (year, month) = match date.month() {
        12 => (date.year() + 1, 1),
        month => (date.year(), month + 1),
    };
    Day::from_ymd(year, month, 1).unwrap_or(Day::MAX)
}
