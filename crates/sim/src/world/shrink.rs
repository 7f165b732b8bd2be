//! Less and less of a schedule, as long as it still fails.

use super::step::Step;
use super::{Failure, play};

/// Plays a schedule without parts of it: half, a quarter, single steps, single commands.
pub(super) fn shrink(mut failure: Failure, runs: u32) -> Failure {
    let mut left = runs;
    let mut size = failure.schedule.len().div_ceil(2);
    while size > 0 && left > 0 {
        let mut from = 0;
        let before = failure.schedule.len();
        while from < failure.schedule.len() && left > 0 {
            let mut shorter = failure.schedule.clone();
            shorter.drain(from..(from + size).min(shorter.len()));
            if !try_it(&mut failure, shorter, &mut left) {
                from += size;
            }
        }
        // Once more over single steps, as long as that helps.
        if size > 1 || failure.schedule.len() == before {
            size /= 2;
        }
    }
    shrink_commands(failure, left)
}

/// Whether it still fails so; then that is the failure from here on.
fn try_it(failure: &mut Failure, shorter: Vec<Step>, left: &mut u32) -> bool {
    *left = left.saturating_sub(1);
    let Some((message, taken)) = play(failure.seed, &shorter) else { return false };
    failure.message = message;
    failure.schedule = shorter;
    failure.schedule.truncate(taken);
    true
}

fn shrink_commands(mut failure: Failure, mut left: u32) -> Failure {
    for at in (0..failure.schedule.len()).rev() {
        let mut group = 0;
        while left > 0 {
            let Some(Step::Ask { frames, .. }) = failure.schedule.get(at) else { break };
            let total: usize = frames.iter().map(Vec::len).sum();
            if group >= total || total < 2 {
                break;
            }
            let mut shorter = failure.schedule.clone();
            if let Some(Step::Ask { frames, .. }) = shorter.get_mut(at) {
                let mut number = 0;
                for frame in frames.iter_mut() {
                    frame.retain(|_| {
                        number += 1;
                        number != group + 1
                    });
                }
                frames.retain(|frame| !frame.is_empty());
            }
            if !try_it(&mut failure, shorter, &mut left) {
                group += 1;
            }
        }
    }
    failure
}
