//! Handing writes on to the node that writes the log.
//!
//! One connection for calls with one answer, and one for each stream of commands, so that a stream
//! whose caller does not read holds up nobody else. What the leader answers goes back as it is. Where
//! no answer comes, the write may have been done or not, and that is what the caller is told; only
//! where nothing can have been done the write may be tried again.

use std::error::Error;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use encours_proto::v1;
use encours_proto::v1::batch_service_client::BatchServiceClient;
use encours_proto::v1::command_result::Result as Shown;
use futures_util::future;
use futures_util::stream::{self, BoxStream, Stream, StreamExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, timeout_at};
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, ConnectError, Request, Status, Streaming};
use tonic_types::StatusExt as _;

use crate::call::{ACTOR_METADATA, Caller, FORWARDED_METADATA, LOG_METADATA};
use crate::failure::{ERROR_DOMAIN, Failure, OUTCOME_UNKNOWN, is_undone};
use crate::server::{CONNECTION_WINDOW_BYTES, STREAM_WINDOW_BYTES};

/// The most streams of commands that are handed on at a time.
pub const MAX_FORWARDED_STREAMS: usize = 256;
/// How long to wait for a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(1);
/// How long until a leader has taken a stream, with no command of it sent.
const OPEN_LIMIT: Duration = Duration::from_secs(3);
/// How often a leader is asked for a sign of life, and how long it may stay without giving one.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(2);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest answer that is read: that to a full batch fits many times over.
const MAX_ANSWER_BYTES: usize = 64 << 20;

/// How handing on has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Handed {
    /// The leader has answered.
    Answered,
    /// Nothing was done.
    Undone,
    /// No answer came.
    Unknown,
}

/// Why there are no answers of the leader.
#[derive(Debug)]
pub(crate) enum Broken {
    /// It is certain that nothing was done.
    Undone(Failure),
    /// It may have been done or not.
    Doubtful,
    /// What the caller is told.
    Ended(Status),
}

/// The ways to the leader. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Roads {
    shared: Arc<Shared>,
    /// Places for streams, those of all logs of the process.
    streams: Arc<Semaphore>,
    /// How many there are.
    most: usize,
    /// The name of the log, for a leader that keeps several.
    log: Option<AsciiMetadataValue>,
}

#[derive(Debug, Default)]
struct Shared {
    /// The last leader's address and the connection to it.
    last: Mutex<Option<(String, Channel)>>,
    /// By [`Handed`].
    counts: [AtomicU64; 3],
}

impl Roads {
    /// At most so many streams at a time are handed on.
    pub(crate) fn new(most: usize) -> Self {
        let streams = Arc::new(Semaphore::new(most));
        Self { shared: Arc::default(), streams, most, log: None }
    }

    /// Shares the places for streams with these.
    pub(crate) fn beside(self, others: &Self) -> Self {
        Self { streams: Arc::clone(&others.streams), most: others.most, ..self }
    }

