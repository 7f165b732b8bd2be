//! `AdvanceClock`: moves the test clock of a ledger.

use crate::id::Id;
use crate::position::Day;

/// Moves a test clock forward; every day on the way opens, and what is due on it is emitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdvanceClock {
    /// A ledger on the clock.
    pub ledger_id: Id,
    /// The day to reach; at most ten years on.
    pub to: Day,
}
