//! What a node does with the log: it follows, or it leads.
//!
//! A follower brings new frames into its copy and folds them into a standing-by engine. Once it
//! holds the lease it catches up, takes the log over with a frame of the next epoch and leads, until
//! it is fenced, has lost the lease or cannot reach the log. Then it follows again, from its files.

use std::sync::Arc;
use std::time::Duration;

use encours_api::Writing;
use encours_engine::{
    Engine, EngineError, EngineHandle, KeyStore, Limits, Standby, StandbyOptions, SystemEntropy,
};
use encours_log::{Clock, Disk, Link, LogError, Replica};
use encours_scheduler::Scheduler;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tracing::{info, warn};

use super::beside::Beside;
use super::lease::Held;
use crate::failure::Outcome;
use crate::node::failed;

/// How long a follower waits for a frame before it looks whether it may lead.
const PULL: Duration = Duration::from_millis(200);
/// The pause after a failed attempt to lead.
const PAUSE: Duration = Duration::from_millis(500);
/// After how many attempts in a row that failed another node is to try.
const ATTEMPTS: u32 = 2;
/// How often a leader without room asks to be relieved.
const RELIEF: Duration = Duration::from_secs(1);
/// How far the clock of a node that leads may be from the servers'. WHY: it opens every day up to its
/// time, and a day that was opened stays so.
const SKEW_MAX: Duration = Duration::from_secs(60);

/// A node's part in keeping the log, on a thread of its own.
pub(super) struct Role {
    pub(super) data: std::path::PathBuf,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) limits: Limits,
    pub(super) runtime: Handle,
    pub(super) link: Link,
    pub(super) replica: Replica,
    pub(super) held: watch::Receiver<Held>,
    /// Asks that another node take the lease.
    pub(super) relief: Arc<Notify>,
    /// Attempts to lead in a row that failed.
    pub(super) failed: u32,
    /// The clock was seen to be wrong, and not yet to be right again.
    pub(super) is_skewed: bool,
    pub(super) stop: watch::Receiver<bool>,
    /// Where writes go.
    pub(super) writing: watch::Sender<Writing>,
    /// True from before this node takes the log over until it has let it go.
    pub(super) leads: watch::Sender<bool>,
    pub(super) keys: watch::Sender<Arc<KeyStore>>,
    /// What runs on the node that leads.
    pub(super) beside: Beside,
}

/// How a time of leading ended.
enum Led {
    /// The node is to stop.
    Stopped,
    /// Somebody else leads, or nobody does.
    SteppedDown,
}

/// An engine that stands by over the files of `data`.
pub(super) fn standby(
    data: &std::path::Path,
    disk: &Arc<dyn Disk>,
    replica: &Replica,
    limits: Limits,
) -> Outcome<Standby> {
    let options = StandbyOptions {
        reader: replica.reader(),
        disk: Arc::clone(disk),
        entropy: Arc::new(SystemEntropy),
        limits,
    };
    Ok(Standby::open(options, data)?)
}

/// Brings the copy to the end of the stream, keys before frames, and folds it.
pub(super) fn catch_up(replica: &mut Replica, standby: &mut Standby) -> Outcome {
    take(standby, |keys| replica.catch_up(keys))?.map_err(|error| failed(&error))
}

/// Lets `bring` bring frames and keys in, then folds what it brought. The inner error is one that
/// may pass: the standby has what came before it.
fn take<T>(
    standby: &mut Standby,
    bring: impl FnOnce(&mut dyn FnMut(&[u8]) -> Result<(), LogError>) -> Result<T, LogError>,
) -> Outcome<Result<(), EngineError>> {
    let mut refused: Option<EngineError> = None;
    let brought = bring(&mut |records| {
        standby.add_keys(records).map_err(|error| {
            refused = Some(error);
            LogError::Options("the keys cannot be kept")
        })
    });
    let brought = match (brought, refused) {
        (Ok(_), None) => Ok(()),
        (_, Some(error)) => Err(error),
        (Err(error), None) => Err(EngineError::from(error)),
    };
    if let Err(error) = &brought
        && !passes(error)
    {
        return Err(failed(error));
    }
    standby.follow()?;
    Ok(brought)
}

