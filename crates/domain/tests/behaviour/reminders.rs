//! What starts, pauses, ends and resumes the reminders of an invoice.

use chrono::{Days, NaiveDate};
use encours_domain::Reason;
use encours_domain::calendar::Calendar;
use encours_domain::commands::*;
use encours_domain::dunning::{Policy, Step};
use encours_domain::status::Dunning;
use encours_domain::terms::Due;

use crate::almanac::{Almanac, to_day, ymd};
use crate::scenario::{cancel, deallocate_payment, id, names, payment, reverse};
use crate::world::World;

/// The steps of an invoice sent on 2026-09-01 and due on 2026-10-01, a Thursday: no public holiday
/// lies among its days.
const MIDPOINT: (Step, (u32, u32)) = (Step::Midpoint, (9, 16));
const DUE: (Step, (u32, u32)) = (Step::DueDate, (10, 1));
const FIRST: (Step, (u32, u32)) = (Step::Overdue(1), (10, 8));
const SECOND: (Step, (u32, u32)) = (Step::Overdue(2), (10, 15));
const THIRD: (Step, (u32, u32)) = (Step::Overdue(3), (10, 22));

fn in_2026(month: u32, day: u32) -> NaiveDate {
    ymd(2026, month, day)
}

/// The invoice `a`, sent.
fn sent() -> World {
    let mut world = World::new(in_2026(9, 1), 1_000);
    world.issue("a", 30, 0);
    let events = world.mark_sent("a", None);
    assert_eq!(names(&events), ["InvoiceSent", "ReminderEmitted"]);
    world
}

/// What went out of `a` besides the issue notice of its first day.
fn check(world: &World, expected: &[(Step, (u32, u32))]) {
    let steps = world.steps("a");
    assert_eq!(steps[0], (Step::IssueNotice, in_2026(9, 1)));
    let expected: Vec<_> = expected.iter().map(|(step, (m, d))| (*step, in_2026(*m, *d))).collect();
    assert_eq!(steps[1..], expected);
    world.check_replay();
}

fn pay(world: &mut World, name: &str, amount: i64) -> Vec<&'static str> {
    names(&world.accept(payment(name, amount, Put::Invoice(id("a")))))
}

#[test]
fn the_plan_shows_its_next_step_its_level_and_its_end() {
    let mut world = World::new(in_2026(9, 1), 1_000);
    world.issue("a", 30, 0);
    assert_eq!(world.invoice("a").next_reminder, None, "not sent");
    world.mark_sent("a", None);
    let mut seen = Vec::new();
    for (month, day) in [(9, 15), (9, 16), (9, 30), (10, 1), (10, 8), (10, 15), (10, 22)] {
        world.run_to(in_2026(month, day));
        let invoice = world.invoice("a");
        let next = invoice.next_reminder.map(|next| (next.step, next.date.date()));
        seen.push((invoice.facets.dunning, invoice.facets.level, next));
    }
    let next = |(step, (month, day))| Some((step, in_2026(month, day)));
    assert_eq!(
        seen,
        [
            (Dunning::None, 0, next(MIDPOINT)),
            (Dunning::None, 0, next(DUE)),
            (Dunning::None, 0, next(DUE)),
            (Dunning::None, 0, next(FIRST)),
            (Dunning::Level(1), 1, next(SECOND)),
            (Dunning::Level(2), 2, next(THIRD)),
            (Dunning::Exhausted, 3, None),
        ]
    );
    world.run_to(in_2026(12, 31));
    check(&world, &[MIDPOINT, DUE, FIRST, SECOND, THIRD]);
}

#[test]
fn on_a_day_what_is_due_is_told_before_the_reminders() {
    let mut world = sent();
    world.run_to(in_2026(9, 30));
    let told = names(&world.run_to(in_2026(10, 1)));
    assert_eq!(
        told,
        ["ClockAdvanced", "DayOpened", "InvoiceDue", "ReminderEmitted", "DayFinished"]
    );
}

