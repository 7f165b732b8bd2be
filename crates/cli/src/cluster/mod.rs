//! One node of several on a log that NATS servers keep.
//!
//! | in the data folder | what | backed up |
//! | --- | --- | --- |
//! | `lock` | held while the node runs; names its process | no |
//! | `node` | the node's name, made at its first start | no |
//! | `log/` | the verified copy of the log | a copy of what the servers keep |
//! | `keys/` | the keys of customers' personal details, as all nodes have them, and this node's that signs checkpoints | yes |
//! | `checkpoints/` | signed checkpoints: the newest, and that of each day | yes |
//! | `snapshots/`, `requests/`, `views/`, `proofs/` | made again from the log | no |
//!
//! A node on several logs has a folder `logs/NAME` with all this for each of them, apart from `lock`,
//! which is there too, and `node`.

mod beside;
mod lease;
mod role;
mod several;
mod spread;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use encours_api::{Api, LinkFigures, Writing};
use encours_audit::newest_known;
use encours_engine::{Limits, known_frames};
use encours_log::{
    Clock, Disk, Holder, JournalOptions, Link, LockGuard, LogId, LogReader, Replica, StreamOptions,
};
use encours_projections::{Checkpoint, ReadModel, ReadModelOptions};
use encours_publisher::PublisherOptions;
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tracing::info;

use self::beside::Beside;
use self::lease::Beats;
use self::role::Role;
pub(crate) use self::several::{Members, MembersOptions};
use self::spread::Others;
use crate::checkpoints::{Checkpoints, Signing};
use crate::failure::{Exit, Failure, Outcome};
use crate::node::{caught_up, lock, log_dir, node_file};

/// How long a start waits until somebody leads.
const LEADER_LIMIT: Duration = Duration::from_secs(6);
/// The longest name of a node, in bytes.
const NAME_MAX: u64 = 64;

/// What a member is opened with.
pub(crate) struct MemberOptions {
    /// The data folder; made where it does not exist.
    pub(crate) data: PathBuf,
    /// Bytes of a new segment of the local copy.
    pub(crate) segment_len: u64,
    /// The disk.
    pub(crate) disk: Arc<dyn Disk>,
    /// Where time comes from.
    pub(crate) clock: Arc<dyn Clock>,
    /// The engine's limits.
    pub(crate) limits: Limits,
    /// How checkpoints are signed.
    pub(crate) signing: Signing,
    /// The log and the servers that keep it.
    pub(crate) stream: StreamOptions,
    /// Where the other nodes reach this one, such as `10.0.0.7:50051`.
    pub(crate) address: String,
    /// What to publish while this node leads.
    pub(crate) publish: Option<PublisherOptions>,
    /// The node on all its logs, where there are several.
    pub(crate) whole: Option<Whole>,
}

/// What the members of one node share, which follow a log each.
#[derive(Clone)]
pub(crate) struct Whole {
    node: String,
    others: Others,
}

/// A running member.
pub(crate) struct Member {
    api: Api,
    model: ReadModel,
    reader: Arc<dyn LogReader>,
    link: Link,
    beats: Beats,
    writing: watch::Receiver<Writing>,
    checkpoints: Checkpoints,
    stop: watch::Sender<bool>,
    /// How the thread ended; `None` once that was told.
    ended: Option<oneshot::Receiver<Outcome>>,
    // INVARIANT: the last field, so that the folder is let go after all that writes in it.
    _lock: Box<dyn LockGuard>,
}

impl Member {
    /// Connects, brings the local copy to the end of the log and starts to follow it. Blocks while
    /// it reads. Must be called within a tokio runtime, off its async workers.
    pub(crate) fn open(options: MemberOptions) -> Outcome<Self> {
        let MemberOptions { data, segment_len, disk, clock, limits, stream, address, .. } = options;
        let lock = lock(&*disk, &data)?;
        let runtime = Handle::current();
        let (node, others) = match options.whole {
            Some(Whole { node, others }) => (node, others),
            None => (name(&*disk, &data)?, Others::default()),
        };
        let checkpoint = Checkpoint::load(&data.join("views"));
        let mut known = known_frames(&*disk, &data);
        known.extend(checkpoint.known());
        known.extend(newest_known(&*disk, &data)?);
        info!(data = %data.display(), node, log = %stream.log, "opening");
        let log = stream.log.clone();
        let link = Link::connect(runtime.clone(), stream)?;
        let create = Some(random_log_id()?);
        let journal = JournalOptions { segment_len, create, known, ..JournalOptions::default() };
        let mut replica = Replica::open(link.clone(), Arc::clone(&disk), &log_dir(&data), journal)?;
        let mut standby = role::standby(&data, &disk, &replica, limits)?;
        role::catch_up(&mut replica, &mut standby)?;
        let reader = replica.reader();
        info!(frame = %reader.tail().number, "the log is followed");
        let model = read_model(&reader, checkpoint, &clock)?;
        let (to_leads, leads) = watch::channel(false);
        let checkpoints = Checkpoints::spawn(
            Arc::clone(&reader),
            Arc::clone(&disk),
            Arc::clone(&clock),
            &data,
            options.signing,
            Some(leads.clone()),
        )?;
        let lease = link.lease(Holder { node, address })?;
        let beats = Beats::spawn(&runtime, lease, leads, others);
        let (to_keys, keys) = watch::channel(standby.keys());
        let (to_writing, writing) = watch::channel(Writing::Nobody);
        let (stop, stopped) = watch::channel(false);
        let seen = link.clone();
        let api = Api::of_node(model.clone(), Arc::clone(&reader), keys, writing.clone())
            .with_log_name(log.as_str())
            .with_notary(checkpoints.notary())
            .with_link(move || figures(seen.figures()));
        let beside = Beside::new(runtime.clone(), api.clone(), options.publish);
        let api = api.with_publisher(beside.figures());
        let role = Role {
            data,
            disk,
            clock,
            limits,
            runtime,
            link: link.clone(),
            replica,
            held: beats.held(),
            relief: beats.relief(),
            failed: 0,
            is_skewed: false,
            stop: stopped,
            writing: to_writing,
            leads: to_leads,
            keys: to_keys,
            beside,
        };
        let (tell, ended) = oneshot::channel();
        thread::Builder::new().name("encours-role".to_owned()).spawn(move || {
            // Nobody need wait for it any more.
            let _ = tell.send(role.run(standby));
        })?;
        let ended = Some(ended);
        Ok(Self { api, model, reader, link, beats, writing, checkpoints, stop, ended, _lock: lock })
    }

