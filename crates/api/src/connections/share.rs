//! What each connection holds of what all of them share: open calls, and bytes of requests that have
//! not come as a whole.
//!
//! WHY not one sum for all: whoever takes the last of it would have everybody else refused. Each
//! connection has some of its own that nobody can take, however many hold what they can. The rest is
//! common, and of that a connection may hold no more than is free: one alone has half of it, and
//! connections that take turns settle at equal parts. What a call says of itself, such as that another
//! node has handed it on, changes nothing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::server::{MAX_CALLS, MAX_CONNECTIONS};

/// Calls that every connection may have open whatever others hold.
const OWN_CALLS: usize = 4;
/// The same of calls that ask for the health alone, beside the others.
const OWN_CHECKS: usize = 1;
/// Bytes of messages that every connection may have sent in part, whatever others hold,
const OWN_MESSAGE_BYTES: usize = 64 * 1024;
/// and of such bytes those of all connections together.
const MAX_MESSAGE_BYTES: usize = 192 * 1024 * 1024;
/// The same for calls that take messages one after another. WHY apart: such a call keeps what its
/// longest message took until it ends, which may be never.
const OWN_STREAM_BYTES: usize = 32 * 1024;
const MAX_STREAM_BYTES: usize = 64 * 1024 * 1024;

/// What is shared.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Good {
    /// Calls that are open.
    Calls,
    /// Those that ask for the health.
    Checks,
    /// Bytes of calls with one message that have come while the rest has not.
    Messages,
    /// Bytes that calls with many messages keep.
    Streams,
}

/// So much of a good for every connection, and so much for who needs more.
#[derive(Debug)]
struct Pool {
    own: usize,
    common: usize,
    /// What is held of the common part.
    taken: AtomicUsize,
}

impl Pool {
    const fn new(own: usize, common: usize) -> Self {
        Self { own, common, taken: AtomicUsize::new(0) }
    }

    /// What of this many is beyond the connection's own.
    const fn beyond(&self, held: usize) -> usize {
        held.saturating_sub(self.own)
    }

    /// Takes more for a connection, which holds so much already; false where it may hold no more.
    ///
    /// INVARIANT: `taken` is the sum over all connections of what they hold beyond their own.
    fn take(&self, held: &mut usize, more: usize) -> bool {
        let beyond = self.beyond(*held + more);
        let common = beyond - self.beyond(*held);
        let taken = self.taken.fetch_add(common, Ordering::Relaxed);
        let is_left = common == 0 || beyond <= self.common.saturating_sub(taken);
        if is_left {
            *held += more;
        } else {
            self.taken.fetch_sub(common, Ordering::Relaxed);
        }
        is_left
    }

    fn give(&self, held: &mut usize, less: usize) {
        let before = std::mem::replace(held, held.saturating_sub(less));
        let common = self.beyond(before) - self.beyond(*held);
        self.taken.fetch_sub(common, Ordering::Relaxed);
    }
}

/// What all connections share, by [`Good`].
#[derive(Debug)]
pub(crate) struct Pools([Pool; 4]);

impl Default for Pools {
    fn default() -> Self {
        const CALLS: usize = MAX_CALLS - MAX_CONNECTIONS * OWN_CALLS;
        const MESSAGES: usize = MAX_MESSAGE_BYTES - MAX_CONNECTIONS * OWN_MESSAGE_BYTES;
        const STREAMS: usize = MAX_STREAM_BYTES - MAX_CONNECTIONS * OWN_STREAM_BYTES;
        Self([
            Pool::new(OWN_CALLS, CALLS),
            Pool::new(OWN_CHECKS, 0),
            Pool::new(OWN_MESSAGE_BYTES, MESSAGES),
            Pool::new(OWN_STREAM_BYTES, STREAMS),
        ])
    }
}

/// What one connection holds. Its calls keep it, also after its end.
#[derive(Debug, Default)]
pub(crate) struct Share {
    pools: Arc<Pools>,
    /// By [`Good`].
    held: Mutex<[usize; 4]>,
}

impl Share {
    pub(crate) fn new(pools: &Arc<Pools>) -> Arc<Self> {
        Arc::new(Self { pools: Arc::clone(pools), held: Mutex::default() })
    }

