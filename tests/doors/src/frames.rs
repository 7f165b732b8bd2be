//! Frames, and whole journals on a disk in memory.
//!
//! Bytes that somebody invented nearly never have right checksums, and what lies behind a wrong one is
//! never looked at. So each input is tried as it is and, where its first byte asks for it, with
//! checksums and hashes put right.

use std::path::Path;
use std::sync::Arc;

use encours_log::{
    Disk, EventLog as _, Frame, FrameNumber, HEADER_LEN, Journal, JournalOptions, verify,
};
use sha2::{Digest as _, Sha256};

use crate::memory::MemoryDisk;

/// A small log in two segments.
const SEGMENTS: [(&str, &[u8]); 3] = [
    ("anchor", include_bytes!("../../../crates/log/tests/golden/v1/anchor")),
    (
        "00000000000000000001.seg",
        include_bytes!("../../../crates/log/tests/golden/v1/00000000000000000001.seg"),
    ),
    (
        "00000000000000000003.seg",
        include_bytes!("../../../crates/log/tests/golden/v1/00000000000000000003.seg"),
    ),
];
/// Bytes of the header of a segment, and of a slot of the anchor.
const BLOCK: usize = 512;
/// What follows each frame in a segment.
const END_MARK: &[u8; 8] = b"ENC-END\n";
/// The longest file that is made of an input.
const FILE_MAX: usize = 8 * BLOCK;

/// Puts right the body length, the hash of the body and the checksum of the header.
fn put_right(frame: &mut [u8], body_len: usize) {
    let Some(body) = frame.get(HEADER_LEN..HEADER_LEN + body_len) else { return };
    let hash = Sha256::digest(body);
    frame[104..136].copy_from_slice(&hash);
    frame[64..68].copy_from_slice(&u32::try_from(body_len).expect("small").to_le_bytes());
    put_events_right(frame, body_len);
    let hash = Sha256::digest(&frame[HEADER_LEN..HEADER_LEN + body_len]);
    frame[104..136].copy_from_slice(&hash);
    let crc = crc32c::crc32c(&frame[..140]);
    frame[140..144].copy_from_slice(&crc.to_le_bytes());
}

/// Puts right the checksums of events, as far as the body can be followed.
fn put_events_right(frame: &mut [u8], body_len: usize) {
    let end = HEADER_LEN + body_len;
    let word = |frame: &[u8], at: usize| Some(u32::from_le_bytes(*frame.get(at..)?.first_chunk()?));
    let half = |frame: &[u8], at: usize| {
        Some(usize::from(u16::from_le_bytes(*frame.get(at..)?.first_chunk()?)))
    };
    let commands = word(frame, 60).unwrap_or(0);
    let mut at = HEADER_LEN;
    for _ in 0..commands {
        let texts = [0, 2, 4].map(|field| half(frame, at + field).unwrap_or(0));
        at += 56 + texts.iter().sum::<usize>();
        if at >= end {
            return;
        }
    }
    while let Some(len) = word(frame, at + 4).map(|len| len as usize) {
        let Some(to) = at.checked_add(12 + len).filter(|to| *to <= end) else { return };
        let crc = crc32c::crc32c_append(crc32c::crc32c(&frame[at..at + 8]), &frame[at + 12..to]);
        frame[at + 8..at + 12].copy_from_slice(&crc.to_le_bytes());
        at = to;
    }
}

fn look_at(bytes: &[u8]) {
    let Ok(frame) = Frame::decode(bytes) else { return };
    let header = frame.header();
    assert_eq!(&frame.bytes()[..], bytes);
    let commands: Vec<_> = frame.commands().collect();
    assert_eq!(commands.len(), header.command_count as usize);
    let sum: u64 = commands.iter().map(|(command, _)| u64::from(command.event_count)).sum();
    assert_eq!(sum, u64::from(header.event_count));
    let mut next = header.first_position;
    for (position, event) in frame.events() {
        assert_eq!(position, next);
        assert!(frame.event(position).is_some() && frame.command_of(position).is_some());
        // What a payload holds is the business of another target: here only that it is reached.
        drop(encours_schema::decode(event.kind, event.version, event.payload));
        next = next.next();
    }
    assert_eq!(frame.events().count(), header.event_count as usize);
    assert!(frame.event(next).is_none());
}

/// A frame; the first byte tells whether to put its checksums right.
///
/// # Panics
/// Where a frame that is accepted does not hold what its header says.
pub fn frame(data: &[u8]) {
    let Some((&how, data)) = data.split_first() else { return };
    let mut bytes = data.to_vec();
    if how & 1 == 1 && bytes.len() >= HEADER_LEN {
        let body_len = bytes.len() - HEADER_LEN;
        put_right(&mut bytes, body_len);
    }
    look_at(&bytes);
}

