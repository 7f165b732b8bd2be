//! The services through a real client over a real socket, over an engine on a log in memory.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod batch;
mod drafts;
mod errors;
mod every_rpc;
mod exports;
mod keepalive;
mod lists;
mod log;
mod main_path;
mod metrics;
mod node_faults;
mod nodes;
mod openings;
mod proofs;
mod reads;
mod rebuilds;
mod reminders;
mod server;
mod several;
mod small_frames;
mod support;
mod valid;
mod web;
