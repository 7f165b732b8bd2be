//! The disk as the rest of Encours sees it: a trait, and the operating system behind it.
//!
//! What is promised: after `sync_data` or `sync_all` returned `Ok`, the bytes written before outlive
//! a power cut; a created, renamed or removed name does so after `sync_dir` of its folder. Nothing is
//! promised after a failed sync: the process must stop and recover from what the disk then shows.
//! On the operating system's disk, what is made is for the owner alone: files 0600, folders 0700.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;

/// Files and folders.
pub trait Disk: Send + Sync + 'static {
    /// Makes the folder and those above it, durably. One that exists is fine.
    ///
    /// # Errors
    /// As the system reports them.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;

    /// The names in a folder, sorted; those that are no UTF-8 are left out.
    ///
    /// # Errors
    /// `NotFound` where there is no such folder; others as the system reports them.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Whether there is a file or folder of this name.
    ///
    /// # Errors
    /// As the system reports them.
    fn exists(&self, path: &Path) -> io::Result<bool>;

    /// Makes a new, empty file for reading and writing.
    ///
    /// # Errors
    /// `AlreadyExists` where the name is taken; others as the system reports them.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file for reading and writing.
    ///
    /// # Errors
    /// `NotFound` where there is none; others as the system reports them.
    fn open_rw(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file for reading.
    ///
    /// # Errors
    /// `NotFound` where there is none; others as the system reports them.
    fn open_ro(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Renames a file, replacing one of the new name.
    ///
    /// # Errors
    /// As the system reports them.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// `NotFound` where there is none; others as the system reports them.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable.
    ///
    /// # Errors
    /// As the system reports them; see the module about a failed sync.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Takes the lock of this name, making its file where there is none. The lock ends with the
    /// guard or the process. The file holds the holder's process id in text.
    ///
    /// # Errors
    /// [`LockError::Held`] where another process, or another guard in this one, has the lock.
    fn lock(&self, path: &Path) -> Result<Box<dyn LockGuard>, LockError>;

    /// How full the file system is that a folder lies on.
    ///
    /// # Errors
    /// `Unsupported` where the disk cannot tell; others as the system reports them.
    fn space(&self, _dir: &Path) -> io::Result<Space> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// The whole of a file, which must not be longer than `max` bytes.
    ///
    /// # Errors
    /// `NotFound` where there is none, `FileTooLarge` where it is longer than `max`.
    fn read_all(&self, path: &Path, max: u64) -> io::Result<Vec<u8>> {
        let file = self.open_ro(path)?;
        let len = file.len()?;
        if len > max {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("{len} bytes, at most {max} are expected"),
            ));
        }
        let mut bytes = vec![0; usize::try_from(len).map_err(io::Error::other)?];
        file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }

    /// Puts a file with these bytes under this name, durably and all or nothing: through
    /// `<path>.tmp`, which is replaced where a crash has left one.
    ///
    /// # Errors
    /// As the system reports them. After an error the old file stands, or the new one does.
    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut temp = path.as_os_str().to_owned();
        temp.push(".tmp");
        let temp = Path::new(&temp);
        if self.exists(temp)? {
            self.remove(temp)?;
        }
        let file = self.create(temp)?;
        file.write_all_at(bytes, 0)?;
        file.sync_all()?;
        drop(file);
        self.rename(temp, path)?;
        self.sync_dir(path.parent().unwrap_or(Path::new(".")))
    }
}

/// How full a file system is, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Space {
    /// What is used.
    pub used: u64,
    /// What this process may still use; less than what is free where some is kept for the system.
    pub free: u64,
}

impl Space {
    /// How much of what may be used is used, in percent, rounded up as `df` does; 0 to 100.
    #[must_use]
    pub fn percent(&self) -> u8 {
        let all = u128::from(self.used) + u128::from(self.free);
        let percent = (u128::from(self.used) * 100).div_ceil(all.max(1));
        u8::try_from(percent).unwrap_or(100)
    }
}

/// Whether a write found no room, by whatever limit: of the disk, of a quota, of a file's length.
#[must_use]
pub fn is_no_room(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}

