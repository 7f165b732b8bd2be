//! One connection to the servers, and what is asked over it.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::Client;
use async_nats::connection::State as Connection;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::{AccountErrorKind, ContextBuilder};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::connect::{StreamOptions, Violation, connect};
use super::problem::{answered, denied, is_disabled, unavailable};
use crate::clock::{Clock as _, SystemClock};
use crate::error::LogError;
use crate::survey::{OLDEST_SERVER, is_too_old};

/// How long the servers may take to answer a request.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// What may wait to be sent: few, since each may be a frame of half a megabyte.
pub(super) const QUEUE: usize = 64;
/// The pause between two looks at a stream that is missing or seems too short.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// How often a request looks whether the connection is back.
const LOOK: Duration = Duration::from_millis(10);

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
/// and panic on the runtime's own. Each has an end, whatever the servers do: some seconds, and half a
/// minute for each stream that is made.
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
    violation: Violation,
    /// Streams that the servers do not know, and since when.
    pub(super) missing: Mutex<BTreeMap<String, Duration>>,
}

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
}

impl Link {
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

    pub(super) fn check_server(&self) -> Result<(), LogError> {
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
}
