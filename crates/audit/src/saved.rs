//! The file from which a tree goes on: derived, and made again where it is missing or wrong.
//!
//! | bytes | what |
//! | ---: | --- |
//! | 4 | magic `ENCM` |
//! | 2 | format, 1 |
//! | 2 | hashes after the last full subtree |
//! | 16 | log id |
//! | 8 | number of the last frame whose events are in the tree |
//! | 32 | hash of that frame |
//! | 8 | full subtrees of 256 leaves |
//! | 32 each | their hashes, then those after |
//! | 32 | SHA-256 of all before |

use std::path::{Path, PathBuf};
use std::sync::Arc;

use encours_log::{Disk, FrameNumber, Hash, LogId, LogReader, Tail};

use crate::tree::{CHUNK, Full, State, Tree};

const MAGIC: [u8; 4] = *b"ENCM";
const FORMAT: u16 = 1;
const HEADER_LEN: usize = 72;
const HASH_LEN: usize = 32;

fn dir(data: &Path) -> PathBuf {
    data.join("proofs")
}

fn path(data: &Path) -> PathBuf {
    dir(data).join("tree")
}

impl Tree {
    /// The tree of a data folder, from its file as far as that agrees with the log; else from nothing.
    /// A file that does not agree is set aside.
    #[must_use]
    pub fn load(reader: Arc<dyn LogReader>, disk: &dyn Disk, data: &Path) -> Self {
        let path = path(data);
        if !disk.exists(&path).unwrap_or(false) {
            return Self::new(reader);
        }
        match state(&*reader, disk, &path) {
            Ok(state) => {
                let tree = Self::with_state(Arc::clone(&reader), state);
                match tree.agrees() {
                    Ok(()) => return tree,
                    Err(why) => set_aside(disk, data, &why),
                }
            }
            Err(why) => set_aside(disk, data, &why),
        }
        Self::new(reader)
    }

    /// Holds the last full subtree and the leaves after it against the log.
    fn agrees(&self) -> Result<(), String> {
        let size = self.size();
        let rest = size - size % CHUNK;
        for first in [rest.checked_sub(CHUNK), (rest < size).then_some(rest)].into_iter().flatten()
        {
            self.chunk(first).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Writes the file.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn save(&self, disk: &dyn Disk, data: &Path) -> std::io::Result<()> {
        // WHY in two steps: hashing takes long, and whoever asks for a proof waits for the state.
        let mut bytes = body(self.log_id(), &self.state());
        seal(&mut bytes);
        disk.create_dir_all(&dir(data))?;
        disk.replace(&path(data), &bytes)
    }
}

/// Moves a file out of the way that does not agree with the log.
pub(crate) fn set_aside(disk: &dyn Disk, data: &Path, why: &str) {
    let (from, to) = (path(data), dir(data).join("tree.rejected"));
    tracing::warn!(file = %from.display(), why, "proofs_rejected: the tree is built anew");
    if let Err(error) = disk.rename(&from, &to)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(%error, file = %from.display(), "it could not be set aside");
    }
}

/// All but the checksum.
fn body(log_id: LogId, state: &State) -> Vec<u8> {
    let chunks = state.full.chunks();
    let hashes = chunks.len() + state.rest.len();
    let mut bytes = Vec::with_capacity(HEADER_LEN + HASH_LEN * (hashes + 1));
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&FORMAT.to_le_bytes());
    // INVARIANT: fewer than 256.
    bytes.extend_from_slice(&u16::try_from(state.rest.len()).unwrap_or(u16::MAX).to_le_bytes());
    bytes.extend_from_slice(&log_id.0);
    bytes.extend_from_slice(&state.at.number.0.to_le_bytes());
    bytes.extend_from_slice(&state.at.hash.0);
    bytes.extend_from_slice(&(chunks.len() as u64).to_le_bytes());
    for hash in chunks.iter().chain(&state.rest) {
        bytes.extend_from_slice(&hash.0);
    }
    bytes
}

/// Adds the checksum.
fn seal(body: &mut Vec<u8>) {
    let checksum = Hash::of(body);
    body.extend_from_slice(&checksum.0);
}

/// What the file says, where it is whole and about a frame of this log.
fn state(reader: &dyn LogReader, disk: &dyn Disk, path: &Path) -> Result<State, String> {
    // More hashes than the log has events are not read.
    let tail = reader.tail();
    let hashes = tail.next_position.0 / CHUNK + CHUNK;
    let max = HEADER_LEN as u64 + HASH_LEN as u64 * (hashes + 1);
    let bytes = disk.read_all(path, max).map_err(|error| error.to_string())?;
    let (body, checksum) = bytes.split_last_chunk::<HASH_LEN>().ok_or("it is too short")?;
    if Hash::of(body).0 != *checksum {
        return Err("its checksum does not match".to_owned());
    }
    let (header, hashes) = body.split_first_chunk::<HEADER_LEN>().ok_or("it is too short")?;
    let (hashes, []) = hashes.as_chunks::<HASH_LEN>() else { return Err("it is cut".to_owned()) };
    let mut fields = Fields(header);
    if fields.take() != MAGIC || u16::from_le_bytes(fields.take()) != FORMAT {
        return Err("it has another format".to_owned());
    }
    let rest = usize::from(u16::from_le_bytes(fields.take()));
    if LogId(fields.take()) != reader.log_id() {
        return Err("it is of another log".to_owned());
    }
    let number = FrameNumber(u64::from_le_bytes(fields.take()));
    let hash = Hash(fields.take());
    let chunks = u64::from_le_bytes(fields.take());
    let chunks = usize::try_from(chunks).map_err(|error| error.to_string())?;
    let frame = reader.read(number).map_err(|error| error.to_string())?;
    let frame = frame.filter(|frame| frame.hash() == hash);
    let frame = frame.ok_or_else(|| format!("the log has no such frame {number}"))?;
    let header = frame.header();
    let at = Tail {
        number,
        hash,
        next_position: header.next_position(),
        epoch: header.epoch,
        recorded_at: header.recorded_at,
    };
    let (chunks, rest) = match hashes.split_at_checked(chunks) {
        Some((chunks, last)) if last.len() == rest && (rest as u64) < CHUNK => (chunks, last),
        _ => return Err("its counts do not agree".to_owned()),
    };
    let mut full = Full::default();
    chunks.iter().for_each(|hash| full.push(Hash(*hash)));
    let state = State { full, rest: rest.iter().copied().map(Hash).collect(), at };
    if chunks.len() as u64 * CHUNK + rest.len() as u64 == state.size() {
        Ok(state)
    } else {
        Err("it has another size than its frame".to_owned())
    }
}

/// Takes fixed-width fields off a header, in order.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut field = [0; N];
        let (taken, left) = self.0.split_at(N);
        field.copy_from_slice(taken);
        self.0 = left;
        field
    }
}

#[cfg(test)]
mod tests;
