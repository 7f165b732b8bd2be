//! The anchor: a small file beside the segments that says how far the log is known to be durable.
//!
//! A hash chain cannot see that its end is missing; the anchor can. It has two slots of 512 bytes,
//! written in turn, so that a crash while one is written leaves the other. It never names a frame that
//! is not durable yet.

use std::path::{Path, PathBuf};

use encours_domain::Position;

use super::segment::{SEGMENT_HEADER_LEN, array, is_zero};
use crate::chain::Tail;
use crate::disk::{Disk, DiskFile};
use crate::error::{Damage, LogError};
use crate::event_log::Known;
use crate::frame::FORMAT;
use crate::id::{FrameNumber, Hash, LogId};

/// The name of the anchor file.
pub(crate) const ANCHOR: &str = "anchor";
/// What [`Disk::replace`] leaves after a crash.
pub(crate) const ANCHOR_TEMP: &str = "anchor.tmp";

const MAGIC: [u8; 4] = *b"ENCA";
const SLOT_LEN: usize = SEGMENT_HEADER_LEN;
const CRC_AT: usize = SLOT_LEN - 4;

/// What a slot says: this frame was durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Anchor {
    pub(crate) log_id: LogId,
    /// Grows by one with each write; odd ones stand in the second slot.
    pub(crate) sequence: u64,
    pub(crate) number: FrameNumber,
    pub(crate) next_position: Position,
    pub(crate) hash: Hash,
}

/// An anchor file as it was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FoundAnchor {
    pub(crate) anchor: Anchor,
    /// Slots that hold neither an anchor nor zeros: torn by a crash, or damaged.
    pub(crate) damaged_slots: u8,
}

impl Anchor {
    pub(crate) fn genesis(log_id: LogId) -> Self {
        let tail = Tail::genesis(log_id);
        Self {
            log_id,
            sequence: 0,
            number: tail.number,
            next_position: tail.next_position,
            hash: tail.hash,
        }
    }

    /// The anchor as one who has seen a frame.
    pub(crate) fn as_known(&self) -> Known {
        Known { source: "the anchor file".to_owned(), number: self.number, hash: self.hash }
    }

    fn encode(&self) -> [u8; SLOT_LEN] {
        let mut out = [0; SLOT_LEN];
        out[..4].copy_from_slice(&MAGIC);
        out[4..6].copy_from_slice(&FORMAT.to_le_bytes());
        out[6..8].copy_from_slice(&FORMAT.to_le_bytes());
        out[8..24].copy_from_slice(&self.log_id.0);
        out[24..32].copy_from_slice(&self.sequence.to_le_bytes());
        out[32..40].copy_from_slice(&self.number.0.to_le_bytes());
        out[40..48].copy_from_slice(&self.next_position.0.to_le_bytes());
        out[48..80].copy_from_slice(&self.hash.0);
        let crc = crc32c::crc32c(&out[..CRC_AT]);
        out[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    fn decode(bytes: &[u8; SLOT_LEN]) -> Result<Option<Self>, LogError> {
        let intact = bytes[..4] == MAGIC
            && bytes[CRC_AT..] == crc32c::crc32c(&bytes[..CRC_AT]).to_le_bytes()
            && is_zero(&bytes[80..CRC_AT]);
        if !intact {
            return Ok(None);
        }
        let min_reader = u16::from_le_bytes([bytes[6], bytes[7]]);
        if min_reader > FORMAT {
            return Err(LogError::TooNew { file: ANCHOR.to_owned(), min_reader });
        }
        Ok(Some(Self {
            log_id: LogId(array(bytes, 8)),
            sequence: u64::from_le_bytes(array(bytes, 24)),
            number: FrameNumber(u64::from_le_bytes(array(bytes, 32))),
            next_position: Position(u64::from_le_bytes(array(bytes, 40))),
            hash: Hash(array(bytes, 48)),
        }))
    }

    /// Reads the anchor file of a folder; `None` where there is none.
    pub(crate) fn load(disk: &dyn Disk, dir: &Path) -> Result<Option<FoundAnchor>, LogError> {
        let path = dir.join(ANCHOR);
        if !disk.exists(&path).map_err(LogError::io("look for", &path))? {
            return Ok(None);
        }
        let file = disk.open_ro(&path).map_err(LogError::io("open", &path))?;
        let mut slots = [[0; SLOT_LEN]; 2];
        let mut newest: Option<Self> = None;
        let mut damaged_slots = 0;
        for (index, slot) in slots.iter_mut().enumerate() {
            // WHY: a slot that the file is too short for reads as damaged, or as never written.
            file.read_up_to(slot, (index * SLOT_LEN) as u64)
                .map_err(LogError::io("read", &path))?;
            match Self::decode(slot)? {
                Some(anchor) if anchor.sequence % 2 != index as u64 => damaged_slots += 1,
                Some(anchor) => {
                    if newest.is_none_or(|newest| newest.sequence < anchor.sequence) {
                        newest = Some(anchor);
                    }
                }
                None if is_zero(slot) && index == 1 => {}
                None => damaged_slots += 1,
            }
        }
        let Some(anchor) = newest else {
            return Err(LogError::Corrupt {
                file: ANCHOR.to_owned(),
                offset: 0,
                frame: FrameNumber::START,
                position: Position::START,
                source: Damage::Anchor,
            });
        };
        Ok(Some(FoundAnchor { anchor, damaged_slots }))
    }

    /// Makes the anchor file of a new log, durably.
    pub(crate) fn create(&self, disk: &dyn Disk, dir: &Path) -> Result<(), LogError> {
        let path = dir.join(ANCHOR);
        let mut bytes = [0; SLOT_LEN * 2];
        bytes[..SLOT_LEN].copy_from_slice(&self.encode());
        disk.replace(&path, &bytes).map_err(LogError::io("make", &path))
    }
}

/// Moves the anchor on.
pub(crate) struct AnchorWriter {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    last: Anchor,
}

impl AnchorWriter {
    /// Opens the anchor file, of which `last` is the newest slot.
    ///
    /// WHY it writes that slot again: a former process may have failed to sync it, so that it is
    /// shown, but not on the disk. The other slot must not be given up before this one is safe.
    pub(crate) fn open(disk: &dyn Disk, dir: &Path, last: Anchor) -> Result<Self, LogError> {
        let path = dir.join(ANCHOR);
        let file = disk.open_rw(&path).map_err(LogError::io("open", &path))?;
        let writer = Self { file, path, last };
        writer.write(&last)?;
        Ok(writer)
    }

    /// The frame that is anchored.
    pub(crate) const fn number(&self) -> FrameNumber {
        self.last.number
    }

    /// Anchors this tail, which must be durable.
    ///
    /// # Errors
    /// [`LogError::SyncFailed`]: the slot may hold anything, the other one is as it was.
    pub(crate) fn advance(&mut self, tail: &Tail) -> Result<(), LogError> {
        let next = Anchor {
            log_id: self.last.log_id,
            sequence: self.last.sequence + 1,
            number: tail.number,
            next_position: tail.next_position,
            hash: tail.hash,
        };
        self.write(&next)?;
        self.last = next;
        Ok(())
    }

    fn write(&self, anchor: &Anchor) -> Result<(), LogError> {
        let slot = (anchor.sequence % 2) * SLOT_LEN as u64;
        self.file
            .write_all_at(&anchor.encode(), slot)
            .and_then(|()| self.file.sync_data())
            .map_err(LogError::sync("anchoring", &self.path))
    }
}
