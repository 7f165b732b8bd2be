//! A log in memory with frames of many sizes.

use std::sync::Arc;

use encours_domain::{Micros, Position};
use encours_log::{
    CommandRecord, Epoch, EventLog as _, EventRecord, FrameDraft, Hash, LogId, LogReader,
    MemoryLog, SealWith,
};

use crate::leaf::leaves;

pub(crate) const LOG: LogId = LogId([7; 16]);
/// 2026-01-05T08:00:00Z.
const START: i64 = 1_767_600_000_000_000;

pub(crate) struct TestLog {
    log: MemoryLog,
    salt: u8,
}

impl TestLog {
    /// An empty log, whose events differ from those of one with other salt.
    pub(crate) fn new(salt: u8) -> Self {
        Self { log: MemoryLog::new(LOG), salt }
    }

    /// One with frames of these numbers of events.
    pub(crate) fn of(frames: &[u32]) -> Self {
        let mut log = Self::new(1);
        frames.iter().for_each(|events| log.append(*events));
        log
    }

    pub(crate) fn reader(&self) -> Arc<dyn LogReader> {
        self.log.reader()
    }

    /// Appends a frame with this many events, of commands with up to three each.
    pub(crate) fn append(&mut self, events: u32) {
        let tail = self.log.tail();
        let mut draft = FrameDraft::new(tail.next_position);
        let mut at = tail.next_position.0;
        let mut left = events;
        loop {
            let event_count = left.min(u32::try_from(at % 3).unwrap() + 1);
            let command = CommandRecord {
                request_id: String::new(),
                digest: [0; 32],
                actor: format!("user-{}", at % 5),
                reason: String::new(),
                causation: Position::START,
                event_count,
            };
            let events: Vec<_> = (0..event_count).map(|_| self.event(&mut at)).collect();
            draft.push(&command, &events).unwrap();
            left -= event_count;
            if left == 0 {
                break;
            }
        }
        let number = tail.number.next();
        let frame = draft.seal(SealWith {
            log_id: LOG,
            epoch: Epoch(1),
            number,
            recorded_at: Micros(START + i64::try_from(number.0).unwrap() * 1_000_000),
            previous: tail.hash,
        });
        self.log.submit(frame.unwrap());
        assert!(self.log.settle().unwrap().1.is_committed());
    }

    fn event(&self, at: &mut u64) -> EventRecord {
        *at += 1;
        let payload = [&at.to_le_bytes()[..], &[self.salt]].concat();
        EventRecord { kind: 3, version: 1, payload }
    }

    /// The hashes of all leaves.
    pub(crate) fn leaves(&self) -> Vec<Hash> {
        let reader = self.reader();
        let frames = (1..=reader.tail().number.0).map(encours_log::FrameNumber);
        let frames = frames.map(|number| reader.read(number).unwrap().unwrap());
        frames.flat_map(|frame| leaves(&frame)).map(|leaf| leaf.hash()).collect()
    }
}
