//! This machine's clock beside that of the servers.

use std::time::Duration;

use async_nats::datetime::parse_rfc3339;
use serde::Deserialize;

use super::link::Link;
use super::problem::unavailable;
use crate::clock::Clock as _;
use crate::error::LogError;

/// How far this machine's clock is from that of the server which leads the log's stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skew {
    /// Microseconds that this machine's clock is ahead; negative where it is behind.
    pub ahead_us: i64,
    /// Microseconds that `ahead_us` may be off by.
    pub within_us: i64,
}

impl Skew {
    /// Whether the clocks are further apart than this, for certain.
    #[must_use]
    pub fn exceeds(self, limit: Duration) -> bool {
        let apart = self.ahead_us.saturating_abs().saturating_sub(self.within_us);
        u64::try_from(apart).is_ok_and(|apart| Duration::from_micros(apart) > limit)
    }

    /// From the time that a server told, in nanoseconds since 1970, and when it was asked here, in
    /// microseconds. The answer took `took`.
    fn of(told_ns: i128, asked_us: i64, took: Duration) -> Self {
        let told = i64::try_from(told_ns / 1_000).unwrap_or(i64::MAX);
        let within_us = i64::try_from(took.as_micros().div_ceil(2)).unwrap_or(i64::MAX);
        let here = asked_us.saturating_add(within_us);
        Self { ahead_us: here.saturating_sub(told), within_us }
    }
}

/// What is read of what the server says of a stream.
#[derive(Deserialize)]
struct Told {
    /// When it said so, in RFC 3339; an error has none.
    ts: Option<String>,
}

impl Link {
    /// Holds this machine's clock against that of the server which leads the log's stream.
    ///
    /// # Errors
    /// [`LogError::Unavailable`] where it does not answer, [`LogError::Denied`] where it may not be
    /// asked.
    pub fn skew(&self) -> Result<Skew, LogError> {
        let doing = "asking the servers for their time";
        let subject = format!("STREAM.INFO.{}", self.options().log.log_stream());
        let (asked, begun) = (self.shared.clock.now(), self.now());
        let answer = self.block(self.ask(doing, async {
            let told: Result<Told, _> = self.shared.context.request(subject, &()).await;
            told.map_err(|error| unavailable(doing, error))
        }))?;
        let took = self.now().saturating_sub(begun);
        let told = answer.ts.ok_or_else(|| unavailable(doing, "the answer tells none"))?;
        let told = parse_rfc3339(&told)
            .map_err(|error| unavailable(doing, format!("it tells {told:?}: {error}")))?;
        Ok(Skew::of(told.unix_timestamp_nanos(), asked.0, took))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_held_against_each_other_half_way_through_the_answer() {
        let took = Duration::from_millis(10);
        let skew = Skew::of(1_000_000_000_000, 1_000_000_000, took);
        assert_eq!(skew, Skew { ahead_us: 5_000, within_us: 5_000 });
        let skew = Skew::of(1_090_000_000_000, 1_000_000_000, took);
        assert_eq!(skew.ahead_us, -89_995_000);
    }

    #[test]
    fn only_what_is_certain_exceeds_a_limit() {
        let exceeds =
            |ahead_us, within_us| Skew { ahead_us, within_us }.exceeds(Duration::from_secs(60));
        assert!(!exceeds(0, 0) && !exceeds(60_000_000, 0) && !exceeds(-60_000_000, 0));
        assert!(exceeds(60_000_001, 0) && exceeds(-60_000_001, 0));
        // A slow answer may be why they seem apart.
        assert!(!exceeds(61_000_000, 2_000_000) && exceeds(i64::MIN, 2_000_000));
    }
}
