//! The tree over a log's events, as far as it has been followed.
//!
//! In memory are the hashes of full subtrees of 256 leaves and above: 64 bytes for 256 events. What is
//! below is read from the log and hashed anew when a proof needs it, and held against the hash above.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use encours_domain::{Micros, Position};
use encours_log::{Frame, FrameNumber, Hash, LogError, LogId, LogReader, Tail};

use crate::leaf::{Leaf, leaves};
use crate::merkle;

/// Leaves of the smallest subtree whose hash is kept.
pub const CHUNK: u64 = 256;

/// Why the tree has no answer.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Something beyond the end of the log, or before its first event, was asked for.
    #[error("{asked} is outside of the log, which has {size} events")]
    Outside {
        /// What was asked for.
        asked: u64,
        /// Events of the log.
        size: u64,
    },
    /// What was asked for lies beyond the tree that is meant.
    #[error("{what} is {asked}, the tree has {size} events")]
    Beyond {
        /// Which part of the question, by its name in the API.
        what: &'static str,
        /// What was asked for.
        asked: u64,
        /// Events of the tree.
        size: u64,
    },
    /// The tree has not come as far yet.
    #[error("the tree has {size} events of {asked} so far")]
    Behind {
        /// What was asked for.
        asked: u64,
        /// Events in the tree.
        size: u64,
    },
    /// The events of a subtree have another hash than when they were hashed first.
    #[error("the events from position {first} on are not those that were hashed before")]
    Altered {
        /// The first event of the subtree.
        first: Position,
    },
}

/// The tree at the end of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Leaves: the position of the last event.
    pub size: u64,
    /// The root.
    pub root: Hash,
    /// The last frame; [`FrameNumber::START`] where there is none.
    pub frame: FrameNumber,
    /// Its hash.
    pub frame_hash: Hash,
    /// When it was recorded.
    pub recorded_at: Micros,
}

/// The tree over a log's events.
pub struct Tree {
    reader: Arc<dyn LogReader>,
    state: Mutex<State>,
}

/// What is known of the tree.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) full: Full,
    /// The leaves after the last full subtree: fewer than [`CHUNK`].
    pub(crate) rest: Vec<Hash>,
    /// The last frame whose events are in the tree.
    pub(crate) at: Tail,
}

/// The hashes of full subtrees: level 0 has those of [`CHUNK`] leaves, each further one those of twice
/// as many.
#[derive(Clone, Default)]
pub(crate) struct Full {
    levels: Vec<Vec<Hash>>,
}

impl Full {
    /// Adds a full subtree of [`CHUNK`] leaves, and those above that it completes.
    pub(crate) fn push(&mut self, mut hash: Hash) {
        for level in 0.. {
            if level == self.levels.len() {
                self.levels.push(Vec::new());
            }
            let hashes = &mut self.levels[level];
            hashes.push(hash);
            match &**hashes {
                [.., left, right] if hashes.len().is_multiple_of(2) => {
                    hash = merkle::node_hash(left, right);
                }
                _ => return,
            }
        }
    }

    /// The hashes of the subtrees of [`CHUNK`] leaves.
    pub(crate) fn chunks(&self) -> &[Hash] {
        self.levels.first().map_or(&[], Vec::as_slice)
    }

    /// The hash of these leaves, where they are one of the subtrees.
    fn get(&self, leaves: &Range<u64>) -> Option<Hash> {
        let len = leaves.end - leaves.start;
        if !len.is_power_of_two() || len < CHUNK || !leaves.start.is_multiple_of(len) {
            return None;
        }
        let level = usize::try_from((len / CHUNK).trailing_zeros()).ok()?;
        let index = usize::try_from(leaves.start / len).ok()?;
        self.levels.get(level)?.get(index).copied()
    }

    /// The root over all of them and what comes after.
    fn root(&self, rest: &[Hash]) -> Hash {
        let peaks = self.levels.iter().filter(|level| level.len() % 2 == 1);
        let mut peaks = peaks.filter_map(|level| level.last());
        let first = match rest {
            [] => peaks.next().copied().unwrap_or_else(merkle::empty_root),
            rest => merkle::root(rest),
        };
        peaks.fold(first, |right, left| merkle::node_hash(left, &right))
    }
}

impl State {
    pub(crate) fn empty(log_id: LogId) -> Self {
        Self { full: Full::default(), rest: Vec::new(), at: Tail::genesis(log_id) }
    }

    /// Leaves of the tree.
    pub(crate) const fn size(&self) -> u64 {
        self.at.next_position.0.saturating_sub(1)
    }

