//! Events of clocks.

use encours_domain::{ClockNo, event};
use serde::{Deserialize, Serialize};

use crate::error::{InvalidValue, Unfit};
use crate::v1::{self, values};
use crate::{EventKind, Frozen, Superseded};

/// Since version 2 it says whether it plays an outage.
#[derive(Serialize, Deserialize)]
pub(crate) struct ClockAdvanced {
    clock: u32,
    target: i32,
    outage: bool,
}

impl Frozen<'_> for ClockAdvanced {
    const KIND: EventKind = EventKind::ClockAdvanced;
    const VERSION: u16 = 2;
    type Live = event::ClockAdvanced;

    fn freeze(event: &event::ClockAdvanced) -> Result<Self, Unfit> {
        Ok(Self { clock: event.clock.0, target: event.target.number(), outage: event.outage })
    }

    fn thaw(self) -> Result<event::ClockAdvanced, InvalidValue> {
        Ok(event::ClockAdvanced {
            clock: ClockNo(self.clock),
            target: values::day("target", self.target)?,
            outage: self.outage,
        })
    }
}

impl Superseded<'_> for v1::ClockAdvanced {
    const VERSION: u16 = 1;
    type Newer = ClockAdvanced;

    fn upcast(self) -> ClockAdvanced {
        ClockAdvanced { clock: self.clock, target: self.target, outage: false }
    }
}
