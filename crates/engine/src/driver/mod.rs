//! The engine on threads: one decides, one makes frames durable, one writes in the background.
//!
//! Commands come through a bounded queue. While a frame is on its way to the disk the next one fills
//! with whatever arrives: the sync in flight is the timer of the group commit.

mod callers;
mod desk;
mod inbox;
mod log_thread;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use encours_log::{Clock, LogReader};
use tokio::sync::{oneshot, watch};
use tracing::error;

use crate::clocks::ClockInfo;
use crate::error::EngineError;
use crate::keeper::{Job, Keeper};
use crate::keys::KeyStore;
use crate::log_side::Outcome;
use crate::metrics::{Counters, Figures};
use crate::patience::{Doubts, Patience};
use crate::recover::RecoveryReport;
use crate::submission::{Denied, Reply, Submission};
use crate::writer::{EngineOptions, Limits, Opened, Writer};
use desk::Desk;
use inbox::{Caller, Inbox, Note, Waiting};

/// How long a frame may be on its way before new commands are turned away at once. WHY: callers should
/// hear that the log cannot be reached, not wait for it; those who wait already may still get their
/// answer.
const STALLED_AFTER: Duration = Duration::from_secs(3);

/// What the threads and the handles share.
struct Shared {
    inbox: Inbox,
    counters: Counters,
    /// For how long commands take.
    clock: Arc<dyn Clock>,
    doubts: Arc<Doubts>,
    /// Seconds that a clock which is not believed is ahead.
    clock_ahead_s: Arc<AtomicU64>,
    /// When the oldest frame on its way was sent; `u64::MAX` where none is.
    oldest_sent_us: AtomicU64,
    is_full: AtomicBool,
    /// It is this machine's disk that has no room.
    own_disk_full: watch::Sender<bool>,
    /// A snapshot waits to be written; another would only be in its way.
    snapshot_waits: AtomicBool,
    keys: Arc<KeyStore>,
    reader: Arc<dyn LogReader>,
    report: RecoveryReport,
    clocks: watch::Sender<Arc<[ClockInfo]>>,
    failed: watch::Sender<Option<Arc<EngineError>>>,
    stopped: watch::Sender<bool>,
}

impl Shared {
    /// Takes no more commands, and gives up sooner where the log cannot be reached.
    fn close(&self) {
        self.doubts.hurry(true);
        self.inbox.close();
    }

