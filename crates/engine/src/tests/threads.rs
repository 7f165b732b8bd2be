//! The engine on its threads.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::support::*;
use crate::{Denied, Engine, EngineHandle, Limits, Outcome, Timing};

fn open(world: &World) -> EngineHandle {
    let engine = Engine::open(world.options(), world.dir()).unwrap();
    let handle = engine.handle();
    // Tests end engines by `stop`; dropping would close the queue.
    std::mem::forget(engine);
    handle
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_are_answered_and_outlive_a_restart() {
    let world = World::new();
    let engine = open(&world);
    engine.execute(by_ann(ledger("acme"))).await.unwrap();
    let first = engine.execute(by_ann(customer(None)).with_request_id("r")).await.unwrap();
    assert_eq!(engine.clocks().borrow().len(), 1);
    soon(engine.stop()).await.unwrap();
    soon(engine.stop()).await.unwrap();
    assert_eq!(engine.execute(by_ann(ledger("b"))).await, Err(Denied::Stopping));
    let engine = open(&world);
    assert_eq!(engine.recovery().events, 0);
    let again = engine.execute(by_ann(customer(None)).with_request_id("r")).await.unwrap();
    assert_eq!(again.subject, first.subject);
    soon(engine.stop()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_comes_before_the_frame_is_durable() {
    let world = World::new();
    let engine = open(&world);
    engine.execute(by_ann(ledger("acme"))).await.unwrap();
    let tail = engine.reader().tail();
    world.gates.hold();
    let mut refused = by_ann(customer(Some("c1")));
    let mut dry = refused.clone();
    dry.validate_only = true;
    // A refusal, a repeat and a dry run that all read what is not durable.
    let created = tokio::spawn({
        let (engine, command) = (engine.clone(), refused.clone());
        async move { engine.execute(command).await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let spawn = |submission: crate::Submission| {
        let engine = engine.clone();
        tokio::spawn(async move { engine.execute(submission).await })
    };
    let repeated = spawn(refused.clone());
    let previewed = spawn(dry);
    refused.command = {
        let mut other = customer(Some("c1"));
        other.details.name = Some("Other".into());
        other.into()
    };
    let refused = spawn(refused);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!created.is_finished() && !repeated.is_finished());
    assert!(!previewed.is_finished() && !refused.is_finished());
    assert_eq!(engine.reader().tail(), tail);
    assert!(engine.clocks().borrow().len() == 1);
    world.gates.release();
    assert!(!soon(created).await.unwrap().unwrap().repeated);
    assert!(soon(repeated).await.unwrap().unwrap().repeated);
    assert!(soon(previewed).await.unwrap().unwrap().repeated);
    assert!(matches!(soon(refused).await.unwrap(), Err(Denied::Refused(_))));
    soon(engine.stop()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_commit_takes_far_fewer_frames_than_commands() {
    let world = World::new();
    let engine = open(&world);
    engine.execute(by_ann(ledger("acme"))).await.unwrap();
    engine.execute(by_ann(customer(Some("c1")))).await.unwrap();
    let before = engine.reader().tail().number.0;
    world.gates.hold();
    let tasks: Vec<_> = (0..1_000)
        .map(|n| {
            let engine = engine.clone();
            tokio::spawn(async move { engine.execute(by_ann(invoice(None, n + 1))).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    world.gates.release();
    for task in tasks {
        soon(task).await.unwrap().unwrap();
    }
    let frames = engine.reader().tail().number.0 - before;
    assert!(frames <= 20, "{frames} frames for 1000 commands");
    let figures = engine.metrics();
    assert_eq!((figures.count(Outcome::Accepted), figures.queue_depth), (1_002, 0));
    let timed: u64 = figures.commands.iter().map(Timing::count).sum();
    assert_eq!(timed, 1_002, "every command is timed once");
    assert_eq!(figures.sync.count(), figures.frames);
    soon(engine.stop()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_queue_is_bounded() {
    let mut world = World::new();
    world.limits = Limits { queue: 10, ..Limits::default() };
    let engine = open(&world);
    engine.execute(by_ann(ledger("acme"))).await.unwrap();
    engine.execute(by_ann(customer(Some("c1")))).await.unwrap();
    world.gates.hold();
    let mut tasks = Vec::new();
    // Far more than a frame and the queue hold, so that the queue must fill.
    let mut large = invoice(None, 1);
    large.text = "x".repeat(4_000);
    for _ in 0..600 {
        let (engine, command) = (engine.clone(), by_ann(large.clone()));
        tasks.push(tokio::spawn(async move { engine.execute(command).await }));
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(engine.metrics().queue_depth <= 10);
    world.gates.release();
    let mut overloaded = 0;
    for task in tasks {
        match soon(task).await.unwrap() {
            Err(Denied::Overloaded { limit: 10 }) => overloaded += 1,
            other => drop(other.unwrap()),
        }
    }
    assert!(overloaded > 200, "{overloaded} were turned away");
    soon(engine.stop()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_log_refuses_until_there_is_room() {
    let world = World::new();
    let engine = open(&world);
    engine.execute(by_ann(ledger("acme"))).await.unwrap();
    world.gates.full.store(true, Ordering::SeqCst);
    let denied = soon(engine.execute(by_ann(customer(Some("c1"))))).await;
    assert_eq!(denied, Err(Denied::LogFull));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(engine.metrics().is_full);
    assert_eq!(soon(engine.execute(by_ann(customer(Some("c1"))))).await, Err(Denied::LogFull));
    world.gates.full.store(false, Ordering::SeqCst);
    until_accepted(&engine, by_ann(customer(Some("c1")))).await;
    // Only the append itself says that there is no room, as where the key file finds none.
    world.gates.hides_full.store(true, Ordering::SeqCst);
    world.gates.full.store(true, Ordering::SeqCst);
    let denied = soon(engine.execute(by_ann(customer(Some("c2"))))).await;
    assert_eq!(denied, Err(Denied::LogFull));
    world.gates.full.store(false, Ordering::SeqCst);
    until_accepted(&engine, by_ann(customer(Some("c2")))).await;
    soon(engine.stop()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_log_answers_repeats() {
    let world = World::new();
    let engine = open(&world);
    engine.execute(by_ann(ledger("acme"))).await.unwrap();
    let created = by_ann(customer(Some("c1"))).with_request_id("r");
    let first = engine.execute(created.clone()).await.unwrap();
    let tail = engine.reader().tail();
    world.gates.full.store(true, Ordering::SeqCst);
    let denied = soon(engine.execute(by_ann(customer(Some("c2"))))).await;
    assert_eq!(denied, Err(Denied::LogFull));
    let told = async |engine: &EngineHandle| {
        for _ in 0..3 {
            let again = soon(engine.execute(created.clone())).await.unwrap();
            assert_eq!((again.position, again.repeated), (first.position, true));
            let denied = soon(engine.execute(by_ann(customer(Some("c2"))))).await;
            assert_eq!(denied, Err(Denied::LogFull));
        }
        assert_eq!(engine.reader().tail(), tail);
    };
    told(&engine).await;
    soon(engine.stop()).await.unwrap();
    // Full from the start; then a day begins, which finds no room either.
    let engine = open(&world);
    told(&engine).await;
    world.clock.set("2026-03-11T12:00:00Z");
    tokio::time::sleep(Duration::from_millis(600)).await;
    told(&engine).await;
    world.gates.full.store(false, Ordering::SeqCst);
    until_accepted(&engine, by_ann(customer(Some("c2")))).await;
    assert_eq!(engine.clocks().borrow()[0].today, day("2026-03-11"));
    soon(engine.stop()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_was_full_only_while_it_was_opened_takes_commands() {
    let world = World::new();
    world.gates.hides_full.store(true, Ordering::SeqCst);
    world.gates.full.store(true, Ordering::SeqCst);
    let opened = Engine::open(world.options(), world.dir()).unwrap();
    world.gates.full.store(false, Ordering::SeqCst);
    until_accepted(&opened.handle(), by_ann(ledger("acme"))).await;
    soon(opened.handle().stop()).await.unwrap();
}

async fn until_accepted(engine: &EngineHandle, submission: crate::Submission) {
    let mut tries = 0;
    while let Err(denied) = soon(engine.execute(submission.clone())).await {
        assert!(denied.is_retryable());
        tries += 1;
        assert!(tries < 100);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_assertion_stops_the_engine() {
    let world = World::new();
    let engine = open(&world);
    engine.execute(by_ann(ledger("acme"))).await.unwrap();
    world.gates.panics.store(true, Ordering::SeqCst);
    let denied = soon(engine.execute(by_ann(customer(Some("c1"))))).await;
    assert_eq!(denied, Err(Denied::OutcomeUnknown));
    let error = soon(engine.stop()).await.unwrap_err();
    assert_eq!(error.code(), "assertion");
    assert!(error.to_string().contains("books do not balance"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_behind_a_slow_disk_are_bounded() {
    let mut world = World::new();
    world.limits = Limits { queue: 10, ..Limits::default() };
    let engine = open(&world);
    engine.execute(by_ann(ledger("acme"))).await.unwrap();
    world.gates.hold();
    let created = tokio::spawn({
        let (engine, command) = (engine.clone(), by_ann(customer(Some("c1"))));
        async move { engine.execute(command).await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut refused = customer(Some("c1"));
    refused.details.name = Some(String::new());
    let mut overloaded = 0;
    let mut waiting = Vec::new();
    for _ in 0..20_000 {
        let mut answer = Box::pin(engine.execute(by_ann(refused.clone())));
        tokio::select! {
            biased;
            answer = &mut answer => {
                assert_eq!(answer, Err(Denied::Overloaded { limit: 10 }));
                overloaded += 1;
                tokio::time::sleep(Duration::from_micros(50)).await;
            }
            () = tokio::task::yield_now() => waiting.push(answer),
        }
    }
    // What is held back, and a batch and the queue.
    assert!(waiting.len() <= 16_384 + 256 + 10, "{} wait, {overloaded} do not", waiting.len());
    world.gates.release();
    soon(created).await.unwrap().unwrap();
    for answer in waiting {
        assert!(matches!(soon(answer).await, Err(Denied::Refused(_))));
    }
    soon(engine.stop()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_sync_stops_the_engine_and_leaves_nobody_waiting() {
    let world = World::new();
    let engine = open(&world);
    engine.execute(by_ann(ledger("acme"))).await.unwrap();
    let mut failed = engine.failed();
    assert!(failed.borrow().is_none());
    world.gates.hold();
    let waiting: Vec<_> = (0..50)
        .map(|n| {
            let (engine, command) = (engine.clone(), by_ann(customer(Some(&format!("c{n}")))));
            tokio::spawn(async move { engine.execute(command).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    world.gates.fails.store(true, Ordering::SeqCst);
    world.gates.release();
    for task in waiting {
        let denied = soon(task).await.unwrap().unwrap_err();
        assert!(matches!(denied, Denied::OutcomeUnknown | Denied::Stopping), "{denied}");
    }
    let error = soon(failed.wait_for(Option::is_some)).await.unwrap().clone().unwrap();
    assert_eq!(error.code(), "sync_failed");
    assert_eq!(soon(engine.stop()).await.unwrap_err().code(), "sync_failed");
    // The next start settles what became of them.
    world.gates.fails.store(false, Ordering::SeqCst);
    let engine = open(&world);
    engine.execute(by_ann(customer(Some("c0")))).await.unwrap();
    soon(engine.stop()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_under_load_answers_everybody() {
    let world = World::new();
    let engine = open(&world);
    engine.execute(by_ann(ledger("acme"))).await.unwrap();
    engine.execute(by_ann(customer(Some("c1")))).await.unwrap();
    let tasks: Vec<_> = (0..500)
        .map(|n| {
            let engine = engine.clone();
            tokio::spawn(async move { engine.execute(by_ann(invoice(None, n + 1))).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(5)).await;
    soon(engine.stop()).await.unwrap();
    let mut accepted = 0;
    for task in tasks {
        match soon(task).await.unwrap() {
            Ok(_) => accepted += 1,
            Err(denied) => assert_eq!(denied, Denied::Stopping),
        }
    }
    let again = world.open();
    let issued = again.rows().unwrap().ledgers.get(0).unwrap().invoices.len();
    assert_eq!(issued, accepted, "what was answered is there, and nothing else");
    assert_eq!(again.recovery().events, 0, "the snapshot of the stop was used");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn days_open_by_timer() {
    let world = World::new();
    let engine = open(&world);
    engine.execute(by_ann(ledger("acme"))).await.unwrap();
    let mut clocks = engine.clocks();
    world.clock.set("2026-03-13T12:00:00Z");
    let reached = |clocks: &Arc<[crate::ClockInfo]>| clocks[0].today == day("2026-03-13");
    soon(clocks.wait_for(reached)).await.unwrap();
    soon(engine.stop()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_commands_are_turned_away_while_the_log_does_not_answer() {
    let world = World::new();
    let engine = open(&world);
    engine.execute(by_ann(ledger("acme"))).await.unwrap();
    world.gates.hold();
    let waiting = tokio::spawn({
        let engine = engine.clone();
        async move { engine.execute(by_ann(customer(Some("c1")))).await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    world.clock.set("2026-03-10T12:00:04Z");
    let denied = soon(engine.execute(by_ann(customer(Some("c2"))))).await.unwrap_err();
    assert!(matches!(&denied, Denied::Unavailable { reason } if reason.contains("4 seconds")));
    assert!(denied.is_retryable() && denied.is_without_effect());
    assert_eq!(engine.metrics().count(Outcome::Unavailable), 1);
    world.gates.release();
    soon(waiting).await.unwrap().unwrap();
    until_accepted(&engine, by_ann(customer(Some("c2")))).await;
    soon(engine.stop()).await.unwrap();
}
