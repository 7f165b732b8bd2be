//! Every kind of damage to a small log: found, or harmless and said so.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use std::time::Duration;

use common::{LOG, append, create, dir, file, log, open, options, segment, verify};
use encours_log::{Disk, EventLog, FrameNumber, Hash, JournalOptions, Known, LogError, LogId};
use encours_sim::{Cut, SimDisk};

/// Three segments of 2,048 bytes: frames 1 and 2, frames 3 and 4, frame 5.
const LENS: [usize; 5] = [600, 250, 100, 500, 200];
/// Where frame 5 ends in its segment, its end mark included: 512 bytes of header, 144 + 56 + 12 + 200
/// and some text.
const LAST_FRAME_END: usize = 512 + 144 + 56 + 9 + 3 + 12 + 200 + 8;

#[test]
fn the_log_of_these_tests_is_as_they_think() {
    let disk = log(&LENS, true);
    let report = verify(&disk).unwrap();
    assert_eq!((report.frames, report.segments, report.unfinished_bytes), (5, 3, 0));
    assert_eq!(report.anchored, Some(FrameNumber(5)));
    let last = disk.bytes(&segment(5)).unwrap();
    assert_eq!(last.iter().rposition(|byte| *byte != 0), Some(LAST_FRAME_END - 1));
}

/// A flipped bit in a segment is corruption, at start and offline, wherever it is: header, frame,
/// padding, space after the last frame of an earlier segment. In the empty space of the last segment
/// there is nothing to lose: start zeroes it and says so, verification reports it.
fn flip_every_bit(closed: bool, segments: &[u64]) {
    let whole = log(&LENS, closed);
    for first in segments.iter().copied() {
        let path = segment(first);
        let bytes = whole.bytes(&path).unwrap();
        let used = if first == 5 { LAST_FRAME_END.next_multiple_of(512) } else { bytes.len() };
        for (byte, stored) in bytes.iter().enumerate() {
            // Every bit where something is stored; one a byte where nothing is.
            let is_stored = *stored != 0 || byte % 512 < 144;
            let bits = if is_stored { 0..8 } else { byte % 8..byte % 8 + 1 };
            for bit in bits {
                let disk = whole.copy(1);
                disk.flip_bit(&path, (byte * 8 + bit) as u64);
                let said = format!("segment {first}, byte {byte}, bit {bit}");
                let verified = verify(&disk);
                let opened = open(&disk, options());
                if byte < used {
                    assert!(verified.unwrap_err().is_corruption(), "{said}");
                    assert!(opened.err().unwrap().is_corruption(), "{said}");
                } else {
                    assert!(verified.unwrap().unfinished_bytes > 0, "{said}");
                    let (journal, recovery) = opened.unwrap();
                    assert!(recovery.torn_bytes > 0, "{said}");
                    assert_eq!(journal.tail().number, FrameNumber(5), "{said}");
                    drop(journal);
                    assert_eq!(verify(&disk).unwrap().unfinished_bytes, 0, "{said}");
                }
            }
        }
    }
}

#[test]
fn every_flipped_bit_of_the_first_segment_is_found() {
    flip_every_bit(true, &[1]);
}

#[test]
fn every_flipped_bit_of_the_later_segments_is_found() {
    flip_every_bit(true, &[3, 5]);
}

/// The last frames are not anchored here, but a whole frame with one bad bit is no torn write.
#[test]
fn every_flipped_bit_of_an_interrupted_log_is_found() {
    flip_every_bit(false, &[5]);
}

/// One slot is enough, so damage to the other is reported and repaired; without both, stop.
#[test]
fn every_flipped_bit_of_the_anchor_is_found() {
    let whole = log(&LENS, true);
    let path = file("anchor");
    for bit in 0..1024 * 8 {
        let disk = whole.copy(1);
        disk.flip_bit(&path, bit);
        assert_eq!(verify(&disk).unwrap().damaged_anchor_slots, 1, "bit {bit}");
        let (_, recovery) = open(&disk, options()).unwrap();
        assert_eq!(recovery.damaged_anchor_slots, 1, "bit {bit}");
        let repaired = verify(&disk).unwrap();
        assert_eq!(repaired.anchored, Some(FrameNumber(5)), "bit {bit}");
        assert_eq!(repaired.damaged_anchor_slots, 0, "bit {bit}");
    }
    let disk = whole.copy(1);
    disk.flip_bit(&path, 80);
    disk.flip_bit(&path, 512 * 8 + 80);
    assert!(verify(&disk).unwrap_err().is_corruption());
    assert!(open(&disk, options()).err().unwrap().is_corruption());
}

