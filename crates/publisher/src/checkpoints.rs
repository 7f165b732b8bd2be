//! Signed checkpoints, put where others look for them: a bucket with one key for each log.
//!
//! Only the newest one matters, so that nothing waits and nothing is queued: what was not put is
//! overtaken by the next one. The bucket keeps the last 64 of each log.

use std::num::NonZeroU8;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::context::{ContextBuilder, KeyValueErrorKind};
use async_nats::jetstream::kv::{Config, Store, UpdateErrorKind};
use async_nats::jetstream::stream::{RawMessageErrorKind, StorageType};
use async_nats::{ConnectOptions, ServerAddr};
use encours_log::Access;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::problem::Problem;

/// The bucket of checkpoints; its keys are the ids of logs, as 32 hexadecimal digits.
pub const CHECKPOINT_BUCKET: &str = "ENCOURS_CHECKPOINTS";
/// Checkpoints of a log that the bucket keeps: the most that there can be.
const HISTORY: i64 = 64;
/// The most bytes of the bucket: some thousands of logs.
const BUCKET_MAX: i64 = 64 * 1024 * 1024;
/// The most bytes of a checkpoint.
const VALUE_MAX: i32 = 64 * 1024;
/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The pause after the first failure; it doubles up to [`MAX_PAUSE`](crate::MAX_PAUSE).
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// How long the last one may take once it is told to stop.
const STOP_LIMIT: Duration = Duration::from_secs(5);
/// Attempts where somebody else puts checkpoints of the same log.
const ATTEMPTS: u32 = 3;

/// A checkpoint to be put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicCheckpoint {
    /// The log, as 32 hexadecimal digits.
    pub log_id: String,
    /// The signed note.
    pub note: Arc<str>,
}

/// Where to.
#[derive(Clone, Debug)]
pub struct CheckpointOptions {
    /// The servers, at least one.
    pub servers: Vec<ServerAddr>,
    /// What they ask for, and whom to trust.
    pub access: Access,
    /// Replicas of a bucket that is made.
    pub replicas: NonZeroU8,
}

/// Puts each new checkpoint. To drop it ends it where it stands.
#[derive(Debug)]
pub struct CheckpointPublisher {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl CheckpointPublisher {
    /// Starts to put what `newest` tells; waits for no server. Must be called within a tokio runtime.
    #[must_use]
    pub fn spawn(
        options: CheckpointOptions,
        newest: watch::Receiver<Option<PublicCheckpoint>>,
    ) -> Self {
        let (stop, stopped) = watch::channel(false);
        Self { stop, task: tokio::spawn(run(options, newest, stopped)) }
    }

    /// Puts the newest one and ends, within five seconds.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "publishing checkpoints has failed");
        }
    }
}

async fn run(
    options: CheckpointOptions,
    newest: watch::Receiver<Option<PublicCheckpoint>>,
    stop: watch::Receiver<bool>,
) {
    let mut told_to = stop.clone();
    let mut putting = Putting { options, newest, stop, pause: FIRST_PAUSE, told: None, put: None };
    let is_late = async {
        let _ = told_to.wait_for(|stop| *stop).await;
        sleep(STOP_LIMIT).await;
    };
    tokio::select! {
        () = putting.run() => {}
        () = is_late => tracing::warn!("the last checkpoint was not published in time"),
    }
}

struct Putting {
    options: CheckpointOptions,
    newest: watch::Receiver<Option<PublicCheckpoint>>,
    stop: watch::Receiver<bool>,
    /// The pause after the next failure.
    pause: Duration,
    /// What has failed since something was put, and was told.
    told: Option<Problem>,
    /// What was put last.
    put: Option<PublicCheckpoint>,
}

impl Putting {
    async fn run(&mut self) {
        loop {
            let Err(problem) = self.session().await else { return };
            if self.told.as_ref() != Some(&problem) {
                tracing::warn!(%problem, "checkpoints are not published");
            }
            self.told = Some(problem);
            let stopped = timeout(self.pause, self.stop.wait_for(|stop| *stop)).await;
            if stopped.is_ok() {
                return;
            }
            self.pause = (self.pause * 2).min(crate::MAX_PAUSE);
        }
    }

    /// Puts what is new until told to stop.
    async fn session(&mut self) -> Result<(), Problem> {
        let store = open(&self.options).await?;
        loop {
            let is_last = *self.stop.borrow_and_update();
            let next = self.newest.borrow_and_update().clone();
            if let Some(next) = next.filter(|next| self.put.as_ref() != Some(next)) {
                put(&store, &next).await?;
                self.put = Some(next);
                self.pause = FIRST_PAUSE;
                // WHY forgotten: what comes after that is another loss, though of the same kind.
                if self.told.take().is_some() {
                    tracing::info!("checkpoints are published again");
                }
            }
            if is_last {
                return Ok(());
            }
            tokio::select! {
                stopped = self.stop.changed() => if stopped.is_err() { return Ok(()) },
                // Nobody makes new ones any more: what there is was put.
                changed = self.newest.changed() => if changed.is_err() { return Ok(()) },
            }
        }
    }
}

