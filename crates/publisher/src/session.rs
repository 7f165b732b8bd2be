//! One connection and what is published over it, in order, until something goes wrong.
//!
//! INVARIANT: a message is stored at the sequence right after the one before it or not at all,
//! since each says which sequence it expects to follow. So whatever was lost, came late or is still
//! on its way from an earlier session, the stream holds every event once and in order, however long
//! ago that was; the server's duplicate window plays no part in it. After any doubt the session
//! ends and the next one asks the stream where it stands, and whether what was on its way together
//! is there without a gap: a message of somebody else may have taken the place of an event.

use std::future::IntoFuture as _;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::context::{ContextBuilder, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::{Client, ConnectOptions, Event};
use encours_log::Position;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesOrdered;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::cursor::Cursor;
use crate::message::{Encoder, Facts, Outgoing};
use crate::problem::Problem;
use crate::publisher::{PublisherOptions, Status};
use crate::recover::{check_same, recover};
use crate::source::Source;
use crate::stream;

/// Messages that may wait for their acknowledgement.
pub(crate) const MAX_IN_FLIGHT: usize = 256;
/// Bytes of their bodies, past which no more are sent.
const MAX_BYTES_IN_FLIGHT: usize = 4 * 1024 * 1024;
/// Events read at once.
const BATCH: usize = 128;
/// How long the server may take to connect, to answer, to acknowledge.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often the connection is tried when nothing moves.
const PING: Duration = Duration::from_secs(10);
/// How often the cursor is written while it moves.
const CURSOR_PAUSE: Duration = Duration::from_secs(1);

/// What every session shares.
pub(crate) struct Work<S> {
    source: Arc<S>,
    encoder: Encoder,
    options: PublisherOptions,
    pub(crate) status: watch::Sender<Status>,
    stop: watch::Receiver<bool>,
    /// What was acknowledged last.
    cursor: Option<Cursor>,
    /// Whether the file tells less than `cursor`.
    cursor_moved: bool,
}

/// What a session holds.
struct Session {
    context: Context,
    /// The stream's last sequence once all that is on its way has arrived.
    sequence: u64,
    bytes_in_flight: usize,
}

/// A message that was acknowledged.
struct Stored {
    position: Position,
    sequence: u64,
    bytes: usize,
    facts: Facts,
}

/// Where a session begins.
struct Ready {
    context: Context,
    /// The stream's last sequence.
    sequence: u64,
    /// The event there.
    after: Position,
    /// What it is; `None` before the first one.
    facts: Option<Facts>,
}

/// How publishing ends where nothing has gone wrong.
enum End {
    /// It was told to.
    Stopped,
    /// No more events come.
    NoMore,
}

/// Ends a task with its owner.
struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<S: Source> Work<S> {
    pub(crate) fn new(
        source: S,
        options: PublisherOptions,
        status: watch::Sender<Status>,
        stop: watch::Receiver<bool>,
    ) -> Result<Self, Problem> {
        let encoder =
            Encoder::new(options.format, stream::prefix(&options)).map_err(Problem::Source)?;
        let source = Arc::new(source);
        let (cursor, cursor_moved) = (None, false);
        Ok(Self { source, encoder, options, status, stop, cursor, cursor_moved })
    }

    /// Waits this long; true where the publisher is to stop.
    pub(crate) async fn stopped_within(&mut self, pause: Duration) -> bool {
        timeout(pause, stopped(&mut self.stop)).await.is_ok()
    }

    /// Publishes until told to stop.
    pub(crate) async fn session(&mut self) -> Result<(), Problem> {
        let mut stop = self.stop.clone();
        let (lost, is_lost) = watch::channel(false);
        let Ready { context, sequence, after, facts } = tokio::select! {
            () = stopped(&mut stop) => return Ok(()),
            ready = self.prepare(lost) => ready?,
        };
        if let Some(cursor) = &self.cursor
            && cursor.position > after
            && sequence > 0
        {
            tracing::warn!(
                stream = self.options.stream, acknowledged = %cursor.position, last = %after,
                "the stream has lost messages that it had acknowledged; they are published again"
            );
        }
        self.acknowledged(after, sequence, facts);
        tracing::info!(stream = self.options.stream, position = %after, "publishing");
        let (to, batches) = mpsc::channel(1);
        let feed = feed(Arc::clone(&self.source), self.encoder.clone(), after, to);
        let feed = tokio::spawn(feed);
        let _feed = AbortOnDrop(feed.abort_handle());
        let session = Session { context, sequence, bytes_in_flight: 0 };
        tokio::select! {
            published = self.publish(session, batches, stop) => match published? {
                End::Stopped => Ok(()),
                End::NoMore => Err(why_ended(feed.await)),
            },
            () = told(is_lost) => {
                Err(Problem::Unavailable("the connection is lost".to_owned()))
            }
        }
    }

    /// Sends what comes and keeps in mind what was acknowledged.
    async fn publish(
        &mut self,
        mut session: Session,
        mut batches: mpsc::Receiver<Vec<Outgoing>>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<End, Problem> {
        let mut on_way = FuturesOrdered::new();
        let mut batch = Vec::new().into_iter().peekable();
        let mut every = interval(CURSOR_PAUSE);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            while on_way.len() < MAX_IN_FLIGHT && session.bytes_in_flight < MAX_BYTES_IN_FLIGHT {
                let Some(message) = batch.next() else { break };
                on_way.push_back(session.send(message, &self.options.stream).await?);
            }
            tokio::select! {
                () = stopped(&mut stop) => break,
                Some(stored) = on_way.next(), if !on_way.is_empty() => {
                    let stored: Stored = stored?;
                    session.bytes_in_flight -= stored.bytes;
                    self.acknowledged(stored.position, stored.sequence, Some(stored.facts));
                }
                next = batches.recv(), if batch.peek().is_none() => match next {
                    Some(next) => batch = Vec::into_iter(next).peekable(),
                    None => return Ok(End::NoMore),
                },
                _ = every.tick() => self.keep_cursor().await,
            }
        }
        let rest = async {
            while let Some(stored) = on_way.next().await {
                let stored = stored?;
                self.acknowledged(stored.position, stored.sequence, Some(stored.facts));
            }
            Ok(End::Stopped)
        };
        // What did not arrive is settled by the next start.
        timeout(PATIENCE, rest).await.unwrap_or(Ok(End::Stopped))
    }

    /// Connects, checks the stream and finds out where it stands, and that the log has what was
    /// published.
    async fn prepare(&mut self, lost: watch::Sender<bool>) -> Result<Ready, Problem> {
        let client = self.connect(lost).await?;
        let context = ContextBuilder::new()
            .timeout(PATIENCE)
            .max_ack_inflight(2 * MAX_IN_FLIGHT)
            .build(client);
        let stream = stream::open(&context, &self.options).await?;
        let told = stream::told(&stream, &self.options.stream).await?;
        let log_id = self.source.log_id();
        if self.cursor.is_none() {
            let (options, name) = (self.options.clone(), self.options.stream.clone());
            let read = move || Cursor::read(&*options.disk, &options.folder, log_id, &name);
            let read = spawn_blocking(read).await.map_err(|error| error.to_string());
            let read = read.and_then(|read| read.map_err(|error| error.to_string()));
            self.cursor = read.map_err(|why| Problem::Source(format!("the cursor: {why}")))?;
        }
        let cursor = self.cursor.as_ref();
        let found = recover(&told, cursor, self.options.from, log_id, self.source.tail())?;
        let (after, sequence) = (found.after, told.last_sequence);
        let mut facts = None;
        if let Some(seen) = &found.seen {
            facts = self.facts(seen.position).await?;
            facts.as_ref().map_or(Ok(()), |here| check_same(&self.options.stream, seen, here))?;
        }
        if found.seen.is_none_or(|seen| seen.position != after) {
            facts = self.facts(after).await?;
        }
        Ok(Ready { context, sequence, after, facts })
    }

    /// What the log's event of a position is; `None` before the first one.
    async fn facts(&self, position: Position) -> Result<Option<Facts>, Problem> {
        let Some(before) = position.0.checked_sub(1).map(Position) else { return Ok(None) };
        let wrong = |why: &str| Problem::Source(format!("event {position}: {why}"));
        let waited = self.source.wait_beyond(before).await;
        waited.map_err(|error| Problem::Source(error.to_string()))?;
        let source = Arc::clone(&self.source);
        let read =
            spawn_blocking(move || source.read(before, 1).map_err(|error| error.to_string()));
        let events = read.await.map_err(|error| wrong(&error.to_string()))?;
        let events = events.map_err(|why| wrong(&why))?;
        let event = events.first().filter(|event| event.position == position.0);
        let event = event.ok_or_else(|| wrong("it is not there to be read"))?;
        Facts::of_event(event).map(Some).ok_or_else(|| wrong("it has no time"))
    }

    async fn connect(&self, lost: watch::Sender<bool>) -> Result<Client, Problem> {
        let servers: Vec<_> =
            self.options.servers.iter().map(|at| format!("{}:{}", at.host(), at.port())).collect();
        let doing = format!("connecting to {}", servers.join(", "));
        let options = ConnectOptions::new()
            .name("encours publisher")
            .connection_timeout(PATIENCE)
            .request_timeout(Some(PATIENCE))
            .ping_interval(PING)
            // WHY: what was sent over a lost connection is settled by asking the stream, not by
            // sending it again.
            .max_reconnects(self.options.servers.len())
            .event_callback(move |event| {
                if matches!(event, Event::Disconnected | Event::Closed) {
                    lost.send_replace(true);
                }
                std::future::ready(())
            });
        let let_in = self.options.access.let_in(options, &self.options.servers).await;
        let options = let_in.map_err(|error| Problem::Refused(error.to_string()))?;
        let connected = options.connect(self.options.servers.as_slice()).await;
        connected.map_err(|error| Problem::unavailable(&doing, error))
    }

    /// Keeps in mind what the stream holds.
    fn acknowledged(&mut self, position: Position, sequence: u64, facts: Option<Facts>) {
        // A stream without a message tells nothing that would have to be kept.
        if sequence > 0 {
            let (log_id, stream) = (self.source.log_id(), self.options.stream.clone());
            self.cursor = Some(Cursor { log_id, stream, position, sequence, facts });
            self.cursor_moved = true;
        }
        self.status.send_modify(|status| {
            status.published = position;
            status.up = true;
            status.problem = None;
        });
    }

    /// Writes the cursor where it has moved.
    pub(crate) async fn keep_cursor(&mut self) {
        let Some(cursor) = self.cursor.clone().filter(|_| self.cursor_moved) else { return };
        self.cursor_moved = false;
        let options = self.options.clone();
        let written = spawn_blocking(move || cursor.write(&*options.disk, &options.folder)).await;
        if let Ok(Err(error)) = written {
            // It is needed only once every message is gone; the next second tries again.
            tracing::warn!(%error, "the publisher's cursor was not written");
            self.cursor_moved = true;
        }
    }
}

impl Session {
    /// Sends a message; what it gives waits for the acknowledgement.
    async fn send(
        &mut self,
        message: Outgoing,
        stream: &str,
    ) -> Result<impl Future<Output = Result<Stored, Problem>> + use<>, Problem> {
        let Outgoing { position, subject, headers, body, facts } = message;
        let bytes = body.len();
        let publish = PublishMessage::build()
            .payload(body)
            .headers(headers)
            .expected_stream(stream)
            .expected_last_sequence(self.sequence);
        let sent = self.context.send_publish(subject, publish).await;
        let sent =
            sent.map_err(|error| Problem::unavailable(&format!("event {position}"), error))?;
        self.sequence += 1;
        self.bytes_in_flight += bytes;
        let expected = self.sequence;
        Ok(async move {
            let doing = format!("event {position}");
            let ack = sent.into_future().await.map_err(|error| match error.kind() {
                PublishErrorKind::WrongLastSequence => Problem::Unavailable(format!(
                    "{doing}: somebody else has published to the stream"
                )),
                _ => Problem::unavailable(&doing, error),
            })?;
            if ack.sequence != expected {
                return Err(Problem::Unavailable(format!(
                    "{doing}: the server takes it for message {}, which is gone, until its \
                     duplicate window has passed",
                    ack.sequence
                )));
            }
            Ok(Stored { position, sequence: expected, bytes, facts })
        })
    }
}

/// Waits until told to stop, also by the end of who could tell.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Waits until `flag` is true, or nobody can set it any more.
async fn told(mut flag: watch::Receiver<bool>) {
    let _ = flag.wait_for(|flag| *flag).await;
}

fn why_ended(ended: Result<Problem, tokio::task::JoinError>) -> Problem {
    ended.unwrap_or_else(|error| Problem::Source(error.to_string()))
}

/// Reads events after `after` and makes messages of them, one batch ahead, until there is a problem
/// or nobody takes them.
async fn feed<S: Source>(
    source: Arc<S>,
    encoder: Encoder,
    mut after: Position,
    to: mpsc::Sender<Vec<Outgoing>>,
) -> Problem {
    let encoder = Arc::new(encoder);
    loop {
        if let Err(error) = source.wait_beyond(after).await {
            return Problem::Source(error.to_string());
        }
        let (source, encoder) = (Arc::clone(&source), Arc::clone(&encoder));
        let batch = match spawn_blocking(move || read(&*source, &encoder, after)).await {
            Ok(Ok(batch)) => batch,
            Ok(Err(why)) => return Problem::Source(why),
            Err(error) => return Problem::Source(error.to_string()),
        };
        after = batch.last().map_or(after, |message| message.position);
        if to.send(batch).await.is_err() {
            return Problem::Source("the session has ended".to_owned());
        }
    }
}

fn read<S: Source>(
    source: &S,
    encoder: &Encoder,
    after: Position,
) -> Result<Vec<Outgoing>, String> {
    let events = source.read(after, BATCH).map_err(|error| error.to_string())?;
    let mut last = after;
    let mut messages = Vec::with_capacity(events.len());
    for event in &events {
        last = last.next();
        // INVARIANT: every event is one message; the position rule stands on it.
        if event.position != last.0 {
            return Err(format!("event {} stands where {last} has to", event.position));
        }
        messages.push(encoder.message(event)?);
    }
    Ok(messages)
}
