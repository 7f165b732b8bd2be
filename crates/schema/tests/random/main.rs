//! Any event comes back from its bytes, and no bytes do harm.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod draw;
mod later;

use encours_domain::Event;
use encours_schema::{EventKind, decode, encode};
use proptest::prelude::*;

use draw::Draw;

fn any_event() -> impl Strategy<Value = Event> {
    let raw = proptest::collection::vec(any::<u64>(), 0..200);
    (proptest::sample::select(EventKind::ALL), raw)
        .prop_map(|(kind, raw)| Draw::new(raw).event(kind).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn every_event_comes_back(event in any_event()) {
        let bytes = encode(&event).unwrap();
        prop_assert_eq!(bytes.kind, EventKind::of(&event).code());
        prop_assert_eq!(decode(bytes.kind, bytes.version, &bytes.payload).unwrap(), event);
    }

    #[test]
    fn random_bytes_never_panic(
        kind in 0_u16..100,
        payload in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        for version in [1, 2] {
            if let Ok(event) = decode(kind, version, &payload) {
                let bytes = encode(&event).unwrap();
                prop_assert_eq!(decode(bytes.kind, bytes.version, &bytes.payload).unwrap(), event);
            }
        }
    }

    /// What decodes in spite of a wrong byte is a proper event: it encodes and comes back.
    #[test]
    fn damaged_bytes_never_panic(
        event in any_event(),
        at in any::<proptest::sample::Index>(),
        to in any::<u8>(),
        cut in any::<bool>(),
    ) {
        let mut bytes = encode(&event).unwrap();
        let at = at.index(bytes.payload.len());
        bytes.payload[at] = to;
        if cut {
            bytes.payload.truncate(at);
        }
        if let Ok(event) = decode(bytes.kind, bytes.version, &bytes.payload) {
            let again = encode(&event).unwrap();
            prop_assert_eq!(decode(again.kind, again.version, &again.payload).unwrap(), event);
        }
    }
}
