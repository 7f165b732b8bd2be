//! What is answered is durable; what was not written is taken back.

use std::sync::atomic::Ordering;

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
