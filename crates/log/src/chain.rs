//! The tail of a log, and the one rule by which a frame follows another.

use encours_domain::{Micros, Position};

use crate::frame::FrameHeader;
use crate::id::{Epoch, FrameNumber, Hash, LogId};

/// The newest end of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tail {
    /// The last frame; [`FrameNumber::START`] in an empty log.
    pub number: FrameNumber,
    /// Its hash; [`Hash::genesis`] in an empty log.
    pub hash: Hash,
    /// The position the next event gets.
    pub next_position: Position,
    /// The writer of the last frame.
    pub epoch: Epoch,
    /// When the last frame was sealed.
    pub recorded_at: Micros,
}

/// How a frame fails to follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// It belongs to another log.
    #[error("it belongs to another log")]
    Log,
    /// Its number is not the next.
    #[error("frame {found} stands where {wanted} belongs")]
    Number {
        /// The number that is next.
        wanted: FrameNumber,
        /// The number it has.
        found: FrameNumber,
    },
    /// Its first event does not stand at the next position.
    #[error("it begins at position {found}, not {wanted}")]
    Position {
        /// The position that is next.
        wanted: Position,
        /// The position it begins at.
        found: Position,
    },
    /// It names another frame as the one before it.
    #[error("it follows another frame")]
    Previous,
    /// Its writer is older than the one before it.
    #[error("its epoch {found} is before {wanted}")]
    Epoch {
        /// The newest epoch there is.
        wanted: Epoch,
        /// The epoch it has.
        found: Epoch,
    },
    /// It was recorded before the frame before it.
    #[error("it was recorded before the frame before it")]
    RecordedAt,
}

impl Tail {
    /// The tail of an empty log.
    #[must_use]
    pub fn genesis(log_id: LogId) -> Self {
        Self {
            number: FrameNumber::START,
            hash: Hash::genesis(log_id),
            next_position: Position(1),
            epoch: Epoch(0),
            recorded_at: Micros(0),
        }
    }

    /// The tail after this frame, which must follow this one.
    ///
    /// # Errors
    /// [`ChainError`] says what does not fit.
    pub fn follow(&self, log_id: LogId, frame: &FrameHeader) -> Result<Self, ChainError> {
        if frame.log_id != log_id {
            return Err(ChainError::Log);
        }
        if frame.number != self.number.next() {
            return Err(ChainError::Number { wanted: self.number.next(), found: frame.number });
        }
        if frame.first_position != self.next_position {
            return Err(ChainError::Position {
                wanted: self.next_position,
                found: frame.first_position,
            });
        }
        if frame.previous != self.hash {
            return Err(ChainError::Previous);
        }
        if frame.epoch < self.epoch {
            return Err(ChainError::Epoch { wanted: self.epoch, found: frame.epoch });
        }
        if frame.recorded_at < self.recorded_at {
            return Err(ChainError::RecordedAt);
        }
        Ok(Self {
            number: frame.number,
            hash: frame.hash,
            next_position: frame.next_position(),
            epoch: frame.epoch,
            recorded_at: frame.recorded_at,
        })
    }
}
