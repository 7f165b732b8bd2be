//! The public events of a log, one after the other, for whoever publishes them elsewhere.

use encours_domain::Position;
use encours_log::LogId;
use encours_proto::v1;

use crate::api::Api;
use crate::reading::{Events, Filter};

/// Why public events cannot be read.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct UnreadableEvents(String);

/// The public events of a log, as far as its read model knows them. Clones are cheap.
#[derive(Clone)]
pub struct PublicEvents(Events);

impl Api {
    /// The public events of the log.
    #[must_use]
    pub fn public_events(&self) -> PublicEvents {
        PublicEvents(self.events())
    }
}

impl std::fmt::Debug for PublicEvents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PublicEvents").field("log_id", &self.log_id()).finish_non_exhaustive()
    }
}

impl PublicEvents {
    /// The log.
    #[must_use]
    pub fn log_id(&self) -> LogId {
        self.0.reader.log_id()
    }

    /// The last durable event.
    #[must_use]
    pub fn tail(&self) -> Position {
        Position(self.0.reader.tail().next_position.0.saturating_sub(1))
    }

    /// Waits until the read model knows an event after this one. To drop it is safe.
    ///
    /// # Errors
    /// [`UnreadableEvents`] where the read model has stopped before it.
    pub async fn wait_beyond(&self, after: Position) -> Result<(), UnreadableEvents> {
        let reached = self.0.model.wait_for(after.next()).await;
        reached.map(drop).map_err(|stopped| UnreadableEvents(stopped.to_string()))
    }

    /// The next events after this one, without a gap, as many as are known and at most `limit`.
    /// Reads the disk: call it off the async workers.
    ///
    /// # Errors
    /// [`UnreadableEvents`] where one cannot be read.
    pub fn read(
        &self,
        after: Position,
        limit: usize,
    ) -> Result<Vec<v1::PublicEvent>, UnreadableEvents> {
        let until = self.0.model.position();
        let scan = self.0.scan(after, until, &Filter::default(), limit);
        scan.map(|scan| scan.events)
            .map_err(|failure| UnreadableEvents(failure.into_message().message))
    }
}
