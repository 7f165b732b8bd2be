//! Who may try to lead: the lease, asked for again and again beside everything else.
//!
//! The lease decides who tries, never who writes: that is decided by the log, which takes a frame
//! only behind the one before it.

use std::time::Duration;

use encours_log::{Beat, Holder, LEASE_BEAT, Lease};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{info, warn};

/// How long giving the lease up may take at the end.
const RELEASE_LIMIT: Duration = Duration::from_secs(2);

/// Who holds the lease, as far as is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// This node.
    Mine,
    /// Another one.
    Of(Holder),
    /// Nobody can tell: the servers do not answer.
    Unknown,
}

/// The task that keeps asking.
pub(super) struct Beats {
    held: watch::Receiver<Held>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Beats {
    pub(super) fn spawn(runtime: &Handle, lease: Lease) -> Self {
        let (tell, held) = watch::channel(Held::Unknown);
        let (stop, stopped) = watch::channel(false);
        let task = runtime.spawn(beat(lease, tell, stopped));
        Self { held, stop, task }
    }

    pub(super) fn held(&self) -> watch::Receiver<Held> {
        self.held.clone()
    }

    /// Gives the lease up and ends.
    pub(super) async fn stop(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.task.await {
            warn!(%error, "the lease was not given up");
        }
    }
}

async fn beat(mut lease: Lease, tell: watch::Sender<Held>, mut stopped: watch::Receiver<bool>) {
    let mut warned = false;
    loop {
        let held = match lease.beat().await {
            Ok(Beat::Mine) => Held::Mine,
            Ok(Beat::Of(holder)) => Held::Of(holder),
            Err(error) => {
                if !warned {
                    warn!(code = error.code(), %error, "nobody can tell who leads");
                }
                Held::Unknown
            }
        };
        warned = held == Held::Unknown;
        tell.send_if_modified(|told| {
            let is_news = *told != held;
            if is_news {
                match &held {
                    Held::Mine => info!("this node holds the lease"),
                    Held::Of(holder) => {
                        info!(node = holder.node, address = holder.address, "another node leads");
                    }
                    Held::Unknown => {}
                }
                *told = held.clone();
            }
            is_news
        });
        tokio::select! {
            () = tokio::time::sleep(LEASE_BEAT) => {}
            _ = stopped.wait_for(|stopped| *stopped) => break,
        }
    }
    if tokio::time::timeout(RELEASE_LIMIT, lease.release()).await.is_err() {
        warn!("the lease was not given up in time; it ends by itself");
    }
}
