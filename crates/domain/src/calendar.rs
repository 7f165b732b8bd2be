//! Calendars: which days are business days.

use chrono::Datelike;
use serde::{Deserialize, Serialize};

use crate::position::Day;

/// Which days of a ledger are business days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Calendar {
    /// Monday to Friday without the public holidays of France.
    #[default]
    France,
    /// Monday to Friday.
    Weekdays,
}

impl Calendar {
    /// Every calendar.
    pub const ALL: &'static [Self] = &[Self::France, Self::Weekdays];

    /// The id in interfaces and in the log.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::France => "france",
            Self::Weekdays => "weekdays",
        }
    }

    /// The calendar with this id.
    #[must_use]
    pub fn by_id(id: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|calendar| calendar.id() == id)
    }

    /// Whether people work on this day.
    ///
    /// ```
    /// use encours_domain::{Day, calendar::Calendar};
    /// let bastille = Day::from_ymd(2026, 7, 14).unwrap();
    /// assert!(!Calendar::France.is_business_day(bastille));
    /// assert!(Calendar::Weekdays.is_business_day(bastille));
    /// ```
    #[must_use]
    pub fn is_business_day(self, day: Day) -> bool {
        let weekend = matches!(day.number().rem_euclid(7), SATURDAY | SUNDAY);
        let holiday = self == Self::France && !weekend && is_french_holiday(day);
        !weekend && !holiday
    }

    /// The `n`th business day after `day`, which does not count itself; `day` where `n` is 0.
    /// `None` beyond [`Day::MAX`].
    ///
    /// ```
    /// use encours_domain::{Day, calendar::Calendar};
    /// // Good Friday is worked on in most of France, Easter Monday is not.
    /// let maundy_thursday = Day::from_ymd(2026, 4, 2).unwrap();
    /// let next = Calendar::France.plus_business_days(maundy_thursday, 2);
    /// assert_eq!(next, Day::from_ymd(2026, 4, 7));
    /// ```
    #[must_use]
    pub fn plus_business_days(self, day: Day, n: u8) -> Option<Day> {
        let mut day = day;
        for _ in 0..n {
            day = day.plus(1)?;
            while !self.is_business_day(day) {
                day = day.plus(1)?;
            }
        }
        Some(day)
    }
}

/// Day numbers modulo 7: 1970-01-01 was a Thursday.
const SATURDAY: i32 = 2;
const SUNDAY: i32 = 3;

/// The public holidays of metropolitan France, the same for every year.
///
/// Source: art. L3133-1 of the Code du travail. Those of Alsace and Moselle (Good Friday, 26
/// December) and of overseas departments are not among them.
fn is_french_holiday(day: Day) -> bool {
    let date = day.date();
    match (date.month(), date.day()) {
        // New Year, Labour Day, Victory 1945, Bastille Day, Assumption, All Saints, Armistice 1918,
        // Christmas.
        (1, 1) | (5, 1 | 8) | (7, 14) | (8, 15) | (11, 1 | 11) | (12, 25) => true,
        // Easter lies on 22 March to 25 April, and the last day that follows it 50 days later.
        (month @ 3..=6, of_month) => {
            let since = days_since_march(month, of_month) - easter(date.year());
            matches!(since, EASTER_MONDAY | ASCENSION | WHIT_MONDAY)
        }
        _ => false,
    }
}

/// Days after Easter Sunday.
const EASTER_MONDAY: i32 = 1;
const ASCENSION: i32 = 39;
const WHIT_MONDAY: i32 = 50;

/// 1 for 1 March, 32 for 1 April, up to 122 for 30 June.
fn days_since_march(month: u32, of_month: u32) -> i32 {
    let before = match month {
        3 => 0,
        4 => 31,
        5 => 61,
        _ => 92,
    };
    before + of_month.cast_signed()
}

/// Easter Sunday of a year of the Gregorian calendar, as a day since 1 March.
///
/// Source: "A New York correspondent", Nature, 20 April 1876, as printed in J. Meeus, Astronomical
/// Algorithms, chapter 8; no exceptions for any year.
const fn easter(year: i32) -> i32 {
    let golden = year % 19;
    let (century, of_century) = (year / 100, year % 100);
    let (leap_centuries, rest) = (century / 4, century % 4);
    let drift = (century - (century + 8) / 25 + 1) / 3;
    let moon = (19 * golden + century - leap_centuries - drift + 15) % 30;
    let weekday = (32 + 2 * rest + 2 * (of_century / 4) - moon - of_century % 4) % 7;
    let late = (golden + 11 * moon + 22 * weekday) / 451;
    moon + weekday - 7 * late + 22
}
