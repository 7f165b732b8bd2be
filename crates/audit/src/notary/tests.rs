use encours_log::{FrameNumber, OsDisk};

use super::*;
use crate::checkpoint::{StoredError, newest_known, stored};
use crate::merkle::root;
use crate::testing::TestLog;

fn open(log: &TestLog, data: &Path) -> Notary {
    Notary::open(log.reader(), Arc::new(OsDisk), data).unwrap()
}

/// Follows to the end of the log and signs.
fn signed(log: &TestLog, data: &Path) -> Signed {
    let notary = open(log, data);
    while !notary.advance(4).unwrap() {}
    notary.sign().unwrap().unwrap()
}

#[test]
fn it_signs_what_is_new_and_keeps_it_in_files() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let mut log = TestLog::new(1);
    let notary = open(&log, data);
    assert!(notary.advance(1).unwrap() && notary.sign().unwrap().is_none(), "it is empty");
    log.append(300);
    assert!(notary.advance(4).unwrap());
    let first = notary.sign().unwrap().unwrap();
    assert_eq!((first.checkpoint.size, first.checkpoint.root), (300, root(&log.leaves())));
    assert_eq!(Checkpoint::open(&first.note, notary.verifier()).unwrap(), first.checkpoint);
    assert!(notary.sign().unwrap().is_none(), "nothing is new");
    log.append(0);
    assert!(notary.advance(4).unwrap() && notary.sign().unwrap().is_none(), "nor in a frame");
    log.append(1);
    assert!(notary.advance(4).unwrap());
    let second = notary.sign().unwrap().unwrap();
    for name in ["latest", &second.checkpoint.day()] {
        let file = OsDisk.read_all(&checkpoints_dir(data).join(name), 1 << 20).unwrap();
        assert_eq!(file, second.note.as_bytes(), "{name}");
    }
    notary.save().unwrap();
    drop(notary);
    // Another start has the same key, goes on from the file and knows what was signed.
    let again = open(&log, data);
    assert_eq!((again.tree().size(), again.newest()), (301, Some(second.clone())));
    assert!(again.sign().unwrap().is_none());
    let known = newest_known(&OsDisk, data).unwrap().unwrap();
    assert_eq!((known.number, known.hash), (FrameNumber(3), second.checkpoint.frame_hash));
}

#[test]
fn what_does_not_go_on_from_a_checkpoint_is_not_signed() {
    let folder = tempfile::tempdir().unwrap();
    let first = signed(&TestLog::of(&[300]), folder.path());
    let mut forged = TestLog::new(2);
    forged.append(300);
    forged.append(1);
    let notary = open(&forged, folder.path());
    // Once to suspect its own tree, and once to say so.
    let said = (0..3).find_map(|_| notary.advance(4).err()).unwrap();
    assert!(matches!(said, NotaryError::Inconsistent { size: 300 }), "{said}");
    assert!(matches!(notary.sign(), Err(NotaryError::Inconsistent { size: 300 })));
    assert_eq!(notary.newest(), Some(first));
}

#[test]
fn a_tree_with_another_root_than_was_signed_is_built_anew() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let log = TestLog::of(&[600, 100]);
    let first = signed(&log, data);
    // A file whose checksum and newest hashes are right, and whose first hash is not.
    let mut bytes = {
        let notary = open(&log, data);
        while !notary.advance(4).unwrap() {}
        notary.save().unwrap();
        OsDisk.read_all(&data.join("proofs/tree"), 1 << 20).unwrap()
    };
    bytes.truncate(bytes.len() - 32);
    bytes[72] ^= 1;
    let checksum = encours_log::Hash::of(&bytes);
    bytes.extend_from_slice(&checksum.0);
    OsDisk.replace(&data.join("proofs/tree"), &bytes).unwrap();
    let notary = open(&log, data);
    assert_eq!(notary.tree().size(), 700, "it looks right");
    for _ in 0..3 {
        notary.advance(4).unwrap();
    }
    assert!(data.join("proofs/tree.rejected").exists());
    assert_eq!(notary.tree().root(700).unwrap(), first.checkpoint.root);
}

#[test]
fn a_wrong_hash_where_the_checkpoint_ends_is_healed_too() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let mut log = TestLog::of(&[600]);
    let first = signed(&log, data);
    log.append(500);
    let tree = data.join("proofs/tree");
    {
        let notary = open(&log, data);
        while !notary.advance(4).unwrap() {}
        notary.save().unwrap();
    }
    // The hash of the events from 513 to 768, in which the checkpoint at 600 lies.
    let mut bytes = OsDisk.read_all(&tree, 1 << 20).unwrap();
    bytes.truncate(bytes.len() - 32);
    bytes[72 + 2 * 32] ^= 1;
    let checksum = encours_log::Hash::of(&bytes);
    bytes.extend_from_slice(&checksum.0);
    OsDisk.replace(&tree, &bytes).unwrap();
    let notary = open(&log, data);
    assert_eq!(notary.tree().size(), 1_100, "it looks right");
    assert!(matches!(notary.tree().root(600), Err(TreeError::Altered { .. })));
    while !notary.advance(4).unwrap() {}
    assert!(data.join("proofs/tree.rejected").exists());
    assert_eq!(notary.tree().root(600).unwrap(), first.checkpoint.root);
    let next = notary.sign().unwrap().unwrap();
    assert_eq!((next.checkpoint.size, next.checkpoint.root), (1_100, root(&log.leaves())));
}

