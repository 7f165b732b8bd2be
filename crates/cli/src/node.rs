//! One node: the journal, the engine that writes it, the read model and the scheduler that follow it,
//! put together over a data folder.
//!
//! | in the data folder | what | backed up |
//! | --- | --- | --- |
//! | `lock` | held while a node runs; names its process | no |
//! | `log/` | the journal: the only truth | yes |
//! | `keys/` | the keys of customers' personal details, and the one that signs checkpoints | yes |
//! | `checkpoints/` | signed checkpoints: the newest, and that of each day | yes |
//! | `snapshots/`, `requests/`, `views/`, `proofs/` | made again from the log | no |

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use encours_api::{Api, RecoveryFigures};
use encours_audit::newest_known;
use encours_engine::{
    Engine, EngineError, EngineHandle, EngineOptions, KeyFileError, Limits, known_frames,
};
use encours_log::{
    Clock, Disk, EventLog, Journal, JournalOptions, LockError, LockGuard, LogError, LogId,
    LogReader, Position,
};
use encours_projections::{Checkpoint, ReadModel, ReadModelOptions, StopError};
use encours_scheduler::Scheduler;
use tracing::info;

use crate::checkpoints::{Checkpoints, Signing};
use crate::failure::{Exit, Failure, Outcome};

/// What a node is opened with.
pub(crate) struct NodeOptions {
    /// The data folder; made where it does not exist.
    pub(crate) data: PathBuf,
    /// Bytes of a new segment of the journal.
    pub(crate) segment_len: u64,
    /// Whether the folder must hold a log already.
    pub(crate) existing: bool,
    /// The disk.
    pub(crate) disk: Arc<dyn Disk>,
    /// Where time comes from.
    pub(crate) clock: Arc<dyn Clock>,
    /// The engine's limits.
    pub(crate) limits: Limits,
    /// How checkpoints are signed.
    pub(crate) signing: Signing,
}

/// A running node.
pub(crate) struct Node {
    engine: Engine,
    model: ReadModel,
    scheduler: Scheduler,
    recovery: RecoveryFigures,
    checkpoints: Checkpoints,
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
        let NodeOptions { data, segment_len, existing, disk, clock, limits, signing } = options;
        let begun = clock.monotonic();
        if existing && !holds_log(&*disk, &data)? {
            return Err(no_log(&data));
        }
        let lock = lock(&*disk, &data)?;
        own_log(&*disk, &data)?;
        if !holds_log(&*disk, &data)? {
            nothing_left(&*disk, &data)?;
        }
        // WHY before the log: what the others have seen is what the log is held against.
        let checkpoint = Checkpoint::load(&data.join("views"));
        let mut known = known_frames(&*disk, &data);
        known.extend(checkpoint.known());
        known.extend(newest_known(&*disk, &data)?);
        let create =
            Some(LogId::random().ok_or_else(|| {
                Failure::new(Exit::Failure, "the system gives no random numbers")
            })?);
        info!(data = %data.display(), known = known.len(), "opening");
        let journal_options =
            JournalOptions { segment_len, create, known, ..JournalOptions::default() };
        let (journal, opened) = Journal::open(Arc::clone(&disk), &log_dir(&data), journal_options)?;
        let reader = journal.reader();
        let log = Box::new(journal);
        let mut options = EngineOptions::new(log, Arc::clone(&disk), Arc::clone(&clock));
        options.limits = limits;
        let engine = Engine::open(options, &data)?;
        let report = engine.handle().recovery();
        let took = clock.monotonic().saturating_sub(begun);
        info!(
            ms = took.as_millis(), snapshot = %report.snapshot, frames = report.frames, events = report.events,
            request_ids = report.request_ids, "engine open"
        );
        let (seen, time) = (Arc::clone(&reader), Arc::clone(&clock));
        let options = ReadModelOptions { reader, checkpoint: Some(checkpoint), clock };
        let model = ReadModel::open(options)
            .map_err(|error| Failure::new(Exit::Failure, format!("read model: {error}")))?;
        info!(position = %model.position(), "read model open");
        let scheduler = Scheduler::spawn(engine.handle());
        let recovery = RecoveryFigures {
            took,
            snapshot: report.snapshot.0,
            frames: report.frames,
            events: report.events,
            torn_bytes: opened.torn_bytes,
            cleaned: opened.cleaned.len() as u64,
        };
        let checkpoints = Checkpoints::spawn(seen, disk, time, &data, signing, None)?;
        Ok(Self { engine, model, scheduler, recovery, checkpoints, _lock: lock })
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
            .with_recovery(self.recovery)
            .with_notary(self.checkpoints.notary())
    }

    /// Waits until the read model knows all that the log holds now.
    pub(crate) async fn caught_up(&self) -> Outcome {
        caught_up(&self.model, &*self.engine().reader()).await
    }

    /// Stops cleanly: no more days are opened, the commands in the queue are decided and made
    /// durable, snapshot and checkpoint written, the log closed and signed as it stands, the folder let
    /// go.
    pub(crate) async fn stop(self) -> Outcome {
        let Self { engine, model, scheduler, checkpoints, _lock: lock, .. } = self;
        scheduler.stop().await;
        let stopped = engine.handle().stop().await;
        let written = tokio::task::spawn_blocking(move || model.stop()).await;
        checkpoints.stop().await;
        written.map_err(|error| Failure::new(Exit::Failure, error.to_string()))?;
        drop(lock);
        stopped.map_err(|error| failed(&error))
    }
}

