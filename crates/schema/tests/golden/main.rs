//! Golden bytes: what every version of every event looks like in the log, for ever.
//!
//! A difference means that existing logs can no longer be read, or no longer verify. Never change
//! a line of `v1.txt` or `v2.txt`, which hold the events of their version: a new need is a new
//! version. A new event adds lines; the failing test prints them.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod cases;
mod later;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use encours_domain::Event;
use encours_schema::{EventKind, SchemaError, decode, encode};

use cases::{cases, superseded};

const V1: &str = include_str!("v1.txt");
const V2: &str = include_str!("v2.txt");

/// A line of a golden file: case, type, version and payload, tab-separated.
fn golden_line(case: &str, event: &Event) -> String {
    let encoded = encode(event).unwrap();
    let mut line = format!("{case}\t{}\t{}\t", encoded.kind, encoded.version);
    for byte in &encoded.payload {
        write!(line, "{byte:02x}").unwrap();
    }
    line
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits.map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap()).collect()
}

/// The golden lines by case and version.
fn golden() -> BTreeMap<(&'static str, u16), &'static str> {
    let mut all = BTreeMap::new();
    for line in V1.lines().chain(V2.lines()) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [case, _, version, _] = fields[..] else { panic!("{line}") };
        assert!(all.insert((case, version.parse().unwrap()), line).is_none(), "{case}: twice");
    }
    all
}

#[test]
fn encoding_gives_the_golden_bytes() {
    let golden = golden();
    let mut missing = Vec::new();
    for (case, event) in cases() {
        let version = encode(&event).unwrap().version;
        let line = golden_line(case, &event);
        match golden.get(&(case, version)) {
            Some(known) => assert_eq!(*known, line),
            None => missing.push(line),
        }
    }
    assert!(missing.is_empty(), "not in a golden file:\n{}\n", missing.join("\n"));
    assert_eq!(golden.len(), cases().len() + superseded().len());
}

#[test]
fn golden_bytes_decode_to_the_events() {
    let newest = cases().into_iter().map(|(case, event)| {
        let version = encode(&event).unwrap().version;
        ((case, version), event)
    });
    let older = superseded().into_iter().map(|(case, event)| ((case, 1), event));
    let mut events: BTreeMap<_, _> = newest.chain(older).collect();
    for (key, line) in golden() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [_, kind, version, hex] = fields[..] else { panic!("{line}") };
        let (kind, version) = (kind.parse().unwrap(), version.parse().unwrap());
        let event = events.remove(&key);
        assert_eq!(Some(decode(kind, version, &unhex(hex)).unwrap()), event, "{key:?}");
    }
    assert!(events.is_empty(), "{events:?}");
}

#[test]
fn every_event_has_golden_bytes() {
    let cases = cases();
    let have: BTreeSet<EventKind> = cases.iter().map(|(_, event)| EventKind::of(event)).collect();
    // `EventKind::of` matches every event, so a new one without a type number does not compile.
    assert_eq!(have.into_iter().collect::<Vec<_>>(), EventKind::ALL);
    for (case, event) in &cases {
        assert_eq!(case.split('/').next(), Some(event.name()));
        let kind = EventKind::of(event);
        assert_eq!(EventKind::from_code(kind.code()), Some(kind));
        assert_eq!(EventKind::name(kind.code()), Some(event.name()));
    }
}

#[test]
fn a_byte_more_or_less_is_an_error() {
    for (case, event) in cases() {
        let mut bytes = encode(&event).unwrap();
        bytes.payload.push(0);
        let error = decode(bytes.kind, bytes.version, &bytes.payload).unwrap_err();
        assert!(matches!(error, SchemaError::TrailingBytes { bytes: 1, .. }), "{case}: {error}");
        bytes.payload.pop();
        bytes.payload.pop();
        let error = decode(bytes.kind, bytes.version, &bytes.payload).unwrap_err();
        assert!(matches!(error, SchemaError::Malformed { .. }), "{case}: {error}");
        assert!(error.is_corruption());
    }
}

#[test]
fn unknown_types_and_versions_are_told() {
    assert!(matches!(decode(0, 1, &[]), Err(SchemaError::UnknownKind { kind: 0 })));
    assert!(matches!(decode(999, 1, &[]), Err(SchemaError::UnknownKind { kind: 999 })));
    for kind in EventKind::ALL {
        let newest = cases()
            .iter()
            .find(|(_, event)| EventKind::of(event) == *kind)
            .map(|(_, event)| encode(event).unwrap().version);
        for version in [0, newest.unwrap() + 1, u16::MAX] {
            let error = decode(kind.code(), version, &[]).unwrap_err();
            assert!(error.is_unknown() && !error.is_corruption());
            assert!(error.to_string().contains(kind.event_name()), "{error}");
        }
    }
}
