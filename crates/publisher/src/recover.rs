//! Where to go on: what is in the stream already.
//!
//! Every event of the log is one message, so in the stream `position - sequence` never changes
//! while this publisher alone writes to it. The last message tells both; where none is left, the
//! local cursor tells what their difference is.

use encours_log::{LogId, Position};

use crate::cursor::Cursor;
use crate::message::Facts;
use crate::problem::Problem;

/// What the stream tells about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told<'a> {
    pub(crate) stream: &'a str,
    /// The last sequence it has ever given; 0 before the first message.
    pub(crate) last_sequence: u64,
    /// Its last message, where it holds any.
    pub(crate) last: Option<LastMessage>,
    /// The sequence of a message shortly before the last that is not the event it has to be.
    pub(crate) stranger: Option<u64>,
}

/// What the headers of a message tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LastMessage {
    pub(crate) log_id: Option<LogId>,
    pub(crate) position: Option<Position>,
    pub(crate) facts: Facts,
}

/// An event that was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) position: Position,
    pub(crate) facts: Facts,
}

/// Where to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// The last event in the stream. What follows it is published next.
    pub(crate) after: Position,
    /// An event that was published and that the log must have; `None` where none is known.
    pub(crate) seen: Option<Seen>,
}

/// Where to go on.
pub(crate) fn recover(
    told: &Told<'_>,
    cursor: Option<&Cursor>,
    from: Option<Position>,
    log_id: LogId,
    tail: Position,
) -> Result<Found, Problem> {
    let Told { stream, last_sequence, last, stranger } = told;
    let first = from.map(|from| Position(from.0.saturating_sub(1)));
    let (position, seen) = match (last, cursor) {
        (Some(last), _) => {
            let position = of_message(stream, *last_sequence, last, log_id)?;
            match stranger {
                Some(sequence) => return Err(none_of_ours(stream, *sequence)),
                None => (position, Some(Seen { position, facts: last.facts.clone() })),
            }
        }
        (None, Some(cursor)) if *last_sequence == 0 => (first.ok_or_else(|| {
            Problem::Refused(format!(
                "stream {stream} is new, but {} events were published to one of this name before; \
                 say --publish-from 1 to publish all again, or --publish-from {} to go on",
                cursor.position,
                cursor.position.next()
            ))
        })?, None),
        (None, None) if *last_sequence == 0 => (first.unwrap_or(Position::START), None),
        (None, Some(cursor)) if cursor.sequence <= *last_sequence => {
            let position = cursor.position;
            let seen = cursor.facts.clone().map(|facts| Seen { position, facts });
            (Position(position.0.saturating_add(last_sequence - cursor.sequence)), seen)
        }
        (None, cursor) => match (cursor, first) {
            (None, Some(first)) => (first, None),
            _ => {
                return Err(Problem::Refused(format!(
                    "stream {stream} holds no message but had {last_sequence}, and no cursor tells \
                     which event the last one was; say --publish-from POSITION, or give a new \
                     stream with --publish-stream"
                )));
            }
        },
    };
    if position > tail {
        return Err(Problem::Refused(format!(
            "stream {stream} holds the event {position}, but the log ends at {tail}: the log has \
             lost events; restore a later backup, or fork the log from this one (encours restore \
             --fork) and give another stream with --publish-stream"
        )));
    }
    Ok(Found { after: position, seen })
}

/// Holds an event that was published against the log's event of that position.
///
/// WHY not the position alone: a log that was restored to an older state has the same id and goes on at
/// positions that it gave before. Once it is as long as the stream, only what stands there tells.
pub(crate) fn check_same(stream: &str, seen: &Seen, here: &Facts) -> Result<(), Problem> {
    let Seen { position, facts } = seen;
    if facts == here {
        return Ok(());
    }
    Err(Problem::Refused(format!(
        "stream {stream} holds another event {position} than the log ({facts}, here {here}): the \
         log was put back to an older state and has gone on since. Fork it (encours restore --fork) \
         and give another stream with --publish-stream, or restore the log that was published"
    )))
}

fn of_message(
    stream: &str,
    sequence: u64,
    last: &LastMessage,
    log_id: LogId,
) -> Result<Position, Problem> {
    match (last.log_id, last.position) {
        (Some(other), Some(_)) if other != log_id => Err(Problem::Refused(format!(
            "stream {stream} holds the events of log {other}, this is log {log_id}; give another \
             stream with --publish-stream"
        ))),
        (Some(_), Some(position)) => Ok(position),
        _ => Err(none_of_ours(stream, sequence)),
    }
}