    /// How often handing on has ended how.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let names = ["answered", "undone", "unknown"].into_iter();
        names.zip(&self.shared.counts).map(|(name, count)| (name, count.load(Ordering::Relaxed)))
    }

    fn count(&self, handed: Handed) {
        self.shared.counts[handed as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// The connection to a leader, made where it is not there.
    fn channel(&self, address: &str) -> Result<Channel, Failure> {
        let mut last = self.shared.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, channel)) = &*last
            && known == address
        {
            return Ok(channel.clone());
        }
        let channel = endpoint(address)?.connect_lazy();
        *last = Some((address.to_owned(), channel.clone()));
        Ok(channel)
    }

    /// The same for a log with this name.
    pub(crate) fn of_log(self, name: &str) -> Self {
        Self { log: name.parse().ok(), ..self }
    }

    /// A request that says who acts, for how long, and that it was handed on.
    fn handed_on<T>(&self, message: T, caller: &Caller) -> Request<T> {
        let mut request = Request::new(message);
        let metadata = request.metadata_mut();
        // It was metadata before, so that it can be again.
        if let Ok(actor) = caller.actor.parse() {
            metadata.insert(ACTOR_METADATA, actor);
        }
        metadata.insert(FORWARDED_METADATA, AsciiMetadataValue::from_static("1"));
        if let Some(log) = &self.log {
            // WHY beside the commands: a stream is taken before its first one is sent.
            metadata.insert(LOG_METADATA, log.clone());
        }
        if let Some(until) = caller.until {
            request.set_timeout(until.saturating_duration_since(Instant::now()));
        }
        request
    }

    /// Has the leader execute commands in their order; gives it up once `moved` ends, because another
    /// node leads.
    pub(crate) async fn execute(
        &self,
        address: &str,
        commands: Vec<v1::Command>,
        caller: &Caller,
        moved: impl Future<Output = ()>,
    ) -> Result<Vec<v1::CommandResult>, Broken> {
        let count = commands.len();
        let called = async {
            let mut client = client(self.channel(address).map_err(Broken::Undone)?);
            let request = self.handed_on(v1::ExecuteRequest { commands }, caller);
            let answer = tokio::select! {
                biased;
                answer = client.execute(request) => answer,
                () = moved => return Err(doubtful("another node leads")),
            };
            let answer = answer.map_err(|status| judge(address, &status))?;
            let results = answer.into_inner().results;
            if count > 0 && results.iter().all(is_undone_result) {
                return Err(Broken::Undone(Failure::no_leader()));
            }
            if results.len() == count { Ok(results) } else { Err(doubtful("another answer")) }
        };
        let ended = called.await;
        self.count(match &ended {
            Ok(_) => Handed::Answered,
            Err(Broken::Undone(_)) => Handed::Undone,
            Err(Broken::Doubtful) => Handed::Unknown,
            Err(Broken::Ended(_)) => Handed::Answered,
        });
        ended
    }

    /// Opens a stream of commands at the leader. No command is sent before it was taken, so that any
    /// failure here leaves nothing done.
    pub(crate) async fn open(&self, address: &str, caller: &Caller) -> Result<Road, Failure> {
        let place = Arc::clone(&self.streams)
            .try_acquire_owned()
            .map_err(|_| Failure::overloaded(self.most))?;
        let (commands, given) = oneshot::channel();
        let request = self.handed_on(given_later(given), caller);
        let most = Instant::now() + OPEN_LIMIT;
        let until = caller.until.map_or(most, |until| until.min(most));
        match timeout_at(until, opened(endpoint(address)?, request)).await {
            Ok(Ok(answers)) => {
                let roads = self.clone();
                Ok(Road { commands, answers, roads, address: address.to_owned(), place })
            }
            Ok(Err(why)) => {
                self.count(Handed::Undone);
                Err(unreachable(address, &why))
            }
            Err(late) => {
                self.count(Handed::Undone);
                Err(unreachable(address, &late))
            }
        }
    }
}

/// The commands of a caller's stream, as the leader takes them.
///
/// WHY a type of its own: the compiler does not see that a future holding a bare one may be sent.
struct Commands(BoxStream<'static, v1::ExecuteStreamRequest>);

impl Stream for Commands {
    type Item = v1::ExecuteStreamRequest;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx)
    }
}

type Opened = Result<Streaming<v1::ExecuteStreamResponse>, Box<dyn Error + Send + Sync>>;

/// The answers of a leader that has taken a stream.
async fn opened(endpoint: Endpoint, request: Request<Commands>) -> Opened {
    let channel = endpoint.connect().await?;
    Ok(client(channel).execute_stream(request).await?.into_inner())
}

/// The commands once they are given.
fn given_later(given: oneshot::Receiver<Commands>) -> Commands {
    let given = stream::once(given).filter_map(|given| future::ready(given.ok()));
    Commands(given.flatten().boxed())
}

/// A stream of commands that the leader has taken.
pub(crate) struct Road {
    commands: oneshot::Sender<Commands>,
    answers: Streaming<v1::ExecuteStreamResponse>,
    roads: Roads,
    address: String,
    place: OwnedSemaphorePermit,
}

