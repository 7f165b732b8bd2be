//! The frame: one group commit, as it is stored, sent and hashed.
//!
//! A frame is a header of 144 bytes and a body. The header holds the SHA-256 of the body and the hash
//! of the frame before; the SHA-256 of the header is the hash of the frame. So one hash names a frame
//! and everything before it. `docs/log-format.md` has the byte tables; they are frozen.

mod body;
mod draft;
mod header;
mod place;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use encours_domain::Position;

pub use body::{CommandRecord, EventRecord, EventRef};
pub use draft::{FrameDraft, SealWith};
pub use header::FrameHeader;
pub(crate) use place::{BadPart, bad_part, events_from};

use crate::id::{Hash, LogId};
use body::BodyReader;

/// The frame format written by this version, and the newest it reads.
pub const FORMAT: u16 = 1;
/// Bytes of a frame header.
pub const HEADER_LEN: usize = 144;
/// The size at which a frame is full enough to be sealed, in bytes.
pub const FRAME_TARGET: usize = 64 * 1024;
/// The most bytes a frame may have, header included.
pub const FRAME_MAX: usize = 512 * 1024;
/// The most bytes of a request id.
pub const REQUEST_ID_MAX: usize = 64;
/// The most bytes of an actor's name.
pub const ACTOR_MAX: usize = 128;
/// The most bytes of a reason.
pub const REASON_MAX: usize = 4096;
/// Bytes of a command record before its texts.
pub const COMMAND_FIXED_LEN: usize = 56;
/// Bytes of an event before its payload.
pub const EVENT_FIXED_LEN: usize = 12;

/// Why bytes are not a frame, or a frame cannot be made.
///
/// `at` counts bytes from the start of the body, at the start of the smallest part that is checked
/// by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// Fewer bytes than the frame has.
    #[error("{found} bytes where {wanted} are needed")]
    Short {
        /// Bytes needed.
        wanted: usize,
        /// Bytes there are.
        found: usize,
    },
    /// More bytes than the frame has.
    #[error("{extra} bytes after the end of the frame")]
    Trailing {
        /// Bytes too many.
        extra: usize,
    },
    /// The bytes do not begin like a frame.
    #[error("no frame begins here")]
    NoMagic,
    /// The header's CRC32C does not match.
    #[error("the header's checksum does not match")]
    HeaderCrc,
    /// Written in a format that asks for a later reader.
    #[error("the frame asks for a reader of format {min_reader}, this one reads up to {FORMAT}")]
    TooNew {
        /// The oldest format whose readers understand the frame.
        min_reader: u16,
    },
    /// Reserved bytes are not zero.
    #[error("reserved bytes are not zero")]
    Reserved,
    /// The frame would pass [`FRAME_MAX`].
    #[error("{len} bytes, a frame has at most {FRAME_MAX}")]
    TooLong {
        /// Bytes of the frame.
        len: usize,
    },
    /// A text is over its limit.
    #[error("{field} has {len} bytes, at most {max} are allowed")]
    FieldTooLong {
        /// Which text.
        field: &'static str,
        /// Its bytes.
        len: usize,
        /// The most allowed.
        max: usize,
    },
    /// Counts do not agree, or a number is zero that starts at one.
    #[error("counts do not agree")]
    Counts,
    /// A command record is malformed.
    #[error("the command record at byte {at} of the body is malformed")]
    Command {
        /// Byte of the body.
        at: usize,
    },
    /// An event is malformed or its CRC32C does not match.
    #[error("the event at byte {at} of the body is damaged")]
    Event {
        /// Byte of the body.
        at: usize,
    },
    /// The body's SHA-256 does not match.
    #[error("the body's hash does not match")]
    BodyHash,
}

impl FrameError {
    /// The byte of the frame at which the damaged part begins.
    #[must_use]
    pub const fn offset(&self) -> usize {
        match self {
            Self::Command { at } | Self::Event { at } => HEADER_LEN + *at,
            Self::BodyHash => HEADER_LEN,
            _ => 0,
        }
    }
}

/// A sealed frame. Immutable; a clone shares the bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    header: FrameHeader,
    bytes: Arc<[u8]>,
    events_at: usize,
}

impl Frame {
    fn sealed(header: FrameHeader, bytes: Arc<[u8]>, events_at: usize) -> Self {
        Self { header, bytes, events_at }
    }

