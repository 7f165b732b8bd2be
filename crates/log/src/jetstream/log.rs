//! The writing end of a log in a stream.
//!
//! INVARIANT: a frame is reported as committed only after the stream has acknowledged it at the
//! sequence that is its number, or was read back there, and after the local copy has it.
//!
//! A publish that is still on its way when nobody waits for it any more can do no harm: it names the
//! sequence that it expects to follow, so it takes its own place or none.

use std::collections::VecDeque;
use std::error::Error as _;
use std::future::{Future, IntoFuture as _};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::stream::Info;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::config::log_stream;
use super::link::{Link, StreamFacts, check_settings, log_id_of};
use super::problem::{answered, denied, gone, unavailable};
use super::replica::{Home, KEYS_HEADER, foreign, lock, store};
use super::short::Short;
use crate::chain::Tail;
use crate::error::LogError;
use crate::event_log::{AppendOutcome, EventLog, LogReader, Seen};
use crate::frame::{FRAME_MAX, Frame};
use crate::id::{FrameNumber, LogId};
use crate::journal::Journal;

/// How long a frame waits to be acknowledged, from when it was sent.
const ACK_PATIENCE: Duration = Duration::from_secs(2);
/// How long it may take to hand a frame to the connection.
const SEND_PATIENCE: Duration = Duration::from_millis(500);
/// What is left to an acknowledgement whose time has passed while an earlier one was waited for.
const LAST_CHANCE: Duration = Duration::from_millis(5);
/// How long a look at servers that cannot be reached takes at least, so that looking again and again
/// keeps nobody busy.
const LOOK_PACE: Duration = Duration::from_secs(1);
/// How often the stream's settings are read.
const CHECK: Duration = Duration::from_secs(1);
/// Bytes that the stream needs for a message beside its body, and some.
const MESSAGE_OVERHEAD: u64 = 1024;

type Ack = Pin<Box<dyn Future<Output = Result<PublishAck, PublishError>> + Send>>;

/// A submitted frame.
enum InFlight {
    Sent { frame: Frame, tail: Tail, ack: Ack, sent: Duration, losses: watch::Receiver<u64> },
    Done { number: FrameNumber, outcome: AppendOutcome },
}

/// The writing end of a log in a stream. It has the local copy while it lives; dropped, it leaves it
/// to its [`Replica`](super::Replica), which takes in what the stream has and the copy has not.
pub struct JetStreamLog {
    link: Link,
    home: Home,
    /// `None` only while it is dropped.
    copy: Option<Journal>,
    reader: Arc<dyn LogReader>,
    log_id: LogId,
    stream: String,
    subject: String,
    in_flight: VecDeque<InFlight>,
    /// The last sequence of the keys stream.
    keys_last: u64,
    /// The frame whose outcome was unknown last.
    doubtful: Option<FrameNumber>,
    /// Bytes of the stream, about.
    bytes: u64,
    max_bytes: u64,
    short: Short,
    checked: Duration,
    checking: Option<JoinHandle<Result<Option<Info>, LogError>>>,
    stopped: Option<LogError>,
}

impl JetStreamLog {
    pub(super) fn new(
        link: Link,
        home: Home,
        copy: Journal,
        facts: StreamFacts,
        keys_have: u64,
    ) -> Self {
        let log = &link.options().log;
        let (stream, subject) = (log.log_stream(), log.log_subject());
        let short = Short::new(link.options().replicas);
        let checked = link.now();
        Self {
            home,
            reader: copy.reader(),
            copy: Some(copy),
            log_id: facts.log_id,
            stream,
            subject,
            in_flight: VecDeque::new(),
            keys_last: keys_have,
            doubtful: None,
            bytes: facts.bytes,
            max_bytes: facts.max_bytes,
            short,
            checked,
            checking: None,
            stopped: None,
            link,
        }
    }

    fn running(&self) -> Result<(), LogError> {
        self.stopped.clone().map_or(Ok(()), Err)
    }

    /// Notes an error that nothing can be done after.
    fn stop(&mut self, error: LogError) -> LogError {
        tracing::error!(code = error.code(), %error, "the log has stopped");
        self.stopped = Some(error.clone());
        error
    }

    /// The tail once everything in flight is there.
    fn next_tail(&self) -> Tail {
        let sent = self.in_flight.iter().rev().find_map(|in_flight| match in_flight {
            InFlight::Sent { tail, .. } => Some(*tail),
            InFlight::Done { .. } => None,
        });
        sent.unwrap_or_else(|| self.reader.tail())
    }

