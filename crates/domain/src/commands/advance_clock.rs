//! `AdvanceClock`: moves the test clock of a ledger.

use super::{Context, Decision, lookup};
use crate::content::Content;
use crate::event::{ClockAdvanced, DayOpened, Event};
use crate::id::Id;
use crate::limits::MAX_ADVANCE_DAYS;
use crate::number::Subject;
use crate::position::Day;
use crate::refusal::{Reason, Refusal};
use crate::state::State;

/// Moves a test clock forward; every day on the way opens, and what is due on it is emitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdvanceClock {
    /// A ledger on the clock.
    pub ledger_id: Id,
    /// The day to reach; at most ten years on.
    pub to: Day,
    /// Whether the days before it open late, as after downtime.
    pub outage: bool,
}

impl AdvanceClock {
    pub(super) fn content(&self, out: &mut dyn Content) {
        out.text(1, self.ledger_id.as_str());
        out.number(2, i64::from(self.to.number()));
        if self.outage {
            out.number(3, 1);
        }
    }

    pub(super) fn named(&self, state: &State) -> Option<Subject> {
        lookup::ledger(state, &self.ledger_id).ok().map(|row| Subject::Ledger(row.no))
    }

    pub(super) fn decide(&self, state: &State, context: &Context) -> Result<Decision, Refusal> {
        let ledger = lookup::ledger(state, &self.ledger_id)?;
        lookup::check_version(context, ledger.version)?;
        let row = lookup::clock(state, ledger)?;
        if !row.test {
            return Err(Refusal::new(
                Reason::NotATestClock,
                "ledger_id",
                format!("ledger {} is on {}: only a test clock is moved", ledger.id, row.id),
            ));
        }
        if self.to < row.today {
            return Err(Refusal::new(
                Reason::DayBackwards,
                "to",
                format!("today is {}, a clock never moves back to {}", row.today, self.to),
            )
            .with("today", row.today)
            .with("to_date", self.to));
        }
        let days = self.to.since(row.today);
        if days > MAX_ADVANCE_DAYS {
            return Err(Refusal::new(
                Reason::LimitReached,
                "to",
                format!("{} is {days} days on, at most {MAX_ADVANCE_DAYS} are allowed", self.to),
            )
            .with("days", days)
            .with("limit", MAX_ADVANCE_DAYS));
        }
        if self.to <= row.target {
            let subject = Subject::Ledger(ledger.no);
            return Ok(Decision::Repeat { subject, position: row.version });
        }
        let clock = ledger.clock;
        let mut events: Vec<Event> =
            vec![ClockAdvanced { clock, target: self.to, outage: self.outage }.into()];
        // A day that is not finished yet opens the next one when it is.
        if row.finished == row.today
            && let Some(day) = row.today.plus(1)
        {
            events.push(DayOpened { clock, day, on_time: !self.outage || day == self.to }.into());
        }
        Ok(Decision::Accept(events))
    }
}
