//! The index of a journal in memory, and reading by it.
//!
//! The index has eight bytes a frame, in one vector per segment, so that no vector grows large. Files
//! are opened when they are read; the few used last stay open.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use encours_domain::Position;
use tracing::error;

use super::segment::{ALIGN, END_MARK, segment_name};
use crate::chain::Tail;
use crate::disk::{Disk, DiskFile};
use crate::error::{Damage, LogError};
use crate::event_log::{LogReader, TailCell};
use crate::frame::{Frame, FrameError, FrameHeader};
use crate::id::{FrameNumber, LogId};

/// How many segment files stay open for reading.
const OPEN_FILES: usize = 32;

/// Where the frames of one segment stand.
#[derive(Debug)]
pub(crate) struct SegmentIndex {
    first: FrameNumber,
    first_position: Position,
    frames: Vec<Entry>,
    /// Where the last frame ends, in units of [`ALIGN`].
    end: u32,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Where the frame begins, in units of [`ALIGN`].
    at: u32,
    /// Its first position, counted from the segment's.
    position: u32,
}

impl SegmentIndex {
    pub(crate) fn new(first: FrameNumber, first_position: Position) -> Self {
        Self { first, first_position, frames: Vec::new(), end: 1 }
    }

    /// Adds the next frame, which takes the bytes from `start` to `end`.
    ///
    /// INVARIANT: a segment has at most [`super::SEGMENT_LEN_MAX`] bytes, and an event takes more
    /// than one of them, so that both numbers fit.
    pub(crate) fn push(&mut self, header: &FrameHeader, start: u64, end: u64) {
        let units = |bytes: u64| u32::try_from(bytes / ALIGN).unwrap_or(u32::MAX);
        let position = header.first_position.0.saturating_sub(self.first_position.0);
        self.frames.push(Entry {
            at: units(start),
            position: u32::try_from(position).unwrap_or(u32::MAX),
        });
        self.end = units(end);
    }
}

/// A stretch of a segment file that holds one frame, its end mark and its padding.
struct Place {
    segment: FrameNumber,
    start: u64,
    len: u64,
}

/// Everything about a journal that readers and the writer share.
pub(crate) struct JournalReader {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    pub(super) log_id: LogId,
    tail: TailCell,
    segments: RwLock<Vec<SegmentIndex>>,
    files: Mutex<VecDeque<(FrameNumber, Arc<dyn DiskFile>)>>,
    /// The first damage that a read has met.
    damage: OnceLock<LogError>,
}

impl JournalReader {
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        dir: PathBuf,
        log_id: LogId,
        tail: Tail,
        segments: Vec<SegmentIndex>,
    ) -> Self {
        Self {
            disk,
            dir,
            log_id,
            tail: TailCell::new(tail),
            segments: RwLock::new(segments),
            files: Mutex::new(VecDeque::new()),
            damage: OnceLock::new(),
        }
    }

    /// # Errors
    /// What is wrong with the log, where a read has met damage: nothing may be written after it.
    pub(crate) fn intact(&self) -> Result<(), LogError> {
        self.damage.get().cloned().map_or(Ok(()), Err)
    }

    /// Shows a durable frame to the readers.
    pub(crate) fn publish(&self, header: &FrameHeader, start: u64, end: u64, tail: Tail) {
        let mut segments = self.segments.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(segment) = segments.last_mut() {
            segment.push(header, start, end);
        }
        drop(segments);
        self.tail.set(tail);
    }

    pub(crate) fn tail_now(&self) -> Tail {
        self.tail.get()
    }

    /// Adds an empty segment.
    pub(crate) fn add_segment(&self, segment: SegmentIndex) {
        self.segments.write().unwrap_or_else(PoisonError::into_inner).push(segment);
    }

    fn place(&self, number: FrameNumber) -> Option<Place> {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        let after = segments.partition_point(|segment| segment.first <= number);
        let segment = segments.get(after.checked_sub(1)?)?;
        let index = usize::try_from(number.0 - segment.first.0).ok()?;
        let entry = segment.frames.get(index)?;
        let end = segment.frames.get(index + 1).map_or(segment.end, |next| next.at);
        Some(Place {
            segment: segment.first,
            start: u64::from(entry.at) * ALIGN,
            len: u64::from(end - entry.at) * ALIGN,
        })
    }

    fn file(&self, segment: FrameNumber) -> io::Result<Arc<dyn DiskFile>> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = files.iter().position(|(first, _)| *first == segment)
            && let Some(found) = files.remove(index)
        {
            let file = Arc::clone(&found.1);
            files.push_front(found);
            return Ok(file);
        }
        let file: Arc<dyn DiskFile> =
            self.disk.open_ro(&self.dir.join(segment_name(segment)))?.into();
        files.truncate(OPEN_FILES - 1);
        files.push_front((segment, Arc::clone(&file)));
        Ok(file)
    }

    fn read_place(&self, place: &Place) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(place.len).map_err(io::Error::other)?];
        self.file(place.segment)?.read_exact_at(&mut bytes, place.start)?;
        Ok(bytes)
    }
}

