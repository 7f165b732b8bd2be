//! Frames, the hash chain and the logs that store them.
//!
//! A log is a chain of [`Frame`]s, each one group commit. One writer appends through [`EventLog`],
//! any number of readers follow through [`LogReader`] and see durable frames only. [`Journal`] stores
//! a log in segment files on a [`Disk`], [`JetStreamLog`] in a stream of a NATS cluster, with a copy
//! on each node ([`Replica`]) and a [`Mark`] of its last frame beside it, [`MemoryLog`] keeps one in
//! memory. [`verify`] and [`inspect`] check a journal's files from outside, [`verify_reader`] a running
//! log.
//!
//! All disk access goes through [`Disk`], all time through [`Clock`], so that tests can fake both.

mod access;
mod chain;
mod clock;
mod disk;
mod error;
mod event_log;
mod frame;
mod id;
mod inspect;
mod jetstream;
mod journal;
mod memory;
mod survey;
mod verify;

pub use access::Access;
pub use chain::{ChainError, Tail};
pub use clock::{Clock, SystemClock};
pub use disk::{Disk, DiskFile, LockError, LockGuard, OsDisk, Space, is_no_room};
pub use encours_domain::{Micros, Position};
pub use error::{Damage, LogError};
pub use event_log::{AppendOutcome, EventLog, Known, LogReader, Seen};
pub use frame::{
    ACTOR_MAX, COMMAND_FIXED_LEN, CommandRecord, EVENT_FIXED_LEN, EventRecord, EventRef, FORMAT,
    FRAME_MAX, FRAME_TARGET, Frame, FrameDraft, FrameError, FrameHeader, HEADER_LEN, REASON_MAX,
    REQUEST_ID_MAX, SealWith,
};
pub use id::{Epoch, FrameNumber, Hash, LogId, ParseHashError, ParseLogIdError};
pub use inspect::{
    EventPlace, Flaw, LastSegment, Passed, inspect, log_id_in, read_last_segment, segment_files,
};
pub use jetstream::{
    Beat, Bucket, Claims, Holder, JetStreamLog, LEASE_BEAT, LEASE_TTL, Lease, Link, LinkFigures,
    LogName, Mark, ParseLogNameError, Replica, Seeding, ServerAddr, Skew, StreamFacts,
    StreamOptions, TakeKeys,
};
pub use journal::{Journal, JournalOptions, Recovery, SEGMENT_LEN, SEGMENT_LEN_MIN};
pub use memory::MemoryLog;
pub use survey::{
    AccountFacts, Follower, OLDEST_SERVER, Page, Placement, ServerFacts, Survey, is_too_old,
};
pub use verify::{VerifyProgress, VerifyReport, verify, verify_reader};
