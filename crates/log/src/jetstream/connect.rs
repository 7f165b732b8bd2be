//! Connecting to the servers.

use std::num::NonZeroU8;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::{Client, ConnectOptions, Event, ServerAddr, ServerError};
use tokio::sync::watch;
use tokio::time::timeout;

use super::link::{PATIENCE, QUEUE};
use super::name::LogName;
use super::problem::unavailable;
use crate::access::{Access, not_connected};
use crate::clock::{Clock as _, SystemClock};
use crate::error::LogError;

/// How long servers may take to accept a connection.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// How often a connection is tried on which nothing moves. After three without an answer it is
/// given up.
const PING: Duration = Duration::from_secs(2);
/// The longest pause between two attempts to connect again.
const RECONNECT_PAUSE_MAX: Duration = Duration::from_secs(1);

/// Where a log is kept, and how.
#[derive(Clone, Debug)]
pub struct StreamOptions {
    /// The servers; any one that answers is used.
    pub servers: Vec<ServerAddr>,
    /// What the servers are shown, and have to show.
    pub access: Access,
    /// The log.
    pub log: LogName,
    /// On how many servers each frame is kept before it counts as durable; for a new stream.
    pub replicas: NonZeroU8,
    /// The most bytes of the log stream; for a new one. A stream may have more.
    pub max_bytes: u64,
}

/// What a server last refused for want of permission, and when.
pub(super) type Violation = Arc<Mutex<Option<(Duration, String)>>>;

/// Connects to the first server that answers.
pub(super) async fn connect(
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
    connect = options.access.let_in(connect, &options.servers).await?;
    let connected = timeout(CONNECT_PATIENCE, connect.connect(options.servers.as_slice())).await;
    let connected = connected.map_err(|_| unavailable(&doing, "no server answers"))?;
    connected.map_err(|error| not_connected(&doing, &error))
}
