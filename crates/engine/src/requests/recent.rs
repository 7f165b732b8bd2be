//! The newest request ids, in memory.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use encours_domain::Position;

use super::files::Lookup;
use super::{Entry, Fingerprint, IdFileError};

/// Frozen generations that stay in memory after they were written.
const KEPT: usize = 2;
/// Frozen generations at which commands with request ids have to wait for the background step.
const BEHIND: usize = 8;
/// Room beyond the size at which a generation is frozen, for the ids of one frame.
const SLACK: usize = 4_096;

/// Ids of the commands in a stretch of the log.
#[derive(Debug)]
pub(crate) struct Generation {
    /// The first position of the stretch.
    pub(crate) first: Position,
    /// The last position of the stretch, inclusive.
    pub(crate) last: Position,
    ids: HashMap<Fingerprint, Position>,
}

impl Generation {
    fn new(first: Position, size: usize) -> Self {
        Self { first, last: Position(first.0 - 1), ids: HashMap::with_capacity(size + SLACK) }
    }

    /// The ids, sorted by fingerprint.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let mut entries: Vec<Entry> =
            self.ids.iter().map(|(id, position)| Entry { id: *id, position: *position }).collect();
        entries.sort_unstable();
        entries
    }
}

/// All request ids: the newest here, older ones through [`Lookup`].
#[derive(Debug)]
pub(crate) struct Requests {
    size: usize,
    current: Generation,
    frozen: VecDeque<Arc<Generation>>,
    older: Lookup,
}

impl Requests {
    /// An index that has everything up to the coverage of `older`; generations hold `size` ids.
    pub(crate) fn new(older: Lookup, size: usize) -> Self {
        let first = older.covered().next();
        Self { size, current: Generation::new(first, size), frozen: VecDeque::new(), older }
    }

    /// The last position whose command is known here.
    pub(crate) fn covered(&self) -> Position {
        self.current.last
    }

    /// The position of the first event of the command with this id.
    pub(crate) fn get(&self, id: &Fingerprint) -> Result<Option<Position>, IdFileError> {
        let newest = self.current.ids.get(id);
        let recent = || self.frozen.iter().rev().find_map(|generation| generation.ids.get(id));
        match newest.or_else(recent) {
            Some(position) => Ok(Some(*position)),
            None => self.older.get(id),
        }
    }

    /// Notes a command, whose first event stands at `position`.
    pub(crate) fn insert(&mut self, id: Fingerprint, position: Position) {
        self.current.ids.insert(id, position);
    }

    /// Notes that every command up to `position` has been seen.
    pub(crate) fn cover(&mut self, position: Position) {
        self.current.last = self.current.last.max(position);
    }

    /// Whether the background step has fallen behind so far that new ids must wait.
    pub(crate) fn is_behind(&self) -> bool {
        self.frozen.len() >= BEHIND
    }

    /// Freezes the newest generation where it is full, or where `early` and it holds any position.
    pub(crate) fn freeze(&mut self, early: bool) -> Option<Arc<Generation>> {
        let is_full = self.current.ids.len() >= self.size;
        let is_wanted = is_full || (early && self.current.last >= self.current.first);
        if !is_wanted {
            return None;
        }
        let next = Generation::new(self.current.last.next(), self.size);
        let frozen = Arc::new(std::mem::replace(&mut self.current, next));
        self.frozen.push_back(Arc::clone(&frozen));
        Some(frozen)
    }

    /// Takes over what the background step has written.
    pub(crate) fn written(&mut self, older: Lookup) {
        self.older = older;
        while self.frozen.len() > KEPT
            && self.frozen.front().is_some_and(|oldest| oldest.last <= self.older.covered())
        {
            self.frozen.pop_front();
        }
    }
}
