//! One immutable file of request ids.
//!
//! | part | content |
//! | --- | --- |
//! | header, 64 bytes | magic `ENCIDS\0\x01`, log id, first and last position covered, number of ids, length and CRC32C of the footer, zeros, CRC32C of the 60 bytes before |
//! | blocks | entries of 24 bytes (fingerprint, position), sorted, 256 a block |
//! | footer | per block: first fingerprint and CRC32C of the block; then the filter |
//!
//! Opening reads header and footer; a block is checked when it is read. Little-endian throughout.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use encours_domain::Position;
use encours_log::{Disk, DiskFile, LogId};
use xorf::{BinaryFuse8, BinaryFuse8Ref, DmaSerializable, Filter, FilterRef};

use super::Fingerprint;

const MAGIC: [u8; 8] = *b"ENCIDS\0\x01";
const HEADER_LEN: usize = 64;
const ENTRY_LEN: usize = 24;
const BLOCK_ENTRIES: usize = 256;
const BLOCK_LEN: usize = ENTRY_LEN * BLOCK_ENTRIES;
const FENCE_LEN: usize = 20;
/// A footer for 16 million ids; a longer one is damage.
const FOOTER_MAX: usize = 64 << 20;

/// A request id and where its command begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) id: Fingerprint,
    pub(crate) position: Position,
}

/// Why a file of ids cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdFileError {
    /// Its bytes are not what was written.
    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Which part.
        what: &'static str,
    },
    /// The disk refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// An open file of ids. A clone of the [`Arc`] around it keeps it readable after it was removed.
pub(crate) struct IdFile {
    path: PathBuf,
    file: Box<dyn DiskFile>,
    /// The first position covered.
    pub(crate) first: Position,
    /// The last position covered.
    pub(crate) last: Position,
    /// How many ids there are.
    pub(crate) count: usize,
    fences: Vec<(Fingerprint, u32)>,
    descriptor: Vec<u8>,
    filter: Box<[u8]>,
}

impl IdFile {
    /// The name of the file that covers these positions.
    pub(crate) fn name(first: Position, last: Position) -> String {
        format!("{:020}-{:020}.ids", first.0, last.0)
    }

    /// The positions that a file of this name covers.
    pub(crate) fn range(name: &str) -> Option<(Position, Position)> {
        let (first, last) = name.strip_suffix(".ids")?.split_once('-')?;
        Some((Position(first.parse().ok()?), Position(last.parse().ok()?)))
    }

