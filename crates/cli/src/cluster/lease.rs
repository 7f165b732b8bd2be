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
        let give_up = Arc::new(Notify::new());
        let asking = Asking { lease, tell, leads, others, give_up: Arc::clone(&give_up) };
        let task = runtime.spawn(asking.run(stopped));
        Self { held, give_up, stop, task }
    }

    pub(super) fn held(&self) -> watch::Receiver<Held> {
        self.held.clone()
    }

    /// Gives the lease up, where this node has it, for another node to take.
    pub(super) fn give_up(&self) -> Arc<Notify> {
        Arc::clone(&self.give_up)
    }

    /// Gives the lease up and ends.
    pub(super) async fn stop(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.task.await {
            warn!(%error, "the lease was not given up");
        }
    }
}

/// What asks.
struct Asking {
    lease: Lease,
    tell: watch::Sender<Held>,
    leads: watch::Receiver<bool>,
    others: Others,
    give_up: Arc<Notify>,
}

impl Asking {
    async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        let is_told = async |stopped: &mut watch::Receiver<bool>| {
            // The sender lives as long as this does.
            let _ = stopped.wait_for(|stopped| *stopped).await;
        };
        tokio::select! {
            () = self.others.begun() => {}
            () = is_told(&mut stopped) => return,
        }
        let give_up = Arc::clone(&self.give_up);
        let mut warned = false;
        loop {
            self.wait_behind_others().await;
            warned = self.beat(warned).await;
            tokio::select! {
                () = tokio::time::sleep(LEASE_BEAT) => {}
                () = give_up.notified() => self.leave().await,
                () = is_told(&mut stopped) => break,
            }
        }
        if tokio::time::timeout(RELEASE_LIMIT, self.lease.release()).await.is_err() {
            warn!("the lease was not given up in time; it ends by itself");
        }
    }

    /// Lets nodes that lead fewer logs take a free lease first.
    async fn wait_behind_others(&self) {
        let wait = self.others.manners();
        if wait.is_zero() || *self.tell.borrow() == Held::Mine {
            return;
        }
        if let Ok(true) = self.lease.is_free().await {
            tokio::time::sleep(wait).await;
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

    /// Stops leading, gives the lease up and leaves it to another node for a while.
    async fn leave(&mut self) {
        if *self.tell.borrow() != Held::Mine {
            return;
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
        let taken = async {
            while !matches!(self.lease.is_free().await, Ok(false)) {
                tokio::time::sleep(LOOK).await;
            }
        };
        // Where nobody takes it, this node goes on.
        let _ = tokio::time::timeout(AWAY_LIMIT, taken).await;
    }
}
