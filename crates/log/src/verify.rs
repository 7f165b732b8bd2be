//! Checking a log from outside: its files, or a running log through its reader.
//!
//! [`verify`] opens nothing for writing, takes no lock and makes no file, so it may run beside a
//! server that appends to the same files.

use std::path::Path;

use crate::chain::Tail;
use crate::disk::Disk;
use crate::error::LogError;
use crate::event_log::{Known, LogReader};
use crate::frame::Frame;
use crate::id::{FrameNumber, LogId};
use crate::journal::{
    Anchor, End, FIRST_FRAME, OpenSegment, Window, Witnesses, corrupt, later_frame, segment_name,
    segments_of, walk,
};

/// How often damage is looked at again before it is believed: a server may be writing there.
const LOOKS: u32 = 4;

/// How far a verification is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VerifyProgress {
    /// Frames checked.
    pub frames: u64,
    /// Events checked.
    pub events: u64,
    /// Bytes of frames checked.
    pub bytes: u64,
    /// The last frame there is to check, where known.
    pub last: Option<FrameNumber>,
}

/// A log that was found in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyReport {
    /// The log's identity.
    pub log_id: LogId,
    /// Segments read; 0 where the log was read through its reader.
    pub segments: u64,
    /// Frames checked.
    pub frames: u64,
    /// Events checked.
    pub events: u64,
    /// Command records checked.
    pub commands: u64,
    /// Bytes of frames checked.
    pub bytes: u64,
    /// The last frame.
    pub tail: Tail,
    /// The frame that is anchored; `None` where the log was read through its reader.
    pub anchored: Option<FrameNumber>,
    /// Bytes after the last frame that are not zero: a write that is not finished, or that a crash
    /// has cut short, or damage to space that holds nothing. No frame of the log is in them.
    pub unfinished_bytes: u64,
    /// Slots of the anchor file that are damaged, beside the intact one that was used.
    pub damaged_anchor_slots: u8,
}

/// Checks the files of a journal: every frame, the chain, the anchor, the empty space.
///
/// `known` are frames that others have seen and that must be there; `progress` is called once per
/// frame.
///
/// # Errors
/// [`LogError`] for the first thing that is wrong, as when the journal is opened.
pub fn verify(
    disk: &dyn Disk,
    dir: &Path,
    known: &[Known],
    progress: &mut dyn FnMut(VerifyProgress),
) -> Result<VerifyReport, LogError> {
    // WHY: the anchor first. It never names a frame that is not durable, so what it says now must
    // hold for all that is read later, also while a server appends.
    let names = disk.list(dir).map_err(LogError::io("list", dir))?;
    let no_log = || LogError::NoLog { dir: dir.to_owned() };
    let has_segments = !segments_of(&names).is_empty();
    let found = Anchor::load(disk, dir)?.ok_or_else(|| {
        if has_segments { LogError::AnchorLost { dir: dir.to_owned() } } else { no_log() }
    })?;
    let names = disk.list(dir).map_err(LogError::io("list", dir))?;
    let segments = segments_of(&names);
    let mut known = known.to_vec();
    known.push(found.anchor.as_known());
    let log_id = found.anchor.log_id;
    let mut verifier = Verifier {
        disk,
        dir,
        witnesses: Witnesses::new(known),
        progress,
        report: VerifyReport {
            log_id,
            segments: segments.len() as u64,
            frames: 0,
            events: 0,
            commands: 0,
            bytes: 0,
            tail: Tail::genesis(log_id),
            anchored: Some(found.anchor.number),
            unfinished_bytes: 0,
            damaged_anchor_slots: found.damaged_slots,
        },
    };
    for (nth, first) in segments.iter().enumerate() {
        verifier.segment(*first, nth + 1 == segments.len())?;
    }
    verifier.witnesses.check(&verifier.report.tail)?;
    if segments.is_empty() {
        return Err(no_log());
    }
    Ok(verifier.report)
}

struct Verifier<'a> {
    disk: &'a dyn Disk,
    dir: &'a Path,
    witnesses: Witnesses,
    progress: &'a mut dyn FnMut(VerifyProgress),
    report: VerifyReport,
}

impl Verifier<'_> {
    fn segment(&mut self, first: FrameNumber, is_last: bool) -> Result<(), LogError> {
        let tail = self.report.tail;
        let segment = OpenSegment::open(self.disk, self.dir, first, &tail)?;
        segment.check(self.report.log_id, &tail, is_last)?;
        let mut window = segment.window();
        let name = segment_name(first);
        let mut from = FIRST_FRAME;
        let mut looks = 0;
        loop {
            let end = self.walk(&mut window, &segment, from)?;
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
            self.witnesses.see(found);
            self.report.frames += 1;
            self.report.events += u64::from(found.header.event_count);
            self.report.commands += u64::from(found.header.command_count);
            self.report.bytes += found.header.frame_len() as u64;
            (self.progress)(self.report.progress(None));
        });
        self.report.tail = tail;
        end
    }
}

impl VerifyReport {
    const fn progress(&self, last: Option<FrameNumber>) -> VerifyProgress {
        VerifyProgress { frames: self.frames, events: self.events, bytes: self.bytes, last }
    }
}

/// Checks a running log, frame by frame, from its first to the tail it has when this is called.
///
/// # Errors
/// [`LogError::Corrupt`] or [`LogError::NotNext`] for the first frame that is wrong.
pub fn verify_reader(
    reader: &dyn LogReader,
    progress: &mut dyn FnMut(VerifyProgress),
) -> Result<VerifyReport, LogError> {
    let log_id = reader.log_id();
    let last = reader.tail();
    let mut report = VerifyReport {
        log_id,
        segments: 0,
        frames: 0,
        events: 0,
        commands: 0,
        bytes: 0,
        tail: Tail::genesis(log_id),
        anchored: None,
        unfinished_bytes: 0,
        damaged_anchor_slots: 0,
    };
    while report.tail.number < last.number {
        let number = report.tail.number.next();
        let frame: Frame = reader.read(number)?.ok_or(LogError::NoSegment { frame: number })?;
        let header = frame.header();
        report.tail = report
            .tail
            .follow(log_id, header)
            .map_err(|source| LogError::NotNext { frame: number, source })?;
        report.frames += 1;
        report.events += u64::from(header.event_count);
        report.commands += u64::from(header.command_count);
        report.bytes += header.frame_len() as u64;
        progress(report.progress(Some(last.number)));
    }
    Ok(report)
}
