//! The key file: 64-byte records, appended and synced before the frames that use them.
//!
//! | bytes | content |
//! | --- | --- |
//! | 0..4 | kind: 1 the log's id (first record), 2 the digest key (second), 3 a customer's key |
//! | 4..12 | ledger and customer number |
//! | 12..44 | key, or log id and zeros |
//! | 44..60 | zeros |
//! | 60..64 | CRC32C of the 60 bytes before, after the record's index |
//!
//! All numbers are little-endian. Later records win: a key whose frame was lost in a crash is
//! replaced when its customer number is allotted again. A crash may leave damaged records where an
//! append was under way, in any order of sectors; no durable frame rests on those. Whether that is
//! all that is missing is told by the state: every customer with details must have a key that opens
//! them ([`missing_keys`]); then the file is written anew without the damage, else the engine refuses.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use encours_domain::state::Rows;
use encours_domain::{CustomerNo, LedgerNo};
use encours_log::{Disk, DiskFile, LogId, is_no_room};
use zeroize::Zeroizing;

use super::store::{KEY_LEN, Key, KeyStore, NewKey};
use crate::entropy::EntropyError;
use crate::error::EngineError;

pub(super) const RECORD_LEN: usize = 64;
const CHUNK_RECORDS: usize = 1_024;
pub(super) const KIND_LOG: u32 = 1;
pub(super) const KIND_DIGEST: u32 = 2;
pub(super) const KIND_CUSTOMER: u32 = 3;
const FILE_NAME: &str = "customers.keys";

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// The log has events, but its key file is gone. Without it no personal detail can be read and
    /// no repeat of a customer's creation recognised.
    #[error("{} is missing, but the log is not empty: restore it from the backup", path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The file belongs to another log.
    #[error("{} belongs to log {found}, not to {expected}", path.display())]
    WrongLog {
        /// The file.
        path: PathBuf,
        /// The log it belongs to.
        found: LogId,
        /// The log that is open.
        expected: LogId,
    },
    /// Its first two records, which are made in one piece, are not what was written.
    #[error("{} is damaged at its start: restore it from the backup", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// Customers have details that no key opens.
    #[error(
        "{customers} customers have details that no key of {} opens: restore it from the backup",
        path.display()
    )]
    KeysLost {
        /// The file.
        path: PathBuf,
        /// How many customers.
        customers: u64,
    },
    /// Records that another node has shared are not what it wrote.
    #[error("a body of {bytes} bytes of the shared keys is damaged")]
    SharedDamaged {
        /// Its length.
        bytes: usize,
    },
    /// Records that another node has shared belong to another log.
    #[error("the shared keys belong to log {found}, not to {expected}")]
    SharedWrongLog {
        /// The log they belong to.
        found: LogId,
        /// The log that is open.
        expected: LogId,
    },
    /// Other nodes have shared keys, but not the digest key, which comes first.
    #[error("the shared keys do not begin with their head, and {} is missing", path.display())]
    SharedHeadless {
        /// Where the key file would be.
        path: PathBuf,
    },
    /// The disk refused.
    #[error("{operation} {}: {source}", path.display())]
    Io {
        /// What was tried.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No random bytes for the digest key.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

impl KeyFileError {
    /// Whether the disk has no room. Nothing counts as written; the same may pass once there is some.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Io { source, .. } if is_no_room(source))
    }
}

/// The writing end of the key file.
pub(crate) struct KeyFile {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    /// Records that are in use; the next append begins after them.
    records: u64,
    /// Whether an append has failed since, so that whole records may lie after those in use.
    is_longer: bool,
}

/// What opening the file found.
pub(crate) struct Opened {
    pub(crate) file: KeyFile,
    pub(crate) digest_key: Key,
    pub(crate) customers: BTreeMap<(LedgerNo, CustomerNo), Key>,
    /// Records that are not intact.
    pub(crate) damaged: u64,
}

impl KeyFile {
    /// Where the key file is in its folder.
    pub(crate) fn path_in(dir: &Path) -> PathBuf {
        dir.join(FILE_NAME)
    }

