//! The deterministic simulation: a simulated disk, clock and server-kept log, a workload generator, an
//! independent reference model, and the [runs](run) that put them to work.
//!
//! `cargo run -p encours-sim -- --help` says how to run it; `docs/simulation.md` says what it does,
//! what it has found, and how a new command joins. For tests only.

mod clock;
mod compare;
pub mod coverage;
mod disk;
mod entropy;
mod image;
pub mod model;
mod reading;
mod rng;
mod stream;
mod witness;
pub mod workload;
mod world;

pub use clock::SimClock;
pub use disk::{Cut, SIM_PID, SimDisk};
pub use rng::Rng;
pub use stream::{SimCopy, SimStream, SimStreamLog, StreamFaults};
pub use world::{Failure, Setup, Tally, run};
