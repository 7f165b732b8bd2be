//! The engine's state beside a log that somebody else writes, ready to take over.

use std::path::Path;
use std::sync::Arc;

use encours_domain::Position;
use encours_log::{Clock, Disk, EventLog, LogReader};
use tracing::info;

use crate::driver::Engine;
use crate::entropy::Entropy;
use crate::error::EngineError;
use crate::keeper::Keeper;
use crate::keys::{KeyStore, LocalKeys};
use crate::patience::Patience;
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
/// be used any more, except where the keys found no room ([`EngineError::is_full`]).
pub struct Standby {
    pub(crate) options: StandbyOptions,
    pub(crate) keys: LocalKeys,
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
        let keys = LocalKeys::open(&**disk, &dir.join("keys"), reader.log_id())?;
        let mut keeper = Keeper::open(disk, dir, Arc::clone(reader), limits.file_ids)?;
        let mut fold = Fold::open(&**reader, &keeper, limits.generation_ids)?;
        fold.follow(&**reader, &mut keeper)?;
        Ok(Self { options, keys, keeper, fold })
    }

    /// The keys of customers: the same store for as long as this state lives, also once it leads.
    #[must_use]
    pub fn keys(&self) -> Arc<KeyStore> {
        self.keys.store()
    }

    /// Takes in keys as another node has given them to
    /// [`EventLog::share_keys`](EventLog::share_keys): durable in the key file when this returns, and
    /// only then in use. Call it in the order of sharing, and before the frames that rest on them;
    /// later keys win. Keys that are known already change nothing, so all may be given again.
    ///
    /// # Errors
    /// [`EngineError::Keys`] where the records are damaged, belong to another log or do not begin with
    /// their head, or where the disk refuses; [`EngineError::KeySync`] after a failed sync. Where there
    /// was no room ([`EngineError::is_full`]) the same records are to be given again.
    pub fn add_keys(&mut self, records: &[u8]) -> Result<(), EngineError> {
        self.keys.add(&*self.options.disk, records)
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
        let patience = Patience::with_pauses(Arc::clone(&clock));
        let opening = Arc::clone(&clock);
        Engine::start(|| Writer::lead(self, log, &opening, patience), limits, clock)
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