#[test]
fn a_dispute_pauses_and_its_end_tells_the_latest_step_only() {
    let mut world = sent();
    world.run_to(in_2026(9, 20));
    world.dispute("a");
    assert_eq!(world.invoice("a").next_reminder, None);
    assert_eq!(world.invoice("a").facets.dunning, Dunning::OnHold);
    world.run_to(in_2026(10, 12));
    check(&world, &[MIDPOINT]);
    let events = world.resolve("a", None);
    assert_eq!(names(&events), ["DisputeResolved", "ReminderEmitted"]);
    assert_eq!(world.sent.values().next().unwrap()[2].planned, to_day(in_2026(10, 8)));
    // The first reminder went out on Monday 12: the next ones follow 5 and 10 business days later.
    world.run_to(in_2026(12, 31));
    let (second, third) = ((Step::Overdue(2), (10, 19)), (Step::Overdue(3), (10, 26)));
    check(&world, &[MIDPOINT, (Step::Overdue(1), (10, 12)), second, third]);
}

#[test]
fn a_dispute_that_held_nothing_back_changes_nothing() {
    let mut world = sent();
    world.dispute("a");
    world.run_to(in_2026(9, 15));
    assert_eq!(names(&world.resolve("a", None)), ["DisputeResolved"]);
    world.run_to(in_2026(12, 31));
    check(&world, &[MIDPOINT, DUE, FIRST, SECOND, THIRD]);
}

#[test]
fn a_dispute_resolved_from_a_day_to_come_holds_until_that_day() {
    let mut world = sent();
    world.dispute("a");
    world.run_to(in_2026(9, 18));
    assert_eq!(names(&world.resolve("a", Some(in_2026(9, 21)))), ["DisputeResolved"]);
    world.run_to(in_2026(9, 30));
    check(&world, &[(Step::Midpoint, (9, 21))]);
}

#[test]
fn part_of_the_money_stops_nothing_and_all_of_it_ends_the_plan() {
    let mut world = sent();
    world.run_to(in_2026(10, 1));
    pay(&mut world, "part", 9_999);
    world.run_to(in_2026(10, 10));
    check(&world, &[MIDPOINT, DUE, FIRST]);
    assert_eq!(world.sent.values().next().unwrap()[3].open, 1, "a cent is open");
    pay(&mut world, "rest", 1);
    assert_eq!(world.invoice("a").next_reminder, None);
    assert_eq!(world.invoice("a").facets.dunning, Dunning::None);
    world.run_to(in_2026(12, 31));
    check(&world, &[MIDPOINT, DUE, FIRST]);
}

#[test]
fn a_bounced_payment_resumes_at_the_latest_step_missed() {
    let mut world = sent();
    pay(&mut world, "p", 10_000);
    world.run_to(in_2026(10, 16));
    check(&world, &[]);
    let told = names(&world.accept(reverse("p")));
    let tail = ["InvoiceReopened", "InvoiceOverdue", "ReminderEmitted"];
    assert_eq!(told[told.len() - 3..], tail);
    world.run_to(in_2026(12, 31));
    check(&world, &[(Step::Overdue(2), (10, 16)), (Step::Overdue(3), (10, 23))]);
}

#[test]
fn a_payment_that_bounces_within_an_interval_resends_nothing() {
    let mut world = sent();
    world.run_to(in_2026(10, 8));
    pay(&mut world, "p", 10_000);
    world.run_to(in_2026(10, 13));
    assert!(!names(&world.accept(reverse("p"))).contains(&"ReminderEmitted"));
    world.run_to(in_2026(12, 31));
    check(&world, &[MIDPOINT, DUE, FIRST, SECOND, THIRD]);
}

#[test]
fn money_that_counts_for_a_time_silences_only_that_time() {
    let mut world = sent();
    world.run_to(in_2026(10, 5));
    pay(&mut world, "p", 10_000);
    // It will come off on the 20th: until then nothing is open, and from that day on all is.
    world.accept(ReversePayment { date: Some(to_day(in_2026(10, 20))), ..reverse("p") });
    world.run_to(in_2026(10, 19));
    check(&world, &[MIDPOINT, DUE]);
    world.run_to(in_2026(12, 31));
    check(&world, &[MIDPOINT, DUE, (Step::Overdue(2), (10, 20)), (Step::Overdue(3), (10, 27))]);
}

