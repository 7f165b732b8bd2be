//! Random numbers that are the same for the same seed, on every machine and for ever.

/// A small generator (SplitMix64). Not for secrets.
///
/// ```
/// use encours_sim::Rng;
/// let (mut one, mut two) = (Rng::new(7), Rng::new(7));
/// assert_eq!(one.next_u64(), two.next_u64());
/// assert!(one.below(10) < 10);
/// ```
#[derive(Clone, Debug)]
pub struct Rng {
    state: u64,
}

impl Rng {
    /// The generator of this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Any number.
    pub const fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number under `end`; 0 where `end` is 0.
    pub const fn below(&mut self, end: u64) -> u64 {
        match self.next_u64().checked_rem(end) {
            Some(number) => number,
            None => 0,
        }
    }

    /// An index into something of this length.
    #[expect(clippy::cast_possible_truncation, reason = "less than a usize that was given")]
    pub const fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    /// `true` in one of so many cases; never where `cases` is 0.
    pub const fn one_in(&mut self, cases: u64) -> bool {
        cases > 0 && self.below(cases) == 0
    }

    /// Fills a buffer.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let random = self.next_u64().to_le_bytes();
            chunk.copy_from_slice(&random[..chunk.len()]);
        }
    }

    /// A generator of its own, for a part that must not disturb the others.
    #[must_use]
    pub const fn split(&mut self) -> Self {
        Self::new(self.next_u64())
    }
}
