//! Whether the system's clock can be believed.
//!
//! Time that was recorded never goes back, and a day that was opened stays open: one look at a clock
//! that is years ahead could not be made undone. So the clock is held against what is known of time:
//! at first against the log's newest frame, later against the monotonic clock. Where it is further
//! ahead than the limit, it is not believed, and nothing that goes by the system's time happens, until
//! it comes back or somebody has confirmed it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use encours_domain::Micros;
use encours_log::Clock;
use tracing::{error, info, warn};

const SECOND: i64 = 1_000_000;
const DAY: i64 = 24 * 3_600 * SECOND;
/// A running clock that goes forward by more is told of. A daemon that keeps it right moves it by less.
const TOLD_AFTER: i64 = 60 * SECOND;
/// How often a clock that is not believed is told of.
const TOLD_EVERY: Duration = Duration::from_secs(3_600);

/// How far the clock may run ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockLimit {
    /// The most that the clock may be ahead of the log's newest frame at start, and of the monotonic
    /// clock while running.
    pub ahead: Duration,
    /// A clock that is ahead is believed all the same while it shows no later time than this.
    pub confirmed: Micros,
}

/// A clock that is further ahead than it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockJump {
    /// What the clock showed when that was found.
    pub clock: Micros,
    /// What time it can have been at most a moment after what was known.
    pub known: Micros,
}

impl fmt::Display for ClockJump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [clock, known] = [self.clock, self.known].map(utc);
        let days = self.clock.0.saturating_sub(self.known.0) / DAY;
        let day = |time: DateTime<Utc>| time.format("%Y-%m-%d").to_string();
        let text = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
        write!(
            f,
            "the server's clock says {}, {days} days after {}, which is as far as time is known: set \
             it right, or start the server with --confirm-clock {} where it is",
            text(clock),
            text(known),
            day(clock)
        )
    }
}

fn utc(time: Micros) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(time.0).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// Holds the clock against what is known of time.
pub(crate) struct Watch {
    clock: Arc<dyn Clock>,
    limit: Option<ClockLimit>,
    /// The last time that was believed, and the monotonic time then.
    believed: Micros,
    at: Duration,
    /// Microseconds that the clock may be ahead before it is told of.
    told_after: i64,
    jump: Option<ClockJump>,
    /// The monotonic time when the jump was last told of.
    told_at: Duration,
    /// Seconds that a clock which is not believed is ahead; 0 while it is.
    ahead_s: Arc<AtomicU64>,
}

impl Watch {
    /// `newest` is when the log's newest frame was recorded; `None` where it has none. Where another
    /// machine has written that frame, `is_foreign`, a clock that is a day ahead of it is told of.
    pub(crate) fn new(
        clock: Arc<dyn Clock>,
        limit: Option<ClockLimit>,
        newest: Option<Micros>,
        is_foreign: bool,
    ) -> Self {
        let believed = newest.unwrap_or_else(|| clock.now());
        let (at, ahead_s) = (clock.monotonic(), Arc::default());
        // WHY: a frame of its own may be as old as the server has been off.
        let told_after = if is_foreign { DAY } else { i64::MAX };
        Self { clock, limit, believed, at, told_after, jump: None, told_at: at, ahead_s }
    }

    /// The time to go by now.
    pub(crate) fn time_now(&mut self) -> Micros {
        self.time(self.clock.now())
    }

    /// The time to go by, where the clock shows `now`.
    pub(crate) fn time(&mut self, now: Micros) -> Micros {
        let since = now.0.saturating_sub(self.believed.0);
        // WHY: asked for each command, and nothing that matters can have happened.
        if self.jump.is_none() && since.unsigned_abs() < SECOND.unsigned_abs() {
            return now;
        }
        let at = self.clock.monotonic();
        let passed = at.saturating_sub(self.at).as_micros();
        let passed = i64::try_from(passed).unwrap_or(i64::MAX);
        let known = Micros(self.believed.0.saturating_add(passed));
        let ahead = now.0.saturating_sub(known.0);
        if let Some(limit) = self.limit
            && now > limit.confirmed
            && u128::try_from(ahead).is_ok_and(|ahead| ahead > limit.ahead.as_micros())
        {
            self.disbelieve(ClockJump { clock: now, known }, ahead, at);
            return known;
        }
        if self.jump.take().is_some() {
            info!("the clock is believed again");
            self.ahead_s.store(0, Ordering::Relaxed);
        } else if since < -SECOND {
            let seconds = since.unsigned_abs() / SECOND.unsigned_abs();
            warn!(seconds, "clock_jump: the clock went back");
        } else if ahead > self.told_after {
            warn!(seconds = ahead / SECOND, "clock_jump: the clock went forward");
        }
        (self.believed, self.at, self.told_after) = (now, at, TOLD_AFTER);
        now
    }

    /// Goes by what is known, and tells of it: as it begins, and every hour that it lasts.
    fn disbelieve(&mut self, jump: ClockJump, ahead: i64, at: Duration) {
        let seconds = u64::try_from(ahead / SECOND).unwrap_or(0);
        self.ahead_s.store(seconds, Ordering::Relaxed);
        let begins = self.jump.replace(jump).is_none();
        if begins || at.saturating_sub(self.told_at) >= TOLD_EVERY {
            self.told_at = at;
            warn!(seconds, "clock_jump: {jump}");
            error!("ledgers that go by the system's time take no commands, and no days begin");
        }
    }

