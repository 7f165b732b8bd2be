use super::*;

/// The inputs of the leaves that Certificate Transparency tests with.
const INPUTS: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];

/// The roots over the first 1, 2, 3, ... of them.
const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

/// Index from 0, size, path.
const INCLUSIONS: [(u64, u64, &[&str]); 5] = [
    (0, 1, &[]),
    (
        0,
        8,
        &[
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        5,
        8,
        &[
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (2, 3, &["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (
        1,
        5,
        &[
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
];

/// Old size, new size, path.
const CONSISTENCIES: [(u64, u64, &[&str]); 4] = [
    (1, 1, &[]),
    (
        1,
        8,
        &[
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6,
        8,
        &[
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (
        2,
        5,
        &[
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
];

fn unhex(text: &str) -> Vec<u8> {
    let digits = (0..text.len()).step_by(2);
    digits.map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn hash_of(text: &str) -> Hash {
    Hash(unhex(text).try_into().unwrap())
}

fn inputs() -> Vec<Hash> {
    INPUTS.iter().map(|input| leaf_hash(&unhex(input))).collect()
}

/// The definition in RFC 6962, word for word.
pub(crate) fn defined(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::of(b""),
        [leaf] => *leaf,
        leaves => {
            let mut middle = 1;
            while middle * 2 < leaves.len() {
                middle *= 2;
            }
            node_hash(&defined(&leaves[..middle]), &defined(&leaves[middle..]))
        }
    }
}

/// As `defined`, remembering what it has computed.
struct Model {
    leaves: Vec<Hash>,
    known: std::collections::HashMap<Range<u64>, Hash>,
}

impl Model {
    fn new(size: u32) -> Self {
        let leaves = (0..size).map(|n| leaf_hash(&n.to_le_bytes())).collect();
        Self { leaves, known: std::collections::HashMap::new() }
    }

    fn hash(&mut self, range: Range<u64>) -> Hash {
        if let Some(hash) = self.known.get(&range) {
            return *hash;
        }
        let len = range.end - range.start;
        let hash = if len <= 1 {
            let end = usize::try_from(range.end).unwrap();
            defined(&self.leaves[usize::try_from(range.start).unwrap()..end])
        } else {
            let mut middle = 1;
            while middle * 2 < len {
                middle *= 2;
            }
            let left = self.hash(range.start..range.start + middle);
            let right = self.hash(range.start + middle..range.end);
            node_hash(&left, &right)
        };
        self.known.insert(range, hash);
        hash
    }

    fn path(&mut self, ranges: Option<Vec<Range<u64>>>) -> Vec<Hash> {
        ranges.unwrap().into_iter().map(|range| self.hash(range)).collect()
    }
}

/// Every number below small sizes, and some of those below large ones.
fn some_below(size: u64) -> impl Iterator<Item = u64> {
    let step = usize::try_from(size / 24).unwrap().max(1);
    (0..size).step_by(step).chain([size - 1])
}

#[test]
fn published_vectors_hold() {
    let leaves = inputs();
    assert_eq!(empty_root(), Hash::of(b""));
    for (size, expected) in (1..).zip(ROOTS) {
        assert_eq!(root(&leaves[..size]).to_string(), expected, "size {size}");
    }
    let hash = |range: Range<u64>| {
        root(&leaves[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()])
    };
    for (index, size, expected) in INCLUSIONS {
        let path: Vec<_> = expected.iter().map(|hash| hash_of(hash)).collect();
        let ranges = inclusion_ranges(index, size).unwrap();
        assert_eq!(ranges.into_iter().map(hash).collect::<Vec<_>>(), path, "{index} of {size}");
        let leaf = &leaves[usize::try_from(index).unwrap()];
        let root = hash(0..size);
        assert_eq!(check_inclusion(index, size, leaf, &path, &root), Ok(()));
    }
    for (old, new, expected) in CONSISTENCIES {
        let path: Vec<_> = expected.iter().map(|hash| hash_of(hash)).collect();
        let ranges = consistency_ranges(old, new).unwrap();
        assert_eq!(ranges.into_iter().map(hash).collect::<Vec<_>>(), path, "{old} to {new}");
        let (old_root, new_root) = (hash(0..old), hash(0..new));
        assert_eq!(check_consistency((old, &old_root), (new, &new_root), &path), Ok(()));
    }
}

#[test]
fn proofs_of_all_sizes_hold_and_no_others() {
    let mut model = Model::new(600);
    let mut checked = 0;
    for size in 1..=600_u64 {
        let whole = usize::try_from(size).unwrap();
        let top = model.hash(0..size);
        assert_eq!(root(&model.leaves[..whole]), top, "size {size}");
        for index in some_below(size) {
            let path = model.path(inclusion_ranges(index, size));
            let leaf = model.leaves[usize::try_from(index).unwrap()];
            assert_eq!(check_inclusion(index, size, &leaf, &path, &top), Ok(()), "{index}/{size}");
            let other = index ^ 1;
            assert!(check_inclusion(other, size, &leaf, &path, &top).is_err(), "{other}/{size}");
            checked += 1;
        }
        for old in some_below(size).map(|old| old + 1) {
            let path = model.path(consistency_ranges(old, size));
            let before = model.hash(0..old);
            let ends = ((old, &before), (size, &top));
            assert_eq!(check_consistency(ends.0, ends.1, &path), Ok(()), "{old}..{size}");
            if old < size {
                assert!(check_consistency((old, &top), ends.1, &path).is_err(), "{old}..{size}");
                assert!(check_consistency(ends.0, (size, &before), &path).is_err());
            }
            checked += 1;
        }
    }
    assert!(checked > 20_000, "{checked}");
    assert_eq!(defined(&model.leaves[..317]), model.hash(0..317));
}

#[test]
fn an_altered_proof_proves_nothing() {
    let mut model = Model::new(50);
    for size in [2, 7, 8, 21, 50_u64] {
        let top = model.hash(0..size);
        for index in 0..size {
            let path = model.path(inclusion_ranges(index, size));
            let leaf = model.leaves[usize::try_from(index).unwrap()];
            let check = |path: &[Hash]| check_inclusion(index, size, &leaf, path, &top);
            alterations(&path, &check);
            let mut other = leaf;
            other.0[31] ^= 1;
            assert!(check_inclusion(index, size, &other, &path, &top).is_err());
        }
        for old in 1..size {
            let path = model.path(consistency_ranges(old, size));
            let before = model.hash(0..old);
            alterations(&path, &|path| check_consistency((old, &before), (size, &top), path));
        }
    }
    assert_eq!(inclusion_ranges(3, 3), None);
    assert_eq!((consistency_ranges(0, 3), consistency_ranges(4, 3)), (None, None));
    let (one, two) = (model.hash(0..1), model.hash(0..2));
    assert_eq!(check_inclusion(1, 1, &one, &[], &one), Err(ProofError::Outside));
    assert_eq!(check_consistency((0, &one), (2, &two), &[]), Err(ProofError::Outside));
    assert_eq!(check_consistency((2, &two), (1, &one), &[]), Err(ProofError::Outside));
    assert_eq!(check_consistency((2, &two), (2, &one), &[]), Err(ProofError::Root));
}

#[test]
fn a_tree_that_grows_leaf_by_leaf_has_the_root_of_each_size() {
    let leaves: Vec<_> = (0..600_u32).map(|leaf| leaf_hash(&leaf.to_le_bytes())).collect();
    let mut growing = Frontier::default();
    assert_eq!((growing.size(), growing.root()), (0, empty_root()));
    for (nth, leaf) in leaves.iter().enumerate() {
        growing.push(*leaf);
        assert_eq!(growing.size(), nth as u64 + 1);
        assert_eq!(growing.root(), root(&leaves[..=nth]), "{nth}");
    }
}

/// Each hash with a bit flipped, each left out, each twice.
fn alterations(path: &[Hash], check: &dyn Fn(&[Hash]) -> Result<(), ProofError>) {
    assert_eq!(check(path), Ok(()));
    for at in 0..path.len() {
        let mut flipped = path.to_vec();
        flipped[at].0[at % 32] ^= 0x10;
        assert!(check(&flipped).is_err());
        let mut shorter = path.to_vec();
        shorter.remove(at);
        assert!(check(&shorter).is_err());
        let mut longer = path.to_vec();
        longer.insert(at, path[at]);
        assert!(check(&longer).is_err());
    }
    assert!(check(&[path, &[Hash([0; 32])]].concat()).is_err());
}
