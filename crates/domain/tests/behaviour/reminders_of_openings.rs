//! Reminders of opening items, and those that people make.

use chrono::NaiveDate;
use encours_domain::Reason;
use encours_domain::commands::*;
use encours_domain::dunning::{Channel, Step};
use encours_domain::event::Direction;
use encours_domain::status::Dunning;

use crate::almanac::{Almanac, to_day, ymd};
use crate::scenario::{id, names};
use crate::world::World;

fn in_2026(month: u32, day: u32) -> NaiveDate {
    ymd(2026, month, day)
}

fn opening(due: NaiveDate, sent_on: Option<NaiveDate>) -> AddOpeningItem {
    AddOpeningItem {
        ledger_id: id("acme"),
        invoice_id: Some(id("a")),
        customer_id: id("dupont"),
        direction: Direction::Owed,
        amount: 10_000,
        paid: 0,
        currency: None,
        date: None,
        due_date: Some(to_day(due)),
        number: None,
        reference: None,
        sent_on: sent_on.map(to_day),
    }
}

fn due_on(due_date: NaiveDate) -> CorrectOpeningItem {
    CorrectOpeningItem {
        ledger_id: id("acme"),
        invoice_id: id("a"),
        amount: None,
        paid: None,
        currency: None,
        due_date: Some(to_day(due_date)),
        date: None,
    }
}

#[test]
fn an_opening_item_is_reminded_of_without_an_issue_notice() {
    let almanac = Almanac::france(2026..=2027);
    let (start, end) = (in_2026(9, 1), in_2026(12, 31));
    for due in start.iter_days().take(12) {
        let mut world = World::new(start, 1_000);
        world.accept(opening(due, Some(start)));
        world.run_to(end);
        assert_eq!(world.steps("a"), almanac.plan(start, due, 0, true), "{due}");
        // Without the day it was sent, the plan waits for it.
        let mut world = World::new(start, 1_000);
        world.accept(opening(due, None));
        world.run_to(in_2026(9, 8));
        world.mark_sent("a", None);
        world.run_to(end);
        assert_eq!(world.steps("a"), almanac.plan(in_2026(9, 8), due, 0, true), "{due}");
    }
}

#[test]
fn an_old_opening_item_is_reminded_of_once_and_a_due_date_put_off_plans_anew() {
    let mut world = World::new(in_2026(9, 1), 1_000);
    let told = world.accept(opening(in_2026(8, 3), Some(in_2026(7, 1))));
    assert_eq!(names(&told), ["OpeningItemAdded", "InvoiceOverdue", "ReminderEmitted"]);
    assert_eq!(world.steps("a"), [(Step::Overdue(3), in_2026(9, 1))]);
    let mut world = World::new(in_2026(9, 1), 1_000);
    world.accept(opening(in_2026(8, 31), Some(in_2026(8, 1))));
    world.run_to(in_2026(9, 8));
    assert_eq!(world.steps("a").last().unwrap().0, Step::Overdue(1));
    world.accept(due_on(in_2026(10, 1)));
    world.run_to(in_2026(12, 31));
    let severe = [(Step::Overdue(2), in_2026(10, 15)), (Step::Overdue(3), in_2026(10, 22))];
    assert_eq!(world.steps("a")[2..], severe, "nothing is sent again");
}

#[test]
fn a_due_date_corrected_to_an_earlier_day_tells_what_was_missed_at_once() {
    let mut world = World::new(in_2026(9, 1), 1_000);
    world.accept(opening(in_2026(12, 1), Some(in_2026(9, 1))));
    world.run_to(in_2026(9, 21));
    assert_eq!(world.steps("a"), []);
    // Sent on its due date: six business days later is the 9th, five more the 16th.
    let told = names(&world.accept(due_on(in_2026(9, 1))));
    assert_eq!(told, ["OpeningItemCorrected", "InvoiceOverdue", "ReminderEmitted"]);
    world.run_to(in_2026(12, 31));
    let on = |nth, month, day| (Step::Overdue(nth), in_2026(month, day));
    assert_eq!(world.steps("a"), [on(2, 9, 21), on(3, 9, 28), on(4, 10, 5)]);
    world.check_replay();
}

fn by_hand(target: ReminderTarget, level: u8, date: Option<NaiveDate>) -> RecordReminder {
    RecordReminder {
        ledger_id: id("acme"),
        target,
        level,
        channel: Channel::Phone,
        date: date.map(to_day),
        text: "promised for Friday".into(),
    }
}

#[test]
fn reminders_made_by_hand_are_noted_and_the_plan_goes_on() {
    let mut world = World::new(in_2026(9, 1), 1_000);
    world.issue("a", 30, 0);
    world.mark_sent("a", None);
    world.run_to(in_2026(10, 2));
    let about = |level, date| by_hand(ReminderTarget::Invoice(id("a")), level, date);
    for level in [0, 10] {
        assert_eq!(world.try_do(about(level, None)).unwrap_err().reason, Reason::UnknownValue);
    }
    let refused = |world: &mut World, date| world.try_do(about(1, Some(date))).unwrap_err().reason;
    assert_eq!(refused(&mut world, in_2026(10, 3)), Reason::WrongState);
    assert_eq!(refused(&mut world, in_2026(8, 31)), Reason::DatedBeforeFact);
    let told = names(&world.accept(about(2, Some(in_2026(10, 1)))));
    assert_eq!(told, ["ReminderRecorded"]);
    world.accept(about(1, None));
    let facets = world.invoice("a").facets;
    assert_eq!((facets.level, facets.dunning), (2, Dunning::Level(2)));
    world.run_to(in_2026(12, 31));
    let almanac = Almanac::france(2026..=2027);
    assert_eq!(world.steps("a"), almanac.plan(in_2026(9, 1), in_2026(10, 1), 0, false));
    let customer = ReminderTarget::Customer(id("dupont"));
    let told = names(&world.accept(by_hand(customer, 9, None)));
    assert_eq!(told, ["CustomerReminderRecorded"]);
    let unknown = ReminderTarget::Customer(id("durand"));
    let refusal = world.try_do(by_hand(unknown, 1, None)).unwrap_err();
    assert_eq!(refusal.reason, Reason::UnknownCustomer);
}
