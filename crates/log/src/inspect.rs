//! Looking through a journal's files frame by frame, and telling what is wrong as exactly as it can be
//! known: file, byte, frame, event.
//!
//! Memory stays the same however long the log is: one window of a segment at a time.

use std::io;
use std::path::Path;

use encours_domain::Position;

use crate::chain::{ChainError, Tail};
use crate::disk::Disk;
use crate::error::{Damage, LogError};
use crate::event_log::Known;
use crate::frame::{BadPart, EventRef, FRAME_MAX, FrameHeader, bad_part, events_from};
use crate::id::{FrameNumber, LogId};
use crate::journal::{
    Anchor, END_MARK, End, FIRST_FRAME, Found, OpenSegment, Window, Witnesses, corrupt,
    later_frame, segment_name, segments_of, walk,
};
use crate::verify::{VerifyProgress, VerifyReport};

/// How often damage is looked at again before it is believed: a server may be writing there.
const LOOKS: u32 = 4;

/// A frame that was found in order and in its place.
pub struct Passed<'a> {
    found: &'a Found<'a>,
    progress: VerifyProgress,
}

impl Passed<'_> {
    /// What its header says.
    #[must_use]
    pub const fn header(&self) -> &FrameHeader {
        self.found.header
    }

    /// The byte of its file at which it begins.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.found.start
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.found.bytes()
    }

    /// The events in order, each with its position.
    pub fn events(&self) -> impl Iterator<Item = (Position, EventRef<'_>)> {
        let first = self.header().first_position;
        let events = events_from(self.found.bytes(), self.found.events_at);
        (0..).zip(events).map(move |(nth, (_, event))| (first.plus(nth), event))
    }

    /// How far the check is, this frame included.
    #[must_use]
    pub const fn progress(&self) -> VerifyProgress {
        self.progress
    }
}

/// Which event is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventPlace {
    /// Its position.
    pub position: Position,
    /// What it says its type and version are; `None` where that is cut off or part of the damage.
    pub kind: Option<(u16, u16)>,
}

/// The first thing that is wrong with a log, and what is in order before it.
#[derive(Clone, Debug)]
pub struct Flaw {
    /// What is wrong.
    pub error: LogError,
    /// The file, in the log's folder, where it is about one.
    pub file: Option<String>,
    /// The bytes of the file that the damage is among; the first of them where it begins, as far as
    /// that can be known.
    pub bytes: Option<(u64, u64)>,
    /// The frame that is or should be there.
    pub frame: Option<FrameNumber>,
    /// The first event that cannot be trusted, where one event is meant.
    pub event: Option<EventPlace>,
    /// What is in order before it.
    pub good: VerifyReport,
}

