//! The deciding thread.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use encours_log::Clock;
use tracing::{error, info, warn};

use super::Shared;
use super::callers::Callers;
use super::inbox::{Caller, Note, Waiting};
use super::log_thread::ToLog;
use crate::core::{Answer, Settled, Ticket};
use crate::error::EngineError;
use crate::keeper::{Job, Keeper};
use crate::log_side::Outcome;
use crate::submission::Denied;
use crate::writer::Writer;

/// How often days are looked at while nothing happens.
const TICK: Duration = Duration::from_millis(500);
/// Commands taken from the queue at once.
const BATCH: usize = 256;

/// The deciding thread's things.
pub(super) struct Desk {
    /// `None` only while the state is rolled back, and after a failure.
    writer: Option<Writer>,
    keeper: Arc<Mutex<Keeper>>,
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
    window: usize,
    /// When the frames on their way were sent, by the clock's monotonic time.
    sent: VecDeque<Duration>,
    to_log: Option<Sender<ToLog>>,
    to_keeper: Option<Sender<Job>>,
    /// Taken from the queue, not decided.
    taken: VecDeque<Waiting>,
    /// Decided, not durable.
    waiting: Callers,
    tickets: u64,
    repairing: bool,
}

impl Desk {
    pub(super) fn new(
        writer: Writer,
        keeper: Arc<Mutex<Keeper>>,
        shared: Arc<Shared>,
        window: usize,
        to_log: Sender<ToLog>,
        to_keeper: Sender<Job>,
    ) -> Self {
        Self {
            writer: Some(writer),
            keeper,
            clock: Arc::clone(&shared.clock),
            shared,
            window,
            sent: VecDeque::new(),
            to_log: Some(to_log),
            to_keeper: Some(to_keeper),
            taken: VecDeque::new(),
            waiting: Callers::default(),
            tickets: 0,
            repairing: false,
        }
    }

    /// Runs until a stop was asked for or something failed, then ends the other threads.
    pub(super) fn run(mut self, threads: [JoinHandle<()>; 2]) {
        let result = catch_unwind(AssertUnwindSafe(|| self.decide_until_stopped()));
        let result = result.unwrap_or_else(|panic| Err(EngineError::panicked("writer", &*panic)));
        match result {
            Ok(()) => self.part(),
            Err(error) => self.fail(error),
        }
        self.to_keeper = None;
        self.to_log = None;
        for thread in threads {
            // Panics of theirs were caught and reported.
            let _ = thread.join();
        }
        self.late_failure();
        let figures = self.shared.counters.figures();
        info!(
            accepted = figures.count(crate::Outcome::Accepted),
            repeated = figures.count(crate::Outcome::Repeated),
            refused = figures.count(crate::Outcome::Refused),
            frames = figures.frames,
            "the engine has stopped"
        );
        self.shared.stopped.send_replace(true);
    }

    fn decide_until_stopped(&mut self) -> Result<(), EngineError> {
        loop {
            let has_room = self.writer.as_ref().is_some_and(|writer| writer.core.has_room());
            let max = if has_room && self.taken.is_empty() { BATCH } else { 0 };
            let more = has_room && !self.taken.is_empty();
            let timeout = if more { Duration::ZERO } else { TICK };
            let is_quiet = self.is_quiet();
            let batch = self.shared.inbox.wait(&mut self.taken, max, is_quiet, timeout);
            for note in batch.notes {
                self.note(note)?;
            }
            self.decide()?;
            self.send()?;
            self.shared.oldest_sent(self.sent.front().copied());
            if batch.is_last && self.is_quiet() {
                return Ok(());
            }
        }
    }

    /// Whether a stop would leave nobody waiting. A full log keeps the engine's own events waiting
    /// for ever; those may be lost.
    fn is_quiet(&self) -> bool {
        let is_idle = self.writer.as_ref().is_none_or(|writer| {
            writer.core.is_idle() || (self.is_full() && writer.core.in_flight() == 0)
        });
        is_idle && self.taken.is_empty() && self.waiting.is_empty()
    }

    fn is_full(&self) -> bool {
        self.shared.is_full.load(Ordering::Relaxed)
    }

    /// Decides what was taken from the queue while the frame has room.
    fn decide(&mut self) -> Result<(), EngineError> {
        let is_full = self.is_full();
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let mut now = self.clock.now();
        // WHY no days without room: callers would wait for them.
        while (is_full || !writer.open_days(now)?) && writer.core.has_room() {
            let Some(Waiting { submission, caller }) = self.taken.pop_front() else { break };
            let ticket = Ticket(self.tickets + 1);
            match writer.offer(ticket, submission, now, is_full)? {
                None => {
                    self.tickets = ticket.0;
                    self.waiting.add(ticket, caller);
                }
                Some(decided) => {
                    if matches!(decided, Err(Denied::Unavailable { .. })) && !self.repairing {
                        self.repairing = true;
                        job(self.to_keeper.as_ref(), Job::Repair);
                    }
                    reply(&self.shared, caller, decided, self.clock.monotonic());
                }
            }
            now = self.clock.now();
        }
        if writer.core.requests_mut().is_behind() && !self.repairing {
            self.repairing = true;
            job(self.to_keeper.as_ref(), Job::Retry);
        }
        Ok(())
    }

