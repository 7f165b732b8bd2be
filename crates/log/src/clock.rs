//! Where time comes from. Nothing else in Encours asks the system for it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use encours_domain::Micros;

/// Gives the time. Tests and simulations give their own.
pub trait Clock: Send + Sync + 'static {
    /// The civil time now. It may jump either way: the system's clock is set by people and daemons.
    fn now(&self) -> Micros;

    /// Time since some start, which never goes back. For timeouts and measurements.
    fn monotonic(&self) -> Duration;
}

/// The system's clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time starts now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place where time enters")]
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where time enters")]
    fn now(&self) -> Micros {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_lives_in_this_century_and_goes_on() {
        let clock = SystemClock::default();
        assert!(clock.now() > Micros(1_700_000_000_000_000));
        let first = clock.monotonic();
        assert!(clock.monotonic() >= first);
    }
}
