//! The disk as the rest of Encours sees it: a trait, and the operating system behind it.
//!
//! What is promised: after `sync_data` or `sync_all` returned `Ok`, the bytes written before outlive
//! a power cut; a created, renamed or removed name does so after `sync_dir` of its folder. Nothing is
//! promised after a failed sync: the process must stop and recover from what the disk then shows.
//! On the operating system's disk, what is made is for the owner alone: files 0600, folders 0700.

mod os;

use std::io;
use std::path::Path;

pub use self::os::OsDisk;

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