    /// Opens the key file of a log; `None` where there is none. The folder must be locked: records that
    /// somebody else appends meanwhile could be cut off.
    pub(crate) fn open(
        disk: &dyn Disk,
        dir: &Path,
        log_id: LogId,
    ) -> Result<Option<Opened>, KeyFileError> {
        let path = Self::path_in(dir);
        disk.create_dir_all(dir).map_err(io_error("make the folder of", &path))?;
        if !disk.exists(&path).map_err(io_error("look for", &path))? {
            return Ok(None);
        }
        let file = disk.open_rw(&path).map_err(io_error("open", &path))?;
        // WHY: an earlier process may have died between making the name and syncing it. As for records
        // that were not synced: see `KeyStore::keep_only`.
        disk.sync_dir(dir).map_err(io_error("sync the folder of", &path))?;
        let (digest_key, reading) = Reading::of(&*file, &path, log_id)?;
        // WHY: after a sync that failed, the system may show the file without records that have reached
        // the disk. Once the next ones are synced before them, these would come to light and win.
        let end = reading.end * RECORD_LEN as u64;
        if file.len().map_err(io_error("measure", &path))? == end {
            file.set_len(end).map_err(io_error("set the length of", &path))?;
            file.sync_data().map_err(io_error("sync", &path))?;
        }
        Ok(Some(Opened {
            file: Self { file, path, records: reading.end, is_longer: false },
            digest_key,
            customers: reading.customers,
            damaged: reading.damaged,
        }))
    }

    /// Reads the key file of a log and leaves it alone; `None` where there is none.
    pub(crate) fn read(
        disk: &dyn Disk,
        dir: &Path,
        log_id: LogId,
    ) -> Result<Option<KeyStore>, KeyFileError> {
        let path = Self::path_in(dir);
        if !disk.exists(&path).map_err(io_error("look for", &path))? {
            return Ok(None);
        }
        let file = disk.open_ro(&path).map_err(io_error("open", &path))?;
        let (digest_key, reading) = Reading::of(&*file, &path, log_id)?;
        Ok(Some(KeyStore::new(digest_key, reading.customers)))
    }

    /// Makes the key file of a log with these keys, in place of what may be there.
    pub(crate) fn make(
        disk: &dyn Disk,
        dir: &Path,
        log_id: LogId,
        digest_key: &Key,
        keys: &[NewKey],
    ) -> Result<Self, KeyFileError> {
        let path = Self::path_in(dir);
        let mut bytes = head(log_id, digest_key);
        let mut records = 2;
        for NewKey { ledger, customer, key } in keys {
            bytes.extend_from_slice(&*record(records, KIND_CUSTOMER, ledger.0, customer.0, key));
            records += 1;
        }
        disk.replace(&path, &bytes).map_err(io_error("write", &path))?;
        let file = disk.open_rw(&path).map_err(io_error("open", &path))?;
        Ok(Self { file, path, records, is_longer: false })
    }

    /// Where the file is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes new keys and makes them durable. On an error nothing counts as written: the next append
    /// begins at the same place.
    pub(crate) fn append(&mut self, keys: &[NewKey]) -> Result<(), AppendError> {
        if keys.is_empty() {
            return Ok(());
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(keys.len() * RECORD_LEN));
        for (index, new) in (self.records..).zip(keys) {
            let record = record(index, KIND_CUSTOMER, new.ledger.0, new.customer.0, &new.key);
            bytes.extend_from_slice(&*record);
        }
        let at = self.records * RECORD_LEN as u64;
        if self.is_longer {
            // WHY: records of the append that failed would come after fewer new ones, and win.
            self.file.set_len(at).map_err(AppendError::Write)?;
        }
        self.is_longer = true;
        self.file.write_all_at(&bytes, at).map_err(AppendError::Write)?;
        self.file.sync_data().map_err(AppendError::Sync)?;
        self.records += keys.len() as u64;
        self.is_longer = false;
        Ok(())
    }
}

/// How many customers have details that no key opens.
pub(super) fn missing_keys(store: &KeyStore, rows: &Rows) -> u64 {
    let mut missing = 0;
    for ledger in rows.ledgers.iter() {
        for (customer, row) in (0..).zip(ledger.customers.iter()) {
            let opens = row.details.iter().all(|(kind, sealed)| {
                store.open_detail(ledger.no, CustomerNo(customer), *kind, sealed).is_ok()
            });
            missing += u64::from(!opens);
        }
    }
    missing
}

pub(super) fn io_error(
    operation: &'static str,
    path: &Path,
) -> impl FnOnce(io::Error) -> KeyFileError {
    let path = path.to_owned();
    move |source| KeyFileError::Io { operation, path, source }
}

