//! `encours backup` and `encours restore`: a copy taken beside a writing server is whole or is none, and
//! goes on as the server did.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use encours_sim::Rng;
use encours_tests::{
    Client, Load, LoadOptions, NatsServer, Program, Ran, Server, ServerNats, copy, data_folder,
    encours, every_file, fingerprint, flip_bit, run, send,
};
use serde_json::Value;
use tempfile::TempDir;

const FAILED: i32 = 1;
const USAGE: i32 = 2;
const REFUSED: i32 = 3;
const DAMAGED: i32 = 5;
/// How often a backup is killed.
const KILLS: u64 = 12;

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn backup(data: &Path, to: &Path) -> Ran {
    run(["backup", "--output", "json", "--data", text(data), "--to", text(to)])
}

fn verify_only(to: &Path) -> Ran {
    run(["backup", "--verify-only", "--output", "json", "--to", text(to)])
}

fn restore(from: &Path, data: &Path) -> Ran {
    run(["restore", "--output", "json", "--from", text(from), "--data", text(data)])
}

/// The row that a backup or a restore tells.
fn row(ran: Ran) -> Value {
    let told: Value = serde_json::from_str(&ran.ok().stdout).unwrap();
    told["backup"][0].clone()
}

/// The digest of the business facts that a folder's log gives at a position.
fn digest(data: &Path, position: &Value) -> String {
    let position = position.to_string();
    let words = ["replay", "--output", "json", "--data", text(data), "--to", &position];
    let told: Value = serde_json::from_str(&run(words).ok().stdout).unwrap();
    told["digest"].as_str().unwrap().to_owned()
}

fn commands(server: &Server, lines: &[&str]) {
    for line in lines {
        let _ = run(line.split(' ').chain(["--server", &server.url()])).ok();
    }
}

/// A folder with the data of a server that has stopped: two customers with details.
fn folder() -> (TempDir, PathBuf, PathBuf) {
    let folder = data_folder();
    let (data, to) = (folder.path().join("data"), folder.path().join("backup"));
    let server = Server::start(&data);
    commands(
        &server,
        &[
            "ledger create --ledger shop --currency EUR --test-clock 2026-01-05",
            "customer create --ledger shop --customer dupont --name Dupont --note regular",
            "customer create --ledger shop --customer martin --name Martin",
            "invoice issue --ledger shop --customer dupont --invoice F-1 --total 10",
        ],
    );
    let _ = server.stop();
    (folder, data, to)
}

/// One more invoice.
fn go_on(data: &Path, invoice: &str) {
    let server = Server::start(data);
    let line =
        format!("invoice issue --ledger shop --customer martin --invoice {invoice} --total 20");
    commands(&server, &[&line]);
    let _ = server.stop();
}

