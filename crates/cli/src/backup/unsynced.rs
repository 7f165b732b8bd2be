//! A disk on which nothing waits for a sync: for files that are made in a row, count for nothing before
//! they are all there, and are then synced once.

use std::io;
use std::path::Path;

use encours_log::{Disk, DiskFile, LockError, LockGuard, OsDisk};

use super::files::{unreadable, unwritten};
use crate::failure::Outcome;

/// The disk of the system, but for syncs. What is written is durable after [`sync_folder`].
pub(super) struct Unsynced;

/// A file of it.
struct Unhurried(Box<dyn DiskFile>);

/// Makes all files of a folder durable, and their names.
pub(super) fn sync_folder(dir: &Path) -> Outcome {
    for name in OsDisk.list(dir).map_err(|error| unreadable(dir, &error))? {
        let path = dir.join(name);
        let synced = OsDisk.open_rw(&path).and_then(|file| file.sync_all());
        synced.map_err(|error| unwritten(&path, &error))?;
    }
    OsDisk.sync_dir(dir).map_err(|error| unwritten(dir, &error))
}

fn unhurried(file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
    Box::new(Unhurried(file))
}

impl Disk for Unsynced {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        OsDisk.create_dir_all(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        OsDisk.list(dir)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        OsDisk.exists(path)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        OsDisk.create(path).map(unhurried)
    }

    fn open_rw(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        OsDisk.open_rw(path).map(unhurried)
    }

    fn open_ro(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        OsDisk.open_ro(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        OsDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        OsDisk.remove(path)
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn LockGuard>, LockError> {
        OsDisk.lock(path)
    }
}

impl DiskFile for Unhurried {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buf, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn sync_all(&self) -> io::Result<()> {
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
}
