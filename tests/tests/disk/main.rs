//! The data folder and what lies below it: power cuts, lost ends, flipped bits, full and slow disks,
//! folders that are not what they should be. One chapter per file.
//!
//! What is long is tried in part, and whole by recipe (`just faults-long`): each variable is told where
//! it is read.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

mod folders;
mod full;
mod image;
mod power_cut;
mod reading;
mod restart;
mod slow;
mod snapshots;
mod support;
mod system_calls;
mod tail;
mod views;
