//! The read model as its users hold it: a handle that queries, waits and tells how it is.

mod rebuild;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use encours_domain::{Micros, Position};
use encours_log::{Clock, FrameNumber, LogError, LogReader};
use tokio::sync::watch;

use crate::checkpoint::{Checkpoint, mark, unmark};
use crate::error::{OpenError, StopError};
use crate::model::Model;
use crate::replay::position_at;
use crate::worker::Worker;

pub use rebuild::{RebuildProgress, Rebuilds, Rebuilt};

/// How the read model is.
#[derive(Clone, Debug)]
pub struct Health {
    /// Why it stands still; `None` while it follows the log.
    pub stopped: Option<StopError>,
    /// Whether its answers are complete for their position. False only while it is folded anew after
    /// an event that could not be folded: until then it is empty.
    pub serving: bool,
    /// Why its checkpoint was set aside and it was rebuilt from the log, where that happened.
    pub rebuilt: Option<String>,
    /// Why the last checkpoint could not be written, where that happened.
    pub checkpoint_failed: Option<String>,
}

/// A handle on the read model. Clones are cheap and share it.
#[derive(Clone)]
pub struct ReadModel {
    pub(crate) shared: Arc<Shared>,
    /// The threads; taken by the first [`stop`](Self::stop).
    pub(crate) worker: Arc<Mutex<Option<Worker>>>,
}

/// What handle and threads share.
pub(crate) struct Shared {
    pub(crate) model: RwLock<Model>,
    pub(crate) position: watch::Sender<Position>,
    pub(crate) health: Mutex<Health>,
    pub(crate) reader: Arc<dyn LogReader>,
    /// The last frame before the one at which the fold has stopped; `None` while it goes on.
    pub(crate) parked: Mutex<Option<FrameNumber>>,
    /// How rebuilds have ended.
    pub(crate) rebuilds: Mutex<Rebuilds>,
    /// Whether a checkpoint is to be written at once.
    pub(crate) checkpoint_asked: AtomicBool,
    /// Where checkpoints are, if anywhere.
    folder: Option<PathBuf>,
    /// The last generation of the model that was given out.
    generation: AtomicU64,
    /// Models of earlier generations than this one may differ from the log.
    trusted: Mutex<u64>,
    /// Whether a frame could not be folded, and nobody has found out yet whether for what is in it or for
    /// what the model held.
    pub(crate) is_doubted: AtomicBool,
}

impl std::fmt::Debug for ReadModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadModel").field("position", &self.position()).finish_non_exhaustive()
    }
}

impl Shared {
    /// An empty model at the start of the log, with checkpoints in this folder.
    pub(crate) fn new(reader: Arc<dyn LogReader>, folder: Option<PathBuf>) -> Self {
        let model = Model::new(reader.log_id());
        let health =
            Health { stopped: None, serving: true, rebuilt: None, checkpoint_failed: None };
        Self {
            position: watch::Sender::new(model.seen.position),
            model: RwLock::new(model),
            health: Mutex::new(health),
            reader,
            parked: Mutex::new(None),
            rebuilds: Mutex::default(),
            checkpoint_asked: AtomicBool::new(false),
            folder,
            generation: AtomicU64::new(0),
            trusted: Mutex::default(),
            is_doubted: AtomicBool::new(false),
        }
    }

    /// An empty model of a generation of its own.
    pub(crate) fn fresh(&self) -> Model {
        let generation = self.generation.fetch_add(1, Ordering::Relaxed) + 1;
        Model { generation, ..Model::new(self.reader.log_id()) }
    }

    /// Has no checkpoint loaded any more that was made from a model of a generation before this one.
    pub(crate) fn trust_from(&self, generation: u64) {
        // INVARIANT: held until the mark is there, so that no checkpoint of an earlier one takes it off.
        let mut trusted = self.trusted.lock().unwrap_or_else(PoisonError::into_inner);
        *trusted = generation;
        if let Some(folder) = &self.folder
            && let Err(error) = mark(folder)
        {
            tracing::warn!(folder = %folder.display(), %error, "checkpoint_not_marked");
        }
    }

    /// A checkpoint was made of this generation: where that is one to be trusted, it may be loaded.
    pub(crate) fn made_of(&self, generation: u64) {
        let trusted = self.trusted.lock().unwrap_or_else(PoisonError::into_inner);
        if generation >= *trusted
            && let Some(folder) = &self.folder
        {
            unmark(folder);
        }
    }

