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
    CommandRecord, EventLog as _, EventRecord, FrameDraft, Hash, Journal, JournalOptions, OsDisk,
    Position, SealWith,
};
use encours_tests::{Ran, Server, copy, data_folder, fingerprint, flip_bit, run};
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
    let [file] = &encours_tests::every_file(&keys)[..] else { panic!("one file of keys") };
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
