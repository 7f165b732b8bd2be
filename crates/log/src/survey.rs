//! What NATS servers say of themselves and of the streams that they hold, for a check list. Nothing is
//! made and nothing is changed: [`Survey`] asks, whoever calls it judges.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::jetstream::context::{AccountErrorKind, ContextBuilder, GetStreamErrorKind};
use async_nats::jetstream::stream::{Info, RawMessageErrorKind};
use async_nats::jetstream::{Context, ErrorCode};
use async_nats::{Client, ConnectOptions, Event, ServerAddr};
use futures_util::StreamExt as _;
use tokio::time::{Instant, timeout, timeout_at};

use crate::access::{Access, not_connected};
use crate::error::LogError;
use crate::frame::Frame;
use crate::id::{FrameNumber, Hash};

/// How long a server may take to connect or to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long all servers together may take to send their pages.
const PAGES_PATIENCE: Duration = Duration::from_secs(2);
/// How long no page may come until they are taken to be all.
const PAGES_PAUSE: Duration = Duration::from_millis(500);
/// Pages that are taken at most; far above the servers that a log is kept on.
const PAGES_MAX: usize = 64;
/// Where every server answers with the page that its monitoring port serves as `/varz`.
const PAGES_SUBJECT: &str = "$SYS.REQ.SERVER.PING.VARZ";

/// The oldest nats-server that a log is kept on: those before it lose data in known ways.
pub const OLDEST_SERVER: [u64; 3] = [2, 15, 1];

/// Whether a server's version, such as `2.15.1`, comes before [`OLDEST_SERVER`], or is none.
#[must_use]
pub fn is_too_old(version: &str) -> bool {
    let release = version.trim_start_matches('v').split(['-', '+']).next().unwrap_or_default();
    let parts: Option<Vec<u64>> = release.split('.').map(|part| part.parse().ok()).collect();
    parts.is_none_or(|parts| *parts < OLDEST_SERVER[..])
}

/// A connection to one or more servers, to ask them.
#[derive(Clone)]
pub struct Survey {
    client: Client,
    context: Context,
    at: String,
    /// What the server refused last: it tells of a question that is not allowed beside the answers.
    refused: Arc<Mutex<Option<String>>>,
}

/// What a server says of itself to whoever connects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerFacts {
    /// Its name.
    pub name: String,
    /// Its version, such as `2.15.1`.
    pub version: String,
    /// Whether JetStream is on.
    pub jetstream: bool,
    /// Bytes that a message may have.
    pub max_payload: u64,
    /// Its cluster, where it belongs to one.
    pub cluster: Option<String>,
    /// Addresses, as `host:port`, of the servers that it tells clients about.
    pub others: Vec<String>,
}

/// What the account may keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountFacts {
    /// Bytes that its file streams take, over all replicas.
    pub stored_bytes: u64,
    /// Bytes that they may take; `None` where only the servers' own limits count.
    pub max_bytes: Option<u64>,
}

/// Where a stream lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Replicas that it is set up with.
    pub replicas: usize,
    /// The name of the server that leads it; `None` where none does just now.
    pub leader: Option<String>,
    /// The servers that follow the leader.
    pub followers: Vec<Follower>,
    /// The last sequence.
    pub last: u64,
    /// Bytes that it holds.
    pub bytes: u64,
    /// Bytes that it may hold; negative where there is no limit.
    pub max_bytes: i64,
}

/// A server that follows a stream's leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Follower {
    /// Its name.
    pub name: String,
    /// Whether it has all that the leader has.
    pub current: bool,
    /// Whether it is gone.
    pub offline: bool,
    /// Entries that it lacks, where known.
    pub lag: u64,
    /// Since when it was not heard of.
    pub silent: Duration,
}

/// A page of a server's monitoring, asked for over NATS.
#[derive(Clone, Debug)]
pub struct Page {
    /// JSON: `server`, and in `data` what the monitoring port serves as `/varz`.
    pub body: Vec<u8>,
    /// From the question until the page was there.
    pub after: Duration,
}

