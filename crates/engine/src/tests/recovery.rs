//! Snapshots and replay give the same state; damage is passed over.

use encours_log::FrameNumber;

use super::support::*;
use crate::{Limits, SyncEngine};

fn busy(engine: &mut SyncEngine, rounds: i64) {
    engine.execute(by_ann(ledger("acme"))).unwrap();
    engine.execute(by_ann(customer(Some("c1")))).unwrap();
    for n in 0..rounds {
        engine.execute(by_ann(invoice(None, n + 1)).with_request_id(format!("r{n}"))).unwrap();
    }
}

#[test]
fn replay_gives_the_state_and_goes_on_in_a_new_epoch() {
    let world = World::new();
    let mut engine = world.open();
    busy(&mut engine, 20);
    let before = bytes(&engine);
    let tail = engine.reader().tail();
    drop(engine);
    let engine = world.open();
    assert_eq!(bytes(&engine), before);
    assert_eq!(engine.recovery().snapshot, FrameNumber(0));
    let now = engine.reader().tail();
    assert_eq!(now.number, tail.number.next());
    assert_eq!(now.epoch, tail.epoch.next());
    assert_eq!(now.next_position.0, tail.next_position.0 + 1);
}

#[test]
fn a_damaged_snapshot_is_passed_over() {
    let mut world = World::new();
    world.limits = Limits { snapshot_every: 8, ..Limits::default() };
    let mut engine = world.open();
    busy(&mut engine, 60);
    let before = bytes(&engine);
    engine.stop().unwrap();
    let mut snapshots = world.files_in("snapshots");
    assert_eq!(snapshots.len(), 3, "three are kept");

    // No further ones, which would push the old ones out.
    world.limits = Limits::default();
    let engine = world.open();
    assert_eq!(bytes(&engine), before);
    assert_eq!(engine.recovery().events, 0, "the newest one was used");
    drop(engine);
    let mut used = u64::MAX;
    while let Some(path) = snapshots.pop() {
        // Any byte will do: header, hash, rows.
        let mut damaged = std::fs::read(&path).unwrap();
        let at = [20, 60, 165, damaged.len() - 1][snapshots.len() % 4];
        damaged[at] ^= 1;
        std::io::Write::write_all(&mut std::fs::File::create(&path).unwrap(), &damaged).unwrap();
        let engine = world.open();
        assert_eq!(bytes(&engine), before, "after damage to {path:?}");
        assert!(engine.recovery().snapshot.0 < used);
        used = engine.recovery().snapshot.0;
    }
    assert_eq!(used, 0, "all damaged: full replay");
}

#[test]
fn a_snapshot_of_another_log_or_shape_is_passed_over() {
    let world = World::new();
    let mut engine = world.open();
    busy(&mut engine, 3);
    engine.stop().unwrap();
    let mut other = World::new();
    other.dir = world.dir;
    // Another log with the same id, but other frames: the keys fit, the snapshot does not.
    let engine = other.open();
    assert_eq!(engine.recovery().snapshot, FrameNumber(0));
    assert_eq!(engine.rows().unwrap().ledgers.len(), 0);
}

#[test]
fn leftovers_of_a_crash_are_removed() {
    let world = World::new();
    let mut engine = world.open();
    busy(&mut engine, 3);
    engine.stop().unwrap();
    for leftover in ["snapshots/00000000000000000009.snapshot.tmp", "requests/1-2.ids.tmp"] {
        std::fs::File::create(world.dir().join(leftover)).unwrap();
    }
    drop(world.open());
    assert!(world.files().iter().all(|path| path.extension().unwrap() != "tmp"));
}

#[test]
fn known_frames_are_those_of_intact_snapshots() {
    let world = World::new();
    let mut engine = world.open();
    busy(&mut engine, 3);
    let tail = engine.reader().tail();
    engine.stop().unwrap();
    let known = crate::known_frames(&encours_log::OsDisk, world.dir());
    assert_eq!(known.len(), 1);
    assert_eq!((known[0].number, known[0].hash), (tail.number, tail.hash));
}

/// Random bytes that are the same in every run.
#[derive(Default)]
struct CountedEntropy(std::sync::atomic::AtomicU64);

impl crate::Entropy for CountedEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), crate::EntropyError> {
        for byte in bytes {
            let count = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            *byte = count.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[0];
        }
        Ok(())
    }
}

/// A snapshot is read by the shape it was written in. Where this fails, the rows or what is folded
/// into them have changed: count `STATE_SCHEMA` up, then put the new hash here.
#[test]
fn the_shape_of_the_state_is_the_one_that_its_name_says() {
    let world = World::new();
    let mut options = world.options();
    options.entropy = std::sync::Arc::new(CountedEntropy::default());
    let mut engine = SyncEngine::open(options, world.dir()).unwrap();
    busy(&mut engine, 3);
    engine.execute(by_ann(invoice(Some("i1"), 500))).unwrap();
    engine.execute(by_ann(payment("i1", 200))).unwrap();
    engine.execute(by_ann(credit_note("i1", 100))).unwrap();
    let shape =
        format!("{} {}", crate::snapshot::STATE_SCHEMA, encours_log::Hash::of(&bytes(&engine)));
    assert_eq!(
        shape,
        "encours state 5 11c667b7657bd01324da4a74278cc1e161fc1c3545fc6bed27c3f9b8c547eaf2"
    );
}
