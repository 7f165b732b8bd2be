//! What a log is called on NATS.

use std::fmt;
use std::str::FromStr;

/// The name of a log on NATS: 1 to 32 of `a-z`, `0-9`, `_` and `-`.
///
/// ```
/// use encours_log::LogName;
/// let name: LogName = "main".parse()?;
/// assert_eq!(name.log_stream(), "ENCOURS_LOG_main");
/// assert!("Main".parse::<LogName>().is_err());
/// # Ok::<(), encours_log::ParseLogNameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogName(String);

/// A text that cannot name a log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name of a log is 1 to 32 of a-z, 0-9, _ and -, got {0:?}")]
pub struct ParseLogNameError(pub String);

/// The most bytes of a name.
const NAME_MAX: usize = 32;
impl LogName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The stream with the frames.
    #[must_use]
    pub fn log_stream(&self) -> String {
        format!("ENCOURS_LOG_{}", self.0)
    }

    /// The one subject of [`log_stream`](Self::log_stream).
    #[must_use]
    pub fn log_subject(&self) -> String {
        format!("encours.log.{}", self.0)
    }

    /// The stream with the records of the key file.
    #[must_use]
    pub fn keys_stream(&self) -> String {
        format!("ENCOURS_KEYS_{}", self.0)
    }

    /// The one subject of [`keys_stream`](Self::keys_stream).
    #[must_use]
    pub fn keys_subject(&self) -> String {
        format!("encours.keys.{}", self.0)
    }
}

impl Default for LogName {
    fn default() -> Self {
        Self("main".to_owned())
    }
}

impl fmt::Display for LogName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for LogName {
    type Err = ParseLogNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = (1..=NAME_MAX).contains(&text.len());
        let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
        if fits && text.bytes().all(allowed) {
            return Ok(Self(text.to_owned()));
        }
        Err(ParseLogNameError(text.chars().take(2 * NAME_MAX).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        for text in ["main", "a", "0", "eu-west_2", &"x".repeat(32)] {
            assert_eq!(text.parse::<LogName>().map(|name| name.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "Main", "a.b", "a b", "a*", "a>", "é", &"x".repeat(33)] {
            assert!(text.parse::<LogName>().is_err(), "{text}");
        }
    }
}