/// Something was open all the while, on a day to come; what comes off today makes it open today.
#[test]
fn what_opens_today_is_reminded_of_at_once_though_more_opens_later() {
    let mut world = sent();
    pay(&mut world, "p", 5_000);
    pay(&mut world, "q", 5_000);
    world.run_to(in_2026(10, 9));
    world.accept(ReversePayment { date: Some(to_day(in_2026(10, 20))), ..reverse("p") });
    world.run_to(in_2026(10, 10));
    let told = names(&world.accept(deallocate_payment("a", "q", None)));
    assert_eq!(told, ["Deallocated", "InvoiceOverdue", "ReminderEmitted"]);
    check(&world, &[(Step::Overdue(1), (10, 10))]);
    assert_eq!(world.sent.values().next().unwrap()[1].open, 5_000);
}

#[test]
fn days_opened_late_remind_of_nothing_though_something_is_open_between_two_payments() {
    let mut world = sent();
    world.run_to(in_2026(10, 5));
    pay(&mut world, "p", 10_000);
    world.accept(ReversePayment { date: Some(to_day(in_2026(10, 7))), ..reverse("p") });
    let command = RecordPayment {
        received_on: Some(to_day(in_2026(10, 9))),
        ..payment("q", 10_000, Put::Invoice(id("a")))
    };
    world.accept(command);
    world.accept(ReversePayment { date: Some(to_day(in_2026(10, 14))), ..reverse("q") });
    // Open on the 8th, when the step is planned, but on no day that is opened on time until the 14th.
    world.outage_to(in_2026(10, 12));
    world.run_to(in_2026(10, 13));
    check(&world, &[MIDPOINT, DUE]);
    world.run_to(in_2026(10, 14));
    check(&world, &[MIDPOINT, DUE, (Step::Overdue(1), (10, 14))]);
}

#[test]
fn a_cancelled_invoice_is_reminded_of_no_more() {
    let mut world = sent();
    world.accept(CancelInvoice { credit_note_id: Some(id("av")), ..cancel("a", false) });
    world.run_to(in_2026(12, 31));
    check(&world, &[]);
}

fn stop(invoice: &str) -> StopReminders {
    StopReminders { ledger_id: id("acme"), invoice_id: id(invoice), reason: "a friend".into() }
}

#[test]
fn reminders_are_stopped_for_good() {
    let mut world = sent();
    world.run_to(in_2026(10, 1));
    assert_eq!(names(&world.accept(stop("a"))), ["RemindersStopped"]);
    assert_eq!(world.accept(stop("a")), [], "a repeat");
    assert_eq!(world.invoice("a").next_reminder, None);
    assert_eq!(world.invoice("a").facets.dunning, Dunning::Stopped);
    world.run_to(in_2026(10, 9));
    world.dispute("a");
    world.resolve("a", None);
    pay(&mut world, "p", 10_000);
    world.accept(reverse("p"));
    world.run_to(in_2026(12, 31));
    check(&world, &[MIDPOINT, DUE]);
    assert_eq!(world.try_do(stop("b")).unwrap_err().reason, Reason::UnknownInvoice);
    let loud = StopReminders { reason: "\u{7}".into(), ..stop("a") };
    assert_eq!(world.try_do(loud).unwrap_err().reason, Reason::InvalidText);
}

#[test]
fn after_downtime_due_and_overdue_come_in_order_and_one_reminder_on_the_day_itself() {
    let mut world = sent();
    let told = world.outage_to(in_2026(10, 19));
    let facts: Vec<_> = names(&told).into_iter().filter(|name| !name.contains("Day")).collect();
    assert_eq!(facts, ["ClockAdvanced", "InvoiceDue", "InvoiceOverdue", "ReminderEmitted"]);
    assert_eq!(world.sent.values().next().unwrap()[1].planned, to_day(in_2026(10, 15)));
    world.run_to(in_2026(12, 31));
    check(&world, &[(Step::Overdue(2), (10, 19)), (Step::Overdue(3), (10, 26))]);
}