fn none_of_ours(stream: &str, sequence: u64) -> Problem {
    Problem::Refused(format!(
        "message {sequence} of stream {stream} is none of ours; give a stream to which nobody else \
         publishes with --publish-stream"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: LogId = LogId([1; 16]);
    const TAIL: Position = Position(100);

    fn cursor(position: u64, sequence: u64) -> Cursor {
        let (stream, position) = ("E".to_owned(), Position(position));
        Cursor { log_id: LOG, stream, position, sequence, facts: Some(facts(position)) }
    }

    fn facts(position: Position) -> Facts {
        Facts(format!("facts of {position}"))
    }

    fn message(log_id: LogId, position: u64) -> Option<LastMessage> {
        let position = Position(position);
        Some(LastMessage { log_id: Some(log_id), position: Some(position), facts: facts(position) })
    }

    fn recovered(
        last_sequence: u64,
        last: Option<LastMessage>,
        cursor: Option<&Cursor>,
        from: Option<u64>,
    ) -> Result<u64, String> {
        let told = Told { stream: "E", last_sequence, last, stranger: None };
        let found = recover(&told, cursor, from.map(Position), LOG, TAIL);
        found.map(|found| found.after.0).map_err(|problem| {
            assert!(problem.needs_a_person(), "{problem}");
            problem.to_string()
        })
    }

    #[test]
    fn the_last_message_tells_whatever_else_is_said() {
        assert_eq!(recovered(9, message(LOG, 40), None, None), Ok(40));
        assert_eq!(recovered(9, message(LOG, 40), Some(&cursor(38, 7)), Some(1)), Ok(40));
        assert_eq!(recovered(9, message(LOG, 40), Some(&cursor(50, 19)), None), Ok(40));
        assert_eq!(recovered(9, message(LOG, 100), None, None), Ok(100));
    }

    #[test]
    fn a_new_stream_begins_where_it_was_told() {
        assert_eq!(recovered(0, None, None, None), Ok(0));
        assert_eq!(recovered(0, None, None, Some(1)), Ok(0));
        assert_eq!(recovered(0, None, None, Some(31)), Ok(30));
        assert_eq!(recovered(0, None, Some(&cursor(40, 40)), Some(41)), Ok(40));
        let refused = recovered(0, None, Some(&cursor(40, 40)), None).unwrap_err();
        assert!(refused.contains("--publish-from 1") && refused.contains("--publish-from 41"));
    }

    #[test]
    fn the_cursor_tells_where_every_message_is_gone() {
        assert_eq!(recovered(40, None, Some(&cursor(40, 40)), None), Ok(40));
        assert_eq!(recovered(45, None, Some(&cursor(60, 40)), None), Ok(65), "written too early");
        assert_eq!(recovered(45, None, Some(&cursor(60, 40)), Some(1)), Ok(65));
    }

    #[test]
    fn nobody_knows() {
        assert!(recovered(40, None, None, None).unwrap_err().contains("--publish-from"));
        assert_eq!(recovered(40, None, None, Some(5)), Ok(4));
        assert!(recovered(40, None, Some(&cursor(50, 50)), None).is_err());
        assert!(recovered(40, None, Some(&cursor(50, 50)), Some(1)).is_err());
    }

    #[test]
    fn another_log_a_stranger_and_a_log_that_is_too_short_are_refused() {
        let other = recovered(9, message(LogId([2; 16]), 40), None, None).unwrap_err();
        assert!(other.contains("0202") && other.contains("--publish-stream"), "{other}");
        let stranger = Some(LastMessage { log_id: None, position: None, facts: facts(TAIL) });
        assert!(recovered(9, stranger, None, None).unwrap_err().contains("message 9"));
        let short = recovered(9, message(LOG, 101), None, None).unwrap_err();
        assert!(short.contains("101") && short.contains("ends at 100"), "{short}");
        assert!(recovered(141, None, Some(&cursor(60, 40)), None).is_err());
    }

    #[test]
    fn what_was_published_has_to_be_in_the_log() {
        let seen = |last_sequence, last, cursor: Option<&Cursor>, from| {
            let told = Told { stream: "E", last_sequence, last, stranger: None };
            recover(&told, cursor, from, LOG, TAIL).unwrap().seen
        };
        let of = |position| Some(Seen { position, facts: facts(position) });
        assert_eq!(seen(9, message(LOG, 40), Some(&cursor(50, 19)), None), of(Position(40)));
        // The cursor's own event, not the one that it gives by reckoning.
        assert_eq!(seen(45, None, Some(&cursor(60, 40)), None), of(Position(60)));
        let old = Cursor { facts: None, ..cursor(60, 40) };
        assert_eq!(seen(45, None, Some(&old), None), None);
        assert_eq!(seen(0, None, Some(&cursor(40, 40)), Some(Position(1))), None);
        let published = of(Position(40)).unwrap();
        check_same("E", &published, &facts(Position(40))).unwrap();
        let refused = check_same("E", &published, &facts(Position(41))).unwrap_err();
        assert!(refused.needs_a_person(), "{refused}");
        for part in ["another event 40", "facts of 40", "facts of 41", "--publish-stream"] {
            assert!(refused.to_string().contains(part), "{refused}");
        }
    }
}