/// The files of the journal after the changes that an input asks for.
fn changed(mut data: &[u8]) -> [Vec<u8>; 3] {
    let mut files = SEGMENTS.map(|(_, bytes)| bytes.to_vec());
    while let Some((head, rest)) = data.split_first_chunk::<4>() {
        let file = &mut files[usize::from(head[0] % 3)];
        let at = usize::from(u16::from_le_bytes([head[1], head[2]])) % FILE_MAX;
        let len = usize::from(head[3]).min(rest.len());
        let (bytes, rest) = rest.split_at(len);
        data = rest;
        if head[0] & 0x80 != 0 {
            file.resize(at, 0);
        } else if let Some(space) = file.get_mut(at..).filter(|space| space.len() >= len) {
            space[..len].copy_from_slice(bytes);
        }
    }
    files
}

fn put_block_right(file: &mut [u8], at: usize) {
    if let Some(block) = file.get_mut(at..at + BLOCK) {
        let crc = crc32c::crc32c(&block[..BLOCK - 4]);
        block[BLOCK - 4..].copy_from_slice(&crc.to_le_bytes());
    }
}

/// Puts right the checksums of the files, and what one frame says of the one before.
fn put_files_right(files: &mut [Vec<u8>; 3]) {
    let [anchor, segments @ ..] = files;
    put_block_right(anchor, 0);
    if anchor.get(BLOCK..).is_some_and(|slot| slot.iter().any(|byte| *byte != 0)) {
        put_block_right(anchor, BLOCK);
    }
    for segment in segments {
        // WHY: the zeros of a segment that says it is 4 GiB long take a minute to look at here.
        if let Some(length) = segment.get_mut(43..48) {
            length.fill(0);
        }
        put_block_right(segment, 0);
        let mut previous: Option<[u8; 32]> = None;
        let mut at = BLOCK;
        while let Some(head) = segment.get(at..at + HEADER_LEN) {
            if head[..4] != *b"ENCF" {
                break;
            }
            let len = u32::from_le_bytes(*head[64..].first_chunk().expect("a header")) as usize;
            let end = at.saturating_add(HEADER_LEN + len);
            let Some(frame) = segment.get_mut(at..end) else { break };
            if let Some(hash) = previous {
                frame[72..104].copy_from_slice(&hash);
            }
            put_right(frame, len);
            previous = Some(Sha256::digest(&frame[..HEADER_LEN]).into());
            let marked = end + END_MARK.len();
            if let Some(mark) = segment.get_mut(end..marked) {
                mark.copy_from_slice(END_MARK);
            }
            at = marked.next_multiple_of(BLOCK);
        }
    }
}

/// Changes to the files of a small journal, each a file, a place, a length and bytes; the first byte
/// tells whether to put checksums right. The journal is opened as a server does, read, and opened
/// again.
///
/// # Panics
/// Where a journal that opens cannot be read to its end, is not the same when it is opened again, or
/// does not pass the check.
pub fn journal(data: &[u8]) {
    let Some((&how, data)) = data.split_first() else { return };
    let mut files = changed(data);
    if how & 1 == 1 {
        put_files_right(&mut files);
    }
    let dir = Path::new("/log");
    let disk = MemoryDisk::default();
    for ((name, _), bytes) in SEGMENTS.iter().zip(files) {
        disk.put(&dir.join(name), bytes);
    }
    let disk: Arc<dyn Disk> = Arc::new(disk);
    let options = JournalOptions {
        segment_len: 4 * BLOCK as u64,
        background: false,
        ..JournalOptions::default()
    };
    // What the check says of damage depends on what opening repairs: only that it ends is asked.
    drop(verify(&*disk, dir, &[], &mut |_| {}));
    let Ok((journal, recovery)) = Journal::open(Arc::clone(&disk), dir, options.clone()) else {
        return;
    };
    let reader = journal.reader();
    let tail = reader.tail();
    for number in 1..=tail.number.0 {
        let frame = reader.read(FrameNumber(number)).expect("a frame below the tail");
        look_at(frame.expect("a frame below the tail").bytes());
    }
    assert_eq!(recovery.tail, tail);
    drop((journal, reader));
    let report = verify(&*disk, dir, &[], &mut |_| {}).expect("what was opened is whole");
    assert_eq!(report.tail, tail);
    let (journal, _) = Journal::open(disk, dir, options).expect("what was opened opens again");
    assert_eq!(journal.reader().tail(), tail);
}
