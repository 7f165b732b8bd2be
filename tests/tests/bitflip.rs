//! Any one flipped bit of a small log is found: by the auditor for every bit, by the real command
//! for a sample, and by a server that starts on it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use encours_log::{
    EventLog as _, FrameNumber, Journal, JournalOptions, LogError, OsDisk, VerifyReport, verify,
};
use encours_sim::Rng;
use encours_tests::{
    Client, Company, Ran, Server, copy, data_folder, every_file, fingerprint, flip_bit, run,
};
use tempfile::TempDir;

/// Frames begin at multiples of this many bytes; a segment's header and an anchor slot have as many.
const SECTOR: usize = 512;
/// Segments of the small log: its longest frame fits.
const SEGMENT_LEN: u64 = 2_048;
/// Flips that the real command is tried on.
const SAMPLE: usize = 50;
/// The exit code of a damaged log.
const DAMAGED: i32 = 5;

/// What a server stores for a small company, stopped cleanly.
async fn small_company() -> TempDir {
    let folder = data_folder();
    let server = Server::start(folder.path());
    let client = Client::connect(&server.url()).await;
    let company = Company::create(client, "acme", "2024-01-01").await;
    company.customer("c1", "One").await;
    company.issue("i1", "c1", "100.00", "2024-01-31").await;
    company.pay_invoice("p1", "i1", "40.00").await;
    assert_eq!(server.stop().ran.code, Some(0));
    folder
}

/// The frames of a log as a server wrote them, in short segments, so that every bit can be tried.
fn in_short_segments(log: &Path, to: &Path) {
    let opened = |dir: &Path, create, segment_len| {
        let options =
            JournalOptions { segment_len, create, background: false, ..Default::default() };
        Journal::open(Arc::new(OsDisk), dir, options).unwrap().0
    };
    let scratch = data_folder();
    copy(log, scratch.path());
    let long = opened(scratch.path(), None, encours_log::SEGMENT_LEN);
    let reader = long.reader();
    let mut short = opened(to, Some(reader.log_id()), SEGMENT_LEN);
    for number in 1..=reader.tail().number.0 {
        short.maintain().unwrap();
        short.submit(reader.read(FrameNumber(number)).unwrap().unwrap());
        let (_, outcome) = short.settle().unwrap();
        assert!(outcome.is_committed(), "{outcome:?}");
    }
    assert_eq!(short.tail(), long.tail(), "the same frames, hashes and positions");
    short.close().unwrap();
}

fn audit(dir: &Path) -> Result<VerifyReport, LogError> {
    verify(&OsDisk, dir, &[], &mut |_| {})
}

fn segments(log: &Path) -> Vec<PathBuf> {
    let is_segment = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.ends_with(".seg") && name.starts_with('0')
    };
    every_file(log).into_iter().filter(is_segment).collect()
}

/// Bytes of a segment up to the end of the last sector that holds something.
fn stored_len(segment: &Path) -> usize {
    let bytes = fs::read(segment).unwrap();
    // Whole blocks first: a segment is mostly empty.
    let blocks = bytes.chunks(SECTOR).rposition(|block| block != &[0; SECTOR][..block.len()]);
    blocks.map_or(0, |last| (last + 1) * SECTOR)
}

/// Counts of flips by what came out.
#[derive(Debug, Default)]
struct Found {
    refused: u64,
    reported: u64,
}

