//! Spells: what was allocated for a time and taken off again keeps its place in reads of that time.
//!
//! INVARIANT: on no day, whenever it is asked about, is more allocated to an invoice than its total,
//! or from a payment or credit than its amount.

use super::rows::Spell;
use crate::position::Day;

/// How many spells a row keeps apart; beyond it the two that ended first become one.
const MAX_SPELLS: usize = 64;

/// Notes that `amount` was allocated from one day to another.
pub(crate) fn note(spells: &mut Vec<Spell>, from: Day, to: Day, amount: i64) {
    if from >= to {
        return;
    }
    spells.push(Spell { from, to, amount });
    if spells.len() > MAX_SPELLS {
        spells.sort_by_key(|spell| spell.to);
        let first = spells.remove(0);
        // WHY a sum: claiming too much for the past only makes a later allocation count later.
        let second = &mut spells[0];
        second.from = second.from.min(first.from);
        second.amount = second.amount.saturating_add(first.amount);
    }
}

/// The first day from `start` on from which `amount` fits, that day and ever after: of `whole`,
/// beside the allocations that are there (`live`: day and amount) and the spells of others.
///
/// INVARIANT: it fits beside all of `live`, so it does once all spells are over.
pub(crate) fn first_fit(
    start: Day,
    amount: i64,
    whole: i64,
    live: &[(Day, i64)],
    spells: &[Spell],
) -> Day {
    let mut start = start;
    let taken = |day: Day| {
        let live = live.iter().filter(|(from, _)| *from <= day).map(|(_, amount)| *amount);
        let spells = spells.iter().filter(|spell| spell.from <= day && day < spell.to);
        live.chain(spells.map(|spell| spell.amount)).fold(0_i64, i64::saturating_add)
    };
    while spells.iter().any(|spell| spell.to > start) {
        // What is taken grows on these days only.
        let begins = live.iter().map(|(day, _)| *day).chain(spells.iter().map(|s| s.from));
        let days = begins.filter(|day| *day > start).chain([start]);
        let tight = days.filter(|day| taken(*day) > whole - amount).max();
        let Some(tight) = tight else { break };
        match spells.iter().map(|spell| spell.to).filter(|to| *to > tight).min() {
            Some(over) => start = over,
            None => break,
        }
    }
    start
}
