//! The log on JetStream against real servers: frames, faults, keys, the lease and the mark.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

mod backend;
mod claims;
mod cluster;
mod faults;
mod keys;
mod lease;
mod marks;
mod streams;
mod support;
mod unreadable;
