//! A running node's checkpoints, which it signs while it follows its log; [`hold`] holds a log against
//! some.

mod fork;
mod hold;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use encours_audit::{Notary, NotaryError};
use encours_log::{Clock, Disk, LogReader};
use encours_publisher::{CheckpointOptions, CheckpointPublisher, PublicCheckpoint};
use tokio::sync::watch;
use tracing::{error, info, warn};

pub(crate) use self::fork::Fork;
pub(crate) use self::hold::{Folder, Held, hold, unproved, verifier};
use crate::failure::{Exit, Failure, Outcome};

/// Frames that are hashed at a time.
const STEP_FRAMES: u32 = 8;
/// How long to rest after each of them, in times of how long it took. WHY: hashing a long log from its
/// beginning must leave the processors to those who write and read.
const REST: u32 = 3;
/// How often to look whether the log has grown, and the longest rest.
const IDLE: Duration = Duration::from_millis(250);
/// The pause after something has failed.
const FAILED: Duration = Duration::from_secs(5);
/// How long a stop may hash what it has not hashed yet, before it signs how far it came.
const STOP_LIMIT: Duration = Duration::from_secs(5);
/// The least number of events after which the file is written from which the next start goes on.
const SAVE_EVENTS: u64 = 1 << 20;
/// It is written whole, so the longer the log, the more events later: after this part of it, that all
/// writing together comes to some times the last file. A start after a crash hashes no more than that.
const SAVE_PART: u64 = 8;

/// How checkpoints are signed.
#[derive(Clone, Debug)]
pub(crate) struct Signing {
    /// The least time between two of them.
    pub(crate) every: Duration,
    /// Where they are published, where they are.
    pub(crate) publish: Option<CheckpointOptions>,
}

impl Default for Signing {
    fn default() -> Self {
        Self { every: Duration::from_secs(60), publish: None }
    }
}

/// A node's notary at work, on a thread of its own.
pub(crate) struct Checkpoints {
    notary: Arc<Notary>,
    stop: mpsc::Sender<()>,
    thread: JoinHandle<()>,
    publisher: Option<CheckpointPublisher>,
    leads: Option<watch::Receiver<bool>>,
    /// Whether this node publishes the last one, though it leads no more by then.
    is_last: Arc<AtomicBool>,
}

impl Checkpoints {
    /// Opens the notary of a data folder and starts to follow its log. Of several nodes on a log the
    /// one that `leads` publishes. Must be called within a tokio runtime.
    pub(crate) fn spawn(
        reader: Arc<dyn LogReader>,
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        data: &Path,
        signing: Signing,
        leads: Option<watch::Receiver<bool>>,
    ) -> Outcome<Self> {
        let notary = Arc::new(Notary::open(reader, disk, data)?);
        let (told, newest) = watch::channel(None);
        let (stop, stopped) = mpsc::channel();
        let (saved, is_last) = (notary.tree().size(), Arc::new(AtomicBool::new(false)));
        let publisher = signing.publish.map(|options| CheckpointPublisher::spawn(options, newest));
        let following = Following {
            notary: Arc::clone(&notary),
            clock,
            every: signing.every,
            leads: leads.clone(),
            is_last: Arc::clone(&is_last),
            led: false,
            told,
            saved,
            failed: None,
            unsigned: None,
        };
        let thread = thread::Builder::new().name("encours-notary".to_owned());
        let thread = thread.spawn(move || following.run(&stopped))?;
        Ok(Self { notary, stop, thread, publisher, leads, is_last })
    }

    /// The tree and the newest checkpoint.
    pub(crate) fn notary(&self) -> Arc<Notary> {
        Arc::clone(&self.notary)
    }

    /// Tells that the node is about to stop: where it leads now, it publishes the last checkpoint.
    pub(crate) fn stops(&self) {
        let leads = self.leads.as_ref().is_none_or(|leads| *leads.borrow());
        self.is_last.store(leads, Ordering::Relaxed);
    }

    /// Signs the log as it stands, publishes that and ends, within some seconds.
    pub(crate) async fn stop(self) {
        let Self { stop, thread, publisher, .. } = self;
        drop(stop);
        let ended = tokio::task::spawn_blocking(move || thread.join().is_ok()).await;
        if !ended.unwrap_or_default() {
            error!("the notary has failed");
        }
        if let Some(publisher) = publisher {
            publisher.stop().await;
        }
    }
}

struct Following {
    notary: Arc<Notary>,
    clock: Arc<dyn Clock>,
    every: Duration,
    leads: Option<watch::Receiver<bool>>,
    is_last: Arc<AtomicBool>,
    /// Whether this node led at the last look.
    led: bool,
    told: watch::Sender<Option<PublicCheckpoint>>,
    /// Events in the tree when its file was written.
    saved: u64,
    /// Why the log is not followed.
    failed: Option<String>,
    /// Why nothing was signed last.
    unsigned: Option<String>,
}