#[test]
fn a_tail_cut_below_the_anchor_is_refused_and_one_above_is_dropped() {
    for closed in [true, false] {
        let whole = log(&LENS, closed);
        let bytes = whole.bytes(&segment(5)).unwrap();
        for len in 0..bytes.len() {
            let disk = whole.copy(1);
            disk.set_bytes(&segment(5), bytes[..len].to_vec());
            let verified = verify(&disk);
            let opened = open(&disk, options());
            let said = format!("closed {closed}, cut to {len}");
            if len >= LAST_FRAME_END {
                let (journal, recovery) = opened.unwrap();
                assert_eq!(journal.tail().number, FrameNumber(5), "{said}");
                assert_eq!(recovery.restored_bytes, (bytes.len() - len) as u64, "{said}");
                assert_eq!(verified.unwrap().tail, journal.tail(), "{said}");
                assert_eq!(disk.bytes(&segment(5)).unwrap(), bytes, "{said}");
            } else if closed {
                let error = opened.err().unwrap();
                assert!(error.is_rolled_back(), "{said}: {error}");
                assert!(verified.is_err(), "{said}");
            } else if len >= 512 {
                let (journal, recovery) = opened.unwrap();
                assert_eq!(journal.tail().number, FrameNumber(4), "{said}");
                assert_eq!(recovery.torn_bytes > 0, len > 512, "{said}");
                assert_eq!(verified.unwrap().tail, journal.tail(), "{said}");
            } else {
                // The header was durable before the segment got its name.
                assert!(opened.err().unwrap().is_corruption(), "{said}");
                assert!(verified.unwrap_err().is_corruption(), "{said}");
            }
        }
    }
}

#[test]
fn missing_files_are_named_and_no_second_log_is_begun() {
    let whole = log(&LENS, true);
    let creating = || JournalOptions { create: Some(LogId([1; 16])), ..options() };
    let without = |names: &[&str]| {
        let disk = whole.copy(1);
        names.iter().for_each(|name| disk.lose(&file(name)));
        let error = open(&disk, creating()).err().unwrap();
        assert_eq!(verify(&disk).err().map(|error| error.code()), Some(error.code()), "{error}");
        error
    };
    let (one, three, five) =
        ("00000000000000000001.seg", "00000000000000000003.seg", "00000000000000000005.seg");
    let first = FrameNumber(1);
    assert!(matches!(without(&[one]), LogError::NoSegment { frame } if frame == first));
    assert!(matches!(without(&[three]), LogError::NoSegment { frame } if frame == FrameNumber(3)));
    assert!(matches!(
        without(&[five]),
        LogError::RolledBack { wanted: FrameNumber(5), tail: FrameNumber(4), .. }
    ));
    assert!(matches!(without(&["anchor"]), LogError::AnchorLost { .. }));
    assert!(matches!(
        without(&[one, three, five]),
        LogError::RolledBack { wanted: FrameNumber(5), tail: FrameNumber::START, .. }
    ));

    // Without a clean stop the anchor reaches the end of all segments but the last.
    let disk = log(&LENS, false);
    disk.lose(&file(three));
    disk.lose(&file(five));
    assert!(open(&disk, creating()).err().unwrap().is_rolled_back());

    let empty = SimDisk::new(1);
    let error = open(&empty, options()).err().unwrap();
    assert!(matches!(error, LogError::NoLog { .. }), "{error}");
    assert!(!empty.exists(dir()).unwrap(), "nothing is made where nothing was asked for");
    empty.create_dir_all(dir()).unwrap();
    assert!(matches!(open(&empty, options()), Err(LogError::NoLog { .. })));
    assert!(empty.list(dir()).unwrap().is_empty());
    let known = vec![Known { source: "a copy".into(), number: first, hash: Hash([0; 32]) }];
    let error = open(&empty, JournalOptions { known, ..creating() }).err().unwrap();
    assert!(error.is_rolled_back(), "{error}");
}

