//! The mark: the last frame of a log that is known to have been acknowledged, kept beside the log.
//!
//! WHY: servers that lost the end of a stream come up with a shorter one and give its numbers anew. A
//! node whose copy is longer sees that. One whose copy ends where the stream now does cannot, and would
//! lead. So the node that leads says in a bucket, which nothing expires from, how far the log reached;
//! and every node holds the stream against that before it leads.

use std::time::Duration;

use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::PublishMessage;
use encours_domain::Position;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::bucket::{Bucket, is_deletion};
use super::link::Link;
use super::log::JetStreamLog;
use super::problem::unavailable;
use crate::chain::Tail;
use crate::error::LogError;
use crate::id::{FrameNumber, Hash, LogId};

/// How often the mark follows the log.
const EVERY: Duration = Duration::from_secs(1);
/// How long the last mark may take where a writer ends.
const LAST: Duration = Duration::from_secs(2);
/// How often it is told that marks are not written.
const TELL: Duration = Duration::from_mins(1);
/// Attempts where somebody else writes the mark, too.
const ATTEMPTS: u32 = 3;

/// What the servers remember of a log's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The log.
    pub log_id: LogId,
    /// A frame of it that was acknowledged. There may be later ones.
    pub number: FrameNumber,
    /// Its hash.
    pub hash: Hash,
    /// The position after its last event.
    pub next_position: Position,
}

impl Mark {
    /// The mark of a log that ends there.
    #[must_use]
    pub const fn of(log_id: LogId, tail: &Tail) -> Self {
        let Tail { number, hash, next_position, .. } = *tail;
        Self { log_id, number, hash, next_position }
    }

    /// How it is named where it says something else than the log.
    pub(super) fn who() -> String {
        format!("the mark in bucket {}", Bucket::Marks.name())
    }

    /// # Errors
    /// [`LogError::StreamDiverged`] where it is of another log than the stream.
    pub(super) fn check_log(&self, log_id: LogId, stream: &str) -> Result<(), LogError> {
        if self.log_id == log_id {
            return Ok(());
        }
        Err(self.differs(stream, &format!("log {log_id}")))
    }

    /// What is wrong with a stream that holds something else.
    pub(super) fn differs(&self, stream: &str, found: &str) -> LogError {
        LogError::StreamDiverged {
            stream: stream.to_owned(),
            found: found.to_owned(),
            known: format!("{}, of log {},", Self::who(), self.log_id),
            wanted: self.number,
        }
    }

    fn text(&self) -> String {
        let Self { log_id, number, hash, next_position } = self;
        format!("log {log_id}\nframe {number}\nhash {hash}\nnext-position {next_position}\n")
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let mut field = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
        let mark = Self {
            log_id: field("log")?.parse().ok()?,
            number: FrameNumber(field("frame")?.parse().ok()?),
            hash: field("hash")?.parse().ok()?,
            next_position: Position(field("next-position")?.parse().ok()?),
        };
        lines.next().is_none().then_some(mark)
    }
}

impl Link {
    /// What the servers remember of the log's end; `None` where they remember nothing. Makes nothing.
    /// Blocks.
    ///
    /// # Errors
    /// [`LogError::StreamConfig`] where what is there is no mark, [`LogError::Unavailable`],
    /// [`LogError::Denied`].
    pub fn mark(&self) -> Result<Option<Mark>, LogError> {
        Ok(self.block(self.find_mark(false))?.0)
    }

    /// The mark, and the revision that the next one has to follow; not known where it cannot be read,
    /// which is an error. `made` says that the bucket has
    /// been there: where it is not, the servers may not know of it yet.
    pub(super) async fn find_mark(&self, made: bool) -> Result<(Option<Mark>, u64), LogError> {
        let doing = format!("reading the mark of log {}", self.options().log);
        let key = self.options().log.as_str();
        let (bucket, subject) = (Bucket::Marks.stream(), Bucket::Marks.subject(key));
        let latest = || self.ask(&doing, self.latest(&doing, Bucket::Marks, key, made));
        let mut found = latest().await?;
        // WHY asked for: the servers answer for a message that they cannot read, from a damaged file,
        // as for one that was never there.
        if found.is_none() && self.has_subject(&bucket, &subject).await? {
            // One that has come between the two.
            found = latest().await?;
            if found.is_none() {
                let why = format!(
                    "its key {key} is there and cannot be read: mend the server whose file is \
                     damaged, or delete this stream once all logs are known to be whole"
                );
                return Err(LogError::StreamConfig { stream: bucket, why });
            }
        }
        let Some(message) = found else { return Ok((None, 0)) };
        if is_deletion(&message) {
            return Ok((None, message.sequence));
        }
        let text = String::from_utf8_lossy(&message.payload);
        let mark = Mark::parse(&text).ok_or_else(|| {
            let why =
                format!("its key {key} is no mark; delete it once the log is known to be whole");
            LogError::StreamConfig { stream: bucket, why }
        })?;
        Ok((Some(mark), message.sequence))
    }

