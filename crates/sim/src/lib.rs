//! Simulated disk and clock, workload generator and reference model, for tests.

mod clock;
mod disk;
mod image;
pub mod model;
mod rng;
pub mod workload;

pub use clock::SimClock;
pub use disk::{Cut, SIM_PID, SimDisk};
pub use rng::Rng;