/// Whether an error is gone once servers answer, there is room on the disk, or threads can be started.
fn passes(error: &EngineError) -> bool {
    error.is_unavailable() || error.is_full() || matches!(error, EngineError::Thread { .. })
}

impl Role {
    /// Follows and leads until told to stop.
    ///
    /// # Errors
    /// What nobody but a person can put right.
    pub(super) fn run(mut self, mut standby: Standby) -> Outcome {
        loop {
            if !self.follow(&mut standby)? {
                return Ok(standby.close()?);
            }
            self.leads.send_replace(true);
            let led = self.lead(standby);
            self.leads.send_replace(false);
            match led? {
                Led::Stopped => return Ok(()),
                Led::SteppedDown => {}
            }
            standby = self::standby(&self.data, &self.disk, &self.replica, self.limits)?;
            self.keys.send_replace(standby.keys());
        }
    }

    /// Follows until this node may lead; false where it is to stop.
    fn follow(&mut self, standby: &mut Standby) -> Outcome<bool> {
        let mut is_away = false;
        loop {
            if *self.stop.borrow() {
                return Ok(false);
            }
            let held = self.held.borrow_and_update().clone();
            self.tell(&held);
            let is_mine = held == Held::Mine;
            let replica = &mut self.replica;
            let taken = take(standby, |keys| {
                if is_mine { replica.catch_up(keys) } else { replica.pull(PULL, keys) }
            });
            match taken? {
                Ok(()) if is_mine => {
                    if self.has_the_time()? {
                        return Ok(true);
                    }
                    self.pause();
                }
                Ok(()) => {
                    if std::mem::take(&mut is_away) {
                        info!("the log is followed again");
                    }
                }
                Err(error) => {
                    if !std::mem::replace(&mut is_away, true) {
                        warn!(code = error.code(), %error, "the log is not followed");
                    }
                    if is_mine {
                        self.attempt_failed(&error);
                    }
                    self.pause();
                }
            }
        }
    }

    /// Whether this node's clock lets it lead; where it does not, another one is to.
    fn has_the_time(&mut self) -> Outcome<bool> {
        let skew = match self.link.skew().map_err(EngineError::from) {
            Ok(skew) => skew,
            Err(error) if passes(&error) => {
                warn!(code = error.code(), %error, "this node does not lead");
                self.attempt_failed(&error);
                return Ok(false);
            }
            Err(error) => return Err(failed(&error)),
        };
        let is_skewed = skew.exceeds(SKEW_MAX);
        if is_skewed {
            self.relief.notify_one();
        }
        if is_skewed && !self.is_skewed {
            let (ahead_ms, within_ms) = (skew.ahead_us / 1_000, skew.within_us / 1_000);
            let most_s = SKEW_MAX.as_secs();
            warn!(
                ahead_ms,
                within_ms,
                most_s,
                "clock_skew: this node does not lead before its clock is set as the servers' are"
            );
        }
        self.is_skewed = is_skewed;
        Ok(!is_skewed)
    }

    /// Tells where writes go while this node follows.
    fn tell(&self, held: &Held) {
        let writing = match held {
            Held::Of(holder) => Writing::There(format!("http://{}", holder.address)),
            Held::Mine | Held::Leaving | Held::Unknown => Writing::Nobody,
        };
        self.writing.send_if_modified(|told| {
            let is_news = match (&*told, &writing) {
                (Writing::There(old), Writing::There(new)) => old != new,
                (Writing::Nobody, Writing::Nobody) => false,
                _ => true,
            };
            if is_news {
                *told = writing;
            }
            is_news
        });
    }

