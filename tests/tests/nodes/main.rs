//! Several nodes of the real binary on a log that real nats-servers keep.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

mod cluster;
mod creds;
mod failover;
mod local_full;
mod marks;
mod partition;
mod published;
mod servers;
mod skew;
mod streams;
mod support;
mod tls;
