//! Who may try to lead: the lease, asked for again and again beside everything else.
//!
//! The lease decides who tries, never who writes: that is decided by the log, which takes a frame
//! only behind the one before it.

use std::sync::Arc;
use std::time::Duration;

use encours_log::{Beat, Holder, LEASE_BEAT, Lease};
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{info, warn};

use super::spread::Others;

/// How long giving the lease up may take at the end.
const RELEASE_LIMIT: Duration = Duration::from_secs(2);
/// How long this node may take to stop leading before it gives the lease up all the same; shorter
/// than the lease lasts.
const LEAVE_LIMIT: Duration = Duration::from_secs(2);
/// How long a lease that was given up is left to others, and how often this node looks meanwhile.
const AWAY_LIMIT: Duration = Duration::from_secs(4);
const LOOK: Duration = Duration::from_millis(200);
/// How long a node that another one has relieved lets others go first.
const REST: Duration = Duration::from_secs(15);
/// How long a node that nobody relieved leads before it asks for that again: each time costs some
/// seconds without a leader.
const KEEP: Duration = Duration::from_secs(60);

/// Who holds the lease, as far as is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// This node.
    Mine,
    /// Another one.
    Of(Holder),
    /// This node gives it up for another one to take.
    Leaving,
    /// Nobody can tell: the servers do not answer.
    Unknown,
}

/// The task that keeps asking.
pub(super) struct Beats {
    held: watch::Receiver<Held>,
    give_up: Arc<Notify>,
    relief: Arc<Notify>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Beats {
    /// `leads` tells while this node writes the log; `others` of what it does beside this log.
    pub(super) fn spawn(
        runtime: &Handle,
        lease: Lease,
        leads: watch::Receiver<bool>,
        others: Others,
    ) -> Self {
        let (tell, held) = watch::channel(Held::Unknown);
        let (stop, stopped) = watch::channel(false);
        let (give_up, relief) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let asking = Asking {
            lease,
            tell,
            leads,
            others,
            give_up: Arc::clone(&give_up),
            relief: Arc::clone(&relief),
            turns: Turns::default(),
            stopped,
        };
        let task = runtime.spawn(asking.run());
        Self { held, give_up, relief, stop, task }
    }

    pub(super) fn held(&self) -> watch::Receiver<Held> {
        self.held.clone()
    }

    /// Gives the lease up, where this node has it, for another node to take.
    pub(super) fn give_up(&self) -> Arc<Notify> {
        Arc::clone(&self.give_up)
    }

    /// As [`give_up`](Self::give_up) where this node is worse off than others may be: they go first for
    /// a while.
    pub(super) fn relief(&self) -> Arc<Notify> {
        Arc::clone(&self.relief)
    }

    /// Gives the lease up and ends.
    pub(super) async fn stop(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.task.await {
            warn!(%error, "the lease was not given up");
        }
    }
}

/// Whose turn it is, after this node asked to be relieved.
#[derive(Debug, Default)]
struct Turns {
    /// Until when others go first.
    rests: Option<Instant>,
    /// Until when this node goes on, since there was nobody else.
    keeps: Option<Instant>,
}

impl Turns {
    /// Whether the lease may be given up. Where nothing is led that costs nothing.
    fn may_leave(&self, leads: bool, now: Instant) -> bool {
        !leads || self.keeps.is_none_or(|until| now >= until)
    }

    /// Whether others go first.
    fn rests(&self, now: Instant) -> bool {
        self.rests.is_some_and(|until| now < until)
    }

    /// The lease was given up, and somebody took it or nobody did.
    fn left(&mut self, taken: bool, now: Instant) {
        *self = if taken {
            Self { rests: Some(now + REST), keeps: None }
        } else {
            Self { rests: None, keeps: Some(now + KEEP) }
        };
    }
}

/// What asks.
struct Asking {
    lease: Lease,
    tell: watch::Sender<Held>,
    leads: watch::Receiver<bool>,
    others: Others,
    give_up: Arc<Notify>,
    relief: Arc<Notify>,
    turns: Turns,
    stopped: watch::Receiver<bool>,
}

impl Asking {
    async fn run(mut self) {
        tokio::select! {
            () = self.others.begun() => {}
            () = self.stopped() => return,
        }
        let (give_up, relief) = (Arc::clone(&self.give_up), Arc::clone(&self.relief));
        let mut warned = false;
        loop {
            tokio::select! {
                biased;
                () = self.stopped() => break,
                () = self.wait_behind_others() => {}
            }
            warned = self.beat(warned).await;
            tokio::select! {
                () = tokio::time::sleep(LEASE_BEAT) => {}
                () = give_up.notified() => drop(self.leave().await),
                () = relief.notified() => self.be_relieved().await,
                () = self.stopped() => break,
            }
        }
        if tokio::time::timeout(RELEASE_LIMIT, self.lease.release()).await.is_err() {
            warn!("the lease was not given up in time; it ends by itself");
        }
    }

