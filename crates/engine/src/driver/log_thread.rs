//! The thread that makes frames durable. While it waits for the disk, the next frame fills.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use encours_log::{Clock, LogError};
use tracing::error;

use super::Shared;
use super::inbox::Note;
use crate::core::Work;
use crate::error::EngineError;
use crate::log_side::{LogSide, Outcome};

/// How often the log gets its housekeeping while nothing is appended.
const HOUSEKEEPING: Duration = Duration::from_millis(200);

/// How long the key file is taken to be full after keys found no room in it. WHY: only the next keys
/// tell whether there is room again, and where there is none the whole state is rolled back.
const KEYS_PAUSE: Duration = Duration::from_secs(5);

/// What the deciding thread asks of this one.
pub(super) enum ToLog {
    /// Make this frame durable.
    Commit(Box<Work>),
    /// The state was rolled back after a frame that found no room: frames count again.
    Resume,
}

/// Runs until the deciding thread hangs up, then closes the log.
pub(super) fn run(side: LogSide, from: &Receiver<ToLog>, shared: &Shared, clock: &Arc<dyn Clock>) {
    let mut thread = LogThread {
        side,
        from,
        shared,
        clock,
        // WHY: it may have been full when it was opened, and have room by now.
        had_room: !shared.is_full.load(Ordering::Relaxed),
        keys_refused: None,
        lost: false,
        open: true,
    };
    let result = catch_unwind(AssertUnwindSafe(|| thread.run()));
    let error = match result {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error,
        Err(panic) => EngineError::panicked("log", &*panic),
    };
    error!(%error, code = error.code(), "the log has stopped");
    shared.inbox.note(Note::Outcome(Outcome::Stop(error)));
}

struct LogThread<'a> {
    side: LogSide,
    from: &'a Receiver<ToLog>,
    shared: &'a Shared,
    clock: &'a Arc<dyn Clock>,
    had_room: bool,
    /// When keys found no room, by the clock's monotonic time.
    keys_refused: Option<Duration>,
    /// Frames that follow a lost one are dropped until the deciding thread has started over.
    lost: bool,
    open: bool,
}

impl LogThread<'_> {
    fn run(&mut self) -> Result<(), EngineError> {
        while self.open {
            let start = self.take();
            match self.side.settle() {
                None => {}
                Some(Outcome::Stop(error)) => return Err(error),
                Some(outcome) => {
                    match outcome {
                        Outcome::Durable(_) => {
                            let took = self.clock.monotonic().saturating_sub(start);
                            self.shared.counters.synced(took);
                        }
                        _ => {
                            self.lost = true;
                            // WHY: it may be the key file that found no room while the log has some.
                            // The deciding thread refuses until it is told that there is room.
                            self.had_room = false;
                            let is_keys = self.side.keys_are_full();
                            self.keys_refused = is_keys.then(|| self.clock.monotonic());
                        }
                    }
                    self.shared.inbox.note(Note::Outcome(outcome));
                }
            }
            self.housekeeping()?;
        }
        self.side.close()
    }

    /// Takes the frames that are there, waiting for the first where none is in flight. Returns when
    /// the first one was there.
    fn take(&mut self) -> Duration {
        if self.side.is_idle() {
            match self.from.recv_timeout(HOUSEKEEPING) {
                Ok(message) => self.handle(message),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => self.open = false,
            }
        }
        let start = self.clock.monotonic();
        while self.side.has_window()
            && let Ok(message) = self.from.try_recv()
        {
            self.handle(message);
        }
        start
    }

    fn handle(&mut self, message: ToLog) {
        match message {
            ToLog::Commit(work) if !self.lost => self.side.submit(*work),
            ToLog::Commit(_) => {}
            ToLog::Resume => self.lost = false,
        }
    }

    fn housekeeping(&mut self) -> Result<(), EngineError> {
        self.side.maintain()?;
        let (has_room, is_own) = match self.side.admits() {
            Ok(()) => (!self.keys_refuse(), true),
            Err(error) if error.is_full() => (false, matches!(error, LogError::Full { .. })),
            // The next frame will tell.
            Err(error) if error.is_unavailable() => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        self.shared.own_disk_full(!has_room && is_own);
        if has_room != self.had_room {
            self.had_room = has_room;
            self.shared.inbox.note(Note::Room(has_room));
        }
        Ok(())
    }

    /// Whether keys found no room just now, and none have found any since.
    fn keys_refuse(&mut self) -> bool {
        let now = self.clock.monotonic();
        let is_over = |at: &Duration| now.saturating_sub(*at) >= KEYS_PAUSE;
        if !self.side.keys_are_full() || self.keys_refused.as_ref().is_none_or(is_over) {
            self.keys_refused = None;
        }
        self.keys_refused.is_some()
    }
}