    fn push(&mut self, leaf: Hash) {
        self.rest.push(leaf);
        if self.rest.len() as u64 == CHUNK {
            self.full.push(merkle::root(&self.rest));
            self.rest.clear();
        }
    }
}

impl std::fmt::Debug for Tree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tree").field("size", &self.size()).finish_non_exhaustive()
    }
}

impl Tree {
    /// A tree that has read nothing of its log yet.
    #[must_use]
    pub fn new(reader: Arc<dyn LogReader>) -> Self {
        let state = Mutex::new(State::empty(reader.log_id()));
        Self { reader, state }
    }

    pub(crate) fn with_state(reader: Arc<dyn LogReader>, state: State) -> Self {
        Self { reader, state: Mutex::new(state) }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The log.
    #[must_use]
    pub fn log_id(&self) -> LogId {
        self.reader.log_id()
    }

    /// Events in the tree so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.state().size()
    }

    /// Events in the log.
    #[must_use]
    pub fn log_size(&self) -> u64 {
        self.reader.tail().next_position.0.saturating_sub(1)
    }

    /// Forgets everything: what comes is built from the log's first frame.
    pub(crate) fn reset(&self) {
        *self.state() = State::empty(self.reader.log_id());
    }

    /// Takes up to `frames` more frames in; true where that was all there are.
    ///
    /// # Errors
    /// [`TreeError::Log`]; the tree stands before the frame that cannot be read.
    pub fn advance(&self, frames: u32) -> Result<bool, TreeError> {
        let last = self.reader.tail().number;
        let mut state = self.state();
        for _ in 0..frames {
            if state.at.number >= last {
                break;
            }
            let number = state.at.number.next();
            let frame = self.frame(number)?;
            let next = state.at.follow(self.reader.log_id(), frame.header());
            let next = next.map_err(|source| LogError::NotNext { frame: number, source })?;
            for leaf in leaves(&frame) {
                state.push(leaf.hash());
            }
            state.at = next;
        }
        Ok(state.at.number >= last)
    }

    /// Takes frames in until the tree has `size` leaves.
    ///
    /// # Errors
    /// [`TreeError::Outside`] where the log has fewer events, [`TreeError::Behind`] where `frames`
    /// more frames are not enough, [`TreeError::Log`].
    pub fn reach(&self, size: u64, mut frames: u32) -> Result<(), TreeError> {
        let there = self.log_size();
        if size > there {
            return Err(TreeError::Outside { asked: size, size: there });
        }
        while self.size() < size {
            // One at a time, so that who else asks need not wait for all of them.
            self.advance(1)?;
            frames = frames
                .checked_sub(1)
                .ok_or_else(|| TreeError::Behind { asked: size, size: self.size() })?;
        }
        Ok(())
    }

    /// The tree as it stands.
    #[must_use]
    pub fn head(&self) -> Head {
        let state = self.state();
        Head {
            size: state.size(),
            root: state.full.root(&state.rest),
            frame: state.at.number,
            frame_hash: state.at.hash,
            recorded_at: state.at.recorded_at,
        }
    }

    /// The root of the tree over the first `size` events.
    ///
    /// # Errors
    /// [`TreeError`]; [`TreeError::Behind`] where the tree has fewer yet.
    pub fn root(&self, size: u64) -> Result<Hash, TreeError> {
        self.holds(size)?;
        Hashing::new(self).hash(0..size)
    }

    /// Proves that the event at `position` is in the tree over the first `size` events.
    ///
    /// # Errors
    /// [`TreeError`]; [`TreeError::Outside`] where it is not.
    pub fn inclusion(&self, position: Position, size: u64) -> Result<Vec<Hash>, TreeError> {
        self.holds(size)?;
        let outside = TreeError::Outside { asked: position.0, size };
        let index = position.0.checked_sub(1);
        let ranges = index.and_then(|index| merkle::inclusion_ranges(index, size));
        Hashing::new(self).all(ranges.ok_or(outside)?)
    }

    /// Proves that the tree over the first `old` events, at least 1, is the beginning of that over the
    /// first `new`.
    ///
    /// # Errors
    /// [`TreeError`]; [`TreeError::Outside`] where it is not.
    pub fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, TreeError> {
        self.holds(new)?;
        let outside = TreeError::Outside { asked: old, size: new };
        Hashing::new(self).all(merkle::consistency_ranges(old, new).ok_or(outside)?)
    }

