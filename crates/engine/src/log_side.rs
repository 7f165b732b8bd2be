//! The engine's end of the log: keys first, then the frame, and what became of it.

use std::collections::VecDeque;

use encours_log::{AppendOutcome, Epoch, EventLog, Frame, FrameNumber, LogError, Seen, is_no_room};
use tracing::{error, warn};

use crate::core::Work;
use crate::error::EngineError;
use crate::keys::{AppendError, Key, KeyFile, NewKey, bodies};
use crate::patience::{Patience, Tries};

/// What became of the oldest frame.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It is durable.
    Durable(FrameNumber),
    /// There was no room. Nothing of it and of the frames after it was written.
    Full,
    /// The engine must stop; whether it was written is not known.
    Stop(EngineError),
}

impl Outcome {
    /// What a log's refusal comes to.
    fn of(error: LogError) -> Self {
        if error.is_full() { Self::Full } else { Self::Stop(error.into()) }
    }
}

/// The log and the key file, in the order of writing.
pub(crate) struct LogSide {
    log: Box<dyn EventLog>,
    keys: KeyFile,
    in_flight: VecDeque<Frame>,
    /// Why the frames after those in flight cannot be submitted.
    blocked: Option<Outcome>,
    /// The key file found no room when keys were last written to it.
    keys_full: bool,
    pub(crate) patience: Patience,
}

impl LogSide {
    pub(crate) fn new(log: Box<dyn EventLog>, keys: KeyFile, patience: Patience) -> Self {
        Self { log, keys, in_flight: VecDeque::new(), blocked: None, keys_full: false, patience }
    }

    /// Whether there is nothing to settle.
    pub(crate) fn is_idle(&self) -> bool {
        self.in_flight.is_empty() && self.blocked.is_none()
    }

    pub(crate) fn window(&self) -> usize {
        self.log.window()
    }

    /// Whether another frame may be submitted before one is settled.
    pub(crate) fn has_window(&self) -> bool {
        self.blocked.is_none() && self.in_flight.len() < self.log.window()
    }

    /// Whether the log would find room for a frame.
    pub(crate) fn admits(&self) -> Result<(), LogError> {
        self.log.admits()
    }

    /// Whether keys found no room in the key file, and none did since.
    pub(crate) const fn keys_are_full(&self) -> bool {
        self.keys_full
    }

    /// Puts keys where other nodes find them, the head first. A log that cannot be reached is tried
    /// again for a while.
    pub(crate) fn share(&mut self, head: Option<&Key>, keys: &[NewKey]) -> Result<(), EngineError> {
        for body in bodies(self.log.log_id(), head, keys) {
            let mut tries = self.patience.begin();
            while let Err(error) = self.log.share_keys(&body) {
                warn!(%error, keys = keys.len(), "keys_not_shared");
                if matches!(error, LogError::NotNext { .. }) {
                    // Somebody else has shared keys since: another writer is there.
                    return Err(EngineError::Fenced { by: None });
                }
                if !error.is_unavailable() || !self.patience.again(&mut tries, true) {
                    return Err(error.into());
                }
            }
        }
        Ok(())
    }

    /// Starts to make a frame durable, its keys before it.
    pub(crate) fn submit(&mut self, work: Work) {
        if self.blocked.is_some() {
            return;
        }
        match self.see_to_keys(&work.keys) {
            Ok(()) => {
                self.in_flight.push_back(work.frame.clone());
                self.log.submit(work.frame);
            }
            Err(outcome) => self.blocked = Some(outcome),
        }
    }

    fn see_to_keys(&mut self, keys: &[NewKey]) -> Result<(), Outcome> {
        match self.keys.append(keys) {
            Ok(()) => self.keys_full &= keys.is_empty(),
            Err(AppendError::Write(error)) if is_no_room(&error) => {
                self.keys_full = true;
                return Err(Outcome::Full);
            }
            Err(AppendError::Write(error) | AppendError::Sync(error)) => {
                return Err(Outcome::Stop(EngineError::KeySync(error)));
            }
        }
        self.share(None, keys).map_err(|error| match error {
            EngineError::Log(error) => Outcome::of(error),
            other => Outcome::Stop(other),
        })
    }

    /// Waits for the oldest frame. `None` where none is in flight.
    ///
    /// After [`Outcome::Full`] nothing is in flight any more, and the log stands at its durable tail.
    pub(crate) fn settle(&mut self) -> Option<Outcome> {
        let Some(frame) = self.in_flight.pop_front() else {
            return self.blocked.take();
        };
        let number = frame.header().number;
        let settled = self.log.settle().filter(|(settled, _)| *settled == number);
        let Some((_, outcome)) = settled else {
            return Some(Outcome::Stop(EngineError::Gap { frame: number }));
        };
        Some(match outcome {
            AppendOutcome::Committed => Outcome::Durable(number),
            AppendOutcome::Unknown(error) if !error.is_fatal() => {
                self.patience.doubts.add();
                self.find_out(&frame, error).unwrap_or_else(|outcome| outcome)
            }
            AppendOutcome::Rejected(error) if error.is_unavailable() => {
                self.find_out(&frame, error).unwrap_or_else(|outcome| outcome)
            }
            refused => self.refused(number, refused).unwrap_or_else(|outcome| outcome),
        })
    }