    /// Notes when the oldest frame on its way was sent, by the clock's monotonic time.
    fn oldest_sent(&self, sent: Option<Duration>) {
        let sent = sent.and_then(|sent| u64::try_from(sent.as_micros()).ok());
        self.oldest_sent_us.store(sent.unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Notes whether it is this machine's disk that has no room.
    fn own_disk_full(&self, is_full: bool) {
        self.own_disk_full.send_if_modified(|known| std::mem::replace(known, is_full) != is_full);
    }

    /// Turns a command away where the log does not answer.
    fn admit(&self, now: Duration) -> Result<(), Denied> {
        let sent = Duration::from_micros(self.oldest_sent_us.load(Ordering::Relaxed));
        let waited = now.saturating_sub(sent);
        if waited <= STALLED_AFTER {
            return Ok(());
        }
        let seconds = waited.as_secs();
        let reason = format!("the log has not answered for {seconds} seconds");
        Err(Denied::Unavailable { reason })
    }
}

/// The running engine. Dropping it asks for a clean stop without waiting; see
/// [`EngineHandle::stop`].
pub struct Engine {
    handle: EngineHandle,
}

impl Engine {
    /// Opens the engine over a log and the folder `dir`, in which it keeps `keys/` (to be backed up
    /// with the log), `snapshots/` and `requests/` (which it makes anew from the log). Returns once
    /// this writer has durably taken the log over, or finds it full.
    ///
    /// # Errors
    /// [`EngineError`] where log, keys or folders cannot be used.
    pub fn open(options: EngineOptions, dir: &Path) -> Result<Self, EngineError> {
        let (limits, clock) = (options.limits, Arc::clone(&options.clock));
        let patience = Patience::with_pauses(Arc::clone(&clock));
        Self::start(|| Writer::open(options, dir, patience), limits, clock)
    }

    /// Makes the take-over durable and starts the threads.
    pub(crate) fn start(
        open: impl FnOnce() -> Result<Opened, EngineError>,
        limits: Limits,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, EngineError> {
        let opened = catch_unwind(AssertUnwindSafe(|| Self::take_over(open()?)));
        let (opened, is_full) =
            opened.unwrap_or_else(|panic| Err(EngineError::panicked("opening", &*panic)))?;
        let Opened { writer, log, keeper, keys, report } = opened;
        let doubts = Arc::clone(&log.patience.doubts);
        doubts.hurry(false);
        let shared = Arc::new(Shared {
            inbox: Inbox::new(limits.queue),
            counters: Counters::default(),
            clock: Arc::clone(&clock),
            doubts,
            clock_ahead_s: writer.clock_ahead_s(),
            oldest_sent_us: AtomicU64::new(u64::MAX),
            is_full: AtomicBool::new(is_full),
            own_disk_full: watch::Sender::new(false),
            snapshot_waits: AtomicBool::new(false),
            keys,
            reader: writer.reader(),
            report,
            clocks: watch::Sender::new(writer.core.clocks()),
            failed: watch::Sender::new(None),
            stopped: watch::Sender::new(false),
        });
        let window = log.window();
        let (to_log, from_desk) = mpsc::channel();
        let keeper = Arc::new(Mutex::new(keeper));
        let (to_keeper, jobs) = mpsc::channel();
        let keeper_thread = {
            let (shared, keeper) = (Arc::clone(&shared), Arc::clone(&keeper));
            spawn("keeper", move || keep(&jobs, &keeper, &shared))?
        };
        let desk = Desk::new(writer, keeper, Arc::clone(&shared), window, to_log, to_keeper);
        let (begin, threads) = mpsc::channel();
        spawn("writer", move || threads.recv().map_or((), |threads| desk.run(threads)))?;
        // WHY last: where one cannot be started, the log is let go before this returns.
        let log_thread = {
            let shared = Arc::clone(&shared);
            spawn("log", move || log_thread::run(log, &from_desk, &shared, &clock))?
        };
        // The writer is there: it waits for this.
        drop(begin.send([log_thread, keeper_thread]));
        Ok(Self { handle: EngineHandle { shared } })
    }

    /// Appends the event that this writer took over. Says whether the log was full.
    fn take_over(mut opened: Opened) -> Result<(Opened, bool), EngineError> {
        while let Some(work) = opened.writer.core.take_frame()? {
            opened.log.submit(work);
            match opened.log.settle() {
                Some(Outcome::Durable(number)) => drop(opened.writer.core.settled(number)?),
                Some(Outcome::Full) => {
                    (opened.writer, _) = opened.writer.restart(&mut opened.keeper)?;
                    return Ok((opened, true));
                }
                Some(Outcome::Stop(error)) => return Err(error),
                None => break,
            }
        }
        Ok((opened, false))
    }

    /// A handle to send commands through. Cheap to clone.
    #[must_use]
    pub fn handle(&self) -> EngineHandle {
        self.handle.clone()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.handle.shared.close();
    }
}

fn spawn(
    name: &'static str,
    run: impl FnOnce() + Send + 'static,
) -> Result<thread::JoinHandle<()>, EngineError> {
    thread::Builder::new()
        .name(format!("encours-{name}"))
        .spawn(run)
        .map_err(|source| EngineError::Thread { thread: name, source })
}

/// The background thread: does jobs until the deciding thread hangs up.
fn keep(jobs: &mpsc::Receiver<Job>, keeper: &Mutex<Keeper>, shared: &Shared) {
    for job in jobs {
        let is_snapshot = matches!(job, Job::Snapshot(_));
        let run = || keeper.lock().unwrap_or_else(PoisonError::into_inner).run(job);
        match catch_unwind(AssertUnwindSafe(run)) {
            Ok(Some(lookup)) => shared.inbox.note(Note::Lookup(lookup)),
            Ok(None) => {}
            Err(panic) => {
                // WHY no stop: nothing but the next start's time depends on this thread.
                error!(error = %EngineError::panicked("keeper", &*panic), "background step failed");
            }
        }
        if is_snapshot {
            shared.snapshot_waits.store(false, Ordering::Release);
        }
    }
}

/// Sends commands to the engine. Cheap to clone.
#[derive(Clone)]
pub struct EngineHandle {
    shared: Arc<Shared>,
}

impl EngineHandle {
    /// Has a command decided, and answers once everything that the decision read is durable.
    ///
    /// Cancel safe in this sense: dropping the future gives up the answer only. A command that was
    /// taken into the queue is decided and made durable as if somebody waited for it; sending it
    /// again with the same id or request id tells what became of it.
    ///
    /// # Errors
    /// [`Denied`] says whether a rule refused, or whether trying again makes sense.
    pub async fn execute(&self, submission: Submission) -> Result<Reply, Denied> {
        let (sender, answer) = oneshot::channel();
        let since = self.shared.clock.monotonic();
        let caller = Caller { answer: sender, since };
        let pushed = self
            .shared
            .admit(since)
            .and_then(|()| self.shared.inbox.push(Waiting { submission, caller }));
        if let Err(denied) = pushed {
            let answer = Err(denied);
            let took = self.shared.clock.monotonic().saturating_sub(since);
            self.shared.counters.answered(&answer, took);
            return answer;
        }
        // The sender is dropped without an answer only where the deciding thread has died.
        answer.await.unwrap_or(Err(Denied::OutcomeUnknown))
    }

    /// The clocks, as of the last durable frame that changed one.
    #[must_use]
    pub fn clocks(&self) -> watch::Receiver<Arc<[ClockInfo]>> {
        self.shared.clocks.subscribe()
    }

    /// The keys of customers.
    #[must_use]
    pub fn keys(&self) -> Arc<KeyStore> {
        Arc::clone(&self.shared.keys)
    }

    /// A reading end of the log.
    #[must_use]
    pub fn reader(&self) -> Arc<dyn LogReader> {
        Arc::clone(&self.shared.reader)
    }

    /// What opening had to do.
    #[must_use]
    pub fn recovery(&self) -> RecoveryReport {
        self.shared.report
    }

    /// What the engine counts.
    #[must_use]
    pub fn metrics(&self) -> Figures {
        let is_full = self.shared.is_full.load(Ordering::Relaxed);
        let ambiguous = self.shared.doubts.count();
        let queue_depth = self.shared.inbox.depth() as u64;
        let clock_ahead_s = self.shared.clock_ahead_s.load(Ordering::Relaxed);
        let counted = self.shared.counters.figures();
        Figures { queue_depth, is_full, ambiguous, clock_ahead_s, ..counted }
    }

    /// True while commands are refused because this machine's disk has no room for the log or for
    /// keys: another node may have some.
    #[must_use]
    pub fn own_disk_full(&self) -> watch::Receiver<bool> {
        self.shared.own_disk_full.subscribe()
    }

    /// Turns to the reason once the engine has failed: the process must then exit with an error.
    #[must_use]
    pub fn failed(&self) -> watch::Receiver<Option<Arc<EngineError>>> {
        self.shared.failed.subscribe()
    }

    /// Stops cleanly: takes no more commands, decides those in the queue, makes their frames durable,
    /// writes request ids and a snapshot, closes the log. May be called again and from several tasks.
    ///
    /// # Errors
    /// Why the engine had failed, where it had.
    pub async fn stop(&self) -> Result<(), Arc<EngineError>> {
        self.shared.close();
        let mut stopped = self.shared.stopped.subscribe();
        // The sender lives in `shared`, so waiting cannot fail.
        let _ = stopped.wait_for(|stopped| *stopped).await;
        let failed = self.shared.failed.borrow().clone();
        failed.map_or(Ok(()), Err)
    }
}