    /// Writes a file of sorted entries and opens it.
    pub(crate) fn write(
        disk: &dyn Disk,
        dir: &Path,
        log_id: LogId,
        range: (Position, Position),
        entries: &[Entry],
    ) -> Result<Arc<Self>, IdFileError> {
        let path = dir.join(Self::name(range.0, range.1));
        let mut bytes = vec![0; HEADER_LEN];
        let mut footer = Vec::new();
        for block in entries.chunks(BLOCK_ENTRIES) {
            let start = bytes.len();
            for entry in block {
                bytes.extend_from_slice(&entry.id);
                bytes.extend_from_slice(&entry.position.0.to_le_bytes());
            }
            footer.extend_from_slice(&block[0].id);
            footer.extend_from_slice(&crc32c::crc32c(&bytes[start..]).to_le_bytes());
        }
        let mut keys: Vec<u64> = entries.iter().map(|entry| filter_key(&entry.id)).collect();
        keys.dedup();
        if keys.is_empty() {
            // WHY: a filter needs a key. A file without ids still says what it covers.
            keys.push(0);
        }
        let damaged = |what| IdFileError::Damaged { path: path.clone(), what };
        let filter = BinaryFuse8::try_from(&keys).map_err(|_| damaged("no filter fits its ids"))?;
        let mut descriptor = [0; BinaryFuse8::DESCRIPTOR_LEN];
        filter.dma_copy_descriptor_to(&mut descriptor);
        footer.extend_from_slice(&descriptor);
        footer.extend_from_slice(filter.dma_fingerprints());
        let footer_len = u32::try_from(footer.len()).map_err(|_| damaged("it is too large"))?;
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..24].copy_from_slice(&log_id.0);
        bytes[24..32].copy_from_slice(&range.0.0.to_le_bytes());
        bytes[32..40].copy_from_slice(&range.1.0.to_le_bytes());
        bytes[40..48].copy_from_slice(&(entries.len() as u64).to_le_bytes());
        bytes[48..52].copy_from_slice(&footer_len.to_le_bytes());
        bytes[52..56].copy_from_slice(&crc32c::crc32c(&footer).to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..60]);
        bytes[60..HEADER_LEN].copy_from_slice(&crc.to_le_bytes());
        bytes.extend_from_slice(&footer);
        disk.replace(&path, &bytes)
            .map_err(|source| IdFileError::Io { path: path.clone(), source })?;
        Self::open(disk, dir, log_id, range)
    }

    /// Opens the file that covers these positions, checking header and footer.
    pub(crate) fn open(
        disk: &dyn Disk,
        dir: &Path,
        log_id: LogId,
        range: (Position, Position),
    ) -> Result<Arc<Self>, IdFileError> {
        let path = dir.join(Self::name(range.0, range.1));
        let io = |source| IdFileError::Io { path: path.clone(), source };
        let damaged = |what| IdFileError::Damaged { path: path.clone(), what };
        let file = disk.open_ro(&path).map_err(io)?;
        let mut header = [0; HEADER_LEN];
        if file.read_up_to(&mut header, 0).map_err(io)? < HEADER_LEN {
            return Err(damaged("its header is cut"));
        }
        if u32_at(&header, 60) != crc32c::crc32c(&header[..60]) || header[..8] != MAGIC {
            return Err(damaged("its header"));
        }
        let covers = (Position(u64_at(&header, 24)), Position(u64_at(&header, 32)));
        if header[8..24] != log_id.0 || covers != range {
            return Err(damaged("it belongs to another log or place"));
        }
        let count = usize::try_from(u64_at(&header, 40)).map_err(|_| damaged("its header"))?;
        let footer_len = u32_at(&header, 48) as usize;
        let blocks = count.div_ceil(BLOCK_ENTRIES);
        let filter_at = blocks * FENCE_LEN;
        if footer_len > FOOTER_MAX || footer_len < filter_at + BinaryFuse8::DESCRIPTOR_LEN {
            return Err(damaged("its header"));
        }
        let mut footer = vec![0; footer_len];
        let at = (HEADER_LEN + count * ENTRY_LEN) as u64;
        let read = file.read_up_to(&mut footer, at).map_err(io)?;
        if read < footer_len || crc32c::crc32c(&footer) != u32_at(&header, 52) {
            return Err(damaged("its footer"));
        }
        let fences = footer[..filter_at]
            .chunks_exact(FENCE_LEN)
            .map(|fence| (id_at(fence, 0), u32_at(fence, 16)))
            .collect();
        let (descriptor, filter) = footer[filter_at..].split_at(BinaryFuse8::DESCRIPTOR_LEN);
        let (descriptor, filter) = (descriptor.to_vec(), filter.into());
        let (first, last) = range;
        Ok(Arc::new(Self { file, first, last, count, fences, descriptor, filter, path }))
    }

    /// The position noted for this id.
    pub(crate) fn get(&self, id: &Fingerprint) -> Result<Option<Position>, IdFileError> {
        let filter = BinaryFuse8Ref::from_dma(&self.descriptor, &self.filter);
        if self.count == 0 || !filter.contains(&filter_key(id)) {
            return Ok(None);
        }
        let after = self.fences.partition_point(|(first, _)| first <= id);
        let Some(block) = after.checked_sub(1) else { return Ok(None) };
        let entries = self.block(block)?;
        Ok(entries
            .binary_search_by_key(&id, |entry| &entry.id)
            .ok()
            .map(|found| entries[found].position))
    }

    /// All entries, each block checked.
    pub(crate) fn entries(&self) -> Result<Vec<Entry>, IdFileError> {
        let mut entries = Vec::with_capacity(self.count);
        for block in 0..self.fences.len() {
            entries.extend(self.block(block)?);
        }
        Ok(entries)
    }

    fn block(&self, block: usize) -> Result<Vec<Entry>, IdFileError> {
        let first = block * BLOCK_ENTRIES;
        let len = BLOCK_ENTRIES.min(self.count - first) * ENTRY_LEN;
        let mut bytes = [0; BLOCK_LEN];
        let bytes = &mut bytes[..len];
        let at = (HEADER_LEN + first * ENTRY_LEN) as u64;
        self.file
            .read_exact_at(bytes, at)
            .map_err(|source| IdFileError::Io { path: self.path.clone(), source })?;
        if crc32c::crc32c(bytes) != self.fences[block].1 {
            return Err(IdFileError::Damaged { path: self.path.clone(), what: "a block" });
        }
        let entry =
            |bytes: &[u8]| Entry { id: id_at(bytes, 0), position: Position(u64_at(bytes, 16)) };
        Ok(bytes.chunks_exact(ENTRY_LEN).map(entry).collect())
    }

    /// Bytes of memory that the open file takes.
    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        self.fences.len() * size_of::<(Fingerprint, u32)>() + self.filter.len()
    }
}

impl std::fmt::Debug for IdFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IdFile")
            .field("first", &self.first)
            .field("last", &self.last)
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

fn filter_key(id: &Fingerprint) -> u64 {
    // WHY big-endian: the keys of sorted ids are sorted too, so that equal ones are neighbours.
    let mut key = [0; 8];
    key.copy_from_slice(&id[..8]);
    u64::from_be_bytes(key)
}

fn id_at(bytes: &[u8], at: usize) -> Fingerprint {
    let mut id = [0; 16];
    id.copy_from_slice(&bytes[at..at + 16]);
    id
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(number)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(number)
}