    /// Leads until something ends it.
    fn lead(&mut self, standby: Standby) -> Outcome<Led> {
        let opened = self.replica.writer().map_err(EngineError::from);
        let clock = Arc::clone(&self.clock);
        let opened = opened.and_then(|log| standby.lead(Box::new(log), clock));
        let engine = match opened {
            Ok(engine) => engine,
            Err(error) => return self.stepped_down(&error, "this node does not lead"),
        };
        self.failed = 0;
        let handle = engine.handle();
        info!(epoch = handle.reader().tail().epoch.0, "this node leads");
        let inside = self.runtime.enter();
        let scheduler = Scheduler::spawn(engine.handle());
        drop(inside);
        self.keys.send_replace(handle.keys());
        self.writing.send_replace(Writing::Here(engine.handle()));
        self.beside.start();
        let stopped = self.runtime.clone().block_on(self.led(&handle));
        // WHY first: whoever asks from here on waits for the next leader.
        self.writing.send_replace(Writing::Nobody);
        self.beside.stop();
        // WHY together: a day that the scheduler runs waits for a log that does not answer until the
        // engine is told to stop.
        let stopping = async { tokio::join!(scheduler.stop(), handle.stop()) };
        let ((), ended) = self.runtime.block_on(stopping);
        self.end(engine, stopped, ended)
    }

    fn end(
        &mut self,
        engine: Engine,
        stopped: bool,
        ended: Result<(), Arc<EngineError>>,
    ) -> Outcome<Led> {
        drop(engine);
        match ended {
            Ok(()) if stopped => Ok(Led::Stopped),
            Ok(()) => Ok(Led::SteppedDown),
            Err(error) => match self.stepped_down(&error, "this node leads no more") {
                Ok(_) if stopped => Ok(Led::Stopped),
                other => other,
            },
        }
    }

    /// Waits for the end of a time of leading; true where the node is to stop.
    async fn led(&self, handle: &EngineHandle) -> bool {
        let mut failed = handle.failed();
        let mut held = self.held.clone();
        let mut stop = self.stop.clone();
        tokio::select! {
            _ = failed.wait_for(Option::is_some) => false,
            held = held.wait_for(|held| matches!(held, Held::Of(_) | Held::Leaving)) => {
                if held.is_ok_and(|held| *held != Held::Leaving) {
                    warn!("the lease was lost");
                }
                false
            }
            () = self.ask_for_relief(handle) => false,
            _ = stop.wait_for(|stop| *stop) => true,
        }
    }

    /// Asks to be relieved for as long as this machine's disk has no room; does not end.
    async fn ask_for_relief(&self, handle: &EngineHandle) {
        let mut full = handle.own_disk_full();
        while full.wait_for(|full| *full).await.is_ok() {
            self.relief.notify_one();
            tokio::time::sleep(RELIEF).await;
        }
        std::future::pending::<()>().await;
    }

    /// Notes that this node has the lease and could not lead. Another one may have room, or reach the
    /// log.
    fn attempt_failed(&mut self, error: &EngineError) {
        self.failed += 1;
        if error.is_own_disk_full() || self.failed >= ATTEMPTS {
            self.relief.notify_one();
        }
    }

    /// What an end by an error means: another leader, an unreachable log and a full disk pass, nothing
    /// else does.
    fn stepped_down(&mut self, error: &EngineError, what: &str) -> Outcome<Led> {
        if !error.is_fenced() && !passes(error) {
            return Err(failed(error));
        }
        warn!(code = error.code(), %error, "{what}");
        self.attempt_failed(error);
        self.pause();
        Ok(Led::SteppedDown)
    }

    /// Waits a moment, or until the node is to stop.
    fn pause(&self) {
        let mut stop = self.stop.clone();
        self.runtime.block_on(async move {
            let _ = tokio::time::timeout(PAUSE, stop.wait_for(|stop| *stop)).await;
        });
    }
}
