//! `log verify --data`: the log, every event in it, and the keys of the personal details, without a
//! write and beside a running server.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use encours_log::{
    COMMAND_FIXED_LEN, CommandRecord, EventLog as _, EventRecord, FrameDraft, HEADER_LEN, Hash,
    Journal, JournalOptions, OsDisk, Position, SealWith, inspect,
};
use encours_tests::{Ran, Server, copy, data_folder, fingerprint, flip_bit, run};
use serde_json::Value;
use tempfile::TempDir;

const DAMAGED: i32 = 5;

/// The data folder of a server that has stopped, with two customers.
fn folder() -> TempDir {
    let folder = data_folder();
    let server = Server::start(&folder.path().join("data"));
    fill(&server);
    let _ = server.stop();
    folder
}

fn fill(server: &Server) {
    let url = server.url();
    for line in [
        "ledger create --ledger shop --currency EUR --test-clock 2026-01-05",
        "customer create --ledger shop --customer dupont --name Dupont --note regular",
        "customer create --ledger shop --customer martin --name Martin",
        "invoice issue --ledger shop --customer dupont --invoice F-1 --total 10",
    ] {
        let _ = run(line.split(' ').chain(["--server", &url])).ok();
    }
}

fn verify(data: &Path, more: &[&str]) -> Ran {
    let words = ["log", "verify", "--output", "csv", "--data", data.to_str().unwrap()];
    run(words.iter().chain(more))
}

/// One line that says what, and a hint; nothing is printed that programs could take for a result.
fn damaged(ran: Ran, says: &str) {
    let ran = ran.fails(DAMAGED);
    assert!(ran.stdout.is_empty() && ran.stderr.contains(says), "no {says:?} in {ran}");
    assert_eq!(ran.stderr.lines().count(), 2, "a line, and what to do: {ran}");
}

#[test]
fn a_check_writes_nothing_and_needs_no_stop() {
    let folder = folder();
    let data = folder.path().join("data");
    let before = fingerprint(&data);
    let checked = verify(&data, &[]).ok();
    let (header, row) = checked.stdout.trim_end().split_once('\n').unwrap();
    assert!(header.ends_with(",keys") && row.starts_with("OK,"), "{checked}");
    assert!(row.ends_with(",2"), "two customers have keys: {checked}");
    assert_eq!(fingerprint(&data), before);
    let server = Server::start(&data);
    let running = verify(&data, &[]).ok();
    assert!(running.stdout.contains("\nOK,"), "{running}");
    let _ = server.stop();
}

#[test]
fn keys_that_are_lost_are_damage() {
    let folder = folder();
    let data = folder.path().join("data");
    let lost = folder.path().join("lost");
    copy(&data, &lost);
    fs::remove_dir_all(lost.join("keys")).unwrap();
    damaged(verify(&lost, &[]), "is missing, but the log is not empty");
    let before = fingerprint(&lost);
    let alone = verify(&lost, &["--log-only"]).ok();
    assert!(alone.stdout.trim_end().ends_with(','), "no keys were counted: {alone}");
    assert_eq!(fingerprint(&lost), before);
    let Err(ran) = Server::try_start(&lost) else { panic!("it serves without keys") };
    assert_eq!(ran.code, Some(DAMAGED), "{ran}");
    assert!(ran.stderr.contains("restore keys/"), "{ran}");
}

#[test]
fn keys_of_another_log_are_damage() {
    let (folder, other) = (folder(), folder());
    let keys = folder.path().join("data/keys");
    fs::remove_dir_all(&keys).unwrap();
    copy(&other.path().join("data/keys"), &keys);
    damaged(verify(&folder.path().join("data"), &[]), "belongs to log");
}

#[test]
fn a_key_that_opens_nothing_is_damage() {
    let folder = folder();
    let keys = folder.path().join("data/keys");
    let file = &keys.join("customers.keys");
    // The last record, a customer's key, ends the file.
    flip_bit(file, (file.metadata().unwrap().len() - 40) * 8);
    damaged(verify(&folder.path().join("data"), &[]), "details that no key");
}

