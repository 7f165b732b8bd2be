//! `backup.json`: which files make a backup, what they hold, and how far its log reaches.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use chrono::DateTime;
use encours_log::{Disk, FrameNumber, Hash, Known, LogId, Micros, OsDisk, Tail};
use serde::{Deserialize, Serialize};

use crate::failure::{Exit, Failure, Outcome};

/// The name of the manifest in the folder of a backup.
pub(crate) const MANIFEST: &str = "backup.json";
/// What is written, and the newest that is read.
const FORMAT: u64 = 1;
/// A manifest is some 250 bytes for each file.
const MAX_BYTES: u64 = 256 << 20;
/// The folders that a backup holds.
pub(crate) const FOLDERS: [&str; 3] = ["checkpoints", "log", "keys"];

/// What belongs to a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// The form of this file.
    pub(crate) format: u64,
    /// The log, as 32 hexadecimal digits.
    pub(crate) log_id: String,
    /// When the backup was finished, in UTC.
    pub(crate) made_at: String,
    /// The last frame of the log in it.
    pub(crate) tail: TailOf,
    /// Every file, in the order of their paths.
    pub(crate) files: Vec<Entry>,
}

/// How far a log reaches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TailOf {
    pub(crate) frame: u64,
    pub(crate) hash: String,
    pub(crate) position: u64,
    pub(crate) recorded_at: String,
}

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Where it belongs in a data folder, such as `log/anchor`.
    pub(crate) path: String,
    /// Where it lies in the backup. A file that another backup may hold in another state bears the
    /// beginning of its hash, so that none is ever written over.
    pub(crate) stored: String,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
}

impl Entry {
    /// The folder that it belongs to.
    pub(crate) fn folder(&self) -> &str {
        self.path.split_once('/').map_or("", |(folder, _)| folder)
    }

    /// Whether it is a segment that nothing is written to any more.
    pub(crate) fn is_full_segment(&self) -> bool {
        self.stored == self.path && self.folder() == "log"
    }
}

impl TailOf {
    pub(crate) fn of(tail: &Tail) -> Self {
        Self {
            frame: tail.number.0,
            hash: tail.hash.to_string(),
            position: tail.next_position.0.saturating_sub(1),
            recorded_at: moment(tail.recorded_at),
        }
    }
}

