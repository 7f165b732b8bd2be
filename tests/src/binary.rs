//! Finds the binary under test, and builds it where it is missing or stale.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

/// The binary under test.
///
/// # Panics
/// Where it is missing and cannot be built.
pub fn encours() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| match std::env::var_os("ENCOURS_BIN") {
        Some(path) => {
            let path = PathBuf::from(path);
            assert!(path.is_file(), "ENCOURS_BIN: {} is no file", path.display());
            path
        }
        None => build_where_stale("encours", &["-p", "encours-cli", "--bin", "encours"], "crates"),
    })
}

/// An example of a crate by their names, such as `service` of `proto`, built where it is missing or
/// stale.
///
/// # Panics
/// Where it cannot be built.
#[must_use]
pub fn example(of: &str, name: &str) -> PathBuf {
    let package = format!("encours-{of}");
    let what = ["-p", &package, "--example", name];
    build_where_stale(&format!("examples/{name}"), &what, &format!("crates/{of}"))
}

/// The folder of the workspace.
#[must_use]
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above")
}

/// The target folder that this test was built into.
///
/// # Panics
/// Where the test was moved out of it.
#[must_use]
pub fn target() -> PathBuf {
    profile_folder().parent().expect("a profile's folder lies in the target folder").to_owned()
}

/// `target/<profile>`: the test lies in its `deps`.
fn profile_folder() -> PathBuf {
    let exe = std::env::current_exe().expect("a process knows its executable");
    exe.ancestors().nth(2).expect("tests lie in <target>/<profile>/deps").to_owned()
}

/// What lies at a path below the profile's folder, built where it is missing or older than its
/// sources: those in a folder, and the contract.
fn build_where_stale(path: &str, what: &[&str], sources: &str) -> PathBuf {
    let folder = profile_folder();
    let binary = folder.join(path);
    // WHY the lock: test processes run side by side, and one of them is to build. WHY the stamp in it:
    // a build that finds nothing to do leaves the binary as old as it was.
    let mut stamp = File::options()
        .create(true)
        .append(true)
        .open(folder.join(format!("{}.checked", path.replace('/', "-"))))
        .expect("the target folder can be written");
    stamp.lock().expect("the stamp can be locked");
    let checked = stamp.metadata().ok().filter(|metadata| metadata.len() > 0);
    let checked = checked.and_then(|metadata| metadata.modified().ok());
    if binary.is_file() && checked.max(modified(&binary)) >= newest_source(sources) {
        return binary;
    }
    let before = SystemTime::now();
    build(&folder, what);
    assert!(binary.is_file(), "the build left no {}", binary.display());
    stamp.write_all(b".").expect("the stamp can be written");
    stamp.set_modified(before).expect("the stamp can be dated");
    binary
}

fn build(folder: &Path, what: &[&str]) {
    let profile = folder.file_name().and_then(OsStr::to_str).unwrap_or("debug");
    eprintln!("building {what:?} ({profile}), which is missing or older than its sources");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root()).arg("build").args(what);
    command.arg("--target-dir").arg(target());
    match profile {
        "debug" => {}
        other => {
            command.args(["--profile", other]);
        }
    }
    let status = command.status().expect("cargo can be started");
    assert!(status.success(), "the build of {what:?} failed");
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|metadata| metadata.modified()).ok()
}

fn newest_source(sources: &str) -> Option<SystemTime> {
    let tops = [sources, "proto", "Cargo.toml", "Cargo.lock"];
    tops.iter().filter_map(|top| newest_in(&root().join(top))).max()
}

/// The newest file under a path; integration tests of the crates do not count.
fn newest_in(path: &Path) -> Option<SystemTime> {
    if !path.is_dir() {
        return modified(path);
    }
    if path.file_name() == Some(OsStr::new("tests")) {
        return None;
    }
    let entries = fs::read_dir(path).ok()?;
    entries.filter_map(|entry| newest_in(&entry.ok()?.path())).max()
}
