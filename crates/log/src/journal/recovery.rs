//! What a journal does at start: read everything, check everything, and only then repair.
//!
//! Promises: nothing is written before every check has passed. A frame is dropped only as a torn tail:
//! nothing of this log follows it, no anchor and nobody else has seen it. Everything that readers are
//! shown afterwards is durable.

use std::path::Path;

use encours_domain::Position;

use super::reader::SegmentIndex;
use super::scan::{End, Found, Window, corrupt, later_frame, walk};
use super::segment::{
    END_MARK, FIRST_FRAME_AT, SEGMENT_HEADER_LEN, SegmentHeader, aligned, segment_name, stored_len,
};
use super::{SEGMENT_LEN_MAX, SEGMENT_LEN_MIN};
use crate::chain::Tail;
use crate::disk::{Disk, DiskFile};
use crate::error::{Damage, LogError};
use crate::event_log::Known;
use crate::frame::{FRAME_MAX, FrameError, check};
use crate::id::{FrameNumber, LogId};

/// Bytes written at a time where space is zeroed again.
const CHUNK: usize = 256 * 1024;

/// Those who have seen frames, and what the log says about it.
pub(crate) struct Witnesses {
    known: Vec<Known>,
    diverged: Option<LogError>,
}

impl Witnesses {
    pub(crate) fn new(known: Vec<Known>) -> Self {
        Self { known, diverged: None }
    }

    pub(crate) fn see(&mut self, found: &Found<'_>) {
        for known in &self.known {
            if known.number == found.header.number && known.hash != found.header.hash {
                let (known, frame) = (known.source.clone(), known.number);
                self.diverged.get_or_insert(LogError::Diverged { known, frame });
            }
        }
    }

    /// Whether anybody has seen a frame after this one.
    pub(crate) fn beyond(&self, tail: &Tail) -> Result<(), LogError> {
        let newest = self.known.iter().max_by_key(|known| known.number);
        match newest {
            Some(known) if known.number > tail.number => Err(LogError::RolledBack {
                known: known.source.clone(),
                wanted: known.number,
                tail: tail.number,
                position: Position(tail.next_position.0 - 1),
            }),
            _ => Ok(()),
        }
    }

    pub(crate) fn check(&self, tail: &Tail) -> Result<(), LogError> {
        match &self.diverged {
            Some(error) => Err(error.clone()),
            None => self.beyond(tail),
        }
    }
}

/// Opens a segment and reads its header.
pub(crate) struct OpenSegment {
    pub(crate) file: Box<dyn DiskFile>,
    pub(crate) header: SegmentHeader,
    pub(crate) file_len: u64,
}

impl OpenSegment {
    /// # Errors
    /// [`LogError::Corrupt`] where the header is damaged, `tail` says what should be there.
    pub(crate) fn open(
        disk: &dyn Disk,
        dir: &Path,
        first: FrameNumber,
        tail: &Tail,
    ) -> Result<Self, LogError> {
        let path = dir.join(segment_name(first));
        let file = disk.open_ro(&path).map_err(LogError::io("open", &path))?;
        let file_len = file.len().map_err(LogError::io("measure", &path))?;
        let mut bytes = [0; SEGMENT_HEADER_LEN];
        file.read_up_to(&mut bytes, 0).map_err(LogError::io("read", &path))?;
        let header = SegmentHeader::decode(&bytes).map_err(|error| match error {
            FrameError::TooNew { .. } => corrupt(first, 0, tail, error.into()),
            _ if file_len < FIRST_FRAME_AT => {
                let damage = Damage::Length { wanted: FIRST_FRAME_AT, found: file_len };
                corrupt(first, file_len, tail, damage)
            }
            _ => corrupt(first, 0, tail, Damage::SegmentHeader),
        })?;
        let len = header.segment_len;
        let sane = (SEGMENT_LEN_MIN..=SEGMENT_LEN_MAX).contains(&len) && aligned(len) == len;
        if header.first != first || !sane {
            return Err(corrupt(first, 0, tail, Damage::SegmentHeader));
        }
        Ok(Self { file, header, file_len })
    }

