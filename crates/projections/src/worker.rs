//! The fold thread: follows the log frame by frame and publishes after each. At an event that it
//! cannot fold it stands until a rebuild has found a way past it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use encours_domain::{Event, Position};
use encours_log::{Clock, Frame, FrameNumber, LogReader};

use crate::checkpoint::{Checkpoint, Checkpointer, Trigger};
use crate::error::{FoldError, OpenError, StopError};
use crate::model::{Model, Seen};
use crate::read_model::Shared;

/// How long the fold waits for a frame before it looks whether it shall stop.
const POLL: Duration = Duration::from_millis(100);

/// The running thread.
pub(crate) struct Worker {
    stop: Arc<AtomicBool>,
    clock: Arc<dyn Clock>,
    fold: Option<JoinHandle<()>>,
    checkpointer: Option<Checkpointer>,
}

impl Worker {
    pub(crate) fn start(
        shared: &Arc<Shared>,
        checkpoint: Option<Checkpoint>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let stop = Arc::new(AtomicBool::new(false));
        let (checkpointer, trigger) = match checkpoint {
            None => (None, None),
            Some(checkpoint) => {
                let (thread, trigger) = Checkpointer::start(shared, checkpoint, clock.monotonic())?;
                (Some(thread), Some(trigger))
            }
        };
        let shared = Arc::clone(shared);
        let follower = Follower { shared, stop: Arc::clone(&stop), clock: Arc::clone(&clock) };
        let fold = std::thread::Builder::new()
            .name("encours-fold".to_owned())
            .spawn(move || follower.run(trigger))
            .map_err(OpenError::Thread)?;
        Ok(Self { stop, clock, fold: Some(fold), checkpointer })
    }

    /// What is true once it is to stop.
    pub(crate) fn stopping(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// Stops the fold, then writes a last checkpoint, and waits for both.
    pub(crate) fn stop(mut self, shared: &Shared) {
        if let Some(checkpointer) = &self.checkpointer {
            checkpointer.hurry();
        }
        self.stop.store(true, Ordering::Relaxed);
        if let Some(fold) = self.fold.take() {
            // A panic of the thread has been reported by the thread.
            let _ = fold.join();
        }
        if let Some(checkpointer) = self.checkpointer.take() {
            checkpointer.join();
        }
        shared.health().stopped.get_or_insert(StopError::Closed);
        shared.position.send_modify(|_| {});
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

struct Follower {
    shared: Arc<Shared>,
    stop: Arc<AtomicBool>,
    clock: Arc<dyn Clock>,
}

impl Follower {
    fn run(&self, mut trigger: Option<Trigger>) {
        while !self.stop.load(Ordering::Relaxed) {
            if self.shared.parked().is_some() {
                std::thread::sleep(POLL);
                continue;
            }
            let frame = self.shared.model().seen.frame;
            let tail = self.shared.reader.wait_beyond(frame, POLL);
            let mut next = frame.next();
            while next <= tail.number && !self.stop.load(Ordering::Relaxed) {
                if let Err(stopped) = self.fold_frame(next) {
                    tracing::error!(error = %stopped, "projection_stopped");
                    self.shared.health().stopped = Some(stopped);
                    self.shared.position.send_modify(|_| {});
                    *self.shared.parked() = Some(FrameNumber(next.0.saturating_sub(1)));
                    break;
                }
                self.checkpoint(&mut trigger);
                next = next.next();
            }
            self.checkpoint(&mut trigger);
        }
    }

    fn checkpoint(&self, trigger: &mut Option<Trigger>) {
        if let Some(trigger) = trigger {
            if self.shared.checkpoint_asked.swap(false, Ordering::Relaxed) {
                trigger.ask();
            }
            trigger.folded(self.position(), self.clock.monotonic());
        }
    }

    /// Folds a frame as a whole, or leaves the model at the frame before it.
    fn fold_frame(&self, number: FrameNumber) -> Result<(), StopError> {
        let Some((frame, events)) = read_frame(&*self.shared.reader, number, self.position())?
        else {
            return Ok(());
        };
        let mut model = self.shared.model_mut();
        if let Err((position, source)) = fold(&mut model, &frame, &events) {
            // What the frame did so far must not be seen, so the model is folded anew up to here.
            *model = self.shared.fresh();
            drop(model);
            self.shared.is_doubted.store(true, Ordering::SeqCst);
            let stopped = StopError::Fold { position, source };
            self.fold_anew(number, &stopped)?;
            return Err(stopped);
        }
        let position = model.seen.position;
        drop(model);
        self.shared.position.send_replace(position);
        Ok(())
    }

    fn position(&self) -> Position {
        *self.shared.position.borrow()
    }

    /// Puts a model in place that ends before frame `end`.
    fn fold_anew(&self, end: FrameNumber, stopped: &StopError) -> Result<(), StopError> {
        {
            let mut health = self.shared.health();
            health.stopped = Some(stopped.clone());
            health.serving = false;
        }
        self.shared.position.send_modify(|_| {});
        let reader = &*self.shared.reader;
        let mut model = self.shared.fresh();
        while model.seen.frame.next() < end && !self.stop.load(Ordering::Relaxed) {
            let number = model.seen.frame.next();
            let Some((frame, events)) = read_frame(reader, number, model.seen.position)? else {
                break;
            };
            fold(&mut model, &frame, &events)
                .map_err(|(position, source)| StopError::Fold { position, source })?;
        }
        *self.shared.model_mut() = model;
        self.shared.health().serving = true;
        Ok(())
    }
}

/// A frame and its events; `None` past the tail.
pub(crate) fn read_frame(
    reader: &dyn LogReader,
    number: FrameNumber,
    before: Position,
) -> Result<Option<(Frame, Vec<Event>)>, StopError> {
    let log = |source| StopError::Log { position: before, source };
    let Some(frame) = reader.read(number).map_err(log)? else { return Ok(None) };
    let mut events = Vec::with_capacity(frame.header().event_count as usize);
    for (position, event) in frame.events() {
        let event = encours_schema::decode(event.kind, event.version, event.payload)
            .map_err(|source| StopError::Decode { position, source: Arc::new(source) })?;
        events.push(event);
    }
    Ok(Some((frame, events)))
}

/// Folds the events of a frame. After an error the model must be thrown away.
pub(crate) fn fold(
    model: &mut Model,
    frame: &Frame,
    events: &[Event],
) -> Result<(), (Position, FoldError)> {
    let header = frame.header();
    let mut position = header.first_position;
    let folded = catch_unwind(AssertUnwindSafe(|| {
        for event in events {
            model.fold(position, event)?;
            position = position.next();
        }
        Ok(())
    }));
    folded
        .unwrap_or_else(|panic| Err(FoldError::Panicked(message(&*panic))))
        .map_err(|source| (position, source))?;
    model.seen = Seen {
        position: frame.last_position(),
        frame: header.number,
        hash: frame.hash(),
        recorded_at: header.recorded_at,
    };
    Ok(())
}

/// What a panic said.
pub(crate) fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message").to_owned()
}
