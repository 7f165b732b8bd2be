//! What the deciding thread waits for: commands, and notes from the other threads.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::core::Answer;
use crate::log_side::Outcome;
use crate::requests::Lookup;
use crate::submission::{Denied, Submission};

/// A command and where its answer goes.
pub(super) struct Waiting {
    pub(super) submission: Submission,
    pub(super) caller: Caller,
}

/// Where an answer goes.
pub(super) struct Caller {
    pub(super) answer: oneshot::Sender<Answer>,
    /// When the command came, by the clock's monotonic time.
    pub(super) since: Duration,
}

/// News from another thread.
pub(super) enum Note {
    /// What became of the oldest frame in flight.
    Outcome(Outcome),
    /// The log has room, or none.
    Room(bool),
    /// The files of request ids have changed.
    Lookup(Lookup),
}

/// What there is to do.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) notes: VecDeque<Note>,
    /// Whether a stop was asked for and no command waits any more.
    pub(super) is_last: bool,
}

/// A bounded queue of commands, and one of notes that is as short as there are frames in flight.
pub(super) struct Inbox {
    limit: usize,
    inner: Mutex<Inner>,
    wake: Condvar,
}

#[derive(Default)]
struct Inner {
    commands: VecDeque<Waiting>,
    notes: VecDeque<Note>,
    /// No command is taken any more.
    closed: bool,
    /// The deciding thread sleeps, and a command is to wake it. WHY: waking costs a call into the
    /// system, even where nobody sleeps.
    is_hungry: bool,
}

impl Inbox {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, inner: Mutex::default(), wake: Condvar::new() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a command into the queue.
    pub(super) fn push(&self, waiting: Waiting) -> Result<(), Denied> {
        let mut inner = self.inner();
        if inner.closed {
            return Err(Denied::Stopping);
        }
        if inner.commands.len() >= self.limit {
            return Err(Denied::Overloaded { limit: self.limit });
        }
        inner.commands.push_back(waiting);
        let is_hungry = std::mem::take(&mut inner.is_hungry);
        drop(inner);
        if is_hungry {
            self.wake.notify_one();
        }
        Ok(())
    }

    pub(super) fn note(&self, note: Note) {
        self.inner().notes.push_back(note);
        self.wake.notify_one();
    }

    /// Takes no more commands; those in the queue are still handed out.
    pub(super) fn close(&self) {
        self.inner().closed = true;
        self.wake.notify_one();
    }

    pub(super) fn depth(&self) -> usize {
        self.inner().commands.len()
    }

    /// Waits for something to do, or for `timeout`. Commands are put into `taken` only where `max` is
    /// above 0, and at most that many.
    pub(super) fn wait(
        &self,
        taken: &mut VecDeque<Waiting>,
        max: usize,
        is_idle: bool,
        timeout: Duration,
    ) -> Batch {
        let nothing = |inner: &mut Inner| {
            let commands = max > 0 && !inner.commands.is_empty();
            let over = inner.closed && inner.commands.is_empty() && is_idle;
            let nothing = inner.notes.is_empty() && !commands && !over;
            inner.is_hungry = nothing && max > 0;
            nothing
        };
        let (mut inner, _) = self
            .wake
            .wait_timeout_while(self.inner(), timeout, nothing)
            .unwrap_or_else(PoisonError::into_inner);
        inner.is_hungry = false;
        if taken.is_empty() && inner.commands.len() <= max {
            std::mem::swap(taken, &mut inner.commands);
        } else {
            let take = inner.commands.len().min(max);
            taken.extend(inner.commands.drain(..take));
        }
        Batch {
            notes: std::mem::take(&mut inner.notes),
            is_last: inner.closed && inner.commands.is_empty(),
        }
    }

    /// Closes the queue and takes what is left in it.
    pub(super) fn drain(&self) -> VecDeque<Waiting> {
        let mut inner = self.inner();
        inner.closed = true;
        std::mem::take(&mut inner.commands)
    }
}
