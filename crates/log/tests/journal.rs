//! The journal on a real disk: a life, a lock between processes, a kill, a reader beside a writer.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests fail by panicking; files are prepared by hand"
)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use encours_log::{
    CommandRecord, Epoch, EventLog, EventRecord, Frame, FrameDraft, FrameNumber, Hash, Journal,
    JournalOptions, LogError, LogId, MemoryLog, Micros, OsDisk, Position, Recovery, SealWith, Tail,
    VerifyReport, verify, verify_reader,
};

const LOG: LogId = LogId([0xe5; 16]);

/// A frame after `tail` with two commands, three events and `len` bytes in one of them.
fn frame(tail: &Tail, len: usize) -> Frame {
    let fill = u8::try_from(tail.number.0 % 251).unwrap();
    let command = |request_id: &str, event_count| CommandRecord {
        request_id: request_id.to_owned(),
        digest: [0xd1; 32],
        actor: "clerk-7".to_owned(),
        reason: "month end".to_owned(),
        causation: Position(tail.next_position.0 - 1),
        event_count,
    };
    let event = |kind, payload| EventRecord { kind, version: 1, payload };
    let mut draft = FrameDraft::new(tail.next_position);
    draft.push(&command("a", 2), &[event(7, vec![fill; len]), event(8, vec![])]).unwrap();
    draft.push(&command("", 1), &[event(9, vec![1, 2, 3])]).unwrap();
    draft
        .seal(SealWith {
            log_id: LOG,
            epoch: Epoch(1),
            number: tail.number.next(),
            recorded_at: Micros(1_800_000_000_000_000 + i64::try_from(tail.number.0).unwrap()),
            previous: tail.hash,
        })
        .unwrap()
}

fn append(log: &mut dyn EventLog, len: usize) -> Frame {
    let frame = frame(&log.tail(), len);
    log.submit(frame.clone());
    let (number, outcome) = log.settle().unwrap();
    assert!(outcome.is_committed(), "{outcome:?}");
    assert_eq!(number, frame.header().number);
    frame
}

fn options(segment_len: u64) -> JournalOptions {
    JournalOptions { segment_len, create: Some(LOG), ..JournalOptions::default() }
}

fn open(dir: &Path, segment_len: u64) -> Result<Journal, LogError> {
    reopen(dir, segment_len).map(|(journal, _)| journal)
}

fn reopen(dir: &Path, segment_len: u64) -> Result<(Journal, Recovery), LogError> {
    Journal::open(Arc::new(OsDisk), dir, options(segment_len))
}

fn check(dir: &Path) -> Result<VerifyReport, LogError> {
    verify(&OsDisk, dir, &[], &mut |_| {})
}

/// What any log does, whatever stores it.
fn lives_like_a_log(log: &mut dyn EventLog) {
    let reader = log.reader();
    let empty = Tail::genesis(LOG);
    assert_eq!((log.tail(), reader.tail(), log.log_id()), (empty, empty, LOG));
    assert_eq!(reader.read(FrameNumber(1)).unwrap(), None);
    assert!(log.settle().is_none());

    let frames: Vec<Frame> = (0..20).map(|n| append(log, n * 50)).collect();
    for frame in &frames {
        let header = frame.header();
        assert_eq!(reader.read(header.number).unwrap().as_ref(), Some(frame));
        for position in header.first_position.0..header.next_position().0 {
            assert_eq!(reader.frame_of(Position(position)), Some(header.number));
        }
        log.maintain().unwrap();
    }
    assert_eq!(reader.read(FrameNumber(0)).unwrap(), None);
    assert_eq!(reader.read(FrameNumber(21)).unwrap(), None);
    assert_eq!(reader.frame_of(Position(0)), None);
    assert_eq!(reader.frame_of(Position(61)), None);

    // A frame that does not follow changes nothing.
    let tail = log.tail();
    for wrong in [&frames[3], &frame(&Tail { hash: Hash([0; 32]), ..tail }, 1)] {
        log.submit(wrong.clone());
        let (_, outcome) = log.settle().unwrap();
        assert!(!outcome.is_committed(), "{outcome:?}");
        assert_eq!(log.tail(), tail);
    }

    // A frame is not seen by readers before it is settled, and they are woken when it is.
    let next = frame(&tail, 5);
    log.submit(next.clone());
    assert_eq!(reader.wait_beyond(tail.number, Duration::from_millis(5)), tail);
    let waiting = std::thread::spawn({
        let reader = Arc::clone(&reader);
        move || reader.wait_beyond(tail.number, Duration::from_secs(60))
    });
    assert!(log.settle().unwrap().1.is_committed());
    assert_eq!(waiting.join().unwrap().hash, next.hash());
    let mut seen = 0;
    let report = verify_reader(&*reader, &mut |progress| seen = progress.frames).unwrap();
    assert_eq!((report.frames, report.events, report.commands), (21, 63, 42));
    assert_eq!((seen, report.tail), (21, log.tail()));
    log.close().unwrap();
}

