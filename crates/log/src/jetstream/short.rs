//! A stream that seems to end before what it has acknowledged.

use std::num::NonZeroU8;
use std::time::Duration;

use crate::error::LogError;
use crate::id::FrameNumber;

/// How long a replicated stream may seem too short.
///
/// WHY: a server that led and was cut off from the others goes on answering for ten seconds, from
/// what it had. A new leader may answer before it has taken in what is committed, and a server that
/// starts before it knows of the stream.
const REPLICATED: Duration = Duration::from_secs(20);
/// The same for a stream on one server, which has no such excuse: a second look is enough.
const SINGLE: Duration = Duration::from_millis(400);

const SEEMS_SHORT: &str =
    "the stream seems to have lost its end; it is looked at again for a while";
const UNREAD: &str = "a message of the stream cannot be read; it is asked for again for a while";
/// How often it is told that a stream seems too short.
const TELL: Duration = Duration::from_secs(5);

/// How long a stream that is missing, or its end, is put down to servers that do not know better yet.
pub(super) const fn patience(replicas: NonZeroU8) -> Duration {
    if replicas.get() > 1 { REPLICATED } else { SINGLE }
}

/// Remembers since when a stream seems too short.
#[derive(Debug)]
pub(super) struct Short {
    patience: Duration,
    since: Option<Duration>,
    /// When it was told last.
    told: Option<Duration>,
}

impl Short {
    pub(super) const fn new(replicas: NonZeroU8) -> Self {
        Self { patience: patience(replicas), since: None, told: None }
    }

    /// The stream was seen to be long enough.
    pub(super) const fn forget(&mut self) {
        self.since = None;
    }

    /// The stream was seen to end at `last`, though `who` has seen `wanted`.
    ///
    /// # Errors
    /// [`LogError::StreamDiverged`] once that has lasted.
    pub(super) fn seen(
        &mut self,
        now: Duration,
        stream: &str,
        last: FrameNumber,
        wanted: FrameNumber,
        who: &str,
    ) -> Result<(), LogError> {
        let found = format!("nothing after message {last}");
        self.lacks(now, stream, found, wanted, who, SEEMS_SHORT)
    }

    /// The stream was seen to tell of message `wanted`, and not to have it.
    ///
    /// # Errors
    /// As [`seen`](Self::seen).
    pub(super) fn unread(
        &mut self,
        now: Duration,
        stream: &str,
        wanted: FrameNumber,
        who: &str,
    ) -> Result<(), LogError> {
        let found = format!("no message {wanted} that can be read, though it tells that it has it");
        self.lacks(now, stream, found, wanted, who, UNREAD)
    }

    fn lacks(
        &mut self,
        now: Duration,
        stream: &str,
        found: String,
        wanted: FrameNumber,
        who: &str,
        what: &str,
    ) -> Result<(), LogError> {
        let since = *self.since.get_or_insert(now);
        if now.saturating_sub(since) < self.patience {
            if self.told.is_none_or(|told| now.saturating_sub(told) >= TELL) {
                self.told = Some(now);
                let left_s = (self.patience + since).saturating_sub(now).as_secs();
                tracing::warn!(stream, found, %wanted, who, left_s, "{what}");
            }
            return Ok(());
        }
        Err(LogError::StreamDiverged {
            stream: stream.to_owned(),
            found,
            known: who.to_owned(),
            wanted,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(short: &mut Short, at_ms: u64) -> bool {
        let now = Duration::from_millis(at_ms);
        short.seen(now, "S", FrameNumber(1), FrameNumber(2), "a test").is_err()
    }

    #[test]
    fn a_stream_is_short_once_it_has_been_for_a_while() {
        let mut short = Short::new(NonZeroU8::MIN);
        assert!(!seen(&mut short, 100));
        assert!(!seen(&mut short, 200));
        assert!(seen(&mut short, 500));
        short.forget();
        assert!(!seen(&mut short, 600));
    }

    #[test]
    fn a_replicated_stream_gets_longer() {
        let mut short = Short::new(NonZeroU8::MIN.saturating_add(2));
        assert!(!seen(&mut short, 0));
        assert!(!seen(&mut short, 19_000));
        assert!(seen(&mut short, 20_000));
    }

    #[test]
    fn a_message_that_is_told_of_and_not_there_is_lost_after_a_while() {
        let mut unread = Short::new(NonZeroU8::MIN);
        let mut at = |ms| {
            let wanted = FrameNumber(7);
            unread.unread(Duration::from_millis(ms), "S", wanted, "a test")
        };
        at(0).unwrap();
        at(399).unwrap();
        let lost = at(400).unwrap_err();
        assert_eq!(lost.code(), "stream_diverged");
        assert!(lost.to_string().contains("no message 7 that can be read"), "{lost}");
    }
}