/// Looks through the files of a journal, as [`verify`](crate::verify) does, and shows each frame that is
/// in order to `look`, which may refuse it.
///
/// # Errors
/// [`Flaw`] for the first thing that is wrong.
pub fn inspect(
    disk: &dyn Disk,
    dir: &Path,
    known: &[Known],
    look: &mut dyn FnMut(&Passed<'_>) -> Result<(), LogError>,
) -> Result<VerifyReport, Box<Flaw>> {
    let nothing = |error| flaw(error, VerifyReport::nothing(LogId([0; 16])));
    // WHY: the anchor first. It never names a frame that is not durable, so what it says now must
    // hold for all that is read later, also while a server appends.
    let (found, segments) = beginning(disk, dir).map_err(nothing)?;
    let mut report = VerifyReport::nothing(found.anchor.log_id);
    report.anchored = Some(found.anchor.number);
    report.damaged_anchor_slots = found.damaged_slots;
    let mut known = known.to_vec();
    known.push(found.anchor.as_known());
    let total = lengths(disk, dir, &segments).map_err(nothing)?;
    let mut inspector = Inspector {
        disk,
        dir,
        witnesses: Witnesses::new(known),
        look,
        refused: None,
        at: FIRST_FRAME,
        before: 0,
        total,
        report,
    };
    for (nth, first) in segments.iter().enumerate() {
        let is_last = nth + 1 == segments.len();
        let segment = inspector.segment(*first, is_last);
        segment.map_err(|error| inspector.tell(*first, error))?;
    }
    let Inspector { witnesses, report, .. } = inspector;
    match witnesses.check(&report.tail) {
        Err(error) => Err(flaw(error, report)),
        Ok(()) if segments.is_empty() => Err(flaw(LogError::NoLog { dir: dir.to_owned() }, report)),
        Ok(()) => Ok(report),
    }
}

/// The anchor, and then the segments that there are.
fn beginning(
    disk: &dyn Disk,
    dir: &Path,
) -> Result<(crate::journal::FoundAnchor, Vec<FrameNumber>), LogError> {
    let names = disk.list(dir).map_err(LogError::io("list", dir))?;
    let has_segments = !segments_of(&names).is_empty();
    let found = Anchor::load(disk, dir)?.ok_or_else(|| {
        let dir = dir.to_owned();
        if has_segments { LogError::AnchorLost { dir } } else { LogError::NoLog { dir } }
    })?;
    let names = disk.list(dir).map_err(LogError::io("list", dir))?;
    Ok((found, segments_of(&names)))
}

/// Bytes of the segments' files.
fn lengths(disk: &dyn Disk, dir: &Path, segments: &[FrameNumber]) -> Result<u64, LogError> {
    let mut total = 0;
    for first in segments {
        let path = dir.join(segment_name(*first));
        let len = disk.open_ro(&path).and_then(|file| file.len());
        total += len.map_err(LogError::io("measure", &path))?;
    }
    Ok(total)
}

/// A flaw that is about no byte.
fn flaw(error: LogError, good: VerifyReport) -> Box<Flaw> {
    let frame = match &error {
        LogError::NoSegment { frame } | LogError::Diverged { frame, .. } => Some(*frame),
        LogError::RolledBack { tail, .. } => Some(tail.next()),
        LogError::Unreadable { frame, .. } => Some(*frame),
        _ => None,
    };
    let (file, bytes) = match &error {
        LogError::Corrupt { file, offset, .. } => (Some(file.clone()), Some((*offset, *offset))),
        LogError::TooNew { file, .. } | LogError::WrongLog { file, .. } => {
            (Some(file.clone()), None)
        }
        LogError::NoSegment { frame } => (Some(segment_name(*frame)), None),
        _ => (None, None),
    };
    Box::new(Flaw { error, file, bytes, frame, event: None, good })
}

struct Inspector<'a> {
    disk: &'a dyn Disk,
    dir: &'a Path,
    witnesses: Witnesses,
    look: &'a mut dyn FnMut(&Passed<'_>) -> Result<(), LogError>,
    /// The first frame that `look` has refused, and the byte at which it begins.
    refused: Option<(LogError, u64)>,
    /// Where the next frame of the segment begins.
    at: u64,
    /// Bytes of the segments before.
    before: u64,
    total: u64,
    report: VerifyReport,
}

