//! From ids to dense numbers: a hash table of numbers whose texts stay in the heap.
//!
//! Eight bytes a slot instead of a copy of every id. Kept in memory only and built anew at load;
//! nothing ever walks it, so its order decides nothing.

use std::hash::{BuildHasher, Hasher, RandomState};

/// No number in this slot.
const FREE: u32 = u32::MAX;

/// Numbers by the hash of what names them.
#[derive(Clone, Debug, Default)]
pub(crate) struct IdIndex {
    /// Hash and number; a power of two of them, at most three quarters taken.
    slots: Vec<(u32, u32)>,
    taken: usize,
    // WHY random keys: callers choose the ids, and must not choose where they collide.
    keys: RandomState,
}

impl IdIndex {
    fn hash(&self, id: &[u8]) -> u32 {
        // WHY not `hash_one`: it hashes the length too, which tells nothing more of one id alone.
        let mut hasher = self.keys.build_hasher();
        hasher.write(id);
        u32::try_from(hasher.finish() >> 32).unwrap_or_default()
    }

    /// Adds a number under an id that is not in yet.
    pub(crate) fn insert(&mut self, id: &[u8], number: u32) {
        if self.taken * 4 >= self.slots.len() * 3 {
            let larger = vec![(0, FREE); (self.slots.len() * 2).max(16)];
            for (hash, number) in std::mem::replace(&mut self.slots, larger) {
                if number != FREE {
                    self.place(hash, number);
                }
            }
        }
        self.place(self.hash(id), number);
        self.taken += 1;
    }

    fn place(&mut self, hash: u32, number: u32) {
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        while self.slots[at].1 != FREE {
            at = (at + 1) & mask;
        }
        self.slots[at] = (hash, number);
    }

    /// The number under this id; `is` says whether a number has it.
    pub(crate) fn find(&self, id: &[u8], is: impl Fn(u32) -> bool) -> Option<u32> {
        let mask = self.slots.len().checked_sub(1)?;
        let hash = self.hash(id);
        let mut at = hash as usize & mask;
        // Ends: a quarter of the slots is free.
        loop {
            match self.slots[at] {
                (_, FREE) => return None,
                (found, number) if found == hash && is(number) => return Some(number),
                _ => at = (at + 1) & mask,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_by_id_alone() {
        let ids: Vec<String> = (0..5_000).map(|n| format!("INV-{n}")).collect();
        let mut index = IdIndex::default();
        assert_eq!(index.find(b"INV-0", |_| true), None);
        for (number, id) in (0..).zip(&ids) {
            index.insert(id.as_bytes(), number);
        }
        for (number, id) in (0..).zip(&ids) {
            assert_eq!(index.find(id.as_bytes(), |n| ids[n as usize] == *id), Some(number));
        }
        assert_eq!(index.find(b"INV-5000", |n| ids[n as usize] == "INV-5000"), None);
    }
}