    /// That of the connection that a request came on.
    pub(crate) fn of<B>(request: &http::Request<B>) -> Arc<Self> {
        // Without a connection there is nobody to share with.
        request.extensions().get::<Arc<Self>>().cloned().unwrap_or_default()
    }

    fn held(&self) -> MutexGuard<'_, [usize; 4]> {
        // What is in there is whole at any time.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How much the connection holds.
    pub(crate) fn holds(&self, good: Good) -> usize {
        self.held()[good as usize]
    }

    /// Whether a call is open.
    pub(crate) fn has_calls(&self) -> bool {
        self.holds(Good::Calls) + self.holds(Good::Checks) > 0
    }

    /// So much for the connection, where it may hold it.
    pub(crate) fn take(self: &Arc<Self>, good: Good, amount: usize) -> Option<Held> {
        let mut held = self.nothing(good);
        held.more(amount).then_some(held)
    }

    /// Nothing, which may become more.
    pub(crate) fn nothing(self: &Arc<Self>, good: Good) -> Held {
        Held { share: Arc::clone(self), good, amount: 0 }
    }
}

/// What is held for a connection until this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    share: Arc<Share>,
    good: Good,
    amount: usize,
}

impl Held {
    pub(crate) const fn amount(&self) -> usize {
        self.amount
    }

    /// Holds more; false, and no more, where the connection may not.
    pub(crate) fn more(&mut self, more: usize) -> bool {
        let at = self.good as usize;
        let taken = self.share.pools.0[at].take(&mut self.share.held()[at], more);
        self.amount += if taken { more } else { 0 };
        taken
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let at = self.good as usize;
        self.share.pools.0[at].give(&mut self.share.held()[at], self.amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that a connection is given of a good, one by one.
    fn all(share: &Arc<Share>, good: Good, most: usize) -> Vec<Held> {
        (0..most).map_while(|_| share.take(good, 1)).collect()
    }

    #[test]
    fn whoever_takes_all_there_is_leaves_each_its_own() {
        let pools = Arc::default();
        // 256 calls is what a connection of HTTP/2 may have at all.
        let shares: Vec<_> = (0..MAX_CONNECTIONS).map(|_| Share::new(&pools)).collect();
        let greedy: Vec<_> =
            shares[..60].iter().map(|share| all(share, Good::Calls, 256)).collect();
        let counts: Vec<_> = greedy.iter().map(Vec::len).collect();
        assert_eq!(counts[0], 256, "one alone has as many as its streams");
        assert!(counts.is_sorted_by(|a, b| a >= b), "{counts:?}");
        assert_eq!(counts[59], OWN_CALLS, "nothing is left in common");
        let others: Vec<_> =
            shares[60..].iter().map(|share| all(share, Good::Calls, 256)).collect();
        assert!(others.iter().all(|held| held.len() == OWN_CALLS));
        let sum: usize = greedy.iter().chain(&others).map(Vec::len).sum();
        assert!(sum <= MAX_CALLS, "{sum}");
        // Beside them everybody may ask for the health.
        assert!(shares.iter().all(|share| share.take(Good::Checks, 1).is_some()));
        drop((greedy, others));
        assert!(shares.iter().all(|share| !share.has_calls()));
        assert!(pools.0.iter().all(|pool| pool.taken.load(Ordering::Relaxed) == 0));
    }

    #[test]
    fn nobody_holds_more_of_the_common_part_than_is_free() {
        let pools = Arc::default();
        let (one, other) = (Share::new(&pools), Share::new(&pools));
        let common = pools.0[Good::Messages as usize].common;
        let mut held = one.nothing(Good::Messages);
        while held.more(1 << 20) {}
        assert!(held.amount() <= OWN_MESSAGE_BYTES + common / 2, "{}", held.amount());
        assert!(held.amount() + (2 << 20) > common / 2, "{}", held.amount());
        // Another one has a quarter then, and half once the first has given back.
        let mut second = other.nothing(Good::Messages);
        while second.more(1 << 20) {}
        assert!(second.amount() <= OWN_MESSAGE_BYTES + common / 4 + (1 << 20));
        drop(held);
        while second.more(1 << 20) {}
        assert!(second.amount() + (2 << 20) > common / 2, "{}", second.amount());
        // What is refused holds nothing.
        let before = second.amount();
        assert!(!second.more(common) && other.holds(Good::Messages) == before);
    }
}