impl Inspector<'_> {
    fn segment(&mut self, first: FrameNumber, is_last: bool) -> Result<(), LogError> {
        self.at = FIRST_FRAME;
        let tail = self.report.tail;
        let segment = OpenSegment::open(self.disk, self.dir, first, &tail)?;
        segment.check(self.report.log_id, &tail, is_last)?;
        self.frames(&segment, is_last)?;
        self.before += segment.file_len;
        self.report.segments += 1;
        Ok(())
    }

    /// Looks through the frames of a segment.
    fn frames(&mut self, segment: &OpenSegment, is_last: bool) -> Result<(), LogError> {
        let first = segment.header.first;
        let mut window = segment.window();
        let name = segment_name(first);
        let mut from = FIRST_FRAME;
        let mut looks = 0;
        loop {
            let end = self.walk(&mut window, segment, from)?;
            let End::Damage { at, offset, damage, may_be_torn } = end else { return Ok(()) };
            let tail = self.report.tail;
            let error = corrupt(first, offset, &tail, damage);
            // WHY: where a server is writing just now, a frame looks torn and is whole a moment later.
            // Only what stays as it is counts as damage.
            looks = if at > from { 1 } else { looks + 1 };
            from = at;
            if !is_last || looks == LOOKS {
                return Err(error);
            }
            window.forget();
            let later = later_frame(&mut window, &segment.header, at, &tail)
                .map_err(LogError::io("read", name.as_ref()))?;
            if later || !may_be_torn {
                window.forget();
                std::thread::yield_now();
                continue;
            }
            self.witnesses.beyond(&tail).map_err(|rolled_back| {
                if segment.file_len < segment.header.segment_len { rolled_back } else { error }
            })?;
            let end = window.end_of_set(at).map_err(LogError::io("read", name.as_ref()))?;
            self.report.unfinished_bytes = end - at;
            return Ok(());
        }
    }

    fn walk(
        &mut self,
        window: &mut Window<'_>,
        segment: &OpenSegment,
        from: u64,
    ) -> Result<End, LogError> {
        let mut tail = self.report.tail;
        let end = walk(window, &segment.header, from, &mut tail, &mut |found| {
            // What comes after the first flaw is not in order any more.
            if self.refused.is_none() {
                self.found(found);
            }
        });
        match self.refused.take() {
            None => end,
            Some((error, at)) => {
                self.at = at;
                Err(error)
            }
        }
    }

    fn found(&mut self, found: &Found<'_>) {
        self.witnesses.see(found);
        let VerifyReport { frames, events, bytes, .. } = &self.report;
        let progress = VerifyProgress {
            frames: frames + 1,
            events: events + u64::from(found.header.event_count),
            bytes: bytes + found.header.frame_len() as u64,
            read: self.before + found.end,
            total: self.total,
            last: None,
        };
        if let Err(error) = (self.look)(&Passed { found, progress }) {
            self.refused = Some((error, found.start));
            return;
        }
        self.report.frames = progress.frames;
        self.report.events = progress.events;
        self.report.bytes = progress.bytes;
        self.report.commands += u64::from(found.header.command_count);
        self.report.tail = Tail {
            number: found.header.number,
            hash: found.header.hash,
            next_position: found.header.next_position(),
            epoch: found.header.epoch,
            recorded_at: found.header.recorded_at,
        };
        self.at = found.end;
    }

    /// Tells where an error is that was met in a segment.
    fn tell(&self, segment: FrameNumber, error: LogError) -> Box<Flaw> {
        let mut flaw = flaw(error, self.report.clone());
        match &flaw.error {
            LogError::Corrupt { frame, source, offset, .. } => {
                flaw.frame = Some(*frame);
                match source {
                    Damage::Frame(error) => {
                        let part = self.bad_part(segment, error);
                        flaw.bytes = part.map_or(flaw.bytes, |part| {
                            Some((self.at + part.from as u64, self.at + part.until as u64))
                        });
                        flaw.event = part.and_then(|part| {
                            Some(EventPlace { position: part.event?, kind: part.kind })
                        });
                    }
                    Damage::Chain(error) => flaw.bytes = Some(field(self.at, error)),
                    Damage::SegmentHeader => flaw.bytes = Some((0, FIRST_FRAME)),
                    Damage::EndMark => {
                        flaw.bytes = Some((*offset, *offset + END_MARK.len() as u64));
                    }
                    _ => flaw.bytes = Some((*offset, *offset + 1)),
                }
            }
            LogError::WrongLog { .. } => {
                flaw.frame = Some(self.report.tail.number.next());
                flaw.bytes = Some(field(self.at, &ChainError::Log));
            }
            LogError::Unreadable { position, .. } => {
                let (position, file) = (*position, segment_name(segment));
                let place = self.event(segment, position);
                flaw.bytes = place.map(|(from, until, _)| (from, until));
                let kind = place.map(|(_, _, kind)| kind);
                flaw.event = Some(EventPlace { position, kind });
                flaw.file = Some(file);
            }
            _ => {}
        }
        flaw
    }

    /// The bytes of the frame at `self.at` and what follows it.
    fn frame(&self, segment: FrameNumber) -> Option<Vec<u8>> {
        let file = self.disk.open_ro(&self.dir.join(segment_name(segment))).ok()?;
        let mut bytes = vec![0; FRAME_MAX];
        let read = file.read_up_to(&mut bytes, self.at).ok()?;
        bytes.truncate(read);
        Some(bytes)
    }

    fn bad_part(&self, segment: FrameNumber, error: &crate::FrameError) -> Option<BadPart> {
        self.frame(segment).map(|frame| bad_part(&frame, error))
    }

    /// The bytes that an event of the intact frame at `self.at` takes, its type and its version.
    fn event(&self, segment: FrameNumber, position: Position) -> Option<(u64, u64, (u16, u16))> {
        let bytes = self.frame(segment)?;
        let header = FrameHeader::decode(&bytes).ok()?;
        let checked = crate::frame::check(&bytes).ok()?;
        let nth = usize::try_from(position.0.checked_sub(header.first_position.0)?).ok()?;
        let frame = bytes.get(..header.frame_len())?;
        let (start, event) = events_from(frame, checked.events_at).nth(nth)?;
        let end = start + crate::frame::EVENT_FIXED_LEN + event.payload.len();
        Some((self.at + start as u64, self.at + end as u64, (event.kind, event.version)))
    }
}

