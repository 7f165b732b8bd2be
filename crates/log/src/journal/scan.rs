//! Walks the frames of a segment file, checking each. Shared by recovery and offline verification.

#[cfg(test)]
mod tests;

use std::io;

use super::segment::{
    ALIGN, END_MARK, FIRST_FRAME_AT, SECTOR, SegmentHeader, first_set, is_zero, segment_name,
    stored_len,
};
use crate::chain::{ChainError, Tail};
use crate::disk::DiskFile;
use crate::error::{Damage, LogError};
use crate::frame::{Checked, FRAME_MAX, FrameError, FrameHeader, HEADER_LEN, check};
use crate::id::FrameNumber;

/// Bytes read from the disk at a time; more than the longest frame.
const CHUNK: usize = 2 * FRAME_MAX;

/// A view of a file that is read in order. Past the end of the file it shows zeros.
pub(crate) struct Window<'f> {
    file: &'f dyn DiskFile,
    bytes: Vec<u8>,
    start: u64,
    /// Where the file ends, or should.
    limit: u64,
}

impl<'f> Window<'f> {
    pub(crate) fn new(file: &'f dyn DiskFile, limit: u64) -> Self {
        Self { file, bytes: Vec::new(), start: 0, limit }
    }

    /// The bytes from `offset` on: `len` of them, or as many as the limit leaves.
    pub(crate) fn at(&mut self, offset: u64, len: usize) -> io::Result<&[u8]> {
        let rest = usize::try_from(self.limit.saturating_sub(offset)).unwrap_or(usize::MAX);
        let len = len.min(rest);
        let held = self.start + self.bytes.len() as u64;
        if offset < self.start || offset + len as u64 > held {
            self.bytes.resize(CHUNK.max(len).min(rest), 0);
            self.start = offset;
            let read = self.file.read_up_to(&mut self.bytes, offset)?;
            self.bytes[read..].fill(0);
        }
        let from = usize::try_from(offset - self.start).unwrap_or(usize::MAX);
        Ok(self.bytes.get(from..from + len).unwrap_or_default())
    }

    /// Forgets what was read, because the file may have changed.
    pub(crate) fn forget(&mut self) {
        self.bytes.clear();
    }

    /// The first byte at or after `offset` that is not zero.
    fn first_set(&mut self, mut offset: u64) -> io::Result<Option<u64>> {
        while offset < self.limit {
            let bytes = self.at(offset, CHUNK)?;
            if let Some(index) = first_set(bytes) {
                return Ok(Some(offset + index as u64));
            }
            offset += bytes.len() as u64;
        }
        Ok(None)
    }

    /// The end of the last byte at or after `offset` that is not zero; `offset` where all are zero.
    pub(crate) fn end_of_set(&mut self, offset: u64) -> io::Result<u64> {
        let mut end = offset;
        let mut at = offset;
        while at < self.limit {
            let bytes = self.at(at, CHUNK)?;
            if !is_zero(bytes) {
                let last = bytes.iter().rposition(|byte| *byte != 0).unwrap_or_default();
                end = at + last as u64 + 1;
            }
            at += bytes.len() as u64;
        }
        Ok(end)
    }
}

/// How a walk over a segment ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    /// Nothing but zeros from here to the end of the segment.
    Zeros { at: u64 },
    /// No intact frame at `at`, although there are bytes.
    Damage {
        /// Where the frame should begin.
        at: u64,
        /// Where the damaged part begins.
        offset: u64,
        damage: Damage,
        /// Whether a write that was cut short could look like this.
        may_be_torn: bool,
    },
}

/// A frame that was found in its place.
pub(crate) struct Found<'a> {
    pub(crate) header: &'a FrameHeader,
    pub(crate) start: u64,
    /// Where the next frame begins.
    pub(crate) end: u64,
    /// The frame, and its end mark.
    pub(crate) written: &'a [u8],
    /// The byte of the frame at which its events begin.
    pub(crate) events_at: usize,
}

impl<'a> Found<'a> {
    /// The frame.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        &self.written[..self.header.frame_len()]
    }
}

