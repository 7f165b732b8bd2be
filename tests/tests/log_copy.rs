//! `encours log copy`: a log goes into a stream and back, and nothing of it changes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

use std::path::{Path, PathBuf};

use encours_tests::{
    NatsServer, Ran, Server, ServerNats, copy, data_folder, every_file, fingerprint, flip_bit, run,
};
use tempfile::TempDir;

const REFUSED: i32 = 3;
const DAMAGED: i32 = 5;
const LOCKED: i32 = 6;

/// A folder with the log of a server that has stopped: two customers with details.
fn folder() -> (TempDir, PathBuf) {
    let folder = data_folder();
    let data = folder.path().join("data");
    fill(
        &data,
        &[
            "ledger create --ledger shop --currency EUR --test-clock 2026-01-05",
            "customer create --ledger shop --customer dupont --name Dupont --note regular",
            "customer create --ledger shop --customer martin --name Martin",
            "invoice issue --ledger shop --customer dupont --invoice F-1 --total 10",
        ],
    );
    (folder, data)
}

/// Runs these commands against a server on the folder; answers its digest of the facts.
fn fill(data: &Path, commands: &[&str]) -> String {
    let server = Server::start(data);
    for line in commands {
        let _ = run(line.split(' ').chain(["--server", &server.url()])).ok();
    }
    let digest = digest(&server);
    let _ = server.stop();
    digest
}

fn digest(server: &Server) -> String {
    let told = run(["log", "verify", "--output", "json", "--server", &server.url()]).ok();
    let told: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
    told["log"][0]["digest"].as_str().unwrap().to_owned()
}

fn to_nats(data: &Path, nats: &NatsServer, log: &str) -> Ran {
    to_nats_with(data, nats, log, &[])
}

fn to_nats_with(data: &Path, nats: &NatsServer, log: &str, more: &[&str]) -> Ran {
    let data = data.to_str().unwrap();
    let words = ["log", "copy", "--from", data, "--to-nats", &nats.url(), "--log-id", log];
    run(words.iter().chain(&["--nats-max-mib", "64", "--output", "csv"]).chain(more))
}

fn from_nats(data: &Path, nats: &NatsServer, log: &str) -> Ran {
    let data = data.to_str().unwrap();
    let words = ["log", "copy", "--from-nats", &nats.url(), "--log-id", log, "--to", data];
    run(words.iter().chain(&["--nats-max-mib", "64", "--output", "csv"]))
}

/// What `log verify` says of the files, and the bytes of the segments.
fn verified(data: &Path) -> String {
    let data = data.to_str().unwrap();
    run(["log", "verify", "--data", data, "--output", "csv"]).ok().stdout
}

#[test]
fn a_log_goes_into_a_stream_and_comes_back_as_it_was() {
    let Some(nats) = NatsServer::start() else { return };
    let (folder, data) = folder();
    let before = fill(&data, &[]);
    let there = to_nats(&data, &nats, "main").ok();
    let back = folder.path().join("back");
    let copied = from_nats(&back, &nats, "main").ok();
    assert_eq!(there.stdout, copied.stdout, "both tell the same");
    assert!(copied.stdout.lines().nth(1).unwrap().ends_with(",2"), "two keys: {copied}");
    assert_eq!(verified(&back), verified(&data));
    let server = Server::start(&back);
    // A start adds a frame, and no fact of the business.
    assert_eq!(digest(&server), before);
    let show = ["customer", "show", "dupont", "--ledger", "shop", "--output", "json"];
    let shown = run(show.iter().chain(&["--server", &server.url()])).ok();
    assert!(shown.stdout.contains("\"Dupont\"") && shown.stdout.contains("regular"), "{shown}");
    let _ = server.stop();
}