    /// Reads a frame, checking header, lengths, counts, checksums and the body's hash.
    ///
    /// # Errors
    /// [`FrameError`] where the bytes are not exactly one intact frame.
    pub fn decode(bytes: impl Into<Arc<[u8]>>) -> Result<Self, FrameError> {
        let bytes = bytes.into();
        let checked = check(&bytes)?;
        let extra = bytes.len() - checked.header.frame_len();
        if extra > 0 {
            return Err(FrameError::Trailing { extra });
        }
        Ok(Self { header: checked.header, bytes, events_at: checked.events_at })
    }

    /// The same frame in another log, where it follows the frame with the hash `previous`: all but the
    /// log id, that hash and its own stays as it is, to the byte.
    #[must_use]
    pub fn moved(&self, log_id: LogId, previous: Hash) -> Self {
        let mut header = FrameHeader { log_id, previous, ..self.header };
        let stored = header.encode();
        header.hash = Hash::of(&stored);
        let bytes = [&stored[..], &self.bytes[HEADER_LEN..]].concat().into();
        Self::sealed(header, bytes, self.events_at)
    }

    /// What the header says.
    #[must_use]
    pub const fn header(&self) -> &FrameHeader {
        &self.header
    }

    /// The hash of the frame, which names it and all frames before it.
    #[must_use]
    pub const fn hash(&self) -> Hash {
        self.header.hash
    }

    /// The stored bytes.
    #[must_use]
    pub const fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    /// The position of the last event; one before the first where the frame has none.
    #[must_use]
    pub const fn last_position(&self) -> Position {
        Position(self.header.next_position().0 - 1)
    }

    /// The commands in order, each with the position of its first event.
    pub fn commands(&self) -> impl Iterator<Item = (CommandRecord, Position)> {
        let mut reader = BodyReader::new(&self.bytes[..self.events_at], HEADER_LEN);
        let mut position = self.header.first_position;
        std::iter::from_fn(move || {
            if reader.is_at_end() {
                return None;
            }
            let command = reader.command().ok()?;
            let first = position;
            position = position.plus(u64::from(command.event_count));
            Some((command, first))
        })
    }

    /// The events in order, each with its position.
    pub fn events(&self) -> impl Iterator<Item = (Position, EventRef<'_>)> {
        let mut reader = BodyReader::new(&self.bytes, self.events_at);
        let mut position = self.header.first_position;
        std::iter::from_fn(move || {
            let event = reader.event()?;
            let at = position;
            position = position.next();
            Some((at, event))
        })
    }

    /// The event at `position`, where the frame holds it.
    #[must_use]
    pub fn event(&self, position: Position) -> Option<EventRef<'_>> {
        let skip = position.0.checked_sub(self.header.first_position.0)?;
        let (_, event) = self.events().nth(usize::try_from(skip).ok()?)?;
        Some(event)
    }

    /// The command that yielded the event at `position`, where the frame holds it.
    #[must_use]
    pub fn command_of(&self, position: Position) -> Option<CommandRecord> {
        self.commands()
            .find(|(command, first)| {
                (first.0..first.0 + u64::from(command.event_count)).contains(&position.0)
            })
            .map(|(command, _)| command)
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame").field("header", &self.header).finish_non_exhaustive()
    }
}

/// A frame found intact at the start of some bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Checked {
    pub(crate) header: FrameHeader,
    pub(crate) events_at: usize,
}

/// Checks the frame at the start of `bytes` in full; bytes after it are not looked at.
pub(crate) fn check(bytes: &[u8]) -> Result<Checked, FrameError> {
    let header = FrameHeader::decode(bytes)?;
    let wanted = header.frame_len();
    let Some(frame) = bytes.get(..wanted) else {
        return Err(FrameError::Short { wanted, found: bytes.len() });
    };
    let body = &frame[HEADER_LEN..];
    let mut reader = BodyReader::new(body, 0);
    let mut promised = 0_u64;
    for _ in 0..header.command_count {
        promised += u64::from(reader.command()?.event_count);
    }
    let events_at = HEADER_LEN + reader.at;
    for _ in 0..header.event_count {
        reader.checked_event()?;
    }
    if Hash::of(body) != header.body_hash {
        return Err(FrameError::BodyHash);
    }
    if promised != u64::from(header.event_count) || !reader.is_at_end() {
        return Err(FrameError::Counts);
    }
    Ok(Checked { header, events_at })
}
