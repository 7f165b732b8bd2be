//! A log in memory, for tests and demonstrations: same rules, nothing outlives the process.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use encours_domain::Position;

use crate::chain::Tail;
use crate::error::LogError;
use crate::event_log::{AppendOutcome, EventLog, LogReader, TailCell};
use crate::frame::Frame;
use crate::id::{FrameNumber, LogId};

/// A log in memory.
#[derive(Debug)]
pub struct MemoryLog {
    shared: Arc<Shared>,
    in_flight: VecDeque<Frame>,
}

#[derive(Debug)]
struct Shared {
    log_id: LogId,
    frames: RwLock<Vec<Frame>>,
    tail: TailCell,
}

impl MemoryLog {
    /// An empty log.
    #[must_use]
    pub fn new(log_id: LogId) -> Self {
        let shared = Shared {
            log_id,
            frames: RwLock::new(Vec::new()),
            tail: TailCell::new(Tail::genesis(log_id)),
        };
        Self { shared: Arc::new(shared), in_flight: VecDeque::new() }
    }

    /// Another writing end on the same frames, as after a restart. The old one must not be used any
    /// more; a frame it had in flight is lost.
    #[must_use]
    pub fn reopen(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), in_flight: VecDeque::new() }
    }
}

impl EventLog for MemoryLog {
    fn log_id(&self) -> LogId {
        self.shared.log_id
    }

    fn tail(&self) -> Tail {
        self.shared.tail.get()
    }

    fn window(&self) -> usize {
        1
    }

    fn admits(&self) -> Result<(), LogError> {
        Ok(())
    }

    fn submit(&mut self, frame: Frame) {
        self.in_flight.push_back(frame);
    }

    fn settle(&mut self) -> Option<(FrameNumber, AppendOutcome)> {
        let frame = self.in_flight.pop_front()?;
        let number = frame.header().number;
        let tail = match self.tail().follow(self.shared.log_id, frame.header()) {
            Ok(tail) => tail,
            Err(error) => return Some((number, AppendOutcome::not_next(number, error))),
        };
        self.shared.frames.write().unwrap_or_else(PoisonError::into_inner).push(frame);
        self.shared.tail.set(tail);
        Some((number, AppendOutcome::Committed))
    }

    fn maintain(&mut self) -> Result<(), LogError> {
        Ok(())
    }

    fn reader(&self) -> Arc<dyn LogReader> {
        Arc::clone(&self.shared) as Arc<dyn LogReader>
    }

    fn close(&mut self) -> Result<(), LogError> {
        Ok(())
    }
}

impl LogReader for Shared {
    fn log_id(&self) -> LogId {
        self.log_id
    }

    fn tail(&self) -> Tail {
        self.tail.get()
    }

    fn stored_bytes(&self) -> u64 {
        let frames = self.frames.read().unwrap_or_else(PoisonError::into_inner);
        frames.iter().map(|frame| frame.header().frame_len() as u64).sum()
    }

    fn read(&self, number: FrameNumber) -> Result<Option<Frame>, LogError> {
        let frames = self.frames.read().unwrap_or_else(PoisonError::into_inner);
        let index = number.0.checked_sub(1).and_then(|index| usize::try_from(index).ok());
        Ok(index.and_then(|index| frames.get(index)).cloned())
    }

    fn frame_of(&self, position: Position) -> Option<FrameNumber> {
        if position == Position::START || position >= self.tail().next_position {
            return None;
        }
        let frames = self.frames.read().unwrap_or_else(PoisonError::into_inner);
        let after = frames.partition_point(|frame| frame.header().first_position <= position);
        frames.get(after.checked_sub(1)?).map(|frame| frame.header().number)
    }

    fn wait_beyond(&self, number: FrameNumber, timeout: Duration) -> Tail {
        self.tail.wait_beyond(number, timeout)
    }
}
