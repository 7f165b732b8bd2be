//! The connections on which no call is open: one of them gives way where a new one finds no place.
//!
//! WHY: whoever opens connections and says little holds places for nothing; without this, callers with
//! something to say would wait for those places.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Context;

use futures_util::task::AtomicWaker;

/// In which order they give way: those that never called first, then who has been quiet for longest.
type Turn = (bool, u64);

/// The quiet connections of a listener.
#[derive(Debug, Default)]
pub(crate) struct Quiet {
    seats: Mutex<BTreeMap<Turn, Arc<Seat>>>,
    next: AtomicU64,
}

/// How a connection is told.
#[derive(Debug, Default)]
pub(crate) struct Seat {
    leave: AtomicBool,
    waker: AtomicWaker,
    turn: Mutex<Option<Turn>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is in there is whole at any time.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Quiet {
    /// From here on it is quiet.
    pub(crate) fn add(&self, seat: &Arc<Seat>, has_called: bool) {
        let turn = (has_called, self.next.fetch_add(1, Ordering::Relaxed));
        let before = locked(&seat.turn).replace(turn);
        let mut seats = locked(&self.seats);
        before.map(|before| seats.remove(&before));
        seats.insert(turn, Arc::clone(seat));
    }

    /// It has a call, or has ended.
    pub(crate) fn remove(&self, seat: &Seat) {
        if let Some(turn) = locked(&seat.turn).take() {
            locked(&self.seats).remove(&turn);
        }
    }

    /// Has the next one give way; false where all have calls.
    pub(crate) fn make_room(&self) -> bool {
        let Some((_, seat)) = locked(&self.seats).pop_first() else { return false };
        seat.leave.store(true, Ordering::Release);
        seat.waker.wake();
        true
    }
}

impl Seat {
    /// Whether to leave; else `cx` is woken once it has to.
    pub(crate) fn must_leave(&self, cx: &Context<'_>) -> bool {
        self.waker.register(cx.waker());
        self.leave.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn who_never_called_goes_first_then_who_was_quiet_longest() {
        let quiet = Quiet::default();
        let seats: Vec<_> = (0..4).map(|_| Arc::new(Seat::default())).collect();
        for (seat, has_called) in seats.iter().zip([true, false, true, false]) {
            quiet.add(seat, has_called);
        }
        // Quiet anew: behind the others.
        quiet.add(&seats[0], true);
        quiet.remove(&seats[3]);
        let cx = Context::from_waker(Waker::noop());
        let mut left = Vec::new();
        while quiet.make_room() {
            let gone = |no: &usize| seats[*no].must_leave(&cx) && !left.contains(no);
            let gone: Vec<_> = (0..4).filter(gone).collect();
            left.extend(gone);
        }
        assert_eq!(left, [1, 2, 0]);
    }
}
