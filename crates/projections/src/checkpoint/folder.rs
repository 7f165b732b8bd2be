//! The folder of a checkpoint database, outside of sled.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often, and how long apart, a database that was just closed is looked at again.
const LOCK_TRIES: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// Readies a folder for sled: makes it, and deletes what a crash left half made. True where it was
/// made just now.
///
/// # Errors
/// As the system reports them; `WouldBlock` where another process has the database open.
pub(super) fn prepare(folder: &Path) -> io::Result<bool> {
    let db = folder.join("db");
    let is_new = !db.exists();
    fs::create_dir_all(folder)?;
    if !is_new {
        // The database may be open elsewhere, and then nothing here is left over.
        wait_until_closed(&File::open(&db)?)?;
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            remove_file(&path)?;
            let file = path.display();
            tracing::warn!(%file, "removed a file that an interrupted process had left");
        }
    }
    Ok(is_new)
}

/// Waits until no sled has the file.
fn wait_until_closed(db: &File) -> io::Result<()> {
    // WHY more than one try: a thread of sled may hold the file for a moment after it was closed.
    for _ in 0..LOCK_TRIES {
        match db.try_lock() {
            Ok(()) => return db.unlock(),
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Err(io::ErrorKind::WouldBlock.into())
}

/// Makes durable what sled has written, and the names where the folder is new.
///
/// # Errors
/// As the system reports them.
pub(super) fn sync(folder: &Path, is_new: bool) -> io::Result<()> {
    File::open(folder.join("db"))?.sync_data()?;
    if is_new {
        File::open(folder)?.sync_all()?;
        if let Some(parent) = folder.parent() {
            File::open(parent)?.sync_all()?;
        }
    }
    Ok(())
}

/// Removes the folders of versions older than that of `folder`, which holds a whole checkpoint. What
/// cannot be removed is tried again after the next one.
pub(super) fn retire_older(folder: &Path) {
    let own = version(folder);
    let entries = folder.parent().and_then(|views| fs::read_dir(views).ok());
    for entry in entries.into_iter().flatten().flatten() {
        let path = entry.path();
        if version(&path).is_some_and(|found| own.is_some_and(|own| found < own)) {
            match remove_all(&path) {
                Ok(()) => tracing::info!(folder = %path.display(), "projection_retired"),
                Err(error) => {
                    tracing::warn!(folder = %path.display(), %error, "projection_not_retired");
                }
            }
        }
    }
}

/// The version in the name of a folder, `v1` or, set aside, `.damaged-v1`.
fn version(folder: &Path) -> Option<u32> {
    let name = folder.file_name()?.to_str()?;
    name.strip_prefix(".damaged-").unwrap_or(name).strip_prefix('v')?.parse().ok()
}

/// Renames a folder to `.damaged-<name>`, in place of an older one, for whoever wants to know what
/// happened. What cannot be renamed is removed; what cannot be removed is found damaged again.
pub(super) fn set_aside(folder: &Path) {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let aside = folder.with_file_name(format!(".damaged-{name}"));
    let result = remove_all(&aside).and_then(|()| match rename(folder, &aside) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(_) => remove_all(folder),
        renamed => renamed,
    });
    if let Err(error) = result {
        tracing::warn!(folder = %folder.display(), %error, "checkpoint_not_set_aside");
    }
}

/// The file that says that what a folder holds must not be loaded.
fn mark_of(folder: &Path) -> PathBuf {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    folder.with_file_name(format!(".suspect-{name}"))
}

pub(super) fn is_marked(folder: &Path) -> bool {
    mark_of(folder).exists()
}

/// Says, durably, that what a folder holds must not be loaded.
///
/// # Errors
/// As the system reports them.
pub(crate) fn mark(folder: &Path) -> io::Result<()> {
    let views = folder.parent().unwrap_or(folder);
    fs::create_dir_all(views)?;
    File::create(mark_of(folder))?;
    File::open(views)?.sync_all()
}

/// Takes the mark off: what the folder holds now was made from the log. Where that fails it is tried
/// again after the next checkpoint, and until then a start reads the log.
pub(crate) fn unmark(folder: &Path) {
    match remove_file(&mark_of(folder)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(folder = %folder.display(), %error, "checkpoint_not_unmarked");
        }
        _ => {}
    }
}

fn remove_all(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[expect(clippy::disallowed_methods, reason = "sled's folder; see the module checkpoint")]
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

#[expect(clippy::disallowed_methods, reason = "sled's folder; see the module checkpoint")]
fn remove_file(path: &Path) -> io::Result<()> {
    fs::remove_file(path)
}
