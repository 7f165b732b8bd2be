//! One node on several logs.

use std::path::PathBuf;
use std::sync::Arc;

use encours_api::{Claims, Logs};
use encours_engine::Limits;
use encours_log::{Clock, Disk, Holder, LockGuard, StreamOptions};
use encours_publisher::PublisherOptions;
use futures_util::future::{join_all, select_all};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::spread::{Others, Part};
use super::{Member, MemberOptions, Whole, name};
use crate::checkpoints::Signing;
use crate::failure::{Failure, Outcome};
use crate::node::lock;

/// What a node on several logs is opened with.
pub(crate) struct MembersOptions {
    /// The data folder; made where it does not exist.
    pub(crate) data: PathBuf,
    /// Bytes of a new segment of a local copy.
    pub(crate) segment_len: u64,
    /// The disk.
    pub(crate) disk: Arc<dyn Disk>,
    /// Where time comes from.
    pub(crate) clock: Arc<dyn Clock>,
    /// The limits of each engine.
    pub(crate) limits: Limits,
    /// How checkpoints of each log are signed.
    pub(crate) signing: Signing,
    /// Where the other nodes reach this one, such as `10.0.0.7:50051`.
    pub(crate) address: String,
    /// The logs, each with its folder and what to publish of it while this node leads it.
    pub(crate) logs: Vec<(StreamOptions, PathBuf, Option<PublisherOptions>)>,
}

/// A running node on several logs.
pub(crate) struct Members {
    members: Vec<(String, Member)>,
    claims: Arc<dyn Claims>,
    spread: JoinHandle<()>,
    // INVARIANT: the last field, so that the folder is let go after all that writes in it.
    _lock: Box<dyn LockGuard>,
}

impl Members {
    /// Opens the logs one after the other, and asks for no lease before all are open: who leads must
    /// answer. Blocks while it reads. Must be called within a tokio runtime, off its async workers.
    pub(crate) fn open(options: MembersOptions) -> Outcome<Self> {
        let MembersOptions { data, segment_len, disk, clock, limits, signing, address, logs } =
            options;
        let lock = lock(&*disk, &data)?;
        let node = name(&*disk, &data)?;
        let others = Others::of_several();
        let mut members = Vec::with_capacity(logs.len());
        for (stream, data, publish) in logs {
            let log = stream.log.to_string();
            let (disk, clock) = (Arc::clone(&disk), Arc::clone(&clock));
            let whole = Some(Whole { node: node.clone(), others: others.clone() });
            let address = address.clone();
            let options = MemberOptions {
                data,
                segment_len,
                disk,
                clock,
                limits,
                signing: signing.clone(),
                stream,
                address,
                publish,
                whole,
            };
            let member = Member::open(options).map_err(|failure| failure.of_log(&log))?;
            members.push((log, member));
        }
        let Some((_, first)) = members.first() else {
            return Err(Failure::usage("--log-id names no log"));
        };
        let claims = Arc::new(first.link.claims()?);
        let lease = first.link.lease(Holder { node: node.clone(), address })?;
        let part = |(log, member): &(String, Member)| Part {
            log: log.clone(),
            held: member.beats.held(),
            give_up: member.beats.give_up(),
        };
        others.begin(members.iter().map(part).collect());
        let spread = Handle::current().spawn(others.spread(lease, node));
        Ok(Self { members, claims, spread, _lock: lock })
    }

    /// The gRPC services of this node.
    pub(crate) fn logs(&self) -> Logs {
        let logs = self.members.iter().map(|(name, member)| (name.clone(), member.api()));
        Logs::new(logs.collect(), Arc::clone(&self.claims))
    }

    /// Waits until what is in each log can be read and somebody leads it.
    pub(crate) async fn ready(&self) -> Outcome {
        for (_, member) in &self.members {
            member.caught_up().await?;
        }
        join_all(self.members.iter().map(|(_, member)| member.led())).await;
        Ok(())
    }

    /// Waits until one of the logs cannot be gone on with. To drop it is safe.
    pub(crate) async fn failure(&mut self) -> Failure {
        let failures = self
            .members
            .iter_mut()
            .map(|(log, member)| Box::pin(async move { member.failure().await.of_log(log) }));
        select_all(failures).await.0
    }

    /// Stops cleanly.
    pub(crate) async fn stop(self) -> Outcome {
        let Self { members, spread, _lock: lock, .. } = self;
        spread.abort();
        let ended = join_all(members.into_iter().map(|(_, member)| member.stop())).await;
        drop(lock);
        ended.into_iter().collect()
    }
}
