//! Days opened by the system's time.

use std::time::Duration;

use encours_domain::commands::{AdvanceClock, RunDay};
use encours_domain::{Event, Micros};
use encours_log::{Clock as _, FrameNumber};

use super::support::*;
use crate::{ClockLimit, Denied, SyncEngine};

fn events(engine: &SyncEngine) -> Vec<Event> {
    let reader = engine.reader();
    let mut events = Vec::new();
    let mut number = FrameNumber(1);
    while let Some(frame) = reader.read(number).unwrap() {
        for (_, event) in frame.events() {
            events.push(encours_schema::decode(event.kind, event.version, event.payload).unwrap());
        }
        number = number.next();
    }
    events
}

fn opened(engine: &SyncEngine) -> Vec<(String, bool)> {
    events(engine)
        .into_iter()
        .filter_map(|event| match event {
            Event::DayOpened(opened) => Some((opened.day.to_string(), opened.on_time)),
            _ => None,
        })
        .collect()
}

#[test]
fn the_first_command_after_local_midnight_finds_the_new_day_open() {
    let world = World::new();
    let mut engine = world.open();
    engine.execute(by_ann(ledger("acme"))).unwrap();
    engine.execute(by_ann(customer(Some("c1")))).unwrap();
    world.clock.set("2026-03-10T22:59:59Z");
    engine.execute(by_ann(invoice(None, 1))).unwrap();
    assert!(opened(&engine).is_empty());
    // Midnight in Paris.
    world.clock.set("2026-03-10T23:00:00Z");
    engine.execute(by_ann(invoice(None, 2))).unwrap();
    assert_eq!(opened(&engine), [("2026-03-11".to_owned(), true)]);
    let names: Vec<_> = events(&engine).iter().rev().take(2).map(Event::name).collect();
    assert_eq!(names, ["InvoiceIssued", "DayOpened"]);
    // The timer does it as well, and only once.
    world.clock.set("2026-03-12T05:00:00Z");
    engine.open_days().unwrap();
    engine.open_days().unwrap();
    assert_eq!(opened(&engine).len(), 2);
}

#[test]
fn days_of_downtime_open_in_order_and_late() {
    let world = World::new();
    let mut engine = world.open();
    engine.execute(by_ann(ledger("acme"))).unwrap();
    engine.stop().unwrap();
    world.clock.set("2026-03-13T12:00:00Z");
    let mut engine = world.open();
    engine.execute(by_ann(customer(Some("c1")))).unwrap();
    let expected = [("2026-03-11", false), ("2026-03-12", false), ("2026-03-13", true)];
    assert_eq!(opened(&engine), expected.map(|(day, on_time)| (day.to_owned(), on_time)));
}

#[test]
fn years_of_downtime_do_not_overfill_a_frame() {
    let world = World::new();
    let mut engine = world.open();
    engine.execute(by_ann(ledger("acme"))).unwrap();
    engine.stop().unwrap();
    world.clock.set("2036-03-10T12:00:00Z");
    let mut engine = world.open();
    engine.open_days().unwrap();
    assert_eq!(opened(&engine).len(), 3_653);
}

