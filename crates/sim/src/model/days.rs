//! The rules for commands about time. What the days emit is audited, not planned.

use encours_domain::limits::MAX_ADVANCE_DAYS;
use encours_domain::{ClockNo, Day, Reason};

use super::Model;
use super::plan::{Fact, Plan};

impl Model {
    pub(super) fn open_day(&self, clock: ClockNo, day: Day) -> Plan {
        let Some(row) = self.clocks.get(clock.0 as usize) else {
            return Plan::refused(Reason::UnknownClock);
        };
        let mut plan = Plan { repeat: !row.test && day <= row.today, ..Plan::default() };
        plan.refuse_if(row.test || day.since(row.today) > 1, Reason::WrongState);
        plan
    }

    pub(super) fn run_day(&self, clock: ClockNo, day: Day) -> Plan {
        let Some(row) = self.clocks.get(clock.0 as usize) else {
            return Plan::refused(Reason::UnknownClock);
        };
        let mut plan = Plan { repeat: day <= row.finished, ..Plan::default() };
        let early = day.since(row.finished) > 1 || day > row.today;
        plan.refuse_if(early && !plan.repeat, Reason::WrongState);
        plan
    }

    pub(super) fn advance_clock(&self, book: usize, to: Day) -> Plan {
        let mut plan = Plan::default();
        let at = self.books[book].clock;
        let clock = &self.clocks[at];
        if !clock.test {
            return Plan::refused(Reason::NotATestClock);
        }
        plan.refuse_if(to < clock.today, Reason::DayBackwards);
        plan.refuse_if(to.since(clock.today) > MAX_ADVANCE_DAYS, Reason::LimitReached);
        // While days are still being opened, and for the day it is, the page is silent.
        plan.silent = to <= clock.target;
        plan.facts.push(Fact::Target(at, to.max(clock.target)));
        plan
    }
}