/// Waits until a read model knows all that its log holds now, or stops at an event that it cannot
/// fold.
pub(crate) async fn caught_up(model: &ReadModel, reader: &dyn LogReader) -> Outcome {
    let last = Position(reader.tail().next_position.0.saturating_sub(1));
    match model.wait_for(last).await {
        // WHY no failure: who cannot be answered all can still be answered much, and health, metrics
        // and the log say so.
        Ok(_) | Err(StopError::Fold { .. } | StopError::Decode { .. }) => Ok(()),
        Err(error) => Err(Failure::new(Exit::Failure, error.to_string())),
    }
}

/// Whether the data folder holds a log, or a part of one.
fn holds_log(disk: &dyn Disk, data: &Path) -> Outcome<bool> {
    let log = log_dir(data);
    let names = match disk.list(&log) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        names => names.map_err(|error| unusable(&log, &error))?,
    };
    Ok(names.iter().any(|name| name == "anchor" || name.ends_with(".seg")))
}

/// Refuses to begin a log beside what belongs to another one: that one is lost, or not mounted, and
/// positions must not be given out twice.
fn nothing_left(disk: &dyn Disk, data: &Path) -> Outcome {
    for name in ["keys/customers.keys", "checkpoints", "snapshots", "requests", "views"] {
        let path = data.join(name);
        if disk.exists(&path).map_err(|error| unusable(&path, &error))? {
            let what = format!("log_missing: {} has {name}, but no log", data.display());
            return Err(Failure::new(Exit::Damaged, what).hint(
                "mount or restore log/ of the same folder; only an empty folder gets a new log",
            ));
        }
    }
    Ok(())
}

fn no_log(data: &Path) -> Failure {
    let what = format!("log_missing: {} holds no log, and --existing says it must", data.display());
    Failure::new(Exit::Damaged, what)
        .hint("look whether its disk is mounted, or restore the folder")
}

/// Refuses a folder that holds the copy of a log kept elsewhere: what was appended here alone would
/// part the copy from the log for good.
fn own_log(disk: &dyn Disk, data: &Path) -> Outcome {
    let marks = [node_file(data), data.join("logs")];
    for mark in marks {
        if disk.exists(&mark).map_err(|error| unusable(&mark, &error))? {
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

/// Where a restore builds what belongs into a data folder. Beside a log it is of no effect.
pub(crate) const RESTORING: &str = ".restoring";

/// Takes the data folder for this process, unless a restore has not brought the log there yet.
pub(crate) fn lock(disk: &dyn Disk, data: &Path) -> Outcome<Box<dyn LockGuard>> {
    let lock = take_folder(disk, data)?;
    let unfinished = data.join(RESTORING);
    let is_there = disk.exists(&unfinished).map_err(|error| unusable(&unfinished, &error))?;
    if is_there && !holds_log(disk, data)? {
        let data = data.display();
        let what = format!("restore_unfinished: {data} has {RESTORING}, but no log");
        return Err(Failure::new(Exit::Damaged, what).hint(format!(
            "a restore was interrupted: `encours restore --from BACKUP --data {data}` begins anew"
        )));
    }
    Ok(lock)
}

/// Takes a folder for this process, and makes it where it does not exist.
pub(crate) fn take_folder(disk: &dyn Disk, data: &Path) -> Outcome<Box<dyn LockGuard>> {
    disk.create_dir_all(data).map_err(|error| unusable(data, &error))?;
    disk.lock(&data.join("lock")).map_err(|error| match error {
        LockError::Held { holder } => LogError::Locked { dir: data.to_owned(), holder }.into(),
        LockError::Io(error) => unusable(data, &error),
    })
}

/// A file or folder that the system does not let this process use.
fn unusable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Exit::Failure, format!("{}: {error}", path.display()))
        .hint("give a folder that this user can read and write with --data")
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
