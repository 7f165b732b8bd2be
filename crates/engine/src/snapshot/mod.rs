//! Snapshots of the writer's state, so that a start replays the end of the log only.
//!
//! A snapshot is bound to the frame it was taken after (number and hash), to the log and to the
//! shape of the state. One that is damaged or does not fit is passed over with a warning: an older
//! one or a full replay serves as well. Three are kept. A file is the header, then the rows in
//! postcard; both are checksummed.
//!
//! | bytes of the header | content |
//! | --- | --- |
//! | 0..8 | magic `ENCSNAP\x01` |
//! | 8..40 | SHA-256 of [`STATE_SCHEMA`] |
//! | 40..56 | log id |
//! | 56..64, 64..96 | frame number and hash |
//! | 96..104 | next position |
//! | 104..112 | writer epoch of the frame |
//! | 112..120 | recorded-at of the frame |
//! | 120..128, 128..160 | length and SHA-256 of the rows |
//! | 160..192 | SHA-256 of the 160 bytes before |

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use encours_domain::state::Rows;
use encours_domain::{Micros, Position};
use encours_log::{Disk, DiskFile, Epoch, FrameNumber, Hash, Known, LogId, LogReader, Tail};
use sha2::{Digest, Sha256};
use tracing::warn;

/// The shape of the rows. Change it whenever [`Rows`] or anything in it changes: snapshots of the
/// other shape are then passed over instead of being misread.
pub(crate) const STATE_SCHEMA: &str = "encours state 6";

const MAGIC: [u8; 8] = *b"ENCSNAP\x01";
const HEADER_LEN: usize = 192;
const KEPT: usize = 3;
const CHUNK: usize = 1 << 20;
/// The largest snapshot that is read: 16 GiB.
const LEN_MAX: u64 = 16 << 30;

/// A snapshot to be written: the rows after a durable frame.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) tail: Tail,
    pub(crate) rows: Rows,
}

/// A failure to write a snapshot. Nothing depends on it but the length of the next start.
#[derive(Debug, thiserror::Error)]
#[error("snapshot {}: {source}", path.display())]
pub struct SnapshotError {
    /// The file.
    pub path: PathBuf,
    /// What went wrong.
    #[source]
    pub source: io::Error,
}

/// The folder of snapshots.
pub(crate) struct Snapshots {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    log_id: LogId,
}

impl Snapshots {
    /// Opens the folder and removes what a crash has left half-written.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        dir: PathBuf,
        log_id: LogId,
    ) -> Result<Self, SnapshotError> {
        let at = |source| SnapshotError { path: dir.clone(), source };
        disk.create_dir_all(&dir).map_err(at)?;
        for name in disk.list(&dir).map_err(at)? {
            if name.ends_with(".tmp") {
                disk.remove(&dir.join(&name)).map_err(at)?;
                let file = dir.join(&name);
                warn!(file = %file.display(), "a half-written snapshot removed");
            }
        }
        Ok(Self { disk, dir, log_id })
    }

    /// Writes a snapshot durably and removes all but the newest three.
    pub(crate) fn write(&self, snapshot: &Snapshot) -> Result<u64, SnapshotError> {
        let path = self.dir.join(name(snapshot.tail.number));
        let temp = self.dir.join(format!("{}.tmp", name(snapshot.tail.number)));
        self.write_to(&temp, &path, snapshot)
            .map_err(|source| SnapshotError { path: path.clone(), source })
    }

    fn write_to(&self, temp: &Path, path: &Path, snapshot: &Snapshot) -> io::Result<u64> {
        if self.disk.exists(temp)? {
            self.disk.remove(temp)?;
        }
        let file = self.disk.create(temp)?;
        let mut out = Out::new(&*file);
        postcard::to_io(&snapshot.rows, &mut out).map_err(io::Error::other)?;
        let (len, body) = out.finish()?;
        file.write_all_at(&header(self.log_id, &snapshot.tail, len, body), 0)?;
        file.sync_all()?;
        drop(file);
        self.disk.rename(temp, path)?;
        self.disk.sync_dir(&self.dir)?;
        for old in self.numbers()?.into_iter().rev().skip(KEPT) {
            self.disk.remove(&self.dir.join(name(old)))?;
        }
        Ok(len + HEADER_LEN as u64)
    }

    /// The newest snapshot that is intact and fits the log.
    pub(crate) fn newest(&self, log: &dyn LogReader) -> Result<Option<Snapshot>, SnapshotError> {
        let numbers =
            self.numbers().map_err(|source| SnapshotError { path: self.dir.clone(), source })?;
        for number in numbers.into_iter().rev() {
            match self.read(number, log) {
                Ok(snapshot) => return Ok(Some(snapshot)),
                Err(why) => warn!(frame = number.0, %why, "snapshot_rejected"),
            }
        }
        Ok(None)
    }

    fn read(&self, number: FrameNumber, log: &dyn LogReader) -> Result<Snapshot, String> {
        let path = self.dir.join(name(number));
        let text = |error: io::Error| error.to_string();
        let file = self.disk.open_ro(&path).map_err(text)?;
        let head = Head::read(&*file).map_err(text)?.ok_or("the header is damaged")?;
        if head.log_id != self.log_id || head.tail.number != number {
            return Err("it belongs to another log or frame".into());
        }
        if head.schema != Hash::of(STATE_SCHEMA.as_bytes()) {
            return Err("it was written for another shape of the state".into());
        }
        match log.read(number) {
            Ok(Some(frame)) if frame.hash() == head.tail.hash => {}
            Ok(_) => return Err("the log has another frame there".into()),
            Err(error) => return Err(error.to_string()),
        }
        let len = usize::try_from(head.len.min(LEN_MAX)).map_err(|error| error.to_string())?;
        let mut body = vec![0; len];
        file.read_exact_at(&mut body, HEADER_LEN as u64).map_err(text)?;
        if Hash::of(&body) != head.body {
            return Err("the rows are damaged".into());
        }
        let (rows, rest) = postcard::take_from_bytes(&body).map_err(|error| error.to_string())?;
        if !rest.is_empty() {
            return Err("the rows have a tail that is not understood".into());
        }
        Ok(Snapshot { tail: head.tail, rows })
    }

    fn numbers(&self) -> io::Result<Vec<FrameNumber>> {
        let mut numbers: Vec<FrameNumber> =
            self.disk.list(&self.dir)?.iter().filter_map(|name| number(name)).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }
}

