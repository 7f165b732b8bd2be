//! A log kept by servers: frames in doubt, keys for other nodes, nodes that take over.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use encours_domain::details::Detail;
use encours_domain::{CustomerNo, LedgerNo};
use encours_log::{Clock, EventLog, FrameNumber, LogId, MemoryLog, OsDisk, SystemClock};

use super::scripted::*;
use super::support::*;
use crate::{
    Denied, Engine, EngineError, EngineOptions, KeyFileError, KeyStore, SyncEngine,
    read_key_bodies, write_key_bodies,
};

/// A log with a ledger, and the engine that writes it.
fn begun(dir: &Path) -> (ScriptedLog, SyncEngine) {
    let log = ScriptedLog::new();
    let mut engine = log.open(dir);
    engine.execute(by_ann(ledger("acme"))).unwrap();
    (log, engine)
}

fn name(keys: &KeyStore, engine: &SyncEngine, customer: u32) -> Option<Detail> {
    let row = engine.rows().unwrap().ledgers.get(0).unwrap().customers.get(customer).unwrap();
    let (kind, sealed) = &row.details[0];
    keys.open_detail(LedgerNo(0), CustomerNo(customer), *kind, sealed).ok()
}

#[test]
fn frames_after_one_in_doubt_are_sent_again_in_order() {
    for first in [Append::Lost, Append::Unanswered, Append::Unaccepted] {
        let dir = tempfile::tempdir().unwrap();
        let (log, mut engine) = begun(dir.path());
        log.script().appends = [first].into();
        let frames = ["c1", "c2", "c3"].map(|c| vec![by_ann(customer(Some(c)))]);
        let answers = engine.execute_in_frames(frames.into());
        assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|reply| !reply.repeated)));
        assert_eq!(log.tail().number, FrameNumber(5));
        let sent: Vec<String> =
            log.script().seen.iter().filter(|seen| seen.starts_with('f')).cloned().collect();
        let lost = ["frame 3", "frame 4", "frame 5", "frame 3", "frame 4", "frame 5"];
        let after = usize::from(matches!(first, Append::Unanswered)) * 3;
        assert_eq!(sent[2..], lost[..6 - after]);
        assert_eq!(engine.ambiguous() == 0, matches!(first, Append::Unaccepted));
        let before = bytes(&engine);
        drop(engine);
        assert_eq!(bytes(&log.open(dir.path())), before);
    }
}

#[test]
fn a_frame_in_doubt_is_not_given_up_for_want_of_room() {
    let dir = tempfile::tempdir().unwrap();
    let (log, mut engine) = begun(dir.path());
    log.script().appends = [Append::Lost, Append::Full, Append::Full].into();
    engine.execute(by_ann(customer(Some("c1")))).unwrap();
    // Room never comes: what was sent first may still come, so nobody is told that nothing happened.
    log.script().appends = std::iter::once(Append::Lost).chain([Append::Full; 200]).collect();
    let denied = engine.execute(by_ann(customer(Some("c2"))));
    assert_eq!(denied, Err(Denied::OutcomeUnknown));
    assert!(engine.failed().unwrap().is_unavailable());
}

#[test]
fn a_log_that_stays_away_stops_the_engine() {
    let dir = tempfile::tempdir().unwrap();
    let (log, mut engine) = begun(dir.path());
    log.script().appends = [Append::Unanswered].into();
    log.script().silent = 20;
    engine.execute(by_ann(ledger("b"))).unwrap();
    log.script().appends = [Append::Unanswered].into();
    log.script().silent = 1_000;
    assert_eq!(engine.execute(by_ann(ledger("c"))), Err(Denied::OutcomeUnknown));
    let failed = engine.failed().unwrap();
    assert!(failed.is_unavailable() && !failed.is_fenced(), "{failed}");
    log.script().silent = 0;
    // It had happened.
    assert!(log.open(dir.path()).execute(by_ann(ledger("c"))).unwrap().repeated);
}

