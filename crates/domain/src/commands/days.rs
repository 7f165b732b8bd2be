//! `OpenDay` and `RunDay`: the engine's own commands about time.

use super::{Context, Decision, reminder};
use crate::content::Content;
use crate::event::{
    DayFinished, DayOpened, Event, InvoiceDue, InvoiceOverdue, PlannedPaymentLapsed,
};
use crate::limits::MAX_RUN_DAY_ITEMS;
use crate::number::ClockNo;
use crate::number::Subject;
use crate::position::Day;
use crate::refusal::{Reason, Refusal};
use crate::state::{Clock, State, Timer};

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

impl OpenDay {
    pub(super) fn content(&self, out: &mut dyn Content) {
        out.number(1, i64::from(self.clock.0));
        out.number(2, i64::from(self.day.number()));
    }

    pub(super) const fn named(&self, _: &State) -> Option<Subject> {
        Some(Subject::Clock(self.clock))
    }

    pub(super) fn decide(&self, state: &State, _: &Context) -> Result<Decision, Refusal> {
        let row = clock(state, self.clock)?;
        if row.test {
            let message = format!("clock {} is a test clock: AdvanceClock moves it", row.id);
            return Err(Refusal::new(Reason::WrongState, "clock", message));
        }
        if self.day <= row.today {
            return Ok(done(self.clock, row));
        }
        if self.day.since(row.today) != 1 {
            return Err(out_of_order(self.day, row.today, "opened"));
        }
        let (clock, day, on_time) = (self.clock, self.day, self.on_time);
        Ok(Decision::Accept(vec![DayOpened { clock, day, on_time }.into()]))
    }
}

impl RunDay {
    pub(super) fn content(&self, out: &mut dyn Content) {
        out.number(1, i64::from(self.clock.0));
        out.number(2, i64::from(self.day.number()));
        out.number(3, i64::from(self.limit));
    }

    pub(super) const fn named(&self, _: &State) -> Option<Subject> {
        Some(Subject::Clock(self.clock))
    }

    pub(super) fn decide(&self, state: &State, _: &Context) -> Result<Decision, Refusal> {
        let row = clock(state, self.clock)?;
        if self.day <= row.finished {
            return Ok(done(self.clock, row));
        }
        if self.day.since(row.finished) != 1 || self.day > row.today {
            return Err(out_of_order(self.day, row.finished, "finished"));
        }
        let limit = self.limit.clamp(1, MAX_RUN_DAY_ITEMS) as usize;
        let mut items = self.timed(state).chain(self.reminders(state, row));
        let mut events: Vec<Event> = items.by_ref().take(limit).collect();
        if items.next().is_none() {
            let (clock, day) = (self.clock, self.day);
            events.push(DayFinished { clock, day }.into());
            if let Some(day) = day.plus(1).filter(|day| row.test && *day <= row.target) {
                let on_time = !row.outage || day == row.target;
                events.push(DayOpened { clock, day, on_time }.into());
            }
        }
        Ok(Decision::Accept(events))
    }

    /// What is due, overdue or lapsed by the day.
    fn timed(&self, state: &State) -> impl Iterator<Item = Event> {
        let due = state.indexes().due(self.clock, self.day);
        due.filter_map(|(date, timer, ledger, invoice)| {
            let row = state.rows().ledger(ledger)?.invoices.get(invoice.0)?;
            let open = row.open_on(date);
            Some(match timer {
                Timer::Due => InvoiceDue { ledger, invoice, date, open }.into(),
                Timer::Overdue => InvoiceOverdue { ledger, invoice, date, open }.into(),
                Timer::Lapse => PlannedPaymentLapsed { ledger, invoice, date }.into(),
            })
        })
    }

    /// The reminders that go out on the day, if it was opened on time.
    fn reminders(&self, state: &State, clock: &Clock) -> impl Iterator<Item = Event> {
        let on_time = clock.is_on_time(self.day);
        let pending = on_time.then(|| state.indexes().to_remind(self.clock, self.day));
        pending.into_iter().flatten().filter_map(|(ledger, invoice)| {
            let ledger = state.rows().ledger(ledger)?;
            reminder::on(ledger, invoice, ledger.invoices.get(invoice.0)?, self.day)
        })
    }
}

fn clock(state: &State, no: ClockNo) -> Result<&Clock, Refusal> {
    state.rows().clocks.get(no.0).ok_or_else(|| {
        Refusal::new(Reason::UnknownClock, "clock", format!("there is no clock number {}", no.0))
    })
}

fn done(clock: ClockNo, row: &Clock) -> Decision {
    Decision::Repeat { subject: Subject::Clock(clock), position: row.version }
}

fn out_of_order(day: Day, last: Day, what: &str) -> Refusal {
    Refusal::new(
        Reason::WrongState,
        "day",
        format!("{day} is not the next day: {last} was the last one {what}"),
    )
}
