//! What the black-box tests share: the binary, a server over a real socket, a client, data folders.
//!
//! Nothing here knows how Encours works inside. The binary is `ENCOURS_BIN`, or the one beside the
//! test's own executable, which is built where it is missing or older than the sources. A server
//! listens on loopback, on a port of its own, and ends with its test, also with a failing one. Every
//! wait has an end.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

mod binary;
mod client;
mod company;
mod files;
mod process;
mod server;
mod values;

pub use binary::{encours, root, target};
pub use client::{Client, Told};
pub use company::Company;
pub use files::{copy, data_folder, every_file, fingerprint, flip_bit};
pub use process::{Ran, run, run_program};
pub use server::{Server, Stopped};
pub use values::{amount, date, day, eur, money};
