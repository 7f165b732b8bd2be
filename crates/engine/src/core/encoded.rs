//! The events of one command as they go into a frame.

use encours_domain::Event;
use encours_log::{EVENT_FIXED_LEN, EventRef};
use encours_schema::SchemaError;

/// Encoded events, one behind the other. WHY kept from command to command: so that events are encoded
/// without making room for each of them.
#[derive(Debug, Default)]
pub(super) struct Encoded {
    payloads: Vec<u8>,
    /// Type, version and where the payload ends.
    events: Vec<(u16, u16, usize)>,
}

impl Encoded {
    /// Forgets all events.
    pub(super) fn clear(&mut self) {
        self.payloads.clear();
        self.events.clear();
    }

    /// Adds an event.
    pub(super) fn add(&mut self, event: &Event) -> Result<(), SchemaError> {
        let (kind, version) = encours_schema::encode_into(event, &mut self.payloads)?;
        self.events.push((kind, version, self.payloads.len()));
        Ok(())
    }

    /// How many events there are.
    pub(super) fn count(&self) -> u32 {
        // A command of at most 256 KiB has fewer events than that.
        u32::try_from(self.events.len()).unwrap_or(u32::MAX)
    }

    /// The bytes that they take in a frame.
    pub(super) fn stored_len(&self) -> usize {
        self.payloads.len() + self.events.len() * EVENT_FIXED_LEN
    }

    /// The events in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = EventRef<'_>> + Clone {
        self.events.iter().scan(0, |start, &(kind, version, end)| {
            let payload = self.payloads.get(*start..end)?;
            *start = end;
            Some(EventRef { kind, version, payload })
        })
    }
}
