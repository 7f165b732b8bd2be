//! Who may try to write: a key in a bucket, which goes by itself where it is not renewed.
//!
//! It only saves nodes from trying in each other's way. What keeps two writers apart is the log: a
//! frame has one place.

use std::fmt::Display;
use std::time::Duration;

use async_nats::jetstream::kv::{
    Config, CreateErrorKind, Entry, Operation, Store, UpdateErrorKind,
};
use async_nats::jetstream::stream::StorageType;
use futures_util::StreamExt as _;

use super::link::Link;
use super::name::LEASE_BUCKET;
use super::problem::unavailable;
use crate::error::LogError;

/// How long a lease lasts that is not renewed.
pub const LEASE_TTL: Duration = Duration::from_secs(3);
/// How often it is to be renewed, or tried for.
pub const LEASE_BEAT: Duration = Duration::from_millis(750);
/// What the keys of nodes begin with; the name of a log has no dot.
const NODE_PREFIX: &str = "node.";
/// The most bytes of the bucket: each log and each node has one short value.
const BUCKET_MAX: i64 = 1024 * 1024;

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
    store: Store,
    /// The revision of the value, where it is ours.
    held: Option<u64>,
}

impl Link {
    /// This node's part in who may write the log. The bucket is made where it is missing.
    ///
    /// # Errors
    /// [`LogError::StreamConfig`] where the bucket is set up in another way,
    /// [`LogError::Unavailable`], [`LogError::Denied`].
    pub fn lease(&self, me: Holder) -> Result<Lease, LogError> {
        let store = self.block(self.bucket(self.lease_bucket()))?;
        check(&store)?;
        Ok(Lease { link: self.clone(), me, store, held: None })
    }

    /// A bucket, made where it is missing.
    pub(super) async fn bucket(&self, config: Config) -> Result<Store, LogError> {
        let name = config.bucket.clone();
        let doing = format!("bucket {name}");
        let context = &self.shared.context;
        let failed = |error: &dyn Display| unavailable(&doing, error);
        if self.info(&format!("KV_{name}")).await?.is_none() {
            let made = async {
                let made = context.create_key_value(config).await;
                made.map(|_| ()).map_err(|error| failed(&error))
            };
            // Another node may have made it meanwhile: what counts is what is there.
            if let Err(error) = self.ask(&doing, made).await {
                tracing::debug!(%error, "the bucket was not made");
            }
        }
        let found = async {
            let found = context.get_key_value(name.as_str()).await;
            found.map_err(|error| failed(&error))
        };
        self.ask(&doing, found).await
    }

    fn lease_bucket(&self) -> Config {
        Config {
            bucket: LEASE_BUCKET.to_owned(),
            description: "Which node may write an Encours log".to_owned(),
            history: 1,
            max_age: LEASE_TTL,
            max_bytes: BUCKET_MAX,
            storage: StorageType::File,
            num_replicas: usize::from(self.options().replicas.get()),
            ..Config::default()
        }
    }
}

fn check(store: &Store) -> Result<(), LogError> {
    let config = &store.stream.cached_info().config;
    let mut drift = Vec::new();
    if config.max_age != LEASE_TTL {
        drift.push(format!("max_age must be {} s", LEASE_TTL.as_secs()));
    }
    if config.max_messages_per_subject != 1 {
        drift.push("max_msgs_per_subject must be 1".to_owned());
    }
    if drift.is_empty() {
        return Ok(());
    }
    let why = format!("its settings differ: {}", drift.join("; "));
    Err(LogError::StreamConfig { stream: config.name.clone(), why })
}

impl Lease {
    /// Takes the lease where nobody has it, renews it where it is ours, else tells who has it.
    /// To be called every [`LEASE_BEAT`].
    ///
    /// # Errors
    /// [`LogError::Unavailable`] where nobody can tell: a lease that was ours may have ended.
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
        let found = self.link.ask(&doing, async {
            let entry = self.store.entry(key).await;
            entry.map_err(|error| unavailable(&doing, error))
        });
        Ok(found.await?.is_none_or(|entry| entry.operation != Operation::Put))
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
        let prefix = format!("$KV.{LEASE_BUCKET}.{NODE_PREFIX}");
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
            && self.renew(doing, revision).await?
        {
            return Ok(Beat::Mine);
        }
        let key = self.link.options().log.as_str();
        match self.store.create(key, self.value().into()).await {
            Ok(revision) => {
                self.held = Some(revision);
                return Ok(Beat::Mine);
            }
            Err(error) if error.kind() == CreateErrorKind::AlreadyExists => {}
            Err(error) => return Err(unavailable(doing, error)),
        }
        let entry = self.store.entry(key).await.map_err(|error| unavailable(doing, error))?;
        let Some(entry) = entry.filter(|entry| entry.operation == Operation::Put) else {
            return Err(unavailable(doing, "it has just ended"));
        };
        let holder = holder(&entry);
        // What this node held before it was started anew, or before an answer got lost.
        if holder.node == self.me.node && self.renew(doing, entry.revision).await? {
            return Ok(Beat::Mine);
        }
        Ok(Beat::Of(holder))
    }

    async fn renew(&mut self, doing: &str, revision: u64) -> Result<bool, LogError> {
        let key = self.link.options().log.as_str();
        match self.store.update(key, self.value().into(), revision).await {
            Ok(revision) => {
                self.held = Some(revision);
                Ok(true)
            }
            Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => Ok(false),
            Err(error) => Err(unavailable(doing, error)),
        }
    }

    fn value(&self) -> String {
        format!("{}\n{}", self.me.node, self.me.address)
    }
}

fn holder(entry: &Entry) -> Holder {
    let text = String::from_utf8_lossy(&entry.value);
    let (node, address) = text.split_once('\n').unwrap_or((&text, ""));
    Holder { node: node.to_owned(), address: address.to_owned() }
}
