//! A clock that stands until it is moved.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use encours_log::{Clock, Micros};

/// A settable clock. A clone is the same clock.
///
/// ```
/// use encours_log::{Clock, Micros};
/// use encours_sim::SimClock;
/// use std::time::Duration;
///
/// let clock = SimClock::new(Micros(1_000_000));
/// clock.advance(Duration::from_secs(2));
/// assert_eq!(clock.now(), Micros(3_000_000));
/// clock.set(Micros(5));
/// assert_eq!((clock.now(), clock.monotonic()), (Micros(5), Duration::from_secs(2)));
/// ```
#[derive(Clone, Debug)]
pub struct SimClock {
    time: Arc<Mutex<(Micros, Duration)>>,
}

impl SimClock {
    /// A clock that shows this time, its monotonic time at zero.
    #[must_use]
    pub fn new(now: Micros) -> Self {
        Self { time: Arc::new(Mutex::new((now, Duration::ZERO))) }
    }

    /// Sets the civil time, forward or back. The monotonic time stays.
    pub fn set(&self, now: Micros) {
        self.time.lock().unwrap_or_else(PoisonError::into_inner).0 = now;
    }

    /// Moves both times on.
    pub fn advance(&self, by: Duration) {
        let mut time = self.time.lock().unwrap_or_else(PoisonError::into_inner);
        let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        time.0 = Micros(time.0.0.saturating_add(micros));
        time.1 = time.1.saturating_add(by);
    }
}

impl Clock for SimClock {
    fn now(&self) -> Micros {
        self.time.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    fn monotonic(&self) -> Duration {
        self.time.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}