impl Survey {
    /// Connects to the first of these servers that answers, and to no other that it knows.
    ///
    /// # Errors
    /// [`LogError::Unavailable`] where none answers, [`LogError::Denied`] where the credentials are
    /// not taken or cannot be read.
    pub async fn connect(servers: &[ServerAddr], access: &Access) -> Result<Self, LogError> {
        let names: Vec<_> = servers.iter().map(address).collect();
        let at = names.join(", ");
        let doing = format!("connecting to {at}");
        let refused: Arc<Mutex<Option<String>>> = Arc::default();
        let last_refused = Arc::clone(&refused);
        let mut options = ConnectOptions::new()
            .name("encours survey")
            .event_callback(move |event| {
                if let Event::ServerError(why) = event {
                    let mut last = last_refused.lock().unwrap_or_else(PoisonError::into_inner);
                    *last = Some(why.to_string());
                }
                std::future::ready(())
            })
            .connection_timeout(PATIENCE)
            .request_timeout(Some(PATIENCE))
            .ignore_discovered_servers()
            // Each of them once.
            .max_reconnects(servers.len());
        options = access.let_in(options, servers).await?;
        let client = options.connect(servers).await;
        let client = client.map_err(|error| not_connected(&doing, &error))?;
        let context = ContextBuilder::new().timeout(PATIENCE).build(client.clone());
        Ok(Self { client, context, at, refused })
    }

    /// What the server said when it was connected to.
    #[must_use]
    pub fn server(&self) -> ServerFacts {
        let info = self.client.server_info();
        ServerFacts {
            name: info.server_name,
            version: info.version,
            jetstream: info.jetstream,
            max_payload: info.max_payload as u64,
            cluster: info.cluster.filter(|name| !name.is_empty()),
            others: info.connect_urls,
        }
    }

    /// Asks every server of the cluster for its monitoring page. None come where the credentials do
    /// not allow to ask: that is for the system account and for those to whom it exports it.
    ///
    /// # Errors
    /// [`LogError::Unavailable`] where the question cannot be sent.
    pub async fn pages(&self) -> Result<Vec<Page>, LogError> {
        let doing = format!("asking {} for their pages", self.at);
        let inbox = self.client.new_inbox();
        let asked = Instant::now();
        let answers = self.client.subscribe(inbox.clone()).await;
        let mut answers = answers.map_err(|error| self.unanswered(&doing, &error))?;
        let sent = self.client.publish_with_reply(PAGES_SUBJECT, inbox, "".into()).await;
        sent.map_err(|error| self.unanswered(&doing, &error))?;
        let mut pages = Vec::new();
        while pages.len() < PAGES_MAX {
            let pause = if pages.is_empty() { PAGES_PATIENCE } else { PAGES_PAUSE };
            let end = (asked + PAGES_PATIENCE).min(Instant::now() + pause);
            let Ok(Some(answer)) = timeout_at(end, answers.next()).await else { break };
            // A status stands for "nobody listens there".
            if answer.status.is_none() {
                pages.push(Page { body: answer.payload.to_vec(), after: asked.elapsed() });
            }
        }
        // That this question is refused says nothing about the next one.
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(pages)
    }

    /// What the account may keep.
    ///
    /// # Errors
    /// [`LogError::Denied`] where it has no JetStream, [`LogError::Unavailable`] where nobody answers.
    pub async fn account(&self) -> Result<AccountFacts, LogError> {
        let doing = format!("asking {} for the account's limits", self.at);
        let account = self.context.query_account().await.map_err(|error| match error.kind() {
            AccountErrorKind::JetStream(why) => denied(&doing, &why),
            AccountErrorKind::JetStreamUnavailable => {
                denied(&doing, &"nobody answers: the account has no JetStream, or may not ask")
            }
            _ => self.unanswered(&doing, &error),
        })?;
        let limit = account.limits.max_storage.and_then(|max| u64::try_from(max).ok());
        Ok(AccountFacts { stored_bytes: account.storage, max_bytes: limit })
    }