/// A moment as people and programs read it.
pub(crate) fn moment(at: Micros) -> String {
    let at = DateTime::from_timestamp_micros(at.0).unwrap_or_default();
    at.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

impl Manifest {
    pub(crate) fn new(log_id: LogId, made_at: Micros, tail: &Tail, files: Vec<Entry>) -> Self {
        let (format, log_id, tail) = (FORMAT, log_id.to_string(), TailOf::of(tail));
        Self { format, log_id, made_at: moment(made_at), tail, files }
    }

    /// The manifest of a folder; `None` where it has none.
    pub(crate) fn read(dir: &Path) -> Outcome<Option<Self>> {
        let path = dir.join(MANIFEST);
        if !OsDisk.exists(&path)? {
            return Ok(None);
        }
        let wrong = |why: String| {
            let message = format!("backup_damaged: {}: {why}", path.display());
            Failure::new(Exit::Damaged, message)
                .hint("use another backup; a new one needs a new folder")
        };
        let bytes = OsDisk.read_all(&path, MAX_BYTES).map_err(|error| wrong(error.to_string()))?;
        let value: serde_json::Value =
            serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
        let format = value["format"].as_u64().unwrap_or_default();
        if format > FORMAT {
            let message = format!("backup_too_new: {} has form {format}", path.display());
            return Err(Failure::new(Exit::Failure, message)
                .hint("use the version of encours that wrote it, or a later one"));
        }
        let manifest: Self =
            serde_json::from_value(value).map_err(|error| wrong(error.to_string()))?;
        manifest.sound().map_err(wrong)?;
        Ok(Some(manifest))
    }

    /// Whether it can be used: a file outside of its folder would be somebody else's.
    fn sound(&self) -> Result<(), String> {
        if self.format == 0 || self.log_id.parse::<LogId>().is_err() || self.hash().is_none() {
            return Err("it names no log".to_owned());
        }
        let mut paths = BTreeSet::new();
        for entry in &self.files {
            let Entry { path, stored, .. } = entry;
            let plain = |name: &str| {
                let (folder, name) = name.split_once('/')?;
                let known = FOLDERS.contains(&folder) && !name.is_empty();
                (known && !name.starts_with('.') && !name.contains(['/', '\\', '\0'])).then_some(())
            };
            if plain(path).and(plain(stored)).is_none() || !stored.starts_with(path.as_str()) {
                return Err(format!("{path:?} as {stored:?} is no file of a backup"));
            }
            if !paths.insert(path.as_str()) {
                return Err(format!("{path} is there twice"));
            }
        }
        Ok(())
    }

    pub(crate) fn hash(&self) -> Option<Hash> {
        // A log id has the same form, and half the digits.
        let half = |digits: Option<&str>| digits?.parse::<LogId>().ok();
        let hash = &self.tail.hash;
        let (first, second) = (half(hash.get(..32))?, half(hash.get(32..))?);
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(&first.0);
        bytes[16..].copy_from_slice(&second.0);
        Some(Hash(bytes))
    }

    /// Its last frame, as one who has seen it.
    pub(crate) fn as_known(&self) -> Vec<Known> {
        let source = format!("the backup made at {}", self.made_at);
        let number = FrameNumber(self.tail.frame);
        let known = self.hash().filter(|_| self.tail.frame > 0);
        known.map(|hash| Known { source, number, hash }).into_iter().collect()
    }

    /// The file that belongs at this place of a data folder.
    pub(crate) fn file(&self, path: &str) -> Option<&Entry> {
        self.files.iter().find(|entry| entry.path == path)
    }

    /// Puts it into a folder, durably, all or nothing.
    pub(crate) fn write(&self, dir: &Path) -> Outcome {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(OsDisk.replace(&dir.join(MANIFEST), &bytes)?)
    }

    /// Where a file of this backup lies.
    pub(crate) fn place(dir: &Path, entry: &Entry) -> PathBuf {
        dir.join(&entry.stored)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(path: &str, stored: &str) -> Manifest {
        let entry = Entry {
            path: path.to_owned(),
            stored: stored.to_owned(),
            bytes: 1,
            sha256: "0".repeat(64),
        };
        let log_id = LogId([7; 16]);
        Manifest::new(log_id, Micros(0), &Tail::genesis(log_id), vec![entry])
    }

    #[test]
    fn a_manifest_names_files_of_its_own_folder_alone() {
        for (path, stored) in [("log/anchor", "log/anchor.12"), ("keys/a.keys", "keys/a.keys")] {
            assert_eq!(manifest(path, stored).sound(), Ok(()));
        }
        for (path, stored) in [
            ("log/../x", "log/../x"),
            ("log/", "log/"),
            ("/etc/passwd", "/etc/passwd"),
            ("log/a/b", "log/a/b"),
            ("log/a", "keys/b"),
            ("lock", "lock"),
            ("snapshots/a", "snapshots/a"),
            ("log/.x", "log/.x"),
        ] {
            assert!(manifest(path, stored).sound().is_err(), "{path} {stored}");
        }
        let mut twice = manifest("log/a", "log/a");
        twice.files.push(twice.files[0].clone());
        assert!(twice.sound().is_err());
    }

    #[test]
    fn it_reads_back_what_was_written_and_refuses_what_is_newer() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Manifest::read(dir.path()).unwrap(), None);
        let mut written = manifest("log/anchor", "log/anchor.12");
        written.write(dir.path()).unwrap();
        assert_eq!(Manifest::read(dir.path()).unwrap(), Some(written.clone()));
        assert_eq!(written.hash(), Some(Hash::genesis(LogId([7; 16]))));
        written.format = 2;
        written.write(dir.path()).unwrap();
        assert!(Manifest::read(dir.path()).unwrap_err().to_string().contains("backup_too_new"));
        OsDisk.replace(&dir.path().join(MANIFEST), b"{\"format\":1").unwrap();
        assert_eq!(Manifest::read(dir.path()).unwrap_err().exit(), Exit::Damaged);
    }
}