#[test]
fn what_others_have_seen_must_be_there() {
    let disk = log(&LENS, true);
    let hash = open(&disk, options()).unwrap().0.tail().hash;
    let with = |number, hash| {
        let known = vec![Known { source: "snapshot".into(), number: FrameNumber(number), hash }];
        let opened = open(&disk, JournalOptions { known: known.clone(), ..options() });
        let error = opened.map(|_| ()).err().map(|error| error.code());
        let verified = encours_log::verify(&disk, dir(), &known, &mut |_| {});
        assert_eq!(verified.err().map(|error| error.code()), error);
        error
    };
    assert_eq!(with(5, hash), None);
    assert_eq!(with(4, hash), Some("log_diverged"));
    assert_eq!(with(6, hash), Some("log_rolled_back"));
}

#[test]
fn another_log_is_told_from_this_one() {
    let whole = log(&LENS, true);
    let other = SimDisk::new(2);
    let created = JournalOptions { create: Some(LogId([9; 16])), ..options() };
    let mut journal = open(&other, created).unwrap().0;
    for len in LENS {
        assert!(append(&mut journal, len).is_committed());
    }
    journal.close().unwrap();
    for path in [segment(1), segment(3), segment(5), file("anchor")] {
        let disk = whole.copy(1);
        disk.set_bytes(&path, other.bytes(&path).unwrap());
        let error = open(&disk, options()).err().unwrap();
        assert!(matches!(error, LogError::WrongLog { .. }), "{}: {error}", path.display());
        let error = verify(&disk).unwrap_err();
        assert!(matches!(error, LogError::WrongLog { .. }), "{}: {error}", path.display());
    }
    let expect = Some(LogId([9; 16]));
    let error = open(&whole, JournalOptions { expect, ..options() }).err().unwrap();
    assert!(matches!(error, LogError::WrongLog { found: LOG, .. }), "{error}");
    let expect = Some(LOG);
    open(&whole, JournalOptions { expect, ..options() }).unwrap();
}

#[test]
fn a_folder_that_cannot_be_used_is_refused() {
    let disk = log(&LENS, true);
    let before = disk.bytes(&segment(5));
    disk.set_read_only(true);
    let error = open(&disk, options()).err().unwrap();
    assert_eq!(error.to_string(), "lock /data/log/lock: read-only filesystem or storage medium");
    assert_eq!(verify(&disk).unwrap().frames, 5, "verification changes nothing");
    disk.set_read_only(false);
    let held = open(&disk, options()).unwrap();
    let error = open(&disk, options()).err().unwrap();
    assert_eq!(error.to_string(), "/data/log is in use by process 4242");
    assert_eq!(verify(&disk).unwrap().frames, 5, "verification takes no lock");
    drop(held);
    open(&disk, options()).unwrap();
    assert_eq!(disk.bytes(&segment(5)), before);
}

#[test]
fn leftovers_of_a_crash_are_removed_and_named() {
    let disk = log(&LENS, true);
    for name in ["spare.tmp", "anchor.tmp", "spare.seg"] {
        if disk.exists(&file(name)).unwrap() {
            disk.remove(&file(name)).unwrap();
        }
        disk.create(&file(name)).unwrap().append(&[1; 99]).unwrap();
    }
    let (mut journal, recovery) = open(&disk, options()).unwrap();
    assert_eq!(recovery.cleaned, ["spare.tmp", "anchor.tmp", "spare.seg"]);
    journal.maintain().unwrap();
    assert_eq!(disk.bytes(&file("spare.seg")).unwrap(), [0; 2048]);
    assert_eq!(verify(&disk).unwrap().tail, journal.tail());
}

