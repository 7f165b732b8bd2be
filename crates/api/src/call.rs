//! What surrounds a call: who acts and how long the answer may take.

use std::time::Duration;

use encours_log::ACTOR_MAX;
use tokio::time::Instant;
use tonic::metadata::MetadataMap;

use crate::failure::{Failure, INVALID_ACTOR};

/// The metadata that says who acts.
pub const ACTOR_METADATA: &str = "encours-actor";
/// The metadata of a write that another node has handed on: the next one does not hand it on again.
pub const FORWARDED_METADATA: &str = "encours-forwarded";
/// The metadata of such a write that names its log, where that has a name.
pub const LOG_METADATA: &str = "encours-log";
/// Who acts where the call does not say.
pub const DEFAULT_ACTOR: &str = "anonymous";

/// How long a call without a deadline of its own waits, and the most that any waits.
pub const MAX_WAIT: Duration = Duration::from_secs(30);

/// Who asks for a write, and how.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// Who acts.
    pub(crate) actor: String,
    /// When an answer is due, where the call says so.
    pub(crate) until: Option<Instant>,
    /// Another node has handed the call on.
    pub(crate) handed_on: bool,
}

impl Caller {
    /// As the call says.
    pub(crate) fn of(metadata: &MetadataMap) -> Result<Self, Failure> {
        Ok(Self {
            actor: actor(metadata)?,
            until: deadline(metadata).map(|given| Instant::now() + before(given)),
            handed_on: metadata.contains_key(FORWARDED_METADATA),
        })
    }
}

/// Who acts.
fn actor(metadata: &MetadataMap) -> Result<String, Failure> {
    let Some(value) = metadata.get(ACTOR_METADATA) else {
        return Ok(DEFAULT_ACTOR.to_owned());
    };
    let printable = |text: &&str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
    };
    value
        .to_str()
        .ok()
        .filter(printable)
        .filter(|actor| actor.len() <= ACTOR_MAX)
        .map(str::to_owned)
        .ok_or_else(|| {
            Failure::new(
                INVALID_ACTOR,
                format!(
                    "{ACTOR_METADATA} must have 1 to {ACTOR_MAX} printable ASCII characters, \
                     has {} bytes",
                    value.len()
                ),
            )
            .about(ACTOR_METADATA)
        })
}

/// How long to wait before the call's own deadline cuts it off: a tenth of the time (at most half
/// a second) is left to tell the caller why.
pub(crate) fn patience(metadata: &MetadataMap) -> Duration {
    before(deadline(metadata).unwrap_or(MAX_WAIT)).min(MAX_WAIT)
}

/// How long a stream may take before the call's own deadline cuts it off; `None` where it has none.
pub(crate) fn stream_patience(metadata: &MetadataMap) -> Option<Duration> {
    deadline(metadata).map(before)
}

fn deadline(metadata: &MetadataMap) -> Option<Duration> {
    metadata.get("grpc-timeout").and_then(|value| value.to_str().ok()).and_then(parse_timeout)
}

fn before(given: Duration) -> Duration {
    given - (given / 10).min(Duration::from_millis(500))
}

/// At most eight digits and a unit, as gRPC writes it.
fn parse_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u64 = digits.parse().ok().filter(|_| digits.len() <= 8)?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3_600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &'static str, value: &str) -> MetadataMap {
        let mut metadata = MetadataMap::new();
        metadata.insert(name, value.parse().unwrap());
        metadata
    }

    #[test]
    fn the_actor_is_what_the_call_says() {
        assert_eq!(actor(&MetadataMap::new()).unwrap(), "anonymous");
        assert_eq!(actor(&with(ACTOR_METADATA, "ada@acme.test")).unwrap(), "ada@acme.test");
        assert_eq!(actor(&with(ACTOR_METADATA, &"a".repeat(128))).unwrap().len(), 128);
        for wrong in [&"a".repeat(129), "", "tab\there"] {
            assert!(actor(&with(ACTOR_METADATA, wrong)).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_deadline_of_the_call_leaves_time_for_an_answer() {
        let patience = |text| patience(&with("grpc-timeout", text));
        assert_eq!(patience("10S"), Duration::from_millis(9_500));
        assert_eq!(patience("100m"), Duration::from_millis(90));
        assert_eq!(patience("1H"), MAX_WAIT);
        assert_eq!(patience("99999999H"), MAX_WAIT);
        assert_eq!(patience("soon"), MAX_WAIT - Duration::from_millis(500));
        assert_eq!(patience("123456789S"), MAX_WAIT - Duration::from_millis(500));
    }
}