impl Following {
    fn run(mut self, stop: &mpsc::Receiver<()>) {
        let mut due = self.clock.monotonic();
        loop {
            let leads = self.leads();
            if leads && !self.led {
                // What was signed before: nothing new may come for long.
                self.tell();
            }
            self.led = leads;
            let begun = self.clock.monotonic();
            let step = self.notary.advance(STEP_FRAMES);
            let is_all = *step.as_ref().unwrap_or(&false);
            let mut pause = if self.holds(step).is_none() { FAILED } else { IDLE };
            let now = self.clock.monotonic();
            // Also where the log grows faster than it is hashed.
            if self.failed.is_none() && now >= due && (is_all || now >= due + self.every) {
                self.sign();
                due = now + self.every;
            }
            if self.failed.is_none() && !is_all {
                pause = ((now - begun) * REST).clamp(Duration::from_millis(1), IDLE);
            }
            // It may have been begun anew, its file set aside.
            self.saved = self.saved.min(self.notary.tree().size());
            if self.notary.tree().size() >= next_save(self.saved) {
                self.save();
            }
            match stop.recv_timeout(pause) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let limit = self.clock.monotonic() + STOP_LIMIT;
        while self.clock.monotonic() < limit {
            let step = self.notary.advance(STEP_FRAMES);
            if self.holds(step) != Some(false) {
                break;
            }
        }
        self.sign();
        self.tell();
        self.save();
    }

    /// What was done; `None`, told once, where it failed.
    fn holds<T>(&mut self, done: Result<T, NotaryError>) -> Option<T> {
        match done {
            Ok(done) => {
                self.failed = None;
                Some(done)
            }
            Err(error) => {
                tell_once(&error, &mut self.failed);
                None
            }
        }
    }

    fn sign(&mut self) {
        let signed = match self.notary.sign() {
            Ok(signed) => signed,
            Err(error) => return tell_once(&error, &mut self.unsigned),
        };
        self.unsigned = None;
        if let Some(signed) = signed {
            let position = signed.checkpoint.size;
            info!(position, root = %signed.checkpoint.root, "checkpoint signed");
            self.tell();
        }
    }

    fn leads(&self) -> bool {
        self.leads.as_ref().is_none_or(|leads| *leads.borrow())
    }

    /// Has the newest one published, where that is this node's part.
    fn tell(&self) {
        let is_ours = self.leads() || self.is_last.load(Ordering::Relaxed);
        if is_ours && let Some(newest) = self.notary.newest() {
            let log_id = newest.checkpoint.log_id.to_string();
            self.told.send_replace(Some(PublicCheckpoint { log_id, note: newest.note }));
        }
    }

    fn save(&mut self) {
        self.saved = self.notary.tree().size();
        if let Err(error) = self.notary.save() {
            // The next start hashes the log again.
            warn!(%error, "the tree was not written");
        }
    }
}

/// Tells an error that is not the one before.
fn tell_once(error: &NotaryError, before: &mut Option<String>) {
    let said = error.to_string();
    if before.as_ref() != Some(&said) {
        error!(%error, "no checkpoint is signed");
    }
    *before = Some(said);
}

/// How many events the tree has when its file is written next.
const fn next_save(saved: u64) -> u64 {
    let part = saved / SAVE_PART;
    saved.saturating_add(if part > SAVE_EVENTS { part } else { SAVE_EVENTS })
}

impl From<NotaryError> for Failure {
    fn from(error: NotaryError) -> Self {
        let said = error.to_string();
        match error {
            NotaryError::Key { .. } | NotaryError::OtherLog { .. } => {
                Self::new(Exit::Damaged, format!("signing_key: {said}")).hint(
                    "restore keys/signing.key from the backup of the same folder, or move it away: \
                     then a new key is made, whose verifier key has to be given to those who check",
                )
            }
            NotaryError::Io { .. } => Self::new(Exit::Failure, said)
                .hint("give a folder that this user can read and write with --data"),
            _ => Self::new(Exit::Failure, said),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writing_the_tree_costs_a_few_times_its_last_file() {
        let (mut size, mut times, mut hashes) = (0, 0, 0);
        while size < 1_000_000_000 {
            let next = next_save(size);
            assert!(next - size >= SAVE_EVENTS && next - size <= SAVE_EVENTS.max(size / 8));
            (size, times, hashes) = (next, times + 1, hashes + next / 256);
        }
        let last = size / 256;
        assert!(times < 60 && hashes < 12 * last, "{times} times, {hashes} hashes for {last}");
    }
}
