//! Which bytes of an event the tree is over.

use encours_domain::{Micros, Position};
use encours_log::{EVENT_FIXED_LEN, EventRef, Frame, Hash};

use crate::merkle::leaf_hash_of_parts;

/// An event as a leaf of the tree: what it says, when it was recorded and by whom. Leaf `n`, from 0,
/// is the event at position `n + 1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Where it stands in the log.
    pub position: Position,
    /// When its frame was recorded.
    pub recorded_at: Micros,
    /// Who asked for it, at most 128 bytes.
    pub actor: String,
    /// The event as it is stored: 12 bytes (type, version, length, CRC32C), then the payload.
    pub record: Vec<u8>,
}

impl Leaf {
    /// The leaf's hash.
    #[must_use]
    pub fn hash(&self) -> Hash {
        // INVARIANT: a log refuses an actor above 128 bytes.
        let actor_len = u16::try_from(self.actor.len()).unwrap_or(u16::MAX);
        leaf_hash_of_parts(&[
            &self.position.0.to_le_bytes(),
            &self.recorded_at.0.to_le_bytes(),
            &actor_len.to_le_bytes(),
            self.actor.as_bytes(),
            &self.record,
        ])
    }
}

/// The leaves of a frame's events, in order.
#[must_use]
pub fn leaves(frame: &Frame) -> Vec<Leaf> {
    let recorded_at = frame.header().recorded_at;
    let mut events = frame.events();
    let mut leaves = Vec::with_capacity(frame.header().event_count as usize);
    for (command, _) in frame.commands() {
        let own = events.by_ref().take(command.event_count as usize);
        leaves.extend(own.map(|(position, event)| Leaf {
            position,
            recorded_at,
            actor: command.actor.clone(),
            record: stored(&event),
        }));
    }
    leaves
}

/// The bytes of an event as they lie in its frame, which has been checked.
fn stored(event: &EventRef<'_>) -> Vec<u8> {
    let mut record = Vec::with_capacity(EVENT_FIXED_LEN + event.payload.len());
    record.extend_from_slice(&event.kind.to_le_bytes());
    record.extend_from_slice(&event.version.to_le_bytes());
    // INVARIANT: a frame has at most 512 KiB.
    let len = u32::try_from(event.payload.len()).unwrap_or(u32::MAX);
    record.extend_from_slice(&len.to_le_bytes());
    let crc = crc32c::crc32c_append(crc32c::crc32c(&record), event.payload);
    record.extend_from_slice(&crc.to_le_bytes());
    record.extend_from_slice(event.payload);
    record
}