    /// Sends a frame.
    fn send(&mut self, frame: Frame) -> Result<InFlight, AppendOutcome> {
        self.running().map_err(AppendOutcome::Rejected)?;
        if self.in_flight.len() >= self.window() {
            let error = LogError::Options("more frames in flight than the window allows");
            return Err(AppendOutcome::Rejected(error));
        }
        let header = *frame.header();
        let tail = self
            .next_tail()
            .follow(self.log_id, &header)
            .map_err(|error| AppendOutcome::not_next(header.number, error))?;
        let doing = format!("frame {}", header.number);
        // WHY: what is given to a connection that is down goes out when it is back, long after
        // somebody has settled what became of it.
        if !self.link.is_connected() {
            let error = unavailable(&doing, "no server can be reached");
            return Err(AppendOutcome::Unknown(error));
        }
        let message = PublishMessage::build()
            .payload(frame.bytes().to_vec().into())
            .message_id(frame.hash().to_string())
            .expected_stream(&self.stream)
            .expected_last_sequence(header.number.0 - 1)
            .header(KEYS_HEADER, self.keys_last.to_string().as_str());
        let (losses, sent) = (self.link.losses(), self.link.now());
        let publish = self.link.shared.context.send_publish(self.subject.clone(), message);
        let published = self.link.block(async { timeout(SEND_PATIENCE, publish).await });
        let ack = match published {
            Ok(Ok(ack)) => ack.into_future(),
            Ok(Err(error)) => {
                return Err(AppendOutcome::Unknown(self.publish_error(&doing, &error)));
            }
            Err(_) => {
                let error = unavailable(&doing, "the connection takes nothing more");
                return Err(AppendOutcome::Unknown(error));
            }
        };
        Ok(InFlight::Sent { frame, tail, ack, sent, losses })
    }

    /// Waits for the acknowledgement of a frame.
    fn outcome(
        &mut self,
        frame: Frame,
        mut ack: Ack,
        sent: Duration,
        mut losses: watch::Receiver<u64>,
    ) -> AppendOutcome {
        let number = frame.header().number;
        let doing = format!("frame {number}");
        let since = self.link.now().saturating_sub(sent);
        let limit = ACK_PATIENCE.saturating_sub(since).max(LAST_CHANCE);
        let answer = self.link.block(async {
            tokio::select! {
                biased;
                answer = &mut ack => Ok(answer),
                _ = losses.changed() => Err("the connection was lost"),
                () = sleep(limit) => Err("not acknowledged in time"),
            }
        });
        match answer {
            Ok(Ok(told)) if told.sequence == number.0 && told.stream == self.stream => {
                self.committed(frame)
            }
            Ok(Ok(told)) => AppendOutcome::Unknown(unavailable(
                &doing,
                format!("acknowledged as message {} of stream {}", told.sequence, told.stream),
            )),
            Ok(Err(error)) => self.refused(&doing, number, &error),
            Err(why) => AppendOutcome::Unknown(self.link.explain(unavailable(&doing, why))),
        }
    }

    /// Takes a frame that the stream has into the copy.
    fn committed(&mut self, frame: Frame) -> AppendOutcome {
        match self.keep(frame) {
            Ok(()) => AppendOutcome::Committed,
            Err(error) => AppendOutcome::Unknown(error),
        }
    }

    fn keep(&mut self, frame: Frame) -> Result<(), LogError> {
        let number = frame.header().number;
        let len = frame.bytes().len() as u64;
        let copy = self.copy.as_mut().ok_or(CLOSED)?;
        if let Err(error) = store(copy, frame) {
            return Err(if error.is_fatal() { self.stop(error) } else { error });
        }
        self.bytes += len + MESSAGE_OVERHEAD / 4;
        if self.doubtful == Some(number) {
            self.doubtful = None;
        }
        Ok(())
    }

    /// What an acknowledgement with an error says about a frame.
    fn refused(&mut self, doing: &str, number: FrameNumber, error: &PublishError) -> AppendOutcome {
        let error = self.publish_error(doing, error);
        match &error {
            // WHY not where the frame was sent before: that one may still arrive, and find room.
            LogError::StreamFull { .. } if self.doubtful != Some(number) => {
                self.bytes = self.max_bytes;
                AppendOutcome::Rejected(error)
            }
            LogError::StreamConfig { .. } | LogError::Denied { .. } => {
                AppendOutcome::Unknown(self.stop(error))
            }
            _ => AppendOutcome::Unknown(error),
        }
    }

