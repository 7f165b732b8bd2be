//! From what is on the disk to a core: the newest snapshot that fits, then the log after it.
//!
//! The one road back into memory: for every start, and after frames that did not become durable.

use std::sync::Arc;

use encours_domain::Position;
use encours_domain::state::State;
use encours_log::{Frame, FrameNumber, LogReader, Tail};

use crate::core::{Core, Settings};
use crate::digest::half;
use crate::error::EngineError;
use crate::keeper::Keeper;
use crate::keys::KeyStore;
use crate::past::{each_command, entry_of};
use crate::requests::Requests;

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

/// Folds the durable log into a core. `ids_in_memory` is the size of a generation of request ids.
pub(crate) fn recover(
    log: &dyn LogReader,
    keeper: &mut Keeper,
    keys: &Arc<KeyStore>,
    settings: Settings,
    ids_in_memory: usize,
) -> Result<(Core, RecoveryReport), EngineError> {
    let tail = log.tail();
    let snapshot = keeper.snapshots.newest(log)?;
    let (mut state, from) = match snapshot {
        Some(snapshot) => (State::from_rows(snapshot.rows), snapshot.tail),
        None => (State::default(), Tail::genesis(log.log_id())),
    };
    let mut requests = Requests::new(keeper.lookup(), ids_in_memory);
    let mut report = RecoveryReport { snapshot: from.number, frames: 0, events: 0, request_ids: 0 };
    // WHY two starts: the files of request ids may end before the snapshot or after it.
    let mut number = match log.frame_of(requests.covered().next()) {
        Some(frame) if frame <= from.number => frame,
        _ => from.number.next(),
    };
    let mut folded = from;
    while number <= tail.number {
        let frame = log.read(number)?.ok_or(EngineError::Gap { frame: number })?;
        report.frames += 1;
        let is_new = number > folded.number;
        if is_new {
            folded = folded
                .follow(log.log_id(), frame.header())
                .map_err(|source| EngineError::Chain { frame: number, source })?;
        }
        fold(&frame, is_new.then_some(&mut state), &mut requests, &mut report)?;
        requests.cover(frame.last_position());
        if let Some(generation) = requests.freeze(false) {
            keeper.add(&generation)?;
            requests.written(keeper.lookup());
        }
        number = number.next();
    }
    let snapshot_at = Position(from.next_position.0 - 1);
    let core = Core::new(settings, folded, state, Arc::clone(keys), requests, snapshot_at);
    Ok((core, report))
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
    each_command(frame, |command, events| {
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
            if let Some(state) = state.as_deref_mut() {
                state.apply(*position, half(&command.digest), &event);
                report.events += 1;
            }
        }
        Ok(())
    })
}
