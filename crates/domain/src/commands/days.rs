//! `OpenDay` and `RunDay`: the engine's own commands about time.

use crate::number::ClockNo;
use crate::position::Day;

/// Opens the next day of a system clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenDay {
    /// The clock.
    pub clock: ClockNo,
    /// The day after its last one opened.
    pub day: Day,
    /// Whether it is that day now, not later.
    pub on_time: bool,
}

/// Emits what falls due on the next unfinished day of a clock, at most `limit` items, and finishes
/// the day when nothing is left. A test clock that was told to go further then opens its next day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunDay {
    /// The clock.
    pub clock: ClockNo,
    /// The day after its last one finished.
    pub day: Day,
    /// At most this many items: 1 to 1,000.
    pub limit: u32,
}
