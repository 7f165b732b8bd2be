//! A disk that takes writes into memory: for tools that open a data folder as a node does, beside a
//! running one or on a copy, and change nothing of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use encours_log::{Disk, DiskFile, LockError, LockGuard, OsDisk};

/// Bytes that a write brings into memory at once.
const PAGE: usize = 4_096;

/// The disk of the system below, what was written on top of it.
#[derive(Default)]
pub(crate) struct Overlay {
    names: Mutex<Names>,
}

/// Files as they are seen here, where they differ from those of the system.
#[derive(Default)]
struct Names {
    files: BTreeMap<PathBuf, Arc<Mutex<Content>>>,
    removed: BTreeSet<PathBuf>,
}

/// The bytes of a file.
struct Content {
    base: Option<Box<dyn DiskFile>>,
    /// How much of the base still counts.
    base_len: u64,
    len: u64,
    pages: BTreeMap<u64, Box<[u8; PAGE]>>,
}

impl Overlay {
    fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the system has a file that is still seen under its name.
    fn below(names: &Names, path: &Path) -> io::Result<bool> {
        Ok(!names.removed.contains(path) && OsDisk.exists(path)?)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut names = self.names();
        if let Some(content) = names.files.get(path) {
            return Ok(Box::new(OverlayFile(Arc::clone(content))));
        }
        if !Self::below(&names, path)? {
            return Err(io::ErrorKind::NotFound.into());
        }
        let base = OsDisk.open_ro(path)?;
        let len = base.len()?;
        let content = Content { base: Some(base), base_len: len, len, pages: BTreeMap::new() };
        let content = Arc::new(Mutex::new(content));
        names.files.insert(path.to_owned(), Arc::clone(&content));
        Ok(Box::new(OverlayFile(content)))
    }
}

impl Disk for Overlay {
    fn create_dir_all(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let names = self.names();
        let mut found: BTreeSet<String> = match OsDisk.list(dir) {
            Ok(below) => below.into_iter().collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeSet::new(),
            Err(error) => return Err(error),
        };
        found.retain(|name| !names.removed.contains(&dir.join(name)));
        let added = names.files.keys().filter(|path| path.parent() == Some(dir));
        found.extend(added.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())));
        Ok(found.into_iter().collect())
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        let names = self.names();
        Ok(names.files.contains_key(path) || Self::below(&names, path)?)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        if self.exists(path)? {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let content = Content { base: None, base_len: 0, len: 0, pages: BTreeMap::new() };
        let content = Arc::new(Mutex::new(content));
        self.names().files.insert(path.to_owned(), Arc::clone(&content));
        Ok(Box::new(OverlayFile(content)))
    }

    fn open_rw(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.open(path)
    }

    fn open_ro(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.open(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        drop(self.open(from)?);
        let mut names = self.names();
        let content = names.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        names.removed.insert(from.to_owned());
        names.files.insert(to.to_owned(), content);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        if !self.exists(path)? {
            return Err(io::ErrorKind::NotFound.into());
        }
        let mut names = self.names();
        names.files.remove(path);
        names.removed.insert(path.to_owned());
        Ok(())
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, _: &Path) -> Result<Box<dyn LockGuard>, LockError> {
        Ok(Box::new(NoLock))
    }
}

/// WHY none is needed: nothing that others see is written.
struct NoLock;

impl LockGuard for NoLock {}

/// An open file.
struct OverlayFile(Arc<Mutex<Content>>);

impl OverlayFile {
    fn content(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Content {
    /// The page of this number as it is now.
    fn page(&self, number: u64) -> io::Result<Box<[u8; PAGE]>> {
        if let Some(page) = self.pages.get(&number) {
            return Ok(page.clone());
        }
        let mut page = Box::new([0; PAGE]);
        let begin = number * PAGE as u64;
        if let Some(base) = self.base.as_ref().filter(|_| begin < self.base_len) {
            let left = usize::try_from(self.base_len - begin).unwrap_or(PAGE).min(PAGE);
            base.read_up_to(&mut page[..left], begin)?;
        }
        Ok(page)
    }
}

/// The page that holds a byte, and where in it.
fn place(offset: u64) -> io::Result<(u64, usize)> {
    let within = usize::try_from(offset % PAGE as u64).map_err(io::Error::other)?;
    Ok((offset / PAGE as u64, within))
}

impl DiskFile for OverlayFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let content = self.content();
        let left = usize::try_from(content.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        if content.pages.is_empty() && content.len == content.base_len {
            // WHY: files that nothing is written to, which most are, are read without a detour.
            let most = left.min(buf.len());
            return content.base.as_ref().map_or(Ok(0), |b| b.read_at(&mut buf[..most], offset));
        }
        let (number, within) = place(offset)?;
        let count = buf.len().min(PAGE - within).min(left);
        let page = content.page(number)?;
        buf[..count].copy_from_slice(&page[within..within + count]);
        Ok(count)
    }

    fn write_all_at(&self, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
        let mut content = self.content();
        while !bytes.is_empty() {
            let (number, within) = place(offset)?;
            let (now, later) = bytes.split_at(bytes.len().min(PAGE - within));
            let mut page = content.page(number)?;
            page[within..within + now.len()].copy_from_slice(now);
            content.pages.insert(number, page);
            offset += now.len() as u64;
            content.len = content.len.max(offset);
            bytes = later;
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut content = self.content();
        let (number, within) = place(len)?;
        if len < content.len && within > 0 {
            // What is cut off reads as zeros when the file grows again.
            let mut page = content.page(number)?;
            page[within..].fill(0);
            content.pages.insert(number, page);
        }
        let first_gone = number + u64::from(within > 0);
        content.pages.retain(|number, _| *number < first_gone);
        content.base_len = content.base_len.min(len);
        content.len = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn sync_all(&self) -> io::Result<()> {
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.content().len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(disk: &Overlay, path: &Path) -> Vec<u8> {
        disk.read_all(path, 1 << 20).unwrap()
    }

    #[test]
    fn what_is_written_is_read_back_and_the_files_stay_as_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b, c) = (dir.path().join("a"), dir.path().join("b"), dir.path().join("c"));
        let before: Vec<u8> = (0..10_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        OsDisk.replace(&a, &before).unwrap();
        let disk = Overlay::default();
        assert_eq!(bytes(&disk, &a), before);
        let file = disk.open_rw(&a).unwrap();
        file.write_all_at(&[7; 5_000], 4_000).unwrap();
        file.append(b"end").unwrap();
        let expected = [&before[..4_000], &[7; 5_000], &before[9_000..], b"end"].concat();
        assert_eq!(bytes(&disk, &a), expected);
        file.set_len(4_001).unwrap();
        file.set_len(4_003).unwrap();
        assert_eq!(bytes(&disk, &a), [&before[..4_000], &[7, 0, 0]].concat());
        disk.replace(&b, b"new").unwrap();
        disk.rename(&a, &c).unwrap();
        assert_eq!(disk.list(dir.path()).unwrap(), ["b", "c"]);
        assert_eq!(bytes(&disk, &c).len(), 4_003);
        assert!(disk.create(&b).is_err() && disk.open_ro(&a).is_err());
        disk.remove(&c).unwrap();
        assert!(!disk.exists(&c).unwrap() && disk.remove(&c).is_err());
        assert_eq!(OsDisk.list(dir.path()).unwrap(), ["a"]);
        assert_eq!(OsDisk.read_all(&a, 1 << 20).unwrap(), before);
    }
}