/// The frames that intact snapshots under `dir` have seen, for the anchor rule: the log must reach
/// them.
pub(crate) fn known_frames(disk: &dyn Disk, dir: &Path) -> Vec<Known> {
    let Ok(names) = disk.list(dir) else { return Vec::new() };
    let head = |name: &String| {
        number(name)?;
        Head::read(&*disk.open_ro(&dir.join(name)).ok()?).ok()?
    };
    names
        .iter()
        .filter_map(head)
        .map(|head| Known {
            source: format!("snapshot {}", head.tail.number),
            number: head.tail.number,
            hash: head.tail.hash,
        })
        .collect()
}

fn name(number: FrameNumber) -> String {
    format!("{:020}.snapshot", number.0)
}

fn number(name: &str) -> Option<FrameNumber> {
    Some(FrameNumber(name.strip_suffix(".snapshot")?.parse().ok()?))
}

fn header(log_id: LogId, tail: &Tail, len: u64, body: Hash) -> [u8; HEADER_LEN] {
    let mut out = [0; HEADER_LEN];
    let mut at = 0;
    let mut put = |bytes: &[u8]| {
        out[at..at + bytes.len()].copy_from_slice(bytes);
        at += bytes.len();
    };
    put(&MAGIC);
    put(&Hash::of(STATE_SCHEMA.as_bytes()).0);
    put(&log_id.0);
    put(&tail.number.0.to_le_bytes());
    put(&tail.hash.0);
    put(&tail.next_position.0.to_le_bytes());
    put(&tail.epoch.0.to_le_bytes());
    put(&tail.recorded_at.0.to_le_bytes());
    put(&len.to_le_bytes());
    put(&body.0);
    let hash = Hash::of(&out[..HEADER_LEN - 32]);
    out[HEADER_LEN - 32..].copy_from_slice(&hash.0);
    out
}

struct Head {
    schema: Hash,
    log_id: LogId,
    tail: Tail,
    len: u64,
    body: Hash,
}

impl Head {
    /// Reads a header; `None` where it is damaged.
    fn read(file: &dyn DiskFile) -> io::Result<Option<Self>> {
        let mut bytes = [0; HEADER_LEN];
        let read = file.read_up_to(&mut bytes, 0)?;
        let (fields, hash) = bytes.split_at(HEADER_LEN - 32);
        if read < HEADER_LEN || Hash::of(fields).0 != *hash || fields[..8] != MAGIC {
            return Ok(None);
        }
        let tail = Tail {
            number: FrameNumber(u64::from_le_bytes(array(fields, 56))),
            hash: Hash(array(fields, 64)),
            next_position: Position(u64::from_le_bytes(array(fields, 96))),
            epoch: Epoch(u64::from_le_bytes(array(fields, 104))),
            recorded_at: Micros(i64::from_le_bytes(array(fields, 112))),
        };
        Ok(Some(Self {
            schema: Hash(array(fields, 8)),
            log_id: LogId(array(fields, 40)),
            tail,
            len: u64::from_le_bytes(array(fields, 120)),
            body: Hash(array(fields, 128)),
        }))
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[at..at + N]);
    array
}

/// Writes to a file after the header's place, in chunks, hashing on the way.
struct Out<'a> {
    file: &'a dyn DiskFile,
    chunk: Vec<u8>,
    written: u64,
    hash: Sha256,
}

impl<'a> Out<'a> {
    fn new(file: &'a dyn DiskFile) -> Self {
        Self { file, chunk: Vec::with_capacity(CHUNK), written: 0, hash: Sha256::new() }
    }

    fn finish(mut self) -> io::Result<(u64, Hash)> {
        self.flush()?;
        Ok((self.written, Hash(self.hash.finalize().into())))
    }
}

impl Write for Out<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.chunk.extend_from_slice(bytes);
        if self.chunk.len() >= CHUNK {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_all_at(&self.chunk, HEADER_LEN as u64 + self.written)?;
        self.hash.update(&self.chunk);
        self.written += self.chunk.len() as u64;
        self.chunk.clear();
        Ok(())
    }
}
