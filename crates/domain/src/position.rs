//! Where and when: positions in the log, moments and civil days.

use std::fmt;

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};

/// The position of an event in its log: dense, from 1, never reused. `0` stands before the first.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Position(pub u64);

impl Position {
    /// Before the first event of a log.
    pub const START: Self = Self(0);

    /// The position after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The position `count` events further on.
    #[must_use]
    pub const fn plus(self, count: u64) -> Self {
        Self(self.0 + count)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A moment: microseconds since 1970-01-01T00:00:00Z.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Micros(pub i64);

/// A civil day, in the time zone of the ledger it is used in: days since 1970-01-01.
///
/// ```
/// use encours_domain::Day;
/// let day = Day::from_ymd(2013, 6, 30).unwrap();
/// assert_eq!(day.to_string(), "2013-06-30");
/// assert_eq!(day.plus(1), Day::from_ymd(2013, 7, 1));
/// assert_eq!(day.plus(1).unwrap().since(day), 1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Day(i32);

/// Day numbers of chrono count from 0001-01-01 as 1.
const CHRONO_DAY_OF_1970: i32 = 719_163;

impl Day {
    /// The first day a fact may have: 1900-01-01.
    pub const MIN: Self = Self(-25_567);
    /// The last day a fact may have: 2199-12-31.
    pub const MAX: Self = Self(84_005);

    /// The day of a year, month and day; `None` where there is no such day or it lies outside
    /// [`Day::MIN`] to [`Day::MAX`].
    #[must_use]
    pub fn from_ymd(year: i32, month: u32, day: u32) -> Option<Self> {
        NaiveDate::from_ymd_opt(year, month, day).and_then(Self::from_date)
    }

    /// The day of a date; `None` outside [`Day::MIN`] to [`Day::MAX`].
    #[must_use]
    pub fn from_date(date: NaiveDate) -> Option<Self> {
        Self::from_number(date.num_days_from_ce() - CHRONO_DAY_OF_1970)
    }

    /// The day with this number since 1970-01-01; `None` outside [`Day::MIN`] to [`Day::MAX`].
    #[must_use]
    pub fn from_number(number: i32) -> Option<Self> {
        let day = Self(number);
        (Self::MIN..=Self::MAX).contains(&day).then_some(day)
    }

    /// Days since 1970-01-01.
    #[must_use]
    pub const fn number(self) -> i32 {
        self.0
    }

    /// The date of this day.
    #[must_use]
    pub fn date(self) -> NaiveDate {
        NaiveDate::from_num_days_from_ce_opt(self.0 + CHRONO_DAY_OF_1970).unwrap_or_default()
    }

    /// The calendar year.
    #[must_use]
    pub fn year(self) -> i32 {
        self.date().year()
    }

    /// `days` later (or earlier, where negative); `None` outside [`Day::MIN`] to [`Day::MAX`].
    #[must_use]
    pub fn plus(self, days: i32) -> Option<Self> {
        self.0.checked_add(days).and_then(Self::from_number)
    }

    /// Days from `earlier` to this day; negative where this day comes first.
    #[must_use]
    pub const fn since(self, earlier: Self) -> i32 {
        self.0 - earlier.0
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.date().format("%Y-%m-%d").fmt(f)
    }
}
