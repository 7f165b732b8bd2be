//! Building the read model anew from the log while the present one serves, and putting it in its place.
//!
//! The new one is folded from the first event on, on the thread of whoever asks. Then both are
//! compared at one position, without a lock; and once the new one stands at the same frame as the
//! present one, it takes its place under the write lock, for which at most one frame is folded.
//!
//! INVARIANT: while the fold goes on, the new model takes over at the very frame at which the
//! present one stands. So positions never go back, and the fold need not know of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use encours_domain::Position;
use encours_log::{FrameNumber, LogError};

use super::{ReadModel, Shared};
use crate::digest::{Digest, Facts};
use crate::error::{RebuildError, StopError};
use crate::model::Model;
use crate::worker::{fold, read_frame};

/// How long to wait for a present model that is itself being folded anew.
const PAUSE: Duration = Duration::from_millis(10);

/// How far a rebuild is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RebuildProgress {
    /// The last event that the new read model knows.
    pub position: Position,
    /// The last event of the log.
    pub last: Position,
}

/// What came out of a rebuild: the new read model has taken the place of the one before.
#[derive(Clone, Debug)]
pub struct Rebuilt {
    /// The event up to which the two were compared.
    pub position: Position,
    /// The digest of the new one there.
    pub digest: Digest,
    /// The digest of the one before; `None` where it held nothing, after an event that it could not
    /// fold.
    pub before: Option<Digest>,
    /// Whether the one before stood still at an event that the new one could fold: what it held may have
    /// been wrong, though the facts that were compared are the same. They were folded anew when it stopped.
    pub recovered: bool,
    /// Why the read model stands still all the same; `None` where it follows the log.
    pub stopped: Option<StopError>,
    /// How long it took.
    pub took: Duration,
}

impl Rebuilt {
    /// Whether the one before showed other facts than the log holds, or may have.
    #[must_use]
    pub fn differs(&self) -> bool {
        self.recovered || self.before.is_some_and(|before| before != self.digest)
    }
}

/// How rebuilds have ended since the process began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rebuilds {
    /// Whether one is under way.
    pub running: bool,
    /// With the facts of the one before.
    pub equal: u64,
    /// With other facts.
    pub different: u64,
    /// Because the log could not be folded again, or not so far that there was anything to compare.
    pub failed: u64,
}

impl ReadModel {
    /// Builds the read model anew from the log and puts it in the place of the present one, which
    /// answers until then. Takes a core for as long as folding the whole log does, and the memory of
    /// a second read model until the checkpoint after it is written.
    ///
    /// `going_on` hears after each frame how far it is, and says whether to go on; once the two have
    /// been compared it is asked no more. A read model that stands still at an event goes on where
    /// the new one can fold that event. Blocks, so call it off the async workers.
    ///
    /// # Errors
    /// [`RebuildError`]; the present read model is as it was.
    pub fn rebuild(
        &self,
        going_on: &mut dyn FnMut(RebuildProgress) -> bool,
    ) -> Result<Rebuilt, RebuildError> {
        let worker = self.worker().as_ref().map(|worker| (worker.stopping(), worker.clock()));
        let (stop, clock) = worker.ok_or(RebuildError::Stopping)?;
        let _turn = Turn::take(&self.shared)?;
        let begun = clock.monotonic();
        let (shared, model) = (&*self.shared, self.shared.fresh());
        let rebuilt = Rebuild { shared, stop, model }
            .run(going_on)
            .map(|rebuilt| Rebuilt { took: clock.monotonic().saturating_sub(begun), ..rebuilt });
        let mut rebuilds = self.shared.rebuilds();
        match &rebuilt {
            Ok(rebuilt) => {
                tell(rebuilt);
                let count = match rebuilt.before {
                    _ if rebuilt.differs() => &mut rebuilds.different,
                    Some(_) => &mut rebuilds.equal,
                    None => &mut rebuilds.failed,
                };
                *count += 1;
            }
            Err(error @ RebuildError::Log(_)) => {
                tracing::error!(%error, "projection_rebuild_failed");
                rebuilds.failed += 1;
            }
            Err(error) => tracing::info!(%error, "projection_rebuild_ended"),
        }
        rebuilt
    }

