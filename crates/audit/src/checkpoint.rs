//! What is signed: how large the tree is, and its root (C2SP tlog-checkpoint).
//!
//! ```text
//! encours/<log id>
//! <size>
//! <base64 of the root>
//! frame <number> <base64 of the frame's hash>
//! recorded-at <time>
//! ```

use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, SecondsFormat, Utc};
use encours_domain::Micros;
use encours_log::{Disk, FrameNumber, Hash, Known, LogId};

use crate::notary::{NotaryError, stored_verifier};
use crate::note::{NOTE_MAX, NoteError, Verifier, text_of};

/// What the names of logs begin with.
const ORIGIN: &str = "encours/";
/// The file of the newest checkpoint, in the folder of checkpoints.
const LATEST: &str = "latest";

/// Why a text is no checkpoint, or one not to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The text of the note.
    #[error("line {line} of the checkpoint is malformed")]
    Line {
        /// The line, from 1.
        line: usize,
    },
    /// The key signs for another log.
    #[error("it is about another log than its key")]
    OtherLog,
}

/// Why the checkpoints of a data folder cannot be held against its log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoredError {
    /// A file cannot be read.
    #[error("{file}: {source}")]
    Io {
        /// Its place in the data folder.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// A file is no checkpoint, or was altered.
    #[error("checkpoint_rejected: {file}: {source}")]
    Rejected {
        /// Its place in the data folder.
        file: String,
        /// Why.
        source: CheckpointError,
    },
    /// The key there cannot be used, so that nothing can be checked with it.
    #[error(transparent)]
    Key(#[from] NotaryError),
}

/// How a log stood at some time: its events, as a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log.
    pub log_id: LogId,
    /// The tree's size: the position of the last event.
    pub size: u64,
    /// The tree's root.
    pub root: Hash,
    /// The last frame.
    pub frame: FrameNumber,
    /// Its hash.
    pub frame_hash: Hash,
    /// When that frame was recorded.
    pub recorded_at: Micros,
}

/// The name of a log in checkpoints, and of the keys that sign them.
pub(crate) fn origin(log_id: LogId) -> String {
    format!("{ORIGIN}{log_id}")
}

impl Checkpoint {
    /// The text that is signed.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!(
            "{}\n{}\n{}\nframe {} {}\nrecorded-at {}\n",
            origin(self.log_id),
            self.size,
            BASE64.encode(self.root.0),
            self.frame,
            BASE64.encode(self.frame_hash.0),
            time(self.recorded_at).to_rfc3339_opts(SecondsFormat::Micros, true),
        )
    }

    /// The checkpoint in a note that this key has signed.
    ///
    /// # Errors
    /// [`CheckpointError`]: it is none, or not to be believed.
    pub fn open(note: &str, verifier: &Verifier) -> Result<Self, CheckpointError> {
        let checkpoint = Self::from_text(verifier.open(note)?)?;
        if verifier.name() == origin(checkpoint.log_id) {
            Ok(checkpoint)
        } else {
            Err(CheckpointError::OtherLog)
        }
    }

    /// The checkpoint in a note, whoever signed it.
    ///
    /// # Errors
    /// [`CheckpointError`]: it is none.
    pub fn unchecked(note: &str) -> Result<Self, CheckpointError> {
        Self::from_text(text_of(note)?)
    }

    fn from_text(text: &str) -> Result<Self, CheckpointError> {
        let lines: Vec<_> = text.lines().collect();
        let line = |at: usize| lines.get(at).copied().unwrap_or_default();
        let wrong = |at: usize| CheckpointError::Line { line: at + 1 };
        let log_id = line(0).strip_prefix(ORIGIN).and_then(|id| id.parse().ok());
        let frame = line(3).strip_prefix("frame ").and_then(|frame| frame.split_once(' '));
        let (number, hash) = frame.ok_or(wrong(3))?;
        let time = line(4).strip_prefix("recorded-at ");
        let time = time.and_then(|time| DateTime::parse_from_rfc3339(time).ok());
        Ok(Self {
            log_id: log_id.ok_or(wrong(0))?,
            size: decimal(line(1)).ok_or(wrong(1))?,
            root: decoded(line(2)).ok_or(wrong(2))?,
            frame: FrameNumber(decimal(number).ok_or(wrong(3))?),
            frame_hash: decoded(hash).ok_or(wrong(3))?,
            recorded_at: Micros(time.ok_or(wrong(4))?.timestamp_micros()),
        })
    }

    /// The UTC day on which its last frame was recorded, as `2026-01-31`.
    #[must_use]
    pub fn day(&self) -> String {
        time(self.recorded_at).format("%Y-%m-%d").to_string()
    }

    /// The last frame, for a log that has to reach it. `source` says where the checkpoint is from.
    #[must_use]
    pub fn known(&self, source: &str) -> Known {
        Known { source: source.to_owned(), number: self.frame, hash: self.frame_hash }
    }
}

/// Where the checkpoints of a data folder lie.
pub(crate) fn checkpoints_dir(data: &Path) -> PathBuf {
    data.join("checkpoints")
}

/// Where the newest checkpoint of a data folder lies.
pub(crate) fn latest_path(data: &Path) -> PathBuf {
    checkpoints_dir(data).join(LATEST)
}

/// Where the newest checkpoint of a day lies.
pub(crate) fn day_path(data: &Path, day: &str) -> PathBuf {
    checkpoints_dir(data).join(day)
}

/// The names of the checkpoints of a data folder, in order.
fn names(disk: &dyn Disk, data: &Path) -> io::Result<Vec<String>> {
    let dir = checkpoints_dir(data);
    let mut names = if disk.exists(&dir)? { disk.list(&dir)? } else { Vec::new() };
    names.retain(|name| name == LATEST || name.bytes().all(|b| b.is_ascii_digit() || b == b'-'));
    Ok(names)
}

