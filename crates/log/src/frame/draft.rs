//! A frame that is being filled.

use std::sync::Arc;

use encours_domain::{Micros, Position};

use super::{
    CommandRecord, EVENT_FIXED_LEN, EventRecord, EventRef, FORMAT, FRAME_MAX, Frame, FrameError,
    FrameHeader, HEADER_LEN,
};
use crate::id::{Epoch, FrameNumber, Hash, LogId};

/// What is known only when a frame is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealWith {
    /// The log the frame is for.
    pub log_id: LogId,
    /// The writer that seals it.
    pub epoch: Epoch,
    /// Its number.
    pub number: FrameNumber,
    /// When it is sealed.
    pub recorded_at: Micros,
    /// The hash of the frame before it; [`Hash::genesis`] for the first.
    pub previous: Hash,
}

/// Commands and their events, gathered for one commit.
///
/// ```
/// use encours_log::{CommandRecord, EventRecord, Epoch, FrameDraft, FrameNumber, Hash, LogId};
/// use encours_log::{Micros, Position, SealWith};
///
/// let log_id = LogId([7; 16]);
/// let mut draft = FrameDraft::new(Position(1));
/// let command = CommandRecord {
///     request_id: "order-1".into(),
///     digest: [0; 32],
///     actor: "ann".into(),
///     reason: String::new(),
///     causation: Position::START,
///     event_count: 1,
/// };
/// draft.push(&command, &[EventRecord { kind: 3, version: 1, payload: vec![1, 2] }])?;
/// let frame = draft.seal(SealWith {
///     log_id,
///     epoch: Epoch(1),
///     number: FrameNumber(1),
///     recorded_at: Micros(1_700_000_000_000_000),
///     previous: Hash::genesis(log_id),
/// })?;
/// assert_eq!(frame.event(Position(1)).unwrap().payload, &[1, 2]);
/// # Ok::<(), encours_log::FrameError>(())
/// ```
#[derive(Clone, Debug)]
pub struct FrameDraft {
    first_position: Position,
    commands: Vec<u8>,
    events: Vec<u8>,
    command_count: u32,
    event_count: u32,
}

impl FrameDraft {
    /// An empty draft whose first event will stand at `first_position`.
    #[must_use]
    pub const fn new(first_position: Position) -> Self {
        Self {
            first_position,
            commands: Vec::new(),
            events: Vec::new(),
            command_count: 0,
            event_count: 0,
        }
    }

    /// The draft that follows this one, with room for as much at once.
    #[must_use]
    pub fn following(&self) -> Self {
        Self {
            commands: Vec::with_capacity(self.commands.len()),
            events: Vec::with_capacity(self.events.len()),
            ..Self::new(self.next_position())
        }
    }

    /// Adds a command and all of its events; on an error the draft is as before.
    ///
    /// # Errors
    /// [`FrameError::Counts`] where `command.event_count` is not the number of `events`,
    /// [`FrameError::FieldTooLong`] for a text over its limit, [`FrameError::TooLong`] where the
    /// frame would pass [`FRAME_MAX`](super::FRAME_MAX).
    pub fn push(
        &mut self,
        command: &CommandRecord,
        events: &[EventRecord],
    ) -> Result<(), FrameError> {
        self.push_each(command, events.iter().map(EventRef::from))
    }

    /// As [`push`](Self::push), with events that lie somewhere else.
    ///
    /// # Errors
    /// As those of [`push`](Self::push).
    pub fn push_each<'a>(
        &mut self,
        command: &CommandRecord,
        events: impl Iterator<Item = EventRef<'a>> + Clone,
    ) -> Result<(), FrameError> {
        let (count, stored_len) = measure(command, events.clone());
        if u32::try_from(count) != Ok(command.event_count) {
            return Err(FrameError::Counts);
        }
        let len = HEADER_LEN + self.body_len() + stored_len;
        if len > FRAME_MAX {
            return Err(FrameError::TooLong { len });
        }
        let before = (self.commands.len(), self.events.len());
        let mut added = command.encode(&mut self.commands);
        for event in events {
            added = added.and_then(|()| event.encode(&mut self.events));
        }
        if added.is_err() {
            self.commands.truncate(before.0);
            self.events.truncate(before.1);
            return added;
        }
        self.command_count += 1;
        self.event_count += command.event_count;
        Ok(())
    }

    /// Whether this command with these events would still fit under
    /// [`FRAME_MAX`](super::FRAME_MAX).
    #[must_use]
    pub fn fits(&self, command: &CommandRecord, events: &[EventRecord]) -> bool {
        let (_, stored_len) = measure(command, events.iter().map(EventRef::from));
        HEADER_LEN + self.body_len() + stored_len <= FRAME_MAX
    }

    /// Bytes of the body so far.
    #[must_use]
    pub fn body_len(&self) -> usize {
        self.commands.len() + self.events.len()
    }

    /// Events so far.
    #[must_use]
    pub const fn event_count(&self) -> u32 {
        self.event_count
    }

    /// Commands so far.
    #[must_use]
    pub const fn command_count(&self) -> u32 {
        self.command_count
    }

    /// Whether there is no command yet.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.command_count == 0
    }

    /// The position of the first event.
    #[must_use]
    pub const fn first_position(&self) -> Position {
        self.first_position
    }

    /// The position the next event would get.
    #[must_use]
    pub const fn next_position(&self) -> Position {
        self.first_position.plus(self.event_count as u64)
    }

    /// Turns the draft into a frame.
    ///
    /// # Errors
    /// [`FrameError::Counts`] where there is no command, or number or position is zero.
    pub fn seal(self, with: SealWith) -> Result<Frame, FrameError> {
        let unnumbered =
            with.number == FrameNumber::START || self.first_position == Position::START;
        if self.is_empty() || unnumbered {
            return Err(FrameError::Counts);
        }
        let events_at = HEADER_LEN + self.commands.len();
        let len = self.body_len();
        let body_len = u32::try_from(len).map_err(|_| FrameError::TooLong { len })?;
        let mut header = FrameHeader {
            format: FORMAT,
            min_reader: FORMAT,
            log_id: with.log_id,
            epoch: with.epoch,
            number: with.number,
            first_position: self.first_position,
            recorded_at: with.recorded_at,
            event_count: self.event_count,
            command_count: self.command_count,
            body_len,
            previous: with.previous,
            body_hash: Hash::of_parts(&[&self.commands, &self.events]),
            hash: with.previous,
        };
        let stored = header.encode();
        header.hash = Hash::of(&stored);
        // WHY zeros first: shared bytes are made once, not copied out of a vector.
        let mut bytes: Arc<[u8]> = std::iter::repeat_n(0, HEADER_LEN + len).collect();
        if let Some(bytes) = Arc::get_mut(&mut bytes) {
            bytes[..HEADER_LEN].copy_from_slice(&stored);
            bytes[HEADER_LEN..events_at].copy_from_slice(&self.commands);
            bytes[events_at..].copy_from_slice(&self.events);
        }
        Ok(Frame::sealed(header, bytes, events_at))
    }
}

/// How many events there are, and the bytes that they and their command take.
fn measure<'a>(
    command: &CommandRecord,
    events: impl Iterator<Item = EventRef<'a>>,
) -> (usize, usize) {
    let lens = events.map(|event| EVENT_FIXED_LEN + event.payload.len());
    lens.fold((0, command.stored_len()), |(count, sum), len| (count + 1, sum + len))
}