    /// How rebuilds have ended, and whether one is under way.
    #[must_use]
    pub fn rebuilds(&self) -> Rebuilds {
        *self.shared.rebuilds()
    }
}

/// Tells that a new model has taken over.
fn tell(rebuilt: &Rebuilt) {
    let Rebuilt { position, digest, took, .. } = rebuilt;
    let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let equal = !rebuilt.differs() && rebuilt.before.is_some();
    tracing::info!(position = position.0, milliseconds, %digest, equal, "projection_replaced");
}

/// The right to rebuild.
struct Turn<'a>(&'a Shared);

impl<'a> Turn<'a> {
    fn take(shared: &'a Shared) -> Result<Self, RebuildError> {
        let mut rebuilds = shared.rebuilds();
        if std::mem::replace(&mut rebuilds.running, true) {
            return Err(RebuildError::Running);
        }
        Ok(Self(shared))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.rebuilds().running = false;
    }
}

/// How the present model is.
enum Present {
    /// It stands at this frame and follows the log.
    Follows(FrameNumber),
    /// It has stopped after this frame.
    Stopped(FrameNumber),
    /// It is empty, because it is being folded anew.
    Anew,
}

impl Shared {
    fn present(&self) -> Present {
        if let Some(frame) = *self.parked() {
            return Present::Stopped(frame);
        }
        let model = self.model();
        let health = self.health();
        // Between what stops it and the mark of where it stands it is as if it were being folded anew.
        let follows = health.serving && health.stopped.is_none();
        if follows { Present::Follows(model.seen.frame) } else { Present::Anew }
    }
}

/// How the new one has taken over.
struct TakenOver {
    /// Whether the one before stood still at an event that could be folded.
    recovered: bool,
    /// Why the read model stands still.
    stopped: Option<StopError>,
}

struct Rebuild<'a> {
    shared: &'a Shared,
    stop: Arc<AtomicBool>,
    /// The new one; in the end the one before, so that it is not freed under the lock.
    model: Model,
}