    pub(crate) fn parked(&self) -> MutexGuard<'_, Option<FrameNumber>> {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn rebuilds(&self) -> MutexGuard<'_, Rebuilds> {
        self.rebuilds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // WHY poison is ignored: a fold that panics leaves an empty model behind, see the worker.
    pub(crate) fn model(&self) -> RwLockReadGuard<'_, Model> {
        self.model.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn model_mut(&self) -> RwLockWriteGuard<'_, Model> {
        self.model.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a read model needs.
pub struct ReadModelOptions {
    /// The log to follow.
    pub reader: Arc<dyn LogReader>,
    /// What the folder of checkpoints held, and where to write them; `None`: in memory only.
    pub checkpoint: Option<Checkpoint>,
    /// For the time between checkpoints.
    pub clock: Arc<dyn Clock>,
}

/// The model that a checkpoint holds, where it fits the log; else gives the checkpoint up.
fn restore(checkpoint: &mut Checkpoint, reader: &dyn LogReader) -> Option<Model> {
    let snapshot = checkpoint.loaded.as_ref()?.snapshot.clone();
    let frame = reader.read(snapshot.seen.frame).ok().flatten();
    let fits = snapshot.log_id == reader.log_id()
        && frame.is_some_and(|frame| {
            frame.hash() == snapshot.seen.hash && frame.last_position() == snapshot.seen.position
        });
    if !fits {
        checkpoint.refuse("the checkpoint was made from another log than this one");
        return None;
    }
    let model = Model::of(snapshot.seen, snapshot.root, snapshot.ledgers);
    if model.is_none() {
        checkpoint.refuse("the tables of the checkpoint contradict themselves");
    }
    model
}

impl ReadModel {
    /// Starts to follow a log. Returns at once; [`wait_for`](Self::wait_for) tells when it has caught
    /// up.
    ///
    /// # Errors
    /// [`OpenError::Thread`] where the system gives no thread.
    pub fn open(options: ReadModelOptions) -> Result<Self, OpenError> {
        let ReadModelOptions { reader, mut checkpoint, clock } = options;
        let model = checkpoint
            .as_mut()
            .and_then(|checkpoint| restore(checkpoint, &*reader))
            .unwrap_or_else(|| Model::new(reader.log_id()));
        let rebuilt = checkpoint.as_ref().and_then(|checkpoint| checkpoint.refused.clone());
        if let Some(reason) = &rebuilt {
            tracing::warn!(reason, "projection_rebuilt");
        }
        let folder = checkpoint.as_ref().map(|checkpoint| checkpoint.folder.clone());
        let shared = Arc::new(Shared::new(reader, folder));
        shared.health().rebuilt = rebuilt;
        shared.position.send_replace(model.seen.position);
        *shared.model_mut() = model;
        let worker = Worker::start(&shared, checkpoint, clock)?;
        Ok(Self { shared, worker: Arc::new(Mutex::new(Some(worker))) })
    }

    pub(crate) fn model(&self) -> RwLockReadGuard<'_, Model> {
        self.shared.model()
    }

    fn worker(&self) -> MutexGuard<'_, Option<Worker>> {
        self.worker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last event that answers know of.
    #[must_use]
    pub fn position(&self) -> Position {
        *self.shared.position.borrow()
    }

    /// Follows the position. Also wakes when the read model stops.
    #[must_use]
    pub fn position_watch(&self) -> watch::Receiver<Position> {
        self.shared.position.subscribe()
    }

    /// Waits until answers know of the event at `position`. Bound it by the caller's deadline; to
    /// drop it is safe.
    ///
    /// # Errors
    /// [`StopError`] where the read model has stopped before it.
    pub async fn wait_for(&self, position: Position) -> Result<Position, StopError> {
        let mut watch = self.position_watch();
        loop {
            let reached = *watch.borrow_and_update();
            if reached >= position {
                return Ok(reached);
            }
            if let Some(stopped) = self.shared.health().stopped.clone() {
                return Err(stopped);
            }
            if watch.changed().await.is_err() {
                return Err(StopError::Closed);
            }
        }
    }

    /// How it is.
    #[must_use]
    pub fn health(&self) -> Health {
        self.shared.health().clone()
    }

    /// The last event recorded at or before `time`, among those the read model knows:
    /// [`Position::START`] where all were recorded later. Reads about 2 log₂(frames) frames from the
    /// log, so call it off the async workers.
    ///
    /// # Errors
    /// [`LogError`] where the log cannot be read.
    pub fn position_at(&self, time: Micros) -> Result<Position, LogError> {
        let seen = self.model().seen;
        if time >= seen.recorded_at {
            return Ok(seen.position);
        }
        position_at(&*self.shared.reader, seen.frame, time)
    }

    /// Stops following the log, writes a last checkpoint and waits for it. Queries go on answering
    /// at the position reached. Blocks, so call it off the async workers; a second call does nothing.
    pub fn stop(&self) {
        let worker = self.worker().take();
        if let Some(worker) = worker {
            worker.stop(&self.shared);
        }
    }
}

#[cfg(test)]
mod tests;
