use proptest::prelude::*;

use super::*;
use crate::merkle::{check_consistency, check_inclusion, root};
use crate::testing::TestLog;

fn built(log: &TestLog) -> Tree {
    let tree = Tree::new(log.reader());
    while !tree.advance(3).unwrap() {}
    tree
}

/// The tree's roots and proofs at some sizes against the leaves themselves.
fn holds(tree: &Tree, leaves: &[Hash], sizes: &[u64]) {
    let root_of = |size: u64| root(&leaves[..usize::try_from(size).unwrap()]);
    for &size in sizes {
        assert_eq!(tree.root(size).unwrap(), root_of(size), "size {size}");
        for position in [1, size / 2 + 1, size].into_iter().filter(|at| (1..=size).contains(at)) {
            let leaf = tree.leaf(Position(position)).unwrap();
            assert_eq!(leaf.position, Position(position));
            let path = tree.inclusion(Position(position), size).unwrap();
            let checked = check_inclusion(position - 1, size, &leaf.hash(), &path, &root_of(size));
            assert_eq!(checked, Ok(()), "{position} of {size}");
        }
        for &old in sizes.iter().filter(|old| (1..=size).contains(*old)) {
            let path = tree.consistency(old, size).unwrap();
            let ends = ((old, &root_of(old)), (size, &root_of(size)));
            assert_eq!(check_consistency(ends.0, ends.1, &path), Ok(()), "{old} to {size}");
        }
    }
}

#[test]
fn sizes_around_full_subtrees_hold() {
    let log = TestLog::of(&[1, 2, 0, 253, 1, 0, 255, 300, 700, 1, 535, 7]);
    let (tree, leaves) = (built(&log), log.leaves());
    assert_eq!((tree.size(), leaves.len()), (2_055, 2_055));
    let sizes = [0, 1, 2, 255, 256, 257, 511, 512, 513, 768, 1_023, 1_024, 1_025, 2_048, 2_055];
    holds(&tree, &leaves, &sizes);
    let head = tree.head();
    let tail = log.reader().tail();
    assert_eq!((head.size, head.root), (2_055, root(&leaves)));
    assert_eq!((head.frame, head.frame_hash), (tail.number, tail.hash));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn any_frames_and_sizes_hold(
        frames in prop::collection::vec(0_u32..400, 1..24),
        at in prop::collection::vec(0..=1_000_u64, 6),
    ) {
        let log = TestLog::of(&frames);
        let (tree, leaves) = (built(&log), log.leaves());
        let scaled = |part: &u64| part * leaves.len() as u64 / 1_000;
        holds(&tree, &leaves, &at.iter().map(scaled).collect::<Vec<_>>());
        prop_assert_eq!(tree.head().root, root(&leaves));
    }
}

#[test]
fn it_follows_in_steps_and_says_what_it_does_not_have() {
    let mut log = TestLog::of(&[200, 200]);
    let tree = Tree::new(log.reader());
    assert_eq!(tree.head().root, merkle::empty_root());
    assert!(!tree.advance(1).unwrap());
    assert_eq!((tree.size(), tree.log_size()), (200, 400));
    let behind = tree.root(400).unwrap_err();
    assert!(matches!(behind, TreeError::Behind { asked: 400, size: 200 }), "{behind}");
    assert!(matches!(tree.reach(400, 0), Err(TreeError::Behind { .. })));
    tree.reach(400, 1).unwrap();
    let outside = tree.reach(401, 9).unwrap_err();
    assert!(matches!(outside, TreeError::Outside { asked: 401, size: 400 }), "{outside}");
    for (position, size) in [(0, 400), (300, 299), (401, 400)] {
        let refused = tree.inclusion(Position(position), size).unwrap_err();
        assert!(matches!(refused, TreeError::Outside { .. }), "{refused}");
    }
    for (old, new) in [(0, 400), (301, 300)] {
        assert!(matches!(tree.consistency(old, new), Err(TreeError::Outside { .. })));
    }
    for position in [0, 401] {
        assert!(matches!(tree.leaf(Position(position)), Err(TreeError::Outside { .. })));
    }
    log.append(1);
    assert!(tree.advance(8).unwrap());
    assert_eq!(tree.head().root, root(&log.leaves()));
}

#[test]
fn events_that_were_altered_since_are_not_proved() {
    let log = TestLog::of(&[300]);
    let tree = built(&log);
    let mut other = TestLog::new(2);
    other.append(300);
    let forged = Tree::with_state(other.reader(), tree.state().clone());
    for position in [1, 256, 257, 300] {
        let refused = forged.inclusion(Position(position), 300).unwrap_err();
        assert!(matches!(refused, TreeError::Altered { .. }), "{refused}");
    }
}
