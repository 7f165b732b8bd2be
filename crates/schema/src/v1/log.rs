//! Events of the log itself.

use encours_domain::{Position, event};
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

#[derive(Serialize, Deserialize)]
pub(crate) struct LogForked {
    log_id: [u8; 16],
    frame: u64,
    frame_hash: [u8; 32],
    position: u64,
}

impl Frozen<'_> for LogForked {
    const KIND: EventKind = EventKind::LogForked;
    const VERSION: u16 = 1;
    type Live = event::LogForked;

    fn freeze(event: &event::LogForked) -> Result<Self, Unfit> {
        let event::LogForked { log_id, frame, frame_hash, position } = *event;
        Ok(Self { log_id, frame, frame_hash, position: position.0 })
    }

    fn thaw(self) -> Result<event::LogForked, InvalidValue> {
        let Self { log_id, frame, frame_hash, position } = self;
        Ok(event::LogForked { log_id, frame, frame_hash, position: Position(position) })
    }
}
