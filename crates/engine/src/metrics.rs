//! What the engine counts about itself. Integers only; whoever serves metrics gives them names.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::submission::{Denied, Reply};

/// Upper bounds of the buckets of [`Figures::sync_buckets`], in microseconds; the last bucket has
/// none.
pub const SYNC_BUCKETS_US: [u64; 12] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000];

/// Counters, since the engine was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Commands accepted.
    pub accepted: u64,
    /// Commands that had been done before.
    pub repeated: u64,
    /// Commands refused by a rule.
    pub refused: u64,
    /// Commands denied because too many were waiting.
    pub overloaded: u64,
    /// Commands denied because the log was full.
    pub log_full: u64,
    /// Commands denied for other reasons.
    pub otherwise_denied: u64,
    /// Commands waiting to be decided, now.
    pub queue_depth: u64,
    /// Frames that became durable.
    pub frames: u64,
    /// Time from submitting a frame until it was durable, in microseconds, all frames together.
    pub sync_us: u64,
    /// Frames by that time; see [`SYNC_BUCKETS_US`].
    pub sync_buckets: [u64; SYNC_BUCKETS_US.len() + 1],
    /// Whether the log has no room, now.
    pub is_full: bool,
}

/// The counters as they are written, one relaxed addition each.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    accepted: AtomicU64,
    repeated: AtomicU64,
    refused: AtomicU64,
    overloaded: AtomicU64,
    log_full: AtomicU64,
    otherwise_denied: AtomicU64,
    frames: AtomicU64,
    sync_us: AtomicU64,
    sync_buckets: [AtomicU64; SYNC_BUCKETS_US.len() + 1],
}

impl Counters {
    pub(crate) fn answered(&self, answer: &Result<Reply, Denied>) {
        let counter = match answer {
            Ok(reply) if reply.repeated => &self.repeated,
            Ok(_) => &self.accepted,
            Err(Denied::Refused(_)) => &self.refused,
            Err(Denied::Overloaded { .. }) => &self.overloaded,
            Err(Denied::LogFull) => &self.log_full,
            Err(_) => &self.otherwise_denied,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn synced(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = SYNC_BUCKETS_US.partition_point(|bound| *bound < us);
        self.frames.fetch_add(1, Ordering::Relaxed);
        self.sync_us.fetch_add(us, Ordering::Relaxed);
        self.sync_buckets[bucket].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn figures(&self, queue_depth: usize, is_full: bool) -> Figures {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Figures {
            accepted: get(&self.accepted),
            repeated: get(&self.repeated),
            refused: get(&self.refused),
            overloaded: get(&self.overloaded),
            log_full: get(&self.log_full),
            otherwise_denied: get(&self.otherwise_denied),
            queue_depth: queue_depth as u64,
            frames: get(&self.frames),
            sync_us: get(&self.sync_us),
            sync_buckets: std::array::from_fn(|bucket| get(&self.sync_buckets[bucket])),
            is_full,
        }
    }
}
