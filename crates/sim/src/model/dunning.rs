//! The plan of reminders by three cases, and the business days it counts in, the slow way.

use encours_domain::Day;
use encours_domain::calendar::Calendar;
use encours_domain::dunning::{Policy, Step};

use super::facts::{Book, Stage};

/// Easter Sunday by the rule of Gauss with both of its exceptions; the product follows another one.
fn easter(year: i32) -> Option<Day> {
    let century = year / 100;
    let moon = (15 - (13 + 8 * century) / 25 + century - century / 4) % 30;
    let sun = (4 + century - century / 4) % 7;
    let full = (19 * (year % 19) + moon) % 30;
    let sunday = (2 * (year % 4) + 4 * (year % 7) + 6 * full + sun) % 7;
    let is_late = sunday == 6 && (full == 29 || full == 28 && (11 * moon + 11) % 30 < 19);
    let week = if is_late { 7 } else { 0 };
    Day::from_ymd(year, 3, 22)?.plus(full + sunday - week)
}

/// The holidays of France that have a date of their own.
const FIXED: [&str; 8] = ["01-01", "05-01", "05-08", "07-14", "08-15", "11-01", "11-11", "12-25"];

fn is_business_day(calendar: Calendar, day: Day) -> bool {
    // 1970-01-01 was a Thursday.
    if (day.number() + 3).rem_euclid(7) >= 5 {
        return false;
    }
    if calendar == Calendar::Weekdays {
        return true;
    }
    let text = day.to_string();
    let fixed = FIXED.iter().any(|date| text.ends_with(date));
    // Easter Monday, Ascension, Whit Monday.
    let moving = easter(day.year()).is_some_and(|easter| [1, 39, 50].contains(&day.since(easter)));
    !fixed && !moving
}

/// How far a step lies behind the one before it.
#[derive(Clone, Copy, Debug)]
enum Gap {
    Days(i32),
    BusinessDays(u32),
}

fn after(calendar: Calendar, day: Day, gap: Gap) -> Day {
    match gap {
        Gap::Days(days) => day.plus(days).unwrap_or(Day::MAX),
        Gap::BusinessDays(count) => {
            let mut day = day;
            for _ in 0..count {
                day = after(calendar, day, Gap::Days(1));
                while !is_business_day(calendar, day) {
                    day = after(calendar, day, Gap::Days(1));
                }
            }
            day
        }
    }
}

/// The steps after the issue notice, each with its gap from the one before.
fn steps(sent: Day, due: Day) -> Vec<(Step, Gap)> {
    let (before, bd) = (due.since(sent), Gap::BusinessDays);
    let rising = |from: u8| (from..from + 3).map(move |nth| (Step::Overdue(nth), bd(5)));
    if before >= 4 {
        let half = before / 2;
        let early = [(Step::Midpoint, Gap::Days(half)), (Step::DueDate, Gap::Days(before - half))];
        early.into_iter().chain(rising(1)).collect()
    } else if before > 0 {
        rising(1).collect()
    } else {
        [(Step::Overdue(1), bd(6))].into_iter().chain(rising(2)).collect()
    }
}

impl Book {
    /// The steps of an invoice's plan that are still to come, with their days.
    pub(super) fn plan_of(&self, invoice: usize) -> Vec<(Step, Day)> {
        let row = &self.invoices[invoice];
        let sent = self.sent.iter().find(|sent| sent.invoice == invoice).map(|sent| sent.date);
        let Some(sent) = sent.filter(|_| self.reminders == Policy::ThreeCases) else {
            return vec![];
        };
        let last = self.steps.iter().rev().find(|out| out.invoice == invoice);
        // An opening item needs no notice: it is as if that had gone out when it was sent.
        let done = match (last, &row.stage) {
            (Some(out), _) => Some(out.step),
            (None, Stage::Owed) => Some(Step::IssueNotice),
            (None, _) => None,
        };
        let mut day = sent;
        let mut to_come = vec![];
        if done.is_none() {
            to_come.push((Step::IssueNotice, day));
        }
        let mut moved = false;
        let mut shift = |step: Step, day: Day| {
            // The first step to come keeps its interval from the last one, where that went out late.
            match last.filter(|out| !moved && step > out.step) {
                Some(out) => {
                    moved = true;
                    day.max(out.date)
                }
                None => day,
            }
        };
        for (step, gap) in steps(sent, row.due) {
            day = after(self.calendar, shift(step, day), gap);
            if matches!(step, Step::Overdue(_)) {
                day = day.max(row.overdue_from);
            }
            if done.is_none_or(|done| step > done) {
                to_come.push((step, day));
            }
        }
        to_come
    }

    /// The next step of a plan that runs, with its day.
    #[must_use]
    pub fn next_step(&self, invoice: usize) -> Option<(Step, Day)> {
        let open = self.open(invoice, super::View::ALL) > 0;
        let paused = self.invoices[invoice].stopped || self.disputed(invoice, super::View::ALL);
        let to_come = if open && !paused { self.plan_of(invoice) } else { vec![] };
        to_come.first().copied()
    }

    /// The step that is to go out on a day: the latest one that has come.
    pub(super) fn step_on(&self, invoice: usize, day: Day) -> Option<(Step, Day)> {
        let resolved = self.resolutions.iter().rfind(|r| r.invoice == invoice);
        let held = resolved.is_some_and(|r| r.date > day);
        let row = &self.invoices[invoice];
        let reminded = !row.stopped
            && !held
            && !self.disputed(invoice, super::View::ALL)
            && self.open(invoice, super::View::ALL) > 0
            && self.open(invoice, super::View::as_of(day)) > 0;
        let to_come = if reminded { self.plan_of(invoice) } else { vec![] };
        to_come.into_iter().rfind(|(_, planned)| *planned <= day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Easter Sundays as printed: the first and last that there can be, the exceptions, and others.
    const PRINTED: [(i32, u32, u32); 12] = [
        (1818, 3, 22),
        (1954, 4, 18),
        (1981, 4, 19),
        (2020, 4, 12),
        (2024, 3, 31),
        (2026, 4, 5),
        (2038, 4, 25),
        (2040, 4, 1),
        (2045, 4, 9),
        (2049, 4, 18),
        (2076, 4, 19),
        (2100, 3, 28),
    ];

    #[test]
    fn easter_is_when_the_tables_have_it() {
        for (year, month, date) in PRINTED {
            assert_eq!(easter(year), Day::from_ymd(year, month, date), "{year}");
        }
    }
}
