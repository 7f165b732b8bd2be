//! A log in a JetStream stream, kept by one or more servers, with a verified copy on this node.
//!
//! One message is one frame, with the frame's bytes unchanged; a frame's number is its message's
//! sequence. Each is published with the sequence that it expects to follow, so that a frame has one
//! place and there is never more than one in it: whoever publishes second, late or twice is turned
//! away. What became of a publish that was not acknowledged as it should be is found out by reading.
//!
//! [`Link`] is the connection; [`Replica`] the local copy, a journal, which takes in what the stream
//! holds; [`JetStreamLog`] the writing end; [`Lease`] says who may try to write; a [`Mark`] how far the
//! log has reached.

mod bucket;
mod claims;
mod compare;
mod config;
mod connect;
mod detail;
mod keys;
mod lease;
mod link;
mod log;
mod look;
mod mark;
mod name;
mod problem;
mod pull;
mod replica;
mod seed;
mod share;
mod short;
mod skew;
mod streams;

pub use async_nats::ServerAddr;
pub use bucket::Bucket;
pub use claims::Claims;
pub use connect::StreamOptions;
pub use keys::TakeKeys;
pub use lease::{Beat, Holder, LEASE_BEAT, LEASE_TTL, Lease};
pub use link::{Link, LinkFigures};
pub use log::JetStreamLog;
pub use mark::Mark;
pub use name::{LogName, ParseLogNameError};
pub use replica::Replica;
pub use seed::Seeding;
pub use skew::Skew;
pub use streams::StreamFacts;
