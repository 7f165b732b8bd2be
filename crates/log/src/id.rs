//! The names of a log and of the things in it: `LogId`, `FrameNumber`, `Epoch`, `Hash`.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// The identity of a log: 16 random bytes, in every frame. Shown as 32 hex digits.
///
/// ```
/// use encours_log::LogId;
/// let id: LogId = "000102030405060708090a0b0c0d0e0f".parse()?;
/// assert_eq!(id.0[15], 15);
/// assert_eq!(id.to_string(), "000102030405060708090a0b0c0d0e0f");
/// # Ok::<(), encours_log::ParseLogIdError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogId(pub [u8; 16]);

/// A text that is not 32 hex digits was given as a log id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a log id is 32 hex digits, got {0:?}")]
pub struct ParseLogIdError(pub String);

impl LogId {
    /// A new id from the system's random source; `None` where the system has none to give.
    #[must_use]
    pub fn random() -> Option<Self> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).ok()?;
        Some(Self(bytes))
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl fmt::Debug for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogId({self})")
    }
}

impl FromStr for LogId {
    type Err = ParseLogIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let id = hex(text).ok_or_else(|| ParseLogIdError(text.chars().take(64).collect()));
        id.map(Self)
    }
}

/// The number of a frame in its log: dense, from 1. `0` stands before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameNumber(pub u64);

impl FrameNumber {
    /// Before the first frame of a log.
    pub const START: Self = Self(0);

    /// The number after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for FrameNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which writer wrote a frame: grows by one each time another process becomes the writer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The epoch after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A text that is not 64 hex digits was given as a hash.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a hash is 64 hex digits, got {0:?}")]
pub struct ParseHashError(pub String);

/// A SHA-256. Shown as 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// The SHA-256 of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The SHA-256 of these bytes, one part after the other.
    #[must_use]
    pub(crate) fn of_parts(parts: &[&[u8]]) -> Self {
        let mut digest = Sha256::new();
        for part in parts {
            digest.update(part);
        }
        Self(digest.finalize().into())
    }

    /// What the first frame of a log names as the hash before it: the SHA-256 of
    /// `"encours log genesis 1\n"` and the 16 bytes of the log id.
    #[must_use]
    pub fn genesis(log_id: LogId) -> Self {
        let mut digest = Sha256::new();
        digest.update(b"encours log genesis 1\n");
        digest.update(log_id.0);
        Self(digest.finalize().into())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl FromStr for Hash {
    type Err = ParseHashError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        hex(text).map(Self).ok_or_else(|| ParseHashError(text.chars().take(128).collect()))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

/// As many bytes as the text has pairs of hex digits; `None` for any other text.
fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let (digits, rest) = text.as_bytes().as_chunks::<2>();
    if digits.len() != N || !rest.is_empty() {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(digits) {
        *byte = hex_digit(*high)? << 4 | hex_digit(*low)?;
    }
    Some(bytes)
}

fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_id_reads_back_what_it_shows() {
        let id = LogId([0xab; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!("AB".repeat(16).parse(), Ok(id));
    }

    #[test]
    fn other_texts_are_no_log_id() {
        for text in ["", "ab", &"ab".repeat(15), &"ab".repeat(17), &"g".repeat(32), &"é".repeat(16)]
        {
            assert!(text.parse::<LogId>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_genesis_hash_depends_on_the_log() {
        assert_ne!(Hash::genesis(LogId([0; 16])), Hash::genesis(LogId([1; 16])));
        assert_eq!(
            Hash::of(b"").to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }
}
