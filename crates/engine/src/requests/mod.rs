//! Request ids: which command a caller's id belongs to, for ever and without stalling the writer.
//!
//! The newest ids are in memory, in generations of a fixed size: a map that is full is frozen, never
//! grown, so nothing on the deciding thread doubles at once. Frozen generations are written in the
//! background to immutable sorted files of 16-byte fingerprints and positions, each with a filter in
//! memory. All of it can be deleted: it is rebuilt from the log.

mod file;
mod files;
mod recent;
#[cfg(test)]
mod tests;

pub(crate) use file::Entry;
pub use file::IdFileError;
pub(crate) use files::{IdFiles, Lookup};
pub(crate) use recent::{Generation, Requests};

use encours_domain::{ClockNo, Event, LedgerNo};
use sha2::{Digest as _, Sha256};

/// Half a SHA-256 of scope and request id.
pub(crate) type Fingerprint = [u8; 16];

/// What a request id is unique in.
///
/// WHY dense numbers: they stand in the events, so that the index is rebuilt from the log alone, and
/// they are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Creating ledgers.
    Log,
    /// Moving a test clock, which several ledgers may share.
    Clock(ClockNo),
    /// Everything inside a ledger.
    Ledger(LedgerNo),
}

impl Scope {
    /// The scope of the command whose first event this is.
    pub(crate) fn of(first: &Event) -> Option<Self> {
        match first {
            Event::LedgerCreated(_) | Event::ClockCreated(_) => Some(Self::Log),
            Event::ClockAdvanced(event) => Some(Self::Clock(event.clock)),
            Event::DayOpened(event) => Some(Self::Clock(event.clock)),
            _ => first.ledger().map(Self::Ledger),
        }
    }

    /// The fingerprint of a request id in this scope.
    pub(crate) fn fingerprint(self, request_id: &str) -> Fingerprint {
        let (kind, number) = match self {
            Self::Log => (0, 0),
            Self::Clock(clock) => (1, clock.0),
            Self::Ledger(ledger) => (2, ledger.0),
        };
        let mut hash = Sha256::new();
        hash.update([kind]);
        hash.update(u32::to_le_bytes(number));
        hash.update(request_id.as_bytes());
        let whole: [u8; 32] = hash.finalize().into();
        let mut half = [0; 16];
        half.copy_from_slice(&whole[..16]);
        half
    }
}
