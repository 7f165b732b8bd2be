//! Which part of a frame is damaged, for whoever has to tell it.

use encours_domain::Position;

use super::body::BodyReader;
use super::{EVENT_FIXED_LEN, EventRef, FrameError, FrameHeader, HEADER_LEN};

/// A part of a frame that is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadPart {
    /// The bytes of the frame that the damage is among.
    pub(crate) from: usize,
    pub(crate) until: usize,
    /// The first event that cannot be trusted, where one is meant.
    pub(crate) event: Option<Position>,
    /// What that event says its type and version are.
    pub(crate) kind: Option<(u16, u16)>,
}

/// The part of a frame that an error is about. `frame` begins with the frame.
pub(crate) fn bad_part(frame: &[u8], error: &FrameError) -> BadPart {
    let from = error.offset();
    let whole = BadPart { from, until: HEADER_LEN, event: None, kind: None };
    let Ok(header) = FrameHeader::decode(frame) else { return whole };
    let end = header.frame_len().min(frame.len());
    let body = frame.get(HEADER_LEN..end).unwrap_or_default();
    match error {
        FrameError::Command { at } => {
            let mut reader = BodyReader::new(body, 0);
            let mut before = 0;
            while reader.at < *at
                && let Ok(command) = reader.command()
            {
                before += u64::from(command.event_count);
            }
            BadPart { from, until: end, event: Some(event_after(&header, before)), kind: None }
        }
        FrameError::Event { at } => {
            let mut reader = events(body, &header);
            let mut before = 0;
            while reader.at < *at && reader.event().is_some() {
                before += 1;
            }
            reader.at = *at;
            let kind = reader.event().map(|event| (event.kind, event.version));
            let until = if kind.is_some() { HEADER_LEN + reader.at } else { end };
            BadPart { from, until, event: Some(event_after(&header, before)), kind }
        }
        // No event fails its own checksum, so the damage is before them, among the command records.
        FrameError::BodyHash => {
            let until = HEADER_LEN + events(body, &header).at;
            BadPart { from, until, event: None, kind: None }
        }
        _ => BadPart { from, until: end, event: None, kind: None },
    }
}

/// The event that so many of a frame come before. What counts them may be damaged, so it is never
/// beyond the frame's own count, which the header was checked for.
fn event_after(header: &FrameHeader, before: u64) -> Position {
    header.first_position.plus(before.min(header.event_count.into()))
}

/// A reader that stands at the first event.
fn events<'a>(body: &'a [u8], header: &FrameHeader) -> BodyReader<'a> {
    let mut reader = BodyReader::new(body, 0);
    for _ in 0..header.command_count {
        if reader.command().is_err() {
            break;
        }
    }
    reader
}

/// The events of an intact frame from byte `at` on, each with the byte at which it begins.
pub(crate) fn events_from(frame: &[u8], at: usize) -> impl Iterator<Item = (usize, EventRef<'_>)> {
    let mut reader = BodyReader::new(frame, at);
    std::iter::from_fn(move || {
        let start = reader.at;
        let is_over = frame.len() < start + EVENT_FIXED_LEN;
        if is_over { None } else { Some((start, reader.event()?)) }
    })
}
