//! Checkpoints: a running node's, which it signs while it follows its log, and those that a log is held
//! against.

mod fork;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use encours_audit::{Checkpoint, Notary, NotaryError, Tree, Verifier, read_note};
use encours_log::EventLog as _;
use encours_log::{
    Clock, Disk, FrameNumber, Hash, Journal, JournalOptions, LogError, LogId, LogReader, OsDisk,
};
use encours_publisher::{CheckpointOptions, CheckpointPublisher, PublicCheckpoint};
use tokio::sync::watch;
use tracing::{error, info, warn};

pub(crate) use self::fork::Fork;
use crate::failure::{Exit, Failure, Outcome};
use crate::node::log_dir;
use crate::overlay::Overlay;

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

/// The log of a data folder, read without a lock or a write, with its whole tree.
pub(crate) struct Folder {
    pub(crate) tree: Tree,
    journal: Journal,
}

/// Bytes of a segment that opening may make, in memory.
const SEGMENT_LEN: u64 = 1 << 20;
/// How often damage is looked at again before it is believed: a server may be writing there.
const LOOKS: u32 = 4;

impl Folder {
    /// Opens a folder and hashes its log from the beginning: nothing derived is believed.
    pub(crate) fn open(data: &Path) -> Outcome<Self> {
        let dir = log_dir(data);
        if !OsDisk.exists(&dir)? {
            return Err(LogError::NoLog { dir }.into());
        }
        let mut looks = 1;
        let journal = loop {
            let options = JournalOptions {
                segment_len: SEGMENT_LEN,
                background: false,
                ..JournalOptions::default()
            };
            match Journal::open(Arc::new(Overlay::default()), &dir, options) {
                Ok((journal, _)) => break journal,
                Err(_) if looks < LOOKS => {
                    looks += 1;
                    thread::yield_now();
                }
                Err(error) => return Err(error.into()),
            }
        };
        let tree = Tree::new(journal.reader());
        while !tree.advance(STEP_FRAMES).map_err(unproved)? {}
        Ok(Self { tree, journal })
    }
}

/// A tree that does not answer, where the log was read in whole.
pub(crate) fn unproved(error: encours_audit::TreeError) -> Failure {
    match error {
        encours_audit::TreeError::Log(error) => error.into(),
        encours_audit::TreeError::Outside { .. } => Failure::new(Exit::Refused, error.to_string()),
        _ => Failure::new(Exit::Damaged, error.to_string()),
    }
}

/// A verifier key, as a flag gives it.
pub(crate) fn verifier(text: &str) -> Result<Verifier, String> {
    Verifier::parse(text).map_err(|error| error.to_string())
}

/// How far the log of a folder is what was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// The largest size that a checkpoint vouches for.
    pub(crate) size: u64,
    /// Where the checkpoints are of a log that this one was forked from.
    pub(crate) fork: Option<Fork>,
}

/// Holds the log of a folder against checkpoints that were kept elsewhere, of itself or of a log that it
/// was forked from.
///
/// The log may be in order in itself and another one all the same: who rewrites an event can rewrite
/// all hashes after it, but not a signature.
pub(crate) fn hold(data: &Path, files: &[PathBuf], verifier: &Verifier) -> Outcome<Held> {
    let mut checkpoints = Vec::with_capacity(files.len());
    for file in files {
        let wrong = |exit, why: String| Failure::new(exit, format!("{}: {why}", file.display()));
        let note = read_note(&OsDisk, file);
        let note = note.map_err(|error| wrong(Exit::Failure, error.to_string()))?;
        let checkpoint = Checkpoint::open(&note, verifier);
        let checkpoint = checkpoint.map_err(|error| wrong(Exit::Damaged, error.to_string()))?;
        checkpoints.push((&**file, checkpoint));
    }
    checkpoints.sort_by_key(|(_, checkpoint)| checkpoint.size);
    let folder = Folder::open(data)?;
    let tree = &folder.tree;
    let fork = match checkpoints.first() {
        // One key signs for one log.
        Some((file, of)) if of.log_id != tree.log_id() => Some(folder.fork(file, of.log_id)?),
        _ => None,
    };
    let frames = checkpoints.iter().map(|(_, checkpoint)| checkpoint.frame).collect();
    let hashes = folder.hashes(fork.as_ref(), &frames)?;
    let mut held = Held { size: 0, fork };
    for (file, checkpoint) in &checkpoints {
        let Checkpoint { size, root, frame, frame_hash, .. } = *checkpoint;
        let failed = |code: &str, why: String| Err(fails(file, code, &why));
        if let Some(fork) = fork.filter(|fork| fork.position.0 < size || fork.frame < frame) {
            let Fork { log_id, position, .. } = fork;
            let why =
                format!("it was forked from {log_id} at position {position}, {size} was signed");
            return failed("log_forked", why);
        }
        if tree.size() < size {
            let ends = tree.size();
            return failed("log_rolled_back", format!("the log ends at {ends}, {size} was signed"));
        }
        if tree.root(size).map_err(unproved)? != root || hashes.get(&frame) != Some(&frame_hash) {
            let since = match held.size {
                0 => "no checkpoint given here agrees with it".to_owned(),
                agreed => format!("it agrees with what was signed at position {agreed}"),
            };
            let why = format!(
                "at position {size}, frame {frame}, the log is not the one that was signed; {since}"
            );
            return failed("log_diverged", why);
        }
        held.size = size;
    }
    Ok(held)
}

fn fails(file: &Path, code: &str, why: &str) -> Failure {
    Failure::new(Exit::Damaged, format!("{code}: FAIL: {why} ({})", file.display()))
        .hint("keep the folder as it is; the log that was signed is in a backup of its time")
}

impl Folder {
    /// Where this log was forked from the one that the checkpoint in `file` is of.
    fn fork(&self, file: &Path, log_id: LogId) -> Outcome<Fork> {
        let other = || format!("this is log {}, not {log_id}", self.tree.log_id());
        Fork::from(&*self.journal.reader(), log_id)?
            .ok_or_else(|| fails(file, "wrong_log", &other()))
    }

    /// The hashes of those of these frames that there are: here, or in the log that this one was forked
    /// from.
    fn hashes(
        &self,
        fork: Option<&Fork>,
        frames: &BTreeSet<FrameNumber>,
    ) -> Outcome<BTreeMap<FrameNumber, Hash>> {
        if let Some(fork) = fork {
            return fork.hashes(&*self.journal.reader(), frames);
        }
        let mut hashes = BTreeMap::new();
        for frame in frames {
            if let Some(hash) = self.tree.frame_hash(*frame).map_err(unproved)? {
                hashes.insert(*frame, hash);
            }
        }
        Ok(hashes)
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
