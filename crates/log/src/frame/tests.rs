//! Encoding, decoding and the frozen bytes.

use encours_domain::{Micros, Position};
use proptest::prelude::*;

use super::*;
use crate::id::{Epoch, FrameNumber, LogId};

const LOG: LogId = LogId([0x11; 16]);

fn command(request_id: &str, event_count: u32) -> CommandRecord {
    CommandRecord {
        request_id: request_id.to_owned(),
        digest: [0x22; 32],
        actor: "ann".to_owned(),
        reason: "goods returned".to_owned(),
        causation: Position(7),
        event_count,
    }
}

fn seal_with(number: u64) -> SealWith {
    SealWith {
        log_id: LOG,
        epoch: Epoch(3),
        number: FrameNumber(number),
        recorded_at: Micros(1_700_000_000_123_456),
        previous: Hash::genesis(LOG),
    }
}

fn small() -> Frame {
    let mut draft = FrameDraft::new(Position(10));
    let events = [
        EventRecord { kind: 5, version: 1, payload: vec![1, 2, 3] },
        EventRecord { kind: 6, version: 2, payload: Vec::new() },
    ];
    draft.push(&command("order-1", 2), &events).unwrap();
    draft.push(&command("", 0), &[]).unwrap();
    draft.push(&command("order-2", 1), &events[..1]).unwrap();
    draft.seal(seal_with(1)).unwrap()
}

#[test]
fn a_frame_gives_back_what_went_in() {
    let frame = Frame::decode(Arc::clone(small().bytes())).unwrap();
    assert_eq!(frame, small());
    assert_eq!(frame.hash(), Hash::of(&frame.bytes()[..HEADER_LEN]));
    assert_eq!(frame.last_position(), Position(12));
    let commands: Vec<_> = frame.commands().collect();
    assert_eq!(
        commands,
        [
            (command("order-1", 2), Position(10)),
            (command("", 0), Position(12)),
            (command("order-2", 1), Position(12)),
        ]
    );
    let kinds: Vec<_> = frame.events().map(|(at, event)| (at.0, event.kind)).collect();
    assert_eq!(kinds, [(10, 5), (11, 6), (12, 5)]);
    assert_eq!(frame.event(Position(11)).unwrap().version, 2);
    assert_eq!(frame.command_of(Position(12)), Some(command("order-2", 1)));
    for outside in [0, 9, 13, u64::MAX] {
        assert_eq!(frame.event(Position(outside)), None);
        assert_eq!(frame.command_of(Position(outside)), None);
    }
}

#[test]
fn a_frame_that_is_moved_keeps_its_body_and_its_place() {
    let (old, new) = (small(), LogId([9; 16]));
    let moved = old.moved(new, Hash::of(b"before"));
    assert_eq!(Frame::decode(Arc::clone(moved.bytes())).as_ref(), Ok(&moved));
    assert_eq!(moved.bytes()[HEADER_LEN..], old.bytes()[HEADER_LEN..]);
    assert_ne!(moved.hash(), old.hash());
    assert_eq!(old.moved(old.header().log_id, old.header().previous), old);
    let back = FrameHeader {
        log_id: old.header().log_id,
        previous: old.header().previous,
        hash: old.hash(),
        ..*moved.header()
    };
    assert_eq!(back, *old.header());
}

#[test]
fn every_flipped_bit_and_every_cut_is_seen() {
    let stored = small().bytes().to_vec();
    for bit in 0..stored.len() * 8 {
        let mut flipped = stored.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(Frame::decode(flipped).is_err(), "bit {bit}");
    }
    for len in 0..stored.len() {
        assert!(Frame::decode(&stored[..len]).is_err(), "{len} bytes");
    }
    let mut longer = stored;
    longer.push(0);
    assert_eq!(Frame::decode(longer), Err(FrameError::Trailing { extra: 1 }));
}

#[test]
fn damage_is_placed_at_the_event_that_has_it() {
    let mut stored = small().bytes().to_vec();
    let last = stored.len() - 1;
    stored[last] ^= 1;
    let error = Frame::decode(stored).unwrap_err();
    assert_eq!(error.offset(), last + 1 - EVENT_FIXED_LEN - 3);
}

