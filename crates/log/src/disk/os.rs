//! The operating system's disk.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;

use super::{Disk, DiskFile, LockError, LockGuard, Space};

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
