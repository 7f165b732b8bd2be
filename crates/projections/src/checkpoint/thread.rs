//! The thread that writes checkpoints, so that neither the fold nor the async workers wait for sled.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use encours_domain::Position;

use super::store::{Loaded, StoreError, start_threads, write};
use super::{Checkpoint, Snapshot, folder};
use crate::error::OpenError;
use crate::read_model::Shared;

/// A checkpoint is written after so many events, or
const EVERY_EVENTS: u64 = 1_000_000;
/// after so long, where anything has happened.
const EVERY: Duration = Duration::from_secs(600);
/// Bytes a second at which pages are written, so that the log has the disk to itself.
const RATE: u64 = 16 * 1024 * 1024;

/// Decides when a checkpoint is due.
#[derive(Debug)]
pub(crate) struct Trigger {
    sender: SyncSender<()>,
    position: Position,
    at: Duration,
    /// Whether one is due whatever has happened.
    asked: bool,
}

impl Trigger {
    /// Makes a checkpoint due at the next turn.
    pub(crate) fn ask(&mut self) {
        self.asked = true;
    }

    /// Called after each frame and while there is none, with the time since some start.
    pub(crate) fn folded(&mut self, position: Position, now: Duration) {
        let events = position.0.saturating_sub(self.position.0);
        let waited = now.saturating_sub(self.at) >= EVERY;
        if self.asked || events >= EVERY_EVENTS || (events > 0 && waited) {
            self.asked = false;
            // A checkpoint that is still being written makes this one wait for the next turn.
            if self.sender.try_send(()).is_ok() {
                self.position = position;
            }
            self.at = now;
        }
    }
}

/// The running thread.
#[derive(Debug)]
pub(crate) struct Checkpointer {
    stopping: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Checkpointer {
    /// Starts the thread on a folder, from the checkpoint that was loaded from it.
    pub(crate) fn start(
        shared: &Arc<Shared>,
        checkpoint: Checkpoint,
        now: Duration,
    ) -> Result<(Self, Trigger), OpenError> {
        let position =
            checkpoint.loaded.as_ref().map_or(Position::START, |l| l.snapshot.seen.position);
        if checkpoint.loaded.is_none()
            && let Err(error) = start_threads()
        {
            tracing::warn!(%error, "the threads of checkpoints are not started before the first one");
        }
        // WHY 1: a checkpoint that is due while another is written is due once.
        let (sender, receiver) = sync_channel(1);
        let stopping = Arc::new(AtomicBool::new(false));
        let writer = Writer {
            shared: Arc::clone(shared),
            folder: checkpoint.folder,
            last: checkpoint.loaded,
            stopping: Arc::clone(&stopping),
        };
        let thread = std::thread::Builder::new()
            .name("encours-checkpoint".to_owned())
            .spawn(move || writer.run(&receiver))
            .map_err(OpenError::Thread)?;
        Ok((Self { stopping, thread }, Trigger { sender, position, at: now, asked: false }))
    }

    /// From now on pages are written without pause, and when the trigger is gone, a last checkpoint.
    pub(crate) fn hurry(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Waits for the last checkpoint. The trigger must be gone.
    pub(crate) fn join(self) {
        // A panic of the thread has been reported by the thread.
        let _ = self.thread.join();
    }
}

struct Writer {
    shared: Arc<Shared>,
    folder: PathBuf,
    last: Option<Loaded>,
    stopping: Arc<AtomicBool>,
}

impl Writer {
    fn run(mut self, due: &Receiver<()>) {
        while due.recv().is_ok() {
            self.write();
        }
        // The fold has ended. Where it was told to, this is a clean stop.
        if self.stopping.load(Ordering::Relaxed) {
            self.write();
        }
    }

    fn write(&mut self) {
        let snapshot = {
            let model = self.shared.model();
            // WHY: after an event that could not be folded the model may be rebuilding itself.
            if self.shared.health().stopped.is_some() {
                return;
            }
            Snapshot::of(self.shared.reader.log_id(), &model)
        };
        let of = |snapshot: &Snapshot| (snapshot.seen, snapshot.generation);
        let is_last = self.last.as_ref().is_some_and(|last| of(&last.snapshot) == of(&snapshot));
        if is_last || snapshot.seen.position == Position::START {
            return;
        }
        let mut pace = |bytes: usize| {
            if !self.stopping.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_micros(bytes as u64 * 1_000_000 / RATE));
            }
        };
        match write(&self.folder, &snapshot, self.last.as_ref(), &mut pace) {
            Ok((number, stamps)) => {
                tracing::info!(number, position = snapshot.seen.position.0, "checkpoint_written");
                self.shared.made_of(snapshot.generation);
                self.last = Some(Loaded { snapshot, stamps, number });
                self.shared.health().checkpoint_failed = None;
                folder::retire_older(&self.folder);
            }
            Err(error) => self.failed(&error),
        }
    }

    /// The next checkpoint is tried all the same: on a fresh folder, unless this one could not even
    /// be opened.
    fn failed(&mut self, error: &StoreError) {
        tracing::warn!(%error, "checkpoint_failed");
        if error.is_damage() {
            self.last = None;
            folder::set_aside(&self.folder);
        }
        self.shared.health().checkpoint_failed = Some(error.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_due_by_events_or_by_time() {
        let (sender, due) = sync_channel(1);
        let mut trigger =
            Trigger { sender, position: Position(50), at: Duration::ZERO, asked: false };
        let seconds = Duration::from_secs;
        let mut is_due = |position, now| {
            trigger.folded(Position(position), now);
            due.try_recv().is_ok()
        };
        assert!(!is_due(50, seconds(599)));
        assert!(!is_due(50, seconds(700)), "nothing has happened");
        assert!(is_due(51, seconds(701)), "and then something has");
        assert!(!is_due(60, seconds(702)));
        assert!(is_due(1_000_051, seconds(703)));
        assert!(!is_due(2_000_050, seconds(704)));
        assert!(is_due(2_000_050, seconds(1_303)));
    }

    #[test]
    fn one_that_is_asked_for_is_due_once_whatever_has_happened() {
        let (sender, due) = sync_channel(1);
        let mut trigger =
            Trigger { sender, position: Position(50), at: Duration::ZERO, asked: false };
        trigger.ask();
        for turn in [1, 0] {
            trigger.folded(Position(50), Duration::ZERO);
            assert_eq!(due.try_iter().count(), turn);
        }
    }

    #[test]
    fn a_checkpoint_that_waits_is_not_asked_for_twice() {
        let (sender, due) = sync_channel(1);
        let mut trigger =
            Trigger { sender, position: Position(0), at: Duration::ZERO, asked: false };
        for round in 1..5 {
            trigger.folded(Position(round * EVERY_EVENTS), Duration::ZERO);
        }
        assert_eq!(due.try_iter().count(), 1);
    }
}
