//! Public events on a real nats-server, published by the real binary.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

mod asyncapi;
mod checkpoints;
mod content;
mod edges;
mod examples;
mod faults;
mod permissions;
mod several;
mod streams;
mod subscriber;
mod support;
