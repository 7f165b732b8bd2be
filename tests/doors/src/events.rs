//! Events as they lie in the log.

use encours_schema::{SchemaError, decode, encode};

/// Type, version (2 bytes each, little-endian) and payload of an event.
///
/// # Panics
/// Where an event that is read cannot be written again, or is another one then.
pub fn event(data: &[u8]) {
    let Some((head, payload)) = data.split_first_chunk::<4>() else { return };
    let kind = u16::from_le_bytes([head[0], head[1]]);
    let version = u16::from_le_bytes([head[2], head[3]]);
    let Ok(event) = decode(kind, version, payload) else { return };
    match encode(&event) {
        Ok(again) => {
            assert_eq!(again.kind, kind);
            let read = decode(again.kind, again.version, &again.payload);
            assert_eq!(read.expect("what was written is read"), event);
        }
        // The log never holds a detail in clear, so that none is ever read from it.
        Err(error) => {
            assert!(!matches!(error, SchemaError::Unsealed { .. }), "{error}");
            panic!("an event that was read cannot be written: {error}: {event:?}");
        }
    }
}
