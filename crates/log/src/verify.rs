//! Checking a log from outside: its files, or a running log through its reader.
//!
//! [`verify`] opens nothing for writing, takes no lock and makes no file, so it may run beside a
//! server that appends to the same files. [`inspect`](crate::inspect) tells more of what is wrong.

use std::path::Path;

use crate::chain::Tail;
use crate::disk::Disk;
use crate::error::LogError;
use crate::event_log::{Known, LogReader};
use crate::frame::Frame;
use crate::id::{FrameNumber, LogId};
use crate::inspect::inspect;

/// How far a verification is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VerifyProgress {
    /// Frames checked.
    pub frames: u64,
    /// Events checked.
    pub events: u64,
    /// Bytes of frames checked.
    pub bytes: u64,
    /// Bytes of the segments' files that were read, with what pads the frames; 0 where the log is read
    /// through its reader.
    pub read: u64,
    /// Bytes of all segments' files; 0 where the log is read through its reader.
    pub total: u64,
    /// The last frame there is to check, where known.
    pub last: Option<FrameNumber>,
}

/// A log that was found in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyReport {
    /// The log's identity.
    pub log_id: LogId,
    /// Segments read to their ends; 0 where the log was read through its reader.
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
    let checked = inspect(disk, dir, known, &mut |passed| {
        progress(passed.progress());
        Ok(())
    });
    checked.map_err(|flaw| flaw.error)
}

impl VerifyReport {
    /// Nothing checked yet.
    pub(crate) fn nothing(log_id: LogId) -> Self {
        Self {
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
        }
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
    let mut report = VerifyReport::nothing(log_id);
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
        progress(VerifyProgress {
            frames: report.frames,
            events: report.events,
            bytes: report.bytes,
            last: Some(last.number),
            ..VerifyProgress::default()
        });
    }
    Ok(report)
}
