//! Public events on NATS JetStream: every event of a log as one message, in log order, once.
//!
//! [`Publisher`] follows a [`Source`] of public events and publishes them to one stream, on
//! subjects `encours.v1.<ledger>.<entity>.<event>` ([`encours_proto::subject`]), as CloudEvents 1.0
//! in binary mode with the position in the log as a header. Promises: never an event before it is durable; no gap,
//! no repetition and no other order in the stream, whatever breaks in between (the position rule,
//! see `session`); nothing waits for it; bounded memory.
//!
//! Beside that, [`CheckpointPublisher`] puts signed checkpoints of a log where others find them.
//!
//! It takes no part in the log: what it has published, the last message of the stream tells.

mod checkpoints;
mod cursor;
mod message;
mod problem;
mod publisher;
mod recover;
mod session;
mod source;
mod stream;

pub use async_nats::ServerAddr;
pub use checkpoints::{
    CHECKPOINT_BUCKET, CheckpointOptions, CheckpointPublisher, PublicCheckpoint,
};
pub use message::{CUSTOMER_HEADER, Format, LOG_ID_HEADER, POSITION_HEADER};
pub use problem::Problem;
pub use publisher::{DEFAULT_STREAM, MAX_PAUSE, Publisher, PublisherOptions, Status, stream_of};
pub use source::Source;
