//! From what is on the disk to a state: the newest snapshot that fits, then the log after it.
//!
//! The one road back into memory: for every start, for following a log that somebody else writes, and
//! after frames that did not become durable.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use encours_domain::Position;
use encours_domain::state::{Rows, State};
use encours_log::{Frame, FrameNumber, LogReader, Tail};

use crate::core::{Core, Settings};
use crate::digest::half;
use crate::error::EngineError;
use crate::keeper::Keeper;
use crate::keys::{Key, KeyStore};
use crate::past::{each_command, entry_of};
use crate::requests::{Generation, Requests};
use crate::snapshot::Snapshot;

/// What a recovery did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecoveryReport {
    /// The frame of the snapshot that was used; 0 where none was.
    pub snapshot: FrameNumber,
    /// Frames read from the log.
    pub frames: u64,
    /// Events applied from them.
    pub events: u64,
    /// Request ids read from them.
    pub request_ids: u64,
}

/// The durable log, folded up to a frame. After an error it must not be used any more.
pub(crate) struct Fold {
    state: State,
    requests: Requests,
    /// The last frame that the state has.
    tail: Tail,
    /// The next frame to read. WHY beside the tail: the files of request ids may end before the
    /// snapshot or after it.
    next: FrameNumber,
    snapshot_at: Position,
    report: RecoveryReport,
}

impl Fold {
    /// Begins with the newest snapshot. `ids_in_memory` is the size of a generation of request ids.
    pub(crate) fn open(
        log: &dyn LogReader,
        keeper: &Keeper,
        ids_in_memory: usize,
    ) -> Result<Self, EngineError> {
        let (rows, tail) = match keeper.snapshots.newest(log)? {
            Some(snapshot) => (snapshot.rows, snapshot.tail),
            None => (Rows::default(), Tail::genesis(log.log_id())),
        };
        // WHY not from `Entropy`: nothing that anybody sees depends on it.
        let state = State::salted(rows, RandomState::new().build_hasher().finish());
        let requests = Requests::new(keeper.lookup(), ids_in_memory);
        let next = match log.frame_of(requests.covered().next()) {
            Some(frame) if frame <= tail.number => frame,
            _ => tail.number.next(),
        };
        let snapshot_at = Position(tail.next_position.0 - 1);
        let report = RecoveryReport { snapshot: tail.number, frames: 0, events: 0, request_ids: 0 };
        Ok(Self { state, requests, tail, next, snapshot_at, report })
    }

    /// Folds the frames that the log shows beyond.
    pub(crate) fn follow(
        &mut self,
        log: &dyn LogReader,
        keeper: &mut Keeper,
    ) -> Result<(), EngineError> {
        let end = log.tail().number;
        while self.next <= end {
            let number = self.next;
            let frame = log.read(number)?.ok_or(EngineError::Gap { frame: number })?;
            self.report.frames += 1;
            let is_new = number > self.tail.number;
            if is_new {
                self.tail = self
                    .tail
                    .follow(log.log_id(), frame.header())
                    .map_err(|source| EngineError::Chain { frame: number, source })?;
            }
            let state = is_new.then_some(&mut self.state);
            fold(&frame, state, &mut self.requests, &mut self.report)?;
            self.requests.cover(frame.last_position());
            if let Some(generation) = self.requests.freeze(false) {
                self.write_ids(&generation, keeper)?;
            }
            self.next = number.next();
        }
        Ok(())
    }

    fn write_ids(
        &mut self,
        generation: &Generation,
        keeper: &mut Keeper,
    ) -> Result<(), EngineError> {
        keeper.add(generation)?;
        self.requests.written(keeper.lookup());
        Ok(())
    }

    /// Writes a snapshot where `every` events have been folded since the last one.
    pub(crate) fn keep(&mut self, keeper: &mut Keeper, every: u64) -> Result<(), EngineError> {
        let last = Position(self.tail.next_position.0 - 1);
        if last.0 < self.snapshot_at.0.saturating_add(every.max(1)) {
            return Ok(());
        }
        // WHY the ids first: a start reads them again from where their files end.
        if let Some(generation) = self.requests.freeze(true) {
            self.write_ids(&generation, keeper)?;
        }
        keeper.snapshots.write(&Snapshot { tail: self.tail, rows: self.rows().clone() })?;
        self.snapshot_at = last;
        Ok(())
    }

    /// The last frame folded.
    pub(crate) const fn tail(&self) -> Tail {
        self.tail
    }

    /// The rows after that frame.
    pub(crate) const fn rows(&self) -> &Rows {
        self.state.rows()
    }

    /// What was done so far.
    pub(crate) const fn report(&self) -> RecoveryReport {
        self.report
    }

    /// A core that goes on after the last frame folded.
    pub(crate) fn into_core(self, settings: Settings, keys: Arc<KeyStore>, digest: Key) -> Core {
        let Self { state, requests, tail, snapshot_at, .. } = self;
        Core::new(settings, tail, state, keys, digest, requests, snapshot_at)
    }
}

/// Applies a frame's events, each with the digest of its command, where there is a `state` to apply
/// them to; notes the request ids that the index does not have.
fn fold(
    frame: &Frame,
    mut state: Option<&mut State>,
    requests: &mut Requests,
    report: &mut RecoveryReport,
) -> Result<(), EngineError> {
    let known = requests.covered();
    let mut decoded = Vec::new();
    each_command(frame, |command, events| {
        decoded.clear();
        for (index, (position, event)) in events.iter().enumerate() {
            let is_noted = index == 0 && *position > known && !command.request_id.is_empty();
            if state.is_none() && !is_noted {
                break;
            }
            let event = encours_schema::decode(event.kind, event.version, event.payload)
                .map_err(|source| EngineError::Event { position: *position, source })?;
            if is_noted && let Some(entry) = entry_of(command, *position, &event) {
                requests.insert(entry.id, entry.position);
                report.request_ids += 1;
            }
            decoded.push(event);
        }
        if let Some((state, (first, _))) = state.as_deref_mut().zip(events.first()) {
            // WHY caught here: whoever reads the log on whatever thread is to say where it is wrong.
            let apply = || state.apply_all(*first, half(&command.digest), &decoded);
            catch_unwind(AssertUnwindSafe(apply))
                .map_err(|panic| EngineError::unfit(*first, &*panic))?;
            report.events += decoded.len() as u64;
        }
        Ok(())
    })
}
