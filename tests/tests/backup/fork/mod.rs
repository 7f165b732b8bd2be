//! `encours restore --fork`: where a server went on after its backup, the restored folder is a log of its
//! own, with the same facts up to the fork.

mod went_on;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use encours_sim::Rng;
use encours_tests::{
    Client, NatsServer, Ran, Server, copy, encours, every_file, flip_bit, python, root, run,
    run_program,
};
use serde_json::Value;
use tempfile::TempDir;

use crate::{DAMAGED, REFUSED, backup, folder, go_on, opens_details, row, text};

/// How often a fork is killed.
const KILLS: u64 = 12;

/// Restores as a fork.
fn forked(from: &Path, data: &Path) -> Ran {
    run(["restore", "--output", "json", "--from", text(from), "--data", text(data), "--fork"])
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

/// A folder with the data of a server that has stopped, and its backup.
fn backed_up() -> (TempDir, PathBuf, PathBuf) {
    let (folder, data, to) = folder();
    let _ = backup(&data, &to).ok();
    (folder, data, to)
}

#[test]
fn a_fork_of_a_fork_still_holds_what_was_signed_of_the_first_log() {
    let (folder, data, to) = backed_up();
    let at = |name: &str| folder.path().join(name);
    let (first_key, first_note) = signed(&data);
    let mut notes = vec![(first_key, first_note)];
    let (mut from, mut names) = (to, vec![row(backup(&data, &at("other")))["log_id"].clone()]);
    for nth in 1..=3 {
        let new = at(&format!("fork-{nth}"));
        names.push(row(forked(&from, &new))["log_id"].clone());
        go_on(&new, &format!("F-1{nth}"));
        let server = Server::start(&new);
        opens_details(&server);
        let _ = server.stop();
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
        let _ = row(backup(&new, &from));
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
    let (folder, data, to) = backed_up();
    let (_other, theirs, _) = backed_up();
    let (key, note) = signed(&theirs);
    let new = folder.path().join("new");
    let _ = row(forked(&to, &new));
    let ran = held(&new, &note, &key).fails(DAMAGED);
    assert!(ran.stderr.contains("wrong_log"), "{ran}");
    let (key, note) = signed(&data);
    let altered = note.replacen("frame ", "frame 1", 1);
    let ran = held(&new, &altered, &key).fails(DAMAGED);
    assert!(ran.stderr.contains("signature"), "{ran}");
}

#[test]
fn what_is_damaged_is_not_forked_and_nothing_is_left() {
    let (folder, _, to) = backed_up();
    let files = every_file(&to);
    let files: Vec<&Path> = files.iter().map(|path| path.strip_prefix(&to).unwrap()).collect();
    let mut tried = 0;
    let target = folder.path().join("refused");
    for (nth, part) in files.iter().filter(|path| path.components().count() == 2).enumerate() {
        let flipped = folder.path().join(format!("flipped-{nth}"));
        copy(&to, &flipped);
        flip_bit(&flipped.join(part), 8 * 20 + 3);
        let ran = forked(&flipped, &target).fails(DAMAGED);
        assert!(ran.stdout.is_empty() && ran.stderr.contains("backup_damaged"), "{ran}");
        assert!(!target.exists(), "{ran}");
        tried += 1;
    }
    assert!(tried >= 4, "segment, anchor, keys and checkpoint at least: {files:?}");
    fs::create_dir(&target).unwrap();
    fs::write(target.join("letter"), "dear").unwrap();
    let ran = forked(&to, &target).fails(REFUSED);
    assert!(ran.stderr.contains("not_empty"), "{ran}");
    assert_eq!(every_file(&target).len(), 1);
}

#[test]
fn a_fork_that_is_interrupted_has_no_name() {
    let seed = 20_261_122;
    let mut rng = Rng::new(seed);
    let (folder, _, to) = backed_up();
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
            let _ = forked(&to, &target).ok();
            killed += 1;
        }
        fs::remove_dir_all(target).unwrap();
    }
    println!("seed {seed}: {killed} killed amid, {whole} were faster");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_nats_a_fork_needs_streams_of_its_own() {
    let Some(nats) = NatsServer::start() else { return };
    let (folder, data, to) = backed_up();
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
    let log_id = row(forked(&to, &new))["log_id"].as_str().unwrap().to_owned();
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
