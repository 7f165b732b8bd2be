//! The writing end of a log in a stream.
//!
//! INVARIANT: a frame is reported as committed only after the stream has acknowledged it at the
//! sequence that is its number, or was read back there, and after the local copy has it.
//!
//! A publish that is still on its way when nobody waits for it any more can do no harm: it names the
//! sequence that it expects to follow, so it takes its own place or none. That holds for one frame:
//! of two on their way, the second would find the sequence it expects where another writer has put
//! its frame in the place of the first. So there is never more than one.

use std::collections::VecDeque;
use std::error::Error as _;
use std::future::{Future, IntoFuture as _};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::stream::Info;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::keys::KEYS_HEADER;
use super::link::Link;
use super::mark::Marking;
use super::problem::{denied, publish_refused, unavailable};
use super::replica::{Home, lock, store};
use super::short::Short;
use super::streams::StreamFacts;
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
/// Bytes that the stream needs for a message beside its body, at most.
const MESSAGE_OVERHEAD: u64 = 512;

type Ack = Pin<Box<dyn Future<Output = Result<PublishAck, PublishError>> + Send>>;

/// A question to the stream's leader that nobody waits for.
pub(super) type Checking = JoinHandle<Result<Option<Info>, LogError>>;

/// A submitted frame.
enum InFlight {
    /// Sent, to be acknowledged.
    Sent { frame: Frame, ack: Ack, sent: Duration, losses: watch::Receiver<u64> },
    /// Over already.
    Done { number: FrameNumber, outcome: AppendOutcome },
}