impl LogReader for JournalReader {
    fn log_id(&self) -> LogId {
        self.log_id
    }

    fn tail(&self) -> Tail {
        self.tail.get()
    }

    fn stored_bytes(&self) -> u64 {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        segments.iter().map(|segment| u64::from(segment.end) * ALIGN).sum()
    }

    fn read(&self, number: FrameNumber) -> Result<Option<Frame>, LogError> {
        let Some(place) = self.place(number) else { return Ok(None) };
        if let Some(LogError::Corrupt { frame, .. }) = self.damage.get()
            && number > *frame
        {
            // Nothing is shown that stands after damage: the process is about to end.
            return self.intact().map(|()| None);
        }
        // WHY twice: what fails once may have gone wrong on the way from the disk.
        match self.read_frame(number, &place) {
            Err(error) if error.is_corruption() => {
                let again = self.read_frame(number, &place);
                if let Err(damage) = &again
                    && damage.is_corruption()
                    && self.damage.set(damage.clone()).is_ok()
                {
                    error!(code = damage.code(), frame = number.0, error = %damage, "frame_corrupt");
                }
                again.map(Some)
            }
            read => read.map(Some),
        }
    }

    fn frame_of(&self, position: Position) -> Option<FrameNumber> {
        if position == Position::START || position >= self.tail().next_position {
            return None;
        }
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        let after = segments.partition_point(|segment| segment.first_position <= position);
        let segment = segments.get(after.checked_sub(1)?)?;
        let wanted = position.0 - segment.first_position.0;
        let after = segment.frames.partition_point(|entry| u64::from(entry.position) <= wanted);
        Some(FrameNumber(segment.first.0 + after.checked_sub(1)? as u64))
    }

    fn wait_beyond(&self, number: FrameNumber, timeout: Duration) -> Tail {
        self.tail.wait_beyond(number, timeout)
    }
}

impl JournalReader {
    /// Reads a frame from its place and checks it.
    fn read_frame(&self, number: FrameNumber, place: &Place) -> Result<Frame, LogError> {
        let corrupt = |damage: Damage, at: usize| LogError::Corrupt {
            file: segment_name(place.segment),
            offset: place.start + at as u64,
            frame: number,
            position: self.first_position(number),
            source: damage,
        };
        let mut bytes = match self.read_place(place) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(corrupt(Damage::Gone, 0));
            }
            Err(error) => {
                let path = self.dir.join(segment_name(place.segment));
                return Err(LogError::io("read", &path)(error));
            }
        };
        let damaged = |error: FrameError| corrupt(error.into(), error.offset());
        let header = FrameHeader::decode(&bytes).map_err(damaged)?;
        let len = header.frame_len();
        let is_marked = bytes.get(len..).is_some_and(|rest| rest.starts_with(&END_MARK));
        bytes.truncate(len);
        let frame = Frame::decode(bytes).map_err(damaged)?;
        if header.number != number || header.log_id != self.log_id {
            return Err(corrupt(Damage::Gone, 0));
        }
        if !is_marked {
            return Err(corrupt(Damage::EndMark, len));
        }
        Ok(frame)
    }

    fn first_position(&self, number: FrameNumber) -> Position {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        let after = segments.partition_point(|segment| segment.first <= number);
        let found =
            after.checked_sub(1).and_then(|index| segments.get(index)).and_then(|segment| {
                let index = usize::try_from(number.0 - segment.first.0).ok()?;
                let entry = segment.frames.get(index)?;
                Some(segment.first_position.plus(u64::from(entry.position)))
            });
        found.unwrap_or(Position::START)
    }
}