/// The field of a header that does not follow, in the frame at `at`. See docs/log-format.md.
const fn field(at: u64, error: &ChainError) -> (u64, u64) {
    let (from, until) = match error {
        ChainError::Log => (8, 24),
        ChainError::Epoch { .. } => (24, 32),
        ChainError::Number { .. } => (32, 40),
        ChainError::Position { .. } => (40, 48),
        ChainError::RecordedAt => (48, 56),
        ChainError::Previous => (72, 104),
    };
    (at + from, at + until)
}

/// The log that a journal's folder belongs to, by its anchor.
///
/// # Errors
/// [`LogError::NoLog`] where there is none, and where the anchor cannot be read.
pub fn log_id_in(disk: &dyn Disk, dir: &Path) -> Result<LogId, LogError> {
    let no_log = || LogError::NoLog { dir: dir.to_owned() };
    if !disk.exists(dir).map_err(LogError::io("look for", dir))? {
        return Err(no_log());
    }
    Ok(beginning(disk, dir)?.0.anchor.log_id)
}

/// The names of a journal's segments, in order.
///
/// # Errors
/// [`LogError::Io`] where the folder cannot be listed.
pub fn segment_files(disk: &dyn Disk, dir: &Path) -> Result<Vec<String>, LogError> {
    let names = disk.list(dir).map_err(LogError::io("list", dir))?;
    Ok(segments_of(&names).into_iter().map(segment_name).collect())
}

/// What a segment held when it was read with [`read_last_segment`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastSegment {
    /// The last frame, durable. In a segment that has none yet it is the one before it, as the
    /// segment's header tells it: without the time at which it was recorded.
    pub tail: Tail,
    /// Where the next one will begin; zeros follow.
    pub end: u64,
    /// The bytes of its file.
    pub len: u64,
}

/// Reads a segment that may be written to just now as far as its frames are whole, and has the system
/// make durable what was read: so that no later start can come to another end. The bytes up to the end
/// go to `out` in order, each frame with its end mark, padding left out; each piece with its offset.
///
/// # Errors
/// [`LogError`] where the segment is damaged, or cannot be read; what `out` says, as [`LogError::Io`].
pub fn read_last_segment(
    disk: &dyn Disk,
    dir: &Path,
    name: &str,
    out: &mut dyn FnMut(u64, &[u8]) -> io::Result<()>,
) -> Result<LastSegment, LogError> {
    let path = dir.join(name);
    let wrong = |operation| LogError::io(operation, &path);
    let first = segments_of(&[name.to_owned()]);
    let first = *first.first().ok_or(LogError::Options("this is no segment"))?;
    let nobody = Tail::genesis(LogId([0; 16]));
    let segment = OpenSegment::open(disk, dir, first, &nobody)?;
    // What came before is checked by whoever has it; the header says what it was.
    let log_id = segment.header.log_id;
    let mut report = VerifyReport::nothing(log_id);
    report.tail.number = FrameNumber(segment.header.first.0.saturating_sub(1));
    report.tail.hash = segment.header.previous;
    report.tail.next_position = segment.header.first_position;
    let mut head = vec![0; usize::try_from(FIRST_FRAME).unwrap_or_default()];
    segment.file.read_exact_at(&mut head, 0).map_err(wrong("read"))?;
    out(0, &head).map_err(wrong("copy"))?;
    let mut look = |passed: &Passed<'_>| {
        out(passed.offset(), passed.found.written).map_err(LogError::io("copy", &path))
    };
    let mut inspector = Inspector {
        disk,
        dir,
        witnesses: Witnesses::new(Vec::new()),
        look: &mut look,
        refused: None,
        at: FIRST_FRAME,
        before: 0,
        total: segment.file_len,
        report,
    };
    inspector.frames(&segment, true)?;
    let (tail, end) = (inspector.report.tail, inspector.at);
    segment.file.sync_data().map_err(wrong("sync"))?;
    Ok(LastSegment { tail, end, len: segment.header.segment_len })
}
