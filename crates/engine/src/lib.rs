//! The single writer: decides commands and commits their events.
//!
//! [`Engine::open`] recovers the state from the newest snapshot and the log after it, takes the log
//! over and runs. [`EngineHandle::execute`] has a command decided and answers once its events, and
//! everything else the decision read, are durable. What this crate promises:
//!
//! - exactly one outcome per request id, and per id of a thing, across repeats and restarts;
//! - no answer before it is durable, no fact that was not decided against the facts before it;
//! - personal details leave memory as ciphertext only;
//! - after a failed sync nothing is tried again: [`EngineHandle::failed`] turns to the reason and the
//!   process must exit; after a full disk the state goes back to what is durable and work resumes
//!   once there is room;
//! - queue, frames, memory for request ids and files are bounded;
//! - a clock that has jumped further than [`Limits::clock`] allows opens no days and decides nothing that
//!   goes by it; what is recorded meanwhile has the time as far as it is known.
//!
//! A [`Standby`] folds a log that another node writes, takes in the keys that it shares, and takes
//! over with [`Standby::lead`]; [`Engine::open`] is one that leads at once.
//!
//! `keys/` is to be backed up with the log. `snapshots/` and `requests/` can be deleted at any time
//! while the engine does not run.
//!
//! ```
//! use std::sync::Arc;
//! use encours_domain::calendar::Calendar;
//! use encours_domain::commands::{CreateLedger, Time};
//! use encours_domain::dunning::Policy;
//! use encours_domain::{Currency, Id};
//! use encours_engine::{Engine, EngineOptions, Submission};
//! use encours_log::{LogId, MemoryLog, OsDisk, SystemClock};
//!
//! # let dir = tempfile::tempdir()?;
//! # let dir = dir.path();
//! let log = Box::new(MemoryLog::new(LogId([1; 16])));
//! let options = EngineOptions::new(log, Arc::new(OsDisk), Arc::new(SystemClock::new()));
//! let engine = Engine::open(options, dir)?;
//! let handle = engine.handle();
//! let create = CreateLedger {
//!     ledger_id: Some(Id::parse("ledger_id", "acme")?),
//!     name: "Acme".into(),
//!     currency: Currency::parse("currency", "EUR")?,
//!     time_zone: "Europe/Paris".into(),
//!     time: Time::System,
//!     terms: None,
//!     invoice_pattern: None,
//!     credit_note_pattern: None,
//!     calendar: Calendar::default(),
//!     reminders: Policy::default(),
//! };
//! let submission = Submission::new(create, "ann").with_request_id("first");
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let reply = handle.execute(submission.clone()).await?;
//! let again = handle.execute(submission).await?;
//! assert!(!reply.repeated && again.repeated);
//! assert_eq!(reply.position, again.position);
//! handle.stop().await?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod clocks;
mod core;
mod digest;
mod driver;
mod entropy;
mod error;
mod jump;
mod keeper;
mod keys;
mod log_side;
mod metrics;
mod past;
mod patience;
mod recover;
mod requests;
mod snapshot;
mod standby;
mod submission;
mod sync_engine;
#[cfg(test)]
mod tests;
mod writer;

pub use crate::core::Fault;
pub use clocks::{Behind, ClockInfo, local_day};
pub use driver::{Engine, EngineHandle};
pub use entropy::{Entropy, EntropyError, SystemEntropy};
pub use error::EngineError;
pub use jump::{ClockJump, ClockLimit};
pub use keys::{
    KeyError, KeyFileError, KeyStore, KeysOf, move_keys, read_key_bodies, read_keys,
    write_key_bodies,
};
pub use metrics::{BUCKETS_US, Figures, Outcome, Timing};
pub use recover::RecoveryReport;
pub use requests::IdFileError;
pub use snapshot::SnapshotError;
pub use standby::{Standby, StandbyOptions};
pub use submission::{Denied, Reply, Submission};
pub use sync_engine::SyncEngine;
pub use writer::{EngineOptions, Limits, known_frames};
