use encours_log::OsDisk;

use super::*;
use crate::merkle::root;
use crate::testing::TestLog;

fn built(log: &TestLog) -> Tree {
    let tree = Tree::new(log.reader());
    while !tree.advance(16).unwrap() {}
    tree
}

#[test]
fn a_tree_goes_on_from_its_file() {
    let data = tempfile::tempdir().unwrap();
    for frames in [&[3][..], &[256], &[100, 412], &[400, 113]] {
        let mut log = TestLog::of(frames);
        built(&log).save(&OsDisk, data.path()).unwrap();
        log.append(300);
        let tree = Tree::load(log.reader(), &OsDisk, data.path());
        assert_eq!(tree.size(), u64::from(frames.iter().sum::<u32>()));
        assert!(tree.advance(1).unwrap());
        assert_eq!(tree.head().root, root(&log.leaves()));
        assert_eq!(tree.root(2).unwrap(), root(&log.leaves()[..2]));
    }
    assert!(!data.path().join("proofs/tree.rejected").exists());
}

#[test]
fn a_file_that_is_damaged_in_any_byte_is_set_aside() {
    let data = tempfile::tempdir().unwrap();
    let log = TestLog::of(&[300]);
    built(&log).save(&OsDisk, data.path()).unwrap();
    let path = path(data.path());
    let good = OsDisk.read_all(&path, 1 << 20).unwrap();
    assert_eq!(good.len(), HEADER_LEN + 32 * (1 + 44 + 1));
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        OsDisk.replace(&path, &bad).unwrap();
        assert_eq!(Tree::load(log.reader(), &OsDisk, data.path()).size(), 0, "byte {at}");
        assert!(!path.exists());
    }
    for cut in [0, 31, 71, 200, good.len() - 1] {
        OsDisk.replace(&path, &good[..cut]).unwrap();
        assert_eq!(Tree::load(log.reader(), &OsDisk, data.path()).size(), 0, "cut at {cut}");
    }
    OsDisk.replace(&path, &good).unwrap();
    assert_eq!(Tree::load(log.reader(), &OsDisk, data.path()).size(), 300);
}

#[test]
fn a_file_of_another_log_or_with_other_hashes_is_not_believed() {
    let data = tempfile::tempdir().unwrap();
    let log = TestLog::of(&[300]);
    let tree = built(&log);
    tree.save(&OsDisk, data.path()).unwrap();
    // Another log of the same id, and one that ends before.
    let mut other = TestLog::new(2);
    other.append(300);
    assert_eq!(Tree::load(other.reader(), &OsDisk, data.path()).size(), 0);
    tree.save(&OsDisk, data.path()).unwrap();
    assert_eq!(Tree::load(TestLog::of(&[200]).reader(), &OsDisk, data.path()).size(), 0);
    // Hashes that somebody has put in, with a checksum that fits.
    for at in [HEADER_LEN, HEADER_LEN + 32 * 44] {
        let mut forged = body(log.reader().log_id(), &tree.state());
        forged[at] ^= 1;
        seal(&mut forged);
        OsDisk.replace(&path(data.path()), &forged).unwrap();
        assert_eq!(Tree::load(log.reader(), &OsDisk, data.path()).size(), 0, "byte {at}");
    }
}
