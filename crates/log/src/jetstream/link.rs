//! One connection to the servers, and the streams of one log.

use std::collections::BTreeMap;
use std::future::Future;
use std::num::NonZeroU8;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::connection::State as Connection;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::{AccountErrorKind, ContextBuilder};
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{Config, Info};
use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event, ServerAddr, ServerError};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::config::{LOG_ID_ENTRY, drift, keys_stream, log_stream};
use super::name::LogName;
use super::problem::{
    answered, denied, gone, is_disabled, no_info, not_made, not_read, unavailable,
};
use super::short::patience;
use crate::clock::{Clock as _, SystemClock};
use crate::error::LogError;
use crate::id::{FrameNumber, LogId};
use crate::survey::{OLDEST_SERVER, is_too_old, signed_in};

/// How long servers may take to accept a connection.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// How long the servers may take to answer a request.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// How often a connection is tried on which nothing moves. After three without an answer it is
/// given up.
const PING: Duration = Duration::from_secs(2);
/// The longest pause between two attempts to connect again.
const RECONNECT_PAUSE_MAX: Duration = Duration::from_secs(1);
/// What may wait to be sent: few, since each may be a frame of half a megabyte.
const QUEUE: usize = 64;
/// The pause between two looks at a stream that is missing or seems too short.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// How often a request looks whether the connection is back.
const LOOK: Duration = Duration::from_millis(10);

/// Where a log is kept, and how.
#[derive(Clone, Debug)]
pub struct StreamOptions {
    /// The servers; any one that answers is used.
    pub servers: Vec<ServerAddr>,
    /// A credentials file, as `nsc` writes it.
    pub credentials: Option<PathBuf>,
    /// The log.
    pub log: LogName,
    /// On how many servers each frame is kept before it counts as durable; for a new stream.
    pub replicas: NonZeroU8,
    /// The most bytes of the log stream; for a new one. A stream may have more.
    pub max_bytes: u64,
}

/// What a connection has seen since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkFigures {
    /// Whether it is up.
    pub connected: bool,
    /// Frames whose outcome had to be found out.
    pub ambiguous: u64,
    /// Appends that found another writer's frame in their place.
    pub fenced: u64,
    /// Gaps in what the servers sent.
    pub gaps: u64,
}

/// What the streams of a log say of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamFacts {
    /// The log.
    pub log_id: LogId,
    /// The last frame.
    pub last: FrameNumber,
    /// Bytes stored.
    pub bytes: u64,
    /// The most bytes there may be.
    pub max_bytes: u64,
    /// The last sequence of the keys stream; 0: no keys were ever shared.
    pub keys_last: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) ambiguous: AtomicU64,
    pub(super) fenced: AtomicU64,
    pub(super) gaps: AtomicU64,
}

/// One connection and the names of one log. A clone shares the connection, which comes back by
/// itself for as long as one of them lives.
///
/// The calls that are not `async` block, on the runtime that was given: they belong on plain threads
/// and panic on the runtime's own. Each has an end: some seconds, whatever the servers do.
#[derive(Clone)]
pub struct Link {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    runtime: Handle,
    pub(super) options: StreamOptions,
    pub(super) context: Context,
    client: Client,
    pub(super) clock: SystemClock,
    pub(super) counters: Counters,
    /// How often the connection was lost.
    losses: watch::Receiver<u64>,
    /// What a server last refused for want of permission, and when.
    violation: Violation,
    /// Streams that the servers do not know, and since when.
    missing: Mutex<BTreeMap<String, Duration>>,
}

type Violation = Arc<Mutex<Option<(Duration, String)>>>;

