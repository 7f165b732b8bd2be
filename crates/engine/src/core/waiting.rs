//! Who waits for which frame, and what they get once it is settled.

use std::sync::Arc;

use encours_log::FrameNumber;

use super::{Answer, Core, Fault, Ticket};
use crate::clocks::ClockInfo;
use crate::requests::Generation;
use crate::snapshot::Snapshot;

/// What a durable frame sets free.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    pub(crate) answers: Vec<(Ticket, Answer)>,
    /// The clocks after the frame, where it changed them.
    pub(crate) clocks: Option<Arc<[ClockInfo]>>,
    /// Request ids to be written out.
    pub(crate) generation: Option<Arc<Generation>>,
    /// A snapshot to be written out.
    pub(crate) snapshot: Option<Snapshot>,
}

/// Who waited when the core was given up.
#[derive(Debug, Default)]
pub(crate) struct Abandoned {
    /// Their frames were on the way to the disk.
    pub(crate) in_flight: Vec<Ticket>,
    /// Their frame was still being filled: nothing of it was written anywhere.
    pub(crate) drafted: Vec<Ticket>,
}

impl Core {
    /// Holds an answer back until every frame that its decision could have read is durable, the one
    /// being filled among them where it `reads_draft`; gives it back where that is so already.
    pub(super) fn after_what_was_read(
        &mut self,
        ticket: Ticket,
        answer: Answer,
        reads_draft: bool,
    ) -> Option<Answer> {
        if reads_draft && !self.draft.frame.is_empty() {
            self.draft.waiting.push((ticket, answer));
        } else if let Some(newest) = self.in_flight.back_mut() {
            newest.waiting.push((ticket, answer));
        } else {
            return Some(answer);
        }
        self.waiting += 1;
        None
    }

    /// The oldest frame in flight is durable.
    pub(crate) fn settled(&mut self, number: FrameNumber) -> Result<Settled, Fault> {
        let Some(frame) = self.in_flight.pop_front() else {
            return Err(Fault::Order { wanted: FrameNumber::START, found: number });
        };
        if frame.tail.number != number {
            return Err(Fault::Order { wanted: frame.tail.number, found: number });
        }
        self.durable = frame.tail;
        self.waiting -= frame.waiting.len();
        for id in &frame.request_ids {
            self.unsettled.remove(id);
        }
        Ok(Settled {
            answers: frame.waiting,
            clocks: frame.clocks,
            generation: frame.generation,
            snapshot: frame.snapshot,
        })
    }

    /// Gives the core up, because a frame did not become durable. Keys of the lost frames are
    /// forgotten, so that nothing else is sealed under a key that may not be in the key file.
    pub(crate) fn abandon(self) -> Abandoned {
        for frame in &self.in_flight {
            for (ledger, customer) in &frame.keys {
                self.keys.forget(*ledger, *customer);
            }
        }
        for new in &self.draft.keys {
            self.keys.forget(new.ledger, new.customer);
        }
        let ticket = |(ticket, _): (Ticket, Answer)| ticket;
        Abandoned {
            in_flight: self
                .in_flight
                .into_iter()
                .flat_map(|frame| frame.waiting)
                .map(ticket)
                .collect(),
            drafted: self.draft.waiting.into_iter().map(ticket).collect(),
        }
    }
}