    fn publish_error(&self, doing: &str, error: &PublishError) -> LogError {
        let source = error.source().and_then(|source| source.downcast_ref());
        let Some(why): Option<&async_nats::jetstream::Error> = source else {
            return match error.kind() {
                PublishErrorKind::MaxPayloadExceeded => denied(doing, error),
                _ => self.link.explain(unavailable(doing, error)),
            };
        };
        match why.error_code() {
            ErrorCode::STREAM_WRONG_LAST_SEQUENCE
            | ErrorCode::STREAM_WRONG_LAST_SEQUENCE_CONSTANT => unavailable(doing, why),
            ErrorCode::STREAM_STORE_FAILED if why.to_string().contains("maximum bytes") => {
                LogError::StreamFull { stream: self.stream.clone(), max_bytes: self.max_bytes }
            }
            // What the server's disk and memory say, and what it does when it stops.
            ErrorCode::STREAM_STORE_FAILED => unavailable(doing, why),
            ErrorCode::STREAM_NOT_MATCH => LogError::StreamConfig {
                stream: self.stream.clone(),
                why: format!("subject {} leads to another stream", self.subject),
            },
            _ => answered(doing, &self.stream, why),
        }
    }
}

const CLOSED: LogError = LogError::Options("the log is closed");

impl EventLog for JetStreamLog {
    fn log_id(&self) -> LogId {
        self.log_id
    }

    fn tail(&self) -> Tail {
        self.reader.tail()
    }

    fn window(&self) -> usize {
        self.link.options().window.get()
    }

    fn admits(&self) -> Result<(), LogError> {
        self.running()?;
        self.copy.as_ref().ok_or(CLOSED)?.admits()?;
        let room = (self.in_flight.len() as u64 + 1) * (FRAME_MAX as u64 + MESSAGE_OVERHEAD);
        if self.bytes.saturating_add(room) > self.max_bytes {
            let (stream, max_bytes) = (self.stream.clone(), self.max_bytes);
            return Err(LogError::StreamFull { stream, max_bytes });
        }
        Ok(())
    }

    fn submit(&mut self, frame: Frame) {
        let number = frame.header().number;
        let in_flight =
            self.send(frame).unwrap_or_else(|outcome| InFlight::Done { number, outcome });
        self.in_flight.push_back(in_flight);
    }

    fn settle(&mut self) -> Option<(FrameNumber, AppendOutcome)> {
        let (number, outcome) = match self.in_flight.pop_front()? {
            InFlight::Sent { frame, ack, sent, losses, .. } => {
                (frame.header().number, self.outcome(frame, ack, sent, losses))
            }
            InFlight::Done { number, outcome } => (number, outcome),
        };
        if matches!(outcome, AppendOutcome::Unknown(_)) && self.doubtful.is_none() {
            self.doubtful = Some(number);
        }
        Some((number, outcome))
    }

    fn look(&mut self, frame: &Frame) -> Result<Seen, LogError> {
        self.running()?;
        let begun = self.link.now();
        let seen = self.look_once(frame);
        if let Err(error) = &seen
            && error.is_unavailable()
        {
            let rest = LOOK_PACE.saturating_sub(self.link.now().saturating_sub(begun));
            self.link.block(sleep(rest));
        }
        seen
    }

    fn wants_keys(&self) -> bool {
        self.keys_last == 0
    }

    fn share_keys(&mut self, records: &[u8]) -> Result<(), LogError> {
        self.running()?;
        self.publish_keys(records)
    }

    fn maintain(&mut self) -> Result<(), LogError> {
        self.running()?;
        self.copy.as_mut().ok_or(CLOSED)?.maintain()?;
        self.check()
    }

    fn reader(&self) -> Arc<dyn LogReader> {
        Arc::clone(&self.reader)
    }

    fn close(&mut self) -> Result<(), LogError> {
        self.running()?;
        self.copy.as_mut().ok_or(CLOSED)?.anchor_tail()?;
        self.stopped = Some(CLOSED);
        Ok(())
    }
}

impl JetStreamLog {
    fn look_once(&mut self, frame: &Frame) -> Result<Seen, LogError> {
        let number = frame.header().number;
        let tail = self.reader.tail();
        if number <= tail.number {
            let stored = self.reader.read(number)?;
            let stored = stored.ok_or(LogError::NoSegment { frame: number })?;
            return Ok(self.judge(frame, &stored));
        }
        if number > tail.number.next() {
            return Err(LogError::Options("an earlier frame is to be looked for first"));
        }
        self.link.shared.counters.ambiguous.fetch_add(1, Ordering::Relaxed);
        let message = self.link.block(self.link.message(&self.stream, number.0))?;
        let Some(message) = message else { return self.absent(number, &tail) };
        let stored = Frame::decode(message.payload.as_ref());
        let stored = stored.map_err(|error| foreign(&self.stream, &tail, error.into()))?;
        let seen = self.judge(frame, &stored);
        if seen == Seen::Same {
            self.keep(stored)?;
        }
        Ok(seen)
    }

    fn judge(&self, frame: &Frame, stored: &Frame) -> Seen {
        if stored.hash() == frame.hash() {
            return Seen::Same;
        }
        self.link.shared.counters.fenced.fetch_add(1, Ordering::Relaxed);
        Seen::Other { by: stored.header().epoch }
    }