impl Link {
    /// Connects, and checks that a server new enough answers, with JetStream.
    ///
    /// `runtime` must have worker threads of its own.
    ///
    /// # Errors
    /// [`LogError::Unavailable`] where nobody answers, [`LogError::Denied`] for credentials that are
    /// not taken and servers that are too old.
    pub fn connect(runtime: Handle, options: StreamOptions) -> Result<Self, LogError> {
        let (losses, violation) = (watch::channel(0), Violation::default());
        let clock = SystemClock::new();
        let connecting = connect(&options, clock, losses.0, Arc::clone(&violation));
        let client = runtime.block_on(connecting)?;
        let context = {
            // WHY: the client starts a task of its own for each context.
            let _inside = runtime.enter();
            ContextBuilder::new()
                .timeout(PATIENCE)
                .ack_timeout(PATIENCE)
                .max_ack_inflight(QUEUE)
                .build(client.clone())
        };
        let shared = Shared {
            runtime,
            options,
            context,
            client,
            clock,
            counters: Counters::default(),
            losses: losses.1,
            violation,
            missing: Mutex::default(),
        };
        let link = Self { shared: Arc::new(shared) };
        link.check_server()?;
        link.block(link.check_account())?;
        Ok(link)
    }

    /// What the connection has seen.
    #[must_use]
    pub fn figures(&self) -> LinkFigures {
        let counters = &self.shared.counters;
        LinkFigures {
            connected: self.is_connected(),
            ambiguous: counters.ambiguous.load(Ordering::Relaxed),
            fenced: counters.fenced.load(Ordering::Relaxed),
            gaps: counters.gaps.load(Ordering::Relaxed),
        }
    }

    /// The streams of the log, held against what they have to be; made where they are missing and
    /// `create` gives the id of a new log. A stream that is missing is looked for again for a while.
    ///
    /// # Errors
    /// [`LogError::StreamConfig`] where a stream is missing or differs, naming each setting;
    /// [`LogError::StreamDiverged`] where frames are missing; [`LogError::Unavailable`],
    /// [`LogError::Denied`].
    pub fn stream(&self, create: Option<LogId>) -> Result<StreamFacts, LogError> {
        let begun = self.now();
        loop {
            let told = self.stream_now(create);
            let is_passing = told.as_ref().is_err_and(LogError::is_unavailable);
            let lasts = self.now().saturating_sub(begun) > patience(self.options().replicas);
            if !is_passing || lasts || self.missing_streams().is_empty() {
                return told;
            }
            self.block(async { sleep(LOOK_AGAIN).await });
        }
    }
}

impl Link {
    /// As [`stream`](Self::stream), looking once: for what is missing, [`LogError::Unavailable`] until
    /// that has lasted.
    pub(super) fn stream_now(&self, create: Option<LogId>) -> Result<StreamFacts, LogError> {
        self.check_server()?;
        self.block(self.open_streams(create))
    }

    fn missing_streams(&self) -> MutexGuard<'_, BTreeMap<String, Duration>> {
        self.shared.missing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it means that the servers do not know this stream: that it is gone, once it has lasted.
    pub(super) fn missing(&self, stream: &str) -> LogError {
        let now = self.now();
        let since = *self.missing_streams().entry(stream.to_owned()).or_insert(now);
        if now.saturating_sub(since) >= patience(self.options().replicas) {
            return gone(stream);
        }
        let doing = format!("stream {stream}");
        unavailable(&doing, "the servers do not know it, though they may again")
    }

    /// The servers know this stream.
    pub(super) fn found(&self, stream: &str) {
        self.missing_streams().remove(stream);
    }

    pub(super) fn options(&self) -> &StreamOptions {
        &self.shared.options
    }

    pub(super) fn now(&self) -> Duration {
        self.shared.clock.monotonic()
    }

    pub(super) fn block<T>(&self, work: impl Future<Output = T>) -> T {
        self.shared.runtime.block_on(work)
    }

    pub(super) fn runtime(&self) -> &Handle {
        &self.shared.runtime
    }

    pub(super) fn is_connected(&self) -> bool {
        self.shared.client.connection_state() == Connection::Connected
    }

    /// Tells of each loss of the connection after this call.
    pub(super) fn losses(&self) -> watch::Receiver<u64> {
        let mut losses = self.shared.losses.clone();
        losses.mark_unchanged();
        losses
    }

    /// Waits, for at most [`PATIENCE`], until the connection is up.
    ///
    /// WHY: the client keeps what is asked of it meanwhile, and remembers every request that nobody
    /// answers. So nothing is asked while nobody can hear it.
    async fn connected(&self, doing: &str) -> Result<(), LogError> {
        let up = async {
            while !self.is_connected() {
                sleep(LOOK).await;
            }
        };
        let waited = timeout(PATIENCE, up).await;
        waited.map_err(|_| unavailable(doing, "no server can be reached"))
    }

