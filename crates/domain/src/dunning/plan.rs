//! The built-in plan: from the facts of an invoice to the days of its steps.

use std::iter;

use super::{Channel, Facts, Planned, Policy, Step};
use crate::calendar::Calendar;
use crate::position::Day;
use crate::terms::DueTerms;

/// The steps that follow the last one that went out, in order, as if the plan were never paused;
/// each on a later day than the one before. Days outside the calendar end the plan.
///
/// WHY an iterator: whoever keeps the plans of a ledger at hand asks for the first step only, with
/// every fact about an invoice.
pub fn to_come(
    policy: Policy,
    calendar: Calendar,
    facts: &Facts,
) -> impl Iterator<Item = Planned> + use<> {
    let plan = Plan::of(policy, calendar, facts);
    let first = plan.as_ref().and_then(|plan| plan.first(facts));
    let mut last = first;
    let later = iter::from_fn(move || {
        let (step, day) = last?;
        last = plan.as_ref()?.following(step, day);
        last
    });
    let steps = first.into_iter().chain(later);
    steps.map(|(step, date)| Planned { step, channel: Channel::Email, date })
}

/// The step that goes out on a day: of those whose day has come only the latest, since several
/// reminders at once say no more than one.
#[must_use]
pub fn emission(policy: Policy, calendar: Calendar, facts: &Facts, day: Day) -> Option<Planned> {
    to_come(policy, calendar, facts).take_while(|planned| planned.date <= day).last()
}

/// Where the sending lies against the due date, as printed.
#[derive(Clone, Copy)]
enum Case {
    /// At least [`EARLY_DAYS`] days before it.
    Early,
    /// Before it.
    Close,
    /// On it or after it.
    Late,
}

/// As many days before the due date leave room for reminders before it.
const EARLY_DAYS: i32 = 4;
/// Business days from one reminder to the next, and from the due date, or a close sending, to the
/// first.
const BUSINESS_DAYS: u8 = 5;
/// Business days from a late sending to the first reminder.
const BUSINESS_DAYS_WHEN_LATE: u8 = 6;

struct Plan {
    calendar: Calendar,
    sent: Day,
    due: DueTerms,
    case: Case,
}

impl Plan {
    fn of(policy: Policy, calendar: Calendar, facts: &Facts) -> Option<Self> {
        if policy == Policy::None {
            return None;
        }
        let (sent, due) = (facts.sent_on?, facts.due);
        let case = match due.date.since(sent) {
            EARLY_DAYS.. => Case::Early,
            1.. => Case::Close,
            _ => Case::Late,
        };
        Some(Self { calendar, sent, due, case })
    }

    /// The first step to come, and its day.
    ///
    /// The plan of the due date as it is now says when the last step that went out should have: one
    /// that went out later than that takes the steps after it along, at the intervals of the plan,
    /// and one that went out earlier, before the due date was put off, leaves them where they are.
    fn first(&self, facts: &Facts) -> Option<(Step, Day)> {
        let notice = facts.opening.then_some(Step::IssueNotice);
        let Some(through) = facts.last.map(|last| last.step).or(notice) else {
            return Some((Step::IssueNotice, self.sent));
        };
        let (mut step, mut day) = (Step::IssueNotice, self.sent);
        while let Some((next, date)) = self.following(step, day).filter(|next| next.0 <= through) {
            (step, day) = (next, date);
        }
        self.following(step, facts.last.map_or(day, |last| day.max(last.date)))
    }

    /// The step after one that goes out on `day`, and its day.
    fn following(&self, step: Step, day: Day) -> Option<(Step, Day)> {
        let to_due = self.due.date.since(self.sent);
        let to_midpoint = to_due.div_euclid(2);
        let (next, date) = match (self.case, step) {
            (Case::Early, Step::IssueNotice) => (Step::Midpoint, day.plus(to_midpoint)),
            (Case::Early, Step::Midpoint) => (Step::DueDate, day.plus(to_due - to_midpoint)),
            (_, Step::Overdue(nth)) if nth < self.last_overdue() => {
                (Step::Overdue(nth + 1), self.calendar.plus_business_days(day, BUSINESS_DAYS))
            }
            (_, Step::Overdue(_)) => return None,
            (Case::Early | Case::Close, _) => {
                (Step::Overdue(1), self.calendar.plus_business_days(day, BUSINESS_DAYS))
            }
            (Case::Late, _) => {
                (Step::Overdue(1), self.calendar.plus_business_days(day, BUSINESS_DAYS_WHEN_LATE))
            }
        };
        // A reminder of what is overdue waits for the end of the grace, and those after it with it.
        let waits = matches!(next, Step::Overdue(_)).then(|| self.due.overdue_from());
        date.map(|date| (next, waits.map_or(date, |from| date.max(from))))
    }

    /// A late plan starts with a reminder of its own, before the three of rising severity.
    const fn last_overdue(&self) -> u8 {
        match self.case {
            Case::Early | Case::Close => 3,
            Case::Late => 4,
        }
    }
}
