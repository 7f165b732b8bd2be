//! One node: the journal, the engine that writes it, the read model and the scheduler that follow it,
//! put together over a data folder.
//!
//! | in the data folder | what | backed up |
//! | --- | --- | --- |
//! | `lock` | held while a node runs; names its process | no |
//! | `log/` | the journal: the only truth | yes |
//! | `keys/` | the keys of customers' personal details | yes |
//! | `snapshots/`, `requests/`, `views/` | made again from the log | no |

use std::path::{Path, PathBuf};
use std::sync::Arc;

use encours_api::Api;
use encours_engine::{
    Engine, EngineError, EngineHandle, EngineOptions, KeyFileError, known_frames,
};
use encours_log::{
    Clock, Disk, EventLog, Journal, JournalOptions, LockError, LockGuard, LogError, LogId,
    LogReader, Position,
};
use encours_projections::{Checkpoint, ReadModel, ReadModelOptions};
use encours_scheduler::Scheduler;
use tracing::info;

use crate::failure::{Exit, Failure, Outcome};

/// What a node is opened with.
pub(crate) struct NodeOptions {
    /// The data folder; made where it does not exist.
    pub(crate) data: PathBuf,
    /// Bytes of a new segment of the journal.
    pub(crate) segment_len: u64,
    /// The disk.
    pub(crate) disk: Arc<dyn Disk>,
    /// Where time comes from.
    pub(crate) clock: Arc<dyn Clock>,
}

/// A running node.
pub(crate) struct Node {
    engine: Engine,
    model: ReadModel,
    scheduler: Scheduler,
    // INVARIANT: the last field, so that the folder is let go after all that writes in it.
    _lock: Box<dyn LockGuard>,
}

/// Where the journal of a data folder lies.
pub(crate) fn log_dir(data: &Path) -> PathBuf {
    data.join("log")
}

impl Node {
    /// Opens a data folder and recovers from it. Blocks while it reads. Must be called within a
    /// tokio runtime, which the scheduler runs on.
    pub(crate) fn open(options: NodeOptions) -> Outcome<Self> {
        let NodeOptions { data, segment_len, disk, clock } = options;
        let lock = lock(&*disk, &data)?;
        own_log(&*disk, &data)?;
        // WHY before the log: what the others have seen is what the log is held against.
        let checkpoint = Checkpoint::load(&data.join("views"));
        let mut known = known_frames(&*disk, &data);
        known.extend(checkpoint.known());
        let create =
            Some(LogId::random().ok_or_else(|| {
                Failure::new(Exit::Failure, "the system gives no random numbers")
            })?);
        info!(data = %data.display(), known = known.len(), "opening");
        let journal_options =
            JournalOptions { segment_len, create, known, ..JournalOptions::default() };
        let (journal, _) = Journal::open(Arc::clone(&disk), &log_dir(&data), journal_options)?;
        let reader = journal.reader();
        let options = EngineOptions::new(Box::new(journal), disk, Arc::clone(&clock));
        let engine = Engine::open(options, &data)?;
        let report = engine.handle().recovery();
        info!(
            snapshot = %report.snapshot, frames = report.frames, events = report.events,
            request_ids = report.request_ids, "engine open"
        );
        let options = ReadModelOptions { reader, checkpoint: Some(checkpoint), clock };
        let model = ReadModel::open(options)
            .map_err(|error| Failure::new(Exit::Failure, format!("read model: {error}")))?;
        info!(position = %model.position(), "read model open");
        let scheduler = Scheduler::spawn(engine.handle());
        Ok(Self { engine, model, scheduler, _lock: lock })
    }

    /// A handle to send commands through.
    pub(crate) fn engine(&self) -> EngineHandle {
        self.engine.handle()
    }

    /// The read model.
    pub(crate) fn model(&self) -> ReadModel {
        self.model.clone()
    }

    /// The gRPC services of this node.
    pub(crate) fn api(&self) -> Api {
        Api::new(self.engine(), self.model())
    }

    /// Waits until the read model knows all that the log holds now.
    pub(crate) async fn caught_up(&self) -> Outcome {
        caught_up(&self.model, &*self.engine().reader()).await
    }

    /// Stops cleanly: no more days are opened, the commands in the queue are decided and made
    /// durable, snapshot and checkpoint written, the log closed, the folder let go.
    pub(crate) async fn stop(self) -> Outcome {
        let Self { engine, model, scheduler, _lock: lock } = self;
        scheduler.stop().await;
        let stopped = engine.handle().stop().await;
        let written = tokio::task::spawn_blocking(move || model.stop()).await;
        written.map_err(|error| Failure::new(Exit::Failure, error.to_string()))?;
        drop(lock);
        stopped.map_err(|error| failed(&error))
    }
}

/// Waits until a read model knows all that its log holds now.
pub(crate) async fn caught_up(model: &ReadModel, reader: &dyn LogReader) -> Outcome {
    let last = Position(reader.tail().next_position.0.saturating_sub(1));
    let reached = model.wait_for(last).await;
    reached.map(drop).map_err(|error| Failure::new(Exit::Failure, error.to_string()))
}

/// Refuses a folder that holds the copy of a log kept elsewhere: what was appended here alone would
/// part the copy from the log for good.
fn own_log(disk: &dyn Disk, data: &Path) -> Outcome {
    let marks = [node_file(data), data.join("logs")];
    for mark in marks {
        if disk.exists(&mark)? {
            let what = format!("{} holds the copy of a log that NATS servers keep", data.display());
            return Err(Failure::usage(what).hint(format!(
                "say --nats with their addresses; where they are gone for good, delete {} first",
                mark.display()
            )));
        }
    }
    Ok(())
}

/// The file with the name of a node on a log that NATS servers keep.
pub(crate) fn node_file(data: &Path) -> PathBuf {
    data.join("node")
}

/// Takes the data folder for this process.
pub(crate) fn lock(disk: &dyn Disk, data: &Path) -> Outcome<Box<dyn LockGuard>> {
    let unusable = |error: std::io::Error| {
        Failure::new(Exit::Failure, format!("{}: {error}", data.display()))
            .hint("give a folder that can be written with --data")
    };
    disk.create_dir_all(data).map_err(unusable)?;
    disk.lock(&data.join("lock")).map_err(|error| match error {
        LockError::Held { holder } => LogError::Locked { dir: data.to_owned(), holder }.into(),
        LockError::Io(error) => unusable(error),
    })
}

/// Why an engine does not open, or has stopped.
pub(crate) fn failed(error: &EngineError) -> Failure {
    match error {
        EngineError::Log(error) => error.clone().into(),
        // The log is worth little without the keys that belong to it.
        EngineError::Keys(KeyFileError::Missing { .. } | KeyFileError::WrongLog { .. }) => {
            Failure::new(Exit::Damaged, format!("{}: {error}", error.code()))
                .hint("restore keys/ from the backup of the same folder")
        }
        _ if error.is_corruption() => {
            Failure::new(Exit::Damaged, format!("{}: {error}", error.code()))
                .hint("keep the folder as it is, and restore it from a backup")
        }
        _ => Failure::new(Exit::Failure, format!("{}: {error}", error.code())),
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        failed(&error)
    }
}