    /// Sends frames on their way while the log's window is open.
    fn send(&mut self) -> Result<(), EngineError> {
        let is_full = self.is_full();
        let Some(writer) = &mut self.writer else { return Ok(()) };
        while writer.core.in_flight() < self.window {
            // WHY: without room what announces this writer would be sent and lost over and over.
            if is_full && writer.core.is_bare() {
                return Ok(());
            }
            let Some(work) = writer.core.take_frame()? else { return Ok(()) };
            self.sent.push_back(self.clock.monotonic());
            if let Some(to_log) = &self.to_log {
                // A log thread that is gone has left a note that says why.
                let _ = to_log.send(ToLog::Commit(Box::new(work)));
            }
        }
        Ok(())
    }

    fn note(&mut self, note: Note) -> Result<(), EngineError> {
        match note {
            Note::Outcome(Outcome::Durable(number)) => {
                let Some(writer) = &mut self.writer else { return Ok(()) };
                let settled = writer.core.settled(number)?;
                self.sent.pop_front();
                self.settled(settled);
                Ok(())
            }
            Note::Outcome(Outcome::Full) => self.roll_back(),
            Note::Outcome(Outcome::Stop(error)) => Err(error),
            Note::Room(has_room) => {
                self.shared.is_full.store(!has_room, Ordering::Relaxed);
                if has_room {
                    info!("the log has room again");
                } else {
                    warn!("log_full: commands are refused until there is room");
                }
                Ok(())
            }
            Note::Lookup(lookup) => {
                self.repairing = false;
                if let Some(writer) = &mut self.writer {
                    writer.core.requests_mut().written(lookup);
                }
                Ok(())
            }
        }
    }

    fn settled(&mut self, settled: Settled) {
        if let Some(clocks) = settled.clocks {
            self.shared.clocks.send_replace(clocks);
        }
        let now = self.clock.monotonic();
        for (ticket, answer) in settled.answers {
            if let Some(waiting) = self.waiting.take(ticket) {
                reply(&self.shared, waiting, answer, now);
            }
        }
        if let Some(generation) = settled.generation {
            job(self.to_keeper.as_ref(), Job::RequestIds(generation));
        }
        if let Some(snapshot) = settled.snapshot
            && !self.shared.snapshot_waits.swap(true, Ordering::AcqRel)
        {
            job(self.to_keeper.as_ref(), Job::Snapshot(Box::new(snapshot)));
        }
    }

    /// A frame found no room: the state goes back to what is durable.
    fn roll_back(&mut self) -> Result<(), EngineError> {
        self.shared.is_full.store(true, Ordering::Relaxed);
        let Some(writer) = self.writer.take() else { return Ok(()) };
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        let (writer, abandoned) = writer.restart(&mut keeper)?;
        drop(keeper);
        self.sent.clear();
        self.writer = Some(writer);
        for ticket in abandoned.in_flight.into_iter().chain(abandoned.drafted) {
            if let Some(waiting) = self.waiting.take(ticket) {
                reply(&self.shared, waiting, Err(Denied::LogFull), self.clock.monotonic());
            }
        }
        if let Some(to_log) = &self.to_log {
            let _ = to_log.send(ToLog::Resume);
        }
        Ok(())
    }

    /// What a clean stop leaves for a quick start.
    fn part(&mut self) {
        let Some(writer) = &mut self.writer else { return };
        let (generation, snapshot) = writer.core.parting();
        if let Some(generation) = generation {
            job(self.to_keeper.as_ref(), Job::RequestIds(generation));
        }
        if let Some(snapshot) = snapshot {
            job(self.to_keeper.as_ref(), Job::Snapshot(Box::new(snapshot)));
        }
    }

    /// Stops for good. Nobody is left without an answer.
    fn fail(&mut self, error: EngineError) {
        error!(%error, code = error.code(), "the engine has failed");
        self.shared.failed.send_replace(Some(Arc::new(error)));
        self.shared.oldest_sent(None);
        let unsent = self.shared.inbox.drain();
        let now = self.clock.monotonic();
        for waiting in self.taken.drain(..).chain(unsent) {
            reply(&self.shared, waiting.caller, Err(Denied::Stopping), now);
        }
        let abandoned = self.writer.take().map(|writer| writer.core.abandon());
        for ticket in abandoned.into_iter().flat_map(|abandoned| abandoned.drafted) {
            if let Some(waiting) = self.waiting.take(ticket) {
                reply(&self.shared, waiting, Err(Denied::Stopping), now);
            }
        }
        for waiting in self.waiting.drain() {
            reply(&self.shared, waiting, Err(Denied::OutcomeUnknown), now);
        }
    }

    /// A failure of the log thread while it closed the log.
    fn late_failure(&self) {
        let batch = self.shared.inbox.wait(&mut VecDeque::new(), 0, true, Duration::ZERO);
        for note in batch.notes {
            if let Note::Outcome(Outcome::Stop(error)) = note {
                self.shared.failed.send_if_modified(|failed| {
                    let is_first = failed.is_none();
                    failed.get_or_insert_with(|| Arc::new(error));
                    is_first
                });
            }
        }
    }
}

/// Answers a caller. `now` is by the clock's monotonic time.
fn reply(shared: &Shared, to: Caller, answer: Answer, now: Duration) {
    let took = now.saturating_sub(to.since);
    shared.counters.answered(&answer, took);
    // Nobody need wait any more: see `EngineHandle::execute`.
    let _ = to.answer.send(answer);
}

fn job(to_keeper: Option<&Sender<Job>>, job: Job) {
    if let Some(to_keeper) = to_keeper {
        // The background thread ends only after this sender is dropped.
        let _ = to_keeper.send(job);
    }
}
