//! Names: the numbers that ids, document numbers and references stand for.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::indexes::Kind;
use crate::number::LedgerNo;

/// WHY many tables: one for all would stop the writer each time it doubles.
const SHARDS: usize = 1_024;

/// Names by their hash. Nothing ever walks them, so their order decides nothing.
#[derive(Debug)]
pub(super) struct Names {
    salt: u64,
    shards: Vec<HashMap<Slot, Named, BuildHasherDefault<AsItIs>>>,
}

/// The hash of a name, and how many others with the same hash came before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot {
    hash: u64,
    nth: u32,
}

impl Slot {
    /// Which table it belongs to. WHY these bits: a table goes by the lowest and the highest ones.
    fn shard(self) -> usize {
        usize::try_from((self.hash >> 32) % SHARDS as u64).unwrap_or_default()
    }
}

impl Hash for Slot {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash.wrapping_add(u64::from(self.nth)));
    }
}

/// Passes a hash on.
#[derive(Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// What a name stands for.
#[derive(Debug)]
struct Named {
    kind: Kind,
    ledger: LedgerNo,
    number: u32,
    text: Arc<str>,
}

impl Names {
    /// No names yet. WHY a salt: callers choose ids, and who knows the salt could choose where they
    /// collide. A collision costs time only.
    pub(super) fn new(salt: u64) -> Self {
        Self { salt, shards: (0..SHARDS).map(|_| HashMap::default()).collect() }
    }

    /// The number of a name.
    pub(super) fn find(&self, kind: Kind, ledger: LedgerNo, text: &str) -> Option<u32> {
        self.look(kind, ledger, text).ok().map(|(_, number)| number)
    }

    /// Gives a number a name; of several with the same, it is that of the lowest. WHY: so it does not
    /// matter in which order they come, when a command is applied or when rows are loaded.
    pub(super) fn add(&mut self, kind: Kind, ledger: LedgerNo, text: &Arc<str>, number: u32) {
        match self.look(kind, ledger, text) {
            Ok((_, known)) if known <= number => {}
            Ok((slot, _)) | Err(slot) => {
                let named = Named { kind, ledger, number, text: Arc::clone(text) };
                self.shards[slot.shard()].insert(slot, named);
            }
        }
    }

    /// The slot and the number of a name, or the slot that is free for it.
    fn look(&self, kind: Kind, ledger: LedgerNo, text: &str) -> Result<(Slot, u32), Slot> {
        let mut slot = Slot { hash: self.hash(kind, ledger, text), nth: 0 };
        let shard = &self.shards[slot.shard()];
        while let Some(named) = shard.get(&slot) {
            if named.kind == kind && named.ledger == ledger && *named.text == *text {
                return Ok((slot, named.number));
            }
            slot.nth += 1;
        }
        Err(slot)
    }

    fn hash(&self, kind: Kind, ledger: LedgerNo, text: &str) -> u64 {
        let (kind, customer, currency) = kind.code();
        let mut head = [0; 21];
        head[..8].copy_from_slice(&self.salt.to_le_bytes());
        head[8..12].copy_from_slice(&ledger.0.to_le_bytes());
        head[12..16].copy_from_slice(&customer.to_le_bytes());
        head[16..20].copy_from_slice(&currency.to_le_bytes());
        head[20] = kind;
        let mut hasher = DefaultHasher::new();
        hasher.write(&head);
        hasher.write(text.as_bytes());
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::currency::Currency;
    use crate::number::CustomerNo;

    #[test]
    fn a_name_is_found_by_all_of_its_parts() {
        let mut names = Names::new(7);
        let (one, two) = (LedgerNo(1), LedgerNo(2));
        let [euro, dollar] = ["EUR", "USD"].map(|code| Currency::parse("currency", code).unwrap());
        let kinds = [
            Kind::Invoice,
            Kind::Payment,
            Kind::Reference(CustomerNo(0), euro),
            Kind::Reference(CustomerNo(0), dollar),
            Kind::Reference(CustomerNo(1), euro),
        ];
        let mut number = 0;
        for kind in kinds {
            for ledger in [one, two] {
                for text in ["a", "b", ""] {
                    assert_eq!(names.find(kind, ledger, text), None);
                    for other in [number + 1, number, number + 2] {
                        names.add(kind, ledger, &text.into(), other);
                    }
                    assert_eq!(names.find(kind, ledger, text), Some(number), "the lowest has it");
                    number += 1;
                }
            }
        }
    }

    #[test]
    fn names_of_one_hash_are_told_apart() {
        let mut names = Names::new(0);
        let slot = Slot { hash: names.hash(Kind::Invoice, LedgerNo(0), "wanted"), nth: 0 };
        let other = |number| Named {
            kind: Kind::Invoice,
            ledger: LedgerNo(0),
            number,
            text: format!("other-{number}").into(),
        };
        for nth in 0..3 {
            names.shards[slot.shard()].insert(Slot { nth, ..slot }, other(nth));
        }
        assert_eq!(names.find(Kind::Invoice, LedgerNo(0), "wanted"), None);
        names.add(Kind::Invoice, LedgerNo(0), &"wanted".into(), 3);
        assert_eq!(names.find(Kind::Invoice, LedgerNo(0), "wanted"), Some(3));
        assert!(names.shards[slot.shard()].contains_key(&Slot { nth: 3, ..slot }));
    }
}
