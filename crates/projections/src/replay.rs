//! Folding a log by hand, up to any event: for tools that look at the past.

use std::sync::{Arc, Mutex};

use encours_domain::{Event, Micros, Position};
use encours_log::{FrameNumber, LogError, LogReader};

use crate::error::StopError;
use crate::model::Seen;
use crate::read_model::{ReadModel, Shared};
use crate::worker::read_frame;

/// The last event recorded at or before `time` in the frames up to `last`: [`Position::START`] where
/// all were recorded later. Reads about 2 log₂(frames) frames.
///
/// # Errors
/// [`LogError`] where the log cannot be read.
pub fn position_at(
    reader: &dyn LogReader,
    last: FrameNumber,
    time: Micros,
) -> Result<Position, LogError> {
    // The first frame recorded after `time` lies in `low..high`.
    let (mut low, mut high) = (1, last.0 + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let frame = reader.read(FrameNumber(middle))?;
        if frame.is_some_and(|frame| frame.header().recorded_at <= time) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    let before = reader.read(FrameNumber(low - 1))?;
    Ok(before.map_or(Position::START, |frame| frame.last_position()))
}

impl ReadModel {
    /// A read model that follows nothing: it is empty until [`fold_to`](Self::fold_to) moves it on.
    #[must_use]
    pub fn by_hand(reader: Arc<dyn LogReader>) -> Self {
        let shared = Shared::new(reader, None);
        Self { shared: Arc::new(shared), worker: Arc::new(Mutex::new(None)) }
    }

    /// Folds the events up to `last`, which may stand amid a frame, or up to the end of the log where
    /// that comes before; answers the last one folded. `each` sees every event before it is folded.
    /// For read models made [`by_hand`](Self::by_hand). Blocks.
    ///
    /// # Errors
    /// [`StopError`] where the log cannot be read, or an event cannot be folded; then the read model
    /// must not be used any more.
    pub fn fold_to(
        &self,
        last: Position,
        each: &mut dyn FnMut(Position, &Event),
    ) -> Result<Position, StopError> {
        let reader = &*self.shared.reader;
        let mut at = self.position();
        while at < last
            && let Some(number) = reader.frame_of(at.next())
            && let Some((frame, events)) = read_frame(reader, number, at)?
        {
            let mut model = self.shared.model_mut();
            let mut position = frame.header().first_position;
            for event in &events {
                if position > at && position <= last {
                    each(position, event);
                    model
                        .fold(position, event)
                        .map_err(|source| StopError::Fold { position, source })?;
                }
                position = position.next();
            }
            at = frame.last_position().min(last);
            let (hash, recorded_at) = (frame.hash(), frame.header().recorded_at);
            model.seen = Seen { position: at, frame: number, hash, recorded_at };
            drop(model);
            self.shared.position.send_replace(at);
        }
        Ok(at)
    }

    /// When the last event that was folded was recorded; the epoch of 1970 where none was.
    #[must_use]
    pub fn recorded_at(&self) -> Micros {
        self.model().seen.recorded_at
    }
}

#[cfg(test)]
mod tests {
    use encours_domain::Position;
    use encours_log::{EventLog as _, FrameNumber};

    use super::*;
    use crate::query::AsOf;
    use crate::testing::{LEDGER, random_book};

    #[test]
    fn what_is_folded_by_hand_is_what_the_follower_folds_and_what_it_knew_then() {
        let mut book = random_book(3, 400);
        let live = book.read();
        let log = book.log.reader();
        let last = live.position();
        let by_hand = ReadModel::by_hand(log);
        let mut seen = 0;
        for position in [Position(1), Position(last.0 / 3), Position(last.0 / 2), last] {
            let reached = by_hand.fold_to(position, &mut |_, _| seen += 1).unwrap();
            assert_eq!((reached, by_hand.position(), seen), (position, position, position.0));
            let known = AsOf { date: None, known: Some(position) };
            let told = |read: &ReadModel, as_of| {
                // Before its creation a ledger has no rows.
                let ageing = read.ageing(LEDGER, as_of, true).value;
                ageing.map(|ageing| (ageing.rows, ageing.totals)).unwrap_or_default()
            };
            assert_eq!(told(&live, known), told(&by_hand, AsOf::default()));
        }
        assert_eq!(by_hand.digest(), live.digest());
        assert_eq!(by_hand.fold_to(last.plus(9), &mut |_, _| {}).unwrap(), last);
        live.stop();
    }

    #[test]
    fn a_time_stands_for_the_last_event_recorded_by_then() {
        let mut book = random_book(5, 100);
        book.commit();
        let log = book.log.reader();
        let last = log.tail().number;
        let mut number = FrameNumber(1);
        let mut before = Micros(-1);
        while let Some(frame) = log.read(number).unwrap() {
            let at = frame.header().recorded_at;
            if at > before {
                let earlier = position_at(&*log, last, Micros(at.0 - 1)).unwrap();
                assert_eq!(earlier.next(), frame.header().first_position);
            }
            assert!(position_at(&*log, last, at).unwrap() >= frame.last_position());
            before = at;
            number = number.next();
        }
        assert_eq!(position_at(&*log, last, Micros(i64::MAX)).unwrap(), log_end(&book));
    }

    fn log_end(book: &crate::testing::Book) -> Position {
        Position(book.log.tail().next_position.0 - 1)
    }
}
