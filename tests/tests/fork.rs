//! `encours restore --fork`: where a server went on after its backup, the restored folder is a log of its
//! own, with the same facts up to the fork.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use encours_audit::{leaves, merkle};
use encours_domain::Event;
use encours_log::{Frame, HEADER_LEN, Hash, OsDisk, inspect};
use encours_sim::Rng;
use encours_tests::{
    Client, Load, LoadOptions, NatsServer, Ran, Server, copy, data_folder, encours, every_file,
    flip_bit, python, root, run, run_program, send,
};
use serde_json::Value;
use tempfile::TempDir;

const REFUSED: i32 = 3;
const DAMAGED: i32 = 5;
/// How often a fork is killed.
const KILLS: u64 = 12;

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The row that a backup or a restore tells.
fn row(ran: Ran) -> Value {
    let told: Value = serde_json::from_str(&ran.ok().stdout).unwrap();
    told["backup"][0].clone()
}

fn backup(data: &Path, to: &Path) -> Value {
    row(run(["backup", "--output", "json", "--data", text(data), "--to", text(to)]))
}

fn restore(from: &Path, data: &Path, more: &[&str]) -> Ran {
    let words = ["restore", "--output", "json", "--from", text(from), "--data", text(data)];
    run(words.iter().chain(more))
}

fn fork(from: &Path, data: &Path) -> Value {
    row(restore(from, data, &["--fork"]))
}

fn commands(server: &Server, lines: &[&str]) {
    for line in lines {
        let _ = run(line.split(' ').chain(["--server", &server.url()])).ok();
    }
}

/// What `replay` tells of a folder's log at a position, but for the log's name and hashes.
fn replayed(data: &Path, position: u64) -> Value {
    let position = position.to_string();
    let words = ["replay", "--output", "json", "--data", text(data), "--to", &position];
    let mut told: Value = serde_json::from_str(&run(words).ok().stdout).unwrap();
    assert!(told["digest"].is_string(), "{told}");
    let fields = told.as_object_mut().unwrap();
    fields.retain(|name, _| !matches!(name.as_str(), "log_id" | "hash" | "frame_hash"));
    told
}

/// Every frame of a folder's log.
fn frames(data: &Path) -> Vec<Frame> {
    let mut frames = Vec::new();
    let report = inspect(&OsDisk, &data.join("log"), &[], &mut |passed| {
        frames.push(Frame::decode(passed.bytes()).unwrap());
        Ok(())
    });
    report.unwrap_or_else(|flaw| panic!("{flaw:?}"));
    frames
}

fn leaf_hashes(frames: &[Frame]) -> Vec<Hash> {
    frames.iter().flat_map(leaves).map(|leaf| leaf.hash()).collect()
}

/// The verifier key, and the newest checkpoint, of a folder.
fn signed(data: &Path) -> (String, String) {
    let told = |more: &[&str]| {
        let words = ["log", "checkpoint", "--data", text(data)];
        run(words.iter().chain(more)).ok().stdout
    };
    (told(&["--key"]).trim().to_owned(), told(&[]))
}

/// Holds a folder against a checkpoint that was kept elsewhere.
fn held(data: &Path, note: &str, key: &str) -> Ran {
    let file = data.with_extension("checkpoint");
    fs::write(&file, note).unwrap();
    run(["log", "verify", "--data", text(data), "--checkpoint", text(&file), "--key", key])
}