#[test]
fn an_event_that_cannot_be_read_is_found() {
    let folder = folder();
    let data = folder.path().join("data");
    let options = JournalOptions { segment_len: 1 << 20, ..JournalOptions::default() };
    let (mut journal, _) = Journal::open(Arc::new(OsDisk), &data.join("log"), options).unwrap();
    let tail = journal.tail();
    let mut draft = FrameDraft::new(tail.next_position);
    let command = CommandRecord {
        request_id: String::new(),
        digest: [0; 32],
        actor: "somebody".to_owned(),
        reason: String::new(),
        causation: Position(0),
        event_count: 1,
    };
    let event = EventRecord { kind: 65_000, version: 1, payload: vec![1, 2, 3] };
    draft.push(&command, &[event]).unwrap();
    let previous: Hash = tail.hash;
    let number = tail.number.next();
    let (log_id, epoch, recorded_at) = (journal.log_id(), tail.epoch, tail.recorded_at);
    let frame = draft.seal(SealWith { log_id, epoch, number, recorded_at, previous }).unwrap();
    journal.submit(frame);
    assert!(journal.settle().unwrap().1.is_committed());
    journal.close().unwrap();
    drop(journal);
    // Every byte, hash and link is right.
    let _ = run(["log", "stat", "--data", data.to_str().unwrap()]).ok();
    let says = format!("event_unreadable: the event at position {}", tail.next_position);
    damaged(verify(&data, &["--log-only"]), &says);
    damaged(verify(&data, &[]), &says);
}

/// A frame of the log as it lies in its segment.
struct Stands {
    number: u64,
    first_position: u64,
    offset: u64,
    bytes: Vec<u8>,
    /// Position, first byte of the file and last, type name.
    events: Vec<(u64, u64, u64, u16)>,
}

fn frames(data: &Path) -> Vec<Stands> {
    let mut frames = Vec::new();
    let looked = inspect(&OsDisk, &data.join("log"), &[], &mut |passed| {
        let header = passed.header();
        let end = passed.offset() + passed.bytes().len() as u64;
        let mut events: Vec<_> = passed.events().collect();
        // Events are the last part of a frame, so they are measured from its end.
        let mut until = end;
        events.reverse();
        let place = events.iter().map(|(position, event)| {
            let from = until - (12 + event.payload.len()) as u64;
            let place = (position.0, from, until, event.kind);
            until = from;
            place
        });
        let mut events: Vec<_> = place.collect();
        events.reverse();
        frames.push(Stands {
            number: header.number.0,
            first_position: header.first_position.0,
            offset: passed.offset(),
            bytes: passed.bytes().to_vec(),
            events,
        });
        Ok(())
    });
    looked.unwrap();
    frames
}

fn segment(data: &Path) -> std::path::PathBuf {
    data.join("log/00000000000000000001.seg")
}

/// What a check tells programs about a log that is damaged.
fn told(data: &Path) -> Value {
    let words = ["log", "verify", "--output", "json", "--data", data.to_str().unwrap()];
    let ran = run(words).fails(DAMAGED);
    let told: Value = serde_json::from_str(&ran.stdout).unwrap();
    let row = told["log"][0].clone();
    assert_eq!(
        (&row["result"], &row["file"]),
        (&"DAMAGED".into(), &"00000000000000000001.seg".into())
    );
    assert!(ran.stderr.contains(row["problem"].as_str().unwrap()), "{ran}");
    row
}

/// Whether what was told of a frame is right: the frame, the bytes, and what is in order before it.
fn is_told(row: &Value, frame: &Stands, byte: u64, what: &str) {
    assert_eq!(row["frame"], frame.number, "{what}: {row}");
    let (from, until) = (row["offset"].as_u64().unwrap(), row["until"].as_u64().unwrap());
    assert!(from <= byte && byte < until, "{what}: byte {byte} in {row}");
    let good = ["segments", "frames", "events"].map(|count| row[count].as_u64().unwrap());
    assert_eq!(good, [0, frame.number - 1, frame.first_position - 1], "{what}: {row}");
}