    /// Whether the segment follows `tail`, and the file is as long as it should be. The last segment
    /// may be shorter: then its end is missing.
    pub(crate) fn check(&self, log_id: LogId, tail: &Tail, is_last: bool) -> Result<(), LogError> {
        let header = &self.header;
        if header.log_id != log_id {
            return Err(LogError::WrongLog {
                file: segment_name(header.first),
                found: header.log_id,
                expected: log_id,
            });
        }
        if header.first > tail.number.next() {
            return Err(LogError::NoSegment { frame: tail.number.next() });
        }
        let follows = header.first == tail.number.next()
            && header.first_position == tail.next_position
            && header.previous == tail.hash;
        if !follows {
            return Err(corrupt(header.first, 0, tail, Damage::SegmentHeader));
        }
        let (wanted, found) = (header.segment_len, self.file_len);
        if found > wanted || (found < wanted && !is_last) {
            let damage = Damage::Length { wanted, found };
            return Err(corrupt(header.first, found.min(wanted), tail, damage));
        }
        Ok(())
    }

    /// The file as it should be: up to its full length, zeros where it is cut.
    pub(crate) fn window(&self) -> Window<'_> {
        Window::new(&*self.file, self.header.segment_len)
    }
}

/// A log that was read from start to end, and the repairs it needs.
pub(super) struct Scanned {
    pub(super) tail: Tail,
    pub(super) index: Vec<SegmentIndex>,
    pub(super) last: SegmentHeader,
    /// Where the next frame goes in the last segment.
    pub(super) end: u64,
    /// The end of the bytes of a torn tail; `end` where there is none.
    pub(super) torn_to: u64,
    /// The last segment's file as found.
    pub(super) file_len: u64,
    /// Where the frames of the last segment begin that are above the anchor.
    pub(super) unanchored_from: u64,
    pub(super) bytes: u64,
}

/// Reads all segments.
pub(super) fn scan(
    disk: &dyn Disk,
    dir: &Path,
    segments: &[FrameNumber],
    anchored: FrameNumber,
    log_id: LogId,
    witnesses: &mut Witnesses,
) -> Result<Scanned, LogError> {
    let mut tail = Tail::genesis(log_id);
    let mut index: Vec<SegmentIndex> = Vec::with_capacity(segments.len());
    let mut bytes = 0;
    let mut last = None;
    for (nth, first) in segments.iter().enumerate() {
        let is_last = nth + 1 == segments.len();
        let segment = OpenSegment::open(disk, dir, *first, &tail).map_err(|error| match error {
            // A last segment cut before its header: what is missing is known, what it held is not.
            LogError::Corrupt { source: Damage::Length { .. }, .. } if is_last => {
                witnesses.beyond(&tail).err().unwrap_or(error)
            }
            error => error,
        })?;
        segment.check(log_id, &tail, is_last)?;
        let mut entries = SegmentIndex::new(*first, segment.header.first_position);
        let mut unanchored_from = None;
        let mut window = segment.window();
        let end = walk(&mut window, &segment.header, FIRST_FRAME_AT, &mut tail, &mut |found| {
            witnesses.see(found);
            entries.push(found.header, found.start, found.end);
            bytes += found.header.frame_len() as u64;
            if found.header.number > anchored {
                unanchored_from.get_or_insert(found.start);
            }
        })?;
        index.push(entries);
        let (end, torn_to) = match end {
            End::Zeros { at } => (at, at),
            End::Damage { at, offset, damage, may_be_torn } => {
                let error = corrupt(*first, offset, &tail, damage);
                let torn = Torn { segment: &segment, at, may_be_torn: may_be_torn && is_last };
                (at, torn.judge(&mut window, &tail, witnesses, error)?)
            }
        };
        last = Some(Scanned {
            tail,
            index: Vec::new(),
            last: segment.header,
            end,
            torn_to,
            file_len: segment.file_len,
            unanchored_from: unanchored_from.unwrap_or(end),
            bytes,
        });
    }
    witnesses.check(&tail)?;
    let mut scanned = last.ok_or(LogError::NoSegment { frame: tail.number.next() })?;
    scanned.index = index;
    Ok(scanned)
}

/// Damage that may be a write that a crash cut short.
struct Torn<'a> {
    segment: &'a OpenSegment,
    at: u64,
    may_be_torn: bool,
}

