//! File systems in a file, mounted through a loop device.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use encours_tests::{Ran, data_folder, run_program};
use tempfile::TempDir;

use crate::support::{is_root, works};

/// A file system in a file, mounted for as long as this lives.
pub(crate) struct Image {
    pub(crate) file: PathBuf,
    mount: TempDir,
}

impl Image {
    /// A new file system of a kind, such as `ext4`, of so many MiB; or why there can be none here.
    pub(crate) fn make(kind: &str, mib: u64, file: &Path) -> Result<Self, String> {
        if !is_root() {
            return Err("mounting a file system needs root".to_owned());
        }
        File::create(file).and_then(|made| made.set_len(mib << 20)).unwrap();
        let quiet = if kind == "btrfs" || kind == "ext4" { "-q" } else { "-f" };
        let make = format!("mkfs.{kind}");
        if !works(&make, &[quiet, file.to_str().unwrap()]) {
            return Err(format!("{make} is missing or fails"));
        }
        Self::mount(file)
    }

    /// Mounts what is in a file.
    pub(crate) fn mount(file: &Path) -> Result<Self, String> {
        let mount = data_folder();
        let arguments =
            ["-o", "loop,nouuid", file.to_str().unwrap(), mount.path().to_str().unwrap()];
        let plain = ["-o", "loop", arguments[2], arguments[3]];
        // Two copies of an xfs have the same id, which it minds; others do not know the option.
        if works("mount", &arguments) || works("mount", &plain) {
            return Ok(Self { file: file.to_owned(), mount });
        }
        let said: Ran = run_program(Path::new("/bin/mount"), plain);
        Err(format!("no loop device can be mounted here: {}", said.stderr.trim()))
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> &Path {
        self.mount.path()
    }

    /// What lies in the file now, as a power cut would leave it: nothing is synced before.
    pub(crate) fn copy_to(&self, file: &Path) {
        let status = Command::new("cp").arg("--sparse=always").arg(&self.file).arg(file).status();
        assert!(status.unwrap().success(), "the image can be copied");
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // Lazily: a process of the test that is still ending must not keep it mounted for ever.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}
