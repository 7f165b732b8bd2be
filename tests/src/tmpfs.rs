//! A small disk of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system in memory; unmounted when dropped.
#[derive(Debug)]
pub struct Tmpfs(PathBuf);

impl Tmpfs {
    /// Mounts one of this size, such as `"16m"`, on a folder, which is made where it is missing. `None`,
    /// with the reason printed, where this user may mount nothing.
    ///
    /// # Panics
    /// Where the folder cannot be made.
    #[must_use]
    pub fn mount(folder: &Path, size: &str) -> Option<Self> {
        std::fs::create_dir_all(folder).expect("a folder can be made");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(folder);
        match mount.output() {
            Ok(done) if done.status.success() => Some(Self(folder.to_owned())),
            refused => {
                println!("skipped: no tmpfs can be mounted here: {refused:?}");
                None
            }
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Lets nobody write to it any more.
    ///
    /// # Panics
    /// Where that cannot be done.
    pub fn make_read_only(&self) {
        let done = Command::new("mount").args(["-o", "remount,ro"]).arg(&self.0).status();
        assert!(done.is_ok_and(|status| status.success()), "it can be mounted for reading alone");
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // WHY lazily: a server may still run.
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}
