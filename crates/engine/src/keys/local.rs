//! The keys of one node: its key file, the store in memory, and what other nodes are known to have.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use encours_domain::state::Rows;
use encours_domain::{CustomerNo, LedgerNo};
use encours_log::{Disk, LogId};
use tracing::warn;

use super::file::{KeyFile, KeyFileError, missing_keys};
use super::shared::{Shared, bodies};
use super::store::{Key, KeyStore, NewKey};
use crate::entropy::Entropy;
use crate::error::EngineError;

/// See the module.
pub(crate) struct LocalKeys {
    log_id: LogId,
    dir: PathBuf,
    /// `None` on a node that no other has given the keys yet.
    file: Option<KeyFile>,
    /// Records of the key file that are not intact.
    damaged: u64,
    store: Arc<KeyStore>,
    /// The customers whose keys other nodes find, once it is known that they find the head.
    shared: Option<BTreeSet<(LedgerNo, CustomerNo)>>,
}

/// The keys of a node that leads.
pub(crate) struct LeadersKeys {
    pub(crate) file: KeyFile,
    pub(crate) store: Arc<KeyStore>,
    pub(crate) digest_key: Key,
    /// The customers whose keys other nodes find, where it is known that they find the head.
    shared: Option<BTreeSet<(LedgerNo, CustomerNo)>>,
}

impl LocalKeys {
    /// Opens the key file in `dir`, where there is one.
    pub(crate) fn open(disk: &dyn Disk, dir: &Path, log_id: LogId) -> Result<Self, KeyFileError> {
        let found = KeyFile::open(disk, dir, log_id)?;
        let damaged = found.as_ref().map_or(0, |found| found.damaged);
        if damaged > 0 {
            warn!(records = damaged, "damaged records in the key file");
        }
        let (file, store) = match found {
            Some(found) => (Some(found.file), KeyStore::new(found.digest_key, found.customers)),
            None => (None, KeyStore::default()),
        };
        let (dir, store) = (dir.to_owned(), Arc::new(store));
        Ok(Self { log_id, dir, file, damaged, store, shared: None })
    }

    pub(crate) fn store(&self) -> Arc<KeyStore> {
        Arc::clone(&self.store)
    }

    /// Takes in a body as another node has shared it: in the key file first, then in use.
    pub(crate) fn add(&mut self, disk: &dyn Disk, body: &[u8]) -> Result<(), EngineError> {
        let bytes = body.len();
        let shared = Shared::read(body).ok_or(KeyFileError::SharedDamaged { bytes })?;
        if shared.log_id != self.log_id {
            let (found, expected) = (shared.log_id, self.log_id);
            return Err(KeyFileError::SharedWrongLog { found, expected }.into());
        }
        if let Some(digest_key) = shared.digest_key {
            self.take_head(disk, digest_key)?;
        }
        let Some(file) = &mut self.file else {
            return Err(KeyFileError::SharedHeadless { path: KeyFile::path_in(&self.dir) }.into());
        };
        let mut changed = Vec::new();
        for ((ledger, customer), key) in shared.customers {
            if let Some(shared) = &mut self.shared {
                shared.insert((ledger, customer));
            }
            let new = NewKey { ledger, customer, key };
            if !self.store.has(&new) {
                changed.push(new);
            }
        }
        file.append(&changed).map_err(|error| error.of(file.path()))?;
        for new in &changed {
            self.store.keep(new);
        }
        Ok(())
    }

    /// Takes the digest key that the other nodes use.
    fn take_head(&mut self, disk: &dyn Disk, digest_key: Key) -> Result<(), KeyFileError> {
        self.shared.get_or_insert_default();
        if self.store.digest_key().as_ref() == Some(&digest_key) {
            return Ok(());
        }
        if let Some(file) = &self.file {
            // WHY it gives way: nothing is in the log whose keys were not shared before, so no command
            // was ever digested under it.
            warn!(path = %file.path().display(), "another node's digest key is taken over");
        }
        let keys = self.store.customers();
        self.file = Some(KeyFile::make(disk, &self.dir, self.log_id, &digest_key, &keys)?);
        self.store.set_digest_key(digest_key);
        Ok(())
    }

