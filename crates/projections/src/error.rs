//! What can go wrong in the read model.

use std::sync::Arc;

use encours_domain::Position;
use encours_log::LogError;
use encours_schema::SchemaError;

/// Why an event cannot be folded. It stops the fold; nothing of the event is in the read model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FoldError {
    /// The event names something that no event before it created.
    #[error("{what} {number} is unknown")]
    Unknown {
        /// What kind of thing.
        what: &'static str,
        /// Its number.
        number: u32,
    },
    /// The event creates something whose number is not the next.
    #[error("{what} {found} is created where {wanted} is next")]
    NotNext {
        /// What kind of thing.
        what: &'static str,
        /// The number that is next.
        wanted: u32,
        /// The number it has.
        found: u32,
    },
    /// A personal detail lies in the log in clear.
    #[error("a personal detail is not sealed")]
    NotSealed,
    /// The texts of a ledger, or of one row, have outgrown their space.
    #[error("no room for texts")]
    NoRoom,
    /// More is taken off an invoice than the payment or credit note has on it.
    #[error("{missing} minor units are taken off invoice {invoice} that are not on it")]
    NotAllocated {
        /// The invoice.
        invoice: u32,
        /// How much is missing.
        missing: i64,
    },
    /// The fold panicked: a defect.
    #[error("the fold panicked: {0}")]
    Panicked(String),
}

/// Why the read model stands still.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StopError {
    /// An event could not be folded.
    #[error("the read model stopped before position {position}: {source}")]
    Fold {
        /// The event.
        position: Position,
        /// What is wrong with it.
        source: FoldError,
    },
    /// An event could not be decoded.
    #[error("the read model stopped before position {position}: {source}")]
    Decode {
        /// The event.
        position: Position,
        /// What is wrong with it.
        source: Arc<SchemaError>,
    },
    /// The log could not be read.
    #[error("the read model stopped after position {position}: {source}")]
    Log {
        /// The last event that was folded.
        position: Position,
        /// What is wrong with the log.
        source: LogError,
    },
    /// It was told to stop.
    #[error("the read model was stopped")]
    Closed,
}

/// Why the read model was not rebuilt. The present one goes on as it was.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RebuildError {
    /// It is being rebuilt already.
    #[error("the read model is being rebuilt already")]
    Running,
    /// It was told to stop.
    #[error("the read model was stopped")]
    Stopping,
    /// Who asked for it has given it up.
    #[error("the rebuild of the read model was given up")]
    GivenUp,
    /// The log could not be read or folded again as far as the present one stands.
    #[error("the read model cannot be rebuilt, the present one goes on: {0}")]
    Log(#[source] StopError),
}

/// Why the read model could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The fold thread could not be started.
    #[error("the fold thread could not be started: {0}")]
    Thread(#[source] std::io::Error),
}
