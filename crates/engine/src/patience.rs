//! How long the engine waits for a log that cannot be reached.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use encours_log::Clock;

/// How long one frame, or the keys before it, may be in doubt before the engine gives up.
const USUALLY: Duration = Duration::from_secs(45);
/// The same while the engine is opened or stopped.
const IN_A_HURRY: Duration = Duration::from_secs(5);
/// How often at most the same is tried.
const TRIES_MAX: u32 = 90;
/// Between two tries, where the engine runs on threads. WHY: a log may fail at once.
const PAUSE: Duration = Duration::from_millis(500);

/// What of the doubts is seen from outside the log's thread.
#[derive(Debug, Default)]
pub(crate) struct Doubts {
    /// Appends whose outcome was not known at first.
    ambiguous: AtomicU64,
    hurry: AtomicBool,
}

impl Doubts {
    pub(crate) fn add(&self) {
        self.ambiguous.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count(&self) -> u64 {
        self.ambiguous.load(Ordering::Relaxed)
    }

    /// Whether somebody waits for the engine to open or to stop.
    pub(crate) fn hurry(&self, hurry: bool) {
        self.hurry.store(hurry, Ordering::Relaxed);
    }
}

/// How often something is tried again.
pub(crate) struct Patience {
    clock: Arc<dyn Clock>,
    pause: Duration,
    pub(crate) doubts: Arc<Doubts>,
}

impl Patience {
    /// That of an engine on threads, which is being opened.
    pub(crate) fn with_pauses(clock: Arc<dyn Clock>) -> Self {
        let doubts = Arc::new(Doubts::default());
        doubts.hurry(true);
        Self { clock, pause: PAUSE, doubts }
    }

    /// That of an engine on the caller's thread: as many tries, but no pause between them.
    pub(crate) fn without_pause(clock: Arc<dyn Clock>) -> Self {
        Self { clock, pause: Duration::ZERO, doubts: Arc::default() }
    }

    pub(crate) fn begin(&self) -> Tries {
        Tries { since: self.clock.monotonic(), count: 0 }
    }

    /// Whether to try again, after a pause where `unavailable`: anything else is told at once.
    pub(crate) fn again(&self, tries: &mut Tries, unavailable: bool) -> bool {
        tries.count += 1;
        let limit = if self.doubts.hurry.load(Ordering::Relaxed) { IN_A_HURRY } else { USUALLY };
        let waited = self.clock.monotonic().saturating_sub(tries.since);
        if tries.count >= TRIES_MAX || waited >= limit {
            return false;
        }
        if unavailable {
            thread::sleep(self.pause);
        }
        true
    }
}

/// What was tried so far.
pub(crate) struct Tries {
    since: Duration,
    count: u32,
}
