//! What the clients have sent, and what they know of it.

use std::collections::BTreeMap;

use encours_domain::{Position, Subject};

use super::step::Ask;
use crate::rng::Rng;

/// What is known about a command that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It was acknowledged with this.
    Done(Subject, Position),
    /// It may have happened or not.
    Unknown,
    /// It was refused or denied, and nothing of it may be there.
    Absent,
}

/// All clients together.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    asks: BTreeMap<u64, (Ask, Option<Fate>)>,
}

impl Clients {
    /// Sends a command, for the first time or again.
    pub(crate) fn send(&mut self, ask: &Ask) {
        self.asks.entry(ask.tag).or_insert_with(|| (ask.clone(), None));
    }

    /// What a client has sent.
    pub(crate) fn ask(&self, tag: u64) -> Option<&Ask> {
        self.asks.get(&tag).map(|(ask, _)| ask)
    }

    /// What a client knows.
    pub(crate) fn fate(&self, tag: u64) -> Option<Fate> {
        self.asks.get(&tag).and_then(|(_, fate)| *fate)
    }

    /// All that was sent, with what is known of it.
    pub(crate) fn all(&self) -> impl DoubleEndedIterator<Item = (&Ask, Fate)> {
        self.asks.values().filter_map(|(ask, fate)| Some((ask, (*fate)?)))
    }

    /// One of those that were sent.
    pub(crate) fn any(&self, rng: &mut Rng) -> Option<&Ask> {
        let at = rng.index(self.asks.len());
        self.asks.values().nth(at).map(|(ask, _)| ask)
    }

    /// Takes note of an answer.
    ///
    /// # Errors
    /// Where it cannot be true together with an earlier one.
    pub(crate) fn note(&mut self, tag: u64, fate: Fate) -> Result<(), String> {
        let Some((ask, known)) = self.asks.get_mut(&tag) else { return Ok(()) };
        match (*known, fate) {
            (Some(Fate::Done(..)), Fate::Done(..)) => {
                return Err(format!("it was acknowledged twice as new: {ask}"));
            }
            // What is done stays so, and what is not known is not settled by a later denial.
            (Some(Fate::Done(..)), _) | (Some(Fate::Unknown), Fate::Absent) => {}
            _ => *known = Some(fate),
        }
        Ok(())
    }

    /// What is in the log settles it.
    pub(crate) fn settle(&mut self, done: &BTreeMap<u64, Position>) {
        for (tag, (_, fate)) in &mut self.asks {
            if *fate == Some(Fate::Unknown) && !done.contains_key(tag) {
                *fate = Some(Fate::Absent);
            }
        }
    }
}
