//! Data folders: made, listed, copied, compared and damaged.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;

use tempfile::TempDir;

/// What the names of data folders begin with; the id of the test's process follows.
const PREFIX: &str = "encours-test-";
/// How long a folder is left alone whoever made it: another container's processes cannot be seen.
const LEFT_ALONE: Duration = Duration::from_secs(3_600);

/// A new folder for a server's data, removed when dropped; those of tests that were killed are removed
/// by a later one.
///
/// # Panics
/// Where none can be made.
#[must_use]
pub fn data_folder() -> TempDir {
    folder("")
}

/// As [`data_folder`], for what this says.
pub(crate) fn folder(kind: &str) -> TempDir {
    static SWEPT: Once = Once::new();
    SWEPT.call_once(sweep);
    let prefix = format!("{PREFIX}{}-{kind}", std::process::id());
    tempfile::Builder::new().prefix(&prefix).tempdir().expect("a folder can be made")
}

/// Removes what tests have left whose process is gone.
fn sweep() {
    let processes = Path::new("/proc");
    if !processes.join("self").exists() {
        return;
    }
    for entry in fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        let id = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once('-'));
        let is_gone = id.is_some_and(|(id, _)| !processes.join(id).exists());
        let age = entry.metadata().and_then(|metadata| metadata.modified());
        let age = age.ok().and_then(|modified| modified.elapsed().ok());
        if is_gone && age.is_some_and(|age| age > LEFT_ALONE) {
            // Another test may remove it at the same time.
            drop(fs::remove_dir_all(entry.path()));
        }
    }
}

/// Every file under a folder, sorted.
///
/// # Panics
/// Where one cannot be listed.
#[must_use]
pub fn every_file(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder can be listed") {
        let path = entry.expect("an entry can be read").path();
        if path.is_dir() {
            files.extend(every_file(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Name, length, time of change and content of every file under a folder, a line each.
///
/// # Panics
/// Where one cannot be read.
#[must_use]
pub fn fingerprint(folder: &Path) -> Vec<String> {
    let line = |path: &PathBuf| {
        let metadata = path.metadata().expect("a file has metadata");
        let modified = metadata.modified().expect("a file has a time of change");
        let mut hasher = DefaultHasher::new();
        fs::read(path).expect("a file can be read").hash(&mut hasher);
        format!("{} {} {modified:?} {:x}", path.display(), metadata.len(), hasher.finish())
    };
    every_file(folder).iter().map(line).collect()
}

/// Copies a folder and all in it to a new place.
///
/// # Panics
/// Where something cannot be copied.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder can be made");
    for entry in fs::read_dir(from).expect("the folder can be listed") {
        let path = entry.expect("an entry can be read").path();
        let target = to.join(path.file_name().expect("an entry has a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a file can be copied");
        }
    }
}

/// Flips one bit of a file, in its place.
///
/// # Panics
/// Where the file is shorter or cannot be written.
pub fn flip_bit(path: &Path, bit: u64) {
    let mut file = File::options().read(true).write(true).open(path).expect("the file opens");
    let mut byte = [0];
    file.seek(SeekFrom::Start(bit / 8)).expect("a file can be sought in");
    file.read_exact(&mut byte).expect("the file has this byte");
    byte[0] ^= 1 << (bit % 8);
    file.seek(SeekFrom::Start(bit / 8)).expect("a file can be sought in");
    file.write_all(&byte).expect("the file can be written");
}

/// Lets two files or folders of one file system change places.
///
/// # Panics
/// Where they cannot be renamed.
pub fn swap(one: &Path, other: &Path) {
    let aside = one.with_extension("aside");
    fs::rename(one, &aside).expect("the one can be put aside");
    fs::rename(other, one).expect("the other can take its place");
    fs::rename(aside, other).expect("the one can take the other's place");
}
