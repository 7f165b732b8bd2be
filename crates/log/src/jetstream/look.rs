//! Finding out: what became of a frame, and whether the stream is as it has to be.

use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::jetstream::stream::Info;
use tokio::time::{sleep, timeout};

use super::config::log_stream;
use super::log::JetStreamLog;
use super::problem::unavailable;
use super::replica::foreign;
use super::streams::{check_settings, facts_of_log};
use crate::chain::Tail;
use crate::error::LogError;
use crate::event_log::Seen;
use crate::frame::Frame;
use crate::id::FrameNumber;

/// How long a look at servers that cannot be reached takes, so that looking again and again keeps
/// nobody busy, and how long one question waits: what is asked while the servers choose a leader is
/// lost, so the shorter, the sooner the new one is found.
const LOOK_PACE: Duration = Duration::from_secs(1);
/// How often the stream's settings are read.
const CHECK: Duration = Duration::from_secs(1);

impl JetStreamLog {
    /// Looks where a frame belongs; takes it into the copy where it is there.
    pub(super) fn look_for(&mut self, frame: &Frame) -> Result<Seen, LogError> {
        self.running()?;
        let begun = self.link.now();
        let seen = self.look_once(frame);
        if let Err(error) = &seen
            && error.is_unavailable()
        {
            let rest = LOOK_PACE.saturating_sub(self.link.now().saturating_sub(begun));
            self.link.block(async move { sleep(rest).await });
        }
        seen
    }

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
        let message = self.ask_soon(self.link.message(&self.stream, number.0))?;
        let Some(message) = message else { return self.absent(number, &tail) };
        let stored = Frame::decode(message.payload.as_ref());
        let stored = match stored {
            Ok(stored) => stored,
            Err(error) => return Err(self.stop(foreign(&self.stream, &tail, error.into()))),
        };
        let seen = self.judge(frame, &stored);
        if seen == Seen::Same {
            self.keep(stored)?;
        }
        Ok(seen)
    }

    fn ask_soon<T>(
        &self,
        question: impl Future<Output = Result<T, LogError>>,
    ) -> Result<T, LogError> {
        let begun = self.link.now();
        let answer = self.link.block(async { timeout(LOOK_PACE, question).await });
        let doing = format!("stream {}", self.stream);
        answer.unwrap_or_else(|_| {
            let error = unavailable(&doing, "its servers do not answer in time");
            Err(self.link.explain(error, begun))
        })
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
        let info = self.ask_soon(self.link.info(&self.stream))?;
        let last = self.judge_stream(info, tail.number)?;
        let doing = format!("looking for frame {number}");
        if last < tail.number {
            let why = format!("the stream seems to end at message {last}");
            return Err(unavailable(&doing, why));
        }
        if last >= number {
            return Err(unavailable(&doing, "it came just now"));
        }
        Ok(Seen::Absent)
    }

    /// Holds what the stream's leader says against what has to be; gives the last message. `tail` was
    /// there before the leader was asked.
    fn judge_stream(
        &mut self,
        info: Option<Info>,
        tail: FrameNumber,
    ) -> Result<FrameNumber, LogError> {
        let Some(info) = info else {
            let missing = self.link.missing(&self.stream);
            return Err(if missing.is_unavailable() { missing } else { self.stop(missing) });
        };
        let wanted = log_stream(self.link.options(), None);
        let facts = check_settings(&info.config, &wanted).and_then(|()| facts_of_log(&info, 0));
        let facts = match facts {
            Ok(facts) if facts.log_id == self.log_id => facts,
            Ok(facts) => {
                let (file, found) = (format!("stream {}", self.stream), facts.log_id);
                return Err(self.stop(LogError::WrongLog { file, found, expected: self.log_id }));
            }
            Err(error) => return Err(self.stop(error)),
        };
        (self.bytes, self.max_bytes) = (facts.bytes, facts.max_bytes);
        if facts.last >= tail {
            self.short.forget();
        } else {
            let (now, who) = (self.link.now(), "this writer");
            let seen = self.short.seen(now, &self.stream, facts.last, tail, who);
            if let Err(error) = seen {
                // WHY: nodes that have not seen the lost frames must not go on without them.
                self.leave_mark();
                return Err(self.stop(error));
            }
        }
        Ok(facts.last)
    }

    /// Has the stream looked at about every second, without waiting for the answer.
    pub(super) fn check(&mut self) -> Result<(), LogError> {
        let Some((checking, tail)) = self.checking.take() else {
            if self.link.now().saturating_sub(self.checked) >= CHECK {
                let (link, stream) = (self.link.clone(), self.stream.clone());
                let asking = async move { link.info(&stream).await };
                let tail = self.reader.tail().number;
                self.checking = Some((self.link.runtime().spawn(asking), tail));
            }
            return Ok(());
        };
        if !checking.is_finished() {
            self.checking = Some((checking, tail));
            return Ok(());
        }
        self.checked = self.link.now();
        match self.link.block(checking) {
            Ok(Ok(info)) => match self.judge_stream(info, tail) {
                Err(error) if !error.is_unavailable() => Err(error),
                Ok(_) | Err(_) => Ok(()),
            },
            Ok(Err(error)) if !error.is_unavailable() => Err(self.stop(error)),
            // Asked again after a while.
            Ok(Err(_)) | Err(_) => Ok(()),
        }
    }
}
