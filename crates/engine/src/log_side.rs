//! The engine's end of the log: keys first, then the frame, and what became of it.

use std::collections::VecDeque;
use std::io;

use encours_log::{AppendOutcome, EventLog, Frame, FrameNumber, LogError};
use tracing::{error, warn};

use crate::core::Work;
use crate::error::EngineError;
use crate::keys::{AppendError, KeyFile};

/// How often a frame whose outcome is not known is sent again before the engine gives up.
const RESENDS_MAX: u32 = 8;

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

/// The log and the key file, in the order of writing.
pub(crate) struct LogSide {
    log: Box<dyn EventLog>,
    keys: KeyFile,
    in_flight: VecDeque<Frame>,
    /// Why the frames after those in flight cannot be submitted.
    blocked: Option<Outcome>,
}

impl LogSide {
    pub(crate) fn new(log: Box<dyn EventLog>, keys: KeyFile) -> Self {
        Self { log, keys, in_flight: VecDeque::new(), blocked: None }
    }

    /// Whether nothing is in flight.
    pub(crate) fn is_idle(&self) -> bool {
        self.in_flight.is_empty()
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

    /// Starts to make a frame durable, its keys before it.
    pub(crate) fn submit(&mut self, work: Work) {
        if self.blocked.is_some() {
            return;
        }
        match self.keys.append(&work.keys) {
            Ok(()) => {
                self.in_flight.push_back(work.frame.clone());
                self.log.submit(work.frame);
            }
            Err(AppendError::Write(error)) if error.kind() == io::ErrorKind::StorageFull => {
                self.blocked = Some(Outcome::Full);
            }
            Err(AppendError::Write(error) | AppendError::Sync(error)) => {
                self.blocked = Some(Outcome::Stop(EngineError::KeySync(error)));
            }
        }
    }

    /// Waits for the oldest frame. `None` where none is in flight.
    ///
    /// After [`Outcome::Full`] nothing is in flight any more, and the log stands at its durable tail.
    pub(crate) fn settle(&mut self) -> Option<Outcome> {
        let Some((number, outcome)) = self.log.settle() else {
            return self.blocked.take();
        };
        let frame = self.in_flight.pop_front();
        let outcome = match (outcome, frame) {
            (AppendOutcome::Committed, _) => Outcome::Durable(number),
            (AppendOutcome::Fenced { by }, _) => Outcome::Stop(EngineError::Fenced { by }),
            (AppendOutcome::Rejected(error), _) if error.is_full() => self.drain_full(),
            (AppendOutcome::Rejected(error), _) => Outcome::Stop(error.into()),
            (AppendOutcome::Unknown(error), _) if error.is_fatal() => {
                error!(frame = number.0, %error, "append_failed");
                Outcome::Stop(error.into())
            }
            (AppendOutcome::Unknown(error), Some(frame)) => self.find_out(&frame, error),
            (AppendOutcome::Unknown(error), None) => Outcome::Stop(error.into()),
        };
        Some(outcome)
    }

    /// Lets the frames after a rejected one be rejected too.
    fn drain_full(&mut self) -> Outcome {
        while self.log.settle().is_some() {}
        self.in_flight.clear();
        self.blocked = None;
        Outcome::Full
    }

    /// Settles a frame whose append may have happened or not: reads it back, and where it is absent
    /// sends the same bytes again, then the later frames in order.
    fn find_out(&mut self, frame: &Frame, mut error: LogError) -> Outcome {
        let number = frame.header().number;
        for _ in 0..RESENDS_MAX {
            warn!(frame = number.0, %error, "append_ambiguous");
            match self.log.reader().read(number) {
                Ok(Some(stored)) if stored.hash() == frame.hash() => {
                    return Outcome::Durable(number);
                }
                Ok(Some(_)) => return Outcome::Stop(EngineError::Superseded { frame: number }),
                Err(error) => return Outcome::Stop(error.into()),
                Ok(None) => {}
            }
            // WHY drained: a frame that is missing fails every later one; all are sent again.
            while self.log.settle().is_some() {}
            self.log.submit(frame.clone());
            let outcome = self.log.settle();
            match outcome {
                Some((_, AppendOutcome::Committed)) => {
                    for later in &self.in_flight {
                        self.log.submit(later.clone());
                    }
                    return Outcome::Durable(number);
                }
                Some((_, AppendOutcome::Unknown(again))) if !again.is_fatal() => error = again,
                Some((_, AppendOutcome::Fenced { by })) => {
                    return Outcome::Stop(EngineError::Fenced { by });
                }
                Some((_, AppendOutcome::Rejected(again))) if again.is_full() => {
                    return self.drain_full();
                }
                Some((_, AppendOutcome::Unknown(again) | AppendOutcome::Rejected(again))) => {
                    return Outcome::Stop(again.into());
                }
                None => return Outcome::Stop(EngineError::Gap { frame: number }),
            }
        }
        Outcome::Stop(error.into())
    }

    /// Housekeeping between frames. A log without room is no failure: it refuses until there is some.
    pub(crate) fn maintain(&mut self) -> Result<(), EngineError> {
        match self.log.maintain() {
            Err(error) if error.is_full() => Ok(()),
            other => Ok(other?),
        }
    }

    /// Ends cleanly.
    pub(crate) fn close(&mut self) -> Result<(), EngineError> {
        Ok(self.log.close()?)
    }
}