    /// Moves the mark on to this frame; one of a later frame stays.
    ///
    /// # Errors
    /// [`LogError::Unavailable`] where it is not known to be there, or is of another log.
    pub(super) async fn advance_mark(&self, mark: &Mark) -> Result<(), LogError> {
        let doing = format!("writing the mark of log {}", self.options().log);
        for _ in 0..ATTEMPTS {
            let (there, revision) = self.find_mark(true).await?;
            match there {
                Some(there) if there.log_id != mark.log_id => {
                    return Err(unavailable(&doing, format!("it is of log {}", there.log_id)));
                }
                Some(there) if there.number >= mark.number => return Ok(()),
                _ => {}
            }
            if self.put_mark(&doing, mark, revision).await? {
                return Ok(());
            }
        }
        Err(unavailable(&doing, "somebody else writes it, too"))
    }

    /// Puts this mark in the place of whatever is there.
    ///
    /// # Errors
    /// As [`advance_mark`](Self::advance_mark).
    pub(super) async fn replace_mark(&self, mark: &Mark) -> Result<(), LogError> {
        let doing = format!("writing the mark of log {}", self.options().log);
        let (_, revision) = self.find_mark(true).await?;
        if self.put_mark(&doing, mark, revision).await? {
            return Ok(());
        }
        Err(unavailable(&doing, "somebody else writes it, too"))
    }

    /// Puts a mark after `revision`; false where there is another one by now.
    async fn put_mark(&self, doing: &str, mark: &Mark, revision: u64) -> Result<bool, LogError> {
        let subject = Bucket::Marks.subject(self.options().log.as_str());
        let message = PublishMessage::build()
            .payload(mark.text().into())
            .expected_stream(Bucket::Marks.stream())
            .expected_last_subject_sequence(revision);
        let publish = async {
            let sent = self.shared.context.send_publish(subject, message).await;
            let sent = sent.map_err(|error| unavailable(doing, error))?;
            match sent.await {
                Ok(_) => Ok(true),
                Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => Ok(false),
                Err(error) => Err(unavailable(doing, error)),
            }
        };
        self.ask(doing, publish).await
    }
}

/// A writer's mark, which follows the log beside everything else.
#[derive(Default)]
pub(super) struct Marking {
    /// The mark on its way, and its frame.
    writing: Option<(JoinHandle<Result<(), LogError>>, FrameNumber)>,
    /// The last frame that was marked.
    marked: FrameNumber,
    /// When a mark was sent last.
    sent: Option<Duration>,
    /// When it was told last that marks are not written.
    told: Option<Duration>,
}

impl Drop for Marking {
    fn drop(&mut self) {
        if let Some((writing, _)) = self.writing.take() {
            writing.abort();
        }
    }
}

impl JetStreamLog {
    /// Has the mark follow the log, about every second and without waiting for it.
    pub(super) fn mark(&mut self) {
        let now = self.link.now();
        if let Some((writing, number)) = self.marking.writing.take() {
            if !writing.is_finished() {
                self.marking.writing = Some((writing, number));
                return;
            }
            match self.link.block(writing) {
                Ok(Ok(())) => self.marking.marked = number,
                Ok(Err(error)) => self.not_marked(&error),
                Err(error) => self.not_marked(&unavailable("writing the mark", error)),
            }
        }
        let tail = self.reader.tail();
        let is_time = self.marking.sent.is_none_or(|sent| now.saturating_sub(sent) >= EVERY);
        if tail.number > self.marking.marked && is_time && self.link.is_connected() {
            let (link, mark) = (self.link.clone(), Mark::of(self.log_id, &tail));
            let writing = self.link.runtime().spawn(async move { link.advance_mark(&mark).await });
            self.marking.writing = Some((writing, tail.number));
            self.marking.sent = Some(now);
        }
    }

    /// Leaves the mark at the last frame, where the servers can be reached.
    pub(super) fn leave_mark(&mut self) {
        let tail = self.reader.tail();
        if tail.number <= self.marking.marked || !self.link.is_connected() {
            return;
        }
        let mark = Mark::of(self.log_id, &tail);
        let written = self.link.block(async { timeout(LAST, self.link.advance_mark(&mark)).await });
        match written {
            Ok(Ok(())) => self.marking.marked = tail.number,
            Ok(Err(error)) => self.not_marked(&error),
            Err(_) => self.not_marked(&unavailable("writing the mark", "no answer in time")),
        }
    }

    fn not_marked(&mut self, error: &LogError) {
        let now = self.link.now();
        if self.marking.told.is_none_or(|told| now.saturating_sub(told) >= TELL) {
            self.marking.told = Some(now);
            let marked = self.marking.marked;
            tracing::warn!(code = error.code(), %error, %marked, "the mark does not follow the log");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_was_written_and_nothing_else_is() {
        let (log_id, hash) = (LogId([7; 16]), Hash([0xab; 32]));
        let (number, next_position) = (FrameNumber(42), Position(1_000));
        let mark = Mark { log_id, number, hash, next_position };
        let text = mark.text();
        assert!(text.contains("\nframe 42\n") && text.ends_with("next-position 1000\n"), "{text}");
        assert_eq!(Mark::parse(&text), Some(mark));
        for wrong in ["", "log", &text[1..], &text.replace("42", "-1"), &format!("{text}more\n")] {
            assert_eq!(Mark::parse(wrong), None, "{wrong}");
        }
    }
}