/// Walks the frames from `at` on, moving `tail` along.
///
/// # Errors
/// [`LogError`] for what can be no torn write: a frame that does not follow, belongs to another log
/// or to a later format; and where the disk cannot be read ([`LogError::Io`]).
pub(crate) fn walk(
    window: &mut Window<'_>,
    segment: &SegmentHeader,
    mut at: u64,
    tail: &mut Tail,
    found: &mut dyn FnMut(&Found<'_>),
) -> Result<End, LogError> {
    let name = segment_name(segment.first);
    loop {
        let checked = match step(window, at).map_err(LogError::io("read", name.as_ref()))? {
            Step::Frame(checked) => checked,
            Step::End(end) => return Ok(end),
        };
        let header = &checked.header;
        *tail = tail.follow(segment.log_id, header).map_err(|error| match error {
            ChainError::Log => LogError::WrongLog {
                file: name.clone(),
                found: header.log_id,
                expected: segment.log_id,
            },
            error => corrupt(segment.first, at, tail, error.into()),
        })?;
        let end = at + stored_len(header.frame_len()) as u64;
        let written = window
            .at(at, header.frame_len() + END_MARK.len())
            .map_err(LogError::io("read", name.as_ref()))?;
        found(&Found { header, start: at, end, written, events_at: checked.events_at });
        at = end;
    }
}

/// The error for damage at `offset` of a segment, after `tail`.
pub(crate) fn corrupt(segment: FrameNumber, offset: u64, tail: &Tail, damage: Damage) -> LogError {
    if let Damage::Frame(FrameError::TooNew { min_reader }) = damage {
        return LogError::TooNew { file: segment_name(segment), min_reader };
    }
    LogError::Corrupt {
        file: segment_name(segment),
        offset,
        frame: tail.number.next(),
        position: tail.next_position,
        source: damage,
    }
}

enum Step {
    Frame(Checked),
    End(End),
}

fn step(window: &mut Window<'_>, at: u64) -> io::Result<Step> {
    let rest = window.limit.saturating_sub(at);
    if rest == 0 {
        return Ok(Step::End(End::Zeros { at }));
    }
    if is_zero(window.at(at, HEADER_LEN)?) {
        return Ok(Step::End(match window.first_set(at)? {
            None => End::Zeros { at },
            Some(offset) => End::Damage { at, offset, damage: Damage::NotZero, may_be_torn: true },
        }));
    }
    let damage = |error: FrameError, may_be_torn| {
        let offset = at + error.offset() as u64;
        Ok(Step::End(End::Damage { at, offset, damage: error.into(), may_be_torn }))
    };
    let header = match FrameHeader::decode(window.at(at, HEADER_LEN)?) {
        Ok(header) => header,
        Err(error) => return damage(error, header_is_cut(window, at, &error)?),
    };
    let len = header.frame_len();
    let marked = len + END_MARK.len();
    let bytes = window.at(at, stored_len(len))?;
    let Some(written) = bytes.get(..marked) else {
        // A whole header says that the frame has this length, but the segment has not.
        return damage(FrameError::Short { wanted: marked, found: bytes.len() }, false);
    };
    let checked = match check(written) {
        Ok(checked) => checked,
        Err(error) => return damage(error, is_unfinished(written)),
    };
    let (offset, damage, may_be_torn) = if written[len..] != END_MARK {
        (len, Damage::EndMark, is_unfinished(written))
    } else if let Some(index) = first_set(&bytes[marked..]) {
        (marked + index, Damage::NotZero, false)
    } else {
        return Ok(Step::Frame(checked));
    };
    Ok(Step::End(End::Damage { at, offset: at + offset as u64, damage, may_be_torn }))
}

/// The first bytes of a header: magic, format, and the oldest reader that it is for.
const WORD: usize = 8;

/// Whether a damaged header can be the work of a crash. Either the write was cut short within it: then
/// its last byte, and what follows in its sector, are the zeros that were there before. Or nothing of it
/// was written, or a torn one was zeroed in part: then its first word, which holds the magic, is zero.
///
/// WHY these two functions: a write that a crash cut short leaves zeros where it did not get to. A
/// damaged frame without such zeros was whole once, so it may have been acknowledged, and dropping it
/// would lose it. One flipped bit makes no such zeros: see [`is_hollow`].
fn header_is_cut(window: &mut Window<'_>, at: u64, error: &FrameError) -> io::Result<bool> {
    if !matches!(error, FrameError::NoMagic | FrameError::HeaderCrc) {
        return Ok(false);
    }
    let sector = window.at(at, SECTOR)?;
    Ok(is_zero(&sector[HEADER_LEN - 1..]) || is_zero(&sector[..WORD]))
}

/// Whether a damaged frame with a whole header, and with its end mark, can be the work of a crash: then
/// its write did not get to the end, or one of its sectors was not written.
fn is_unfinished(written: &[u8]) -> bool {
    written.last() == Some(&0) || written.chunks(SECTOR).any(is_zero)
}

/// Whether a frame could, with one bit flipped, look as if its write had been cut short: it has a
/// sector, or the part of one that follows the header, with no bit set or a single one. Only a payload
/// with hundreds of zeros can do that.
pub(crate) fn is_hollow(written: &[u8]) -> bool {
    let is_bare = |piece: &[u8]| {
        let mut bits = piece.iter().filter(|byte| **byte != 0).map(|byte| byte.count_ones());
        bits.next().is_none_or(|ones| ones == 1 && bits.next().is_none())
    };
    let first = written.get(HEADER_LEN..SECTOR.min(written.len()));
    first.is_some_and(is_bare) || written.chunks(SECTOR).skip(1).any(is_bare)
}

/// Whether the header of a later frame of this log stands anywhere after `at`.
///
/// WHY: a frame is written only when the one before it is durable. So a header after a damaged frame,
/// even of a frame that is damaged itself, proves that the damaged one was whole once.
pub(crate) fn later_frame(
    window: &mut Window<'_>,
    segment: &SegmentHeader,
    at: u64,
    tail: &Tail,
) -> io::Result<bool> {
    let mut at = at.max(FIRST_FRAME_AT) + ALIGN;
    while at < window.limit {
        match FrameHeader::decode(window.at(at, HEADER_LEN)?) {
            Ok(header) if header.log_id == segment.log_id && header.number > tail.number => {
                return Ok(true);
            }
            Err(FrameError::TooNew { .. }) => return Ok(true),
            _ => at += ALIGN,
        }
    }
    Ok(false)
}