/// The writing end of a log in a stream. It has the local copy while it lives; dropped, it leaves it
/// to its [`Replica`](super::Replica), which takes in what the stream has and the copy has not.
///
/// Its calls block, as those of [`Link`] do.
pub struct JetStreamLog {
    pub(super) link: Link,
    home: Home,
    /// `None` only while it is dropped.
    copy: Option<Journal>,
    pub(super) reader: Arc<dyn LogReader>,
    pub(super) log_id: LogId,
    pub(super) stream: String,
    subject: String,
    in_flight: VecDeque<InFlight>,
    /// The last sequence of the keys stream.
    pub(super) keys_last: u64,
    /// The frame that was sent last without its outcome being known.
    doubtful: Option<FrameNumber>,
    /// Bytes that the stream holds, about, and may hold.
    pub(super) bytes: u64,
    pub(super) max_bytes: u64,
    pub(super) short: Short,
    /// When the stream was looked at last.
    pub(super) checked: Duration,
    /// The look under way, with the tail that was there before it.
    pub(super) checking: Option<(Checking, FrameNumber)>,
    pub(super) marking: Marking,
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
        Self {
            home,
            reader: copy.reader(),
            copy: Some(copy),
            log_id: facts.log_id,
            stream: log.log_stream(),
            subject: log.log_subject(),
            in_flight: VecDeque::new(),
            keys_last: keys_have,
            doubtful: None,
            bytes: facts.bytes,
            max_bytes: facts.max_bytes,
            short: Short::new(link.options().replicas),
            checked: link.now(),
            checking: None,
            marking: Marking::default(),
            stopped: None,
            link,
        }
    }

    pub(super) fn running(&self) -> Result<(), LogError> {
        self.stopped.clone().map_or(Ok(()), Err)
    }

    /// Notes an error that nothing can be done after.
    pub(super) fn stop(&mut self, error: LogError) -> LogError {
        tracing::error!(code = error.code(), %error, "the log has stopped");
        self.stopped = Some(error.clone());
        error
    }

    /// Takes a frame that the stream has into the copy.
    pub(super) fn keep(&mut self, frame: Frame) -> Result<(), LogError> {
        let len = frame.bytes().len() as u64;
        let copy = self.copy.as_mut().ok_or(CLOSED)?;
        if let Err(error) = store(copy, frame) {
            return Err(if error.is_fatal() { self.stop(error) } else { error });
        }
        // About: the next look at the stream gives the number.
        self.bytes = self.bytes.saturating_add(len + MESSAGE_OVERHEAD);
        self.doubtful = None;
        Ok(())
    }

    /// Sends a frame.
    fn send(&self, frame: Frame) -> Result<InFlight, AppendOutcome> {
        self.running().map_err(AppendOutcome::Rejected)?;
        if !self.in_flight.is_empty() {
            let error = LogError::Options("more frames in flight than the window allows");
            return Err(AppendOutcome::Rejected(error));
        }
        let header = *frame.header();
        let follows = self.reader.tail().follow(self.log_id, &header);
        follows.map_err(|error| AppendOutcome::not_next(header.number, error))?;
        let doing = format!("frame {}", header.number);
        // WHY: what is given to a connection that is down goes out when it is back, long after
        // somebody has settled what became of it.
        if !self.link.is_connected() {
            return Err(AppendOutcome::Unknown(unavailable(&doing, "no server can be reached")));
        }
        let message = PublishMessage::build()
            .payload(frame.bytes().to_vec().into())
            .message_id(frame.hash().to_string())
            .expected_stream(&self.stream)
            .expected_last_sequence(header.number.0 - 1)
            .header(KEYS_HEADER, self.keys_last.to_string().as_str());
        let (losses, sent) = (self.link.losses(), self.link.now());
        let publish = self.link.shared.context.send_publish(self.subject.clone(), message);
        match self.link.block(async { timeout(SEND_PATIENCE, publish).await }) {
            Ok(Ok(ack)) => Ok(InFlight::Sent { frame, ack: ack.into_future(), sent, losses }),
            Ok(Err(error)) => Err(AppendOutcome::Unknown(self.publish_error(&doing, &error))),
            Err(_) => {
                let error = unavailable(&doing, "the connection takes nothing more");
                Err(AppendOutcome::Unknown(error))
            }
        }
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
        let limit = ACK_PATIENCE.saturating_sub(self.link.now().saturating_sub(sent));
        let late = "not acknowledged in time";
        let answer = self.link.block(async {
            tokio::select! {
                biased;
                answer = &mut ack => Ok(answer),
                _ = losses.changed() => Err("the connection was lost"),
                () = sleep(limit) => Err(late),
            }
        });
        let timed_out = |error: &PublishError| error.kind() == PublishErrorKind::TimedOut;
        match answer {
            Ok(Ok(told)) if told.sequence == number.0 && told.stream == self.stream => {
                self.keep(frame).map_or_else(AppendOutcome::Unknown, |()| AppendOutcome::Committed)
            }
            Ok(Ok(told)) => {
                let why = format!("it was taken for message {} of {}", told.sequence, told.stream);
                AppendOutcome::Unknown(unavailable(&doing, why))
            }
            Ok(Err(error)) if !timed_out(&error) => self.refused(&doing, number, &error),
            other => {
                let error = unavailable(&doing, other.err().unwrap_or(late));
                AppendOutcome::Unknown(self.link.explain(error, sent))
            }
        }
    }

    /// What an acknowledgement with an error says about a frame.
    fn refused(&mut self, doing: &str, number: FrameNumber, error: &PublishError) -> AppendOutcome {
        let error = self.publish_error(doing, error);
        match &error {
            // WHY not where it was sent before without an answer: that one may still arrive, and
            // find room.
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

    pub(super) fn publish_error(&self, doing: &str, error: &PublishError) -> LogError {
        let source = error.source().and_then(|source| source.downcast_ref());
        let Some(why): Option<&async_nats::jetstream::Error> = source else {
            return match error.kind() {
                PublishErrorKind::MaxPayloadExceeded => denied(doing, error),
                _ => unavailable(doing, error),
            };
        };
        if why.error_code() == ErrorCode::STREAM_STORE_FAILED
            && why.to_string().contains("maximum bytes")
        {
            return self.full();
        }
        publish_refused(&self.link, doing, &self.stream, why)
    }

    fn full(&self) -> LogError {
        LogError::StreamFull { stream: self.stream.clone(), max_bytes: self.max_bytes }
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
        1
    }

    fn admits(&self) -> Result<(), LogError> {
        self.running()?;
        self.copy.as_ref().ok_or(CLOSED)?.admits()?;
        let room = FRAME_MAX as u64 + MESSAGE_OVERHEAD;
        if self.bytes.saturating_add(room) > self.max_bytes {
            return Err(self.full());
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
        Some(match self.in_flight.pop_front()? {
            InFlight::Sent { frame, ack, sent, losses } => {
                let number = frame.header().number;
                let outcome = self.outcome(frame, ack, sent, losses);
                if matches!(outcome, AppendOutcome::Unknown(_)) {
                    self.doubtful = Some(number);
                }
                (number, outcome)
            }
            InFlight::Done { number, outcome } => (number, outcome),
        })
    }

    fn look(&mut self, frame: &Frame) -> Result<Seen, LogError> {
        self.look_for(frame)
    }

    fn wants_keys(&self) -> bool {
        self.keys_last == 0
    }

    fn share_keys(&mut self, records: &[u8]) -> Result<(), LogError> {
        self.publish_keys(records)
    }

    fn maintain(&mut self) -> Result<(), LogError> {
        self.running()?;
        self.copy.as_mut().ok_or(CLOSED)?.maintain()?;
        self.check()?;
        self.mark();
        Ok(())
    }

    fn reader(&self) -> Arc<dyn LogReader> {
        Arc::clone(&self.reader)
    }

    fn close(&mut self) -> Result<(), LogError> {
        self.running()?;
        self.copy.as_mut().ok_or(CLOSED)?.anchor_tail()?;
        self.leave_mark();
        self.stopped = Some(CLOSED);
        Ok(())
    }
}

impl Drop for JetStreamLog {
    fn drop(&mut self) {
        if let Some((checking, _)) = self.checking.take() {
            checking.abort();
        }
        *lock(&self.home) = self.copy.take();
    }
}
