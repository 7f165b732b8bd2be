//! A civil time of a server's own, through libfaketime; its monotonic time stays the machine's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use tempfile::TempDir;

use crate::files::folder;

/// The time of the servers started under it. It can be moved while they run.
#[derive(Debug)]
pub struct FakeTime {
    folder: TempDir,
    library: PathBuf,
}

impl FakeTime {
    /// A time that begins at this instant, in seconds since 1970, and goes on; `None`, with a line
    /// that says so, where libfaketime is missing.
    ///
    /// # Panics
    /// Where there is no room for its file.
    #[must_use]
    pub fn at(seconds: i64) -> Option<Self> {
        let Some(library) = library() else {
            println!("skipped: libfaketime is missing (apt install faketime)");
            return None;
        };
        let time = Self { folder: folder("time-"), library };
        time.set(seconds);
        Some(time)
    }

    /// Sets the time.
    ///
    /// # Panics
    /// Where its file cannot be written.
    pub fn set(&self, seconds: i64) {
        self.shift(seconds - now());
    }

    /// Shows the machine's time and so many seconds.
    ///
    /// # Panics
    /// Where its file cannot be written.
    pub fn shift(&self, seconds: i64) {
        // At once: a reader must never find half of it.
        let part = self.folder.path().join("part");
        fs::write(&part, format!("{seconds:+}\n")).expect("the time can be written");
        fs::rename(part, self.file()).expect("the time can be set");
    }

    /// The words under which a program has this time.
    #[must_use]
    pub fn prefix(&self) -> Vec<String> {
        vec![
            "env".to_owned(),
            format!("LD_PRELOAD={}", self.library.display()),
            format!("FAKETIME_TIMESTAMP_FILE={}", self.file().display()),
            "FAKETIME_NO_CACHE=1".to_owned(),
            "FAKETIME_DONT_FAKE_MONOTONIC=1".to_owned(),
            "DONT_FAKE_MONOTONIC=1".to_owned(),
        ]
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("time")
    }
}

/// The machine's time, in seconds since 1970.
///
/// # Panics
/// Before 1970.
#[must_use]
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970");
    i64::try_from(since.as_secs()).expect("a time in this age")
}

/// The library, where a program runs with it.
fn library() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").ok()?;
    let folders = folders.filter_map(|entry| Some(entry.ok()?.path().join("faketime")));
    let mut found = folders.chain([PathBuf::from("/usr/lib/faketime")]);
    found.find_map(|folder| {
        let library = folder.join("libfaketimeMT.so.1");
        runs_with(&library).then_some(library)
    })
}

fn runs_with(library: &Path) -> bool {
    let told = Command::new("date")
        .arg("+%Y")
        .env("LD_PRELOAD", library)
        .env("FAKETIME", "@2001-02-03 04:05:06")
        .output();
    library.is_file() && told.is_ok_and(|told| told.stdout.starts_with(b"2001"))
}