#[test]
fn the_first_bad_byte_frame_and_event_are_named() {
    let folder = folder();
    let data = folder.path().join("data");
    let frames = frames(&data);
    let flipped = |byte: u64| {
        let damaged = folder.path().join("damaged");
        drop(fs::remove_dir_all(&damaged));
        copy(&data, &damaged);
        flip_bit(&segment(&damaged), byte * 8);
        told(&damaged)
    };
    let mut tried = 0;
    for frame in &frames {
        // The header: its middle.
        let byte = frame.offset + 60;
        let row = flipped(byte);
        is_told(&row, frame, byte, "header");
        assert_eq!(
            row["until"].as_u64().unwrap() - row["offset"].as_u64().unwrap(),
            HEADER_LEN as u64
        );
        assert!(row["event"].is_null(), "{row}");
        // The digest in the first command record, which only the body's hash covers.
        let byte = frame.offset + (HEADER_LEN + COMMAND_FIXED_LEN - 8) as u64;
        let row = flipped(byte);
        is_told(&row, frame, byte, "command");
        assert!(row["event"].is_null(), "{row}");
        assert!(row["problem"].as_str().unwrap().contains("body's hash"), "{row}");
        if let Some((_, first, ..)) = frame.events.first() {
            assert!(row["until"].as_u64().unwrap() <= *first, "no event is blamed: {row}");
        }
        for (position, from, until, kind) in &frame.events {
            // The last byte of the payload.
            let row = flipped(until - 1);
            is_told(&row, frame, until - 1, "event");
            assert_eq!(row["event"], *position, "{row}");
            assert_eq!(row["event_type"], type_name(*kind), "{row}");
            assert_eq!((&row["offset"], &row["until"]), (&(*from).into(), &(*until).into()));
            tried += 1;
        }
        // The mark that ends the frame, and the first byte after it, where there is room before the
        // next one.
        let mark = frame.offset + frame.bytes.len() as u64;
        let end = mark + 8;
        let row = flipped(end - 1);
        is_told(&row, frame, end - 1, "mark");
        assert_eq!((&row["offset"], &row["until"]), (&mark.into(), &end.into()), "{row}");
        if !end.is_multiple_of(512) && frame.number < frames.len() as u64 {
            let row = flipped(end);
            assert_eq!(
                (&row["offset"], &row["frame"]),
                (&end.into(), &frame.number.into()),
                "{row}"
            );
        }
    }
    assert!(tried >= 6, "{tried} events were damaged");
}

/// The name that the schema gives to a type, as the log's format page has it.
fn type_name(kind: u16) -> &'static str {
    match kind {
        1 => "LogCreated",
        2 => "WriterOpened",
        10 => "ClockCreated",
        12 => "DayOpened",
        13 => "DayFinished",
        20 => "LedgerCreated",
        30 => "CustomerCreated",
        40 => "InvoiceIssued",
        other => panic!("an event of type {other}"),
    }
}

#[test]
fn a_frame_that_follows_another_one_is_named_by_its_field() {
    let folder = folder();
    let (data, fork) = (folder.path().join("data"), folder.path().join("fork"));
    copy(&data, &fork);
    for at in [&data, &fork] {
        let server = Server::start(at);
        let line = "invoice issue --ledger shop --customer dupont --invoice F-2 --total 10";
        let _ = run(line.split(' ').chain(["--server", &server.url()])).ok();
        let _ = server.stop();
    }
    let (mine, theirs) = (frames(&data), frames(&fork));
    let pairs = mine.iter().zip(&theirs);
    let (other, at) = pairs
        .filter(|(one, two)| one.bytes != two.bytes && one.bytes.len() == two.bytes.len())
        .map(|(one, two)| (two, usize::try_from(one.number).unwrap()))
        .next()
        .expect("both went on with a frame of the same length");
    // Their frame in the place of ours: whole, and of this log, but ours do not follow it.
    let path = segment(&data);
    let mut bytes = fs::read(&path).unwrap();
    let from = usize::try_from(other.offset).unwrap();
    bytes[from..from + other.bytes.len()].copy_from_slice(&other.bytes);
    fs::write(&path, bytes).unwrap();
    let row = told(&data);
    let next = &mine[at];
    is_told(&row, next, next.offset + 72, "chain");
    assert_eq!(row["offset"], next.offset + 72);
    assert!(row["problem"].as_str().unwrap().contains("it follows another frame"), "{row}");
}
