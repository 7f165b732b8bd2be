//! The buckets beside the logs: how each has to be set up, and what differs.

use std::time::Duration;

use async_nats::jetstream::kv::{Config, Store};
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{
    Config as StreamConfig, DiscardPolicy, RawMessageErrorKind, StorageType,
};

use super::lease::LEASE_TTL;
use super::link::Link;
use super::problem::{failed, is_missing, unavailable};
use crate::error::LogError;

/// What a deleted key's last message is marked with.
const OPERATION: &str = "KV-Operation";
const MIB: i64 = 1024 * 1024;

/// What the nodes of all logs on the same servers keep together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bucket {
    /// Which node may write each log; a key goes by itself.
    Leases,
    /// Which log each ledger is in.
    Ledgers,
    /// The last frame of each log.
    Marks,
}

impl Bucket {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Leases, Self::Ledgers, Self::Marks];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Leases => "ENCOURS_LEASES",
            Self::Ledgers => "ENCOURS_LEDGERS",
            Self::Marks => "ENCOURS_MARKS",
        }
    }

    /// The stream that it is kept in.
    #[must_use]
    pub fn stream(self) -> String {
        format!("KV_{}", self.name())
    }

    /// The subject of a key.
    pub(super) fn subject(self, key: &str) -> String {
        format!("$KV.{}.{key}", self.name())
    }

    fn config(self, replicas: usize) -> Config {
        let (description, max_bytes) = match self {
            Self::Leases => ("Which node may write an Encours log", MIB),
            // Some millions of ids.
            Self::Ledgers => ("Which Encours log each ledger is in", 1024 * MIB),
            // Each log has one short value.
            Self::Marks => ("The last frame of each Encours log", MIB),
        };
        Config {
            bucket: self.name().to_owned(),
            description: description.to_owned(),
            history: 1,
            max_age: self.max_age(),
            max_bytes,
            storage: StorageType::File,
            num_replicas: replicas,
            ..Config::default()
        }
    }

    const fn max_age(self) -> Duration {
        match self {
            Self::Leases => LEASE_TTL,
            Self::Ledgers | Self::Marks => Duration::ZERO,
        }
    }

    /// Each setting that differs, with what it has to be.
    fn drift(self, there: &StreamConfig, replicas: usize) -> Vec<String> {
        let mut drift = Vec::new();
        let mut hold = |holds: bool, must: String| {
            if !holds {
                drift.push(must);
            }
        };
        let max_age = self.max_age();
        hold(there.max_age == max_age, format!("max_age must be {} s", max_age.as_secs()));
        hold(there.max_messages_per_subject == 1, "max_msgs_per_subject must be 1".to_owned());
        // What a lease says is soon said again; what the others say has to stay.
        if self != Self::Leases {
            hold(there.storage == StorageType::File, "storage must be file".to_owned());
            hold(there.discard == DiscardPolicy::New, "discard must be new".to_owned());
            let enough = there.num_replicas >= replicas;
            hold(enough, format!("num_replicas must be {replicas} or more"));
        }
        drift
    }

    /// # Errors
    /// [`LogError::StreamConfig`] with each setting that differs.
    fn check(self, there: &StreamConfig, replicas: usize) -> Result<(), LogError> {
        let drift = self.drift(there, replicas);
        if drift.is_empty() {
            return Ok(());
        }
        let why = format!("its settings differ: {}", drift.join("; "));
        Err(LogError::StreamConfig { stream: self.stream(), why })
    }
}

impl Link {
    /// Whether a bucket is there; nothing is made. Blocks.
    ///
    /// # Errors
    /// [`LogError::StreamConfig`] where it is set up in another way than it has to be,
    /// [`LogError::Unavailable`], [`LogError::Denied`].
    pub fn has_bucket(&self, bucket: Bucket) -> Result<bool, LogError> {
        let Some(info) = self.block(self.info(&bucket.stream()))? else { return Ok(false) };
        bucket.check(&info.config, self.options().replicas.get().into()).map(|()| true)
    }

    /// The last message of a bucket's key as the bucket's leader knows it, a deletion as well. `made`
    /// says that the bucket has been there: where it is not, the servers may not know of it yet. To be
    /// [asked](Self::ask).
    ///
    /// WHY not as an entry of the bucket: that is read from any replica, which may be behind.
    pub(super) async fn latest(
        &self,
        doing: &str,
        bucket: Bucket,
        key: &str,
        made: bool,
    ) -> Result<Option<StreamMessage>, LogError> {
        let stream = bucket.stream();
        let handle = self.shared.context.get_stream_no_info(&stream).await;
        let handle = handle.map_err(|error| unavailable(doing, error))?;
        let found = match handle.get_last_raw_message_by_subject(&bucket.subject(key)).await {
            Ok(message) => Some(message),
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => None,
            Err(error) if !made && is_missing(&error) => None,
            Err(error) => return Err(failed(self, doing, &stream, &error)),
        };
        self.found(&stream);
        Ok(found)
    }

    /// A bucket, made where it is missing, with as many replicas as the logs have.
    ///
    /// # Errors
    /// As [`has_bucket`](Self::has_bucket).
    pub(super) async fn open_bucket(&self, bucket: Bucket) -> Result<Store, LogError> {
        let doing = format!("bucket {}", bucket.name());
        let context = &self.shared.context;
        let replicas = usize::from(self.options().replicas.get());
        let mut made = Ok(());
        if self.info(&bucket.stream()).await?.is_none() {
            let making = async || {
                let made = context.create_key_value(bucket.config(replicas)).await;
                made.map(|_| ()).map_err(|error| failed(self, &doing, &bucket.stream(), &error))
            };
            made = self.make(&doing, making).await;
        }
        let found = async {
            let found = context.get_key_value(bucket.name()).await;
            found.map_err(|error| unavailable(&doing, error))
        };
        // Another node may have made it meanwhile: what counts is what is there.
        let store = match self.ask(&doing, found).await {
            Ok(store) => store,
            Err(error) => return Err(made.err().unwrap_or(error)),
        };
        bucket.check(&store.stream.cached_info().config, replicas)?;
        Ok(store)
    }
}

/// Whether a key's last message is its deletion.
pub(super) fn is_deletion(message: &StreamMessage) -> bool {
    message.headers.get(OPERATION).is_some()
}
