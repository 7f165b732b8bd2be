//! Version 2 of the events that have one. Frozen, as version 1 is.

mod clock;
mod ledger;

pub(crate) use clock::ClockAdvanced;
pub(crate) use ledger::LedgerCreated;
