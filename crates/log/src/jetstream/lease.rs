//! Who may try to write: a key in a bucket, which goes by itself where it is not renewed.
//!
//! It only saves nodes from trying in each other's way. What keeps two writers apart is the log: a
//! frame has one place.

use std::time::Duration;

use async_nats::jetstream::kv::{Store, UpdateErrorKind};
use futures_util::StreamExt as _;

use super::bucket::{Bucket, is_deletion};
use super::link::Link;
use super::problem::unavailable;
use crate::error::LogError;

/// How long a lease lasts that is not renewed.
pub const LEASE_TTL: Duration = Duration::from_secs(3);
/// How often it is to be renewed, or tried for.
pub const LEASE_BEAT: Duration = Duration::from_millis(750);
/// What the keys of nodes begin with; the name of a log has no dot.
const NODE_PREFIX: &str = "node.";

/// A node that may hold the lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The node's name, one of its own among the nodes.
    pub node: String,
    /// Where it takes calls.
    pub address: String,
}

/// What a beat found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Beat {
    /// This node has the lease, for the next [`LEASE_TTL`].
    Mine,
    /// Another one has it.
    Of(Holder),
}

/// A node's part in who may write.
pub struct Lease {
    link: Link,
    me: Holder,
    /// What no other process has, also where it bears the same name.
    process: String,
    store: Store,
    /// The revision of the value, where it is ours.
    held: Option<u64>,
    /// The value of another process of this node's name, where that has the lease.
    namesake: Option<Namesake>,
}

/// Another process that bears this node's name: the one before this one, which renews no more, or
/// one that should not be.
struct Namesake {
    process: String,
    revision: u64,
    is_told: bool,
}

impl Link {
    /// This node's part in who may write the log. The bucket is made where it is missing.
    ///
    /// # Errors
    /// [`LogError::StreamConfig`] where the bucket is set up in another way,
    /// [`LogError::Unavailable`], [`LogError::Denied`].
    pub fn lease(&self, me: Holder) -> Result<Lease, LogError> {
        let mut number = [0; 8];
        getrandom::fill(&mut number)
            .map_err(|_| LogError::Options("the system gives no random numbers"))?;
        let process = format!("{:016x}", u64::from_le_bytes(number));
        let store = self.block(self.open_bucket(Bucket::Leases))?;
        Ok(Lease { link: self.clone(), me, process, store, held: None, namesake: None })
    }

    /// Which node leads the log now, as far as its lease tells. Asks for no lease and makes nothing.
    /// Blocks.
    ///
    /// # Errors
    /// [`LogError::Unavailable`] where nobody can tell, [`LogError::Denied`].
    pub fn leader(&self) -> Result<Option<Holder>, LogError> {
        let log = &self.options().log;
        let doing = format!("the lease of log {log}");
        let asking = self.latest(&doing, Bucket::Leases, log.as_str(), false);
        let found = self.block(self.ask(&doing, asking))?;
        let held = found.filter(|message| !is_deletion(message));
        Ok(held.map(|message| parse(&message.payload).0))
    }
}

impl Lease {
    /// Takes the lease where nobody has it, renews it where it is ours, else tells who has it.
    /// To be called every [`LEASE_BEAT`]. What an earlier process of this node held ends by itself,
    /// within [`LEASE_TTL`], and is taken then.
    ///
    /// # Errors
    /// [`LogError::Unavailable`] where nobody can tell: a lease that was ours may have ended; and
    /// where another process of the same name and address has it.
    pub async fn beat(&mut self) -> Result<Beat, LogError> {
        let doing = format!("the lease of log {}", self.link.options().log);
        let link = self.link.clone();
        link.ask(&doing, self.turn(&doing)).await
    }

    /// Whether nobody has the lease. Asks for nothing.
    ///
    /// # Errors
    /// [`LogError::Unavailable`] where nobody can tell.
    pub async fn is_free(&self) -> Result<bool, LogError> {
        let doing = format!("the lease of log {}", self.link.options().log);
        let key = self.link.options().log.as_str();
        let found =
            self.link.ask(&doing, self.link.latest(&doing, Bucket::Leases, key, true)).await?;
        Ok(found.is_none_or(|message| is_deletion(&message)))
    }

    /// Says that this node is there and keeps these logs, for the next [`LEASE_TTL`].
    ///
    /// # Errors
    /// [`LogError::Unavailable`].
    pub async fn appear(&self, logs: &[&str]) -> Result<(), LogError> {
        let doing = "telling that this node is there";
        let key = format!("{NODE_PREFIX}{}", self.me.node);
        let told = self.link.ask(doing, async {
            let put = self.store.put(key, logs.join(",").into()).await;
            put.map_err(|error| unavailable(doing, error))
        });
        told.await.map(|_| ())
    }