#[test]
fn limits_are_kept() {
    let mut draft = FrameDraft::new(Position(1));
    let long = CommandRecord { reason: "x".repeat(REASON_MAX + 1), ..command("a", 0) };
    assert!(matches!(draft.push(&long, &[]), Err(FrameError::FieldTooLong { .. })));
    let long = CommandRecord { request_id: "x".repeat(REQUEST_ID_MAX + 1), ..command("a", 0) };
    assert!(matches!(draft.push(&long, &[]), Err(FrameError::FieldTooLong { .. })));
    assert_eq!(draft.push(&command("a", 1), &[]), Err(FrameError::Counts));
    assert_eq!(draft.body_len(), 0);
    assert_eq!(draft.clone().seal(seal_with(1)), Err(FrameError::Counts));

    let record = command("a", 1);
    let room = FRAME_MAX - HEADER_LEN - record.stored_len() - EVENT_FIXED_LEN;
    let event = |len| [EventRecord { kind: 1, version: 1, payload: vec![7; len] }];
    assert!(!draft.fits(&record, &event(room + 1)));
    assert!(matches!(draft.push(&record, &event(room + 1)), Err(FrameError::TooLong { .. })));
    assert!(draft.fits(&record, &event(room)));
    draft.push(&record, &event(room)).unwrap();
    let frame = draft.seal(seal_with(1)).unwrap();
    assert_eq!(frame.bytes().len(), FRAME_MAX);
    assert_eq!(Frame::decode(Arc::clone(frame.bytes())).as_ref(), Ok(&frame));
}

#[test]
fn a_later_format_is_told_from_damage() {
    let mut header = *small().header();
    header.format = FORMAT + 1;
    let mut stored = small().bytes().to_vec();
    stored[..HEADER_LEN].copy_from_slice(&header.encode());
    assert!(Frame::decode(stored.clone()).is_ok(), "a later format that this reader understands");
    header.min_reader = FORMAT + 1;
    stored[..HEADER_LEN].copy_from_slice(&header.encode());
    assert_eq!(Frame::decode(stored), Err(FrameError::TooNew { min_reader: FORMAT + 1 }));
}

proptest! {
    #[test]
    fn any_frame_round_trips(
        commands in prop::collection::vec(
            (
                "[a-z0-9-]{0,64}", any::<[u8; 32]>(), "\\PC{0,32}", "\\PC{0,200}", any::<u64>(),
                prop::collection::vec(
                    (any::<u16>(), any::<u16>(), prop::collection::vec(any::<u8>(), 0..200)),
                    0..5,
                ),
            ),
            1..8,
        ),
        first in 1..u64::MAX / 2,
    ) {
        let mut draft = FrameDraft::new(Position(first));
        let mut all_events = Vec::new();
        let mut all_commands = Vec::new();
        for (request_id, digest, actor, reason, causation, events) in commands {
            let events: Vec<_> = events
                .into_iter()
                .map(|(kind, version, payload)| EventRecord { kind, version, payload })
                .collect();
            let record = CommandRecord {
                request_id, digest, actor, reason,
                causation: Position(causation),
                event_count: u32::try_from(events.len()).unwrap(),
            };
            draft.push(&record, &events).unwrap();
            all_commands.push(record);
            all_events.extend(events);
        }
        let frame = draft.seal(seal_with(9)).unwrap();
        let read = Frame::decode(Arc::clone(frame.bytes())).unwrap();
        prop_assert_eq!(&read, &frame);
        prop_assert_eq!(read.commands().map(|(command, _)| command).collect::<Vec<_>>(), all_commands);
        let events: Vec<_> = read
            .events()
            .map(|(_, event)| EventRecord {
                kind: event.kind, version: event.version, payload: event.payload.to_vec(),
            })
            .collect();
        prop_assert_eq!(events, all_events);
    }

    #[test]
    fn no_bytes_make_decoding_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(Frame::decode(bytes.clone()).is_err());
        // Behind an honest header, so that the body is reached.
        let mut header = *small().header();
        header.body_len = u32::try_from(bytes.len()).unwrap();
        header.body_hash = Hash::of(&bytes);
        let mut stored = header.encode().to_vec();
        stored.extend_from_slice(&bytes);
        let _ = Frame::decode(stored);
    }
}
