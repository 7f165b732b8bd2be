//! The body of a frame: command records, then events.

use encours_domain::Position;

use super::{
    ACTOR_MAX, COMMAND_FIXED_LEN, EVENT_FIXED_LEN, FrameError, REASON_MAX, REQUEST_ID_MAX,
};

/// Who asked for what, once per accepted command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandRecord {
    /// The caller's request id, at most 64 bytes; empty: none.
    pub request_id: String,
    /// The digest of the request, by which a repeat is known from another use of the same id.
    pub digest: [u8; 32],
    /// Who asked, at most 128 bytes.
    pub actor: String,
    /// Why, at most 4,096 bytes.
    pub reason: String,
    /// The position of the event that caused the command; [`Position::START`]: none.
    pub causation: Position,
    /// How many events the command yielded.
    pub event_count: u32,
}

impl CommandRecord {
    /// Bytes of the stored form.
    #[must_use]
    pub fn stored_len(&self) -> usize {
        COMMAND_FIXED_LEN + self.request_id.len() + self.actor.len() + self.reason.len()
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) -> Result<(), FrameError> {
        let request_id = limited("request id", &self.request_id, REQUEST_ID_MAX)?;
        let actor = limited("actor", &self.actor, ACTOR_MAX)?;
        let reason = limited("reason", &self.reason, REASON_MAX)?;
        out.extend_from_slice(&request_id.to_le_bytes());
        out.extend_from_slice(&actor.to_le_bytes());
        out.extend_from_slice(&reason.to_le_bytes());
        out.extend_from_slice(&[0; 2]);
        out.extend_from_slice(&self.event_count.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.causation.0.to_le_bytes());
        out.extend_from_slice(&self.digest);
        out.extend_from_slice(self.request_id.as_bytes());
        out.extend_from_slice(self.actor.as_bytes());
        out.extend_from_slice(self.reason.as_bytes());
        Ok(())
    }
}

fn limited(field: &'static str, text: &str, max: usize) -> Result<u16, FrameError> {
    let len = text.len();
    match u16::try_from(len) {
        Ok(short) if len <= max => Ok(short),
        _ => Err(FrameError::FieldTooLong { field, len, max }),
    }
}

/// An event to be stored: its type, the version of its shape, its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRecord {
    /// The numeric type of the event.
    pub kind: u16,
    /// The version of the payload's shape.
    pub version: u16,
    /// The encoded event.
    pub payload: Vec<u8>,
}

/// An event as it lies in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventRef<'a> {
    /// The numeric type of the event.
    pub kind: u16,
    /// The version of the payload's shape.
    pub version: u16,
    /// The encoded event.
    pub payload: &'a [u8],
}

impl<'a> From<&'a EventRecord> for EventRef<'a> {
    fn from(event: &'a EventRecord) -> Self {
        Self { kind: event.kind, version: event.version, payload: &event.payload }
    }
}

impl EventRef<'_> {
    pub(super) fn encode(&self, out: &mut Vec<u8>) -> Result<(), FrameError> {
        let len = u32::try_from(self.payload.len())
            .map_err(|_| FrameError::TooLong { len: self.payload.len() })?;
        let mut fixed = [0; 8];
        fixed[..2].copy_from_slice(&self.kind.to_le_bytes());
        fixed[2..4].copy_from_slice(&self.version.to_le_bytes());
        fixed[4..].copy_from_slice(&len.to_le_bytes());
        let crc = crc32c::crc32c_append(crc32c::crc32c(&fixed), self.payload);
        out.extend_from_slice(&fixed);
        out.extend_from_slice(&crc.to_le_bytes());
        out.extend_from_slice(self.payload);
        Ok(())
    }
}

/// Reads a body from its start. Every step checks what it takes.
#[derive(Clone, Debug)]
pub(super) struct BodyReader<'a> {
    body: &'a [u8],
    /// Bytes taken so far.
    pub(super) at: usize,
}

impl<'a> BodyReader<'a> {
    pub(super) fn new(body: &'a [u8], at: usize) -> Self {
        Self { body, at }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.body.len()
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let taken = self.body.get(self.at..self.at.checked_add(len)?)?;
        self.at += len;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn command(&mut self) -> Result<CommandRecord, FrameError> {
        let start = self.at;
        self.command_fields().ok_or(FrameError::Command { at: start })
    }

    fn command_fields(&mut self) -> Option<CommandRecord> {
        let request_id_len = usize::from(u16::from_le_bytes(self.array()?));
        let actor_len = usize::from(u16::from_le_bytes(self.array()?));
        let reason_len = usize::from(u16::from_le_bytes(self.array()?));
        let spare_one: [u8; 2] = self.array()?;
        let event_count = u32::from_le_bytes(self.array()?);
        let spare_two: [u8; 4] = self.array()?;
        let causation = Position(u64::from_le_bytes(self.array()?));
        let digest = self.array()?;
        let within =
            request_id_len <= REQUEST_ID_MAX && actor_len <= ACTOR_MAX && reason_len <= REASON_MAX;
        if !within || spare_one != [0; 2] || spare_two != [0; 4] {
            return None;
        }
        Some(CommandRecord {
            request_id: self.text(request_id_len)?,
            digest,
            actor: self.text(actor_len)?,
            reason: self.text(reason_len)?,
            causation,
            event_count,
        })
    }

    fn text(&mut self, len: usize) -> Option<String> {
        Some(std::str::from_utf8(self.take(len)?).ok()?.to_owned())
    }

    /// Takes the next event without checking its CRC32C.
    pub(super) fn event(&mut self) -> Option<EventRef<'a>> {
        let kind = u16::from_le_bytes(self.array()?);
        let version = u16::from_le_bytes(self.array()?);
        let len = u32::from_le_bytes(self.array()?);
        let _crc: [u8; 4] = self.array()?;
        Some(EventRef { kind, version, payload: self.take(len as usize)? })
    }

    /// Takes the next event and checks its CRC32C.
    pub(super) fn checked_event(&mut self) -> Result<EventRef<'a>, FrameError> {
        let start = self.at;
        let event = self.event().ok_or(FrameError::Event { at: start })?;
        let stored = &self.body[start..];
        let crc = crc32c::crc32c_append(crc32c::crc32c(&stored[..8]), event.payload);
        if stored[8..EVENT_FIXED_LEN] != crc.to_le_bytes() {
            return Err(FrameError::Event { at: start });
        }
        Ok(event)
    }
}
