//! What every service shares: who writes, the read model, and how calls wait for them.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use encours_audit::Notary;
use encours_domain::number::LedgerNo;
use encours_domain::{Position, Reason, Refusal};
use encours_engine::{EngineHandle, KeyStore};
use encours_log::{LogReader, Space};
use encours_projections::{AsOf, ReadModel};
use encours_proto::command::id;
use encours_proto::{money, v1};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tonic::metadata::MetadataMap;

use crate::call::patience;
use crate::connections::{Connections, Files};
use crate::event_log::WATCH_STALL;
use crate::exports::MAX_EXPORTS;
use crate::failure::{Failure, POSITION_NOT_REACHED};
use crate::forward::Roads;
use crate::leader::Writing;
use crate::metrics::{Calls, LinkFigures, PublisherFigures, RecoveryFigures};
use crate::proofs::Proofs;
use crate::web::WebOrigin;

/// The gRPC services over one log and its read model. Clones are cheap and share it.
#[derive(Clone)]
pub struct Api {
    /// What the log is called, where it has a name.
    pub(crate) log: Option<Arc<str>>,
    /// Who writes the log.
    pub(crate) writing: watch::Receiver<Writing>,
    /// The ways to another node that writes it.
    pub(crate) roads: Roads,
    /// The keys of customers.
    pub(crate) keys: watch::Receiver<Arc<KeyStore>>,
    pub(crate) model: ReadModel,
    pub(crate) reader: Arc<dyn LogReader>,
    /// The tree over the log's events, and who signs for it.
    pub(crate) proofs: Proofs,
    /// True once the server stops: streams end.
    pub(crate) stopping: watch::Sender<bool>,
    /// One verification of the log at a time.
    pub(crate) verifying: Arc<Semaphore>,
    /// A bounded number of exports at a time.
    pub(crate) exporting: Arc<Semaphore>,
    /// The pages that browsers may call for.
    pub(crate) web_origins: Arc<[WebOrigin]>,
    /// Asks the publisher how it is, where there may be one.
    pub(crate) publisher: Option<Asked<Option<PublisherFigures>>>,
    /// Asks the connection to the servers that keep the log, where there are some.
    pub(crate) link: Option<Asked<LinkFigures>>,
    /// What opening the data folder found, where that is known.
    pub(crate) recovery: Option<RecoveryFigures>,
    /// Asks how full the data folder's disk is.
    pub(crate) disk: Option<Asked<Option<Space>>>,
    /// Whether commands are refused once the read model has stopped.
    pub(crate) writes_stop: bool,
    pub(crate) calls: Arc<Calls>,
    pub(crate) connections: Arc<Connections>,
    /// How long a watcher may read nothing.
    pub(crate) watch_stall: Duration,
    /// Watchers that were left because they did not read.
    pub(crate) tail_dropped: Arc<AtomicU64>,
    /// The last event when the services were set up.
    pub(crate) first_position: Position,
}

/// Tells how something is that runs beside the services.
pub(crate) type Asked<T> = Arc<dyn Fn() -> T + Send + Sync>;

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api").field("model", &self.model).finish_non_exhaustive()
    }
}

impl Api {
    /// The services of a node that writes its log alone, through `engine`, and reads from `model`,
    /// which follows that log.
    #[must_use]
    pub fn new(engine: EngineHandle, model: ReadModel) -> Self {
        let (_, keys) = watch::channel(engine.keys());
        let reader = engine.reader();
        let (_, writing) = watch::channel(Writing::Here(engine));
        let files = Files::of_node(1, false);
        let connections = Arc::new(Connections::within(files));
        Self { connections, ..Self::of_node(model, reader, keys, writing) }
    }

    /// The services of a node among several over one log: `writing` tells at any time who writes it.
    /// Reads are answered from `model`, which follows `reader`, and with `keys`, whoever writes.
    #[must_use]
    pub fn of_node(
        model: ReadModel,
        reader: Arc<dyn LogReader>,
        keys: watch::Receiver<Arc<KeyStore>>,
        writing: watch::Receiver<Writing>,
    ) -> Self {
        let first_position = Position(reader.tail().next_position.0.saturating_sub(1));
        let files = Files::of_node(1, true);
        Self {
            log: None,
            writing,
            roads: Roads::new(files.handed_on),
            keys,
            model,
            proofs: Proofs::new(Arc::clone(&reader)),
            reader,
            stopping: watch::Sender::new(false),
            verifying: Arc::new(Semaphore::new(1)),
            exporting: Arc::new(Semaphore::new(MAX_EXPORTS)),
            web_origins: Arc::new([]),
            publisher: None,
            link: None,
            recovery: None,
            disk: None,
            writes_stop: false,
            calls: Arc::new(Calls::new()),
            connections: Arc::new(Connections::within(files)),
            watch_stall: WATCH_STALL,
            tail_dropped: Arc::default(),
            first_position,
        }
    }

    /// Answers proofs from the tree of this notary, which follows the same log, and the checkpoints that
    /// it signs. Without one there are proofs of short logs only, and no checkpoints.
    #[must_use]
    pub fn with_notary(self, notary: Arc<Notary>) -> Self {
        Self { proofs: Proofs::of(notary), ..self }
    }

