//! The Merkle tree of RFC 6962 (the same in RFC 9162): hashes, proofs and their checks.
//!
//! A tree of `size` leaves is a pure function of their hashes. Which hashes a proof is made of is
//! told as ranges of leaves, so that who holds the leaves need not know the shape of the tree:
//! [`inclusion_ranges`] and [`consistency_ranges`] name the subtrees, whose roots are the proof.
//!
//! WHY no library: those there are keep every leaf in memory or number nodes in a way of their own,
//! and say of themselves that nobody has audited them. This is a page of code, held in tests against
//! published vectors and against the recursive definition.

use std::ops::Range;

use encours_log::Hash;
use sha2::{Digest as _, Sha256};

/// What is hashed before a leaf.
const LEAF: [u8; 1] = [0];
/// What is hashed before two nodes.
const NODE: [u8; 1] = [1];

/// Why a proof does not prove what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// There is no such leaf, or the older tree is the larger one.
    #[error("the proof is about something outside of the tree")]
    Outside,
    /// A proof of these sizes has another number of hashes.
    #[error("the proof has {found} hashes, which no proof of this size has")]
    Length {
        /// Hashes it has.
        found: usize,
    },
    /// It leads to another root than that of the (newer) tree.
    #[error("the proof leads to another root")]
    Root,
    /// It leads to another root than that of the older tree.
    #[error("the proof leads to another root of the older tree")]
    OldRoot,
}

/// The hash of a leaf with this input.
#[must_use]
pub fn leaf_hash(input: &[u8]) -> Hash {
    hash(&[&LEAF, input])
}

/// The hash of a node over two others.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    hash(&[&NODE, &left.0, &right.0])
}

/// The root of the tree over no leaves.
#[must_use]
pub fn empty_root() -> Hash {
    hash(&[])
}

/// The hash of a leaf, of which the input comes in parts.
pub(crate) fn leaf_hash_of_parts(parts: &[&[u8]]) -> Hash {
    let mut digest = Sha256::new_with_prefix(LEAF);
    for part in parts {
        digest.update(part);
    }
    Hash(digest.finalize().into())
}

fn hash(parts: &[&[u8]]) -> Hash {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part);
    }
    Hash(digest.finalize().into())
}

/// The root over leaves of these hashes.
#[must_use]
pub fn root(leaves: &[Hash]) -> Hash {
    // The rightmost subtree of a level may stand alone: it goes up as it is.
    let mut level = leaves.to_vec();
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => node_hash(left, right),
                rest => rest[0],
            })
            .collect();
    }
    level.first().copied().unwrap_or_else(empty_root)
}

/// The root of a tree that grows leaf by leaf, for those who need neither leaves nor proofs later: of
/// any number of leaves it keeps some sixty hashes at most.
#[derive(Clone, Debug, Default)]
pub struct Frontier {
    size: u64,
    /// The roots of the full subtrees that the tree is made of, the largest first: one for each power
    /// of two in its size.
    peaks: Vec<Hash>,
}

impl Frontier {
    /// Leaves so far.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Takes the hash of the next leaf in.
    pub fn push(&mut self, leaf: Hash) {
        self.size += 1;
        let full = self.peaks.len().saturating_sub(self.size.trailing_zeros() as usize);
        let lefts = self.peaks.drain(full..).rev();
        let peak = lefts.fold(leaf, |right, left| node_hash(&left, &right));
        self.peaks.push(peak);
    }

    /// The root over all of them.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let last = peaks.next().copied().unwrap_or_else(empty_root);
        peaks.fold(last, |right, left| node_hash(left, &right))
    }
}

/// Where a subtree of `len` leaves is split: the largest power of two below `len`, which is at least
/// 2.
#[must_use]
pub(crate) const fn split(len: u64) -> u64 {
    1 << (u64::BITS - 1 - (len - 1).leading_zeros())
}

/// The leaves, from 0, whose subtrees prove that leaf `index` is in the tree of `size` leaves, from
/// the leaf up; `None` where it is not.
#[must_use]
pub fn inclusion_ranges(index: u64, size: u64) -> Option<Vec<Range<u64>>> {
    if index >= size {
        return None;
    }
    let (mut ranges, mut within) = (Vec::new(), 0..size);
    while within.end - within.start > 1 {
        let middle = within.start + split(within.end - within.start);
        let (left, right) = (within.start..middle, middle..within.end);
        let (here, beside) = if index < middle { (left, right) } else { (right, left) };
        ranges.push(beside);
        within = here;
    }
    ranges.reverse();
    Some(ranges)
}