    /// Why the clock is not believed, where it is not.
    pub(crate) const fn jump(&self) -> Option<ClockJump> {
        self.jump
    }

    /// Seconds that a clock which is not believed is ahead; 0 while it is.
    pub(crate) fn ahead_s(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.ahead_s)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Civil time in seconds and monotonic time.
    #[derive(Default)]
    struct TwoHands(Mutex<(i64, u64)>);

    impl Clock for TwoHands {
        fn now(&self) -> Micros {
            Micros(self.0.lock().unwrap().0 * SECOND)
        }

        fn monotonic(&self) -> Duration {
            Duration::from_secs(self.0.lock().unwrap().1)
        }
    }

    struct Trial {
        clock: Arc<TwoHands>,
        watch: Watch,
    }

    impl Trial {
        /// A clock that shows `now`, over a log whose newest frame is of `newest`; ten seconds is the
        /// most that it may be ahead.
        fn new(now: i64, newest: Option<i64>, confirmed: i64) -> Self {
            let clock = Arc::new(TwoHands(Mutex::new((now, 0))));
            let limit = ClockLimit {
                ahead: Duration::from_secs(10),
                confirmed: Micros(confirmed * SECOND),
            };
            let newest = newest.map(|newest| Micros(newest * SECOND));
            let shared = Arc::clone(&clock) as Arc<dyn Clock>;
            Self { clock, watch: Watch::new(shared, Some(limit), newest, false) }
        }

        /// The time to go by where the clock shows `now` and `monotonic` seconds have passed, and how
        /// far it is ahead where it is not believed.
        fn time(&mut self, now: i64, monotonic: u64) -> (i64, u64) {
            *self.clock.0.lock().unwrap() = (now, monotonic);
            let time = self.watch.time(self.clock.now()).0 / SECOND;
            let ahead = self.watch.ahead_s().load(Ordering::Relaxed);
            assert_eq!(self.watch.jump().is_some(), ahead > 0);
            (time, ahead)
        }
    }

    #[test]
    fn a_clock_that_goes_on_is_believed() {
        let mut trial = Trial::new(100, None, 0);
        for second in 0..50 {
            let now = 100 + 10_000 * second;
            assert_eq!(trial.time(now, u64::try_from(now - 100).unwrap()), (now, 0));
        }
    }

    #[test]
    fn a_jump_is_not_believed_until_the_clock_comes_back() {
        let mut trial = Trial::new(100, None, 0);
        assert_eq!(trial.time(111, 1), (111, 0), "at the limit");
        assert_eq!(trial.time(123, 2), (112, 11));
        assert_eq!(trial.time(1_000, 5), (115, 885), "time goes on all the same");
        assert_eq!(trial.time(126, 6), (126, 0), "near enough again");
        assert_eq!(trial.time(90, 7), (90, 0), "back it may go");
        assert_eq!(trial.time(102, 8), (91, 11), "and is held against that");
    }

    #[test]
    fn a_jump_is_told_of_as_it_begins_and_every_hour() {
        let mut trial = Trial::new(100, None, 0);
        let mut told = Vec::new();
        for second in 1..8_000 {
            let ahead = trial.time(100_000, second).1;
            assert!(ahead > 0, "{second}");
            told.push(trial.watch.told_at.as_secs());
        }
        told.dedup();
        assert_eq!(told, [1, 3_601, 7_201]);
        assert_eq!(trial.time(8_100, 8_000), (8_100, 0));
        assert!(trial.time(100_000, 8_001).1 > 0);
        assert_eq!(trial.watch.told_at.as_secs(), 8_001, "another one is told of at once");
    }

    #[test]
    fn the_first_look_is_held_against_the_log() {
        assert_eq!(Trial::new(111, Some(100), 0).time(111, 0), (100, 11));
        assert_eq!(Trial::new(110, Some(100), 0).time(110, 0), (110, 0));
        assert_eq!(Trial::new(50, Some(100), 0).time(50, 0), (50, 0));
    }

    #[test]
    fn a_confirmed_time_is_believed_and_no_later_one() {
        let mut trial = Trial::new(500, Some(100), 600);
        assert_eq!(trial.time(500, 0), (500, 0));
        assert_eq!(trial.time(600, 1), (600, 0));
        assert_eq!(trial.time(700, 2), (601, 99));
    }

    #[test]
    fn the_ends_of_time_do_no_harm() {
        let mut trial = Trial::new(0, Some(i64::MIN / SECOND), 0);
        assert!(trial.time(i64::MAX / SECOND, 0).1 > 0);
        let mut trial = Trial::new(0, Some(i64::MAX / SECOND), 0);
        assert_eq!(trial.time(i64::MIN / SECOND, u64::MAX), (i64::MIN / SECOND, 0));
    }

    #[test]
    fn a_jump_says_both_times_and_what_to_do() {
        let at = |text: &str| Micros(text.parse::<DateTime<Utc>>().unwrap().timestamp_micros());
        let jump =
            ClockJump { clock: at("2036-11-22T06:40:05.7Z"), known: at("2026-11-22T06:40:00Z") };
        let text = jump.to_string();
        for part in ["2036-11-22T06:40:05Z", "3653 days", "2026-11-22T06:40:00Z"] {
            assert!(text.contains(part), "{text}");
        }
        assert!(text.contains("--confirm-clock 2036-11-22"), "{text}");
    }
}
