//! Randomness that a seed repeats.

use std::sync::{Mutex, PoisonError};

use encours_engine::{Entropy, EntropyError};

use crate::rng::Rng;

/// Keys, nonces and ids from a seed. Not for secrets.
pub(crate) struct SeededEntropy(Mutex<Rng>);

impl SeededEntropy {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(Mutex::new(Rng::new(seed)))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill(bytes);
        Ok(())
    }
}