    /// Where a stream lies; `None` where it is not there.
    ///
    /// # Errors
    /// [`LogError::Denied`] where the server refuses, [`LogError::Unavailable`] where it does not
    /// answer.
    pub async fn placement(&self, stream: &str) -> Result<Option<Placement>, LogError> {
        let doing = format!("looking for stream {stream}");
        match self.context.get_stream(stream).await {
            Ok(found) => Ok(Some(placement(found.cached_info()))),
            Err(error) => match error.kind() {
                GetStreamErrorKind::JetStream(why)
                    if why.error_code() == ErrorCode::STREAM_NOT_FOUND =>
                {
                    Ok(None)
                }
                GetStreamErrorKind::JetStream(why) => Err(denied(&doing, &why)),
                _ => Err(self.unanswered(&doing, &error)),
            },
        }
    }

    /// The hash of a frame in a log stream; `None` where there is no message of its number.
    ///
    /// # Errors
    /// [`LogError::StreamConfig`] where the message is no frame, [`LogError::Unavailable`] where
    /// nobody answers.
    pub async fn frame_hash(
        &self,
        stream: &str,
        number: FrameNumber,
    ) -> Result<Option<Hash>, LogError> {
        let doing = format!("reading frame {number} of stream {stream}");
        let handle = self.context.get_stream_no_info(stream).await;
        let handle = handle.map_err(|error| self.unanswered(&doing, &error))?;
        let read = timeout(PATIENCE, handle.get_raw_message(number.0)).await;
        let read = read.map_err(|error| self.unanswered(&doing, &error))?;
        let message = match read {
            Ok(message) => message,
            Err(error) if matches!(error.kind(), RawMessageErrorKind::NoMessageFound) => {
                return Ok(None);
            }
            Err(error) => return Err(self.unanswered(&doing, &error)),
        };
        let frame =
            Frame::decode(message.payload.to_vec()).map_err(|error| LogError::StreamConfig {
                stream: stream.to_owned(),
                why: format!("message {number} is no frame: {error}"),
            })?;
        Ok(Some(frame.hash()))
    }
}

impl Survey {
    /// What a question came to that was not answered: refused where the server said so.
    fn unanswered(&self, doing: &str, why: &dyn std::fmt::Display) -> LogError {
        match self.refused.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(refused) => denied(doing, &refused),
            None => unavailable(doing, why),
        }
    }
}

/// A server as it is told of, without what its URL may hold of a user and a password.
fn address(server: &ServerAddr) -> String {
    format!("{}:{}", server.host(), server.port())
}

fn placement(info: &Info) -> Placement {
    let (leader, followers) = info.cluster.as_ref().map_or((None, Vec::new()), |cluster| {
        let followers = cluster.replicas.iter().map(|peer| Follower {
            name: peer.name.clone(),
            current: peer.current,
            offline: peer.offline,
            lag: peer.lag.unwrap_or_default(),
            silent: peer.active,
        });
        (cluster.leader.clone().filter(|name| !name.is_empty()), followers.collect())
    });
    Placement {
        replicas: info.config.num_replicas,
        leader,
        followers,
        last: info.state.last_sequence,
        bytes: info.state.bytes,
        max_bytes: info.config.max_bytes,
    }
}

fn unavailable(doing: &str, why: &dyn std::fmt::Display) -> LogError {
    LogError::Unavailable { doing: doing.to_owned(), why: why.to_string() }
}

fn denied(doing: &str, why: &dyn std::fmt::Display) -> LogError {
    LogError::Denied { doing: doing.to_owned(), why: why.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_apart_by_their_numbers() {
        for version in ["2.15.1", "2.15.2-beta.1", "2.16.0", "v3.0.0", "2.100.0"] {
            assert!(!is_too_old(version), "{version}");
        }
        for version in ["2.15.0", "2.9.25", "1.4.1", "", "dev"] {
            assert!(is_too_old(version), "{version}");
        }
    }
}
