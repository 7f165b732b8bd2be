//! The journal against the disk: frames made durable one after the other, compared with bare
//! `write` + `fdatasync` of the same bytes into a zero-filled file on the same disk.
//!
//! `cargo bench -p encours-benches --bench journal`; `TMPDIR` chooses the disk.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark fails by panicking")]

use std::os::unix::fs::FileExt;
use std::sync::Arc;

use encours_benches::{Took, line};
use encours_log::{
    AppendOutcome, CommandRecord, EventLog, EventRecord, Frame, FrameDraft, Journal,
    JournalOptions, LogId, Micros, OsDisk, Position, SealWith,
};

const ROUNDS: u64 = 1_000;

fn bare(dir: &std::path::Path, len: usize) -> Took {
    let file = std::fs::File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(dir.join("bare"))
        .unwrap();
    let step = (len as u64).next_multiple_of(512);
    file.write_all_at(&vec![0; usize::try_from(step * ROUNDS).unwrap()], 0).unwrap();
    file.sync_all().unwrap();
    let bytes = vec![7; len];
    Took::of(ROUNDS, || {
        for round in 0..ROUNDS {
            file.write_all_at(&bytes, round * step).unwrap();
            file.sync_data().unwrap();
        }
    })
}

fn frame(journal: &Journal, payload: usize) -> Frame {
    let tail = journal.tail();
    let mut draft = FrameDraft::new(tail.next_position);
    let command = CommandRecord {
        request_id: "r".into(),
        digest: [1; 32],
        actor: "bench".into(),
        reason: String::new(),
        causation: Position::START,
        event_count: 1,
    };
    draft
        .push(&command, &[EventRecord { kind: 60, version: 1, payload: vec![7; payload] }])
        .unwrap();
    draft
        .seal(SealWith {
            log_id: journal.log_id(),
            epoch: tail.epoch,
            number: tail.number.next(),
            recorded_at: Micros(0),
            previous: tail.hash,
        })
        .unwrap()
}

fn journal(dir: &std::path::Path, payload: usize) -> Took {
    let options = JournalOptions { create: Some(LogId([1; 16])), ..Default::default() };
    let (mut journal, _) =
        Journal::open(Arc::new(OsDisk), &dir.join(format!("log-{payload}")), options).unwrap();
    Took::of(ROUNDS, || {
        for _ in 0..ROUNDS {
            let frame = frame(&journal, payload);
            journal.submit(frame);
            let settled = journal.settle().unwrap();
            assert!(matches!(settled.1, AppendOutcome::Committed));
            journal.maintain().unwrap();
        }
    })
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn main() {
    let dir = tempfile::tempdir().unwrap();
    for payload in [512, 4_096, 65_536] {
        // In turn, twice, the better of each: the disk is shared with others.
        let best = |a: Took, b: Took| if a.time < b.time { a } else { b };
        let limit = bare(dir.path(), payload + 256);
        let took = journal(&dir.path().join("a"), payload);
        let limit = best(limit, bare(dir.path(), payload + 256));
        let took = best(took, journal(&dir.path().join("b"), payload));
        println!("{payload} bytes of events in a frame");
        line("  bare write and fdatasync (the limit)", limit, limit);
        line("  journal: seal, submit, settle", took, limit);
    }
}
