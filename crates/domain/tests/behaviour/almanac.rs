//! Days and plans of reminders computed anew from the reference page, by other ways than those of
//! the crate, and the calendar held against them.

use std::collections::BTreeSet;

use chrono::{Datelike, Days, NaiveDate, Weekday};
use encours_domain::Day;
use encours_domain::calendar::Calendar;
use encours_domain::dunning::Step;

/// Easter Sundays from 1990 on, as almanacs print them: 415 is 15 April.
const EASTER: [u32; 71] = [
    415, 331, 419, 411, 403, 416, 407, 330, 412, 404, 423, 415, 331, 420, 411, 327, 416, 408, 323,
    412, 404, 424, 408, 331, 420, 405, 327, 416, 401, 421, 412, 404, 417, 409, 331, 420, 405, 328,
    416, 401, 421, 413, 328, 417, 409, 325, 413, 405, 425, 410, 401, 421, 406, 329, 417, 409, 325,
    414, 405, 418, 410, 402, 421, 406, 329, 418, 402, 422, 414, 330, 418,
];

/// Easter Sunday of any year: D. Knuth, The Art of Computer Programming 1, exercise 1.3.2-14, after
/// Clavius: by golden number and epact, not by the closed formula of the crate.
fn easter(year: i32) -> NaiveDate {
    let golden = year % 19 + 1;
    let century = year / 100 + 1;
    let dropped = 3 * century / 4 - 12;
    let moon = (8 * century + 5) / 25 - 5;
    let sunday = 5 * year / 4 - dropped - 10;
    let mut epact = (11 * golden + 20 + moon - dropped).rem_euclid(30);
    if (epact == 25 && golden > 11) || epact == 24 {
        epact += 1;
    }
    let mut full = 44 - epact;
    if full < 21 {
        full += 30;
    }
    let easter = full + 7 - (sunday + full) % 7;
    ymd(year, 3, 1) + Days::new(u64::try_from(easter - 1).unwrap())
}

pub(crate) fn ymd(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).unwrap()
}

/// The days of these years on which no French office works.
fn days_off(years: std::ops::RangeInclusive<i32>) -> BTreeSet<NaiveDate> {
    let mut off = BTreeSet::new();
    for year in years {
        let fixed = ["01-01", "05-01", "05-08", "07-14", "08-15", "11-01", "11-11", "12-25"];
        off.extend(fixed.map(|day| format!("{year}-{day}").parse::<NaiveDate>().unwrap()));
        // Easter Monday, Ascension Thursday, Whit Monday.
        off.extend([1, 39, 50].map(|days| easter(year) + Days::new(days)));
        let all = ymd(year, 1, 1).iter_days().take_while(|day| day.year() == year);
        off.extend(all.filter(|day| matches!(day.weekday(), Weekday::Sat | Weekday::Sun)));
    }
    off
}

/// Business days of some years, in order.
pub(crate) struct Almanac(Vec<NaiveDate>);

impl Almanac {
    pub(crate) fn france(years: std::ops::RangeInclusive<i32>) -> Self {
        let off = days_off(years.clone());
        let all = ymd(*years.start(), 1, 1).iter_days();
        let all = all.take_while(|day| day.year() <= *years.end());
        Self(all.filter(|day| !off.contains(day)).collect())
    }

    /// The nth business day strictly after a day.
    pub(crate) fn after(&self, day: NaiveDate, nth: usize) -> NaiveDate {
        let upto = self.0.partition_point(|business| *business <= day);
        self.0[upto + nth - 1]
    }

    /// The plan of an invoice sent on `sent` and due on `due`: the table of the reference page.
    pub(crate) fn plan(
        &self,
        sent: NaiveDate,
        due: NaiveDate,
        grace: u64,
        opening: bool,
    ) -> Vec<(Step, NaiveDate)> {
        let days = (due - sent).num_days();
        let mut plan = vec![(Step::IssueNotice, sent)];
        let (from, nths): (_, &[usize]) = if sent <= due - Days::new(4) {
            let half = u64::try_from(days / 2).unwrap();
            plan.extend([(Step::Midpoint, sent + Days::new(half)), (Step::DueDate, due)]);
            (due, &[5, 10, 15])
        } else if sent < due {
            (sent, &[5, 10, 15])
        } else {
            (sent, &[6, 11, 16, 21])
        };
        let mut severe: Vec<_> = nths.iter().map(|nth| self.after(from, *nth)).collect();
        let overdue_from = due + Days::new(grace + 1);
        if severe[0] < overdue_from {
            let later = (1..severe.len()).map(|nth| self.after(overdue_from, 5 * nth));
            severe = [overdue_from].into_iter().chain(later).collect();
        }
        plan.extend((1..).map(Step::Overdue).zip(severe));
        if opening {
            plan.remove(0);
        }
        plan
    }
}

pub(crate) fn to_day(date: NaiveDate) -> Day {
    Day::from_date(date).unwrap()
}

#[test]
fn easter_is_when_almanacs_say() {
    for (year, day) in (1990..).zip(EASTER) {
        assert_eq!(easter(year), ymd(year, day / 100, day % 100));
    }
}

#[test]
fn business_days_of_three_centuries_are_those_of_the_almanac() {
    let off = days_off(1900..=2199);
    let mut weekend = 0;
    for date in ymd(1900, 1, 1).iter_days().take_while(|date| date.year() <= 2199) {
        let day = to_day(date);
        assert_eq!(Calendar::France.is_business_day(day), !off.contains(&date), "{date}");
        let working = !matches!(date.weekday(), Weekday::Sat | Weekday::Sun);
        assert_eq!(Calendar::Weekdays.is_business_day(day), working, "{date}");
        weekend += u32::from(!working);
    }
    assert_eq!(weekend, 31_306, "two days in each of 15,653 weeks");
}

#[test]
fn business_days_are_counted_strictly_after_the_day() {
    let almanac = Almanac::france(2023..=2030);
    let dates = ymd(2023, 1, 1).iter_days().take_while(|date| date.year() < 2030);
    for date in dates {
        for nth in [1, 5, 6, 10, 15] {
            let counted = Calendar::France.plus_business_days(to_day(date), nth).unwrap();
            assert_eq!(counted, to_day(almanac.after(date, usize::from(nth))), "{date} + {nth}");
        }
        assert_eq!(Calendar::France.plus_business_days(to_day(date), 0), Some(to_day(date)));
    }
    assert_eq!(Calendar::France.plus_business_days(Day::MAX, 1), None);
}
