//! Holding a log against checkpoints that were kept elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use encours_audit::{Checkpoint, Tree, TreeError, Verifier, read_note};
use encours_log::EventLog as _;
use encours_log::{Disk as _, FrameNumber, Hash, Journal, JournalOptions, LogError, LogId, OsDisk};

use super::{Fork, STEP_FRAMES};
use crate::failure::{Exit, Failure, Outcome};
use crate::node::log_dir;
use crate::overlay::Overlay;

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
pub(crate) fn unproved(error: TreeError) -> Failure {
    match error {
        TreeError::Log(error) => error.into(),
        TreeError::Outside { .. } => Failure::new(Exit::Refused, error.to_string()),
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
