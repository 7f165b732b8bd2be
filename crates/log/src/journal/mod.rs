//! A log in segment files, written by one process.
//!
//! Layout of the folder: `lock`, `anchor`, `spare.seg`, and one file per segment, named by the number
//! of its first frame. Each job has its file: `open` and `recovery` for the start, `reader` for
//! reading, `spare` for the space to come, `anchor` for the memory of how far the log reached.

mod anchor;
mod open;
mod reader;
mod recovery;
mod scan;
mod segment;
mod spare;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use crate::chain::Tail;
use crate::disk::{Disk, DiskFile, LockGuard};
use crate::error::LogError;
use crate::event_log::{AppendOutcome, EventLog, Known, LogReader};
use crate::frame::{FRAME_MAX, Frame, FrameHeader};
use crate::id::{FrameNumber, LogId};
use anchor::AnchorWriter;
pub use open::Recovery;
use reader::JournalReader;
use scan::is_hollow;
use segment::{FIRST_FRAME_AT, stored_len};
use spare::SpareMaker;

pub(crate) use anchor::{Anchor, FoundAnchor};
pub(crate) use recovery::{OpenSegment, Witnesses};
pub(crate) use scan::{End, Found, Window, corrupt, later_frame, walk};
pub(crate) use segment::{END_MARK, FIRST_FRAME_AT as FIRST_FRAME, segment_name, segments_of};

/// The usual length of a segment file: 64 MiB.
pub const SEGMENT_LEN: u64 = 64 * 1024 * 1024;
/// The shortest segment, which is for tests: a frame must fit in one.
pub const SEGMENT_LEN_MIN: u64 = 2048;
/// The longest segment.
pub(crate) const SEGMENT_LEN_MAX: u64 = 1 << 32;

/// The anchor is moved on after this many bytes of frames...
const ANCHOR_BYTES: u64 = 4 * 1024 * 1024;
/// ...or after this many frames, counted in bytes: each frame counts at least this much.
const ANCHOR_BYTES_PER_FRAME: u64 = ANCHOR_BYTES / 64;

/// How to open a journal.
#[derive(Clone, Debug)]
pub struct JournalOptions {
    /// Bytes of a new segment: a multiple of 512, 2 KiB to 4 GiB.
    pub segment_len: u64,
    /// The id to give to a new log, where the folder has none; `None`: refuse to make one.
    pub create: Option<LogId>,
    /// The log that must be in the folder; `None`: any.
    pub expect: Option<LogId>,
    /// Frames that others have seen as durable, and that must be in the log.
    pub known: Vec<Known>,
    /// Whether a thread makes the next segment ahead. Without it, [`EventLog::maintain`] does.
    pub background: bool,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self {
            segment_len: SEGMENT_LEN,
            create: None,
            expect: None,
            known: Vec::new(),
            background: true,
        }
    }
}

/// The segment that is written to.
struct Active {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    len: u64,
    /// Where the next frame goes.
    at: u64,
}

impl Active {
    fn room(&self) -> u64 {
        self.len.saturating_sub(self.at)
    }
}

/// A submitted frame.
enum InFlight {
    /// Written, to be synced.
    Written { header: FrameHeader, tail: Tail, is_hollow: bool },
    /// Over already.
    Done { number: FrameNumber, outcome: AppendOutcome },
}

/// The writing end of a log in segment files.
///
/// `submit` writes, `settle` syncs: both block for as long as the disk takes, so this belongs on a
/// thread of its own. After a failed write or sync it has stopped: every call repeats the error, and
/// the process must end, because nobody can say what a second sync would prove.
pub struct Journal {
    dir: PathBuf,
    reader: Arc<JournalReader>,
    active: Option<Active>,
    anchor: AnchorWriter,
    spare: SpareMaker,
    segment_len: u64,
    in_flight: VecDeque<InFlight>,
    /// Bytes of frames since the anchor was moved on.
    unanchored: u64,
    stopped: Option<LogError>,
    disk: Arc<dyn Disk>,
    // INVARIANT: the last field, so that the lock outlives everything that writes.
    _lock: Box<dyn LockGuard>,
}

impl Journal {
    fn running(&self) -> Result<(), LogError> {
        self.stopped.clone().map_or(Ok(()), Err)
    }

    /// Notes an error that nothing can be done after.
    fn stop_if_fatal(&mut self, error: LogError) -> LogError {
        if error.is_fatal() {
            tracing::error!(code = error.code(), %error, "the journal has stopped");
            self.stopped = Some(error.clone());
        }
        error
    }

    fn room(&self) -> u64 {
        self.active.as_ref().map_or(0, Active::room)
    }

    /// Whether the segment takes a frame of any allowed size.
    fn has_room(&self) -> bool {
        self.room() >= (stored_len(FRAME_MAX) as u64).min(self.segment_len - FIRST_FRAME_AT)
    }

