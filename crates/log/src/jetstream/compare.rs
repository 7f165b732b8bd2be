//! Holding the stream against what this node and others have seen of it.

use tokio::time::sleep;

use super::link::LOOK_AGAIN;
use super::mark::Mark;
use super::replica::Replica;
use super::streams::StreamFacts;
use crate::error::LogError;
use crate::event_log::Known;
use crate::frame::Frame;
use crate::id::FrameNumber;

impl Replica {
    /// Holds the streams' ends, as just told, against what this node has seen. A stream that seems
    /// too short is looked at again for a while.
    pub(super) fn compare(&mut self, mut facts: StreamFacts) -> Result<StreamFacts, LogError> {
        loop {
            let long_enough = self.is_long_enough(&facts)?;
            if long_enough && self.has_tail()? {
                self.unread.forget();
                return Ok(facts);
            }
            if long_enough {
                // Its end is told, but not there to be read.
                let (now, tail) = (self.link.now(), self.reader.tail().number);
                self.unread.unread(now, &self.stream, tail, "the local copy")?;
            }
            self.link.block(async { sleep(LOOK_AGAIN).await });
            facts = self.link.stream(None)?;
        }
    }

    /// Whether the streams reach as far as this node has seen.
    ///
    /// # Errors
    /// [`LogError::StreamDiverged`] where they have not for a while.
    pub(super) fn is_long_enough(&mut self, facts: &StreamFacts) -> Result<bool, LogError> {
        let tail = self.reader.tail().number;
        let known = self.known.iter().max_by_key(|known| known.number);
        let (wanted, who) = match known {
            Some(known) if known.number > tail => (known.number, known.source.clone()),
            _ => (tail, "the local copy".to_owned()),
        };
        if facts.last < wanted {
            self.too_short(wanted, facts.last, &who)?;
            return Ok(false);
        }
        self.short.forget();
        let (have, last) = (FrameNumber(self.keys_have), FrameNumber(facts.keys_last));
        if last < have {
            let stream = self.link.options().log.keys_stream();
            self.short_keys.seen(self.link.now(), &stream, last, have, "this node")?;
            return Ok(false);
        }
        self.short_keys.forget();
        Ok(true)
    }

    fn too_short(
        &mut self,
        wanted: FrameNumber,
        last: FrameNumber,
        who: &str,
    ) -> Result<(), LogError> {
        self.short.seen(self.link.now(), &self.stream, last, wanted, who)
    }

    /// Whether the stream has the frame at the copy's tail.
    fn has_tail(&self) -> Result<bool, LogError> {
        let tail = self.reader.tail();
        if tail.number == FrameNumber::START {
            return Ok(true);
        }
        let message = self.link.block(self.link.message(&self.stream, tail.number.0))?;
        let Some(message) = message else { return Ok(false) };
        let frame = Frame::decode(message.payload.as_ref());
        if frame.is_ok_and(|frame| frame.hash() == tail.hash) {
            return Ok(true);
        }
        Err(self.another(tail.number, "the local copy".to_owned()))
    }

    fn another(&self, wanted: FrameNumber, known: String) -> LogError {
        let (stream, found) = (self.stream.clone(), format!("another message {wanted}"));
        LogError::StreamDiverged { stream, found, known, wanted }
    }

    /// Has the mark be met like all that was seen of the log.
    ///
    /// WHY before the streams are asked for their ends: a leader may move it on meanwhile.
    ///
    /// # Errors
    /// [`LogError::StreamDiverged`] where it is of another log; what reading it gives.
    pub(super) fn expect_mark(&mut self, made: bool) -> Result<(), LogError> {
        let (mark, _) = self.link.block(self.link.find_mark(made))?;
        let who = Mark::who();
        self.known.retain(|known| known.source != who);
        let Some(mark) = mark else { return Ok(()) };
        mark.check_log(self.log_id, &self.stream)?;
        self.known.push(Known { number: mark.number, hash: mark.hash, source: who });
        Ok(())
    }

    /// Holds the frames that others have seen against those that are there now.
    pub(super) fn meet_known(&mut self) -> Result<(), LogError> {
        let tail = self.reader.tail().number;
        while let Some(at) = self.known.iter().position(|known| known.number <= tail) {
            let known = self.known.swap_remove(at);
            if known.number == FrameNumber::START {
                continue;
            }
            let stored = self.reader.read(known.number)?;
            if stored.is_none_or(|stored| stored.hash() != known.hash) {
                return Err(self.another(known.number, known.source));
            }
        }
        Ok(())
    }
}