#[test]
fn a_journal_lives_like_a_log_and_is_there_again() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("deep/log");
    let mut journal = open(&folder, 8192).unwrap();
    lives_like_a_log(&mut journal);
    let tail = journal.tail();
    drop(journal);
    let report = check(&folder).unwrap();
    assert_eq!((report.tail, report.frames, report.unfinished_bytes), (tail, 21, 0));
    assert_eq!(report.anchored, Some(tail.number));
    let (mut journal, recovery) = reopen(&folder, 8192).unwrap();
    assert_eq!((recovery.tail, recovery.rewritten_bytes, recovery.torn_bytes), (tail, 0, 0));
    append(&mut journal, 100);
    assert_eq!(journal.reader().read(FrameNumber(22)).unwrap().unwrap().last_position().0, 66);
}

#[test]
fn a_log_in_memory_lives_like_a_log_and_can_be_reopened() {
    let mut log = MemoryLog::new(LOG);
    lives_like_a_log(&mut log);
    let mut again = log.reopen();
    assert_eq!(again.tail(), log.tail());
    append(&mut again, 100);
    assert_eq!(log.reader().tail().number, FrameNumber(22));
}

#[test]
fn damage_under_a_running_journal_is_found_by_readers() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path(), 8192).unwrap();
    let frame = append(&mut journal, 500);
    append(&mut journal, 500);
    let path = dir.path().join("00000000000000000001.seg");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[512 + frame.bytes().len() - 1] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let error = journal.reader().read(FrameNumber(1)).unwrap_err();
    assert!(error.is_corruption(), "{error}");
    assert_eq!(
        error.to_string(),
        "00000000000000000001.seg is damaged at byte 1325, frame 1, position 1: the event at byte \
         669 of the body is damaged"
    );
    assert!(journal.reader().read(FrameNumber(2)).unwrap_err().is_corruption(), "nothing past it");
    assert!(verify_reader(&*journal.reader(), &mut |_| {}).unwrap_err().is_corruption());
    // The writer stops for good: it would chain new frames to what nobody can check any more.
    assert!(journal.maintain().unwrap_err().is_corruption());
    let tail = journal.tail();
    journal.submit(self::frame(&tail, 1));
    let (_, outcome) = journal.settle().unwrap();
    assert!(!outcome.is_committed(), "{outcome:?}");
    assert_eq!(journal.tail(), tail);
}

#[test]
fn a_later_format_is_refused_as_such() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path(), 8192).unwrap();
    append(&mut journal, 500);
    append(&mut journal, 500);
    journal.close().unwrap();
    drop(journal);
    let path = dir.path().join("00000000000000000001.seg");
    let whole = std::fs::read(&path).unwrap();
    // The first frame's header, the segment's header: min_reader at 6, checksum at the end.
    for (start, len) in [(512, 144), (0, 512)] {
        let mut bytes = whole.clone();
        bytes[start + 6] = 2;
        let crc = crc32c::crc32c(&bytes[start..start + len - 4]).to_le_bytes();
        bytes[start + len - 4..start + len].copy_from_slice(&crc);
        std::fs::write(&path, bytes).unwrap();
        for error in [open(dir.path(), 8192).err().unwrap(), check(dir.path()).unwrap_err()] {
            assert!(matches!(error, LogError::TooNew { min_reader: 2, .. }), "{error}");
        }
    }
}

#[test]
fn verification_runs_beside_a_writer() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path(), 1024 * 1024).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let writer = std::thread::spawn({
        let stop = Arc::clone(&stop);
        move || {
            let mut len = 0;
            // WHY bounded: a fast disk and a slow reader would make every round longer than the last.
            for _ in 0..1_000 {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                len = (len * 31 + 7) % 60_000;
                append(&mut journal, len);
                journal.maintain().unwrap();
            }
            journal.close().unwrap();
            journal.tail()
        }
    });
    let (mut frames, mut unfinished) = (0, 0);
    for round in 0..25 {
        let report = check(dir.path()).unwrap_or_else(|error| panic!("round {round}: {error}"));
        assert!(report.frames >= frames);
        frames = report.frames;
        unfinished += u32::from(report.unfinished_bytes > 0);
    }
    stop.store(true, Ordering::Relaxed);
    let tail = writer.join().unwrap();
    assert_eq!(check(dir.path()).unwrap().tail, tail);
    println!("{frames} frames, {unfinished} rounds met an unfinished frame");
}

const CHILD: &str = "ENCOURS_LOG_TEST_CHILD";

/// Not a test by itself: the process that [`a_killed_process_keeps_what_it_acknowledged`] kills.
#[test]
fn child_process() {
    let Some(dir) = std::env::var_os(CHILD) else { return };
    let mut journal = open(Path::new(&dir), 64 * 1024).unwrap();
    println!("\nopen");
    loop {
        let frame = append(&mut journal, 3000);
        println!("ack {}", frame.header().number);
        journal.maintain().unwrap();
    }
}

