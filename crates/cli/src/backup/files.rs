//! Copying files with their hashes, and a backup seen as the data folder that it holds.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use encours_log::{Disk, DiskFile, Hash, LockError, LockGuard, OsDisk, is_no_room};
use sha2::{Digest as _, Sha256};

use super::manifest::{Entry, Manifest};
use crate::failure::{Exit, Failure, Outcome};

/// Bytes that are read and written at a time.
const CHUNK: usize = 1 << 20;

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

/// The length and the hash of a file; what is read is also given to `out`.
fn read(file: &dyn DiskFile, out: &mut dyn FnMut(u64, &[u8]) -> io::Result<()>) -> io::Result<Sum> {
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    let mut bytes = 0;
    loop {
        let read = file.read_up_to(&mut chunk, bytes)?;
        if read == 0 {
            let sha256 = Hash(hash.finalize().into()).to_string();
            return Ok(Sum { bytes, sha256 });
        }
        hash.update(&chunk[..read]);
        out(bytes, &chunk[..read])?;
        bytes += read as u64;
    }
}

/// What a file holds; `None` where there is none.
pub(super) fn sum(path: &Path) -> Outcome<Option<Sum>> {
    if !OsDisk.exists(path)? {
        return Ok(None);
    }
    let read = OsDisk.open_ro(path).and_then(|file| read(&*file, &mut |_, _| Ok(())));
    read.map(Some).map_err(|error| unreadable(path, &error))
}

pub(super) fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let failure = Failure::new(Exit::Failure, format!("{}: {error}", path.display()));
    failure.hint(advice(path, error, "read"))
}

/// What writing a file fails with.
pub(super) fn unwritten(path: &Path, error: &io::Error) -> Failure {
    let code = if is_no_room(error) { "no_room" } else { "io" };
    let failure = Failure::new(Exit::Failure, format!("{code}: {}: {error}", path.display()));
    failure.hint(advice(path, error, "write"))
}

/// What to do next where a file cannot be used.
fn advice(path: &Path, error: &io::Error, verb: &str) -> String {
    match error.kind() {
        _ if is_no_room(error) => {
            "make room there, or give another folder; what was there is as it was".to_owned()
        }
        io::ErrorKind::PermissionDenied => {
            let owner = path.ancestors().find_map(|at| Some((at, fs::metadata(at).ok()?.uid())));
            let owner = owner.map_or_else(String::new, |(at, uid)| {
                format!("{} belongs to user {uid}: ", at.display())
            });
            format!("{owner}run this as the user of the server, who has to {verb} there")
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "give a folder on a file system that is mounted for writing".to_owned()
        }
        io::ErrorKind::NotFound => {
            "look whether its disk is mounted; nothing else was changed".to_owned()
        }
        _ => {
            "look after the disk, then do it again; no backup that was whole is changed".to_owned()
        }
    }
}

/// A file that is being made beside the name that it will have; removed where it is not finished.
pub(super) struct Draft {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    is_kept: bool,
}

impl Draft {
    /// Begins a file in place of what a crash may have left.
    pub(super) fn begin(target: &Path) -> Outcome<Self> {
        let mut path = target.as_os_str().to_owned();
        path.push(".tmp");
        let path = PathBuf::from(path);
        let make = || {
            if OsDisk.exists(&path)? {
                OsDisk.remove(&path)?;
            }
            OsDisk.create(&path)
        };
        let file = make().map_err(|error| unwritten(&path, &error))?;
        Ok(Self { file, path, is_kept: false })
    }

    pub(super) fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    pub(super) fn set_len(&self, len: u64) -> Outcome {
        self.file.set_len(len).map_err(|error| unwritten(&self.path, &error))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the bytes durable; answers what they are, read back.
    pub(super) fn synced(&self) -> Outcome<Sum> {
        self.file.sync_all().map_err(|error| unwritten(&self.path, &error))?;
        read(&*self.file, &mut |_, _| Ok(())).map_err(|error| unreadable(&self.path, &error))
    }

    /// Gives it its name, in place of what has it.
    pub(super) fn keep(mut self, target: &Path) -> Outcome {
        OsDisk.rename(&self.path, target).map_err(|error| unwritten(target, &error))?;
        self.is_kept = true;
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_kept {
            // WHY ignored: the next one begins by removing it.
            drop(OsDisk.remove(&self.path));
        }
    }
}

/// Copies a file into a draft; answers what was read.
pub(super) fn copy(from: &Path, draft: &Draft, told: &mut dyn FnMut(u64)) -> Outcome<Sum> {
    let file = OsDisk.open_ro(from).map_err(|error| unreadable(from, &error))?;
    let mut failed = None;
    let copied = read(&*file, &mut |offset, bytes| {
        told(bytes.len() as u64);
        draft.write(bytes, offset).inspect_err(|error| failed = Some(error.kind()))
    });
    copied.map_err(|error| match failed {
        Some(_) => unwritten(draft.path(), &error),
        None => unreadable(from, &error),
    })
}

/// A backup, seen as the data folder that it holds. Nothing is written.
pub(super) struct Stored {
    /// By the place in the data folder.
    files: BTreeMap<PathBuf, PathBuf>,
}

impl Stored {
    pub(super) fn of(dir: &Path, files: &[Entry]) -> Self {
        let place = |entry: &Entry| (dir.join(&entry.path), Manifest::place(dir, entry));
        Self { files: files.iter().map(place).collect() }
    }
}

fn read_only<T>() -> io::Result<T> {
    Err(io::ErrorKind::ReadOnlyFilesystem.into())
}

impl Disk for Stored {
    fn create_dir_all(&self, _: &Path) -> io::Result<()> {
        read_only()
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let inside = self.files.keys().filter(|path| path.parent() == Some(dir));
        Ok(inside.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect())
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        Ok(self.files.keys().any(|file| file.starts_with(path)))
    }

    fn create(&self, _: &Path) -> io::Result<Box<dyn DiskFile>> {
        read_only()
    }

    fn open_rw(&self, _: &Path) -> io::Result<Box<dyn DiskFile>> {
        read_only()
    }

    fn open_ro(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        OsDisk.open_ro(self.files.get(path).ok_or(io::ErrorKind::NotFound)?)
    }

    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        read_only()
    }

    fn remove(&self, _: &Path) -> io::Result<()> {
        read_only()
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        read_only()
    }

    fn lock(&self, _: &Path) -> Result<Box<dyn LockGuard>, LockError> {
        Err(LockError::Io(io::ErrorKind::ReadOnlyFilesystem.into()))
    }
}