#[test]
fn what_another_key_has_signed_still_binds() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let mut log = TestLog::of(&[300]);
    let first = signed(&log, data);
    OsDisk.remove(&key_path(data)).unwrap();
    // Another log, a shorter one and the same one.
    let mut forged = TestLog::new(2);
    forged.append(300);
    forged.append(1);
    let notary = open(&forged, data);
    assert_eq!(notary.newest(), None, "the new key has signed nothing");
    let said = (0..3).find_map(|_| notary.advance(4).err()).unwrap();
    assert!(matches!(said, NotaryError::Inconsistent { size: 300 }), "{said}");
    let short = TestLog::of(&[200]);
    let notary = open(&short, data);
    while !notary.advance(4).unwrap() {}
    assert!(notary.sign().unwrap().is_none(), "it lacks what was signed");
    let known = newest_known(&OsDisk, data).unwrap().unwrap();
    assert_eq!((known.number, known.hash), (FrameNumber(1), first.checkpoint.frame_hash));
    let notary = open(&log, data);
    while !notary.advance(4).unwrap() {}
    let again = notary.sign().unwrap().unwrap();
    assert_eq!(again.checkpoint, first.checkpoint, "at once, with its own key");
    assert_ne!(again.note, first.note);
    assert_eq!(Checkpoint::open(&again.note, notary.verifier()).unwrap(), first.checkpoint);
    log.append(100);
    while !notary.advance(4).unwrap() {}
    assert_eq!(notary.sign().unwrap().unwrap().checkpoint.size, 400);
}

#[test]
fn a_folder_or_key_that_cannot_be_read_is_not_taken_for_none() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let log = TestLog::of(&[3]);
    signed(&log, data);
    let key = OsDisk.read_all(&key_path(data), KEY_MAX).unwrap();
    OsDisk.replace(&key_path(data), &key[..40]).unwrap();
    assert!(matches!(newest_known(&OsDisk, data), Err(NotaryError::Key { .. })));
    assert!(matches!(stored(&OsDisk, data), Err(StoredError::Key(NotaryError::Key { .. }))));
    OsDisk.replace(&key_path(data), &key).unwrap();
    assert!(newest_known(&OsDisk, data).unwrap().is_some());
    // A file in the place of the folder cannot be listed.
    std::fs::remove_dir_all(checkpoints_dir(data)).unwrap();
    OsDisk.replace(&checkpoints_dir(data), b"").unwrap();
    assert!(matches!(newest_known(&OsDisk, data), Err(NotaryError::Io { .. })));
    let opened = Notary::open(log.reader(), Arc::new(OsDisk), data);
    assert!(matches!(opened, Err(NotaryError::Io { .. })));
}

#[test]
fn a_checkpoint_that_is_damaged_gives_way_to_that_of_the_day() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let first = signed(&TestLog::of(&[3]), data);
    let latest = latest_path(data);
    let altered = first.note.replace("frame 1 ", "frame 2 ");
    OsDisk.replace(&latest, altered.as_bytes()).unwrap();
    assert_eq!(newest_known(&OsDisk, data).unwrap().unwrap().number, FrameNumber(1));
    OsDisk.remove(&day_path(data, &first.checkpoint.day())).unwrap();
    assert_eq!(newest_known(&OsDisk, data).unwrap(), None);
    // Without the key, what can be read is better than nothing.
    OsDisk.remove(&key_path(data)).unwrap();
    assert_eq!(newest_known(&OsDisk, data).unwrap().unwrap().number, FrameNumber(2));
}

#[test]
fn a_key_that_is_damaged_or_of_another_log_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let log = TestLog::of(&[1]);
    let open = || Notary::open(log.reader(), Arc::new(OsDisk), folder.path());
    drop(open().unwrap());
    let path = key_path(folder.path());
    let key = OsDisk.read_all(&path, KEY_MAX).unwrap();
    OsDisk.replace(&path, &key[..40]).unwrap();
    assert!(matches!(open(), Err(NotaryError::Key { .. })));
    let other = Signer::random("encours/00").unwrap();
    OsDisk.replace(&path, other.to_text().as_bytes()).unwrap();
    assert!(matches!(open(), Err(NotaryError::OtherLog { .. })));
    OsDisk.replace(&path, &key).unwrap();
    drop(open().unwrap());
}