#[test]
fn a_clock_far_ahead_of_the_log_opens_no_day_before_it_is_confirmed() {
    let mut world = World::new();
    let ahead = Duration::from_secs(40 * 86_400);
    world.limits.clock = Some(ClockLimit { ahead, confirmed: Micros(i64::MIN) });
    let mut engine = world.open();
    engine.execute(by_ann(ledger("acme"))).unwrap();
    engine.execute(by_ann(test_ledger("trial", "2013-01-01"))).unwrap();
    let done = by_ann(customer(Some("c0"))).with_request_id("r");
    let first = engine.execute(done.clone()).unwrap();
    let before = world.clock.now();
    engine.stop().unwrap();
    world.clock.set("2036-03-10T12:00:00Z");
    let mut engine = world.open();
    engine.open_days().unwrap();
    let again = engine.execute(done).unwrap();
    assert_eq!((again.position, again.repeated), (first.position, true), "what was done is told");
    let denied = engine.execute(by_ann(customer(Some("c1")))).unwrap_err();
    assert!(matches!(denied, Denied::ClockJump(_)), "{denied}");
    let run = RunDay { clock: encours_domain::ClockNo(0), day: day("2026-03-11"), limit: 10 };
    assert!(matches!(engine.execute(by_ann(run)), Err(Denied::ClockJump(_))));
    assert!(matches!(engine.execute(by_ann(ledger("late"))), Err(Denied::ClockJump(_))));
    assert!(opened(&engine).is_empty());
    // Nothing else stands still, and nothing is stamped with a time that may be wrong.
    let to = day("2013-01-03");
    let advance = AdvanceClock { ledger_id: id("trial"), to, outage: false };
    engine.execute(by_ann(advance)).unwrap();
    let newest = engine.reader().tail();
    assert_eq!(newest.recorded_at, before);
    engine.stop().unwrap();

    world.limits.clock = Some(ClockLimit { ahead, confirmed: world.clock.now() });
    let mut engine = world.open();
    engine.execute(by_ann(customer(Some("c1")))).unwrap();
    let days = opened(&engine).iter().filter(|(day, _)| day.as_str() > "2026").count();
    assert_eq!(days, 3_653);
    assert_eq!(engine.reader().tail().recorded_at, world.clock.now());
}

#[test]
fn a_log_that_nothing_is_written_to_keeps_the_time() {
    let mut world = World::new();
    let ahead = Duration::from_secs(40 * 86_400);
    world.limits.clock = Some(ClockLimit { ahead, confirmed: Micros(i64::MIN) });
    let mut engine = world.open();
    engine.execute(by_ann(test_ledger("trial", "2013-01-01"))).unwrap();
    let told = |engine: &SyncEngine| {
        events(engine).iter().filter(|event| event.name() == "WriterOpened").count()
    };
    for (day, times) in
        [("03-15", 1), ("03-16", 2), ("03-20", 2), ("04-01", 3), ("04-20", 4), ("05-05", 5)]
    {
        world.clock.set(&format!("2026-{day}T12:00:00Z"));
        for _ in 0..3 {
            engine.open_days().unwrap();
        }
        assert_eq!(told(&engine), times, "{day}");
        assert_eq!(engine.reader().tail().epoch.0, 1);
    }
    engine.stop().unwrap();
    // Long after the last command, and not long after the server was off.
    world.clock.set("2026-06-10T12:00:00Z");
    let mut engine = world.open();
    engine.execute(by_ann(ledger("acme"))).unwrap();
    assert_eq!(engine.reader().tail().recorded_at, world.clock.now());
}

#[test]
fn recorded_at_never_goes_back() {
    let world = World::new();
    let mut engine = world.open();
    engine.execute(by_ann(ledger("acme"))).unwrap();
    world.clock.set("2026-03-08T12:00:00Z");
    engine.execute(by_ann(customer(Some("c1")))).unwrap();
    world.clock.set("2026-03-10T13:00:00Z");
    engine.execute(by_ann(customer(Some("c2")))).unwrap();
    assert!(opened(&engine).is_empty());
    let reader = engine.reader();
    let at = |n| reader.read(FrameNumber(n)).unwrap().unwrap().header().recorded_at;
    assert_eq!(at(2), at(3));
    assert!(at(4) > at(3));
}

#[test]
fn a_test_clock_is_run_by_commands() {
    let world = World::new();
    let mut engine = world.open();
    engine.execute(by_ann(test_ledger("acme", "2013-01-01"))).unwrap();
    let to = day("2013-01-03");
    engine.execute(by_ann(AdvanceClock { ledger_id: id("acme"), to, outage: false })).unwrap();
    let clock = encours_domain::ClockNo(0);
    for day in [day("2013-01-02"), to] {
        engine.execute(by_ann(RunDay { clock, day, limit: 1_000 })).unwrap();
    }
    let row = engine.rows().unwrap().clocks.get(0).unwrap();
    assert_eq!((row.today, row.finished, row.target), (to, to, to));
    assert!(opened(&engine).iter().all(|(_, on_time)| *on_time));
}
