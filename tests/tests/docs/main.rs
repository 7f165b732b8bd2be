//! The documentation stays true: its links lead somewhere, its command lines exist, and the quick
//! start prints what it says.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

mod commands;
mod links;
mod pages;
mod quick_start;
mod results;
mod tables;
