//! What the black-box tests share: the binary, a server over a real socket, a client, data folders.
//!
//! Nothing here knows how Encours works inside. A server listens on loopback, on a port of its own,
//! and ends with its test, also with a failing one. Every wait has an end. What a test needs and the
//! machine lacks (`strace`, libfaketime, namespaces, Python, Node, `nats-server`, the file of real
//! invoices) is skipped, and says so.
//!
//! | variable | what | where it is not set |
//! | --- | --- | --- |
//! | `ENCOURS_BIN` | the binary under test | the one beside the test, built where it is stale |
//! | `ENCOURS_TEST_LOG` | what keeps the log: `embedded`, or `jetstream` on a nats-server of the test's own | `embedded` |
//! | `ENCOURS_TEST_SEED` | seed of the `kill -9` tests | always the same one |
//! | `ENCOURS_TEST_KILLS` | how often `kill9` kills | 20 |
//! | `ENCOURS_TEST_FS`, `ENCOURS_TEST_CUTS` and others | how long `disk` tries, told where they are read | a little |
//! | `ENCOURS_HOSTILE` | `long`: `hostile` does more, and waits for limits of a minute | a little |
//! | `ENCOURS_ROUNDS` | how often a test of several nodes does what is random; `swap` kills at each step | two or three times; ever fewer steps |
//! | `ENCOURS_TEST_PYTHON` | interpreter with `tests/python/requirements.txt` | a virtual environment under `target` |
//! | `ENCOURS_TEST_NODE_MODULES` | `node_modules` of `docs/examples/node` | installed under `target` |
//! | `ENCOURS_TEST_NODE_CHECKERS` | `node_modules` of `tests/node` | installed under `target` |
//! | `ENCOURS_TEST_DATA` | folder with the file of real invoices | `../shared/data` |
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

mod binary;
mod client;
mod cluster;
mod company;
mod faketime;
mod files;
mod foreign;
mod gate;
mod load;
mod nats;
mod nodes;
mod on_nats;
mod ports;
mod process;
mod proxy;
mod raw;
mod server;
mod tmpfs;
mod values;

pub use binary::{encours, example, root, target};
pub use client::{Client, Told};
pub use cluster::NatsCluster;
pub use company::Company;
pub use faketime::{FakeTime, now};
pub use files::{copy, data_folder, every_file, fingerprint, flip_bit, swap};
pub use foreign::{node_checkers, node_modules, python};
pub use gate::Gate;
pub use load::{Heard, LOAD_LEDGER, Load, LoadOptions, Sent, check, repeat_unknown, send, verify};
pub use nats::{NatsServer, nats_server};
pub use nodes::Nodes;
pub use on_nats::{ServerNats, is_embedded};
pub use ports::{free_port, http_get};
pub use process::{Program, Ran, run, run_program};
pub use proxy::{Mode, Proxy, Way};
pub use raw::Raw;
pub use server::{Server, Stopped};
pub use tmpfs::Tmpfs;
pub use values::{amount, date, day, eur, money};
