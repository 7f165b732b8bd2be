//! What can go wrong with a log, with the figures a person needs to act.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use encours_domain::Position;

use crate::chain::ChainError;
use crate::frame::{FORMAT, FrameError};
use crate::id::{FrameNumber, LogId};

/// Why a log refuses. Cheap to clone, so that a stopped journal can repeat its reason.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// Another process has the folder.
    #[error("{} is in use by {}", dir.display(), holder.map_or("another process".to_owned(), |pid| format!("process {pid}")))]
    Locked {
        /// The folder.
        dir: PathBuf,
        /// The process that has it, where known.
        holder: Option<u32>,
    },
    /// The folder holds no log, and making one was not asked for.
    #[error("{} holds no log", dir.display())]
    NoLog {
        /// The folder.
        dir: PathBuf,
    },
    /// Stored bytes are not what was written.
    #[error("{file} is damaged at byte {offset}, frame {frame}, position {position}: {source}")]
    Corrupt {
        /// The file, in the log's folder.
        file: String,
        /// The byte of the file at which the damaged part begins.
        offset: u64,
        /// The frame that is or should be there.
        frame: FrameNumber,
        /// The position of the first event that cannot be trusted.
        position: Position,
        /// What is wrong.
        source: Damage,
    },
    /// An event of an intact frame means nothing to whoever reads it.
    #[error("the event at position {position}, frame {frame}, cannot be read: {why}")]
    Unreadable {
        /// The event.
        position: Position,
        /// Its frame.
        frame: FrameNumber,
        /// Why.
        why: String,
    },
    /// The log ends before a frame that is known to have been durable.
    #[error(
        "the log ends at frame {tail}, position {position}, but {known} has seen frame {wanted}"
    )]
    RolledBack {
        /// Who has seen the frame.
        known: String,
        /// The frame that was seen.
        wanted: FrameNumber,
        /// The last frame there is.
        tail: FrameNumber,
        /// The last event there is.
        position: Position,
    },
    /// A frame is another one than the one that was known to be durable.
    #[error("frame {frame} is another one than {known} has seen")]
    Diverged {
        /// Who has seen the frame.
        known: String,
        /// The frame.
        frame: FrameNumber,
    },
    /// Written by a later version of Encours.
    #[error("{file} asks for a reader of format {min_reader}, this one reads up to {FORMAT}")]
    TooNew {
        /// The file, in the log's folder.
        file: String,
        /// The format asked for.
        min_reader: u16,
    },
    /// A file or frame belongs to another log.
    #[error("{file} belongs to log {found}, expected {expected}")]
    WrongLog {
        /// The file, in the log's folder.
        file: String,
        /// The log it belongs to.
        found: LogId,
        /// The log that was expected.
        expected: LogId,
    },
    /// A segment is missing.
    #[error("the segment with frame {frame} is missing")]
    NoSegment {
        /// The first frame that is missing.
        frame: FrameNumber,
    },
    /// The folder has segments, but the anchor, which is made before them, is gone.
    #[error("{} has lost its anchor file", dir.display())]
    AnchorLost {
        /// The folder.
        dir: PathBuf,
    },
    /// A frame does not follow the tail.
    #[error("frame {frame} does not follow the log's tail: {source}")]
    NotNext {
        /// The frame.
        frame: FrameNumber,
        /// What does not fit.
        source: ChainError,
    },
    /// There is no room for another segment. Nothing was written; room may come back.
    #[error("no room for another segment of {segment_len} bytes")]
    Full {
        /// Bytes that are needed.
        segment_len: u64,
    },
    /// The servers that hold the log do not answer, or cannot just now. Nothing is lost; it may pass.
    #[error("{doing}: {why}")]
    Unavailable {
        /// What was tried.
        doing: String,
        /// What the client or the server said.
        why: String,
    },
    /// The servers have no room for what is to be made or stored. It may pass, as they are emptied.
    #[error("{doing}: {why}")]
    NoRoom {
        /// What was tried.
        doing: String,
        /// What the server said.
        why: String,
    },
    /// The servers that hold the log refuse for a reason that stays until somebody acts: credentials,
    /// permissions, limits, a version that is too old.
    #[error("{doing}: {why}")]
    Denied {
        /// What was tried.
        doing: String,
        /// What the server said.
        why: String,
    },
    /// The stream that holds the log is not set up as durability and order need it, or is gone.
    #[error("stream {stream}: {why}")]
    StreamConfig {
        /// The stream.
        stream: String,
        /// Each setting that differs, with what it has to be.
        why: String,
    },
    /// The stream ends before, or holds another frame than, what this node has verified.
    #[error("stream {stream} holds {found}, but {known} has frame {wanted}")]
    StreamDiverged {
        /// The stream.
        stream: String,
        /// What it holds.
        found: String,
        /// Who has seen the frame.
        known: String,
        /// The frame that was seen.
        wanted: FrameNumber,
    },
    /// The stream has reached its limit of bytes. Nothing was written; a larger limit makes room.
    #[error("stream {stream} is full: its limit is {max_bytes} bytes")]
    StreamFull {
        /// The stream.
        stream: String,
        /// Its limit.
        max_bytes: u64,
    },
    /// Options out of their limits.
    #[error("{0}")]
    Options(&'static str),
    /// A write or sync failed, so that nobody knows what is durable. The process must stop and
    /// recover from what the disk then shows.
    #[error("{operation} of {} failed, the journal has stopped: {source}", path.display())]
    SyncFailed {
        /// What was tried.
        operation: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// The system refused; nothing of the log is in doubt.
    #[error("{operation} {}: {source}", path.display())]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
}

impl LogError {
    pub(crate) fn io<'a>(
        operation: &'static str,
        path: &'a Path,
    ) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::Io { operation, path: path.to_owned(), source: Arc::new(source) }
    }

    pub(crate) fn sync<'a>(
        operation: &'static str,
        path: &'a Path,
    ) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::SyncFailed {
            operation,
            path: path.to_owned(),
            source: Arc::new(source),
        }
    }

    /// Whether stored bytes are not what was written.
    #[must_use]
    pub const fn is_corruption(&self) -> bool {
        matches!(
            self,
            Self::Corrupt { .. }
                | Self::Unreadable { .. }
                | Self::Diverged { .. }
                | Self::NoSegment { .. }
                | Self::AnchorLost { .. }
                | Self::StreamDiverged { .. }
        )
    }

    /// Whether the log has lost its end.
    #[must_use]
    pub const fn is_rolled_back(&self) -> bool {
        matches!(self, Self::RolledBack { .. })
    }

    /// Whether the process must stop: the journal will do nothing more.
    #[must_use]
    pub const fn is_fatal(&self) -> bool {
        matches!(self, Self::SyncFailed { .. })
    }

    /// Whether there is no room; the same append may pass once there is some.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        matches!(self, Self::Full { .. } | Self::StreamFull { .. })
    }

    /// Whether the log cannot be reached just now; the same may pass later.
    #[must_use]
    pub const fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::NoRoom { .. })
    }

    /// A short name for log lines and exit messages, which stays the same.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Locked { .. } => "locked",
            Self::NoLog { .. } => "no_log",
            Self::Corrupt { .. } => "frame_corrupt",
            Self::Unreadable { .. } => "event_unreadable",
            Self::RolledBack { .. } => "log_rolled_back",
            Self::Diverged { .. } => "log_diverged",
            Self::TooNew { .. } => "log_too_new",
            Self::WrongLog { .. } => "wrong_log",
            Self::NoSegment { .. } => "segment_missing",
            Self::AnchorLost { .. } => "anchor_lost",
            Self::NotNext { .. } => "not_next",
            Self::Full { .. } => "log_full",
            Self::Unavailable { .. } => "log_unavailable",
            Self::NoRoom { .. } => "log_no_room",
            Self::Denied { .. } => "log_denied",
            Self::StreamConfig { .. } => "stream_config",
            Self::StreamDiverged { .. } => "stream_diverged",
            Self::StreamFull { .. } => "log_full",
            Self::Options(_) => "options",
            Self::SyncFailed { .. } => "sync_failed",
            Self::Io { .. } => "io",
        }
    }
}

/// What is wrong with stored bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// The bytes are no intact frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The frame is intact, but not the one that belongs here.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// A segment's header is damaged or says something else than the chain.
    #[error("the segment header is damaged or belongs elsewhere")]
    SegmentHeader,
    /// The frame is intact, but what follows it is not the mark that ends its write.
    #[error("the frame's end mark is damaged")]
    EndMark,
    /// Space that must be zero is not.
    #[error("unused space is not zero")]
    NotZero,
    /// A file has another length than its header says.
    #[error("the file has {found} bytes, its header says {wanted}")]
    Length {
        /// Bytes it should have.
        wanted: u64,
        /// Bytes it has.
        found: u64,
    },
    /// Neither slot of the anchor file is intact.
    #[error("no slot of the anchor is intact")]
    Anchor,
    /// A frame is known to the index, but not there any more.
    #[error("the frame is gone")]
    Gone,
}