impl Torn<'_> {
    /// The end of the torn bytes, or why they are none.
    fn judge(
        &self,
        window: &mut Window<'_>,
        tail: &Tail,
        witnesses: &Witnesses,
        error: LogError,
    ) -> Result<u64, LogError> {
        if !self.may_be_torn {
            return Err(error);
        }
        let name = segment_name(self.segment.header.first);
        // WHY: a read that fails once must not destroy a frame that is whole on the disk.
        window.forget();
        let mut again = *tail;
        let end = walk(window, &self.segment.header, self.at, &mut again, &mut |_| {})?;
        if !matches!(end, End::Damage { at, may_be_torn: true, .. } if at == self.at) {
            return Err(error);
        }
        let later = later_frame(window, &self.segment.header, self.at, tail)
            .map_err(LogError::io("read", name.as_ref()))?;
        if later {
            return Err(error);
        }
        if let Err(rolled_back) = witnesses.beyond(tail) {
            let is_cut = self.segment.file_len < self.segment.header.segment_len;
            return Err(if is_cut { rolled_back } else { error });
        }
        window.end_of_set(self.at).map_err(LogError::io("read", name.as_ref()))
    }
}

impl Scanned {
    /// Zeros a torn tail, restores the length of a cut file, and makes durable what was read.
    ///
    /// Returns how many bytes were written again. WHY: after a failed sync the system may show bytes
    /// that the disk does not have, or hide some that it has, and call the next sync a success. So
    /// frames that are not anchored are written again before they are synced, and the space that a
    /// lost frame may have reached is zeroed, whatever it shows.
    pub(super) fn repair(&self, file: &dyn DiskFile, path: &Path) -> Result<u64, LogError> {
        let again = self.unanchored(file, path)?;
        let write = || {
            if !again.is_empty() {
                file.write_all_at(&again, self.unanchored_from)?;
            }
            let reach = self.end.saturating_add(stored_len(FRAME_MAX) as u64).max(self.torn_to);
            zero(file, self.end, reach.min(self.last.segment_len))?;
            zero(file, self.file_len, self.last.segment_len)?;
            file.sync_all()
        };
        write().map_err(LogError::sync("repairing the end", path))?;
        Ok(again.len() as u64)
    }

    /// The unanchored frames of the last segment.
    ///
    /// WHY they are checked once more: they are going to be written over what the disk has, and a
    /// read may fail where the last one did not.
    fn unanchored(&self, file: &dyn DiskFile, path: &Path) -> Result<Vec<u8>, LogError> {
        let len = self.end - self.unanchored_from;
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
        file.read_up_to(&mut bytes, self.unanchored_from).map_err(LogError::io("read", path))?;
        let mut rest = bytes.as_mut_slice();
        let mut last = self.tail.hash;
        while !rest.is_empty() {
            let at = self.end - rest.len() as u64;
            let damaged = |damage| corrupt(self.last.first, at, &self.tail, damage);
            let header = check(rest).map_err(|error| damaged(error.into()))?.header;
            let len = header.frame_len();
            let (frame, others) = rest.split_at_mut(stored_len(len).min(rest.len()));
            let Some((mark, padding)) = frame[len..].split_first_chunk_mut() else {
                return Err(damaged(Damage::EndMark));
            };
            if *mark != END_MARK {
                return Err(damaged(Damage::EndMark));
            }
            padding.fill(0);
            last = header.hash;
            rest = others;
        }
        if last != self.tail.hash {
            return Err(corrupt(self.last.first, self.end, &self.tail, Damage::Gone));
        }
        Ok(bytes)
    }

    /// The position of the last event.
    pub(super) fn last_position(&self) -> Position {
        Position(self.tail.next_position.0 - 1)
    }
}

fn zero(file: &dyn DiskFile, mut from: u64, to: u64) -> std::io::Result<()> {
    let zeros = vec![0; usize::try_from(to.saturating_sub(from)).unwrap_or(CHUNK).min(CHUNK)];
    while from < to {
        let len = usize::try_from(to - from).unwrap_or(CHUNK).min(zeros.len());
        file.write_all_at(&zeros[..len], from)?;
        from += len as u64;
    }
    Ok(())
}
