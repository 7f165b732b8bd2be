//! Helpers for the benchmarks: every figure is a ratio to a limit measured in the same run, since the
//! speed of a disk or a shared machine is nobody's merit.

#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

pub mod company;
pub mod cpu;

use std::time::Duration;

/// What `count` things took.
#[derive(Clone, Copy, Debug)]
pub struct Took {
    /// How many.
    pub count: u64,
    /// How long, all together.
    pub time: Duration,
}

impl Took {
    /// Runs `work` and takes the time of it. `count` things are done by it.
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
    pub fn of(count: u64, work: impl FnOnce()) -> Self {
        let start = std::time::Instant::now();
        work();
        Self { count, time: start.elapsed() }
    }

    /// Nanoseconds for each.
    #[must_use]
    pub fn nanos_each(&self) -> u128 {
        self.time.as_nanos() / u128::from(self.count.max(1))
    }

    /// How many a second.
    #[must_use]
    pub fn per_second(&self) -> u128 {
        u128::from(self.count) * 1_000_000_000 / self.time.as_nanos().max(1)
    }
}

/// Prints a line: what, how fast, and the ratio to the limit in percent (100 is the limit itself).
#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
pub fn line(what: &str, took: Took, limit: Took) {
    let percent = limit.nanos_each() * 100 / took.nanos_each().max(1);
    println!(
        "{what:<44} {:>12} /s {:>10} ns each {percent:>5} % of the limit",
        took.per_second(),
        took.nanos_each(),
    );
}
