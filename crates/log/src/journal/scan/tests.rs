//! A last frame with a flipped bit was written whole; one that a crash has cut short was not. Both are
//! tried in every way, on frames that end at every distance from the end of a sector.

use super::*;
use crate::frame::{CommandRecord, EventRecord, Frame, FrameDraft, SealWith};
use crate::id::{Epoch, Hash, LogId};
use encours_domain::{Micros, Position};

const LOG: LogId = LogId([0x77; 16]);
/// A frame without its payload: header, one command, the fixed part of one event.
const BARE: usize = HEADER_LEN + 56 + 1 + 3 + 12;

/// A segment in memory, with room for another frame.
struct Stored(Vec<u8>);

impl DiskFile for Stored {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let from = usize::try_from(offset).unwrap().min(self.0.len());
        let len = buf.len().min(self.0.len() - from);
        buf[..len].copy_from_slice(&self.0[from..from + len]);
        Ok(len)
    }

    fn write_all_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync_data(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync_all(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }
}

/// What a start makes of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Nothing,
    Whole,
    Torn,
    Damaged,
}

impl Stored {
    /// A segment whose only frame shows these bytes.
    fn with(written: &[u8]) -> Self {
        let header = vec![0; SECTOR];
        let room = vec![0; written.len().next_multiple_of(SECTOR) + SECTOR - written.len()];
        Self([header.as_slice(), written, &room].concat())
    }

    fn seen(&self) -> Seen {
        let segment = SegmentHeader {
            log_id: LOG,
            first: FrameNumber(1),
            first_position: Position(1),
            segment_len: self.0.len() as u64,
            previous: Hash::genesis(LOG),
        };
        let mut tail = Tail::genesis(LOG);
        let mut window = Window::new(self, segment.segment_len);
        match walk(&mut window, &segment, FIRST_FRAME_AT, &mut tail, &mut |_| {}).unwrap() {
            End::Zeros { at: FIRST_FRAME_AT } => Seen::Nothing,
            End::Zeros { .. } => Seen::Whole,
            End::Damage { at, may_be_torn, .. } => {
                assert_eq!(at, FIRST_FRAME_AT);
                if may_be_torn { Seen::Torn } else { Seen::Damaged }
            }
        }
    }
}

/// What a payload holds at a byte of a sector.
type Fill = fn(usize) -> u8;

const FULL: Fill = |_| 0xa5;
/// The end of each sector is zero...
const ENDS_IN_ZEROS: Fill = |at| if at < SECTOR - 24 { 0x5a } else { 0 };
/// ...or one flip away from it.
const ENDS_IN_ONE_BIT: Fill = |at| match at {
    0..488 => 0x5a,
    506 => 0x10,
    _ => 0,
};
/// As few bits as a frame may have that is not anchored at once.
const TWO_BITS: Fill = |at| if at == 300 { 0x81 } else { 0 };
const ONE_BIT: Fill = |at| if at == 300 { 0x80 } else { 0 };
const ZEROS: Fill = |_| 0;

/// A frame of this many bytes, and its end mark.
fn written(len: usize, fill: Fill) -> Vec<u8> {
    let command = CommandRecord {
        request_id: "r".to_owned(),
        digest: [0x22; 32],
        actor: "ann".to_owned(),
        reason: String::new(),
        causation: Position::START,
        event_count: 1,
    };
    let payload = (BARE..len).map(|at| fill(at % SECTOR)).collect();
    let mut draft = FrameDraft::new(Position(1));
    draft.push(&command, &[EventRecord { kind: 1, version: 1, payload }]).unwrap();
    let with = SealWith {
        log_id: LOG,
        epoch: Epoch(1),
        number: FrameNumber(1),
        recorded_at: Micros(1_800_000_000_000_000),
        previous: Hash::genesis(LOG),
    };
    let frame: Frame = draft.seal(with).unwrap();
    assert_eq!(frame.bytes().len(), len);
    [frame.bytes(), &END_MARK[..]].concat()
}

/// Lengths of frames that end 0 to 16 bytes before the end of their sector, of so many.
fn lengths(sectors: usize) -> impl Iterator<Item = usize> {
    (0..=16).map(move |before| sectors * SECTOR - before)
}

/// What the flips of each bit of a frame, of its end mark and of its padding look like.
fn flips(written: &[u8]) -> [usize; 2] {
    let mut stored = Stored::with(written);
    assert_eq!(stored.seen(), Seen::Whole);
    let (mut torn, mut damaged) = (0, 0);
    for byte in SECTOR..SECTOR + written.len().next_multiple_of(SECTOR) {
        for bit in 0..8 {
            stored.0[byte] ^= 1 << bit;
            match stored.seen() {
                Seen::Torn => torn += 1,
                Seen::Damaged => damaged += 1,
                other => panic!("bit {bit} of byte {byte}: {other:?}"),
            }
            stored.0[byte] ^= 1 << bit;
        }
    }
    [torn, damaged]
}

