//! Where a restored data folder is built, and how it is put in place.
//!
//! It is built inside the folder that it will be, in `.restoring`: on the same file system whatever is
//! mounted there or linked to, and with no right to what is around it. Its parts are moved out once they
//! are checked, `log/` last. So a folder with a log is a whole one, and one with `.restoring` and no log is
//! taken by nobody but another restore.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, lchown};
use std::path::{Path, PathBuf};

use encours_log::{Disk as _, LockGuard, OsDisk};

use super::files::unwritten;
use super::manifest::FOLDERS;
use super::names;
use crate::failure::{Exit, Failure, Outcome};
use crate::node::{RESTORING, log_dir, take_folder};

/// What belongs to the folder itself: a lock that nobody holds, and what file systems have in their root.
const OF_FOLDER: [&str; 2] = ["lock", "lost+found"];

/// A folder that is held for a restore.
pub(super) struct Site {
    data: PathBuf,
    /// Where its parts are built.
    building: PathBuf,
    /// Whether the folder was made for this.
    is_new: bool,
    /// Whether what an interrupted restore has left is still there.
    has_rest: bool,
    _lock: Box<dyn LockGuard>,
}

impl Site {
    /// Takes a folder, which is made where it does not exist, and makes sure that parts can be built and
    /// moved there: before hours of work, not after.
    pub(super) fn begin(data: &Path) -> Outcome<Self> {
        let _was = rest(data)?;
        let is_new = !OsDisk.exists(data)?;
        let lock = take_folder(&OsDisk, data)?;
        // Who had it until now may have begun a log.
        let has_rest = rest(data)?;
        let (data, building) = (data.to_owned(), data.join(RESTORING));
        let site = Self { data, building, is_new, has_rest, _lock: lock };
        match site.probe() {
            Ok(()) => Ok(site),
            Err(error) => {
                let failure = unwritten(&site.data, &error);
                site.give_up();
                Err(failure)
            }
        }
    }

    fn probe(&self) -> io::Result<()> {
        let (inside, outside) = (self.building.join("probe"), self.probe_outside());
        OsDisk.create_dir_all(&inside)?;
        OsDisk.rename(&inside, &outside)?;
        fs::remove_dir(&outside)
    }

    fn probe_outside(&self) -> PathBuf {
        self.data.join(format!("{RESTORING}.probe"))
    }

    /// Where the parts are to be built.
    pub(super) fn building(&self) -> &Path {
        &self.building
    }

    /// Removes what was built here before, by this restore or by one that was interrupted.
    pub(super) fn clear(&mut self) -> Outcome {
        self.has_rest = false;
        let cleared = self.remove().and_then(|()| OsDisk.create_dir_all(&self.building));
        cleared.map_err(|error| unwritten(&self.building, &error))
    }

    fn remove(&self) -> io::Result<()> {
        // The parts that were moved out first: they are known by what they were moved out of.
        let parts = FOLDERS.iter().filter(|part| **part != "log").map(|part| self.data.join(part));
        for path in parts.chain([self.probe_outside(), self.building.clone()]) {
            match fs::remove_dir_all(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => OsDisk.sync_dir(&self.data)?,
            }
        }
        Ok(())
    }

    /// Leaves the folder as it was.
    pub(super) fn give_up(self) {
        if self.has_rest {
            return;
        }
        // WHY ignored: what is left behind is known by its name, and cleared by the next restore.
        drop(self.remove());
        if self.is_new {
            drop(OsDisk.remove(&self.data.join("lock")));
            drop(fs::remove_dir(&self.data));
        }
    }

    /// Puts what was built in its place.
    pub(super) fn finish(self) -> Outcome {
        self.hand_over().and_then(|()| self.move_out()).map_err(|error| {
            let failure = Failure::new(Exit::Failure, format!("io: {}: {error}", self.data.display()));
            failure.hint(format!(
                "the copy in {} is whole and was checked: look after the disk and restore again, which \
                 begins anew, or move checkpoints/ and keys/, then log/ out of it",
                self.building.display()
            ))
        })
    }

    fn move_out(&self) -> io::Result<()> {
        for part in FOLDERS.iter().filter(|part| **part != "log") {
            let built = self.building.join(part);
            if OsDisk.exists(&built)? {
                OsDisk.rename(&built, &self.data.join(part))?;
            }
        }
        let durable = || {
            OsDisk.sync_dir(&self.building)?;
            OsDisk.sync_dir(&self.data)
        };
        durable()?;
        OsDisk.rename(&log_dir(&self.building), &log_dir(&self.data))?;
        durable()?;
        // WHY ignored: beside a log it is of no effect.
        drop(fs::remove_dir(&self.building));
        OsDisk.sync_dir(&self.data)
    }

    /// Gives what was made to who owns the folder: root restores for a server that is another user.
    fn hand_over(&self) -> io::Result<()> {
        let owner = fs::metadata(&self.data)?;
        if owner.uid() == fs::metadata(&self.building)?.uid() {
            return Ok(());
        }
        let give = |path: &Path| lchown(path, Some(owner.uid()), Some(owner.gid()));
        let given = || {
            for part in FOLDERS.map(|part| self.building.join(part)) {
                for name in names(&part).unwrap_or_default() {
                    give(&part.join(name))?;
                }
                if OsDisk.exists(&part)? {
                    give(&part)?;
                }
            }
            give(&self.data.join("lock"))?;
            give(&self.building)
        };
        match given() {
            // Only root may give away. Who shares a folder with its owner shares more with him.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            given => given,
        }
    }
}

/// Whether a folder holds what an interrupted restore has left; refuses one that holds anything else.
fn rest(data: &Path) -> Outcome<bool> {
    let found = names(data)?;
    let has_rest = found.iter().any(|name| name == RESTORING);
    // Parts were moved out while the log was still there, the last to be moved.
    let has_parts = OsDisk.exists(&log_dir(&data.join(RESTORING)))?;
    let is_rest = |name: &str| {
        let is_part = has_parts && name != "log" && FOLDERS.contains(&name);
        is_part || has_rest && name.starts_with(RESTORING)
    };
    let other = found.iter().find(|name| !OF_FOLDER.contains(&&***name) && !is_rest(name));
    if let Some(other) = other {
        let message = format!("not_empty: {} is not empty, it has {other}", data.display());
        return Err(Failure::new(Exit::Refused, message)
            .hint("give a new folder, or move away what is there; it is not touched"));
    }
    Ok(has_rest)
}
