//! Events of the log and its clocks.

use std::sync::Arc;

use crate::id::Id;
use crate::number::ClockNo;
use crate::position::{Day, Position};

facts! {
    /// The first event of every log.
    LogCreated {
        /// The id of the log, as in every frame.
        log_id: [u8; 16],
    }

    /// A writer took over, or tells the time in a log that has been quiet; from here on frames carry
    /// its epoch.
    WriterOpened {
        /// That of the writer: one more than the epoch before, or the same in a quiet log.
        epoch: u64,
    }

    /// The log goes on from another one, whose frames it holds under its own id: a restore that may
    /// have lost some. What the other one had after `position` is not in it.
    LogForked {
        /// The id of the other log.
        log_id: [u8; 16],
        /// The last frame that was taken over.
        frame: u64,
        /// Its hash in the other log.
        frame_hash: [u8; 32],
        /// The position of the last event that was taken over: the one before this event.
        position: Position,
    }

    /// A clock exists. Its first day is open and finished.
    ClockCreated {
        /// Its number.
        clock: ClockNo,
        /// The id of a test clock; `system:<zone>` for the system's.
        id: Id,
        /// Whether commands move it; else the system's time does.
        test: bool,
        /// IANA time zone that the days are counted in.
        zone: Arc<str>,
        /// The first day.
        day: Day,
    }

    /// A test clock was told to move; its days open one after the other up to `target`.
    ClockAdvanced {
        /// The clock.
        clock: ClockNo,
        /// The day to reach.
        target: Day,
        /// Whether the days before `target` open late, as after downtime.
        outage: bool,
    }

    /// A day began: from here on it is the *today* of the clock's ledgers.
    DayOpened {
        /// The clock.
        clock: ClockNo,
        /// The day, one after the last one opened.
        day: Day,
        /// Whether it was opened on that day (always so for a test clock), not after downtime.
        on_time: bool,
    }

    /// All that falls due on the day has been emitted.
    DayFinished {
        /// The clock.
        clock: ClockNo,
        /// The day, one after the last one finished.
        day: Day,
    }
}