impl Road {
    /// Sends the commands on and gives the answers as they come, until either side ends, or `moved`
    /// does, because another node leads.
    pub(crate) fn travel(
        self,
        commands: impl Stream<Item = v1::ExecuteStreamRequest> + Send + 'static,
        moved: impl Future<Output = ()> + Send + 'static,
    ) -> impl Stream<Item = Result<v1::ExecuteStreamResponse, Status>> + Send + 'static {
        let Self { commands: to, answers, roads, address, place } = self;
        // Where the leader has ended the stream already, its answers say why.
        let _ = to.send(Commands(commands.boxed()));
        let state = Some((answers, Box::pin(moved), place));
        stream::unfold(state, move |state| {
            let (roads, address) = (roads.clone(), address.clone());
            async move {
                let (mut answers, mut moved, place) = state?;
                let answer = tokio::select! {
                    biased;
                    answer = answers.message() => answer.map_err(|status| judge(&address, &status)),
                    () = &mut moved => Err(doubtful("another node leads")),
                };
                let (handed, status) = match answer {
                    Ok(Some(answer)) => return Some((Ok(answer), Some((answers, moved, place)))),
                    Ok(None) => {
                        roads.count(Handed::Answered);
                        return None;
                    }
                    Err(Broken::Undone(undone)) => (Handed::Undone, undone.into()),
                    Err(Broken::Doubtful) => (Handed::Unknown, Failure::outcome_unknown().into()),
                    Err(Broken::Ended(status)) => (Handed::Answered, status),
                };
                roads.count(handed);
                Some((Err(status), None))
            }
        })
    }
}

fn endpoint(address: &str) -> Result<Endpoint, Failure> {
    let endpoint = Endpoint::from_shared(address.to_owned());
    Ok(endpoint
        .map_err(|error| unreachable(address, &error))?
        .connect_timeout(CONNECT_LIMIT)
        .tcp_nodelay(true)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true))
}

fn client(channel: Channel) -> BatchServiceClient<Channel> {
    BatchServiceClient::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES)
}

/// What a call has failed with that was handed on.
fn judge(address: &str, status: &Status) -> Broken {
    let info = status.get_details_error_info();
    if let Some(info) = info.filter(|info| info.domain == ERROR_DOMAIN) {
        if is_undone(&info.reason) {
            return Broken::Undone(Failure::no_leader());
        }
        if info.reason == OUTCOME_UNKNOWN {
            return doubtful(status.message());
        }
        return Broken::Ended(as_said(status));
    }
    if is_unsent(status) {
        return Broken::Undone(unreachable(address, status));
    }
    let silent = matches!(
        status.code(),
        Code::Cancelled
            | Code::Unknown
            | Code::DeadlineExceeded
            | Code::Internal
            | Code::Unavailable
    );
    if silent || status.source().is_some() {
        return doubtful(status.message());
    }
    // The transport's own, such as `OUT_OF_RANGE`.
    Broken::Ended(as_said(status))
}

/// The status without what belongs to the connection that it came on.
fn as_said(status: &Status) -> Status {
    Status::with_details(status.code(), status.message(), status.details().to_vec().into())
}

/// Whether a call has never left this node, or has come to the other one after it had said goodbye.
fn is_unsent(status: &Status) -> bool {
    let mut cause = status.source();
    while let Some(error) = cause {
        let canceled = error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled);
        // Calls fail with it that came after the last one which the goodbye names; those before it
        // end as they would without.
        let is_goodbye = |error: &h2::Error| {
            error.is_go_away() && error.is_remote() && error.reason() == Some(h2::Reason::NO_ERROR)
        };
        let late = error.downcast_ref::<h2::Error>().is_some_and(is_goodbye);
        if canceled || late || error.is::<ConnectError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Whether a command was not done and another node may carry it out.
pub(crate) fn is_undone_result(result: &v1::CommandResult) -> bool {
    matches!(&result.result, Some(Shown::Error(error)) if is_undone(&error.reason))
}

fn unreachable(address: &str, why: &dyn std::fmt::Display) -> Failure {
    tracing::debug!(address, %why, "the leader cannot be reached");
    Failure::no_leader()
}

fn doubtful(why: &str) -> Broken {
    tracing::debug!(why, "a call that was handed on has broken off");
    Broken::Doubtful
}

#[cfg(test)]
mod tests;
