//! What the engine counts about itself. Integers only; whoever serves metrics gives them names.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::submission::{Denied, Reply};

/// Upper bounds of the buckets of a [`Timing`], in microseconds; its last bucket has none.
pub const BUCKETS_US: [u64; 15] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 10_000_000,
];

/// How often something happened and how long it took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// All of it together, in microseconds.
    pub sum_us: u64,
    /// How often, by how long it took; see [`BUCKETS_US`].
    pub buckets: [u64; BUCKETS_US.len() + 1],
}

impl Timing {
    /// How often.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done, or shown by a dry run.
    Accepted,
    /// Had been done before.
    Repeated,
    /// Refused by a rule.
    Refused,
    /// Denied because too many were waiting.
    Overloaded,
    /// Denied because the log was full.
    LogFull,
    /// Denied because the engine was stopping or had stopped.
    Stopping,
    /// Denied because the log did not answer, earlier requests could not be looked up or the clock
    /// had jumped.
    Unavailable,
    /// The engine stopped while it was under way.
    Unknown,
}

impl Outcome {
    /// Every outcome, in the order of [`Figures::commands`].
    pub const ALL: [Self; 8] = [
        Self::Accepted,
        Self::Repeated,
        Self::Refused,
        Self::Overloaded,
        Self::LogFull,
        Self::Stopping,
        Self::Unavailable,
        Self::Unknown,
    ];

    /// Its name, in lower snake case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Repeated => "repeated",
            Self::Refused => "refused",
            Self::Overloaded => "overloaded",
            Self::LogFull => "log_full",
            Self::Stopping => "stopping",
            Self::Unavailable => "unavailable",
            Self::Unknown => "unknown",
        }
    }

    const fn of(answer: &Result<Reply, Denied>) -> Self {
        match answer {
            Ok(reply) if reply.repeated => Self::Repeated,
            Ok(_) => Self::Accepted,
            Err(Denied::Refused(_)) => Self::Refused,
            Err(Denied::Overloaded { .. }) => Self::Overloaded,
            Err(Denied::LogFull) => Self::LogFull,
            Err(Denied::Stopping) => Self::Stopping,
            Err(Denied::Unavailable { .. } | Denied::ClockJump(_)) => Self::Unavailable,
            Err(Denied::OutcomeUnknown) => Self::Unknown,
        }
    }
}

/// Counters, since the engine was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Commands by outcome, in the order of [`Outcome::ALL`], with the time from taking a command
    /// until its answer was given.
    pub commands: [Timing; Outcome::ALL.len()],
    /// Commands waiting to be decided, now.
    pub queue_depth: u64,
    /// Frames that became durable.
    pub frames: u64,
    /// Time from submitting a frame until it was durable.
    pub sync: Timing,
    /// Whether the log has no room, now.
    pub is_full: bool,
    /// Appends whose outcome was not known at first, and had to be looked for.
    pub ambiguous: u64,
    /// Seconds that the clock is ahead of what is known of time, while it is not believed; else 0.
    pub clock_ahead_s: u64,
}

impl Figures {
    /// Commands that ended so.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> u64 {
        self.commands[outcome as usize].count()
    }
}

/// A [`Timing`] as it is written, two relaxed additions each.
#[derive(Debug, Default)]
struct Timer {
    sum_us: AtomicU64,
    buckets: [AtomicU64; BUCKETS_US.len() + 1],
}

impl Timer {
    fn add(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS_US.partition_point(|bound| *bound < us);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
    }

    fn timing(&self) -> Timing {
        Timing {
            sum_us: self.sum_us.load(Ordering::Relaxed),
            buckets: std::array::from_fn(|bucket| self.buckets[bucket].load(Ordering::Relaxed)),
        }
    }
}

/// The counters as they are written.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    commands: [Timer; Outcome::ALL.len()],
    sync: Timer,
}

impl Counters {
    pub(crate) fn answered(&self, answer: &Result<Reply, Denied>, took: Duration) {
        self.commands[Outcome::of(answer) as usize].add(took);
    }

    pub(crate) fn synced(&self, took: Duration) {
        self.sync.add(took);
    }

    /// The figures that are counted here.
    pub(crate) fn figures(&self) -> Figures {
        let sync = self.sync.timing();
        Figures {
            commands: std::array::from_fn(|outcome| self.commands[outcome].timing()),
            frames: sync.count(),
            sync,
            ..Figures::default()
        }
    }
}