impl Rebuild<'_> {
    fn run(
        mut self,
        going_on: &mut dyn FnMut(RebuildProgress) -> bool,
    ) -> Result<Rebuilt, RebuildError> {
        let mut go_on = |position| {
            let next = self.shared.reader.tail().next_position;
            let last = Position(next.0.saturating_sub(1));
            going_on(RebuildProgress { position, last })
        };
        // WHY first without it: what is held of the present one is copied where it changes.
        let (frame, _) = self.held(|_| (), &mut go_on)?;
        self.fold_to(frame, &mut go_on)?;
        let (frame, before) = self.held(Model::facts, &mut go_on)?;
        self.fold_to(frame, &mut go_on)?;
        let (position, digest) = (self.model.seen.position, self.model.facts().digest());
        let before = before.map(|facts: Facts| facts.digest());
        if let Some(before) = before.filter(|before| *before != digest) {
            let position = position.0;
            tracing::error!(position, shown = %before, %digest, "projection_differs");
            self.shared.trust_from(self.model.generation);
        }
        let TakenOver { recovered, stopped } = self.take_over()?;
        self.shared.checkpoint_asked.store(true, Ordering::Relaxed);
        Ok(Rebuilt { position, digest, before, recovered, stopped, took: Duration::ZERO })
    }

    /// Takes something of the present model, and the frame at which it stands; `None` where it is
    /// empty, and the frame the one at which it should stand.
    fn held<T>(
        &self,
        take: impl Fn(&Model) -> T,
        go_on: &mut dyn FnMut(Position) -> bool,
    ) -> Result<(FrameNumber, Option<T>), RebuildError> {
        loop {
            self.not_stopping()?;
            let at_least = self.model.seen.frame;
            match self.shared.present() {
                Present::Stopped(frame) => {
                    let model = self.shared.model();
                    return Ok((frame, (model.seen.frame == frame).then(|| take(&model))));
                }
                Present::Follows(frame) if frame >= at_least => {
                    let model = self.shared.model();
                    // It may have been emptied since.
                    if model.seen.frame >= at_least {
                        return Ok((model.seen.frame, Some(take(&model))));
                    }
                }
                Present::Follows(_) | Present::Anew => {}
            }
            if !go_on(self.model.seen.position) {
                return Err(RebuildError::GivenUp);
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Folds the new model up to the end of a frame that the present one has folded.
    fn fold_to(
        &mut self,
        last: FrameNumber,
        go_on: &mut dyn FnMut(Position) -> bool,
    ) -> Result<(), RebuildError> {
        while self.model.seen.frame < last {
            self.not_stopping()?;
            fold_next(self.shared, &mut self.model).map_err(RebuildError::Log)?;
            if !go_on(self.model.seen.position) {
                return Err(RebuildError::GivenUp);
            }
        }
        Ok(())
    }

    /// Puts the new model in the place of the present one.
    fn take_over(&mut self) -> Result<TakenOver, RebuildError> {
        loop {
            self.not_stopping()?;
            match self.shared.present() {
                Present::Stopped(frame) => {
                    self.fold_to(frame, &mut |_| true)?;
                    return self.go_on_from_stop();
                }
                Present::Follows(frame) if frame >= self.model.seen.frame => {
                    self.fold_to(frame, &mut |_| true)?;
                    if self.swap()? {
                        let stopped = self.shared.health().stopped.clone();
                        return Ok(TakenOver { recovered: false, stopped });
                    }
                }
                Present::Follows(_) | Present::Anew => std::thread::sleep(PAUSE),
            }
        }
    }

    /// Swaps the models where they stand at one frame, or the present one at the next. False where it
    /// has gone on further meanwhile.
    fn swap(&mut self) -> Result<bool, RebuildError> {
        let reader = &*self.shared.reader;
        let Model { seen, .. } = self.model;
        // WHY before the lock: it is read from the disk. What is wrong with it is for the fold to say.
        let next = Some(seen.frame.next()).filter(|next| *next <= reader.tail().number);
        let next = next.and_then(|next| read_frame(reader, next, seen.position).ok().flatten());
        let mut present = self.shared.model_mut();
        self.not_stopping()?;
        if present.seen.frame == seen.frame.next()
            && let Some((frame, events)) = &next
        {
            fold(&mut self.model, frame, events)
                .map_err(|(position, source)| StopError::Fold { position, source })
                .map_err(RebuildError::Log)?;
        }
        if present.seen.frame != self.model.seen.frame {
            return Ok(false);
        }
        std::mem::swap(&mut *present, &mut self.model);
        Ok(true)
    }

    /// Puts the new model in the place of one that has stopped after the same frame, past the frame at
    /// which that one stopped where it can fold it.
    fn go_on_from_stop(&mut self) -> Result<TakenOver, RebuildError> {
        let mut further = self.model.clone();
        let stopped = match fold_next(self.shared, &mut further) {
            Ok(()) => {
                self.model = further;
                None
            }
            Err(stopped) => Some(stopped),
        };
        let position = self.model.seen.position;
        let recovered = stopped.is_none() && self.shared.is_doubted.load(Ordering::SeqCst);
        if recovered {
            let position = position.0;
            tracing::error!(position, "projection_differs: it could not fold what can be folded");
            self.shared.trust_from(self.model.generation);
        }
        {
            let mut present = self.shared.model_mut();
            let mut health = self.shared.health();
            self.not_stopping()?;
            std::mem::swap(&mut *present, &mut self.model);
            health.serving = true;
            health.stopped.clone_from(&stopped);
        }
        self.shared.position.send_replace(position);
        if stopped.is_none() {
            self.shared.is_doubted.store(false, Ordering::SeqCst);
            *self.shared.parked() = None;
        }
        Ok(TakenOver { recovered, stopped })
    }

    fn not_stopping(&self) -> Result<(), RebuildError> {
        if self.stop.load(Ordering::Relaxed) { Err(RebuildError::Stopping) } else { Ok(()) }
    }
}

/// Folds the frame after those that a model knows. After an error it must be thrown away.
fn fold_next(shared: &Shared, model: &mut Model) -> Result<(), StopError> {
    let (reader, position) = (&*shared.reader, model.seen.position);
    let number = model.seen.frame.next();
    let Some((frame, events)) = read_frame(reader, number, position)? else {
        let (tail, known) = (reader.tail().number, "the present read model".to_owned());
        let source = LogError::RolledBack { known, wanted: number, tail, position };
        return Err(StopError::Log { position, source });
    };
    fold(model, &frame, &events).map_err(|(position, source)| StopError::Fold { position, source })
}

#[cfg(test)]
mod tests;
