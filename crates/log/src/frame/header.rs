//! The fixed 144 bytes at the start of every frame.
//!
//! INVARIANT: magic, format version, min_reader, log id and the CRC32C at the end keep their place in
//! every later format, so that an old reader can tell a newer frame from a damaged one.

use encours_domain::{Micros, Position};

use super::{FORMAT, FRAME_MAX, FrameError, HEADER_LEN};
use crate::id::{Epoch, FrameNumber, Hash, LogId};

/// The first four bytes of every frame.
pub(crate) const MAGIC: [u8; 4] = *b"ENCF";

/// What the header of a frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// The format the frame was written in.
    pub format: u16,
    /// The oldest format whose readers understand the frame.
    pub min_reader: u16,
    /// The log the frame belongs to.
    pub log_id: LogId,
    /// The writer that sealed it.
    pub epoch: Epoch,
    /// Its number in the log, from 1.
    pub number: FrameNumber,
    /// The position of its first event (of the next one, where the frame has none).
    pub first_position: Position,
    /// When it was sealed; never earlier than the frame before.
    pub recorded_at: Micros,
    /// Events in the body.
    pub event_count: u32,
    /// Command records in the body, at least one.
    pub command_count: u32,
    /// Bytes of the body.
    pub body_len: u32,
    /// The hash of the frame before it; [`Hash::genesis`] for the first.
    pub previous: Hash,
    /// The SHA-256 of the body as stored.
    pub body_hash: Hash,
    /// The SHA-256 of these 144 bytes as stored: the hash of the frame.
    pub hash: Hash,
}

impl FrameHeader {
    /// Writes the stored form. `self.hash` is not part of it.
    pub(crate) fn encode(&self) -> [u8; HEADER_LEN] {
        let mut out = [0; HEADER_LEN];
        let mut at = 0;
        let mut put = |bytes: &[u8]| {
            out[at..at + bytes.len()].copy_from_slice(bytes);
            at += bytes.len();
        };
        put(&MAGIC);
        put(&self.format.to_le_bytes());
        put(&self.min_reader.to_le_bytes());
        put(&self.log_id.0);
        put(&self.epoch.0.to_le_bytes());
        put(&self.number.0.to_le_bytes());
        put(&self.first_position.0.to_le_bytes());
        put(&self.recorded_at.0.to_le_bytes());
        put(&self.event_count.to_le_bytes());
        put(&self.command_count.to_le_bytes());
        put(&self.body_len.to_le_bytes());
        put(&[0; 4]);
        put(&self.previous.0);
        put(&self.body_hash.0);
        put(&[0; 4]);
        let crc = crc32c::crc32c(&out[..HEADER_LEN - 4]);
        out[HEADER_LEN - 4..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads and checks the header at the start of `bytes`; what follows it is not looked at.
    ///
    /// # Errors
    /// [`FrameError`] where the bytes are too few, no header, damaged, of a later format or out of
    /// the limits.
    pub fn decode(bytes: &[u8]) -> Result<Self, FrameError> {
        let Some(bytes) = bytes.first_chunk::<HEADER_LEN>() else {
            return Err(FrameError::Short { wanted: HEADER_LEN, found: bytes.len() });
        };
        if bytes[..4] != MAGIC {
            return Err(FrameError::NoMagic);
        }
        let mut fields = Fields { bytes, at: 4 };
        let crc = u32::from_le_bytes(Fields { bytes, at: HEADER_LEN - 4 }.take());
        if crc != crc32c::crc32c(&bytes[..HEADER_LEN - 4]) {
            return Err(FrameError::HeaderCrc);
        }
        let format = u16::from_le_bytes(fields.take());
        let min_reader = u16::from_le_bytes(fields.take());
        if min_reader > FORMAT {
            return Err(FrameError::TooNew { min_reader });
        }
        let log_id = LogId(fields.take());
        let epoch = Epoch(u64::from_le_bytes(fields.take()));
        let number = FrameNumber(u64::from_le_bytes(fields.take()));
        let first_position = Position(u64::from_le_bytes(fields.take()));
        let recorded_at = Micros(i64::from_le_bytes(fields.take()));
        let event_count = u32::from_le_bytes(fields.take());
        let command_count = u32::from_le_bytes(fields.take());
        let body_len = u32::from_le_bytes(fields.take());
        let spare_one: [u8; 4] = fields.take();
        let previous = Hash(fields.take());
        let body_hash = Hash(fields.take());
        let spare_two: [u8; 4] = fields.take();
        if spare_one != [0; 4] || spare_two != [0; 4] {
            return Err(FrameError::Reserved);
        }
        // WHY: positions are counted on from here, and there is none after the last number.
        if first_position.0.checked_add(event_count.into()).is_none() {
            return Err(FrameError::Counts);
        }
        if body_len as usize > FRAME_MAX - HEADER_LEN {
            return Err(FrameError::TooLong { len: HEADER_LEN + body_len as usize });
        }
        if number == FrameNumber::START || first_position == Position::START || command_count == 0 {
            return Err(FrameError::Counts);
        }
        let hash = Hash::of(bytes);
        Ok(Self {
            format,
            min_reader,
            log_id,
            epoch,
            number,
            first_position,
            recorded_at,
            event_count,
            command_count,
            body_len,
            previous,
            body_hash,
            hash,
        })
    }

    /// Bytes of the whole frame: header and body.
    #[must_use]
    pub const fn frame_len(&self) -> usize {
        HEADER_LEN + self.body_len as usize
    }

    /// The position of the event after the last one of the frame.
    #[must_use]
    pub const fn next_position(&self) -> Position {
        Position(self.first_position.0.saturating_add(self.event_count as u64))
    }
}

/// Takes fixed-width fields off a header, in order.
struct Fields<'a> {
    bytes: &'a [u8; HEADER_LEN],
    at: usize,
}

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut field = [0; N];
        field.copy_from_slice(&self.bytes[self.at..self.at + N]);
        self.at += N;
        field
    }
}
