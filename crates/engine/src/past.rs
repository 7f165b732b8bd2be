//! Reading the durable log back: first outcomes, request ids.

use std::sync::Arc;

use encours_domain::{Event, Position};
use encours_log::{CommandRecord, EventRef, Frame, FrameNumber, LogReader};

use crate::core::{FirstOutcome, Past};
use crate::requests::{Entry, Scope};

/// The past as the log's reader shows it.
pub(crate) struct LogPast(pub(crate) Arc<dyn LogReader>);

impl Past for LogPast {
    fn outcome(&self, position: Position) -> Result<FirstOutcome, String> {
        let number = self.0.frame_of(position).ok_or("the log does not reach its position")?;
        let frame = read(&*self.0, number)?;
        let (command, _) = frame
            .commands()
            .find(|(_, first)| *first == position)
            .ok_or("no command begins at its position")?;
        let mut events = Vec::new();
        for (at, event) in frame.events().skip_while(|(at, _)| *at < position) {
            if at.0 >= position.0 + u64::from(command.event_count) {
                break;
            }
            let event = encours_schema::decode(event.kind, event.version, event.payload)
                .map_err(|error| error.to_string())?;
            events.push(event);
        }
        let last = Position(position.0 + u64::from(command.event_count).max(1) - 1);
        Ok(FirstOutcome { digest: command.digest, events, last })
    }
}

/// Hands out the commands of a frame in order, each with its events.
pub(crate) fn each_command<E>(
    frame: &Frame,
    mut take: impl FnMut(&CommandRecord, &[(Position, EventRef<'_>)]) -> Result<(), E>,
) -> Result<(), E> {
    let mut events = frame.events();
    let mut own = Vec::new();
    for (command, _) in frame.commands() {
        own.clear();
        own.extend(events.by_ref().take(command.event_count as usize));
        take(&command, &own)?;
    }
    Ok(())
}

/// The entry of a command's request id, where it has one; `first` is the command's first event.
pub(crate) fn entry_of(
    command: &CommandRecord,
    position: Position,
    first: &Event,
) -> Option<Entry> {
    if command.request_id.is_empty() {
        return None;
    }
    Some(Entry { id: Scope::of(first)?.fingerprint(&command.request_id), position })
}

/// The request ids of the commands in a frame whose first event stands at `from` or later.
fn ids_of(frame: &Frame, from: Position) -> Result<Vec<Entry>, String> {
    let mut entries = Vec::new();
    each_command(frame, |command, events| {
        if let Some((position, first)) = events.first()
            && !command.request_id.is_empty()
            && *position >= from
        {
            let first = encours_schema::decode(first.kind, first.version, first.payload)
                .map_err(|error| format!("position {position}: {error}"))?;
            entries.extend(entry_of(command, *position, &first));
        }
        Ok::<(), String>(())
    })?;
    Ok(entries)
}

/// The request ids of a stretch of the log, both ends included.
pub(crate) fn ids_between(
    log: &dyn LogReader,
    first: Position,
    last: Position,
) -> Result<Vec<Entry>, String> {
    let mut entries = Vec::new();
    let mut number = log.frame_of(first).ok_or("the log does not reach it")?;
    loop {
        let frame = read(log, number)?;
        entries.extend(ids_of(&frame, first)?.into_iter().filter(|entry| entry.position <= last));
        if frame.last_position() >= last {
            return Ok(entries);
        }
        number = number.next();
    }
}

fn read(log: &dyn LogReader, number: FrameNumber) -> Result<Frame, String> {
    log.read(number).map_err(|error| error.to_string())?.ok_or_else(|| "a frame is gone".into())
}
