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
    pub(super) commands: VecDeque<Waiting>,
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
        drop(inner);
        self.wake.notify_one();
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

    /// Waits for something to do, or for `timeout`. Commands are handed out only where `max` is above
    /// 0, and at most that many.
    pub(super) fn wait(&self, max: usize, is_idle: bool, timeout: Duration) -> Batch {
        let nothing = |inner: &mut Inner| {
            let commands = max > 0 && !inner.commands.is_empty();
            let over = inner.closed && inner.commands.is_empty() && is_idle;
            inner.notes.is_empty() && !commands && !over
        };
        let (mut inner, _) = self
            .wake
            .wait_timeout_while(self.inner(), timeout, nothing)
            .unwrap_or_else(PoisonError::into_inner);
        let take = inner.commands.len().min(max);
        let commands = inner.commands.drain(..take).collect();
        Batch {
            notes: std::mem::take(&mut inner.notes),
            commands,
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
