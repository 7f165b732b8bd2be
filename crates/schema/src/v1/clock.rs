//! Events of clocks and their days.

use encours_domain::{ClockNo, event};
use serde::{Deserialize, Serialize};

use super::values;
use crate::error::{InvalidValue, Unfit};
use crate::{EventKind, Frozen};

#[derive(Serialize, Deserialize)]
pub(crate) struct ClockCreated<'a> {
    clock: u32,
    id: &'a str,
    test: bool,
    zone: &'a str,
    day: i32,
}

impl<'a> Frozen<'a> for ClockCreated<'a> {
    const KIND: EventKind = EventKind::ClockCreated;
    const VERSION: u16 = 1;
    type Live = event::ClockCreated;

    fn freeze(event: &'a event::ClockCreated) -> Result<Self, Unfit> {
        Ok(Self {
            clock: event.clock.0,
            id: event.id.as_str(),
            test: event.test,
            zone: &event.zone,
            day: event.day.number(),
        })
    }

    fn thaw(self) -> Result<event::ClockCreated, InvalidValue> {
        Ok(event::ClockCreated {
            clock: ClockNo(self.clock),
            id: values::id("id", self.id)?,
            test: self.test,
            zone: self.zone.into(),
            day: values::day("day", self.day)?,
        })
    }
}

/// Superseded by [`v2::ClockAdvanced`](crate::v2::ClockAdvanced).
#[derive(Deserialize)]
pub(crate) struct ClockAdvanced {
    pub(crate) clock: u32,
    pub(crate) target: i32,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct DayOpened {
    clock: u32,
    day: i32,
    on_time: bool,
}

impl Frozen<'_> for DayOpened {
    const KIND: EventKind = EventKind::DayOpened;
    const VERSION: u16 = 1;
    type Live = event::DayOpened;

    fn freeze(event: &event::DayOpened) -> Result<Self, Unfit> {
        Ok(Self { clock: event.clock.0, day: event.day.number(), on_time: event.on_time })
    }

    fn thaw(self) -> Result<event::DayOpened, InvalidValue> {
        Ok(event::DayOpened {
            clock: ClockNo(self.clock),
            day: values::day("day", self.day)?,
            on_time: self.on_time,
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct DayFinished {
    clock: u32,
    day: i32,
}

impl Frozen<'_> for DayFinished {
    const KIND: EventKind = EventKind::DayFinished;
    const VERSION: u16 = 1;
    type Live = event::DayFinished;

    fn freeze(event: &event::DayFinished) -> Result<Self, Unfit> {
        Ok(Self { clock: event.clock.0, day: event.day.number() })
    }

    fn thaw(self) -> Result<event::DayFinished, InvalidValue> {
        Ok(event::DayFinished { clock: ClockNo(self.clock), day: values::day("day", self.day)? })
    }
}
