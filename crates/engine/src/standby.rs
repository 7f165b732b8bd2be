//! The engine's state beside a log that somebody else writes, ready to take over.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use encours_domain::{CustomerNo, LedgerNo, Position};
use encours_log::{Clock, Disk, EventLog, LogReader};
use tracing::{info, warn};

use crate::driver::Engine;
use crate::entropy::Entropy;
use crate::error::EngineError;
use crate::keeper::Keeper;
use crate::keys::{KeyFile, KeyFileError, KeyStore, NewKey, Shared};
use crate::recover::{Fold, RecoveryReport};
use crate::writer::{Limits, Writer};

/// What a standby is opened with.
pub struct StandbyOptions {
    /// A reading end of the log, which shows durable frames only.
    pub reader: Arc<dyn LogReader>,
    /// The disk that the folder lies on.
    pub disk: Arc<dyn Disk>,
    /// Where randomness comes from once it leads.
    pub entropy: Arc<dyn Entropy>,
    /// Limits.
    pub limits: Limits,
}

/// Engine state that follows a log which somebody else writes.
///
/// It keeps `keys/`, `snapshots/` and `requests/` in a folder as [`Engine`] does, which is a standby
/// that leads. After an error of [`add_keys`](Self::add_keys) or [`follow`](Self::follow) it must not
/// be used any more.
pub struct Standby {
    pub(crate) options: StandbyOptions,
    pub(crate) keys_dir: PathBuf,
    /// `None` on a node that no other has given the keys yet.
    pub(crate) key_file: Option<KeyFile>,
    /// Records of the key file that are not intact.
    pub(crate) damaged: u64,
    pub(crate) keys: Arc<KeyStore>,
    /// The customers whose keys other nodes can find, once it is known that they find the head.
    pub(crate) shared: Option<BTreeSet<(LedgerNo, CustomerNo)>>,
    pub(crate) keeper: Keeper,
    pub(crate) fold: Fold,
}

impl Standby {
    /// Recovers the state from the folder `dir` and from what the reader shows of the log.
    ///
    /// # Errors
    /// [`EngineError`] where log, keys or folders cannot be used. That there is no key file is none:
    /// see [`add_keys`](Self::add_keys).
    pub fn open(options: StandbyOptions, dir: &Path) -> Result<Self, EngineError> {
        let StandbyOptions { reader, disk, limits, .. } = &options;
        let keys_dir = dir.join("keys");
        let (key_file, damaged, keys) = match KeyFile::open(&**disk, &keys_dir, reader.log_id())? {
            Some(found) => {
                let keys = KeyStore::new(found.digest_key, found.customers);
                (Some(found.file), found.damaged, keys)
            }
            None => (None, 0, KeyStore::default()),
        };
        if damaged > 0 {
            warn!(records = damaged, "damaged records in the key file");
        }
        let mut keeper = Keeper::open(disk, dir, Arc::clone(reader), limits.file_ids)?;
        let mut fold = Fold::open(&**reader, &keeper, limits.generation_ids)?;
        fold.follow(&**reader, &mut keeper)?;
        let keys = Arc::new(keys);
        Ok(Self { options, keys_dir, key_file, damaged, keys, shared: None, keeper, fold })
    }

    /// The keys of customers: the same store for as long as this state lives, also once it leads.
    #[must_use]
    pub fn keys(&self) -> Arc<KeyStore> {
        Arc::clone(&self.keys)
    }