    /// The gRPC services of this node.
    pub(crate) fn api(&self) -> Api {
        self.api.clone()
    }

    /// Waits until the read model knows all that the local copy holds now.
    pub(crate) async fn caught_up(&self) -> Outcome {
        caught_up(&self.model, &*self.reader).await
    }

    /// Waits until somebody leads, a few seconds at most: a first write then meets a leader.
    pub(crate) async fn led(&self) {
        let mut writing = self.writing.clone();
        let led = writing.wait_for(|writing| !matches!(writing, Writing::Nobody));
        // Reads are served all the same.
        let _ = tokio::time::timeout(LEADER_LIMIT, led).await;
    }

    /// Waits until the node cannot go on. To drop it is safe.
    pub(crate) async fn failure(&mut self) -> Failure {
        let Some(ended) = &mut self.ended else { return std::future::pending().await };
        let ended = ended.await;
        self.ended = None;
        match ended {
            Ok(Err(failure)) => failure,
            Ok(Ok(())) | Err(_) => {
                Failure::new(Exit::Failure, "the thread that keeps the log has failed")
            }
        }
    }

    /// Stops cleanly: leads no more, gives the lease up, writes a checkpoint, lets the folder go.
    pub(crate) async fn stop(self) -> Outcome {
        let Self { model, beats, checkpoints, stop, ended, _lock: lock, .. } = self;
        // WHY first: what is acknowledged until then is signed last, when it leads no more.
        checkpoints.stops();
        stop.send_replace(true);
        let ended = match ended {
            Some(ended) => ended.await.unwrap_or(Ok(())),
            None => Ok(()),
        };
        beats.stop().await;
        let written = tokio::task::spawn_blocking(move || model.stop()).await;
        checkpoints.stop().await;
        written.map_err(|error| Failure::new(Exit::Failure, error.to_string()))?;
        drop(lock);
        ended
    }
}

/// The read model over the local copy of the log.
fn read_model(
    reader: &Arc<dyn LogReader>,
    checkpoint: Checkpoint,
    clock: &Arc<dyn Clock>,
) -> Outcome<ReadModel> {
    let (reader, clock) = (Arc::clone(reader), Arc::clone(clock));
    ReadModel::open(ReadModelOptions { reader, checkpoint: Some(checkpoint), clock })
        .map_err(|error| Failure::new(Exit::Failure, format!("read model: {error}")))
}

/// How the connection is, for the metrics.
fn figures(figures: encours_log::LinkFigures) -> LinkFigures {
    let encours_log::LinkFigures { connected, ambiguous, fenced, gaps } = figures;
    LinkFigures { connected, ambiguous, fenced, gaps }
}

fn random_log_id() -> Outcome<LogId> {
    LogId::random().ok_or_else(|| Failure::new(Exit::Failure, "the system gives no random numbers"))
}

/// The node's name: kept in its data folder, so that two nodes never bear the same.
fn name(disk: &dyn Disk, data: &Path) -> Outcome<String> {
    let path = node_file(data);
    let unusable =
        |error: io::Error| Failure::new(Exit::Failure, format!("{}: {error}", path.display()));
    if disk.exists(&path).map_err(unusable)? {
        let bytes = disk.read_all(&path, NAME_MAX).map_err(unusable)?;
        let text = String::from_utf8_lossy(&bytes).trim().to_owned();
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Ok(text);
        }
        return Err(Failure::new(Exit::Failure, format!("{} holds no name", path.display()))
            .hint("delete it: the next start makes another name"));
    }
    let id = random_log_id()?.to_string();
    let name = id[..12].to_owned();
    disk.replace(&path, name.as_bytes()).map_err(unusable)?;
    Ok(name)
}
