//! Simulated disk, clock and server-kept log, workload generator and reference model, for tests.

mod clock;
mod disk;
mod image;
pub mod model;
mod rng;
mod stream;
pub mod workload;

pub use clock::SimClock;
pub use disk::{Cut, SIM_PID, SimDisk};
pub use rng::Rng;
pub use stream::{SimCopy, SimStream, SimStreamLog, StreamFaults};