/// The leaves, from 0, whose subtrees prove that the tree of `old` leaves is the beginning of the one
/// of `new` leaves; `None` where `old` is 0 or above `new`. The proof of equal sizes is empty.
#[must_use]
pub fn consistency_ranges(old: u64, new: u64) -> Option<Vec<Range<u64>>> {
    if old == 0 || old > new {
        return None;
    }
    let (mut ranges, mut within) = (Vec::new(), 0..new);
    while within.end != old {
        let middle = within.start + split(within.end - within.start);
        let (left, right) = (within.start..middle, middle..within.end);
        let (here, beside) = if old <= middle { (left, right) } else { (right, left) };
        ranges.push(beside);
        within = here;
    }
    // Who checks knows the root of the older tree already where that is one whole subtree.
    if within.start > 0 {
        ranges.push(within);
    }
    ranges.reverse();
    Some(ranges)
}

/// The root of the tree of `size` leaves that a proof leads to for the leaf `index`, from 0, with the
/// hash `leaf`.
///
/// # Errors
/// [`ProofError::Outside`], [`ProofError::Length`].
pub fn root_of_inclusion(
    index: u64,
    size: u64,
    leaf: &Hash,
    path: &[Hash],
) -> Result<Hash, ProofError> {
    if index >= size {
        return Err(ProofError::Outside);
    }
    let wrong = ProofError::Length { found: path.len() };
    let (mut node, mut last, mut root) = (index, size - 1, *leaf);
    for hash in path {
        if last == 0 {
            return Err(wrong);
        }
        if node % 2 == 1 || node == last {
            root = node_hash(hash, &root);
            while node % 2 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            root = node_hash(&root, hash);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last == 0 { Ok(root) } else { Err(wrong) }
}

/// Checks that the leaf `index`, from 0, with the hash `leaf` is in the tree of `size` leaves with
/// this root.
///
/// # Errors
/// [`ProofError`] where that is not proved.
pub fn check_inclusion(
    index: u64,
    size: u64,
    leaf: &Hash,
    path: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    if root_of_inclusion(index, size, leaf, path)? == *root {
        Ok(())
    } else {
        Err(ProofError::Root)
    }
}

/// Checks that the tree of `old` leaves, at least 1, with the root `old_root` is the beginning of the
/// tree of `new` leaves with the root `new_root`.
///
/// # Errors
/// [`ProofError`] where that is not proved.
pub fn check_consistency(
    (old, old_root): (u64, &Hash),
    (new, new_root): (u64, &Hash),
    path: &[Hash],
) -> Result<(), ProofError> {
    if old == 0 || old > new {
        return Err(ProofError::Outside);
    }
    let wrong = ProofError::Length { found: path.len() };
    if old == new {
        let same = if old_root == new_root { Ok(()) } else { Err(ProofError::Root) };
        return if path.is_empty() { same } else { Err(wrong) };
    }
    let (first, rest) = match path.split_first() {
        _ if old.is_power_of_two() => (*old_root, path),
        Some((first, rest)) => (*first, rest),
        None => return Err(wrong),
    };
    if path.is_empty() {
        return Err(wrong);
    }
    let shift = (old - 1).trailing_ones();
    let (mut node, mut last) = ((old - 1) >> shift, (new - 1) >> shift);
    let (mut old_side, mut new_side) = (first, first);
    for hash in rest {
        if last == 0 {
            return Err(wrong);
        }
        if node % 2 == 1 || node == last {
            old_side = node_hash(hash, &old_side);
            new_side = node_hash(hash, &new_side);
            while node % 2 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            new_side = node_hash(&new_side, hash);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last != 0 {
        return Err(wrong);
    }
    if old_side != *old_root {
        return Err(ProofError::OldRoot);
    }
    if new_side == *new_root { Ok(()) } else { Err(ProofError::Root) }
}

#[cfg(test)]
mod tests;