/// Flips each bit of one segment in turn. What holds a header, a frame or its padding must be
/// refused, and so must all of an earlier segment. In the empty end of the last one there is nothing
/// to lose: it is reported.
fn flip_segment(log: &Path, segment: &Path, is_last: bool) -> Found {
    let len = fs::read(segment).unwrap().len();
    let stored = if is_last { stored_len(segment) } else { len };
    let mut found = Found::default();
    for byte in 0..len {
        // In empty space, one bit of each byte.
        let bits = if byte < stored { 0..8 } else { byte % 8..byte % 8 + 1 };
        for bit in bits {
            let bit = (byte * 8 + bit) as u64;
            flip_bit(segment, bit);
            match audit(log) {
                Err(_) => found.refused += 1,
                Ok(report) if byte >= stored && report.unfinished_bytes > 0 => found.reported += 1,
                Ok(report) => panic!("{}, bit {bit}: {report:?}", segment.display()),
            }
            flip_bit(segment, bit);
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn every_flipped_bit_of_a_small_log_is_found() {
    let company = small_company().await;
    let folder = data_folder();
    in_short_segments(&company.path().join("log"), folder.path());
    let whole = audit(folder.path()).unwrap();
    let names = segments(folder.path());
    assert!(names.len() > 1, "several segments: {names:?}");

    // Each segment on a copy of its own, so that they can be damaged side by side.
    let flips: Vec<Found> = std::thread::scope(|scope| {
        let flip = |segment: &PathBuf| {
            let own = data_folder();
            copy(folder.path(), own.path());
            let is_last = Some(segment) == names.last();
            let segment = own.path().join(segment.file_name().unwrap());
            flip_segment(own.path(), &segment, is_last)
        };
        let threads: Vec<_> = names.iter().map(|name| scope.spawn(move || flip(name))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no bit is missed")).collect()
    });

    // One intact slot of the anchor is enough, so damage to the other is reported.
    let anchor = folder.path().join("anchor");
    let mut slots = Found::default();
    for bit in 0..fs::metadata(&anchor).unwrap().len() * 8 {
        flip_bit(&anchor, bit);
        match audit(folder.path()) {
            Err(_) => slots.refused += 1,
            Ok(report) if report.damaged_anchor_slots == 1 => slots.reported += 1,
            Ok(report) => panic!("anchor, bit {bit}: {report:?}"),
        }
        flip_bit(&anchor, bit);
    }
    assert_eq!(audit(folder.path()).unwrap(), whole, "every bit is back");
    println!(
        "{} frames, {} events in {} segments: {} flips refused, {} in empty space reported; \
         anchor: {} refused, {} reported",
        whole.frames,
        whole.events,
        names.len(),
        flips.iter().map(|found| found.refused).sum::<u64>(),
        flips.iter().map(|found| found.reported).sum::<u64>(),
        slots.refused,
        slots.reported
    );
}

fn verify_command(data: &Path) -> Ran {
    run(["log", "verify", "--data", data.to_str().unwrap()])
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_finds_flipped_bits_and_writes_nothing() {
    let seed = 7;
    let folder = small_company().await;
    let segment = segments(&folder.path().join("log")).remove(0);
    let name = segment.file_name().unwrap().to_str().unwrap().to_owned();
    let bits = stored_len(&segment) as u64 * 8;

    let before = fingerprint(folder.path());
    let whole = verify_command(folder.path()).ok();
    assert_eq!(fingerprint(folder.path()), before, "an audit writes nothing");

    let mut rng = Rng::new(seed);
    let mut said = Vec::new();
    for round in 0..SAMPLE {
        let bit = rng.below(bits);
        flip_bit(&segment, bit);
        let before = (round == 0).then(|| fingerprint(folder.path()));
        let ran = verify_command(folder.path());
        assert_eq!(ran.code, Some(DAMAGED), "bit {bit} of {name}: {ran}");
        assert!(ran.stderr.contains(&name), "it names the file, bit {bit}: {ran}");
        assert!(ran.stderr.contains("byte"), "it names the place, bit {bit}: {ran}");
        if let Some(before) = before {
            assert_eq!(fingerprint(folder.path()), before, "an audit repairs nothing");
        }
        flip_bit(&segment, bit);
        said.push(ran.stderr);
    }
    let _ = verify_command(folder.path()).ok();
    println!("{}", whole.stdout.trim());
    println!("{SAMPLE} of {bits} bits (seed {seed}), such as: {}", said[0].trim());
}

/// Where no frame is lost, the log is in order, and what is damaged is told: a crash can leave the
/// same behind.
#[tokio::test(flavor = "multi_thread")]
async fn the_command_tells_of_damage_that_loses_nothing() {
    let folder = small_company().await;
    let mut rng = Rng::new(3);
    let anchor = folder.path().join("log/anchor");
    let segment = segments(&folder.path().join("log")).remove(0);
    let (stored, len) = (stored_len(&segment) as u64, segment.metadata().unwrap().len());
    assert!(verify_command(folder.path()).ok().stderr.is_empty());
    for _ in 0..8 {
        let in_anchor = rng.below(anchor.metadata().unwrap().len() * 8);
        let in_space = stored * 8 + rng.below((len - stored) * 8);
        for (path, bit, word) in [(&anchor, in_anchor, "anchor"), (&segment, in_space, "not zero")]
        {
            flip_bit(path, bit);
            let ran = verify_command(folder.path()).ok();
            assert!(ran.stderr.contains(word), "bit {bit} of {}: {ran}", path.display());
            flip_bit(path, bit);
        }
    }
    assert!(verify_command(folder.path()).ok().stderr.is_empty(), "every bit is back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_does_not_start_on_a_damaged_log() {
    let folder = small_company().await;
    let segment = segments(&folder.path().join("log")).remove(0);
    let stored = stored_len(&segment) as u64;
    for bit in [8 * 20, 8 * (SECTOR as u64 + 30) + 3, (stored - SECTOR as u64) * 8 + 5] {
        flip_bit(&segment, bit);
        let before = fs::read(&segment).unwrap();
        let ran = match Server::try_start(folder.path()) {
            Ok(_) => panic!("a server started on a log with bit {bit} flipped"),
            Err(ran) => ran.fails(DAMAGED),
        };
        assert!(ran.stderr.contains("byte"), "{ran}");
        assert!(fs::read(&segment).unwrap() == before, "the damaged file is left as it is");
        println!("bit {bit}: {}", ran.stderr.trim());
        flip_bit(&segment, bit);
    }
    drop(Server::start(folder.path()));
}
