//! Signed checkpoints, put where others look for them: a bucket with one key for each log.
//!
//! Only the newest one matters, so that nothing waits and nothing is queued: what was not put is
//! overtaken by the next one. The bucket keeps the last 64 of each log.

use std::num::NonZeroU8;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::context::{ContextBuilder, KeyValueErrorKind};
use async_nats::jetstream::kv::{Config, Store};
use async_nats::jetstream::stream::StorageType;
use async_nats::{ConnectOptions, ServerAddr};
use encours_log::Access;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

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

    /// Puts the newest one, within a few seconds, and ends.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "publishing checkpoints has failed");
        }
    }
}

async fn run(
    options: CheckpointOptions,
    mut newest: watch::Receiver<Option<PublicCheckpoint>>,
    mut stop: watch::Receiver<bool>,
) {
    let (mut pause, mut told, mut put) = (FIRST_PAUSE, None, None);
    loop {
        let Err(problem) = session(&options, &mut newest, &mut stop, &mut put).await else {
            return;
        };
        if told.as_ref() != Some(&problem) {
            tracing::warn!(%problem, "checkpoints are not published");
        }
        told = Some(problem);
        let stopped = timeout(pause, stop.wait_for(|stop| *stop)).await;
        if stopped.is_ok() {
            return;
        }
        pause = (pause * 2).min(crate::MAX_PAUSE);
    }
}

/// Puts what is new until told to stop.
async fn session(
    options: &CheckpointOptions,
    newest: &mut watch::Receiver<Option<PublicCheckpoint>>,
    stop: &mut watch::Receiver<bool>,
    put: &mut Option<PublicCheckpoint>,
) -> Result<(), Problem> {
    let store = open(options).await?;
    loop {
        let is_last = *stop.borrow_and_update();
        let next = newest.borrow_and_update().clone();
        if let Some(next) = next.filter(|next| put.as_ref() != Some(next)) {
            let doing = format!("bucket {CHECKPOINT_BUCKET}");
            let value = next.note.as_bytes().to_vec().into();
            let stored = timeout(PATIENCE, store.put(next.log_id.as_str(), value)).await;
            stored
                .map_err(|error| Problem::unavailable(&doing, error))?
                .map_err(|error| Problem::unavailable(&doing, error))?;
            *put = Some(next);
        }
        if is_last {
            return Ok(());
        }
        tokio::select! {
            stopped = stop.changed() => if stopped.is_err() { return Ok(()) },
            // Nobody makes new ones any more: what there is was put.
            changed = newest.changed() => if changed.is_err() { return Ok(()) },
        }
    }
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