#[test]
fn nodes_go_on_with_a_log_that_was_copied_to_their_servers() {
    let Some(nats) = NatsServer::start() else { return };
    let (folder, data) = folder();
    let before = fill(&data, &[]);
    let _ = to_nats(&data, &nats, "moved").ok();
    let mut options = ServerNats::new(vec![nats.url()], "moved");
    options.max_mib = 64;
    // One node has the folder of before as its copy, the other one has nothing.
    for name in ["data", "new"] {
        let server = Server::start_on_nats(&folder.path().join(name), &options);
        assert_eq!(digest(&server), before, "{name}");
        let show = ["customer", "show", "martin", "--ledger", "shop", "--output", "json"];
        let shown = run(show.iter().chain(&["--server", &server.url()])).ok();
        assert!(shown.stdout.contains("\"Martin\""), "{name}: {shown}");
        let _ = server.stop();
    }
}

#[test]
fn a_copy_that_was_interrupted_is_gone_on_with() {
    let Some(nats) = NatsServer::start() else { return };
    let (folder, data) = folder();
    // What an interrupted copy leaves: the keys, and the first frames.
    let first = folder.path().join("first");
    copy(&data, &first);
    let _ = to_nats(&first, &nats, "main").ok();
    let more = "invoice issue --ledger shop --customer martin --invoice F-2 --total 20";
    let _ = fill(&data, &[more]);
    let whole = to_nats(&data, &nats, "main").ok();
    let again = to_nats(&data, &nats, "main").ok();
    assert_eq!(whole.stdout, again.stdout, "what is there is compared, and told");
    let back = folder.path().join("back");
    let _ = from_nats(&back, &nats, "main").ok();
    assert_eq!(verified(&back), verified(&data));
    // The stream has more than the first folder now.
    let refused = to_nats(&first, &nats, "main").fails(REFUSED);
    assert!(refused.stderr.contains("would be lost"), "{refused}");
    let refused = to_nats_with(&first, &nats, "main", &["--replace-mark"]).fails(REFUSED);
    assert!(refused.stderr.contains("no unfinished copy"), "{refused}");
}

#[test]
fn a_stream_with_another_log_is_refused() {
    let Some(nats) = NatsServer::start() else { return };
    let ((_one, first), (_two, second)) = (folder(), folder());
    let _ = to_nats(&first, &nats, "main").ok();
    let refused = to_nats(&second, &nats, "main").fails(REFUSED);
    assert!(refused.stderr.contains("the mark in bucket ENCOURS_MARKS is of log"), "{refused}");
    let refused = to_nats_with(&second, &nats, "main", &["--replace-mark"]).fails(DAMAGED);
    assert!(refused.stderr.contains("wrong_log: stream ENCOURS_LOG_main"), "{refused}");
    // The same log with other frames at its end: both folders went on from one.
    let fork = first.with_file_name("fork");
    copy(&first, &fork);
    let more = |id: &str| {
        format!("invoice issue --ledger shop --customer martin --invoice {id} --total 20")
    };
    let _ = fill(&first, &[&more("A")]);
    let _ = fill(&fork, &[&more("B")]);
    let _ = to_nats(&first, &nats, "main").ok();
    let refused = to_nats(&fork, &nats, "main").fails(REFUSED);
    assert!(refused.stderr.contains("has another frame"), "{refused}");
    let refused = to_nats_with(&fork, &nats, "main", &["--replace-mark"]).fails(REFUSED);
    assert!(refused.stderr.contains("holds another frame"), "{refused}");
}