    /// One request, once connected.
    pub(super) async fn ask<T>(
        &self,
        doing: &str,
        request: impl Future<Output = Result<T, LogError>>,
    ) -> Result<T, LogError> {
        self.connected(doing).await?;
        let begun = self.now();
        // The request has a limit of its own; this one is for what waits before it.
        let answer = timeout(2 * PATIENCE, request).await;
        let answer = answer.unwrap_or_else(|_| Err(unavailable(doing, "no answer in time")));
        answer.map_err(|error| self.explain(error, begun))
    }

    /// A server that refuses for want of permission does not answer the request but says so aside.
    pub(super) fn explain(&self, error: LogError, begun: Duration) -> LogError {
        let LogError::Unavailable { doing, why } = error else { return error };
        let violation = self.shared.violation.lock().unwrap_or_else(PoisonError::into_inner).take();
        match violation {
            Some((at, said)) if at >= begun => denied(&doing, said),
            _ => LogError::Unavailable { doing, why },
        }
    }

    /// What the stream's leader says of it; `None` where there is no such stream.
    pub(super) async fn info(&self, stream: &str) -> Result<Option<Info>, LogError> {
        let doing = format!("stream {stream}");
        let request = async {
            match self.shared.context.get_stream(stream).await {
                Ok(found) => {
                    self.found(stream);
                    Ok(Some(found.cached_info().clone()))
                }
                Err(error) => no_info(self, &doing, stream, &error).map_or(Ok(None), Err),
            }
        };
        self.ask(&doing, request).await
    }

    /// One message, as the stream's leader has it; `None` where there is none of this sequence.
    pub(super) async fn message(
        &self,
        stream: &str,
        sequence: u64,
    ) -> Result<Option<StreamMessage>, LogError> {
        let doing = format!("reading message {sequence} of stream {stream}");
        let request = async {
            let handle = self.shared.context.get_stream_no_info(stream).await;
            let handle = handle.map_err(|error| unavailable(&doing, error))?;
            let message = match handle.get_raw_message(sequence).await {
                Ok(message) => Some(message),
                Err(error) => not_read(self, &doing, stream, &error).map_or(Ok(None), Err)?,
            };
            self.found(stream);
            Ok(message)
        };
        self.ask(&doing, request).await
    }

    fn check_server(&self) -> Result<(), LogError> {
        let info = self.shared.client.server_info();
        if !is_too_old(&info.version) {
            return Ok(());
        }
        let [major, minor, patch] = OLDEST_SERVER;
        let why = format!(
            "it is of version {:?}; {major}.{minor}.{patch} or later is needed, older ones lose data",
            info.version
        );
        Err(denied(&format!("server {}", info.server_name), why))
    }

    async fn check_account(&self) -> Result<(), LogError> {
        let doing = "asking for JetStream";
        let request = async {
            let account = self.shared.context.query_account().await;
            account.map(|_| ()).map_err(|error| match error.kind() {
                // Here it was never seen to work.
                AccountErrorKind::JetStream(why) if is_disabled(&why) => denied(doing, why),
                AccountErrorKind::JetStream(why) => answered(self, doing, "", &why),
                _ => unavailable(doing, error),
            })
        };
        self.ask(doing, request).await
    }

    async fn open_streams(&self, create: Option<LogId>) -> Result<StreamFacts, LogError> {
        let options = self.options();
        let log = self.open_stream(&log_stream(options, create), create.is_some()).await?;
        // WHY only beside an empty log: the frames of another one rest on keys that are gone.
        let create = create.is_some() && log.state.last_sequence == 0;
        let keys = self.open_stream(&keys_stream(options), create).await?;
        facts_of_log(&log, keys.state.last_sequence)
    }

