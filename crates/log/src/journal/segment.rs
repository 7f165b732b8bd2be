//! Segment files: their names, their header, where frames may begin.

use encours_domain::Position;

use crate::frame::{FORMAT, FrameError};
use crate::id::{FrameNumber, Hash, LogId};

/// Frames begin at multiples of this many bytes, so that writing one never touches a sector that
/// holds another.
pub(crate) const ALIGN: u64 = SECTOR as u64;
/// What a device writes whole or not at all, however a crash falls.
pub(crate) const SECTOR: usize = 512;
/// Follows each frame at once, in the same write: where its last byte is there, the write got to its
/// end. No byte of it is zero or one flipped bit away from it.
pub(crate) const END_MARK: [u8; 8] = *b"ENC-END\n";
/// Bytes of a segment's header; the first frame follows.
pub(crate) const SEGMENT_HEADER_LEN: usize = 512;
/// Where the first frame of a segment begins.
pub(crate) const FIRST_FRAME_AT: u64 = SEGMENT_HEADER_LEN as u64;
/// Where the header's CRC32C stands, which covers all before it.
const CRC_AT: usize = SEGMENT_HEADER_LEN - 4;

const MAGIC: [u8; 4] = *b"ENCS";
const SUFFIX: &str = ".seg";

/// The zero-filled file that becomes the next segment.
pub(crate) const SPARE: &str = "spare.seg";
/// A spare that is being filled.
pub(crate) const SPARE_TEMP: &str = "spare.tmp";
/// The lock file of the folder.
pub(crate) const LOCK: &str = "lock";

/// What the header of a segment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) log_id: LogId,
    /// The first frame of the segment.
    pub(crate) first: FrameNumber,
    /// The position of its first event.
    pub(crate) first_position: Position,
    /// Bytes of the file.
    pub(crate) segment_len: u64,
    /// The hash of the frame before the first.
    pub(crate) previous: Hash,
}

impl SegmentHeader {
    pub(crate) fn encode(&self) -> [u8; SEGMENT_HEADER_LEN] {
        let mut out = [0; SEGMENT_HEADER_LEN];
        out[..4].copy_from_slice(&MAGIC);
        out[4..6].copy_from_slice(&FORMAT.to_le_bytes());
        out[6..8].copy_from_slice(&FORMAT.to_le_bytes());
        out[8..24].copy_from_slice(&self.log_id.0);
        out[24..32].copy_from_slice(&self.first.0.to_le_bytes());
        out[32..40].copy_from_slice(&self.first_position.0.to_le_bytes());
        out[40..48].copy_from_slice(&self.segment_len.to_le_bytes());
        out[48..80].copy_from_slice(&self.previous.0);
        let crc = crc32c::crc32c(&out[..CRC_AT]);
        out[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, FrameError> {
        let Some(bytes) = bytes.first_chunk::<SEGMENT_HEADER_LEN>() else {
            return Err(FrameError::Short { wanted: SEGMENT_HEADER_LEN, found: bytes.len() });
        };
        if bytes[..4] != MAGIC {
            return Err(FrameError::NoMagic);
        }
        if bytes[CRC_AT..] != crc32c::crc32c(&bytes[..CRC_AT]).to_le_bytes() {
            return Err(FrameError::HeaderCrc);
        }
        let min_reader = u16::from_le_bytes([bytes[6], bytes[7]]);
        if min_reader > FORMAT {
            return Err(FrameError::TooNew { min_reader });
        }
        if !is_zero(&bytes[80..CRC_AT]) {
            return Err(FrameError::Reserved);
        }
        Ok(Self {
            log_id: LogId(array(bytes, 8)),
            first: FrameNumber(u64::from_le_bytes(array(bytes, 24))),
            first_position: Position(u64::from_le_bytes(array(bytes, 32))),
            segment_len: u64::from_le_bytes(array(bytes, 40)),
            previous: Hash(array(bytes, 48)),
        })
    }
}

/// Copies a fixed-width field out of a block that is known to be long enough.
pub(crate) fn array<const N: usize>(bytes: &[u8; SEGMENT_HEADER_LEN], at: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&bytes[at..at + N]);
    field
}

/// The name of the segment that begins with this frame.
pub(crate) fn segment_name(first: FrameNumber) -> String {
    format!("{first:020}{SUFFIX}")
}

/// The first frame of the segment of this name; `None` for other files.
pub(crate) fn segment_of(name: &str) -> Option<FrameNumber> {
    let digits = name.strip_suffix(SUFFIX)?;
    if digits.len() != 20 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().map(FrameNumber)
}

/// The first frames of the segments among these names, in order.
pub(crate) fn segments_of(names: &[String]) -> Vec<FrameNumber> {
    let mut segments: Vec<_> = names.iter().filter_map(|name| segment_of(name)).collect();
    segments.sort_unstable();
    segments
}

/// The first place at or after `offset` where a frame may begin.
pub(crate) const fn aligned(offset: u64) -> u64 {
    offset.next_multiple_of(ALIGN)
}

/// Bytes that a frame of this length takes: the frame, its end mark, and zeros.
pub(crate) const fn stored_len(frame_len: usize) -> usize {
    (frame_len + END_MARK.len()).next_multiple_of(SECTOR)
}

/// The first byte that is not zero. Whole segments are looked through, so this goes in steps.
pub(crate) fn first_set(bytes: &[u8]) -> Option<usize> {
    let (chunks, _) = bytes.as_chunks::<64>();
    let zeros = chunks.iter().take_while(|chunk| **chunk == [0; 64]).count() * 64;
    bytes[zeros..].iter().position(|byte| *byte != 0).map(|index| zeros + index)
}

pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    first_set(bytes).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_of_a_segment_header_is_seen() {
        let header = SegmentHeader {
            log_id: LogId([9; 16]),
            first: FrameNumber(77),
            first_position: Position(1234),
            segment_len: 1 << 26,
            previous: Hash([3; 32]),
        };
        let stored = header.encode();
        assert_eq!(SegmentHeader::decode(&stored), Ok(header));
        for bit in 0..stored.len() * 8 {
            let mut flipped = stored;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(SegmentHeader::decode(&flipped).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn names_and_numbers_agree() {
        assert_eq!(segment_name(FrameNumber(42)), "00000000000000000042.seg");
        assert_eq!(segment_of("00000000000000000042.seg"), Some(FrameNumber(42)));
        for other in [SPARE, SPARE_TEMP, LOCK, "42.seg", "+0000000000000000042.seg", "anchor"] {
            assert_eq!(segment_of(other), None, "{other}");
        }
    }
}