#[tokio::test]
async fn a_shorter_folder_takes_the_place_of_a_lost_log_only_where_that_is_meant() {
    let Some(nats) = NatsServer::start() else { return };
    let (folder, data) = folder();
    let short = folder.path().join("short");
    copy(&data, &short);
    let more = "invoice issue --ledger shop --customer martin --invoice F-2 --total 20";
    let _ = fill(&data, &[more]);
    let _ = to_nats(&data, &nats, "main").ok();
    let context = async_nats::jetstream::new(async_nats::connect(nats.url()).await.unwrap());
    for stream in ["ENCOURS_LOG_main", "ENCOURS_KEYS_main"] {
        context.delete_stream(stream).await.unwrap();
    }
    let refused = to_nats(&short, &nats, "main").fails(REFUSED);
    assert!(refused.stderr.contains("the folder ends at"), "{refused}");
    assert!(context.get_stream("ENCOURS_LOG_main").await.is_err(), "nothing was made");
    let there = to_nats_with(&short, &nats, "main", &["--replace-mark"]).ok();
    assert_eq!(from_nats(&folder.path().join("back"), &nats, "main").ok().stdout, there.stdout);
    // The mark is where the copy ends: what was given up is not missed any more.
    let mut options = ServerNats::new(vec![nats.url()], "main");
    options.max_mib = 64;
    let server = Server::start_on_nats(&folder.path().join("node"), &options);
    let beside = from_nats(&folder.path().join("beside"), &nats, "main").ok();
    assert!(beside.stderr.contains("warning: node"), "{beside}");
    assert!(beside.stderr.contains("leads the log"), "{beside}");
    let _ = server.stop();
    let after = from_nats(&folder.path().join("after"), &nats, "main").ok();
    assert!(!after.stderr.contains("warning"), "{after}");
}

#[test]
fn a_folder_that_is_damaged_or_in_use_or_empty_is_not_copied() {
    let Some(nats) = NatsServer::start() else { return };
    let (folder, data) = folder();
    let damaged = folder.path().join("damaged");
    copy(&data, &damaged);
    let segments = every_file(&damaged.join("log"));
    let segment = segments.iter().find(|path| path.extension().is_some_and(|end| end == "seg"));
    flip_bit(segment.expect("a segment"), 8 * 1_000);
    let ran = to_nats(&damaged, &nats, "damaged").fails(DAMAGED);
    assert!(ran.stderr.contains("frame_corrupt"), "{ran}");
    let keyless = folder.path().join("keyless");
    copy(&data, &keyless);
    std::fs::remove_dir_all(keyless.join("keys")).unwrap();
    let ran = to_nats(&keyless, &nats, "keyless").fails(DAMAGED);
    assert!(ran.stderr.contains("restore keys/"), "{ran}");
    let ran = to_nats(&folder.path().join("nothing"), &nats, "nothing").fails(2);
    assert!(ran.stderr.contains("no_log"), "{ran}");
    let server = Server::start(&data);
    let ran = to_nats(&data, &nats, "used").fails(LOCKED);
    assert!(ran.stderr.contains(&format!("process {}", server.pid())), "{ran}");
    let _ = server.stop();
    // None of them has left a stream behind.
    let page = nats.monitored("/jsz").unwrap();
    assert_eq!(page["streams"], 0, "{page}");
}

#[test]
fn a_folder_that_holds_a_log_is_left_as_it_is() {
    let Some(nats) = NatsServer::start() else { return };
    let (folder, data) = folder();
    let _ = to_nats(&data, &nats, "main").ok();
    let before = fingerprint(&data);
    let ran = from_nats(&data, &nats, "main").fails(REFUSED);
    assert!(ran.stderr.contains("is not empty"), "{ran}");
    assert_eq!(fingerprint(&data), before);
    // A name that no log has leaves no folder behind.
    let new = folder.path().join("new");
    let ran = from_nats(&new, &nats, "other").fails(DAMAGED);
    assert!(ran.stderr.contains("stream ENCOURS_LOG_other: it is missing"), "{ran}");
    assert!(!new.exists());
}

#[test]
fn servers_that_are_not_there_are_told() {
    let (folder, data) = folder();
    let data = data.to_str().unwrap();
    let words = ["log", "copy", "--from", data, "--to-nats", "nats://127.0.0.1:1"];
    let ran = run(words).fails(4);
    assert!(ran.stderr.contains("log_unavailable: connecting to 127.0.0.1:1"), "{ran}");
    let _ = run(["log", "copy", "--from", data]).fails(2);
    let new = folder.path().join("new");
    let both = ["log", "copy", "--from", data, "--to", new.to_str().unwrap()];
    let _ = run(both).fails(2);
}
