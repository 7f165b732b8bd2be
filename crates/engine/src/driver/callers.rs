//! Who waits for which answer.

use std::collections::VecDeque;

use super::inbox::Caller;
use crate::core::Ticket;

/// Callers by ticket. WHY no map: tickets are given in their order, without a gap, and answered nearly so.
#[derive(Default)]
pub(super) struct Callers {
    /// The ticket of the first place.
    first: u64,
    /// Those who wait. The first place, where there is one, is taken.
    places: VecDeque<Option<Caller>>,
}

impl Callers {
    /// Notes who waits for a ticket: the one after that which was noted last.
    pub(super) fn add(&mut self, ticket: Ticket, caller: Caller) {
        if self.places.is_empty() {
            self.first = ticket.0;
        }
        // INVARIANT: who is answered at once takes no ticket. Else one who waits in front of many of those
        // would have a place kept for each of them.
        let next = self.first + self.places.len() as u64;
        assert_eq!(ticket.0, next, "tickets have a gap");
        self.places.push_back(Some(caller));
    }

    /// Takes out who waits for a ticket.
    pub(super) fn take(&mut self, ticket: Ticket) -> Option<Caller> {
        let place = usize::try_from(ticket.0.checked_sub(self.first)?).ok()?;
        let caller = self.places.get_mut(place)?.take();
        while let Some(None) = self.places.front() {
            self.places.pop_front();
            self.first += 1;
        }
        caller
    }

    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Takes out everybody, in the order of the tickets.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Caller> {
        std::mem::take(&mut self.places).into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;

    use super::*;

    /// A caller that is known by its time.
    fn caller(second: u64) -> Caller {
        let (answer, _) = oneshot::channel();
        Caller { answer, since: Duration::from_secs(second) }
    }

    fn taken(callers: &mut Callers, ticket: u64) -> Option<u64> {
        callers.take(Ticket(ticket)).map(|caller| caller.since.as_secs())
    }

    #[test]
    fn each_ticket_gives_its_caller_once_in_any_order() {
        let mut callers = Callers::default();
        for ticket in 3..=6 {
            callers.add(Ticket(ticket), caller(ticket));
        }
        for (ticket, waits) in [(5, true), (5, false), (7, false), (3, true), (2, false)] {
            assert_eq!(taken(&mut callers, ticket), waits.then_some(ticket), "{ticket}");
        }
        callers.add(Ticket(7), caller(7));
        assert_eq!(taken(&mut callers, 4), Some(4));
        assert!(!callers.is_empty());
        assert_eq!(taken(&mut callers, 6), Some(6));
        assert_eq!(taken(&mut callers, 7), Some(7));
        assert!(callers.is_empty());
        assert_eq!(taken(&mut callers, 7), None);
        for ticket in 20..=22 {
            callers.add(Ticket(ticket), caller(ticket));
        }
        assert_eq!(taken(&mut callers, 21), Some(21));
        let left: Vec<u64> = callers.drain().map(|caller| caller.since.as_secs()).collect();
        assert_eq!(left, [20, 22]);
        assert!(callers.is_empty());
    }

    #[test]
    #[should_panic(expected = "tickets have a gap")]
    fn no_places_are_kept_for_who_does_not_wait() {
        let mut callers = Callers::default();
        callers.add(Ticket(1), caller(1));
        callers.add(Ticket(3), caller(3));
    }
}
