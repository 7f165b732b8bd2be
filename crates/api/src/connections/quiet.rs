//! The connections on which no call is open: one of them gives way where a new one finds no place.
//!
//! WHY: whoever opens connections and says little holds places for nothing; without this, callers with
//! something to say would wait for those places.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Context;

use futures_util::task::AtomicWaker;

/// In which order they give way: those that never called first, then who has been quiet for longest.
type Turn = (bool, u64);

/// The quiet connections of a listener.
#[derive(Debug, Default)]
pub(crate) struct Quiet(Mutex<Seats>);

#[derive(Debug, Default)]
struct Seats {
    next: u64,
    /// Those of HTTP/1,
    http1: BTreeMap<Turn, Arc<Seat>>,
    /// and the others.
    others: BTreeMap<Turn, Arc<Seat>>,
}

/// How a connection is told.
#[derive(Debug, Default)]
pub(crate) struct Seat {
    leave: AtomicBool,
    waker: AtomicWaker,
    /// While it is quiet: whether it speaks HTTP/1, and when it is to give way.
    turn: Mutex<Option<(bool, Turn)>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is in there is whole at any time.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Seats {
    fn of(&mut self, is_http1: bool) -> &mut BTreeMap<Turn, Arc<Seat>> {
        if is_http1 { &mut self.http1 } else { &mut self.others }
    }

    /// Has the next one of these give way.
    fn tell(&mut self, is_http1: bool) -> Option<Arc<Seat>> {
        let (_, seat) = self.of(is_http1).pop_first()?;
        // WHY under the lock: who gets busy at the same time takes it back.
        seat.tell();
        Some(seat)
    }

    fn forget(&mut self, seat: &Seat) {
        if let Some((is_http1, turn)) = locked(&seat.turn).take() {
            self.of(is_http1).remove(&turn);
        }
        seat.leave.store(false, Ordering::Release);
    }
}

impl Quiet {
    /// From here on it is quiet.
    pub(crate) fn add(&self, seat: &Arc<Seat>, is_http1: bool, has_called: bool) {
        let mut seats = locked(&self.0);
        seats.forget(seat);
        seats.next += 1;
        let turn = (has_called, seats.next);
        *locked(&seat.turn) = Some((is_http1, turn));
        seats.of(is_http1).insert(turn, Arc::clone(seat));
    }

    /// It has a call, or has ended: it does not have to leave any more.
    pub(crate) fn remove(&self, seat: &Seat) {
        locked(&self.0).forget(seat);
    }

    /// Has the next one give way, which is told; `None` where all have calls.
    pub(crate) fn make_room(&self) -> Option<Arc<Seat>> {
        let mut seats = locked(&self.0);
        let first = |seats: &BTreeMap<Turn, _>| seats.keys().next().copied();
        let is_http1 = match (first(&seats.http1), first(&seats.others)) {
            (Some(http1), Some(other)) => http1 < other,
            (http1, _) => http1.is_some(),
        };
        seats.tell(is_http1)
    }

    /// The same among those of HTTP/1; false where all have calls.
    pub(crate) fn make_room_of_http1(&self) -> bool {
        locked(&self.0).tell(true).is_some()
    }

    /// Nobody needs its place any more: it stays where it has not left yet.
    pub(crate) fn keep(&self, seat: &Arc<Seat>) {
        let mut seats = locked(&self.0);
        let turn = *locked(&seat.turn);
        if let Some((is_http1, turn)) = turn
            && seat.leave.swap(false, Ordering::AcqRel)
        {
            seats.of(is_http1).insert(turn, Arc::clone(seat));
        }
    }
}

impl Seat {
    /// Has it leave.
    pub(crate) fn tell(&self) {
        self.leave.store(true, Ordering::Release);
        self.waker.wake();
    }

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

    fn seats<const N: usize>() -> [Arc<Seat>; N] {
        std::array::from_fn(|_| Arc::default())
    }

    fn is_told(seat: &Seat) -> bool {
        seat.must_leave(&Context::from_waker(Waker::noop()))
    }

    #[test]
    fn who_never_called_goes_first_then_who_was_quiet_longest() {
        let quiet = Quiet::default();
        let seats = seats::<4>();
        for (seat, has_called) in seats.iter().zip([true, false, true, false]) {
            quiet.add(seat, has_called, has_called);
        }
        // Quiet anew: behind the others.
        quiet.add(&seats[0], false, true);
        quiet.remove(&seats[3]);
        let mut left = Vec::new();
        while let Some(told) = quiet.make_room() {
            assert!(is_told(&told));
            left.push(seats.iter().position(|seat| Arc::ptr_eq(seat, &told)).unwrap());
        }
        assert_eq!(left, [1, 2, 0]);
    }

    #[test]
    fn one_of_http1_makes_room_for_another() {
        let quiet = Quiet::default();
        let [other, first, second] = seats();
        quiet.add(&other, false, false);
        quiet.add(&first, true, true);
        quiet.add(&second, true, false);
        assert!(quiet.make_room_of_http1());
        assert!(is_told(&second) && !is_told(&first) && !is_told(&other));
        assert!(quiet.make_room_of_http1());
        assert!(!quiet.make_room_of_http1(), "a place of HTTP/2 is of no use");
    }

    #[test]
    fn who_gets_busy_or_is_not_needed_stays() {
        let quiet = Quiet::default();
        let [busy, kept, gone] = seats();
        for seat in [&busy, &kept, &gone] {
            quiet.add(seat, false, false);
            assert!(Arc::ptr_eq(&quiet.make_room().unwrap(), seat));
        }
        quiet.remove(&busy);
        quiet.keep(&kept);
        quiet.remove(&gone);
        quiet.keep(&gone);
        assert!(!is_told(&busy) && !is_told(&kept));
        // One that was kept is there for the next one who comes, one that has ended is not.
        assert!(Arc::ptr_eq(&quiet.make_room().unwrap(), &kept));
        assert!(quiet.make_room().is_none());
    }
}
