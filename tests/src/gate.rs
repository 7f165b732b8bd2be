//! A file that holds its reader up: what happens meanwhile, happens amid what the reader does.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Command;

/// In the place of a file; who opens it to read waits until it is let through, and then cannot read.
#[derive(Debug)]
pub struct Gate {
    /// Another name of it, which stays when the file is put back.
    aside: PathBuf,
}

impl Gate {
    /// Puts one in the place of the file `at`; `aside` must be a free name on the same file system.
    ///
    /// # Panics
    /// Where that cannot be done.
    #[must_use]
    pub fn put(at: &Path, aside: &Path) -> Self {
        let made = Command::new("mkfifo").arg(aside).status().expect("mkfifo runs");
        assert!(made.success(), "{} is made", aside.display());
        fs::remove_file(at).expect("the file is there");
        fs::hard_link(aside, at).expect("the gate takes its place");
        Self { aside: aside.to_owned() }
    }

    /// Lets the one who waits through, if there is one.
    ///
    /// # Panics
    /// Where it is gone.
    pub fn open(self) {
        // WHY for reading too: so opened it waits for nobody itself.
        let both = OpenOptions::new().read(true).write(true).open(&self.aside);
        drop(both.expect("the gate opens"));
    }
}
