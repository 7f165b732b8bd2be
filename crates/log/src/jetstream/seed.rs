//! Moving a log into streams that hold nothing of it yet, or its beginning: frames and keys unchanged.

use std::collections::VecDeque;
use std::error::Error as _;
use std::future::{Future, IntoFuture as _};
use std::pin::Pin;
use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::PublishError;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::publish::PublishAck;
use tokio::time::timeout;

use super::bucket::Bucket;
use super::keys::KEYS_HEADER;
use super::link::Link;
use super::mark::Mark;
use super::problem::{answered, unavailable};
use super::pull::Feed;
use crate::chain::Tail;
use crate::error::LogError;
use crate::event_log::LogReader;
use crate::frame::Frame;
use crate::id::{FrameNumber, LogId};

/// Frames that may be on their way. A writer has one; here nobody else may write, and whether all
/// went well is looked at in the end.
const IN_FLIGHT: usize = 32;
/// Bytes of those frames past which no more are sent.
const BYTES_IN_FLIGHT: usize = 4 * 1024 * 1024;
/// How long a message may take until it is acknowledged, and until the next one comes.
const PATIENCE: Duration = Duration::from_secs(10);

type Ack = Pin<Box<dyn Future<Output = Result<PublishAck, PublishError>> + Send>>;

/// A log on its way into its streams. All calls block, as those of [`Link`] do.
///
/// After an error the same can be begun again: [`first_difference`](Self::first_difference) tells
/// whether what is there already is the log's beginning.
pub struct Seeding {
    link: Link,
    log_id: LogId,
    stream: String,
    subject: String,
    /// The last frame that is there or on its way.
    last: FrameNumber,
    keys_last: u64,
    max_bytes: u64,
    in_flight: VecDeque<(FrameNumber, usize, Ack)>,
    bytes_in_flight: usize,
}

impl Seeding {
    /// Makes the streams of the log where they are missing, and looks what they hold.
    ///
    /// # Errors
    /// [`LogError::WrongLog`] where they are of another log; what [`Link::stream`] gives.
    pub fn open(link: Link, log_id: LogId) -> Result<Self, LogError> {
        link.block(link.open_bucket(Bucket::Marks))?;
        let facts = link.stream(Some(log_id))?;
        let log = &link.options().log;
        let (stream, subject) = (log.log_stream(), log.log_subject());
        if facts.log_id != log_id {
            let (file, found) = (format!("stream {stream}"), facts.log_id);
            return Err(LogError::WrongLog { file, found, expected: log_id });
        }
        Ok(Self {
            log_id,
            stream,
            subject,
            last: facts.last,
            keys_last: facts.keys_last,
            max_bytes: facts.max_bytes,
            in_flight: VecDeque::new(),
            bytes_in_flight: 0,
            link,
        })
    }

    /// The last frame that is there.
    #[must_use]
    pub const fn last(&self) -> FrameNumber {
        self.last
    }

    /// The first frame of the stream that is another one in `log`, or beyond its end; `None` where
    /// the stream holds nothing but the log's beginning. Calls `progress` after each frame.
    ///
    /// # Errors
    /// [`LogError`] where the stream or the log cannot be read.
    pub fn first_difference(
        &self,
        log: &dyn LogReader,
        progress: &mut dyn FnMut(FrameNumber),
    ) -> Result<Option<FrameNumber>, LogError> {
        let first = FrameNumber(1);
        if self.last < first {
            return Ok(None);
        }
        let mut feed = self.link.block(Feed::open(&self.link, &self.stream, first))?;
        let mut number = first;
        while number <= self.last {
            let pulled = self.link.block(feed.next(PATIENCE))?.ok_or_else(|| {
                unavailable(
                    &format!("frame {number} of stream {}", self.stream),
                    "it does not come",
                )
            })?;
            let stored = log.read(number)?;
            let same = pulled.sequence == number.0
                && stored.is_some_and(|frame| pulled.message.payload.as_ref() == &**frame.bytes());
            if !same {
                return Ok(Some(number));
            }
            progress(number);
            number = number.next();
        }
        Ok(None)
    }

    /// Puts these bodies into the keys stream, in order, after those of them that are there; false
    /// where it holds others.
    ///
    /// # Errors
    /// [`LogError`] where a body cannot be read or is not acknowledged.
    pub fn put_keys(&mut self, bodies: &[Vec<u8>]) -> Result<bool, LogError> {
        let log = &self.link.options().log;
        let (stream, subject) = (log.keys_stream(), log.keys_subject());
        let mut sequence = 0;
        for body in bodies {
            sequence += 1;
            if sequence > self.keys_last {
                let message = PublishMessage::build().payload(body.clone().into());
                let message = message.expected_stream(&stream);
                let message = message.expected_last_sequence(self.keys_last);
                let ack = self.send(&stream, &subject, message)?;
                self.settle(&stream, sequence, ack)?;
                self.keys_last = sequence;
                continue;
            }
            let there = self.link.block(self.link.message(&stream, sequence))?;
            if there.is_none_or(|there| there.payload.as_ref() != body) {
                return Ok(false);
            }
        }
        Ok(self.keys_last == sequence)
    }

