//! What is answered is durable; what was not written is taken back.

use std::sync::atomic::Ordering;

use encours_domain::Reason;

use super::support::*;
use crate::Denied;

#[test]
fn a_full_log_takes_commands_back_and_goes_on_when_there_is_room() {
    let world = World::new();
    let mut engine = world.open();
    engine.execute(by_ann(ledger("acme"))).unwrap();
    engine.execute(by_ann(customer(Some("c1")))).unwrap();
    let before = bytes(&engine);
    let tail = engine.reader().tail();
    // The log does not say so before the frame is there.
    world.gates.full.store(true, Ordering::SeqCst);
    world.gates.hides_full.store(true, Ordering::SeqCst);
    let lost = by_ann(invoice(Some("i1"), 10)).with_request_id("r");
    let customer_lost = by_ann(customer(Some("c2")));
    let answers = engine.execute_all(vec![lost.clone(), customer_lost.clone()]);
    assert_eq!(answers, [Err(Denied::LogFull), Err(Denied::LogFull)]);
    assert_eq!(bytes(&engine), before, "the state ran ahead of the log");
    assert_eq!(engine.reader().tail(), tail);
    // It says so.
    world.gates.hides_full.store(false, Ordering::SeqCst);
    assert_eq!(engine.execute(lost.clone()), Err(Denied::LogFull));
    // Room again.
    world.gates.full.store(false, Ordering::SeqCst);
    assert!(!engine.execute(lost.clone()).unwrap().repeated);
    assert!(!engine.execute(customer_lost).unwrap().repeated);
    assert!(engine.execute(lost).unwrap().repeated);
    let before = bytes(&engine);
    drop(engine);
    let engine = world.open();
    assert_eq!(bytes(&engine), before);
}

#[test]
fn an_engine_opens_over_a_full_log() {
    let world = World::new();
    world.gates.full.store(true, Ordering::SeqCst);
    let mut engine = world.open();
    assert_eq!(engine.execute(by_ann(ledger("acme"))), Err(Denied::LogFull));
    world.gates.full.store(false, Ordering::SeqCst);
    engine.execute(by_ann(ledger("acme"))).unwrap();
    let frame = engine.reader().read(encours_log::FrameNumber(1)).unwrap().unwrap();
    assert_eq!(frame.header().event_count, 4, "log, writer, clock and ledger in one frame");
}

#[test]
fn a_full_log_tells_what_was_done_before_and_nothing_else() {
    let world = World::new();
    let mut engine = world.open();
    engine.execute(by_ann(ledger("acme"))).unwrap();
    engine.execute(by_ann(customer(Some("c1")))).unwrap();
    let issued = by_ann(invoice(None, 10)).with_request_id("r");
    let first = engine.execute(issued.clone()).unwrap();
    let tail = engine.reader().tail();
    world.gates.full.store(true, Ordering::SeqCst);
    let mut dry = by_ann(invoice(None, 5));
    dry.validate_only = true;
    let mut nobody = invoice(None, 5);
    nobody.customer_id = id("nobody");
    let not_now = [by_ann(invoice(None, 5)).with_request_id("r2"), dry, by_ann(nobody)];
    // Over a log that becomes full; one that is full at the start, where what announces the writer
    // waits; and on a day that has begun since.
    for time in ["2026-03-10T13:00:00Z", "2026-03-10T14:00:00Z", "2026-03-11T12:00:00Z"] {
        world.clock.set(time);
        for _ in 0..2 {
            let again = engine.execute(issued.clone()).unwrap();
            assert_eq!((again.position, again.subject), (first.position, first.subject), "{time}");
            assert!(again.repeated);
            assert!(engine.execute(by_ann(customer(Some("c1")))).unwrap().repeated, "by its id");
            let Err(Denied::Refused(reused)) =
                engine.execute(by_ann(invoice(None, 11)).with_request_id("r"))
            else {
                panic!("{time}: a request id stands for one command")
            };
            assert_eq!(reused.reason, Reason::RequestIdReused);
            for denied in engine.execute_all(not_now.to_vec()) {
                assert_eq!(denied, Err(Denied::LogFull), "{time}");
            }
        }
        assert_eq!(engine.reader().tail(), tail);
        drop(engine);
        engine = world.open();
    }
    world.gates.full.store(false, Ordering::SeqCst);
    assert!(!engine.execute(not_now[0].clone()).unwrap().repeated);
    assert!(engine.execute(issued).unwrap().repeated);
}

#[test]
fn after_a_failed_sync_nothing_is_tried_again() {
    let world = World::new();
    let mut engine = world.open();
    engine.execute(by_ann(ledger("acme"))).unwrap();
    world.gates.fails.store(true, Ordering::SeqCst);
    assert_eq!(engine.execute(by_ann(customer(Some("c1")))), Err(Denied::OutcomeUnknown));
    world.gates.fails.store(false, Ordering::SeqCst);
    assert_eq!(engine.execute(by_ann(customer(Some("c1")))), Err(Denied::Stopping));
    assert_eq!(engine.failed().unwrap().code(), "sync_failed");
}

#[test]
fn an_outcome_that_is_not_known_is_settled_by_reading_the_frame() {
    let world = World::new();
    let mut engine = world.open();
    engine.execute(by_ann(ledger("acme"))).unwrap();
    for (stored, name) in [(true, "c1"), (false, "c2")] {
        let before = engine.reader().tail().number;
        *world.gates.unknown.lock().unwrap() = Some(stored);
        assert!(!engine.execute(by_ann(customer(Some(name)))).unwrap().repeated);
        assert_eq!(engine.reader().tail().number, before.next(), "stored: {stored}");
    }
    let before = bytes(&engine);
    drop(engine);
    assert_eq!(bytes(&world.open()), before);
}

#[test]
fn a_writer_that_was_replaced_cannot_append() {
    let world = World::new();
    let mut zombie = world.open();
    zombie.execute(by_ann(ledger("acme"))).unwrap();
    let mut leader = world.open();
    let tail = leader.reader().tail();
    assert_eq!(zombie.execute(by_ann(customer(Some("c1")))), Err(Denied::OutcomeUnknown));
    assert!(zombie.failed().is_some() && zombie.rows().is_none());
    assert_eq!(leader.reader().tail(), tail);
    // Even where its frame would have been taken for ours by its number.
    let mut zombie = world.open();
    leader = world.open();
    *world.gates.unknown.lock().unwrap() = Some(false);
    zombie.execute(by_ann(customer(Some("c1")))).unwrap_err();
    assert_eq!(zombie.failed().unwrap().code(), "fenced");
    assert!(!leader.execute(by_ann(customer(Some("c1")))).unwrap().repeated);
}
