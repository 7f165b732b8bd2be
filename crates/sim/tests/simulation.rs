//! Seeds of the simulation: what it is and what it checks is said in `docs/simulation.md`.
//!
//! A failure prints the line that repeats it.

#![expect(clippy::panic, reason = "tests fail by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use encours_sim::{Failure, Setup, Tally, coverage};

/// Runs that shrinking a failure may take here.
const SHRINKING_RUNS: u32 = 100;

fn told(failure: Failure) -> String {
    let seed = failure.seed;
    let failure = failure.shrink(SHRINKING_RUNS);
    format!("repeat with: cargo run -p encours-sim -- --seed {seed}\n{failure}")
}

fn run(seeds: impl Iterator<Item = u64>) -> Tally {
    let (setup, mut sum) = (Setup::default(), Tally::default());
    for seed in seeds {
        let ran = encours_sim::run(seed, &setup);
        sum.add(&ran.unwrap_or_else(|failure| panic!("{}", told(*failure))));
    }
    sum
}

/// The seeds that nobody has taken yet.
fn seeds_left(next: &AtomicU64) -> impl Iterator<Item = u64> {
    std::iter::from_fn(|| Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < SEEDS))
}

const SEEDS: u64 = 500;

/// Seeds beyond those of the test that once met a bug of the product.
const FOUND: [u64; 11] =
    [2_829, 6_848, 7_416, 22_255, 36_916, 39_680, 45_300, 45_796, 46_840, 46_918, 49_465];

/// Two threads, because that is what a small machine has.
#[test]
fn every_seed_holds_and_everything_comes_across() {
    let next = Arc::new(AtomicU64::new(0));
    let beside = Arc::clone(&next);
    let other = std::thread::spawn(move || run(seeds_left(&beside)));
    let mut sum = run(seeds_left(&next));
    sum.add(&other.join().unwrap());
    assert_eq!(sum.seeds, SEEDS);
    let missing = coverage::missing(&sum);
    assert!(missing.is_empty(), "never came across in 500 seeds: {missing:#?}");
}

#[test]
fn seeds_that_found_something_hold() {
    for seed in FOUND {
        let _tally = run(seed..seed + 1);
    }
}

#[test]
fn a_seed_repeats_its_run_exactly() {
    for seed in [7, 8] {
        let ran = || encours_sim::run(seed, &Setup::default()).unwrap();
        assert_eq!(ran(), ran());
    }
}