    /// Writes a frame, in a new segment where the old one has no room.
    fn write(&mut self, frame: &Frame) -> Result<InFlight, AppendOutcome> {
        self.running().and_then(|()| self.reader.intact()).map_err(AppendOutcome::Rejected)?;
        if !self.in_flight.is_empty() {
            let error = LogError::Options("more frames in flight than the window allows");
            return Err(AppendOutcome::Rejected(error));
        }
        let header = frame.header();
        let tail = self
            .reader
            .tail_now()
            .follow(self.reader.log_id, header)
            .map_err(|error| AppendOutcome::not_next(header.number, error))?;
        let len = stored_len(frame.bytes().len()) as u64;
        if len > self.segment_len - FIRST_FRAME_AT && len > self.room() {
            let error = LogError::Options("the frame is longer than a segment");
            return Err(AppendOutcome::Rejected(error));
        }
        if len > self.room() {
            self.roll().map_err(|error| AppendOutcome::Rejected(self.stop_if_fatal(error)))?;
        }
        let Some(active) = &self.active else {
            return Err(AppendOutcome::Rejected(LogError::Full { segment_len: self.segment_len }));
        };
        let bytes = [frame.bytes(), &END_MARK[..]].concat();
        let written = active.file.write_all_at(&bytes, active.at);
        let written = written.map_err(LogError::sync("writing", &active.path));
        written.map_err(|error| AppendOutcome::Unknown(self.stop_if_fatal(error)))?;
        Ok(InFlight::Written { header: *header, tail, is_hollow: is_hollow(&bytes) })
    }

    /// Syncs a written frame and shows it to the readers.
    fn sync(&mut self, header: &FrameHeader, tail: Tail, is_hollow: bool) -> AppendOutcome {
        if let Err(error) = self.running() {
            return AppendOutcome::Unknown(error);
        }
        let Some(active) = &mut self.active else {
            return AppendOutcome::Rejected(LogError::Full { segment_len: self.segment_len });
        };
        if let Err(error) = active.file.sync_data() {
            let error = LogError::sync("syncing", &active.path)(error);
            return AppendOutcome::Unknown(self.stop_if_fatal(error));
        }
        let start = active.at;
        active.at = start + stored_len(header.frame_len()) as u64;
        let end = active.at;
        // WHY before it is acknowledged: what is anchored is never taken for the rest of a cut write.
        if is_hollow && let Err(error) = self.anchor.advance(&tail) {
            return AppendOutcome::Unknown(self.stop_if_fatal(error));
        }
        self.reader.publish(header, start, end, tail);
        self.unanchored += (end - start).max(ANCHOR_BYTES_PER_FRAME);
        AppendOutcome::Committed
    }

    /// Anchors the newest frame.
    pub(crate) fn anchor_tail(&mut self) -> Result<(), LogError> {
        let tail = self.reader.tail_now();
        if self.anchor.number() < tail.number {
            self.anchor.advance(&tail).map_err(|error| self.stop_if_fatal(error))?;
        }
        self.unanchored = 0;
        Ok(())
    }
}

impl EventLog for Journal {
    fn log_id(&self) -> LogId {
        self.reader.log_id
    }

    fn tail(&self) -> Tail {
        self.reader.tail_now()
    }

    fn window(&self) -> usize {
        1
    }

    fn admits(&self) -> Result<(), LogError> {
        self.running()?;
        if self.has_room() || self.spare.is_ready() {
            return Ok(());
        }
        Err(LogError::Full { segment_len: self.segment_len })
    }

    fn submit(&mut self, frame: Frame) {
        let number = frame.header().number;
        let in_flight =
            self.write(&frame).unwrap_or_else(|outcome| InFlight::Done { number, outcome });
        self.in_flight.push_back(in_flight);
    }

    fn settle(&mut self) -> Option<(FrameNumber, AppendOutcome)> {
        Some(match self.in_flight.pop_front()? {
            InFlight::Written { header, tail, is_hollow } => {
                (header.number, self.sync(&header, tail, is_hollow))
            }
            InFlight::Done { number, outcome } => (number, outcome),
        })
    }

    fn maintain(&mut self) -> Result<(), LogError> {
        self.running()?;
        self.reader.intact()?;
        if self.unanchored >= ANCHOR_BYTES {
            self.anchor_tail()?;
        }
        self.spare.want().map_err(|error| self.stop_if_fatal(error))
    }

    fn reader(&self) -> Arc<dyn LogReader> {
        Arc::clone(&self.reader) as Arc<dyn LogReader>
    }

    fn close(&mut self) -> Result<(), LogError> {
        self.running()?;
        self.anchor_tail()?;
        self.stopped = Some(LogError::Options("the journal is closed"));
        Ok(())
    }
}
