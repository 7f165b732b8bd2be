//! The three cases over every boundary, against the independent computation: the pure function, and
//! the days run as the engine runs them.

use chrono::{Datelike, Days, NaiveDate};
use encours_domain::calendar::Calendar;
use encours_domain::dunning::{self, Facts, Policy, Step};
use encours_domain::event::ReminderEmitted;
use encours_domain::terms::DueTerms;

use crate::almanac::{Almanac, to_day, ymd};
use crate::world::World;

const ALL_OFFSETS: std::ops::RangeInclusive<i64> = -40..=30;

fn shift(date: NaiveDate, days: i64) -> NaiveDate {
    NaiveDate::from_num_days_from_ce_opt(date.num_days_from_ce() + i32::try_from(days).unwrap())
        .unwrap()
}

fn computed(facts: &Facts) -> Vec<(Step, NaiveDate)> {
    let steps = dunning::to_come(Policy::ThreeCases, Calendar::France, facts);
    steps.map(|planned| (planned.step, planned.date.date())).collect()
}

#[test]
fn the_plan_is_the_table_for_every_sending_due_date_and_grace_of_three_years() {
    let almanac = Almanac::france(2026..=2030);
    let mut compared = 0;
    // 2028 is a leap year.
    for due in ymd(2027, 1, 1).iter_days().take_while(|due| due.year() < 2030) {
        for sent in ALL_OFFSETS.map(|offset| shift(due, offset)) {
            for grace_days in 0..=10 {
                // Opening items have no grace.
                for opening in [false, true].into_iter().take(if grace_days == 0 { 2 } else { 1 }) {
                    let terms = DueTerms { date: to_day(due), grace_days };
                    let sent_on = Some(to_day(sent));
                    let facts = Facts { sent_on, due: terms, opening, last: None };
                    let expected = almanac.plan(sent, due, grace_days.into(), opening);
                    assert_eq!(computed(&facts), expected, "{sent} {due} {grace_days} {opening}");
                    compared += 1;
                }
            }
        }
    }
    assert_eq!(compared, 1_096 * 71 * 12);
}

#[test]
fn whatever_went_out_on_its_day_leaves_the_rest_of_the_plan_as_it_was() {
    let almanac = Almanac::france(2026..=2030);
    for due in ymd(2027, 12, 1).iter_days().take(120) {
        for sent in ALL_OFFSETS.map(|offset| shift(due, offset)) {
            for grace_days in [0, 3, 10] {
                let due_terms = DueTerms { date: to_day(due), grace_days };
                let plan = almanac.plan(sent, due, grace_days.into(), false);
                for (nth, (step, date)) in plan.iter().enumerate() {
                    let (planned, date) = (to_day(*date), to_day(*date));
                    let last = Some(dunning::Emitted { step: *step, planned, date });
                    let sent_on = Some(to_day(sent));
                    let facts = Facts { sent_on, due: due_terms, opening: false, last };
                    assert_eq!(computed(&facts), plan[nth + 1..], "{sent} {due} after {step:?}");
                }
            }
        }
    }
}

#[test]
fn nothing_is_planned_before_it_is_sent_without_a_policy_or_past_the_calendar() {
    let terms = |date| DueTerms { date, grace_days: 0 };
    let due = to_day(ymd(2027, 6, 30));
    let unsent = Facts { sent_on: None, due: terms(due), opening: false, last: None };
    assert_eq!(computed(&unsent), []);
    let sent = Facts { sent_on: Some(due), ..unsent };
    assert_eq!(dunning::to_come(Policy::None, Calendar::France, &sent).next(), None);
    // 31 December 2199 is the last day: what would come after it never does.
    let last = ymd(2199, 12, 30);
    let facts = Facts { sent_on: Some(to_day(last)), due: terms(to_day(last)), ..unsent };
    assert_eq!(computed(&facts), [(Step::IssueNotice, last)]);
}

/// Issues an invoice for every offset of `offsets` and every due date of `dues`, 40 days before it,
/// marks each one sent on its day, runs all days, and compares what went out with the plan.
fn run_days(limit: u32, dues: (NaiveDate, usize), offsets: &[i64], before_run: bool) -> usize {
    let almanac = Almanac::france(2026..=2031);
    let (first, count) = dues;
    let mut world = World::new(shift(first, -41), limit);
    let mut invoices = Vec::new();
    let end = shift(first, i64::try_from(count).unwrap() + 75);
    for today in shift(first, -40).iter_days().take_while(|today| *today <= end) {
        if before_run {
            world.advance(today, false);
        } else {
            world.run_to(today);
        }
        let due = shift(today, 40);
        if (first..first + Days::new(count as u64)).contains(&due) {
            for offset in offsets {
                let grace = u8::try_from((invoices.len() * 7 + invoices.len() / 71) % 11).unwrap();
                let name = format!("{due}:{offset}");
                let no = world.issue(&name, 40, grace);
                invoices.push((no, name, shift(due, *offset), due, grace));
            }
        }
        for (_, name, sent, ..) in invoices.iter().rev() {
            if *sent == today {
                world.mark_sent(name, None);
            }
        }
        if before_run {
            world.run();
        }
    }
    let mut emitted = 0;
    for (no, name, sent, due, grace) in &invoices {
        let went_out = world.sent.get(no).map_or(&[][..], Vec::as_slice);
        let steps: Vec<_> = went_out.iter().map(|e| (e.step, e.date.date())).collect();
        assert_eq!(steps, almanac.plan(*sent, *due, (*grace).into(), false), "{name} {grace}");
        assert!(went_out.iter().all(is_told_as_planned), "{name}: {went_out:?}");
        emitted += steps.len();
    }
    world.check_replay();
    emitted
}

fn is_told_as_planned(e: &ReminderEmitted) -> bool {
    let template = match e.step {
        Step::IssueNotice => "issue-notice",
        Step::Midpoint => "before-due",
        Step::DueDate => "due",
        Step::Overdue(nth) => {
            ["overdue-1", "overdue-2", "overdue-3", "overdue-4"][nth as usize - 1]
        }
    };
    let level = if let Step::Overdue(nth) = e.step { nth } else { 0 };
    (e.planned, e.open, e.level, &*e.template) == (e.date, 10_000, level, template)
}

#[test]
fn days_run_tell_the_plan_for_every_sending_around_every_due_date_of_a_year() {
    // A third of the offsets each, and all of those where the case changes.
    let mut emitted = 0;
    for part in 0..3 {
        let far = |offset: &i64| offset.rem_euclid(3) == part || (-6..=1).contains(offset);
        let offsets: Vec<_> = ALL_OFFSETS.filter(far).collect();
        let first = ymd(2027, 12, 20) + Days::new(part.unsigned_abs() * 127);
        emitted += run_days(1_000, (first, 127), &offsets, false);
    }
    assert!(emitted > 380 * 29 * 4, "{emitted}");
}

#[test]
fn the_limit_of_a_run_changes_nothing() {
    for limit in [1, 3] {
        for before_run in [false, true] {
            let emitted = run_days(limit, (ymd(2028, 4, 20), 30), &[-40, -4, -3, 0, 1], before_run);
            assert_eq!(emitted, 30 * (6 + 6 + 4 + 5 + 5));
        }
    }
}