/// How an append failed.
#[derive(Debug)]
pub(crate) enum AppendError {
    /// The bytes did not all go in.
    Write(io::Error),
    /// The sync failed; it is never tried again.
    Sync(io::Error),
}

impl AppendError {
    /// As what a standby fails with, whose key file is at `path`.
    pub(crate) fn of(self, path: &Path) -> EngineError {
        match self {
            Self::Write(source) => io_error("write keys to", path)(source).into(),
            Self::Sync(error) => EngineError::KeySync(error),
        }
    }
}

/// What a scan of the file has gathered.
#[derive(Default)]
struct Reading {
    log_id: Option<LogId>,
    digest_key: Option<Key>,
    customers: BTreeMap<(LedgerNo, CustomerNo), Key>,
    /// Records up to the last intact one.
    end: u64,
    damaged: u64,
}

impl Reading {
    /// Reads a file, which must be whole at its start and belong to the log.
    fn of(file: &dyn DiskFile, path: &Path, log_id: LogId) -> Result<(Key, Self), KeyFileError> {
        let mut reading = Self::default();
        reading.scan(file).map_err(io_error("read", path))?;
        let path = path.to_owned();
        match (reading.log_id, reading.digest_key.take()) {
            (Some(found), _) if found != log_id => {
                Err(KeyFileError::WrongLog { path, found, expected: log_id })
            }
            (Some(_), Some(digest_key)) => Ok((digest_key, reading)),
            _ => Err(KeyFileError::Damaged { path }),
        }
    }

    fn scan(&mut self, file: &dyn DiskFile) -> io::Result<()> {
        let mut chunk = Zeroizing::new(vec![0; CHUNK_RECORDS * RECORD_LEN]);
        let mut index = 0;
        loop {
            let read = file.read_up_to(&mut chunk, index * RECORD_LEN as u64)?;
            if read == 0 {
                return Ok(());
            }
            for bytes in chunk[..read].chunks(RECORD_LEN) {
                if check(index, bytes) {
                    self.take(index, bytes);
                    self.end = index + 1;
                } else {
                    self.damaged += 1;
                }
                index += 1;
            }
        }
    }

    fn take(&mut self, index: u64, bytes: &[u8]) {
        let key = key_in(bytes);
        match (index, number(bytes, 0)) {
            (0, KIND_LOG) => {
                let mut id = [0; 16];
                id.copy_from_slice(&key[..16]);
                self.log_id = Some(LogId(id));
            }
            (1, KIND_DIGEST) => self.digest_key = Some(key),
            (2.., KIND_CUSTOMER) => {
                let customer = (LedgerNo(number(bytes, 4)), CustomerNo(number(bytes, 8)));
                self.customers.insert(customer, key);
            }
            _ => {}
        }
    }
}

/// The first two records.
fn head(log_id: LogId, digest_key: &[u8; KEY_LEN]) -> Zeroizing<Vec<u8>> {
    let mut id = [0; KEY_LEN];
    id[..16].copy_from_slice(&log_id.0);
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * RECORD_LEN));
    bytes.extend_from_slice(&*record(0, KIND_LOG, 0, 0, &id));
    bytes.extend_from_slice(&*record(1, KIND_DIGEST, 0, 0, digest_key));
    bytes
}

/// The key in a record.
pub(super) fn key_in(bytes: &[u8]) -> Key {
    let mut key: Key = Box::new(Zeroizing::new([0; KEY_LEN]));
    key.copy_from_slice(&bytes[12..44]);
    key
}

pub(super) fn record(
    index: u64,
    kind: u32,
    ledger: u32,
    customer: u32,
    key: &[u8; KEY_LEN],
) -> Zeroizing<[u8; RECORD_LEN]> {
    let mut bytes = Zeroizing::new([0; RECORD_LEN]);
    bytes[..4].copy_from_slice(&kind.to_le_bytes());
    bytes[4..8].copy_from_slice(&ledger.to_le_bytes());
    bytes[8..12].copy_from_slice(&customer.to_le_bytes());
    bytes[12..44].copy_from_slice(key);
    let crc = crc(index, &bytes[..60]);
    bytes[60..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

pub(super) fn check(index: u64, bytes: &[u8]) -> bool {
    bytes.len() == RECORD_LEN && number(bytes, 60) == crc(index, &bytes[..60])
}

fn crc(index: u64, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&index.to_le_bytes()), bytes)
}

pub(super) fn number(bytes: &[u8], at: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(number)
}

#[cfg(test)]
mod tests;