    /// Takes in keys as another node has given them to
    /// [`EventLog::share_keys`](EventLog::share_keys): durable in the key file when this returns, and
    /// only then in use. Call it in the order of sharing, and before the frames that rest on them;
    /// later keys win. Keys that are known already change nothing, so all may be given again.
    ///
    /// # Errors
    /// [`EngineError::Keys`] where the records are damaged, belong to another log or do not begin with
    /// their head, or where the disk refuses; [`EngineError::KeySync`] after a failed sync.
    pub fn add_keys(&mut self, records: &[u8]) -> Result<(), EngineError> {
        let bytes = records.len();
        let Some(shared) = Shared::read(records) else {
            return Err(KeyFileError::SharedDamaged { bytes }.into());
        };
        let expected = self.options.reader.log_id();
        if shared.log_id != expected {
            let found = shared.log_id;
            return Err(KeyFileError::SharedWrongLog { found, expected }.into());
        }
        if let Some(digest_key) = shared.digest_key {
            self.take_head(digest_key)?;
        }
        let Some(file) = &mut self.key_file else {
            let path = KeyFile::path_in(&self.keys_dir);
            return Err(KeyFileError::SharedHeadless { path }.into());
        };
        let mut changed = Vec::new();
        for ((ledger, customer), key) in shared.customers {
            self.shared.as_mut().map(|all| all.insert((ledger, customer)));
            let new = NewKey { ledger, customer, key };
            if !self.keys.has(&new) {
                changed.push(new);
            }
        }
        file.append(&changed).map_err(|error| error.of(file.path()))?;
        for new in &changed {
            self.keys.keep(new);
        }
        Ok(())
    }

    /// Takes the digest key that the other nodes use.
    fn take_head(&mut self, digest_key: crate::keys::Key) -> Result<(), KeyFileError> {
        self.shared.get_or_insert_default();
        if self.keys.digest_key().as_ref() == Some(&digest_key) {
            return Ok(());
        }
        let (disk, log_id) = (&*self.options.disk, self.options.reader.log_id());
        match &mut self.key_file {
            None => {
                let file = KeyFile::make(disk, &self.keys_dir, log_id, &digest_key)?;
                self.key_file = Some(file);
            }
            // WHY the other one gives way: nothing is in the log whose keys were not shared before,
            // so no command was ever digested under it.
            Some(file) => {
                warn!(path = %file.path().display(), "another node's digest key is taken over");
                file.heal(disk, log_id, &digest_key, &self.keys.customers())?;
            }
        }
        self.keys.set_digest_key(digest_key);
        Ok(())
    }

    /// Folds the frames that the reader shows beyond, and returns the last position folded.
    ///
    /// # Errors
    /// [`EngineError`] where the log cannot be read or understood, or the folder not be written.
    pub fn follow(&mut self) -> Result<Position, EngineError> {
        self.fold.follow(&*self.options.reader, &mut self.keeper)?;
        self.fold.keep(&mut self.keeper, self.options.limits.snapshot_every)?;
        Ok(Position(self.fold.tail().next_position.0 - 1))
    }

    /// What opening and following had to do so far.
    #[must_use]
    pub const fn report(&self) -> RecoveryReport {
        self.fold.report()
    }

    /// Takes the log over: folds what is left of it, makes a new key file where the log is empty,
    /// shares the keys that other nodes do not find yet, and appends `WriterOpened`. Returns once that
    /// is durable, or the log is found full.
    ///
    /// # Errors
    /// [`EngineError`]; one that [`is_fenced`](EngineError::is_fenced) or
    /// [`is_unavailable`](EngineError::is_unavailable) leaves the node as it was: open a new standby.
    pub fn lead(
        self,
        log: Box<dyn EventLog>,
        clock: Arc<dyn Clock>,
    ) -> Result<Engine, EngineError> {
        let limits = self.options.limits;
        Engine::start(Writer::lead(self, log, &clock)?, limits, clock)
    }

    /// Ends: writes request ids and a snapshot for a quick next start.
    ///
    /// # Errors
    /// [`EngineError`] where they cannot be written. Nothing is lost but time at the next start.
    pub fn close(mut self) -> Result<(), EngineError> {
        self.fold.keep(&mut self.keeper, 1)?;
        info!(frame = self.fold.tail().number.0, "the standby has stopped");
        Ok(())
    }
}
