//! What is damaged, missing or mixed is neither backed up nor restored.

use std::fs::{self, OpenOptions};
use std::path::Path;

use encours_tests::{Ran, copy, every_file, flip_bit};
use serde_json::Value;

use crate::{DAMAGED, FAILED, USAGE, backup, folder, go_on, restore, row, text, verify_only};

/// A restore that is refused leaves nothing behind.
fn refused(from: &Path, code: i32, says: &str) {
    let target = from.with_file_name("refused");
    let ran = restore(from, &target).fails(code);
    assert!(ran.stdout.is_empty() && ran.stderr.contains(says), "no {says:?} in {ran}");
    assert!(!target.exists(), "{ran}");
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

#[test]
fn a_signing_key_that_cannot_be_read_is_named_where_it_is() {
    let (_folder, data, to) = folder();
    let key = data.join("keys/signing.key");
    fs::write(&key, "no key\n").unwrap();
    let ran = backup(&data, &to).fails(DAMAGED);
    assert!(ran.stderr.contains(&format!("signing_key: {}: ", text(&key))), "{ran}");
    assert!(ran.stderr.contains("restore keys/signing.key from the backup"), "{ran}");
    assert!(!ran.stderr.contains("evidence"), "{ran}");
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