fn segments(data: &Path) -> usize {
    let is_segment =
        |path: &&PathBuf| text(path).ends_with(".seg") && !text(path).contains("spare");
    every_file(&data.join("log")).iter().filter(is_segment).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_taken_under_load_goes_on_as_the_server_did() {
    let folder = data_folder();
    let at = |name: &str| folder.path().join(name);
    let (data, to, restored) = (at("data"), at("backup"), at("restored"));
    let server = Server::start(&data);
    Load::prepare(&server.url()).await;
    let load = Load::start(&[server.url()], &LoadOptions::new("before", 7));
    // The log begins its second segment: a full one is copied once.
    let begun = Instant::now();
    while segments(&data) < 2 {
        assert!(begun.elapsed() < Duration::from_secs(60), "the load fills segments");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let first = row(backup(&data, &to));
    tokio::time::sleep(Duration::from_millis(200)).await;
    let second = row(backup(&data, &to));
    assert_eq!(first["kept"], 0);
    assert!(second["kept"].as_u64().unwrap() >= 1, "full segments are not copied again: {second}");
    assert!(second["position"].as_u64() > first["position"].as_u64(), "{first} {second}");
    server.kill9();
    let mut heard = load.stop().await;

    let checked = row(verify_only(&to));
    assert_eq!(
        (&checked["position"], &checked["tail_hash"]),
        (&second["position"], &second["tail_hash"])
    );
    let back = row(restore(&to, &restored));
    assert_eq!(back["tail_hash"], second["tail_hash"]);
    assert_eq!(digest(&restored, &second["position"]), digest(&data, &second["position"]));
    assert_eq!(digest(&restored, &first["position"]), digest(&data, &first["position"]));

    let tail = second["position"].as_u64().unwrap();
    let server = Server::start(&restored);
    let client = Client::connect(&server.url()).await;
    let (there, after): (Vec<_>, Vec<_>) =
        heard.acknowledged.drain(..).partition(|(_, position)| *position <= tail);
    assert!(there.len() > 100, "{} commands are in the backup", there.len());
    // Every one by its event...
    let events = client.events_between(0, tail).await;
    let recorded: HashMap<&str, u64> = events
        .iter()
        .filter(|event| event.position <= tail)
        .map(|event| (event.request_id.as_str(), event.position))
        .collect();
    for (sent, position) in &there {
        let found = recorded.get(sent.request_id.as_str());
        assert!(found.is_some_and(|found| found >= position), "{sent:?} at {position}: {found:?}");
    }
    // ...and some of them as their senders would find out.
    for (sent, position) in there.iter().step_by(there.len() / 50) {
        assert_eq!(send(&client, sent).await.unwrap(), (*position, true), "{sent:?}");
    }
    // What came after the backup is not there, and can be done again: some of it, unless nothing came.
    for (sent, _) in after.iter().take(20) {
        let (position, repeat) = send(&client, sent).await.unwrap();
        assert!(position > tail && !repeat, "{sent:?} at {position}");
    }
    let more = Load::start(&[server.url()], &LoadOptions::new("after", 8));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let more = more.stop().await;
    assert!(!more.acknowledged.is_empty() && more.unknown.is_empty(), "the service goes on");
    let live = run(["replay", "--data", text(&restored), "--server", &server.url()]).ok();
    assert!(live.stdout.contains("equal"), "{live}");
    // The restored folder is backed up as the old one was.
    let third = row(backup(&restored, &to));
    assert!(third["position"].as_u64() > second["position"].as_u64(), "{third}");
    let _ = server.stop();
    let _ = run(["log", "verify", "--data", text(&restored)]).ok();
    println!(
        "first {} events, second {} ({} files kept), {} acknowledged commands found again",
        first["events"],
        second["events"],
        second["kept"],
        there.len()
    );
}

#[test]
fn a_backup_that_is_interrupted_leaves_the_one_before() {
    let seed = 20_261_122;
    let mut rng = Rng::new(seed);
    let (folder, data, first) = folder();
    let before = row(backup(&data, &first));
    go_on(&data, "F-2");
    let to = folder.path().join("killed");
    copy(&first, &to);
    let begun = Instant::now();
    let _ = row(backup(&data, &to));
    let usual = u64::try_from(begun.elapsed().as_micros()).unwrap();
    let (mut killed, mut finished, mut amid) = (0, 0, 0);
    for round in 0..KILLS {
        // Over and over where the last one was left, and now and then where none was interrupted yet:
        // so there is something to be copied each time.
        if round % 3 == 0 {
            fs::remove_dir_all(&to).unwrap();
            copy(&first, &to);
        }
        let files = every_file(&to);
        let words = ["backup", "--data", text(&data), "--to", text(&to)];
        let child = Program::start(encours(), words);
        std::thread::sleep(Duration::from_micros(rng.below(usual + usual / 5)));
        let ran = child.kill9();
        assert!(matches!(ran.code, None | Some(0)), "round {round}: {ran}");
        let done = ran.code == Some(0);
        (killed, finished) = if done { (killed, finished + 1) } else { (killed + 1, finished) };
        amid += u64::from(!done && every_file(&to) != files);
        let there = row(verify_only(&to));
        let is_whole = there["position"] == before["position"]
            || there["position"].as_u64() > before["position"].as_u64();
        assert!(is_whole, "round {round}: {there}");
        let target = folder.path().join(format!("restored-{round}"));
        let restored = row(restore(&to, &target));
        assert_eq!(restored["tail_hash"], there["tail_hash"]);
        fs::remove_dir_all(target).unwrap();
    }
    println!("seed {seed}: {killed} killed, {amid} while they copied, {finished} were faster");
    assert!(killed > 0 && amid > 0, "some were killed amid their work (seed {seed})");
    // Where the very first one is interrupted, there is no backup, and the next one makes it.
    let new = folder.path().join("new");
    fs::create_dir_all(new.join("log")).unwrap();
    fs::write(new.join("backup.lock"), "1\n").unwrap();
    fs::write(new.join("log/00000000000000000001.seg.tmp"), "half").unwrap();
    let none = verify_only(&new).fails(USAGE);
    assert!(none.stderr.contains("no_backup"), "{none}");
    let _ = restore(&new, &folder.path().join("from-none")).fails(USAGE);
    let _ = row(backup(&data, &new));
    assert!(!every_file(&new).iter().any(|path| text(path).ends_with(".tmp")));
}

/// A restore that is refused leaves nothing behind.
fn refused(from: &Path, code: i32, says: &str) {
    let target = from.with_file_name("refused");
    let ran = restore(from, &target).fails(code);
    assert!(ran.stdout.is_empty() && ran.stderr.contains(says), "no {says:?} in {ran}");
    assert!(!target.exists() && !target.with_file_name("refused.restoring").exists(), "{ran}");
}

#[test]
fn what_is_damaged_or_missing_is_not_restored() {
    let (folder, data, to) = folder();
    let _ = row(backup(&data, &to));
    let copied = |name: &str| {
        let copied = folder.path().join(name);
        copy(&to, &copied);
        copied
    };
    let files = every_file(&to);
    let files: Vec<&Path> = files.iter().map(|path| path.strip_prefix(&to).unwrap()).collect();
    let parts = files.iter().filter(|path| path.components().count() == 2);
    let mut tried = 0;
    for (nth, part) in parts.enumerate() {
        let flipped = copied(&format!("flipped-{nth}"));
        flip_bit(&flipped.join(part), 8 * 20 + 3);
        refused(&flipped, DAMAGED, "backup_damaged");
        let _ = verify_only(&flipped).fails(DAMAGED);
        let cut = copied(&format!("cut-{nth}"));
        let file = OpenOptions::new().write(true).open(cut.join(part)).unwrap();
        file.set_len(file.metadata().unwrap().len() - 1).unwrap();
        refused(&cut, DAMAGED, "were stored");
        let missing = copied(&format!("missing-{nth}"));
        fs::remove_file(missing.join(part)).unwrap();
        refused(&missing, DAMAGED, "is missing");
        tried += 3;
    }
    assert!(tried >= 9, "segment, anchor and keys at least: {files:?}");
    let manifest = copied("manifest");
    let whole = fs::read(manifest.join("backup.json")).unwrap();
    fs::write(manifest.join("backup.json"), &whole[..whole.len() / 2]).unwrap();
    refused(&manifest, DAMAGED, "backup_damaged");
    let newer = String::from_utf8(whole).unwrap().replacen("\"format\": 1", "\"format\": 2", 1);
    fs::write(manifest.join("backup.json"), newer).unwrap();
    refused(&manifest, FAILED, "backup_too_new");
    fs::remove_file(manifest.join("backup.json")).unwrap();
    refused(&manifest, USAGE, "no_backup");
}

/// Puts another manifest to the files of a backup: each file named under the name it has here.
fn mix(manifest: &Path, files: &Path, into: &Path) {
    copy(files, into);
    fs::copy(manifest.join("backup.json"), into.join("backup.json")).unwrap();
}

#[test]
fn backups_of_several_ages_or_nodes_do_not_mix() {
    let (folder, data, first) = folder();
    let at = |name: &str| folder.path().join(name);
    let _ = row(backup(&data, &first));
    // Another node went on from the same log.
    copy(&data, &at("node"));
    go_on(&data, "F-2");
    go_on(&at("node"), "G-2");
    let (second, node) = (at("second"), at("node-backup"));
    let _ = row(backup(&data, &second));
    let _ = row(backup(&at("node"), &node));
    for (nth, (one, other)) in
        [(&first, &second), (&second, &first), (&second, &node), (&node, &second)]
            .iter()
            .enumerate()
    {
        let mixed = at(&format!("mixed-{nth}"));
        mix(one, other, &mixed);
        refused(&mixed, DAMAGED, "backup_damaged");
    }
    // Files of one node and keys, anchor or segment of another, with a manifest that names them all.
    let [mine, theirs] = [&second, &node].map(|dir| {
        let bytes = fs::read(dir.join("backup.json")).unwrap();
        serde_json::from_slice::<Value>(&bytes).unwrap()
    });
    let mut tried = 0;
    for (nth, entry) in mine["files"].as_array().unwrap().iter().enumerate() {
        let other = theirs["files"].as_array().unwrap().iter();
        let Some(other) = other.into_iter().find(|other| other["path"] == entry["path"]) else {
            continue;
        };
        if other["sha256"] == entry["sha256"] {
            continue;
        }
        let crafted = at(&format!("crafted-{nth}"));
        copy(&second, &crafted);
        let stored = other["stored"].as_str().unwrap();
        fs::copy(node.join(stored), crafted.join(stored)).unwrap();
        let mut manifest = mine.clone();
        manifest["files"][nth] = other.clone();
        fs::write(crafted.join("backup.json"), manifest.to_string()).unwrap();
        let target = at("refused");
        let ran = restore(&crafted, &target).fails(DAMAGED);
        assert!(!target.exists(), "{ran}");
        let path = entry["path"].as_str().unwrap();
        if path.starts_with("checkpoints/") {
            // Of the same log and signed by the same key, as two nodes that went on from one folder.
            assert!(ran.stderr.contains("log_diverged: FAIL: at position "), "{ran}");
            assert!(ran.stderr.contains(", frame ") && ran.stderr.contains(path), "{ran}");
        }
        tried += 1;
    }
    assert!(tried >= 4, "the anchor, the segment and two checkpoints differ at least");
    // A hole: the manifest leaves the segment out.
    let hole = at("hole");
    copy(&second, &hole);
    let mut manifest = mine;
    manifest["files"]
        .as_array_mut()
        .unwrap()
        .retain(|entry| !entry["path"].as_str().unwrap().ends_with(".seg"));
    fs::write(hole.join("backup.json"), manifest.to_string()).unwrap();
    let _ =
        restore(&hole, &at("refused")).code.filter(|code| *code != 0).expect("a hole is refused");
    assert!(!at("refused").exists());
}

/// A backup of this folder with one more file among its checkpoints.
fn with_checkpoint(data: &Path, to: &Path, name: &str, note: &str) -> Ran {
    let with = to.with_extension("data");
    drop(fs::remove_dir_all(&with));
    drop(fs::remove_dir_all(to));
    copy(data, &with);
    fs::write(with.join("checkpoints").join(name), note).unwrap();
    backup(&with, to)
}

#[test]
fn checkpoints_of_single_days_are_held_against_the_log() {
    let (folder, data, whole) = folder();
    let at = |name: &str| folder.path().join(name);
    let newest = |data: &Path| fs::read_to_string(data.join("checkpoints/latest")).unwrap();
    let (day, to) = ("2020-01-01", at("backup-of-a-day"));
    let own = newest(&data);
    let size = own.lines().nth(1).unwrap().to_owned();
    // One that the log agrees with, also once the node has another key.
    let _ = row(with_checkpoint(&data, &to, day, &own));
    let other_key = at("other-key");
    copy(&data, &other_key);
    fs::remove_file(other_key.join("keys/signing.key")).unwrap();
    go_on(&other_key, "F-2");
    assert_ne!(newest(&other_key), own);
    let _ = row(with_checkpoint(&other_key, &to, day, &own));
    let _ = row(verify_only(&to));
    let _ = row(restore(&to, &at("restored")));
    assert_eq!(fs::read_to_string(at("restored").join("checkpoints").join(day)).unwrap(), own);
    // What it says must be so, whoever has signed it.
    let root = own.lines().nth(2).unwrap();
    let forged = own.replacen(root, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", 1);
    let file = format!("checkpoints/{day}");
    let says = |data: &Path, note: &str, says: &[&str]| {
        let ran = with_checkpoint(data, &to, day, note).fails(DAMAGED);
        for says in says.iter().chain(&[&*file]) {
            assert!(ran.stderr.contains(says), "no {says:?} in {ran}");
        }
        assert!(ran.stdout.is_empty() && !to.join("backup.json").exists(), "{ran}");
        assert!(ran.stderr.contains("take the backup without it"), "it leads somewhere: {ran}");
    };
    let place = format!("at position {size}, frame ");
    says(&other_key, &forged, &["log_diverged: FAIL: ", &place]);
    // Altered under the key that lies there, cut, and no note at all.
    says(&data, &forged, &["checkpoint_rejected: ", "the signature does not match"]);
    says(&data, &own[..own.len() / 2], &["checkpoint_rejected: "]);
    says(&data, "2020", &["checkpoint_rejected: "]);
    // Of another log; of a later time than the log reaches.
    let (_other_folder, other, _) = self::folder();
    let place = format!("position {}, frame ", newest(&other).lines().nth(1).unwrap());
    says(&data, &newest(&other), &["wrong_log: FAIL: ", &place]);
    let later = at("later");
    copy(&data, &later);
    go_on(&later, "F-3");
    let place = format!("position {}, frame ", newest(&later).lines().nth(1).unwrap());
    says(&data, &newest(&later), &["log_rolled_back: FAIL: ", &place]);
    // Brought into a backup by hand, with a manifest that names it.
    let _ = row(backup(&data, &whole));
    let _ = row(backup(&later, &at("later-backup")));
    let [mut manifest, theirs] = [&whole, &at("later-backup")].map(|dir| {
        let bytes = fs::read(dir.join("backup.json")).unwrap();
        serde_json::from_slice::<Value>(&bytes).unwrap()
    });
    let mut theirs = theirs["files"].as_array().unwrap().iter();
    let mut entry = theirs.find(|it| it["path"] == "checkpoints/latest").unwrap().clone();
    let from = at("later-backup").join(entry["stored"].as_str().unwrap());
    (entry["path"], entry["stored"]) = (file.clone().into(), format!("{file}.1").into());
    fs::copy(from, whole.join(format!("{file}.1"))).unwrap();
    manifest["files"].as_array_mut().unwrap().push(entry);
    fs::write(whole.join("backup.json"), manifest.to_string()).unwrap();
    refused(&whole, DAMAGED, "log_rolled_back: FAIL: ");
    let _ = verify_only(&whole).fails(DAMAGED);
}

#[test]
fn folders_that_are_not_meant_are_left_as_they_are() {
    let (folder, data, to) = folder();
    let at = |name: &str| folder.path().join(name);
    let _ = row(backup(&data, &to));
    let older = at("older");
    copy(&data, &older);
    // Somebody's folder.
    fs::create_dir(at("home")).unwrap();
    fs::write(at("home").join("letter"), "dear").unwrap();
    let before = fingerprint(&at("home"));
    let ran = backup(&data, &at("home")).fails(REFUSED);
    assert!(ran.stderr.contains("not_empty"), "{ran}");
    let _ = backup(&data, &older).fails(REFUSED);
    let ran = restore(&to, &at("home")).fails(REFUSED);
    assert!(ran.stderr.contains("is not touched"), "{ran}");
    assert_eq!(fingerprint(&at("home")), before);
    // An empty folder is as good as none.
    fs::create_dir(at("empty")).unwrap();
    let _ = row(restore(&to, &at("empty")));
    // The backup of another log.
    let (_other, other, _) = self::folder();
    let ran = backup(&other, &to).fails(REFUSED);
    assert!(ran.stderr.contains("wrong_log"), "{ran}");
    // A folder that has lost what the backup holds.
    go_on(&data, "F-2");
    let newest = row(backup(&data, &to));
    let ran = backup(&older, &to).fails(DAMAGED);
    assert!(ran.stderr.contains("log_rolled_back"), "{ran}");
    // One that went on by itself from there.
    for invoice in ["G-1", "G-2", "G-3"] {
        go_on(&older, invoice);
    }
    let ran = backup(&older, &to).fails(DAMAGED);
    assert!(ran.stderr.contains("log_diverged"), "{ran}");
    // One that is damaged.
    let damaged = at("damaged");
    copy(&data, &damaged);
    let log = every_file(&damaged.join("log"));
    flip_bit(log.iter().find(|path| text(path).ends_with("1.seg")).unwrap(), 8 * 1_000);
    let ran = backup(&damaged, &to).fails(DAMAGED);
    assert!(ran.stderr.contains("the backup before is as it was"), "{ran}");
    let keyless = at("keyless");
    copy(&data, &keyless);
    fs::remove_dir_all(keyless.join("keys")).unwrap();
    let ran = backup(&keyless, &to).fails(DAMAGED);
    assert!(ran.stderr.contains("customers.keys is missing"), "{ran}");
    assert_eq!(row(verify_only(&to))["tail_hash"], newest["tail_hash"]);
    let ran = backup(&at("nothing"), &to).fails(USAGE);
    assert!(ran.stderr.contains("no_log"), "{ran}");
}

#[test]
fn a_backup_is_read_by_its_owner_alone_and_names_no_key() {
    use std::os::unix::fs::PermissionsExt as _;

    let (_folder, data, to) = folder();
    let ran = backup(&data, &to).ok();
    for path in every_file(&to) {
        let mode = path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", path.display());
    }
    let manifest = fs::read(to.join("backup.json")).unwrap();
    let verified = verify_only(&to).ok();
    let told =
        [&*manifest, ran.stdout.as_bytes(), ran.stderr.as_bytes(), verified.stdout.as_bytes()];
    let names = |what: &[u8]| told.iter().any(|told| told.windows(what.len()).any(|at| at == what));
    assert!(names(b"\"position\""), "what is looked for is found");
    // Any 32 bytes in a row may be a key, but not those that are mostly zeros.
    let bytes = fs::read(data.join("keys/customers.keys")).unwrap();
    let is_key = |bytes: &&[u8]| bytes.iter().collect::<BTreeSet<_>>().len() >= 20;
    let keys: Vec<_> = bytes.windows(32).filter(is_key).collect();
    assert!(!keys.is_empty(), "a customer has a key");
    for key in keys {
        let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        let base64 = BASE64_STANDARD_NO_PAD.encode(key);
        assert!(!names(key) && !names(hex.as_bytes()) && !names(base64.as_bytes()), "{hex}");
    }
    let signing = fs::read_to_string(data.join("keys/signing.key")).unwrap();
    // PRIVATE+KEY+name+id+base64, and that may have a plus of its own.
    let secret = signing.trim_end().splitn(5, '+').nth(4).unwrap();
    assert!(secret.len() > 40 && !names(secret.as_bytes()), "the signing key");
}

/// A file system of its own, as small as it is asked for; unmounted when dropped.
struct Small(PathBuf);

impl Small {
    fn mount(at: &Path, kib: u64) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let size = format!("size={kib}k");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs", text(at)])
            .stderr(Stdio::null())
            .status();
        let done = mounted.is_ok_and(|status| status.success());
        done.then(|| Self(at.to_owned()))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // WHY lazily: a server may still run.
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

#[test]
fn a_disk_that_is_too_small_is_told_and_the_backup_before_stays() {
    let (folder, data, _) = folder();
    let Some(small) = Small::mount(&folder.path().join("small"), 128) else {
        println!("skipped: no tmpfs can be mounted here");
        return;
    };
    let to = small.0.join("backup");
    // The last segment is a mebibyte, most of it zeros that take no room.
    let first = row(backup(&data, &to));
    let server = Server::start(&data);
    for n in 0..40 {
        let note = "x".repeat(2_000);
        let words = [
            "customer",
            "create",
            "--ledger",
            "shop",
            "--customer",
            &format!("c{n}"),
            "--name",
            "N",
            "--note",
            &note,
            "--server",
            &server.url(),
        ]
        .map(str::to_owned);
        let _ = run(words).ok();
        if n % 8 == 7 {
            let ran = run(["backup", "--data", text(&data), "--to", text(&to)]);
            if ran.code != Some(0) {
                let ran = ran.fails(FAILED);
                assert!(ran.stderr.contains("no_room"), "{ran}");
                assert!(row(verify_only(&to))["position"].as_u64() >= first["position"].as_u64());
                let _ = server.stop();
                return;
            }
        }
    }
    panic!("40 customers with long notes fit 128 KiB twice");
}

#[test]
fn a_member_on_nats_is_backed_up_as_a_folder_of_its_own() {
    let Some(nats) = NatsServer::start() else { return };
    let folder = data_folder();
    let at = |name: &str| folder.path().join(name);
    let mut options = ServerNats::new(vec![nats.url()], "main");
    options.max_mib = 64;
    let server = Server::start_on_nats(&at("member"), &options);
    commands(
        &server,
        &[
            "ledger create --ledger shop --currency EUR --test-clock 2026-01-05",
            "customer create --ledger shop --customer dupont --name Dupont --note regular",
        ],
    );
    let told = row(backup(&at("member"), &at("backup")));
    assert_eq!((&told["keys"], &told["result"]), (&1.into(), &"OK".into()));
    let _ = server.stop();
    let _ = row(restore(&at("backup"), &at("restored")));
    // It has no name of a node: it starts alone, where the servers are gone.
    let server = Server::start(&at("restored"));
    let show = ["customer", "show", "dupont", "--ledger", "shop", "--output", "json"];
    let shown = run(show.iter().chain(&["--server", &server.url()])).ok();
    assert!(shown.stdout.contains("regular"), "{shown}");
    let _ = server.stop();
    assert_eq!(
        digest(&at("restored"), &told["position"]),
        digest(&at("member"), &told["position"])
    );
}
