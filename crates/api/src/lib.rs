//! The gRPC services of Encours: requests in, commands to the engine, answers from the engine's
//! reply or the read model.
//!
//! - Every write goes one way (`writes`): message, command, engine, outcome; unary methods and
//!   batches differ in nothing else. Its answer comes from the engine, never from the read model.
//! - A node that does not write its log hands writes on to the one that does (`leader`, `forward`).
//! - Reads wait for `min_position` within the call's deadline and say which position they reflect.
//! - Every error has a stable reason ([`REASONS`] and those of the domain) in `ErrorInfo`.
//! - Everything is bounded: messages, pages, streams, connections, waiting.

mod api;
mod batch;
mod bodies;
mod call;
mod connections;
mod credit_notes;
mod customers;
mod event_log;
mod exports;
mod failure;
mod filters;
mod forward;
mod invoices;
mod leader;
mod ledgers;
mod logs;
mod metrics;
mod names;
mod paging;
mod payments;
mod process;
mod proofs;
mod public;
mod reading;
mod reminders;
mod reports;
mod server;
mod unsaid;
mod web;
mod writes;

pub use api::Api;
pub use batch::MAX_BATCH_COMMANDS;
pub use call::{ACTOR_METADATA, DEFAULT_ACTOR, FORWARDED_METADATA, LOG_METADATA, MAX_WAIT};
pub use exports::MAX_EXPORTS;
pub use failure::{ERROR_DOMAIN, REASONS};
pub use forward::MAX_FORWARDED_STREAMS;
pub use leader::{LEADER_WAIT, Writing};
pub use logs::{Claims, Logs};
pub use metrics::{LinkFigures, PublisherFigures, RecoveryFigures};
pub use paging::{DEFAULT_PAGE_SIZE, MAX_PAGE_BYTES};
pub use public::{PublicEvents, UnreadableEvents};
pub use server::{
    MAX_CONNECTIONS, MAX_HTTP1_CONNECTIONS, MAX_METADATA_BYTES, MAX_REQUEST_BYTES,
    MAX_STREAMS_PER_CONNECTION, ServeError,
};
pub use web::{InvalidOrigin, WebOrigin};
