//! The sled database of a checkpoint: keys, values, loading and writing.

use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use encours_domain::{Micros, Position};
use encours_log::{FrameNumber, Hash, LogId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::paged::{Fetch, Paged, TableId, Visit, fetch};
use super::{PAGE_MAX, Snapshot, folder};
use crate::model::Seen;
use crate::worker::message;

/// The first byte of a key.
const HEADER: u8 = 0;
const STAMPS: u8 = 1;
const PAGE: u8 = 2;
/// The version of keys and values.
const FORMAT: u32 = 1;
/// Bytes before each value: its CRC32C.
const CRC_LEN: usize = 4;
/// Stamps of a chunk of the manifest: at most 10 bytes each.
const CHUNK: usize = 400;
/// Bytes of pages in one batch.
const BATCH: usize = 256 * 1024;
/// Bytes that sled may keep in memory while the database is open.
const CACHE: u64 = 16 * 1024 * 1024;

/// Why a checkpoint could not be loaded or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("the database of checkpoints cannot be opened: {0}")]
    Open(#[source] io::Error),
    #[error("sled: {0}")]
    Sled(#[from] sled::Error),
    #[error("sled panicked: {0}")]
    Panicked(String),
    #[error("the checkpoint is damaged: {0}")]
    Damaged(&'static str),
    #[error("the checkpoint could not be synced: {0}")]
    Sync(#[source] io::Error),
    #[error("a page cannot be encoded: {0}")]
    Encode(#[from] postcard::Error),
}

impl StoreError {
    /// Whether what is stored is of no use. A database that could not be opened, because another
    /// process has it or the folder may not be read, is left alone.
    pub(crate) const fn is_damage(&self) -> bool {
        !matches!(self, Self::Open(_))
    }
}

/// The stamp of every page, by table.
pub(crate) type Stamps = BTreeMap<TableId, Vec<u64>>;

/// A checkpoint as it is stored.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) snapshot: Snapshot,
    pub(crate) stamps: Stamps,
    /// Its number, from 1.
    pub(crate) number: u64,
}

/// The head of the manifest.
#[derive(Serialize, Deserialize)]
struct Header {
    format: u32,
    log_id: [u8; 16],
    number: u64,
    position: u64,
    frame: u64,
    hash: [u8; 32],
    recorded_at: i64,
    stamps: [u8; 32],
}

fn key(kind: u8, id: TableId, number: usize) -> Vec<u8> {
    let mut key = Vec::with_capacity(18);
    key.push(kind);
    key.extend_from_slice(&id.ledger.to_be_bytes());
    key.push(id.table);
    key.extend_from_slice(&u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes());
    key
}

fn page_key(id: TableId, page: usize, stamp: u64) -> Vec<u8> {
    let mut key = key(PAGE, id, page);
    key.extend_from_slice(&stamp.to_be_bytes());
    key
}

fn crc(key: &[u8], bytes: &[u8]) -> [u8; CRC_LEN] {
    crc32c::crc32c_append(crc32c::crc32c(key), bytes).to_le_bytes()
}

fn encode<T: Serialize>(key: &[u8], value: &T) -> Result<Vec<u8>, StoreError> {
    let mut bytes = postcard::to_extend(value, vec![0; CRC_LEN])?;
    let crc = crc(key, &bytes[CRC_LEN..]);
    bytes[..CRC_LEN].copy_from_slice(&crc);
    if bytes.len() > PAGE_MAX {
        return Err(StoreError::Encode(postcard::Error::SerializeBufferFull));
    }
    Ok(bytes)
}

fn decode<T: DeserializeOwned>(key: &[u8], stored: &[u8]) -> Result<T, StoreError> {
    let damaged = || StoreError::Damaged("a value does not match its checksum");
    let (stored_crc, bytes) = stored.split_at_checked(CRC_LEN).ok_or_else(damaged)?;
    if stored_crc != crc(key, bytes) {
        return Err(damaged());
    }
    let wrong = |_| StoreError::Damaged("a value cannot be read");
    match postcard::take_from_bytes(bytes).map_err(wrong)? {
        (value, []) => Ok(value),
        _ => Err(StoreError::Damaged("a value is too long")),
    }
}

fn hash(stamps: &Stamps) -> [u8; 32] {
    let mut digest = Sha256::new();
    for (id, stamps) in stamps {
        digest.update(id.ledger.to_be_bytes());
        digest.update([id.table]);
        digest.update((stamps.len() as u64).to_be_bytes());
        for stamp in stamps {
            digest.update(stamp.to_be_bytes());
        }
    }
    digest.finalize().into()
}

fn open(folder: &Path) -> Result<(sled::Db, bool), StoreError> {
    let is_new = folder::prepare(folder).map_err(StoreError::Open)?;
    Ok((config().path(folder).open()?, is_new))
}

fn config() -> sled::Config {
    // WHY never: what has to be durable is flushed where it has to be, and where no thread can be had for
    // it sled panics.
    sled::Config::new().cache_capacity(CACHE).flush_every_ms(None)
}

/// Lets sled start the threads that it writes with, which it does once in the life of a process, with
/// the first thing that it writes: here one that is nowhere on a disk. WHY ahead of that: where the
/// system allows none by then, it waits for them for ever.
///
/// # Errors
/// [`StoreError`] where it cannot write.
pub(super) fn start_threads() -> Result<(), StoreError> {
    guarded(|| {
        let db = config().temporary(true).open()?;
        db.insert(b"", b"")?;
        db.flush()?;
        Ok(())
    })
}

/// Runs what uses sled. Whatever panics in it is an error.
fn guarded<T>(run: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(run))
        .unwrap_or_else(|panic| Err(StoreError::Panicked(message(&*panic))))
}

/// Loads the checkpoint of a folder; `None` where there is none.
///
/// # Errors
/// [`StoreError`]; see [`StoreError::is_damage`].
pub(super) fn load(folder: &Path) -> Result<Option<Loaded>, StoreError> {
    if !folder.exists() {
        return Ok(None);
    }
    guarded(|| {
        let (db, _) = open(folder)?;
        let header: Header = match db.get([HEADER])? {
            Some(stored) => decode(&[HEADER], &stored)?,
            // Nothing was ever made durable in it, or all of it is gone.
            None => return Err(StoreError::Damaged("there is no manifest")),
        };
        if header.format != FORMAT {
            return Err(StoreError::Damaged("it has another format"));
        }
        let stamps = load_stamps(&db)?;
        if hash(&stamps) != header.stamps {
            return Err(StoreError::Damaged("the manifest does not match its hash"));
        }
        let mut pages = PageReader { db: &db, stamps: &stamps, strays: Vec::new() };
        let (root, ledgers) = fetch(&mut pages)?;
        let strays = pages.strays;
        remove(&db, &strays)?;
        let snapshot = Snapshot {
            log_id: LogId(header.log_id),
            seen: Seen {
                position: Position(header.position),
                frame: FrameNumber(header.frame),
                hash: Hash(header.hash),
                recorded_at: Micros(header.recorded_at),
            },
            generation: 0,
            root,
            ledgers,
        };
        Ok(Some(Loaded { snapshot, stamps, number: header.number }))
    })
}

fn load_stamps(db: &sled::Db) -> Result<Stamps, StoreError> {
    let mut stamps = Stamps::new();
    for entry in db.scan_prefix([STAMPS]) {
        let (key, stored) = entry?;
        let damaged = StoreError::Damaged("the manifest has a strange key");
        let &[_, l0, l1, l2, l3, table, ..] = key.as_ref() else { return Err(damaged) };
        let id = TableId { ledger: u32::from_be_bytes([l0, l1, l2, l3]), table };
        let chunk: Vec<u64> = decode(&key, &stored)?;
        stamps.entry(id).or_default().extend(chunk);
    }
    Ok(stamps)
}

/// Reads pages by the stamps of the manifest.
struct PageReader<'a> {
    db: &'a sled::Db,
    stamps: &'a Stamps,
    /// Keys of pages that the manifest does not name: leftovers of a checkpoint that a crash ended.
    strays: Vec<Vec<u8>>,
}

impl Fetch for PageReader<'_> {
    type Error = StoreError;

    fn table<P: Paged>(&mut self, id: TableId) -> Result<P, StoreError> {
        let mut table = P::default();
        let stamps = self.stamps.get(&id).map_or(&[][..], Vec::as_slice);
        let mut next = 0;
        for entry in self.db.scan_prefix(&key(PAGE, id, 0)[..6]) {
            let (key, stored) = entry?;
            if stamps.get(next).is_some_and(|stamp| *key == page_key(id, next, *stamp)) {
                let rows: Vec<P::Row> = decode(&key, &stored)?;
                next += 1;
                let is_full = rows.len() == P::ROWS;
                if rows.is_empty() || (next < stamps.len() && !is_full) || rows.len() > P::ROWS {
                    return Err(StoreError::Damaged("a page has a wrong number of rows"));
                }
                table.take_page(rows);
            } else {
                self.strays.push(key.to_vec());
            }
        }
        if next < stamps.len() {
            return Err(StoreError::Damaged("a page is not there with the stamp it should have"));
        }
        Ok(table)
    }
}

fn remove(db: &sled::Db, keys: &[Vec<u8>]) -> Result<(), StoreError> {
    for keys in keys.chunks(1_000) {
        let mut batch = sled::Batch::default();
        for key in keys {
            batch.remove(key.as_slice());
        }
        db.apply_batch(batch)?;
    }
    Ok(())
}

/// Writes a checkpoint: the pages that are not those of `before`, then the manifest. `pace` is told
/// the bytes of each batch.
///
/// # Errors
/// [`StoreError`]; unless it is [`StoreError::Open`] the folder must be set aside.
pub(super) fn write(
    folder: &Path,
    snapshot: &Snapshot,
    before: Option<&Loaded>,
    pace: &mut dyn FnMut(usize),
) -> Result<(u64, Stamps), StoreError> {
    guarded(|| {
        let (db, is_new) = open(folder)?;
        let sync = |db: &sled::Db| {
            db.flush()?;
            folder::sync(folder, is_new).map_err(StoreError::Sync)
        };
        let number = before.map_or(0, |before| before.number) + 1;
        let mut writer = PageWriter {
            db: &db,
            number,
            old: before.map(|before| &before.stamps),
            stamps: Stamps::new(),
            replaced: Vec::new(),
            batch: sled::Batch::default(),
            batched: 0,
            pace,
        };
        snapshot.visit(before.map(|before| &before.snapshot), &mut writer)?;
        writer.flush()?;
        let PageWriter { stamps, replaced, .. } = writer;
        // INVARIANT: pages are durable before the manifest that names them is written, and what it
        // replaces goes only after the manifest is durable.
        sync(&db)?;
        let mut manifest = manifest(&stamps, before.map(|before| &before.stamps))?;
        let header = Header {
            format: FORMAT,
            log_id: snapshot.log_id.0,
            number,
            position: snapshot.seen.position.0,
            frame: snapshot.seen.frame.0,
            hash: snapshot.seen.hash.0,
            recorded_at: snapshot.seen.recorded_at.0,
            stamps: hash(&stamps),
        };
        manifest.insert(&[HEADER], encode(&[HEADER], &header)?);
        db.apply_batch(manifest)?;
        sync(&db)?;
        remove(&db, &replaced)?;
        Ok((number, stamps))
    })
}

/// The chunks of stamps that have changed.
fn manifest(stamps: &Stamps, old: Option<&Stamps>) -> Result<sled::Batch, StoreError> {
    let mut batch = sled::Batch::default();
    for (id, stamps) in stamps {
        let old = old.and_then(|old| old.get(id)).map_or(&[][..], Vec::as_slice);
        let mut old = old.chunks(CHUNK);
        for (number, chunk) in stamps.chunks(CHUNK).enumerate() {
            if old.next() != Some(chunk) {
                let key = key(STAMPS, *id, number);
                batch.insert(key.as_slice(), encode(&key, &chunk)?);
            }
        }
    }
    Ok(batch)
}

struct PageWriter<'a> {
    db: &'a sled::Db,
    number: u64,
    old: Option<&'a Stamps>,
    stamps: Stamps,
    /// Keys of the pages that new ones stand for.
    replaced: Vec<Vec<u8>>,
    batch: sled::Batch,
    batched: usize,
    pace: &'a mut dyn FnMut(usize),
}

