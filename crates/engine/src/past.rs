//! Reading the durable log back: first outcomes, request ids.

use std::sync::Arc;

use encours_domain::Position;
use encours_log::{Frame, FrameNumber, LogReader};

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

/// The request ids of the commands in a frame whose first event stands at `from` or later.
pub(crate) fn ids_of(frame: &Frame, from: Position) -> Result<Vec<Entry>, String> {
    let mut entries = Vec::new();
    for (command, position) in frame.commands() {
        if command.request_id.is_empty() || command.event_count == 0 || position < from {
            continue;
        }
        let event = frame.event(position).ok_or("a command has no first event")?;
        let event = encours_schema::decode(event.kind, event.version, event.payload)
            .map_err(|error| format!("position {position}: {error}"))?;
        if let Some(scope) = Scope::of(&event) {
            entries.push(Entry { id: scope.fingerprint(&command.request_id), position });
        }
    }
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