#[test]
fn keys_are_shared_before_the_frame_that_uses_them_or_it_is_not_sent() {
    let dir = tempfile::tempdir().unwrap();
    let (log, mut engine) = begun(dir.path());
    log.script().silent = 5;
    engine.execute(by_ann(customer(Some("c1")))).unwrap();
    let seen = ["128 bytes of keys", "frame 1", "frame 2", "128 bytes of keys", "frame 3"];
    assert_eq!(log.script().seen, seen);
    log.script().silent = 1_000;
    assert_eq!(engine.execute(by_ann(customer(Some("c2")))), Err(Denied::OutcomeUnknown));
    assert!(engine.failed().unwrap().is_unavailable());
    assert_eq!(log.script().seen, seen, "a frame without its keys was sent");
    log.script().silent = 0;
    let mut engine = log.open(dir.path());
    log.script().keys_taken = true;
    assert_eq!(engine.execute(by_ann(customer(Some("c2")))), Err(Denied::OutcomeUnknown));
    assert!(engine.failed().unwrap().is_fenced());
}

#[test]
fn a_standby_follows_and_takes_over_with_all_keys() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (log, mut leader) = begun(one.path());
    let mut standby = log.standby(two.path());
    let keys = standby.keys();
    let first = leader.execute(by_ann(customer(None)).with_request_id("r")).unwrap();
    leader.execute(by_ann(customer(Some("c1")))).unwrap();
    for body in &log.script().keys {
        standby.add_keys(body).unwrap();
    }
    assert_eq!(standby.follow().unwrap().next(), log.tail().next_position);
    assert!(name(&keys, &leader, 0).is_some() && name(&keys, &leader, 1).is_some());
    standby.close().unwrap();
    assert_eq!(crate::known_frames(&OsDisk, two.path())[0].hash, log.tail().hash);

    let standby = log.standby(two.path());
    assert_eq!(standby.report().events, 0, "the snapshot of the end was used");
    let keys = standby.keys();
    let mut engine = log.lead(standby).unwrap();
    assert!(Arc::ptr_eq(&keys, &engine.keys()));
    let again = engine.execute(by_ann(customer(None)).with_request_id("r")).unwrap();
    assert_eq!((again.subject, again.position), (first.subject, first.position));
    engine.execute(by_ann(customer(Some("c2")))).unwrap();
    assert_eq!(name(&keys, &engine, 2), Some(Detail::Name(NAME.into())));
    // The one that was replaced.
    assert_eq!(leader.execute(by_ann(customer(Some("c3")))), Err(Denied::OutcomeUnknown));
    assert!(leader.failed().unwrap().is_fenced());
}

/// Else the later of two nodes that take over after the same frame, in the same microsecond, would find
/// its own bytes in the log and believe that it leads too.
#[test]
fn no_two_take_over_with_the_same_bytes() {
    let [one, two] = [0; 2].map(|_| {
        let (dir, log) = (tempfile::tempdir().unwrap(), ScriptedLog::new());
        drop(log.open(dir.path()));
        log.tail()
    });
    assert_eq!((one.number, one.recorded_at), (two.number, two.recorded_at));
    assert_ne!(one.hash, two.hash);
}

#[test]
fn a_leader_shares_what_others_do_not_find_yet() {
    let dir = tempfile::tempdir().unwrap();
    let (log, mut engine) = begun(dir.path());
    for customer_id in ["c1", "c2", "c3"] {
        engine.execute(by_ann(customer(Some(customer_id)))).unwrap();
    }
    drop(engine);
    // A stream that has nothing, as after a copy of the log, and one whose first leader broke off.
    let all = std::mem::take(&mut log.script().keys);
    drop(log.open(dir.path()));
    let whole = log.script().keys.clone();
    assert_eq!(whole.len(), 1);
    assert_eq!(whole, read_key_bodies(&OsDisk, &dir.path().join("keys"), LOG_ID).unwrap());
    log.script().keys = all[..2].to_vec();
    let mut standby = log.standby(dir.path());
    for body in &all[..2] {
        standby.add_keys(body).unwrap();
    }
    drop(log.lead(standby).unwrap());
    assert_eq!(log.script().keys.len(), 3);
    let copy = tempfile::tempdir().unwrap();
    let bodies = log.script().keys.clone();
    write_key_bodies(&OsDisk, copy.path(), LOG_ID, bodies.iter().map(Vec::as_slice)).unwrap();
    assert_eq!(read_key_bodies(&OsDisk, copy.path(), LOG_ID).unwrap(), whole);
}

