//! The gRPC services of Encours: requests in, commands to the engine, answers from the engine's
//! reply or the read model.
//!
//! - Every write goes one way (`writes`): message, command, engine, outcome; unary methods and
//!   batches differ in nothing else. Its answer comes from the engine, never from the read model.
//! - Reads wait for `min_position` within the call's deadline and say which position they reflect.
//! - Every error has a stable reason ([`REASONS`] and those of the domain) in `ErrorInfo`.
//! - Everything is bounded: messages, pages, streams, connections, waiting.

mod api;
mod batch;
mod call;
mod connections;
mod credit_notes;
mod customers;
mod event_log;
mod exports;
mod failure;
mod filters;
mod invoices;
mod leader;
mod ledgers;
mod metrics;
mod names;
mod paging;
mod payments;
mod public;
mod reading;
mod reminders;
mod reports;
mod server;
mod web;
mod writes;

pub use api::Api;
pub use batch::MAX_BATCH_COMMANDS;
pub use call::{ACTOR_METADATA, DEFAULT_ACTOR, MAX_WAIT};
pub use exports::MAX_EXPORTS;
pub use failure::{ERROR_DOMAIN, REASONS};
pub use leader::Writing;
pub use metrics::{LinkFigures, PublisherFigures};
pub use paging::{DEFAULT_PAGE_SIZE, MAX_PAGE_BYTES};
pub use public::{PublicEvents, UnreadableEvents};
pub use server::{
    MAX_CONNECTIONS, MAX_HTTP1_CONNECTIONS, MAX_METADATA_BYTES, MAX_REQUEST_BYTES,
    MAX_STREAMS_PER_CONNECTION, ServeError,
};
pub use web::{InvalidOrigin, WebOrigin};