    /// What a frame comes to that is not committed and not in doubt. Lets the frames after a rejected
    /// one be rejected too.
    fn refused(&mut self, frame: FrameNumber, outcome: AppendOutcome) -> Result<Outcome, Outcome> {
        match outcome {
            AppendOutcome::Rejected(error) if error.is_full() => {
                if self.drain()? {
                    return Err(Outcome::Stop(EngineError::Gap { frame }));
                }
                self.in_flight.clear();
                match self.blocked.take() {
                    Some(stop @ Outcome::Stop(_)) => Err(stop),
                    _ => Ok(Outcome::Full),
                }
            }
            AppendOutcome::Fenced { by } => Err(Outcome::Stop(EngineError::Fenced { by })),
            AppendOutcome::Rejected(error) | AppendOutcome::Unknown(error) => {
                error!(frame = frame.0, %error, "append_failed");
                Err(Outcome::Stop(error.into()))
            }
            AppendOutcome::Committed => Ok(Outcome::Durable(frame)),
        }
    }

    /// Settles the frames in flight without regard to what became of them: they are to be sent again,
    /// or given up. Says whether one of them was committed.
    fn drain(&mut self) -> Result<bool, Outcome> {
        let mut committed = false;
        while let Some((number, outcome)) = self.log.settle() {
            match outcome {
                AppendOutcome::Committed => committed = true,
                AppendOutcome::Fenced { by } => {
                    return Err(Outcome::Stop(EngineError::Fenced { by }));
                }
                AppendOutcome::Unknown(error) if error.is_fatal() => {
                    error!(frame = number.0, %error, "append_failed");
                    return Err(Outcome::Stop(error.into()));
                }
                AppendOutcome::Unknown(_) | AppendOutcome::Rejected(_) => {}
            }
        }
        Ok(committed)
    }

    /// Settles a frame whose append may have happened or not: looks for it, and where it is absent
    /// sends the same bytes again, then the later frames in order.
    fn find_out(&mut self, frame: &Frame, error: LogError) -> Result<Outcome, Outcome> {
        let number = frame.header().number;
        let mut tries = self.patience.begin();
        let mut drained = false;
        let mut error = passing(number, error);
        loop {
            warn!(frame = number.0, %error, "append_ambiguous");
            match self.look(frame, &mut tries)? {
                Seen::Same => break,
                Seen::Other { by } => return Err(Outcome::Stop(taken(frame, by))),
                Seen::Absent => {}
            }
            if !self.patience.again(&mut tries, error.is_unavailable()) {
                return Err(Outcome::Stop(error.into()));
            }
            // WHY drained: a frame that is missing fails every later one; all are sent again. Where
            // one of them was committed, this one has come late, and is there now.
            let is_there = !drained && self.drain()?;
            drained = true;
            if is_there {
                continue;
            }
            self.log.submit(frame.clone());
            match self.log.settle() {
                Some((_, AppendOutcome::Committed)) => break,
                Some((_, AppendOutcome::Unknown(again))) if !again.is_fatal() => {
                    error = passing(number, again);
                }
                Some((_, AppendOutcome::Rejected(again)))
                    if again.is_unavailable() || again.is_full() =>
                {
                    error = passing(number, again);
                }
                Some((_, refused)) => return self.refused(number, refused),
                None => return Err(Outcome::Stop(EngineError::Gap { frame: number })),
            }
        }
        if drained {
            for later in &self.in_flight {
                self.log.submit(later.clone());
            }
        }
        Ok(Outcome::Durable(number))
    }

    /// Looks where a frame belongs. A log that cannot be reached is asked again for a while.
    fn look(&mut self, frame: &Frame, tries: &mut Tries) -> Result<Seen, Outcome> {
        loop {
            match self.log.look(frame) {
                Ok(seen) => return Ok(seen),
                Err(error) if error.is_unavailable() => {
                    warn!(frame = frame.header().number.0, %error, "append_ambiguous");
                    if !self.patience.again(tries, true) {
                        return Err(Outcome::Stop(error.into()));
                    }
                }
                Err(error) => return Err(Outcome::Stop(error.into())),
            }
        }
    }

    /// Housekeeping between frames. A log without room is no failure: it refuses until there is some.
    /// Nor is one that cannot be reached: the next frame will tell.
    pub(crate) fn maintain(&mut self) -> Result<(), EngineError> {
        match self.log.maintain() {
            Err(error) if error.is_full() || error.is_unavailable() => Ok(()),
            other => Ok(other?),
        }
    }

    /// Ends cleanly.
    pub(crate) fn close(&mut self) -> Result<(), EngineError> {
        Ok(self.log.close()?)
    }
}

/// Why a frame is still in doubt. WHY want of room does not reject it: what was sent before may still
/// come, once there is room.
fn passing(frame: FrameNumber, error: LogError) -> LogError {
    if error.is_full() {
        let doing = format!("settling frame {frame}");
        return LogError::Unavailable { doing, why: error.to_string() };
    }
    error
}

/// Why another writer's frame stands where ours should. One of an older writer is not there because
/// somebody took over.
fn taken(frame: &Frame, by: Epoch) -> EngineError {
    let header = frame.header();
    if by < header.epoch {
        EngineError::Superseded { frame: header.number }
    } else {
        EngineError::Fenced { by: Some(by) }
    }
}