#[test]
fn a_killed_process_keeps_what_it_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let mut last = 0;
    for round in 1..=8 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_process", "--nocapture"])
            .env(CHILD, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        assert!(lines.any(|line| line == "open"), "round {round}");
        let error = open(dir.path(), 64 * 1024).err().unwrap();
        let holder = Some(child.id());
        assert!(matches!(error, LogError::Locked { holder: h, .. } if h == holder), "{error}");
        let acks = lines.by_ref().take(round * 7);
        last = acks.filter_map(|line| line.strip_prefix("ack ")?.parse().ok()).last().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        last =
            lines.filter_map(|line| line.strip_prefix("ack ")?.parse().ok()).last().unwrap_or(last);
        assert!(check(dir.path()).unwrap().tail.number >= FrameNumber(last), "round {round}");
    }
    let journal = open(dir.path(), 64 * 1024).unwrap();
    assert!(journal.tail().number >= FrameNumber(last));
    assert!(last >= 8 * 7, "{last} acknowledged");
}

/// The bytes of version 1, which every later version must read, and this one must write.
#[test]
fn the_format_is_frozen() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1");
    let dir = tempfile::tempdir().unwrap();
    let options = JournalOptions { background: false, ..options(2048) };
    let mut journal = Journal::open(Arc::new(OsDisk), dir.path(), options).unwrap().0;
    for len in [40, 600, 0, 10] {
        append(&mut journal, len);
        journal.maintain().unwrap();
    }
    journal.close().unwrap();
    drop(journal);
    let names = ["00000000000000000001.seg", "00000000000000000003.seg", "anchor"];
    if std::env::var_os("ENCOURS_WRITE_GOLDEN").is_some() {
        std::fs::create_dir_all(&golden).unwrap();
        for name in names {
            std::fs::copy(dir.path().join(name), golden.join(name)).unwrap();
        }
    }
    for name in names {
        let written = std::fs::read(dir.path().join(name)).unwrap();
        assert!(std::fs::read(golden.join(name)).unwrap() == written, "{name} has other bytes");
    }
    let report = check(&golden).unwrap();
    assert_eq!((report.frames, report.events, report.segments), (4, 12, 2));
    assert_eq!(report.anchored, Some(FrameNumber(4)));
    assert_eq!(
        report.tail.hash.to_string(),
        "ca9d28c14e9000d9005bab52cd728f4c5b7204c8a9482329ccf4a1c0713f5ec5"
    );
}

/// Ways to seal a frame that does not follow: which link is broken, and how.
fn unlinked(tail: &Tail) -> [(&'static str, SealWith, Position); 6] {
    let right = SealWith {
        log_id: LOG,
        epoch: tail.epoch,
        number: tail.number.next(),
        recorded_at: tail.recorded_at,
        previous: tail.hash,
    };
    let next = tail.next_position;
    [
        ("frame 5 stands where 4 belongs", SealWith { number: FrameNumber(5), ..right }, next),
        ("it begins at position 11, not 10", right, next.next()),
        ("it follows another frame", SealWith { previous: Hash([7; 32]), ..right }, next),
        ("its epoch 0 is before 1", SealWith { epoch: Epoch(0), ..right }, next),
        (
            "it was recorded before the frame before it",
            SealWith { recorded_at: Micros(tail.recorded_at.0 - 1), ..right },
            next,
        ),
        ("belongs to", SealWith { log_id: LogId([1; 16]), ..right }, next),
    ]
}

/// Dense numbers and positions, epochs and time that never go back, one chain, one log: held when a
/// frame is written, and, where one was put there by hand with every hash right, when it is read.
#[test]
fn a_frame_that_breaks_a_link_is_neither_written_nor_read() {
    for broken in 0..6 {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = open(dir.path(), 8192).unwrap();
        for len in [10, 20, 30] {
            append(&mut journal, len);
        }
        let tail = journal.tail();
        let (says, seal, first) = unlinked(&tail)[broken];
        let mut draft = FrameDraft::new(first);
        let command = CommandRecord {
            request_id: String::new(),
            digest: [0; 32],
            actor: "forger".to_owned(),
            reason: String::new(),
            causation: Position(0),
            event_count: 1,
        };
        draft.push(&command, &[EventRecord { kind: 7, version: 1, payload: vec![1] }]).unwrap();
        let forged = draft.seal(seal).unwrap();
        journal.submit(forged.clone());
        let (_, outcome) = journal.settle().unwrap();
        assert!(!outcome.is_committed(), "{says}: {outcome:?}");
        assert_eq!(journal.tail(), tail);
        journal.close().unwrap();
        drop(journal);
        let path = dir.path().join("00000000000000000001.seg");
        let mut bytes = std::fs::read(&path).unwrap();
        let at = bytes.chunks(512).rposition(|chunk| chunk.starts_with(b"ENCF")).unwrap() + 1;
        let written = [forged.bytes(), &b"ENC-END\n"[..]].concat();
        bytes[at * 512..][..written.len()].copy_from_slice(&written);
        std::fs::write(&path, bytes).unwrap();
        for error in [open(dir.path(), 8192).err().unwrap(), check(dir.path()).unwrap_err()] {
            assert!(error.to_string().contains(says), "{says}: {error}");
        }
    }
}