#[test]
fn keys_that_do_not_belong_are_refused() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (log, mut engine) = begun(one.path());
    engine.execute(by_ann(customer(Some("c1")))).unwrap();
    let keys = log.script().keys.clone();
    let refused = |body: &[u8]| match log.standby(two.path()).add_keys(body) {
        Err(EngineError::Keys(error)) => error,
        other => panic!("{other:?}"),
    };
    assert!(matches!(refused(&keys[1]), KeyFileError::SharedHeadless { .. }));
    let mut damaged = keys[0].clone();
    damaged[100] ^= 1;
    assert!(matches!(refused(&damaged), KeyFileError::SharedDamaged { bytes: 128 }));
    let elsewhere = tempfile::tempdir().unwrap();
    let mut world = World::new();
    world.log = MemoryLog::new(LogId([1; 16]));
    drop(world.open());
    let other = LogId([1; 16]);
    let foreign = read_key_bodies(&OsDisk, &world.dir().join("keys"), other).unwrap();
    assert!(matches!(refused(&foreign[0]), KeyFileError::SharedWrongLog { .. }));
    // Without the keys there is no taking over.
    let error = log.lead(log.standby(elsewhere.path())).err().unwrap();
    assert!(matches!(error, EngineError::Keys(KeyFileError::Missing { .. })), "{error}");
}

#[test]
fn the_head_that_others_use_takes_the_place_of_ones_own() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // This node made a head that nobody has seen, when the log was empty.
    let unseen = ScriptedLog::new();
    unseen.script().keys_taken = true;
    assert!(unseen.lead(unseen.standby(two.path())).err().unwrap().is_fenced());
    let (log, mut leader) = begun(one.path());
    let create = by_ann(customer(None)).with_request_id("r");
    let first = leader.execute(create.clone()).unwrap();
    let mut standby = log.standby(two.path());
    for _ in 0..2 {
        for body in &log.script().keys {
            standby.add_keys(body).unwrap();
        }
    }
    let file = std::fs::read(two.path().join("keys/customers.keys")).unwrap();
    assert_eq!(file, std::fs::read(one.path().join("keys/customers.keys")).unwrap());
    let mut engine = log.lead(standby).unwrap();
    let again = engine.execute(create).unwrap();
    assert_eq!((again.subject, again.repeated), (first.subject, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_does_not_wait_for_a_log_that_is_away() {
    let dir = tempfile::tempdir().unwrap();
    let log = ScriptedLog::new();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let engine = Engine::open(
        EngineOptions::new(Box::new(log.clone()), Arc::new(OsDisk), Arc::clone(&clock)),
        dir.path(),
    )
    .unwrap();
    let handle = engine.handle();
    handle.execute(by_ann(ledger("acme"))).await.unwrap();
    log.script().appends = [Append::Unanswered].into();
    log.script().silent = u32::MAX;
    let waiting = tokio::spawn({
        let handle = handle.clone();
        async move { handle.execute(by_ann(ledger("b"))).await }
    });
    tokio::time::sleep(Duration::from_millis(3_500)).await;
    let denied = handle.execute(by_ann(ledger("c"))).await.unwrap_err();
    assert!(matches!(denied, Denied::Unavailable { .. }), "{denied}");
    assert!(!waiting.is_finished(), "who waits already keeps waiting");
    assert_eq!(handle.metrics().ambiguous, 1);
    let start = clock.monotonic();
    let error = handle.stop().await.unwrap_err();
    assert!(error.is_unavailable(), "{error}");
    let took = clock.monotonic().saturating_sub(start);
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(waiting.await.unwrap(), Err(Denied::OutcomeUnknown));
}