#[test]
fn commands_on_a_day_opened_late_remind_of_nothing_until_one_is_opened_on_time() {
    let mut world = sent();
    world.advance(in_2026(10, 19), true);
    // The 2nd is open, late.
    let mut events = Vec::new();
    while world.today() < to_day(in_2026(9, 20)) {
        events.extend(world.run_one());
    }
    world.dispute("a");
    assert_eq!(names(&world.resolve("a", None)), ["DisputeResolved"]);
    assert!(!names(&events).contains(&"ReminderEmitted"));
    world.run();
    check(&world, &[(Step::Overdue(2), (10, 19))]);
}

#[test]
fn a_sending_told_late_counts_from_its_day_and_the_steps_after_a_late_one_keep_their_interval() {
    let mut world = World::new(in_2026(9, 1), 1_000);
    world.issue("a", 30, 0);
    world.run_to(in_2026(9, 18));
    world.mark_sent("a", Some(in_2026(9, 1)));
    // The notice and the reminder of the 16th are late by the 18th: the later one goes out.
    world.mark_sent("a", Some(in_2026(9, 4)));
    world.run_to(in_2026(12, 31));
    let day = |day| in_2026(10, day);
    assert_eq!(
        world.steps("a"),
        [
            (Step::Midpoint, in_2026(9, 18)),
            (Step::DueDate, day(3)),
            (Step::Overdue(1), day(9)),
            (Step::Overdue(2), day(16)),
            (Step::Overdue(3), day(23)),
        ]
    );
    let planned: Vec<_> = world.sent.values().next().unwrap().iter().map(|e| e.planned).collect();
    let days = [in_2026(9, 16), day(3), day(9), day(16), day(23)];
    assert_eq!(planned, days.map(to_day), "only the first went out late");
}

#[test]
fn a_sending_on_a_day_to_come_starts_the_plan_on_that_day() {
    let mut world = World::new(in_2026(9, 1), 3);
    world.issue("a", 30, 0);
    assert_eq!(names(&world.mark_sent("a", Some(in_2026(9, 5)))), ["InvoiceSent"]);
    world.run_to(in_2026(12, 31));
    let almanac = Almanac::france(2026..=2027);
    assert_eq!(world.steps("a"), almanac.plan(in_2026(9, 5), in_2026(10, 1), 0, false));
}

#[test]
fn other_calendars_and_policies() {
    let may = ymd(2026, 5, 1);
    let steps = |calendar, policy| {
        let mut world = World::with(may, 1_000, calendar, policy);
        world.issue("a", 0, 0);
        world.mark_sent("a", None);
        world.run_to(may + Days::new(90));
        world.steps("a")
    };
    assert_eq!(steps(Calendar::France, Policy::None), []);
    let after = |days: [u64; 5]| days.map(|days| may + Days::new(days)).to_vec();
    let dates = |steps: Vec<(Step, NaiveDate)>| steps.into_iter().map(|step| step.1).collect();
    let weekdays: Vec<_> = dates(steps(Calendar::Weekdays, Policy::ThreeCases));
    assert_eq!(weekdays, after([0, 10, 17, 24, 31]));
    // 8 and 14 (Ascension) and 25 May (Whit Monday) are no business days in France.
    let france: Vec<_> = dates(steps(Calendar::France, Policy::ThreeCases));
    assert_eq!(france, after([0, 11, 19, 27, 34]));
}

#[test]
fn two_invoices_are_reminded_of_apart() {
    let mut world = sent();
    let short = IssueInvoice {
        due: Some(Due::Date(to_day(in_2026(9, 3)))),
        ..crate::scenario::invoice("b", 10_000)
    };
    world.accept(short);
    world.mark_sent("b", None);
    world.run_to(in_2026(12, 31));
    check(&world, &[MIDPOINT, DUE, FIRST, SECOND, THIRD]);
    let almanac = Almanac::france(2026..=2027);
    assert_eq!(world.steps("b"), almanac.plan(in_2026(9, 1), in_2026(9, 3), 0, false));
}
