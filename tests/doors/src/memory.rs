//! A disk in memory that forgets nothing and never fails: only what lies on it is wrong.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use encours_log::{Disk, DiskFile, LockError, LockGuard};

type Bytes = Arc<Mutex<Vec<u8>>>;

/// The longest file. What a damaged header asks for, such as a segment of 4 GiB, nobody has room for.
const FILE_MAX: u64 = 1 << 20;

/// Files by path.
#[derive(Default)]
pub(crate) struct MemoryDisk(Mutex<BTreeMap<PathBuf, Bytes>>);

struct File(Bytes);

struct Held;

impl LockGuard for Held {}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn place(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

impl MemoryDisk {
    pub(crate) fn put(&self, path: &Path, bytes: Vec<u8>) {
        locked(&self.0).insert(path.to_owned(), Arc::new(Mutex::new(bytes)));
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let bytes = locked(&self.0).get(path).cloned().ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(File(bytes)))
    }
}

impl Disk for MemoryDisk {
    fn create_dir_all(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let files = locked(&self.0);
        let inside = files.keys().filter_map(|path| path.strip_prefix(dir).ok()?.to_str());
        Ok(inside.map(str::to_owned).collect())
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        Ok(locked(&self.0).keys().any(|found| found.starts_with(path)))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        if self.exists(path)? {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.put(path, Vec::new());
        self.open(path)
    }

    fn open_rw(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.open(path)
    }

    fn open_ro(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.open(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut files = locked(&self.0);
        let bytes = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_owned(), bytes);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        locked(&self.0).remove(path).map(drop).ok_or(io::ErrorKind::NotFound.into())
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, _: &Path) -> Result<Box<dyn LockGuard>, LockError> {
        Ok(Box::new(Held))
    }
}

impl DiskFile for File {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let bytes = locked(&self.0);
        let rest = bytes.get(place(offset)..).unwrap_or_default();
        let len = rest.len().min(buf.len());
        buf[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn write_all_at(&self, new: &[u8], offset: u64) -> io::Result<()> {
        if offset.saturating_add(new.len() as u64) > FILE_MAX {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let mut bytes = locked(&self.0);
        let (from, to) = (place(offset), place(offset) + new.len());
        if bytes.len() < to {
            bytes.resize(to, 0);
        }
        bytes[from..to].copy_from_slice(new);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if len > FILE_MAX {
            return Err(io::ErrorKind::StorageFull.into());
        }
        locked(&self.0).resize(place(len), 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn sync_all(&self) -> io::Result<()> {
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(locked(&self.0).len() as u64)
    }
}