/// Every frame of the one log is in the other, as a frame of that one, up to the fork; then the frame
/// that tells of it.
fn same_but_for_the_name(old: &[Frame], new: &[Frame], fork: usize) {
    assert!(new.len() > fork);
    let mut previous = Hash::genesis(new[0].header().log_id);
    for (one, other) in old.iter().zip(&new[..fork]) {
        let (was, is) = (one.header(), other.header());
        assert_eq!(one.bytes()[HEADER_LEN..], other.bytes()[HEADER_LEN..], "{was:?}");
        assert_eq!(
            (was.number, was.first_position, was.recorded_at, was.epoch, was.body_hash),
            (is.number, is.first_position, is.recorded_at, is.epoch, is.body_hash)
        );
        assert_ne!((was.log_id, was.previous, was.hash), (is.log_id, is.previous, is.hash));
        assert_ne!(was.log_id, is.log_id);
        assert_ne!(was.hash, is.hash);
        assert_eq!(is.previous, previous);
        previous = is.hash;
    }
    let (last, own) = (old[fork - 1].header(), &new[fork]);
    let header = own.header();
    assert_eq!((header.event_count, header.command_count), (1, 1));
    assert_eq!((header.epoch, header.recorded_at), (last.epoch, last.recorded_at));
    let (position, event) = own.events().next().unwrap();
    let event = encours_schema::decode(event.kind, event.version, event.payload).unwrap();
    let Event::LogForked(told) = event else { panic!("{event:?}") };
    assert_eq!(told.log_id, last.log_id.0);
    assert_eq!((told.frame, told.frame_hash), (last.number.0, last.hash.0));
    assert_eq!((told.position.next(), position), (last.next_position(), last.next_position()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_went_on_after_its_backup_is_told_from_the_fork() {
    let folder = data_folder();
    let at = |name: &str| folder.path().join(name);
    let (lost, to, new) = (at("lost"), at("backup"), at("new"));
    // What an auditor keeps of the time before the backup.
    let server = Server::start(&lost);
    Load::prepare(&server.url()).await;
    let load = Load::start(&[server.url()], &LoadOptions::new("early", 6));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut heard = load.stop().await;
    let _ = server.stop();
    let (old_key, old_note) = signed(&lost);
    // A backup under load; the server goes on, and is gone.
    let server = Server::start(&lost);
    let load = Load::start(&[server.url()], &LoadOptions::new("before", 7));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let taken = backup(&lost, &to);
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.kill9();
    heard.add(load.stop().await);
    let told = fork(&to, &new);
    let position = taken["position"].as_u64().unwrap();
    assert_eq!((&told["forked_from"], &told["forked_at"]), (&taken["log_id"], &position.into()));
    assert_eq!(told["position"], position + 1);
    assert_eq!(told["frames"], taken["frames"].as_u64().unwrap() + 1);
    assert_eq!((&told["keys"], &told["recorded_at"]), (&taken["keys"], &taken["recorded_at"]));
    assert_ne!(told["log_id"], taken["log_id"]);
    assert_ne!(told["tail_hash"], taken["tail_hash"]);

    let (was, is) = (frames(&lost), frames(&new));
    let fork_frame = usize::try_from(taken["frames"].as_u64().unwrap()).unwrap();
    assert!(was.len() > fork_frame, "the server went on after the backup");
    same_but_for_the_name(&was, &is, fork_frame);
    let (was_leaves, is_leaves) = (leaf_hashes(&was), leaf_hashes(&is));
    let sizes = [1, 2, 255, 256, 257, position / 3, position - 1, position];
    for size in sizes.into_iter().filter(|size| *size <= position) {
        let size = usize::try_from(size).unwrap();
        assert_eq!(merkle::root(&was_leaves[..size]), merkle::root(&is_leaves[..size]), "{size}");
    }
    let beyond = usize::try_from(position).unwrap() + 1;
    assert_ne!(merkle::root(&was_leaves[..beyond]), merkle::root(&is_leaves[..beyond]));
    // The same facts as in the same backup without a fork.
    let same = at("same");
    let plain = restore(&to, &same, &[]).ok();
    assert!(plain.stderr.contains("restore with --fork"), "{plain}");
    assert_eq!(row(plain)["log_id"], taken["log_id"]);
    for position in [position, position / 2] {
        assert_eq!(replayed(&new, position), replayed(&same, position));
    }
    assert!(!new.join("keys/signing.key").exists(), "one key signs one log");
    assert!(same.join("keys/signing.key").exists());

    let log_id = told["log_id"].as_str().unwrap();
    goes_on(&new, &heard.acknowledged, position, log_id, &was).await;
    // What was signed before the fork holds of both.
    let (new_key, new_note) = signed(&new);
    assert!(new_key.starts_with(&format!("encours/{log_id}+")) && new_key != old_key, "{new_key}");
    assert!(new_note.starts_with(&format!("encours/{log_id}\n")), "{new_note}");
    let agreed = held(&new, &old_note, &old_key).ok();
    let from = taken["log_id"].as_str().unwrap();
    assert!(agreed.stderr.contains(&format!("as log {from}, from which")), "{agreed}");
    let _ = held(&new, &new_note, &new_key).ok();
    // What was signed of the lost log after the fork does not.
    let server = Server::start(&lost);
    let _ = server.stop();
    let (_, later) = signed(&lost);
    let ran = held(&new, &later, &old_key).fails(DAMAGED);
    assert!(ran.stderr.contains(&format!("log_forked: FAIL: it was forked from {from}")), "{ran}");
    let ran = held(&lost, &new_note, &new_key).fails(DAMAGED);
    assert!(ran.stderr.contains("wrong_log"), "{ran}");
    let ran = run(["backup", "--data", text(&new), "--to", text(&to)]).fails(REFUSED);
    assert!(ran.stderr.contains("wrong_log"), "{ran}");
    let again = backup(&new, &at("backup of new"));
    assert_eq!(again["log_id"], told["log_id"]);
    println!(
        "forked at position {position}, frame {fork_frame}; the lost log had {} events more",
        was_leaves.len() as u64 - position
    );
}

/// A server on the fork knows what was done before it, does what comes, and names all of it otherwise
/// than the lost one.
async fn goes_on(
    new: &Path,
    acknowledged: &[(encours_tests::Sent, u64)],
    fork: u64,
    log_id: &str,
    lost: &[Frame],
) {
    let server = Server::start(new);
    assert!(server.said().contains("signing key made"), "{}", server.said());
    let client = Client::connect(&server.url()).await;
    let (before, after): (Vec<_>, Vec<_>) =
        acknowledged.iter().partition(|(_, position)| *position <= fork);
    assert!(before.len() > 50 && !after.is_empty(), "{} and {}", before.len(), after.len());
    for (sent, position) in before.iter().step_by(before.len() / 50) {
        assert_eq!(send(&client, sent).await.unwrap(), (*position, true), "{sent:?}");
    }
    for (sent, _) in after.iter().take(20) {
        let (position, repeat) = send(&client, sent).await.unwrap();
        assert!(position > fork + 1 && !repeat, "{sent:?} at {position}");
    }
    let events = client.events_after(0).await;
    assert!(events.iter().all(|event| event.log_id == log_id));
    let place = usize::try_from(fork).unwrap();
    assert_eq!(events[place].event, "log.forked");
    assert_eq!(events[place + 1].event, "log.writer_opened");
    let id = |log: &str, position: u64| format!("{log}-{position}");
    let were: BTreeSet<String> = lost
        .iter()
        .flat_map(|frame| {
            let log = frame.header().log_id.to_string();
            frame.events().map(|(position, _)| id(&log, position.0)).collect::<Vec<_>>()
        })
        .collect();
    assert!(events.iter().all(|event| !were.contains(&id(&event.log_id, event.position))));
    let twice = (events.len() as u64).min(were.len() as u64) - fork;
    assert!(twice > 2, "{twice} positions are given out a second time");
    let live = run(["replay", "--data", text(new), "--server", &server.url()]).ok();
    assert!(live.stdout.contains("equal"), "{live}");
    let _ = run(["log", "verify", "--server", &server.url()]).ok();
    let _ = server.stop();
    let _ = run(["log", "verify", "--data", text(new)]).ok();
    // And once more, from its snapshot.
    let server = Server::start(new);
    let (sent, position) = before[0];
    let client = Client::connect(&server.url()).await;
    assert_eq!(send(&client, sent).await.unwrap(), (*position, true));
    let _ = server.stop();
}

/// A folder with the data of a server that has stopped, and its backup.
fn small() -> (TempDir, PathBuf, PathBuf) {
    let folder = data_folder();
    let (data, to) = (folder.path().join("data"), folder.path().join("backup"));
    let server = Server::start(&data);
    commands(
        &server,
        &[
            "ledger create --ledger shop --currency EUR --test-clock 2026-01-05",
            "customer create --ledger shop --customer dupont --name Dupont --note regular",
            "invoice issue --ledger shop --customer dupont --invoice F-1 --total 10",
        ],
    );
    let _ = server.stop();
    let _ = backup(&data, &to);
    (folder, data, to)
}

fn one_more(data: &Path, invoice: &str) {
    let server = Server::start(data);
    let line =
        format!("invoice issue --ledger shop --customer dupont --invoice {invoice} --total 20");
    commands(&server, &[&line]);
    let shown = ["customer", "show", "dupont", "--ledger", "shop", "--output", "json"];
    let shown = run(shown.iter().chain(&["--server", &server.url()])).ok();
    assert!(shown.stdout.contains("regular"), "details open: {shown}");
    let _ = server.stop();
}

#[test]
fn a_fork_of_a_fork_still_holds_what_was_signed_of_the_first_log() {
    let (folder, data, to) = small();
    let at = |name: &str| folder.path().join(name);
    let (first_key, first_note) = signed(&data);
    let mut notes = vec![(first_key, first_note)];
    let (mut from, mut names) = (to, vec![backup(&data, &at("other"))["log_id"].clone()]);
    for nth in 1..=3 {
        let new = at(&format!("fork-{nth}"));
        names.push(fork(&from, &new)["log_id"].clone());
        one_more(&new, &format!("F-1{nth}"));
        notes.push(signed(&new));
        for (key, note) in &notes {
            let _ = held(&new, note, key).ok();
        }
        // They came along, under names of their own.
        let kept = |log: &Value| {
            new.join(format!("checkpoints/forked-from-{}.latest", log.as_str().unwrap()))
        };
        for (log, (_, note)) in names.iter().zip(&notes).take(nth) {
            assert_eq!(fs::read_to_string(kept(log)).unwrap(), *note);
        }
        assert!(!kept(&names[nth]).exists());
        from = at(&format!("backup-{nth}"));
        let _ = backup(&new, &from);
    }
    let distinct: BTreeSet<String> = names.iter().map(ToString::to_string).collect();
    assert_eq!(distinct.len(), 4);
    // What is proved of an event, and what an outsider makes of all of it.
    let last = at("fork-3");
    let proof = at("proof.json");
    let proved = run(["log", "prove", "--position", "4", "--data", text(&last)]).ok();
    fs::write(&proof, proved.stdout).unwrap();
    match python() {
        Ok(python) => {
            let script = root().join("docs/verify.py");
            let check = |words: [&str; 2]| {
                let all = ["-B", text(&script)];
                run_program(&python, all.iter().chain(&words)).ok()
            };
            let _ = check(["log", text(&last.join("log"))]);
            let _ = check(["proof", text(&proof)]);
        }
        Err(why) => println!("skipped: docs/verify.py: {why}"),
    }
}

#[test]
fn what_was_signed_of_another_log_holds_of_no_fork() {
    let (folder, data, to) = small();
    let (_other, theirs, _) = small();
    let (key, note) = signed(&theirs);
    let new = folder.path().join("new");
    let _ = fork(&to, &new);
    let ran = held(&new, &note, &key).fails(DAMAGED);
    assert!(ran.stderr.contains("wrong_log"), "{ran}");
    let (key, note) = signed(&data);
    let altered = note.replacen("frame ", "frame 1", 1);
    let ran = held(&new, &altered, &key).fails(DAMAGED);
    assert!(ran.stderr.contains("signature"), "{ran}");
}

#[test]
fn what_is_damaged_is_not_forked_and_nothing_is_left() {
    let (folder, _, to) = small();
    let files = every_file(&to);
    let files: Vec<&Path> = files.iter().map(|path| path.strip_prefix(&to).unwrap()).collect();
    let mut tried = 0;
    let target = folder.path().join("refused");
    for (nth, part) in files.iter().filter(|path| path.components().count() == 2).enumerate() {
        let flipped = folder.path().join(format!("flipped-{nth}"));
        copy(&to, &flipped);
        flip_bit(&flipped.join(part), 8 * 20 + 3);
        let ran = restore(&flipped, &target, &["--fork"]).fails(DAMAGED);
        assert!(ran.stdout.is_empty() && ran.stderr.contains("backup_damaged"), "{ran}");
        assert!(!target.exists() && !target.with_file_name("refused.restoring").exists(), "{ran}");
        tried += 1;
    }
    assert!(tried >= 4, "segment, anchor, keys and checkpoint at least: {files:?}");
    fs::create_dir(&target).unwrap();
    fs::write(target.join("letter"), "dear").unwrap();
    let ran = restore(&to, &target, &["--fork"]).fails(REFUSED);
    assert!(ran.stderr.contains("not_empty"), "{ran}");
    assert_eq!(every_file(&target).len(), 1);
}

#[test]
fn a_fork_that_is_interrupted_has_no_name() {
    let seed = 20_261_122;
    let mut rng = Rng::new(seed);
    let (folder, _, to) = small();
    let (mut killed, mut whole) = (0, 0);
    for round in 0..KILLS {
        let target = folder.path().join(format!("killed-{round}"));
        let mut child = Command::new(encours())
            .args(["restore", "--from", text(&to), "--data", text(&target), "--fork"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_micros(rng.below(120_000)));
        child.kill().unwrap();
        let _ = child.wait().unwrap();
        if target.join("log").exists() {
            let _ = run(["log", "verify", "--data", text(&target)]).ok();
            whole += 1;
        } else {
            let again = restore(&to, &target, &["--fork"]);
            if again.code != Some(0) {
                let again = again.fails(REFUSED);
                assert!(again.stderr.contains("one was interrupted"), "{again}");
            }
            killed += 1;
        }
        for left in [target.clone(), target.with_extension("restoring")] {
            drop(fs::remove_dir_all(left));
        }
    }
    println!("seed {seed}: {killed} killed amid, {whole} were faster");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_nats_a_fork_needs_streams_of_its_own() {
    let Some(nats) = NatsServer::start() else { return };
    let (folder, data, to) = small();
    let at = |name: &str| folder.path().join(name);
    let url = nats.url();
    let publish = |data: &Path, more: &[&str]| {
        let words: Vec<&str> = ["--publish-nats", &url].iter().chain(more).copied().collect();
        Server::try_start_with(&[], data, &words).unwrap_or_else(|ran| panic!("{ran}"))
    };
    let server = publish(&data, &[]);
    let head = Client::connect(&server.url()).await.head().await.position;
    let client = async_nats::connect(&url).await.unwrap();
    let context = async_nats::jetstream::new(client);
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", server.said());
        if let Ok(mut stream) = context.get_stream("ENCOURS_EVENTS").await
            && stream.info().await.unwrap().state.messages >= head
        {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let _ = server.stop();
    let new = at("new");
    let log_id = fork(&to, &new)["log_id"].as_str().unwrap().to_owned();
    let server = publish(&new, &[]);
    let said = server.told("publisher_refused").await;
    assert!(
        said.contains("holds the events of log") && said.contains("--publish-stream"),
        "{said}"
    );
    let _ = server.stop();
    // As a log on the servers: under a name of its own beside the old one.
    let copied = |data: &Path, name: &str| {
        let words = ["log", "copy", "--from", text(data), "--to-nats", &url, "--log-id", name];
        run(words.iter().chain(&["--nats-max-mib", "64", "--output", "json"]))
    };
    let _ = copied(&data, "main").ok();
    let ran = copied(&new, "main").fails(REFUSED);
    assert!(ran.stderr.contains("give another name with --log-id"), "{ran}");
    let there = copied(&new, "forked").ok();
    assert!(there.stdout.contains(&log_id), "{there}");
    let mut options = encours_tests::ServerNats::new(vec![url.clone()], "forked");
    options.max_mib = 64;
    let server = Server::start_on_nats(&at("node"), &options);
    let client = Client::connect(&server.url()).await;
    let events = client.events_after(0).await;
    assert!(events.iter().all(|event| event.log_id == log_id));
    assert!(events.iter().any(|event| event.event == "log.forked"));
    let _ = server.stop();
}
