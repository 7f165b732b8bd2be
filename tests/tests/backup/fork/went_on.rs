//! A server that went on after its backup, and the fork of that backup.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use encours_audit::{leaves, merkle};
use encours_domain::Event;
use encours_log::{Frame, HEADER_LEN, Hash, OsDisk, inspect};
use encours_tests::{Client, Load, LoadOptions, Server, data_folder, run, send};
use serde_json::Value;

use super::{forked, held, signed};
use crate::{DAMAGED, REFUSED, backup, restore, row, text};

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
    let taken = row(backup(&lost, &to));
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.kill9();
    heard.add(load.stop().await);
    let told = row(forked(&to, &new));
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
    let plain = restore(&to, &same).ok();
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
    let again = row(backup(&new, &at("backup of new")));
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
