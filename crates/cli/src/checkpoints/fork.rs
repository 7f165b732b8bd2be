//! The logs that a log was forked from: what was signed of them holds of it as well, up to the fork.
//!
//! The frames of the other log are here under another log id, and nothing else of them is changed. So
//! their hashes there can be computed again, one after the other from the first.

use std::collections::{BTreeMap, BTreeSet};

use encours_domain::Event;
use encours_log::{Frame, FrameNumber, Hash, LogError, LogId, LogReader, Position};
use encours_schema::EventKind;

use crate::failure::Outcome;

/// Where a log was forked from another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fork {
    /// The other log.
    pub(crate) log_id: LogId,
    /// The last frame that was taken over.
    pub(crate) frame: FrameNumber,
    /// Its hash in the other log.
    pub(crate) hash: Hash,
    /// The last event that was taken over.
    pub(crate) position: Position,
}

impl Fork {
    /// Where this log says that it was forked from the other one; `None` where it does not.
    pub(crate) fn from(reader: &dyn LogReader, log_id: LogId) -> Outcome<Option<Self>> {
        for number in 1..=reader.tail().number.0 {
            let number = FrameNumber(number);
            for (position, event) in frame(reader, number)?.events() {
                if event.kind != EventKind::LogForked.code() {
                    continue;
                }
                let event = encours_schema::decode(event.kind, event.version, event.payload);
                let event = event.map_err(|error| LogError::Unreadable {
                    position,
                    frame: number,
                    why: error.to_string(),
                })?;
                if let Event::LogForked(e) = event
                    && e.log_id == log_id.0
                {
                    let (frame, hash) = (FrameNumber(e.frame), Hash(e.frame_hash));
                    return Ok(Some(Self { log_id, frame, hash, position: e.position }));
                }
            }
        }
        Ok(None)
    }

    /// The hashes that these frames had in the other log, as far as they were taken over; none where
    /// this log does not hold the frames that its fork speaks of.
    pub(crate) fn hashes(
        &self,
        reader: &dyn LogReader,
        wanted: &BTreeSet<FrameNumber>,
    ) -> Outcome<BTreeMap<FrameNumber, Hash>> {
        let mut hash = Hash::genesis(self.log_id);
        let mut hashes = BTreeMap::new();
        for number in (1..=self.frame.0).map(FrameNumber) {
            hash = frame(reader, number)?.moved(self.log_id, hash).hash();
            if wanted.contains(&number) {
                hashes.insert(number, hash);
            }
        }
        Ok(if hash == self.hash { hashes } else { BTreeMap::new() })
    }
}

fn frame(reader: &dyn LogReader, number: FrameNumber) -> Result<Frame, LogError> {
    reader.read(number)?.ok_or(LogError::NoSegment { frame: number })
}

#[cfg(test)]
mod tests {
    use encours_domain::event::{LogForked, WriterOpened};
    use encours_log::{
        CommandRecord, Epoch, EventLog, EventRecord, FrameDraft, MemoryLog, Micros, SealWith,
    };

    use super::*;

    const OLD: LogId = LogId([7; 16]);
    const NEW: LogId = LogId([8; 16]);

    fn append(log: &mut MemoryLog, event: &Event) {
        let encours_schema::Encoded { kind, version, payload } =
            encours_schema::encode(event).unwrap();
        let tail = log.tail();
        let command = CommandRecord {
            request_id: String::new(),
            digest: [0; 32],
            actor: "system".to_owned(),
            reason: String::new(),
            causation: Position::START,
            event_count: 1,
        };
        let mut draft = FrameDraft::new(tail.next_position);
        draft.push(&command, &[EventRecord { kind, version, payload }]).unwrap();
        let with = SealWith {
            log_id: log.log_id(),
            epoch: Epoch(1),
            number: tail.number.next(),
            recorded_at: Micros(1_000),
            previous: tail.hash,
        };
        log.submit(draft.seal(with).unwrap());
        assert!(log.settle().unwrap().1.is_committed());
    }

    /// A log of three events, and one that has taken over the first two and says that it is forked from
    /// `of`.
    fn forked(of: LogId) -> (MemoryLog, MemoryLog) {
        let (mut old, mut new) = (MemoryLog::new(OLD), MemoryLog::new(NEW));
        for epoch in 1..=3 {
            append(&mut old, &WriterOpened { epoch }.into());
            if epoch < 3 {
                append(&mut new, &WriterOpened { epoch }.into());
            }
        }
        let last = old.reader().read(FrameNumber(2)).unwrap().unwrap();
        let (frame, frame_hash, position) = (2, last.hash().0, Position(2));
        append(&mut new, &LogForked { log_id: of.0, frame, frame_hash, position }.into());
        (old, new)
    }

    #[test]
    fn the_frames_of_the_other_log_have_their_hashes_there() {
        let (old, new) = forked(OLD);
        assert_eq!(Fork::from(&*old.reader(), NEW).unwrap(), None);
        let fork = Fork::from(&*new.reader(), OLD).unwrap().unwrap();
        assert_eq!((fork.frame, fork.position), (FrameNumber(2), Position(2)));
        let wanted: BTreeSet<_> = (1..=3).map(FrameNumber).collect();
        let hashes = fork.hashes(&*new.reader(), &wanted).unwrap();
        assert_eq!(hashes.len(), 2, "the third was not taken over");
        for (number, hash) in hashes {
            assert_eq!(old.reader().read(number).unwrap().unwrap().hash(), hash);
            assert_ne!(new.reader().read(number).unwrap().unwrap().hash(), hash);
        }
    }

    #[test]
    fn a_log_that_holds_other_frames_than_it_says_vouches_for_none() {
        let other = LogId([9; 16]);
        let (_, new) = forked(other);
        assert_eq!(Fork::from(&*new.reader(), OLD).unwrap(), None);
        let fork = Fork::from(&*new.reader(), other).unwrap().unwrap();
        let wanted: BTreeSet<_> = (1..=2).map(FrameNumber).collect();
        assert!(fork.hashes(&*new.reader(), &wanted).unwrap().is_empty());
    }
}
