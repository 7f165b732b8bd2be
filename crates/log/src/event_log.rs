//! What every log can do, whatever stores it.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use encours_domain::Position;

use crate::chain::{ChainError, Tail};
use crate::error::LogError;
use crate::frame::Frame;
use crate::id::{Epoch, FrameNumber, Hash, LogId};

/// What became of an append. Not knowing is a value, not an error.
#[derive(Clone, Debug)]
pub enum AppendOutcome {
    /// The frame is durable.
    Committed,
    /// Nothing was written; the log stands at the old tail.
    Rejected(LogError),
    /// Another writer has taken the log. Nothing was written.
    Fenced {
        /// The epoch of the other writer, where known.
        by: Option<Epoch>,
    },
    /// The frame may be there or not. Read it back to settle, after a reopen where the error
    /// [`is_fatal`](LogError::is_fatal).
    Unknown(LogError),
}

impl AppendOutcome {
    /// Whether the frame is durable.
    #[must_use]
    pub const fn is_committed(&self) -> bool {
        matches!(self, Self::Committed)
    }

    /// What an append becomes whose frame does not follow the tail.
    pub(crate) const fn not_next(frame: FrameNumber, source: ChainError) -> Self {
        match source {
            ChainError::Epoch { wanted, .. } => Self::Fenced { by: Some(wanted) },
            source => Self::Rejected(LogError::NotNext { frame, source }),
        }
    }
}

/// What a log holds where a frame of unknown outcome belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// That frame. It is durable, and readers see it.
    Same,
    /// Another one, of the writer with this epoch.
    Other {
        /// The writer's epoch.
        by: Epoch,
    },
    /// Nothing.
    Absent,
}

/// The writing end of a log. One per log, on one thread.
pub trait EventLog: Send {
    /// The log's identity.
    fn log_id(&self) -> LogId;

    /// The newest durable frame.
    fn tail(&self) -> Tail;

    /// How many frames may be in flight: submitted and not settled.
    fn window(&self) -> usize;

    /// Whether a frame of any allowed size will find room. Ask before deciding a command: a refusal
    /// is cheaper than a rejected frame.
    ///
    /// # Errors
    /// [`LogError::Full`], or the reason why the log has stopped.
    fn admits(&self) -> Result<(), LogError>;

    /// Starts to make a frame durable. It must follow the last one submitted, and no more than
    /// [`window`](Self::window) may be in flight.
    fn submit(&mut self, frame: Frame);

    /// Waits for the oldest frame in flight and says what became of it; `None` where none is.
    fn settle(&mut self) -> Option<(FrameNumber, AppendOutcome)>;

    /// Looks where a frame belongs whose outcome is [`AppendOutcome::Unknown`]. May wait a few
    /// seconds for a log that cannot be reached.
    ///
    /// # Errors
    /// [`LogError`] where nobody can tell; one that [`is_unavailable`](LogError::is_unavailable) may
    /// pass.
    fn look(&mut self, frame: &Frame) -> Result<Seen, LogError> {
        Ok(match self.reader().read(frame.header().number)? {
            Some(stored) if stored.hash() == frame.hash() => Seen::Same,
            Some(stored) => Seen::Other { by: stored.header().epoch },
            None => Seen::Absent,
        })
    }

    /// Whether the log keeps copies of the keys for other nodes and has none yet: then all of them
    /// are to be shared before the next frame.
    fn wants_keys(&self) -> bool {
        false
    }

    /// Puts records of the key file where every node finds them, durably. A log that one machine
    /// keeps has nothing to do.
    ///
    /// # Errors
    /// [`LogError`] where it is not certain that they are there.
    fn share_keys(&mut self, _records: &[u8]) -> Result<(), LogError> {
        Ok(())
    }

    /// Housekeeping between appends. Cheap where there is nothing to do.
    ///
    /// # Errors
    /// [`LogError::Full`] where the next segment finds no room: appends go on while they fit. A
    /// [fatal](LogError::is_fatal) error stops the log.
    fn maintain(&mut self) -> Result<(), LogError>;

    /// A reading end, which lives as long as it likes.
    fn reader(&self) -> Arc<dyn LogReader>;

    /// Ends cleanly: what is durable is also anchored. Frames in flight must be settled before.
    ///
    /// # Errors
    /// [`LogError`] where the last housekeeping fails; committed frames stay committed.
    fn close(&mut self) -> Result<(), LogError>;
}

/// A reading end of a log. It sees durable frames only.
pub trait LogReader: Send + Sync {
    /// The log's identity.
    fn log_id(&self) -> LogId;

    /// The newest durable frame.
    fn tail(&self) -> Tail;

    /// Bytes that the durable frames take where they are stored, with what pads them.
    fn stored_bytes(&self) -> u64;

    /// The frame of this number, checked; `None` past the tail (and for number 0).
    ///
    /// # Errors
    /// [`LogError::Corrupt`] where the stored bytes are not what was written.
    fn read(&self, number: FrameNumber) -> Result<Option<Frame>, LogError>;

    /// The frame that holds the event at `position`; `None` past the tail.
    fn frame_of(&self, position: Position) -> Option<FrameNumber>;

    /// Waits until the tail is beyond `number`, or for `timeout`; returns the tail. At once where it
    /// already is.
    fn wait_beyond(&self, number: FrameNumber, timeout: Duration) -> Tail;
}

/// A frame that somebody outside the log has seen as durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Who has seen it, for the message: "snapshot 17", "read model".
    pub source: String,
    /// The frame.
    pub number: FrameNumber,
    /// Its hash.
    pub hash: Hash,
}

/// The durable tail, shared by one writer and its readers.
#[derive(Debug)]
pub(crate) struct TailCell {
    tail: Mutex<Tail>,
    moved: Condvar,
}

impl TailCell {
    pub(crate) fn new(tail: Tail) -> Self {
        Self { tail: Mutex::new(tail), moved: Condvar::new() }
    }

    pub(crate) fn get(&self) -> Tail {
        *self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set(&self, tail: Tail) {
        *self.tail.lock().unwrap_or_else(PoisonError::into_inner) = tail;
        self.moved.notify_all();
    }

    pub(crate) fn wait_beyond(&self, number: FrameNumber, timeout: Duration) -> Tail {
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        let (tail, _) = self
            .moved
            .wait_timeout_while(tail, timeout, |tail| tail.number <= number)
            .unwrap_or_else(PoisonError::into_inner);
        *tail
    }
}