    /// The nodes that are there, this one among them, by name and with the logs that each keeps.
    ///
    /// # Errors
    /// [`LogError::Unavailable`] where nobody can tell.
    pub async fn nodes(&self) -> Result<Vec<(String, Vec<String>)>, LogError> {
        let doing = "asking which nodes are there";
        let prefix = Bucket::Leases.subject(NODE_PREFIX);
        let found = self.link.ask(doing, async {
            let listed = self.store.stream.info_with_subjects(format!("{prefix}>")).await;
            let mut listed = listed.map_err(|error| unavailable(doing, error))?;
            let mut names = Vec::new();
            while let Some(subject) = listed.next().await {
                let (subject, _) = subject.map_err(|error| unavailable(doing, error))?;
                names.extend(subject.strip_prefix(&prefix).map(str::to_owned));
            }
            let mut nodes = Vec::new();
            for name in names {
                let entry = self.store.entry(format!("{NODE_PREFIX}{name}")).await;
                // One that has gone meanwhile has none.
                if let Some(entry) = entry.map_err(|error| unavailable(doing, error))? {
                    let logs = String::from_utf8_lossy(&entry.value);
                    nodes.push((name, logs.split(',').map(str::to_owned).collect()));
                }
            }
            Ok(nodes)
        });
        found.await
    }

    /// Gives the lease up where it is ours, so that another node takes over at once.
    pub async fn release(&mut self) {
        let Some(revision) = self.held.take() else { return };
        let doing = "giving up the lease";
        let key = self.link.options().log.as_str();
        let given = self.link.ask(doing, async {
            let deleted = self.store.delete_expect_revision(key, Some(revision)).await;
            deleted.map_err(|error| unavailable(doing, error))
        });
        if let Err(error) = given.await {
            // It ends by itself.
            tracing::debug!(%error, "the lease was not given up");
        }
    }

    async fn turn(&mut self, doing: &str) -> Result<Beat, LogError> {
        if let Some(revision) = self.held.take()
            && self.put(doing, revision).await?
        {
            return Ok(Beat::Mine);
        }
        // Where somebody is quicker, it is seen who that was.
        for _ in 0..2 {
            let key = self.link.options().log.as_str();
            let there = self.link.latest(doing, Bucket::Leases, key, true).await?;
            let revision = there.as_ref().map_or(0, |message| message.sequence);
            if let Some(message) = there.filter(|message| !is_deletion(message)) {
                let (holder, process) = parse(&message.payload);
                // What an answer that got lost has left there is ours.
                if process != self.process {
                    return self.another(doing, holder, process, revision);
                }
            }
            if self.put(doing, revision).await? {
                self.namesake = None;
                return Ok(Beat::Mine);
            }
        }
        Err(unavailable(doing, "it changes hands"))
    }

    /// Another process has the lease. WHY also one of this node's name is left alone: it is the one
    /// before this one, whose lease ends by itself; or a copy of this node runs elsewhere, and taking
    /// the lease from each other both would lead, time and again.
    fn another(
        &mut self,
        doing: &str,
        holder: Holder,
        process: String,
        revision: u64,
    ) -> Result<Beat, LogError> {
        if holder.node != self.me.node {
            self.namesake = None;
            return Ok(Beat::Of(holder));
        }
        let before = self.namesake.take().filter(|before| before.process == process);
        let mut is_told = before.as_ref().is_some_and(|before| before.is_told);
        if !is_told && before.is_some_and(|before| before.revision != revision) {
            let (node, address) = (&holder.node, &holder.address);
            tracing::warn!(node, address, "another process bears this node's name and leads");
            is_told = true;
        }
        self.namesake = Some(Namesake { process, revision, is_told });
        if holder == self.me {
            let why = "another process of this node's name and address has it until it ends";
            return Err(unavailable(doing, why));
        }
        Ok(Beat::Of(holder))
    }

    /// Puts this node's value after `revision`; false where there is another one by now.
    async fn put(&mut self, doing: &str, revision: u64) -> Result<bool, LogError> {
        let key = self.link.options().log.as_str();
        let value = format!("{}\n{}\n{}", self.me.node, self.me.address, self.process);
        match self.store.update(key, value.into(), revision).await {
            Ok(revision) => {
                self.held = Some(revision);
                Ok(true)
            }
            Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => Ok(false),
            Err(error) => Err(unavailable(doing, error)),
        }
    }
}

/// Who a value names, and the process; what it does not say is empty.
fn parse(value: &[u8]) -> (Holder, String) {
    let text = String::from_utf8_lossy(value);
    let mut lines = text.splitn(3, '\n').map(str::to_owned);
    let mut line = || lines.next().unwrap_or_default();
    (Holder { node: line(), address: line() }, line())
}
