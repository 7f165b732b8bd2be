//! Simulated disk and clock, workload generator and reference model, for tests.

mod clock;
mod disk;
mod image;
mod rng;

pub use clock::SimClock;
pub use disk::{Cut, SIM_PID, SimDisk};
pub use rng::Rng;