    /// The keys to lead with: made where the log is empty, held against the state and healed where it
    /// is not.
    pub(crate) fn lead(
        mut self,
        disk: &dyn Disk,
        rows: &Rows,
        log_is_empty: bool,
        entropy: &dyn Entropy,
    ) -> Result<LeadersKeys, KeyFileError> {
        let (mut file, digest_key) = match (self.file.take(), self.store.digest_key()) {
            (Some(file), Some(digest_key)) => (file, digest_key),
            _ if log_is_empty => self.make(disk, entropy)?,
            _ => return Err(KeyFileError::Missing { path: KeyFile::path_in(&self.dir) }),
        };
        let store = self.store;
        store.keep_only(rows);
        let customers: u64 =
            rows.ledgers.iter().map(|ledger| u64::from(ledger.customers.len())).sum();
        if self.damaged > 0 || customers > store.len() as u64 {
            let missing = missing_keys(&store, rows);
            if missing > 0 {
                let path = file.path().to_owned();
                return Err(KeyFileError::KeysLost { path, customers: missing });
            }
        }
        if self.damaged > 0 {
            let keys = store.customers();
            file = KeyFile::make(disk, &self.dir, self.log_id, &digest_key, &keys)?;
            warn!(keys = store.len(), "the key file was written anew without the damage");
        }
        Ok(LeadersKeys { file, store, digest_key, shared: self.shared })
    }

    fn make(&self, disk: &dyn Disk, entropy: &dyn Entropy) -> Result<(KeyFile, Key), KeyFileError> {
        let mut digest_key = Key::default();
        entropy.fill(digest_key.as_mut_slice())?;
        let file = KeyFile::make(disk, &self.dir, self.log_id, &digest_key, &[])?;
        self.store.set_digest_key(digest_key.clone());
        Ok((file, digest_key))
    }
}

impl LeadersKeys {
    /// The customers' keys that other nodes do not find yet: all where they find nothing (`none`), the
    /// rest where an earlier leader has not come to the end.
    pub(crate) fn unshared(&self, none: bool) -> Vec<NewKey> {
        let all = self.store.customers();
        match &self.shared {
            _ if none => all,
            None => Vec::new(),
            Some(shared) => {
                let is_left = |new: &NewKey| !shared.contains(&(new.ledger, new.customer));
                all.into_iter().filter(is_left).collect()
            }
        }
    }
}

/// The keys of the key file in `dir`, as a node that leads gives them to
/// [`EventLog::share_keys`](encours_log::EventLog::share_keys): bodies of at most 256 KiB, the head
/// first. Damaged records are left out; nothing is made or changed.
///
/// # Errors
/// [`KeyFileError`] where the file is missing, damaged at its start, of another log or not readable.
pub fn read_key_bodies(
    disk: &dyn Disk,
    dir: &Path,
    log_id: LogId,
) -> Result<Vec<Vec<u8>>, KeyFileError> {
    let keys = read_keys(disk, dir, log_id)?;
    let head = keys.digest_key();
    Ok(bodies(log_id, head.as_ref(), &keys.customers()).map(|body| body.to_vec()).collect())
}

/// The keys of the key file in `dir`, for opening details; nothing is made or changed.
///
/// # Errors
/// As those of [`read_key_bodies`].
pub fn read_keys(disk: &dyn Disk, dir: &Path, log_id: LogId) -> Result<KeyStore, KeyFileError> {
    let missing = || KeyFileError::Missing { path: KeyFile::path_in(dir) };
    KeyFile::read(disk, dir, log_id)?.ok_or_else(missing)
}

/// Writes these bodies into the key file in `dir`, in their order; made where there is none.
///
/// # Errors
/// As those of [`Standby::add_keys`](crate::Standby::add_keys).
pub fn write_key_bodies<'a>(
    disk: &dyn Disk,
    dir: &Path,
    log_id: LogId,
    bodies: impl IntoIterator<Item = &'a [u8]>,
) -> Result<(), EngineError> {
    let mut keys = LocalKeys::open(disk, dir, log_id)?;
    bodies.into_iter().try_for_each(|body| keys.add(disk, body))
}

/// Where the key file of a log lies.
#[derive(Clone, Copy)]
pub struct KeysOf<'a> {
    /// The disk.
    pub disk: &'a dyn Disk,
    /// The folder.
    pub dir: &'a Path,
    /// The log.
    pub log_id: LogId,
}

/// Makes a key file for another log, with the same keys; answers how many customers have one. Damaged
/// records are left out.
///
/// # Errors
/// As those of [`read_keys`] for the one, [`KeyFileError::Io`] for the other.
pub fn move_keys(from: KeysOf<'_>, to: KeysOf<'_>) -> Result<usize, KeyFileError> {
    let store = read_keys(from.disk, from.dir, from.log_id)?;
    let damaged = || KeyFileError::Damaged { path: KeyFile::path_in(from.dir) };
    let digest_key = store.digest_key().ok_or_else(damaged)?;
    KeyFile::make(to.disk, to.dir, to.log_id, &digest_key, &store.customers())?;
    Ok(store.len())
}