    /// Waits until the node is to stop.
    fn stopped(&self) -> impl Future<Output = ()> + use<> {
        let mut stopped = self.stopped.clone();
        async move {
            // The sender lives as long as this does.
            let _ = stopped.wait_for(|stopped| *stopped).await;
        }
    }

    /// Lets nodes that lead fewer logs, or are better off, take a free lease first.
    async fn wait_behind_others(&self) {
        let rest = if self.turns.rests(Instant::now()) { AWAY_LIMIT } else { Duration::ZERO };
        let wait = self.others.manners().max(rest);
        if wait.is_zero() || *self.tell.borrow() == Held::Mine {
            return;
        }
        if let Ok(true) = self.lease.is_free().await {
            let _ = tokio::time::timeout(wait, self.taken()).await;
        }
    }

    /// Waits until somebody has the lease.
    async fn taken(&self) {
        while !matches!(self.lease.is_free().await, Ok(false)) {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Asks once; true where nobody could tell.
    async fn beat(&mut self, warned: bool) -> bool {
        let held = match self.lease.beat().await {
            Ok(Beat::Mine) => Held::Mine,
            Ok(Beat::Of(holder)) => Held::Of(holder),
            Err(error) => {
                if !warned {
                    warn!(code = error.code(), %error, "nobody can tell who leads");
                }
                Held::Unknown
            }
        };
        let is_unknown = held == Held::Unknown;
        self.tell.send_if_modified(|told| {
            let is_news = *told != held;
            if is_news {
                match &held {
                    Held::Mine => info!("this node holds the lease"),
                    Held::Of(holder) => {
                        info!(node = holder.node, address = holder.address, "another node leads");
                    }
                    Held::Leaving | Held::Unknown => {}
                }
                *told = held;
            }
            is_news
        });
        is_unknown
    }

    /// Gives the lease up because this node is worse off than others may be.
    async fn be_relieved(&mut self) {
        let (now, leads) = (Instant::now(), *self.leads.borrow());
        if *self.tell.borrow() == Held::Mine && self.turns.may_leave(leads, now) {
            let taken = self.leave().await;
            self.turns.left(taken, Instant::now());
        }
    }

    /// Stops leading, gives the lease up and leaves it to another node for a while; true where one
    /// took it.
    async fn leave(&mut self) -> bool {
        if *self.tell.borrow() != Held::Mine {
            return false;
        }
        info!("this node leaves the lease to another one");
        self.tell.send_replace(Held::Leaving);
        // WHY first: who takes the lease writes at once.
        let left = self.leads.wait_for(|leads| !*leads);
        let left = tokio::time::timeout(LEAVE_LIMIT, left).await.is_ok();
        if !left {
            warn!("this node still leads; the log keeps the writers apart");
        }
        self.lease.release().await;
        // Where nobody takes it, this node goes on.
        tokio::select! {
            taken = tokio::time::timeout(AWAY_LIMIT, self.taken()) => taken.is_ok(),
            () = self.stopped() => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_was_relieved_lets_others_go_first_for_a_while() {
        let (mut turns, now) = (Turns::default(), Instant::now());
        assert!(turns.may_leave(true, now) && !turns.rests(now));
        turns.left(true, now);
        assert!(turns.rests(now + REST / 2) && !turns.rests(now + REST));
        // Should it lead again, it may be relieved again.
        assert!(turns.may_leave(true, now));
    }

    #[test]
    fn a_node_that_nobody_relieved_goes_on() {
        let (mut turns, now) = (Turns::default(), Instant::now());
        turns.left(true, now);
        turns.left(false, now);
        assert!(!turns.rests(now));
        assert!(!turns.may_leave(true, now + KEEP / 2) && turns.may_leave(true, now + KEEP));
        // Nothing is lost where it holds the lease and cannot lead.
        assert!(turns.may_leave(false, now));
    }
}
