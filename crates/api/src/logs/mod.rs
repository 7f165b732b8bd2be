//! Several logs behind one listener.
//!
//! A ledger lives in one log, and every call goes to the log of the ledger that it names, as a call
//! to the services of that log alone. Which log a ledger is in the read models tell, and where it is
//! too new for them the claims; nothing is atomic over two logs.
//!
//! The methods are written out by type (`by_ledger`), so that one which is not told its way does not
//! compile, and nothing of a call has to be read twice.

mod batch;
mod by_ledger;
mod claims;
mod events;
mod ledgers;
mod merge;
mod place;

use std::sync::Arc;
use std::time::Duration;

use encours_log::Space;
use encours_projections::ReadModel;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

pub use claims::Claims;

use crate::api::Api;
use crate::connections::{Connections, Files};
use crate::exports::MAX_EXPORTS;
use crate::failure::Failure;
use crate::forward::Roads;
use crate::metrics::Calls;
use crate::server::{Front, ServeError, routes, serve};
use crate::web::WebOrigin;

/// The gRPC services over several logs. Clones are cheap and share them.
#[derive(Clone)]
pub struct Logs {
    /// By name.
    logs: Arc<[Log]>,
    claims: Arc<dyn Claims>,
    front: Front,
}

/// One of them.
#[derive(Clone)]
pub(crate) struct Log {
    pub(crate) name: Arc<str>,
    pub(crate) api: Api,
}

impl std::fmt::Debug for Logs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

impl Logs {
    /// The services over these logs, each with its name, which no other one bears. `claims` keeps
    /// ids of ledgers unique over all of them, for all nodes.
    #[must_use]
    pub fn new(logs: Vec<(String, Api)>, claims: Arc<dyn Claims>) -> Self {
        let files = Files::of_node(logs.len(), true);
        let roads = Roads::new(files.handed_on);
        let front = Front {
            stopping: watch::Sender::new(false),
            web_origins: Arc::new([]),
            calls: Arc::new(Calls::new()),
            connections: Arc::new(Connections::within(files)),
            disk: None,
        };
        let exporting = Arc::new(Semaphore::new(MAX_EXPORTS));
        let named = |(name, api): (String, Api)| {
            let api = api.with_log_name(&name);
            let roads = api.roads.beside(&roads);
            let (stopping, exporting) = (front.stopping.clone(), Arc::clone(&exporting));
            Log { name: name.into(), api: Api { stopping, exporting, roads, ..api } }
        };
        let mut logs: Vec<_> = logs.into_iter().map(named).collect();
        logs.sort_by(|a, b| a.name.cmp(&b.name));
        Self { logs: logs.into(), claims, front }
    }

    /// Lets browsers call for pages of these origins; else for none.
    #[must_use]
    pub fn with_web_origins(self, origins: impl IntoIterator<Item = WebOrigin>) -> Self {
        let web_origins = origins.into_iter().collect();
        Self { front: Front { web_origins, ..self.front }, ..self }
    }

    /// As [`Api::with_disk`]: all logs are kept in one data folder.
    #[must_use]
    pub fn with_disk(self, space: impl Fn() -> Option<Space> + Send + Sync + 'static) -> Self {
        Self { front: Front { disk: Some(Arc::new(space)), ..self.front }, ..self }
    }

    /// Ends watches as [`Api::with_watch_stall`] says.
    #[must_use]
    pub fn with_watch_stall(self, stall: Duration) -> Self {
        let each = |log: &Log| Log { api: log.api.clone().with_watch_stall(stall), ..log.clone() };
        Self { logs: self.logs.iter().map(each).collect(), ..self }
    }

    /// Stops writes as [`Api::with_writes_stopping`] says.
    #[must_use]
    pub fn with_writes_stopping(self, they_stop: bool) -> Self {
        let each =
            |log: &Log| Log { api: log.api.clone().with_writes_stopping(they_stop), ..log.clone() };
        Self { logs: self.logs.iter().map(each).collect(), ..self }
    }

    /// Serves as [`Api::serve`] does.
    ///
    /// # Errors
    /// [`ServeError`] where the server cannot go on.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), ServeError> {
        let models: Vec<ReadModel> = self.logs.iter().map(|log| log.api.model.clone()).collect();
        serve(self.front.clone(), models, routes(&self), listener, shutdown).await
    }

    /// The logs, by name.
    pub(crate) fn all(&self) -> &[Log] {
        &self.logs
    }

    /// What belongs to no log.
    pub(crate) const fn front(&self) -> &Front {
        &self.front
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.logs.iter().map(|log| &*log.name)
    }

    /// The log of this name.
    fn named(&self, name: &str) -> Result<&Log, Failure> {
        let log = self.logs.iter().find(|log| *log.name == *name);
        log.ok_or_else(|| Failure::unknown_log(name, self.names()))
    }

    /// The log that a request names; `None` where it names none.
    fn said(&self, name: &str) -> Result<Option<&Log>, Failure> {
        if name.is_empty() { Ok(None) } else { self.named(name).map(Some) }
    }
}