/// An open file.
#[expect(clippy::len_without_is_empty, reason = "a file's length can fail to be read")]
pub trait DiskFile: Send + Sync {
    /// Reads at `offset`, returning how many bytes were read; 0 at or past the end.
    ///
    /// # Errors
    /// As the system reports them.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all of `bytes` at `offset`. On an error any part may have been written.
    ///
    /// # Errors
    /// As the system reports them; `StorageFull` where there is no room.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Cuts the file, or lengthens it with zeros that take no room yet.
    ///
    /// # Errors
    /// As the system reports them.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Makes the bytes durable, and the length where it is needed to read them back.
    ///
    /// # Errors
    /// As the system reports them; see the module about a failed sync.
    fn sync_data(&self) -> io::Result<()>;

    /// Makes bytes, length and all else about the file durable.
    ///
    /// # Errors
    /// As the system reports them; see the module about a failed sync.
    fn sync_all(&self) -> io::Result<()>;

    /// Bytes of the file.
    ///
    /// # Errors
    /// As the system reports them.
    fn len(&self) -> io::Result<u64>;

    /// Fills `buf` from `offset`.
    ///
    /// # Errors
    /// `UnexpectedEof` where the file ends before.
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let read = self.read_up_to(buf, offset)?;
        if read < buf.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    /// Fills as much of `buf` as the file has from `offset` on; returns how much.
    ///
    /// # Errors
    /// As the system reports them.
    fn read_up_to(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buf.len() {
            match self.read_at(&mut buf[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    /// Writes `bytes` at the end; returns where they begin. One writer at a time.
    ///
    /// # Errors
    /// As the system reports them.
    fn append(&self, bytes: &[u8]) -> io::Result<u64> {
        let end = self.len()?;
        self.write_all_at(bytes, end)?;
        Ok(end)
    }
}

/// A lock that is held until this is dropped.
pub trait LockGuard: Send + Sync {}

/// Why a lock could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody has it.
    #[error("held by {}", holder.map_or("another process".to_owned(), |pid| format!("process {pid}")))]
    Held {
        /// The process that has it, where its file says so.
        holder: Option<u32>,
    },
    /// The lock's file could not be opened or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Mode of a file made: keys and receivables are read by nobody but the owner, whatever the umask.
const FILE_MODE: u32 = 0o600;

/// Mode of a folder made.
const DIR_MODE: u32 = 0o700;

/// The operating system's disk. Modes of files and folders that exist are left as they are.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsDisk;

impl Disk for OsDisk {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        let missing: Vec<&Path> = dir
            .ancestors()
            .take_while(|dir| !dir.as_os_str().is_empty() && !dir.exists())
            .collect();
        for dir in missing.into_iter().rev() {
            match DirBuilder::new().mode(DIR_MODE).create(dir) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => self.sync_dir(parent_of(dir))?,
            }
        }
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(dir)? {
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        path.try_exists()
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(FILE_MODE)
            .open(path)?;
        Ok(Box::new(OsFile(file)))
    }

    fn open_rw(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(OsFile(OpenOptions::new().read(true).write(true).open(path)?)))
    }

    fn open_ro(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(OsFile(File::open(path)?)))
    }

    #[expect(clippy::disallowed_methods, reason = "this is the trait's system side")]
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the trait's system side")]
    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn LockGuard>, LockError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(FILE_MODE)
            .open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Held { holder: holder(&file) }),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        let pid = format!("{}\n", std::process::id());
        file.set_len(0)?;
        file.write_all_at(pid.as_bytes(), 0)?;
        Ok(Box::new(OsLock(file)))
    }

    fn space(&self, dir: &Path) -> io::Result<Space> {
        let found = rustix::fs::statvfs(dir)?;
        let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
        let used = bytes(found.f_blocks.saturating_sub(found.f_bfree));
        Ok(Space { used, free: bytes(found.f_bavail) })
    }
}

fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Reads the process id that a lock file names.
fn holder(file: &File) -> Option<u32> {
    let mut text = [0; 16];
    let len = file.read_at(&mut text, 0).ok()?;
    std::str::from_utf8(&text[..len]).ok()?.trim().parse().ok()
}

struct OsFile(File);

impl DiskFile for OsFile {
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
        self.0.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.0.sync_all()
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}

/// The system's lock ends when the process dies, however it dies.
struct OsLock(File);

impl LockGuard for OsLock {}

impl Drop for OsLock {
    /// WHY it is unlocked and not only closed: a child on its way from `fork` to `exec` has the file
    /// as well, and what one descriptor has locked stays so until the last of them is closed.
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            tracing::warn!(%error, "a lock could not be let go; it ends with the process");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_reads_back_what_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b/c");
        OsDisk.create_dir_all(&deep).unwrap();
        OsDisk.create_dir_all(&deep).unwrap();
        let path = deep.join("file");
        let file = OsDisk.create(&path).unwrap();
        assert_eq!(file.append(b"abc").unwrap(), 0);
        assert_eq!(file.append(b"def").unwrap(), 3);
        file.sync_data().unwrap();
        let mut two = [0; 2];
        file.read_exact_at(&mut two, 4).unwrap();
        assert_eq!(&two, b"ef");
        assert!(file.read_exact_at(&mut two, 5).is_err());
        assert!(OsDisk.create(&path).is_err());
        assert_eq!(OsDisk.read_all(&path, 6).unwrap(), b"abcdef");
        assert!(OsDisk.read_all(&path, 5).is_err());
        OsDisk.replace(&path, b"new").unwrap();
        assert_eq!(OsDisk.read_all(&path, 100).unwrap(), b"new");
        assert_eq!(OsDisk.list(&deep).unwrap(), ["file"]);
        OsDisk.remove(&path).unwrap();
        assert!(!OsDisk.exists(&path).unwrap());
    }

    #[test]
    fn what_is_made_is_for_the_owner_alone() {
        use std::os::unix::fs::PermissionsExt;

        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b");
        OsDisk.create_dir_all(&deep).unwrap();
        drop(OsDisk.create(&deep.join("made")).unwrap());
        OsDisk.replace(&deep.join("replaced"), b"key").unwrap();
        let _guard = OsDisk.lock(&deep.join("lock")).unwrap();
        let names = [
            ("a", 0o700),
            ("a/b", 0o700),
            ("a/b/made", 0o600),
            ("a/b/replaced", 0o600),
            ("a/b/lock", 0o600),
        ];
        for (name, expected) in names {
            let mode = dir.path().join(name).metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, expected, "{name} has {mode:o}");
        }
    }

    #[test]
    fn the_share_of_a_disk_that_is_used_is_told_as_df_does() {
        let space = |used, free| Space { used, free }.percent();
        assert_eq!((space(0, 10), space(1, 999), space(7, 3), space(5, 0)), (0, 1, 70, 100));
        assert_eq!(space(0, 0), 0, "a file system without blocks");
        let dir = tempfile::tempdir().unwrap();
        let found = OsDisk.space(dir.path()).unwrap();
        assert!(found.used > 0 && found.percent() <= 100, "{found:?}");
        assert!(OsDisk.space(&dir.path().join("none")).is_err());
    }

    #[test]
    fn a_lock_names_its_holder_and_ends_with_its_guard() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let guard = OsDisk.lock(&path).unwrap();
        let Err(LockError::Held { holder }) = OsDisk.lock(&path) else { panic!("locked twice") };
        assert_eq!(holder, Some(std::process::id()));
        drop(guard);
        OsDisk.lock(&path).unwrap();
    }

    #[test]
    fn a_lock_ends_with_its_guard_though_a_child_has_its_file_open() {
        let dir = tempfile::tempdir().unwrap();
        let file = File::create(dir.path().join("lock")).unwrap();
        file.try_lock().unwrap();
        // A second descriptor of the same open file, as a child has it that has not begun yet.
        let _child = file.try_clone().unwrap();
        drop(OsLock(file));
        OsDisk.lock(&dir.path().join("lock")).unwrap();
    }
}