fn no_flip_looks_torn(fill: Fill) {
    for len in lengths(1).chain([2 * SECTOR - 9, 2 * SECTOR - 8, 2 * SECTOR - 4, 2 * SECTOR]) {
        let written = written(len, fill);
        assert!(!is_hollow(&written), "{len} bytes");
        let bits = written.len().next_multiple_of(SECTOR) * 8;
        assert_eq!(flips(&written), [0, bits], "{len} bytes");
    }
}

#[test]
fn no_flip_of_a_full_frame_looks_torn() {
    no_flip_looks_torn(FULL);
}

#[test]
fn no_flip_of_a_frame_whose_sectors_end_in_zeros_looks_torn() {
    no_flip_looks_torn(ENDS_IN_ZEROS);
}

#[test]
fn no_flip_of_a_frame_whose_sectors_end_in_one_bit_looks_torn() {
    no_flip_looks_torn(ENDS_IN_ONE_BIT);
}

#[test]
fn no_flip_of_a_frame_with_two_bits_in_a_sector_looks_torn() {
    for len in [3 * SECTOR - 8, 3 * SECTOR - 3] {
        let written = written(len, TWO_BITS);
        assert!(!is_hollow(&written));
        assert_eq!(flips(&written)[0], 0, "{len} bytes");
    }
}

/// What the writer anchors at once is what a flip can make look torn, and nothing else.
#[test]
fn a_frame_with_a_bare_sector_is_hollow() {
    let of = |fill| written(3 * SECTOR - 30, fill);
    assert!(is_hollow(&of(ONE_BIT)));
    assert_eq!(flips(&of(ONE_BIT))[0], 1, "the bit itself");
    assert!(is_hollow(&of(ZEROS)));
    assert!(flips(&of(ZEROS))[0] > 6_000, "every bit of the body and the mark, but for the zeros");
    // The last sector holds the mark at least, or a part of it.
    for len in lengths(2) {
        let has_bare = len == 2 * SECTOR;
        assert_eq!(is_hollow(&written(len, ZEROS)), has_bare, "{len} bytes");
    }
    // Nor may the rest of the header's sector be bare, or a header cut could not be told.
    let mut bytes = of(FULL);
    bytes[HEADER_LEN..SECTOR].fill(0);
    assert!(is_hollow(&bytes));
    bytes[SECTOR - 1] = 0x40;
    assert!(is_hollow(&bytes));
    bytes[HEADER_LEN] = 0x40;
    assert!(!is_hollow(&bytes));
}

/// What of a frame is on the disk: the sectors of `mask`, of the first `until` bytes written.
fn reached(written: &[u8], mask: usize, until: usize) -> Vec<u8> {
    let sectors = written.chunks(SECTOR).enumerate();
    let mut bytes: Vec<u8> = sectors
        .flat_map(|(nth, sector)| {
            let is_there = (mask >> nth) & 1 == 1;
            sector.iter().map(move |byte| if is_there { *byte } else { 0 })
        })
        .collect();
    bytes[until..].fill(0);
    bytes
}

fn is_dropped(bytes: &[u8], whole: &[u8], said: &str) {
    let expected = match bytes {
        bytes if bytes == whole => Seen::Whole,
        bytes if is_zero(bytes) => Seen::Nothing,
        _ => Seen::Torn,
    };
    assert_eq!(Stored::with(bytes).seen(), expected, "{said}");
}

/// Every first part of a frame, and of it any sectors; and what zeroing that leaves when it is cut
/// short itself. Where the missing sectors were zero anyway, nothing is missing.
fn every_cut_is_dropped(sectors: usize, step: usize) {
    for fill in [FULL, ENDS_IN_ZEROS, ENDS_IN_ONE_BIT, TWO_BITS, ONE_BIT, ZEROS] {
        for len in [0, 3, 7, 8, 9, 40].map(|before| sectors * SECTOR - before) {
            let whole = written(len, fill);
            let masks = 1 << whole.len().div_ceil(SECTOR);
            for mask in 0..masks {
                let step = if mask + 1 == masks { 1 } else { step };
                for until in (0..=whole.len()).step_by(step).chain([whole.len()]) {
                    let bytes = reached(&whole, mask, until);
                    is_dropped(&bytes, &whole, &format!("{len}: {until} bytes, {mask:b}"));
                }
                let there = reached(&whole, mask, whole.len());
                for zeroed in (8..=whole.len()).step_by(step.next_multiple_of(8)) {
                    let mut bytes = there.clone();
                    bytes[..zeroed].fill(0);
                    is_dropped(&bytes, &whole, &format!("{len}: {mask:b}, {zeroed} zeroed"));
                }
            }
        }
    }
}

#[test]
fn every_cut_of_a_short_frame_is_dropped() {
    every_cut_is_dropped(1, 1);
    every_cut_is_dropped(2, 8);
}

#[test]
fn every_cut_of_a_long_frame_is_dropped() {
    every_cut_is_dropped(4, 200);
}