    /// The event at `position`, as the tree has it.
    ///
    /// # Errors
    /// [`TreeError::Outside`], [`TreeError::Log`].
    pub fn leaf(&self, position: Position) -> Result<Leaf, TreeError> {
        let outside = TreeError::Outside { asked: position.0, size: self.log_size() };
        let number = self.reader.frame_of(position).ok_or(outside.clone())?;
        let found = leaves(&self.frame(number)?).into_iter().find(|leaf| leaf.position == position);
        found.ok_or(outside)
    }

    /// The hash of a frame; `None` where the log has none of this number.
    ///
    /// # Errors
    /// [`TreeError::Log`].
    pub fn frame_hash(&self, number: FrameNumber) -> Result<Option<Hash>, TreeError> {
        Ok(self.reader.read(number)?.map(|frame| frame.hash()))
    }

    fn holds(&self, size: u64) -> Result<(), TreeError> {
        let there = self.size();
        if size <= there { Ok(()) } else { Err(TreeError::Behind { asked: size, size: there }) }
    }

    fn frame(&self, number: FrameNumber) -> Result<Frame, LogError> {
        self.reader.read(number)?.ok_or(LogError::NoSegment { frame: number })
    }

    /// The hashes of the leaves from `first`, from 0, to the end of its subtree of [`CHUNK`] leaves, or
    /// to that of the tree, from the log.
    pub(crate) fn chunk(&self, first: u64) -> Result<Vec<Hash>, TreeError> {
        loop {
            let end = self.size().min(first + CHUNK);
            let hashes = self.leaves_of(first..end)?;
            let state = self.state();
            let is_same = match state.full.get(&(first..first + CHUNK)) {
                // It was completed meanwhile.
                Some(_) if (hashes.len() as u64) < CHUNK && end < state.size() => continue,
                Some(stored) => merkle::root(&hashes) == stored,
                None => state.rest.get(..hashes.len()) == Some(&hashes[..]),
            };
            let altered = TreeError::Altered { first: Position(first + 1) };
            return if is_same { Ok(hashes) } else { Err(altered) };
        }
    }

    /// The hashes of these leaves, from the log.
    fn leaves_of(&self, wanted: Range<u64>) -> Result<Vec<Hash>, TreeError> {
        let mut hashes = Vec::new();
        let mut number = self.reader.frame_of(Position(wanted.start + 1));
        while let Some(at) = number.filter(|_| wanted.start + (hashes.len() as u64) < wanted.end) {
            let leaves = leaves(&self.frame(at)?);
            let leaves = leaves.iter().filter(|leaf| wanted.contains(&(leaf.position.0 - 1)));
            hashes.extend(leaves.map(Leaf::hash));
            number = Some(at.next());
        }
        Ok(hashes)
    }
}

/// Computes hashes of subtrees; what it reads from the log it reads once.
struct Hashing<'a> {
    tree: &'a Tree,
    chunks: BTreeMap<u64, Vec<Hash>>,
}

impl<'a> Hashing<'a> {
    const fn new(tree: &'a Tree) -> Self {
        Self { tree, chunks: BTreeMap::new() }
    }

    fn all(&mut self, ranges: Vec<Range<u64>>) -> Result<Vec<Hash>, TreeError> {
        ranges.into_iter().map(|range| self.hash(range)).collect()
    }

    fn hash(&mut self, leaves: Range<u64>) -> Result<Hash, TreeError> {
        let len = leaves.end - leaves.start;
        if let Some(hash) = self.tree.state().full.get(&leaves) {
            return Ok(hash);
        }
        // INVARIANT: a subtree begins at a multiple of the power of two at or above its length, so
        // that one of at most 256 leaves lies in one chunk.
        if len <= CHUNK {
            return self.below(leaves);
        }
        let middle = leaves.start + merkle::split(len);
        let left = self.hash(leaves.start..middle)?;
        let right = self.hash(middle..leaves.end)?;
        Ok(merkle::node_hash(&left, &right))
    }

    fn below(&mut self, leaves: Range<u64>) -> Result<Hash, TreeError> {
        let first = leaves.start - leaves.start % CHUNK;
        if !self.chunks.contains_key(&first) {
            self.chunks.insert(first, self.tree.chunk(first)?);
        }
        let chunk = self.chunks.get(&first).map_or(&[][..], Vec::as_slice);
        let within = |leaf: u64| usize::try_from(leaf - first).ok();
        let range = within(leaves.start).zip(within(leaves.end));
        let hashes = range.and_then(|(start, end)| chunk.get(start..end));
        let altered = TreeError::Altered { first: Position(first + 1) };
        hashes.map(merkle::root).ok_or(altered)
    }
}

#[cfg(test)]
mod tests;