    /// Sends the frame after the last one; waits only where enough are on their way.
    ///
    /// # Errors
    /// [`LogError::Options`] where it is not the one after the last;
    /// [`LogError::StreamFull`] where the stream's limit of bytes is reached; [`LogError`] where an
    /// earlier one was not acknowledged.
    pub fn put(&mut self, frame: &Frame) -> Result<(), LogError> {
        let (number, bytes) = (frame.header().number, frame.bytes().len());
        if number != self.last.next() {
            return Err(LogError::Options("frames go into a stream one after the other"));
        }
        while self.in_flight.len() >= IN_FLIGHT
            || (self.bytes_in_flight + bytes > BYTES_IN_FLIGHT && !self.in_flight.is_empty())
        {
            self.settle_oldest()?;
        }
        let message = PublishMessage::build()
            .payload(frame.bytes().to_vec().into())
            .message_id(frame.hash().to_string())
            .expected_stream(&self.stream)
            .expected_last_sequence(self.last.0)
            .header(KEYS_HEADER, self.keys_last.to_string().as_str());
        let ack = self.send(&self.stream, &self.subject, message)?;
        self.in_flight.push_back((number, bytes, ack));
        self.bytes_in_flight += bytes;
        self.last = number;
        Ok(())
    }

    /// Waits for all that is on its way, checks that the stream now ends with this frame, and leaves
    /// the mark there: in the place of any other one where `over_mark`, else only forwards.
    ///
    /// # Errors
    /// [`LogError::StreamDiverged`] where it does not; as [`put`](Self::put).
    pub fn finish(mut self, tail: &Tail, over_mark: bool) -> Result<(), LogError> {
        while !self.in_flight.is_empty() {
            self.settle_oldest()?;
        }
        let facts = self.link.stream(None)?;
        let there = self.link.block(self.link.message(&self.stream, tail.number.0))?;
        let hash = there.and_then(|there| Frame::decode(there.payload.as_ref()).ok());
        let same = hash.is_some_and(|frame| frame.hash() == tail.hash);
        let nothing = tail.number == FrameNumber::START;
        if facts.log_id == self.log_id && facts.last == tail.number && (same || nothing) {
            let mark = Mark::of(self.log_id, tail);
            return self.link.block(async {
                if over_mark {
                    self.link.replace_mark(&mark).await
                } else {
                    self.link.advance_mark(&mark).await
                }
            });
        }
        Err(LogError::StreamDiverged {
            stream: self.stream,
            found: format!("{} frames, and another one at its end", facts.last),
            known: "the log".to_owned(),
            wanted: tail.number,
        })
    }

    fn settle_oldest(&mut self) -> Result<(), LogError> {
        let Some((number, bytes, ack)) = self.in_flight.pop_front() else { return Ok(()) };
        self.bytes_in_flight -= bytes;
        self.settle(&self.stream, number.0, ack)
    }

    fn send(&self, stream: &str, subject: &str, message: PublishMessage) -> Result<Ack, LogError> {
        let doing = format!("sending to stream {stream}");
        let context = &self.link.shared.context;
        let publish = async {
            let sent = context.send_publish(subject.to_owned(), message).await;
            sent.map_err(|error| self.refused(stream, &doing, &error))
        };
        let sent = self.link.block(self.link.ask(&doing, publish))?;
        Ok(Box::pin(sent.into_future()))
    }

    fn settle(&self, stream: &str, sequence: u64, ack: Ack) -> Result<(), LogError> {
        let doing = format!("message {sequence} of stream {stream}");
        let begun = self.link.now();
        let answer = self.link.block(async { timeout(PATIENCE, ack).await });
        let told = answer
            .map_err(|_| unavailable(&doing, "not acknowledged in time"))
            .and_then(|told| told.map_err(|error| self.refused(stream, &doing, &error)));
        let told = told.map_err(|error| self.link.explain(error, begun))?;
        if told.sequence == sequence && told.stream == stream {
            return Ok(());
        }
        let why = format!("acknowledged as message {} of {}", told.sequence, told.stream);
        Err(unavailable(&doing, why))
    }

    fn refused(&self, stream: &str, doing: &str, error: &PublishError) -> LogError {
        let source = error.source().and_then(|source| source.downcast_ref());
        let Some(why): Option<&async_nats::jetstream::Error> = source else {
            return unavailable(doing, error);
        };
        let full = why.error_code() == ErrorCode::STREAM_STORE_FAILED
            && why.to_string().contains("maximum bytes");
        if full {
            let (stream, max_bytes) = (stream.to_owned(), self.max_bytes);
            return LogError::StreamFull { stream, max_bytes };
        }
        answered(&self.link, doing, stream, why)
    }
}
