//! Why the engine does not open, or has stopped.

use encours_domain::Position;
use encours_log::{ChainError, Epoch, FrameNumber, LogError};
use encours_schema::SchemaError;

use crate::core::Fault;
use crate::keys::KeyFileError;
use crate::requests::IdFileError;
use crate::snapshot::SnapshotError;

/// Why the engine does not open, or has stopped. The process must exit with an error: the next start
/// recovers from what the log then shows.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The log refused or failed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A frame read back does not follow the one before it.
    #[error("frame {frame} does not follow: {source}")]
    Chain {
        /// The frame.
        frame: FrameNumber,
        /// What does not fit.
        source: ChainError,
    },
    /// A frame within the log is missing.
    #[error("frame {frame} cannot be read, but the log goes on after it")]
    Gap {
        /// The frame.
        frame: FrameNumber,
    },
    /// An event in the log cannot be understood.
    #[error("the event at position {position} cannot be read: {source}")]
    Event {
        /// Where it stands.
        position: Position,
        /// What is wrong.
        source: SchemaError,
    },
    /// The events of a command in the log do not fit what stands before them: no decision would have
    /// made them.
    #[error("the command at position {position} does not fit the log before it: {message}")]
    Unfit {
        /// Where its first event stands.
        position: Position,
        /// The assertion that failed.
        message: String,
    },
    /// The keys of customers cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyFileError),
    /// The request-id files cannot be used.
    #[error("request ids: {0}")]
    RequestIds(#[from] IdFileError),
    /// The folder of snapshots cannot be used.
    #[error(transparent)]
    Snapshots(#[from] SnapshotError),
    /// Another writer has taken the log.
    #[error("another writer has taken the log{}", by.map_or(String::new(), |by| format!(" with epoch {by}")))]
    Fenced {
        /// Its epoch, where known.
        by: Option<Epoch>,
    },
    /// Another frame stands where ours should.
    #[error("frame {frame} of the log is not the one that was appended")]
    Superseded {
        /// The frame.
        frame: FrameNumber,
    },
    /// The key file could not be made durable. Never tried again.
    #[error("the key file could not be synced: {0}")]
    KeySync(std::io::Error),
    /// A promise of the engine was broken.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// An assertion failed: figures would be wrong from here on.
    #[error("the {thread} thread has stopped on a failed assertion: {message}")]
    Panicked {
        /// Which thread.
        thread: &'static str,
        /// What it said.
        message: String,
    },
    /// A thread could not be started.
    #[error("the {thread} thread cannot be started: {source}")]
    Thread {
        /// Which thread.
        thread: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

impl EngineError {
    /// Whether stored bytes are not what was written.
    #[must_use]
    pub const fn is_corruption(&self) -> bool {
        match self {
            Self::Log(error) => error.is_corruption(),
            Self::Chain { .. } | Self::Gap { .. } | Self::Event { .. } | Self::Unfit { .. } => true,
            Self::Keys(error) => {
                matches!(
                    error,
                    KeyFileError::Damaged { .. }
                        | KeyFileError::KeysLost { .. }
                        | KeyFileError::SharedDamaged { .. }
                )
            }
            _ => false,
        }
    }

    /// Whether the log could not be reached. Nothing durable is lost; it may pass, and the next start
    /// goes on from what the log then shows.
    #[must_use]
    pub const fn is_unavailable(&self) -> bool {
        matches!(self, Self::Log(error) if error.is_unavailable())
    }

    /// Whether there is no room for the log or for the key file; the same may pass once there is some.
    #[must_use]
    pub fn is_full(&self) -> bool {
        match self {
            Self::Log(error) => error.is_full(),
            Self::Keys(error) => error.is_full(),
            _ => false,
        }
    }

    /// Whether it is this machine's own disk that has no room, so that another node may have some.
    #[must_use]
    pub fn is_own_disk_full(&self) -> bool {
        self.is_full() && !matches!(self, Self::Log(LogError::StreamFull { .. }))
    }

    /// Whether another writer has taken the log, so that this node has to follow it.
    #[must_use]
    pub const fn is_fenced(&self) -> bool {
        matches!(self, Self::Fenced { .. } | Self::Superseded { .. })
    }

    /// A short name for log lines and exit messages, which stays the same.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Log(error) => error.code(),
            Self::Chain { .. } => "log_diverged",
            Self::Gap { .. } => "frame_missing",
            Self::Event { .. } => "event_unreadable",
            Self::Keys(_) => "keys",
            Self::RequestIds(_) => "request_ids",
            Self::Snapshots(_) => "snapshots",
            Self::Fenced { .. } => "fenced",
            Self::Superseded { .. } => "log_superseded",
            Self::KeySync(_) => "sync_failed",
            Self::Fault(_) => "engine_fault",
            Self::Unfit { .. } | Self::Panicked { .. } => "assertion",
            Self::Thread { .. } => "thread",
        }
    }

    /// What a caught panic said.
    pub(crate) fn panicked(thread: &'static str, panic: &(dyn std::any::Any + Send)) -> Self {
        Self::Panicked { thread, message: message(panic) }
    }

    /// What a panic said that was caught while the command at `position` was applied.
    pub(crate) fn unfit(position: Position, panic: &(dyn std::any::Any + Send)) -> Self {
        Self::Unfit { position, message: message(panic) }
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}