/// Puts a checkpoint, unless the bucket has one of as many events or more.
///
/// WHY: a node that led, and was cut off, may put what it signed before the new leader's. Who reads the
/// newest one must never see the log shrink.
async fn put(store: &Store, next: &PublicCheckpoint) -> Result<(), Problem> {
    let doing = format!("bucket {CHECKPOINT_BUCKET}");
    let size = size_of(&next.note).unwrap_or_default();
    for _ in 0..ATTEMPTS {
        let (there, revision) = last(store, &next.log_id, &doing).await?;
        match there {
            Some(there) if there > size => {
                tracing::info!(
                    size,
                    there,
                    "no checkpoint is published: there is one of more events"
                );
                return Ok(());
            }
            // As at each start: it is there already.
            Some(there) if there == size => return Ok(()),
            _ => {}
        }
        let value = next.note.as_bytes().to_vec().into();
        let stored = timeout(PATIENCE, store.update(next.log_id.as_str(), value, revision)).await;
        match stored.map_err(|error| Problem::unavailable(&doing, error))? {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => {}
            Err(error) => return Err(Problem::unavailable(&doing, error)),
        }
    }
    let why = "somebody else puts checkpoints of this log, or the last one cannot be read";
    Err(Problem::unavailable(&doing, why))
}

/// How many events the last checkpoint of a log has, where there is one, and the revision that the next
/// one has to follow.
///
/// WHY not as an entry of the bucket: that is read from any replica, which may be behind.
async fn last(store: &Store, log_id: &str, doing: &str) -> Result<(Option<u64>, u64), Problem> {
    let subject = format!("$KV.{CHECKPOINT_BUCKET}.{log_id}");
    match timeout(PATIENCE, store.stream.get_last_raw_message_by_subject(&subject)).await {
        Err(error) => Err(Problem::unavailable(doing, error)),
        Ok(Err(error)) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok((None, 0)),
        Ok(Err(error)) => Err(Problem::unavailable(doing, error)),
        Ok(Ok(message)) => {
            let size = size_of(&String::from_utf8_lossy(&message.payload));
            Ok((size, message.sequence))
        }
    }
}

/// The events of a checkpoint: the second line of the note.
fn size_of(note: &str) -> Option<u64> {
    note.lines().nth(1)?.parse().ok()
}

async fn open(options: &CheckpointOptions) -> Result<Store, Problem> {
    let servers: Vec<_> =
        options.servers.iter().map(|at| format!("{}:{}", at.host(), at.port())).collect();
    let doing = format!("connecting to {}", servers.join(", "));
    let connect = ConnectOptions::new()
        .name("encours checkpoints")
        .connection_timeout(PATIENCE)
        .request_timeout(Some(PATIENCE))
        .max_reconnects(options.servers.len());
    let signed_in = options.access.let_in(connect, &options.servers).await;
    let connect = signed_in.map_err(|error| Problem::Refused(error.to_string()))?;
    let client = connect.connect(options.servers.as_slice()).await;
    let client = client.map_err(|error| Problem::unavailable(&doing, error))?;
    let context = ContextBuilder::new().timeout(PATIENCE).build(client);
    let doing = format!("bucket {CHECKPOINT_BUCKET}");
    let store = match context.get_key_value(CHECKPOINT_BUCKET).await {
        Ok(store) => store,
        Err(error) if error.kind() == KeyValueErrorKind::GetBucket => {
            let made = context.create_key_value(wanted(options)).await;
            made.map_err(|error| Problem::unavailable(&doing, error))?;
            let store = context.get_key_value(CHECKPOINT_BUCKET).await;
            store.map_err(|error| Problem::unavailable(&doing, error))?
        }
        Err(error) => return Err(Problem::unavailable(&doing, error)),
    };
    check(&store)?;
    Ok(store)
}

fn wanted(options: &CheckpointOptions) -> Config {
    Config {
        bucket: CHECKPOINT_BUCKET.to_owned(),
        description: "Signed checkpoints of Encours logs".to_owned(),
        history: HISTORY,
        max_bytes: BUCKET_MAX,
        max_value_size: VALUE_MAX,
        storage: StorageType::File,
        num_replicas: usize::from(options.replicas.get()),
        ..Config::default()
    }
}

fn check(store: &Store) -> Result<(), Problem> {
    let config = &store.stream.cached_info().config;
    let mut drift = Vec::new();
    if !config.max_age.is_zero() {
        drift.push("max_age must be 0");
    }
    if config.max_messages_per_subject != HISTORY {
        drift.push("max_msgs_per_subject must be 64");
    }
    if config.storage != StorageType::File {
        drift.push("storage must be file");
    }
    if drift.is_empty() {
        return Ok(());
    }
    Err(Problem::Refused(format!(
        "the settings of bucket {CHECKPOINT_BUCKET} differ: {}",
        drift.join("; ")
    )))
}