#[test]
fn a_full_disk_refuses_appends_and_goes_on_when_there_is_room() {
    let disk = SimDisk::new(1);
    let mut journal = create(&disk);
    disk.set_room(Some(disk.used() + 1000));
    assert!(journal.maintain().unwrap_err().is_full());
    journal.admits().unwrap();
    assert!(append(&mut journal, 300).is_committed());
    assert!(journal.admits().unwrap_err().is_full());
    let before = (journal.tail(), disk.bytes(&segment(1)), disk.list(dir()).unwrap());
    let outcome = append(&mut journal, 1200);
    let encours_log::AppendOutcome::Rejected(error) = outcome else { unreachable!("{outcome:?}") };
    assert!(error.is_full() && !error.is_fatal(), "{error}");
    assert_eq!((journal.tail(), disk.bytes(&segment(1)), disk.list(dir()).unwrap()), before);
    assert!(append(&mut journal, 200).is_committed(), "what fits is taken");
    let too_long = append(&mut journal, 2000);
    assert!(matches!(too_long, encours_log::AppendOutcome::Rejected(LogError::Options(_))));

    disk.set_room(None);
    journal.maintain().unwrap();
    journal.admits().unwrap();
    assert!(append(&mut journal, 1200).is_committed());
    disk.restart(Cut::Power);
    assert_eq!(verify(&disk).unwrap().frames, 3);
}

#[test]
fn the_background_thread_tries_again_when_there_is_room() {
    let disk = SimDisk::new(1);
    let background = JournalOptions { create: Some(LOG), background: true, ..options() };
    let mut journal = open(&disk, background).unwrap().0;
    let patience = (0..500).map(|_| std::thread::sleep(Duration::from_millis(10)));
    disk.set_room(Some(0));
    while append(&mut journal, 1000).is_committed() {}
    assert!(journal.admits().unwrap_err().is_full());
    disk.set_room(None);
    let mut waits = patience.take_while(|()| journal.admits().is_err());
    assert!(waits.by_ref().count() < 500, "no segment within five seconds");
    assert!(append(&mut journal, 1000).is_committed());
}

#[test]
fn after_a_failed_sync_the_journal_does_nothing_more() {
    let disk = SimDisk::new(1);
    let mut journal = create(&disk);
    assert!(append(&mut journal, 100).is_committed());
    let tail = journal.tail();
    disk.fail_sync(1);
    let outcome = append(&mut journal, 100);
    assert!(matches!(&outcome, encours_log::AppendOutcome::Unknown(error) if error.is_fatal()));
    let steps = disk.steps();
    assert!(matches!(append(&mut journal, 100), encours_log::AppendOutcome::Rejected(_)));
    assert!(journal.maintain().unwrap_err().is_fatal());
    assert!(journal.admits().unwrap_err().is_fatal());
    assert!(journal.close().unwrap_err().is_fatal());
    assert_eq!((disk.steps(), journal.tail()), (steps, tail));
}

/// A disk that lies: a write lands elsewhere, or a read flips a bit. The journal may refuse; it never
/// shows another log, and never drops what was acknowledged.
#[test]
fn a_lying_disk_is_never_believed() {
    let mut refused = 0;
    for seed in 0..300 {
        let disk = SimDisk::new(seed);
        let mut journal = create(&disk);
        disk.misdirect_write(1 + seed % 25);
        let mut frames = Vec::new();
        for len in [300, 900, 50, 1200, 700, 20, 1000, 400] {
            assert!(append(&mut journal, len).is_committed(), "seed {seed}");
            frames.push(journal.tail());
            journal.maintain().unwrap();
        }
        let closed = seed % 2 == 0 && journal.close().is_ok();
        drop(journal);
        let copy = disk.copy(seed);
        match open(&disk, options()) {
            Ok((journal, _)) => {
                assert_eq!(Some(&journal.tail()), frames.last(), "seed {seed}, closed {closed}");
            }
            Err(error) => {
                assert!(error.is_corruption() || error.is_rolled_back(), "seed {seed}: {error}");
                refused += 1;
                continue;
            }
        }
        copy.flip_reads(3 + seed % 40);
        match open(&copy, options()) {
            Ok((journal, _)) => assert_eq!(Some(&journal.tail()), frames.last(), "seed {seed}"),
            Err(error) => {
                let excused = error.is_corruption() || error.is_rolled_back();
                assert!(excused, "seed {seed}: {error}");
            }
        }
        copy.flip_reads(0);
        let (journal, _) = open(&copy, options()).unwrap();
        assert_eq!(Some(&journal.tail()), frames.last(), "seed {seed}");
    }
    assert!(refused > 50, "{refused} refused");
}
