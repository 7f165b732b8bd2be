//! Small logs on a simulated disk.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
#![allow(dead_code, reason = "each test file uses its part")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use encours_log::{
    AppendOutcome, CommandRecord, Disk, Epoch, EventLog, EventRecord, Frame, FrameDraft, Journal,
    JournalOptions, LogError, LogId, Micros, Position, Recovery, SealWith, Tail, VerifyReport,
};
use encours_sim::SimDisk;

/// The log of these tests.
pub(crate) const LOG: LogId = LogId([0x5a; 16]);
/// Its segments.
pub(crate) const SEGMENT: u64 = 2048;

/// Its folder.
pub(crate) fn dir() -> &'static Path {
    Path::new("/data/log")
}

/// A file of it.
pub(crate) fn file(name: &str) -> PathBuf {
    dir().join(name)
}

/// The segment that begins with this frame.
pub(crate) fn segment(first: u64) -> PathBuf {
    file(&format!("{first:020}.seg"))
}

/// A frame after `tail` with these payloads, one command each.
pub(crate) fn frame_of(log_id: LogId, tail: &Tail, payloads: Vec<Vec<u8>>) -> Frame {
    let mut draft = FrameDraft::new(tail.next_position);
    for payload in payloads {
        let command = CommandRecord {
            request_id: format!("request-{}", draft.next_position()),
            digest: [7; 32],
            actor: "sim".to_owned(),
            reason: String::new(),
            causation: Position::START,
            event_count: 1,
        };
        draft.push(&command, &[EventRecord { kind: 1, version: 1, payload }]).unwrap();
    }
    let with = SealWith {
        log_id,
        epoch: Epoch(1),
        number: tail.number.next(),
        recorded_at: Micros(tail.recorded_at.0 + 1),
        previous: tail.hash,
    };
    draft.seal(with).unwrap()
}

/// Options without a background thread, so that the steps of the disk are the same each time.
pub(crate) fn options() -> JournalOptions {
    JournalOptions {
        segment_len: SEGMENT,
        create: None,
        background: false,
        ..JournalOptions::default()
    }
}

pub(crate) fn open(
    disk: &SimDisk,
    options: JournalOptions,
) -> Result<(Journal, Recovery), LogError> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    Journal::open(disk, dir(), options)
}

pub(crate) fn verify(disk: &SimDisk) -> Result<VerifyReport, LogError> {
    encours_log::verify(disk, dir(), &[], &mut |_| {})
}

/// A new, empty log.
pub(crate) fn create(disk: &SimDisk) -> Journal {
    open(disk, JournalOptions { create: Some(LOG), ..options() }).unwrap().0
}

/// Appends a frame with one event of this many bytes, none of them zero.
pub(crate) fn append(journal: &mut Journal, len: usize) -> AppendOutcome {
    let tail = journal.tail();
    let fill = u8::try_from(tail.number.0 % 200).unwrap() + 1;
    journal.submit(frame_of(journal.log_id(), &tail, vec![vec![fill; len]]));
    journal.settle().unwrap().1
}

/// A log of some frames; `closed`: cleanly, so that its end is anchored.
pub(crate) fn log(frame_lens: &[usize], closed: bool) -> SimDisk {
    let disk = SimDisk::new(1);
    let mut journal = create(&disk);
    for len in frame_lens {
        assert!(append(&mut journal, *len).is_committed());
    }
    if closed {
        journal.close().unwrap();
    }
    drop(journal);
    disk
}