/// Who signed a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// The key that lies in the folder now.
    Key,
    /// Another one, or nobody knows: the key was replaced, or is gone.
    Another,
}

/// The checkpoint in a note of a data folder with this key. One without a signature of it, as after the
/// key was replaced, is taken by what it says: that can be held against the log all the same, whoever
/// has signed it.
fn told(note: &str, verifier: Option<&Verifier>) -> Result<(Checkpoint, By), CheckpointError> {
    let opened = verifier.map(|verifier| Checkpoint::open(note, verifier));
    match opened {
        None | Some(Err(CheckpointError::Note(NoteError::Unsigned))) => {
            Ok((Checkpoint::unchecked(note)?, By::Another))
        }
        Some(opened) => Ok((opened?, By::Key)),
    }
}

/// Every checkpoint of a data folder, with its place there, such as `checkpoints/2026-01-31`.
///
/// One without a signature of the key that lies there now, as after the key was replaced, is taken by
/// what it says.
///
/// # Errors
/// [`StoredError`] for the first that cannot be read, is none, or was altered.
pub fn stored(disk: &dyn Disk, data: &Path) -> Result<Vec<(String, Checkpoint)>, StoredError> {
    let verifier = stored_verifier(disk, data)?;
    let io = |file: &str| {
        let file = file.to_owned();
        move |source| StoredError::Io { file, source }
    };
    let mut stored = Vec::new();
    for name in names(disk, data).map_err(io("checkpoints"))? {
        let file = format!("checkpoints/{name}");
        let note = read_note(disk, &checkpoints_dir(data).join(&name)).map_err(io(&file))?;
        match told(&note, verifier.as_ref()) {
            Ok((checkpoint, _)) => stored.push((file, checkpoint)),
            Err(source) => return Err(StoredError::Rejected { file, source }),
        }
    }
    Ok(stored)
}

/// The newest checkpoints of a data folder: the latest, else that of the newest day, of those that can
/// be read.
#[derive(Debug, Default)]
pub(crate) struct Newest {
    /// That which the key of the folder has signed, with its note.
    pub(crate) own: Option<(Checkpoint, String)>,
    /// That of the same log, whoever has signed it, with its note.
    pub(crate) any: Option<(Checkpoint, String)>,
}

impl Newest {
    /// Those of a data folder that has this key.
    pub(crate) fn of(
        disk: &dyn Disk,
        data: &Path,
        verifier: Option<&Verifier>,
    ) -> Result<Self, NotaryError> {
        let dir = checkpoints_dir(data);
        let names = names(disk, data).map_err(|source| NotaryError::Io { path: dir, source })?;
        let mut newest = Self::default();
        // The names of days begin with digits, and so are below `latest`.
        for name in names.iter().rev() {
            let path = checkpoints_dir(data).join(name);
            let note = read_note(disk, &path).map_err(|error| error.to_string());
            let told = note.and_then(|note| {
                let (checkpoint, by) = told(&note, verifier).map_err(|error| error.to_string())?;
                if verifier.is_some_and(|key| key.name() != origin(checkpoint.log_id)) {
                    return Err(CheckpointError::OtherLog.to_string());
                }
                Ok((by, (checkpoint, note)))
            });
            match told {
                Ok((by, found)) => {
                    if by == By::Key {
                        newest.own = Some(found.clone());
                    }
                    newest.any.get_or_insert(found);
                }
                Err(why) => {
                    tracing::warn!(file = %path.display(), why, "checkpoint_rejected");
                }
            }
            // Without a key there is none that has signed an older one.
            if newest.own.is_some() || (newest.any.is_some() && verifier.is_none()) {
                break;
            }
        }
        Ok(newest)
    }
}

/// The frame that the newest checkpoint of a data folder names, whoever has signed it: a log that is
/// opened there has to reach it.
///
/// # Errors
/// [`NotaryError`] where the folder of checkpoints, or the key there, cannot be read: nobody knows then
/// how far the log has to reach.
pub fn newest_known(disk: &dyn Disk, data: &Path) -> Result<Option<Known>, NotaryError> {
    let verifier = stored_verifier(disk, data)?;
    let newest = Newest::of(disk, data, verifier.as_ref())?.any;
    Ok(newest.map(|(checkpoint, _)| {
        checkpoint.known(&format!("the checkpoint at position {}", checkpoint.size))
    }))
}

/// A checkpoint with its note, and the key that signs, as far as there are such.
pub type NewestNote = (Option<(Checkpoint, String)>, Option<Verifier>);

/// The newest checkpoint of a data folder, and the key that signs there. Where there is a key, it is one that this key has signed.
///
/// # Errors
/// [`NotaryError`] where the folder of checkpoints, or the key there, cannot be read.
pub fn newest_of(disk: &dyn Disk, data: &Path) -> Result<NewestNote, NotaryError> {
    let verifier = stored_verifier(disk, data)?;
    let Newest { own, any } = Newest::of(disk, data, verifier.as_ref())?;
    Ok((if verifier.is_some() { own } else { any }, verifier))
}

/// The text of a file that should hold a note.
///
/// # Errors
/// As the system reports them; `InvalidData` where it is no text.
pub fn read_note(disk: &dyn Disk, path: &Path) -> io::Result<String> {
    let bytes = disk.read_all(path, NOTE_MAX as u64)?;
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

fn time(at: Micros) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at.0).unwrap_or_default()
}

/// A number as a checkpoint has it: no sign, no zeros before it.
fn decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

fn decoded(text: &str) -> Option<Hash> {
    Some(Hash(BASE64.decode(text).ok()?.try_into().ok()?))
}

#[cfg(test)]
mod tests;
