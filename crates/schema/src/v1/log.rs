//! Events of the log itself.

use encours_domain::event;
use serde::{Deserialize, Serialize};

use crate::error::{InvalidValue, Unfit};
use crate::{EventKind, Frozen};

#[derive(Serialize, Deserialize)]
pub(crate) struct LogCreated {
    log_id: [u8; 16],
}

impl Frozen<'_> for LogCreated {
    const KIND: EventKind = EventKind::LogCreated;
    const VERSION: u16 = 1;
    type Live = event::LogCreated;

    fn freeze(event: &event::LogCreated) -> Result<Self, Unfit> {
        Ok(Self { log_id: event.log_id })
    }

    fn thaw(self) -> Result<event::LogCreated, InvalidValue> {
        Ok(event::LogCreated { log_id: self.log_id })
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct WriterOpened {
    epoch: u64,
}

impl Frozen<'_> for WriterOpened {
    const KIND: EventKind = EventKind::WriterOpened;
    const VERSION: u16 = 1;
    type Live = event::WriterOpened;

    fn freeze(event: &event::WriterOpened) -> Result<Self, Unfit> {
        Ok(Self { epoch: event.epoch })
    }

    fn thaw(self) -> Result<event::WriterOpened, InvalidValue> {
        Ok(event::WriterOpened { epoch: self.epoch })
    }
}