    /// Calls the log by a name: requests may give it, and a leader that keeps several logs is told
    /// which one writes handed on to it are for.
    #[must_use]
    pub fn with_log_name(self, name: &str) -> Self {
        Self { log: Some(name.into()), roads: self.roads.of_log(name), ..self }
    }

    /// Lets browsers call for pages of these origins; else for none.
    #[must_use]
    pub fn with_web_origins(self, origins: impl IntoIterator<Item = WebOrigin>) -> Self {
        Self { web_origins: origins.into_iter().collect(), ..self }
    }

    /// Ends a watch of events of which nothing was read for this long; 60 seconds where nothing is
    /// said.
    #[must_use]
    pub const fn with_watch_stall(mut self, stall: Duration) -> Self {
        self.watch_stall = stall;
        self
    }

    /// Says whether commands of callers are refused with `READ_MODEL_STOPPED` once the read model has
    /// stopped; else they go on. What falls due is recorded either way.
    #[must_use]
    pub const fn with_writes_stopping(mut self, they_stop: bool) -> Self {
        self.writes_stop = they_stop;
        self
    }

    /// Has the metrics tell how a publisher is, for as long as there is one.
    #[must_use]
    pub fn with_publisher(
        self,
        figures: impl Fn() -> Option<PublisherFigures> + Send + Sync + 'static,
    ) -> Self {
        Self { publisher: Some(Arc::new(figures)), ..self }
    }

    /// Has the metrics tell what opening the data folder found.
    #[must_use]
    pub const fn with_recovery(mut self, figures: RecoveryFigures) -> Self {
        self.recovery = Some(figures);
        self
    }

    /// Has the metrics tell how full the data folder's disk is.
    #[must_use]
    pub fn with_disk(self, space: impl Fn() -> Option<Space> + Send + Sync + 'static) -> Self {
        Self { disk: Some(Arc::new(space)), ..self }
    }

    /// Has the metrics tell how the connection is to the servers that keep the log.
    #[must_use]
    pub fn with_link(self, figures: impl Fn() -> LinkFigures + Send + Sync + 'static) -> Self {
        Self { link: Some(Arc::new(figures)), ..self }
    }

    /// # Errors
    /// `UNKNOWN_LOG` where a request names another log than this one.
    pub(crate) fn is_log(&self, name: &str) -> Result<(), Failure> {
        if name.is_empty() || self.log.as_deref() == Some(name) {
            return Ok(());
        }
        Err(Failure::unknown_log(name, self.log.as_deref().into_iter()))
    }

    /// The keys of customers.
    pub(crate) fn keys(&self) -> Arc<KeyStore> {
        Arc::clone(&self.keys.borrow())
    }

    /// Waits until the read model has reached `min_position`, as long as the call has time.
    pub(crate) async fn ready(
        &self,
        metadata: &MetadataMap,
        min_position: u64,
    ) -> Result<(), Failure> {
        let health = self.model.health();
        if !health.serving {
            return Err(health.stopped.map_or_else(
                || Failure::internal("the read model is being rebuilt"),
                Failure::from,
            ));
        }
        let wanted = Position(min_position);
        if self.model.position() >= wanted {
            return Ok(());
        }
        match timeout(patience(metadata), self.model.wait_for(wanted)).await {
            Ok(reached) => Ok(reached.map(drop)?),
            Err(_) => {
                let reached = self.model.position();
                Err(Failure::new(
                    POSITION_NOT_REACHED,
                    format!("the read model is at position {reached}, asked for {wanted}"),
                )
                .about("min_position")
                .with("position", reached)
                .with("min_position", wanted))
            }
        }
    }

    /// The number of the ledger with this id.
    pub(crate) fn ledger_no(&self, ledger_id: &str) -> Result<LedgerNo, Failure> {
        let id = id("ledger_id", ledger_id)?;
        let found = self.model.ledger_no(id.as_str()).value;
        found.ok_or_else(|| unknown(Reason::UnknownLedger, "ledger_id", "ledger", ledger_id))
    }

    /// The point in the past that a request asks for. Where that is a position which the read model
    /// has not reached yet, waits for it as long as the call has time.
    pub(crate) async fn as_of(
        &self,
        metadata: &MetadataMap,
        date: Option<v1::Date>,
        known: Option<v1::AsKnownAt>,
    ) -> Result<AsOf, Failure> {
        use v1::as_known_at::At;
        let date = money::optional_day("as_of_date", date)?;
        let known = match known.map(|known| known.at) {
            None => None,
            Some(None) => return Err(money::missing("as_known_at.position").into()),
            Some(Some(At::Position(position))) => {
                self.ready(metadata, position).await?;
                Some(Position(position))
            }
            Some(Some(At::Time(time))) => {
                let time = money::micros("as_known_at.time", &time)?;
                let model = self.model.clone();
                Some(blocking(move || Ok(model.position_at(time)?)).await?)
            }
        };
        Ok(AsOf { date, known })
    }
}

/// There is no such thing as `field` names.
pub(crate) fn unknown(reason: Reason, field: &str, what: &str, id: &str) -> Failure {
    Refusal::new(reason, field, format!("there is no {what} {id}")).with("id", id).into()
}

/// Runs what reads the disk or computes for long off the async workers.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(panicked) => {
            tracing::error!(%panicked, "a query has panicked");
            Err(Failure::internal("a query has failed on an assertion"))
        }
    }
}
