//! Every door through which bytes of others come in, as a function of bytes: none of them may panic,
//! hang or take more memory than the bytes warrant, and what it accepts it must give back.
//!
//! libFuzzer calls these functions with bytes of its own (`just fuzz frame`); the test `fuzz_corpus`
//! calls them with the seeds in `corpus/`, among them every input that once broke something.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    dead_code,
    reason = "a finding is a panic; of the CSV reader only the reading is used here"
)]

mod events;
mod failure;
mod files;
mod frames;
mod import;
mod memory;
mod notes;
mod requests;

pub use events::event;
pub use files::csv;
pub use frames::{frame, journal};
pub use notes::note;
pub use requests::{commands_of_acme, methods, request};