    /// The stream has no message `number`: it has to end right before it.
    fn absent(&mut self, number: FrameNumber, tail: &Tail) -> Result<Seen, LogError> {
        let info = self.link.block(self.link.info(&self.stream))?;
        let last = self.judge_stream(info)?;
        if last < tail.number {
            let why = format!("it seems to end at message {last}, before frame {}", tail.number);
            return Err(unavailable(&format!("stream {}", self.stream), why));
        }
        if last >= number {
            // It came between the two questions.
            return Err(unavailable(&format!("frame {number}"), "it is just arriving"));
        }
        Ok(Seen::Absent)
    }

    /// Holds what the stream's leader says against what has to be; gives the last message.
    fn judge_stream(&mut self, info: Option<Info>) -> Result<FrameNumber, LogError> {
        let Some(info) = info else { return Err(self.stop(gone(&self.stream))) };
        let wanted = log_stream(self.link.options(), None);
        let judged = check_settings(&info.config, &wanted).and_then(|()| log_id_of(&info.config));
        match judged {
            Ok(found) if found == self.log_id => {}
            Ok(found) => {
                let (file, expected) = (self.stream.clone(), self.log_id);
                return Err(self.stop(LogError::WrongLog { file, found, expected }));
            }
            Err(error) => return Err(self.stop(error)),
        }
        self.bytes = info.state.bytes;
        self.max_bytes = u64::try_from(info.config.max_bytes).unwrap_or(u64::MAX);
        let (last, tail) = (FrameNumber(info.state.last_sequence), self.reader.tail().number);
        if last >= tail {
            self.short.forget();
        } else if let Some(error) = self.short.seen(self.link.now(), &self.stream, last, tail) {
            return Err(self.stop(error));
        }
        Ok(last)
    }

    /// Reads the stream's settings and size, about every second, without waiting for the answer.
    fn check(&mut self) -> Result<(), LogError> {
        match self.checking.take() {
            Some(checking) if checking.is_finished() => {
                self.checked = self.link.now();
                match self.link.block(checking) {
                    Ok(Ok(info)) => self.judge_stream(info).map(|_| ()),
                    Ok(Err(error)) if error.is_unavailable() => Ok(()),
                    Ok(Err(error)) => Err(self.stop(error)),
                    // Asked again next time.
                    Err(_) => Ok(()),
                }
            }
            Some(checking) => {
                self.checking = Some(checking);
                Ok(())
            }
            None if self.link.now().saturating_sub(self.checked) >= CHECK => {
                let (link, stream) = (self.link.clone(), self.stream.clone());
                let asking = async move { link.info(&stream).await };
                self.checking = Some(self.link.runtime().spawn(asking));
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Puts records at the end of the keys stream; where the answer is lost, looks there.
    fn publish_keys(&mut self, records: &[u8]) -> Result<(), LogError> {
        let log = &self.link.options().log;
        let (stream, subject) = (log.keys_stream(), log.keys_subject());
        let doing = "sharing keys";
        let sequence = self.keys_last + 1;
        let message = PublishMessage::build()
            .payload(records.to_vec().into())
            .expected_stream(&stream)
            .expected_last_sequence(self.keys_last);
        let context = &self.link.shared.context;
        let publish = async {
            let sent = context.send_publish(subject, message).await;
            let ack = sent.map_err(|error| self.publish_error(doing, &error))?;
            let told = ack.await.map_err(|error| self.publish_error(doing, &error))?;
            if told.sequence == sequence {
                return Ok(());
            }
            Err(unavailable(doing, format!("acknowledged as message {}", told.sequence)))
        };
        let shared = self.link.block(self.link.ask(doing, publish));
        match shared {
            Err(LogError::StreamFull { .. }) => {
                return Err(LogError::Denied {
                    doing: doing.to_owned(),
                    why: format!("stream {stream} is full: raise its max_bytes"),
                });
            }
            Err(error) if !error.is_unavailable() => return Err(error),
            Ok(()) => {}
            Err(error) => {
                let stored = self.link.block(self.link.message(&stream, sequence))?;
                match stored {
                    None => return Err(error),
                    Some(stored) if stored.payload.as_ref() == records => {}
                    Some(_) => {
                        let why = format!(
                            "message {sequence} of stream {stream} is somebody else's: this node \
                             has to catch up first"
                        );
                        return Err(unavailable(doing, why));
                    }
                }
            }
        }
        self.keys_last = sequence;
        Ok(())
    }
}

impl Drop for JetStreamLog {
    fn drop(&mut self) {
        if let Some(checking) = self.checking.take() {
            checking.abort();
        }
        *lock(&self.home) = self.copy.take();
    }
}
