//! Where public events come from.

use std::fmt::Display;
use std::future::Future;

use encours_log::{LogId, Position};
use encours_proto::v1::PublicEvent;

/// The public events of one log, in its order.
pub trait Source: Send + Sync + 'static {
    /// Why events cannot be had.
    type Error: Display + Send;

    /// The log.
    fn log_id(&self) -> LogId;

    /// The last durable event of the log.
    fn tail(&self) -> Position;

    /// Waits until there is an event after this one that [`read`](Self::read) can tell. To drop it
    /// is safe.
    ///
    /// # Errors
    /// Why there will be none.
    fn wait_beyond(&self, after: Position) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// The next events after this one, without a gap, at most `limit`. Blocks.
    ///
    /// # Errors
    /// Why they cannot be read.
    fn read(&self, after: Position, limit: usize) -> Result<Vec<PublicEvent>, Self::Error>;
}