    /// The stream as it is, made where it is missing. What was made is read back, so that of two
    /// nodes that make it at once both go on with the one that there is.
    async fn open_stream(&self, wanted: &Config, create: bool) -> Result<Info, LogError> {
        let name = &wanted.name;
        let mut info = self.info(name).await?;
        if info.is_none() && create {
            let doing = format!("making stream {name}");
            let request = async {
                let made = self.shared.context.create_stream(wanted).await;
                made.map(|_| ()).map_err(|error| not_made(self, &doing, name, &error))
            };
            let made = self.ask(&doing, request).await;
            info = self.info(name).await?;
            match &info {
                Some(_) if made.is_ok() => tracing::info!(stream = name, "stream made"),
                Some(_) => {}
                None => made?,
            }
        }
        let info = info.ok_or_else(|| self.missing(name))?;
        check_settings(&info.config, wanted)?;
        Ok(info)
    }
}

/// # Errors
/// [`LogError::StreamConfig`] with each setting that differs.
pub(super) fn check_settings(there: &Config, wanted: &Config) -> Result<(), LogError> {
    let drift = drift(there, wanted);
    if drift.is_empty() {
        return Ok(());
    }
    let why = format!("its settings differ: {}", drift.join("; "));
    Err(LogError::StreamConfig { stream: wanted.name.clone(), why })
}

/// What the log stream says of itself.
///
/// # Errors
/// [`LogError::StreamDiverged`] where messages are missing, [`LogError::StreamConfig`] where it does
/// not say which log it holds.
pub(super) fn facts_of_log(log: &Info, keys_last: u64) -> Result<StreamFacts, LogError> {
    let (state, config) = (&log.state, &log.config);
    if state.messages != state.last_sequence {
        return Err(LogError::StreamDiverged {
            stream: config.name.clone(),
            found: format!("only {} messages", state.messages),
            known: "it".to_owned(),
            wanted: FrameNumber(state.last_sequence),
        });
    }
    let id = config.metadata.get(LOG_ID_ENTRY).and_then(|text| text.parse().ok());
    let log_id = id.ok_or_else(|| {
        let why = format!("its metadata has no {LOG_ID_ENTRY} of 32 hex digits");
        LogError::StreamConfig { stream: config.name.clone(), why }
    })?;
    Ok(StreamFacts {
        log_id,
        last: FrameNumber(state.last_sequence),
        bytes: state.bytes,
        max_bytes: u64::try_from(config.max_bytes).unwrap_or(u64::MAX),
        keys_last,
    })
}

async fn connect(
    options: &StreamOptions,
    clock: SystemClock,
    losses: watch::Sender<u64>,
    violation: Violation,
) -> Result<Client, LogError> {
    let servers: Vec<_> =
        options.servers.iter().map(|at| format!("{}:{}", at.host(), at.port())).collect();
    let doing = format!("connecting to {}", servers.join(", "));
    let mut connect = ConnectOptions::new()
        .name(format!("encours log {}", options.log))
        .connection_timeout(PATIENCE)
        .request_timeout(Some(PATIENCE))
        .ping_interval(PING)
        .client_capacity(QUEUE)
        .reconnect_delay_callback(|attempts| {
            let pause = Duration::from_millis(50).saturating_mul(1 << attempts.min(10));
            pause.min(RECONNECT_PAUSE_MAX)
        })
        .event_callback(move |event| {
            match event {
                Event::Disconnected | Event::Closed => losses.send_modify(|losses| *losses += 1),
                Event::ServerError(ServerError::Other(said)) => {
                    tracing::warn!(said, "a NATS server complains");
                    // Nothing hangs on that one: see the drop of a `Feed`.
                    let is_needed = !said.contains(".CONSUMER.DELETE.");
                    if is_needed && said.to_lowercase().contains("permissions violation") {
                        let noted = Some((clock.monotonic(), said));
                        *violation.lock().unwrap_or_else(PoisonError::into_inner) = noted;
                    }
                }
                _ => {}
            }
            std::future::ready(())
        });
    connect = signed_in(connect, &options.servers);
    if let Some(file) = &options.credentials {
        let read = connect.credentials_file(file).await;
        connect = read
            .map_err(|error| denied(&doing, format!("credentials {}: {error}", file.display())))?;
    }
    let connected = timeout(CONNECT_PATIENCE, connect.connect(options.servers.as_slice())).await;
    let connected = connected.map_err(|_| unavailable(&doing, "no server answers"))?;
    connected.map_err(|error| match error.kind() {
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
            denied(&doing, error)
        }
        _ => unavailable(&doing, error),
    })
}