impl PageWriter<'_> {
    fn flush(&mut self) -> Result<(), StoreError> {
        self.db.apply_batch(std::mem::take(&mut self.batch))?;
        (self.pace)(std::mem::take(&mut self.batched));
        Ok(())
    }
}

impl Visit for PageWriter<'_> {
    type Error = StoreError;

    fn table<P: Paged>(
        &mut self,
        id: TableId,
        table: &P,
        before: Option<&P>,
    ) -> Result<(), StoreError> {
        let before = before.map_or(&[][..], P::stored_pages);
        let old = self.old.and_then(|old| old.get(&id)).map_or(&[][..], Vec::as_slice);
        let mut stamps = Vec::with_capacity(table.stored_pages().len());
        for (number, page) in table.stored_pages().iter().enumerate() {
            let same = before.get(number).is_some_and(|before| Arc::ptr_eq(before, page));
            let old = old.get(number).copied();
            if let Some(stamp) = old.filter(|_| same) {
                stamps.push(stamp);
                continue;
            }
            let key = page_key(id, number, self.number);
            let value = encode(&key, &**page)?;
            self.replaced.extend(old.map(|stamp| page_key(id, number, stamp)));
            self.batched += key.len() + value.len();
            self.batch.insert(key, value);
            stamps.push(self.number);
            if self.batched >= BATCH {
                self.flush()?;
            }
        }
        if !stamps.is_empty() {
            self.stamps.insert(id, stamps);
        }
        Ok(())
    }
}
