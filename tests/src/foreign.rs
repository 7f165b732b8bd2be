//! What clients in other languages need: an interpreter with its packages. Made under `target` where
//! none is named; where none is to be had, why.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::binary::{root, target};

/// An interpreter of Python with `tests/python/requirements.txt`: the one that
/// `ENCOURS_TEST_PYTHON` names, or one of a virtual environment made here.
///
/// # Errors
/// Why there is none: no Python, or no registry to install from.
pub fn python() -> Result<PathBuf, String> {
    if let Some(named) = std::env::var_os("ENCOURS_TEST_PYTHON") {
        return Ok(named.into());
    }
    let folder = target().join("python-tests");
    let python = folder.join("bin/python");
    let requirements = root().join("tests/python/requirements.txt");
    installed(&folder, &[&requirements], || {
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder))
            .map_err(|why| format!("no python3 that makes a virtual environment: {why}"))?;
        let pip = ["-m", "pip", "install", "--quiet", "--timeout", "20", "--retries", "1", "-r"];
        run(Command::new(&python).args(pip).arg(&requirements))
            .map_err(|why| format!("grpcio cannot be installed: {why}"))
    })?;
    Ok(python)
}

/// A folder `node_modules` with what `docs/examples/node/package-lock.json` locks: the one that
/// `ENCOURS_TEST_NODE_MODULES` names, or one made here.
///
/// # Errors
/// Why there is none: no Node, or no registry to install from.
pub fn node_modules() -> Result<PathBuf, String> {
    modules("docs/examples/node", "ENCOURS_TEST_NODE_MODULES", "node-tests")
}

/// The same of `tests/node/package-lock.json`, with which the tests check documents; the variable is
/// `ENCOURS_TEST_NODE_CHECKERS`.
///
/// # Errors
/// As [`node_modules`].
pub fn node_checkers() -> Result<PathBuf, String> {
    modules("tests/node", "ENCOURS_TEST_NODE_CHECKERS", "node-checkers")
}

fn modules(source: &str, variable: &str, target_folder: &str) -> Result<PathBuf, String> {
    run(Command::new("node").arg("--version")).map_err(|why| format!("no node: {why}"))?;
    if let Some(named) = std::env::var_os(variable) {
        return Ok(named.into());
    }
    let folder = target().join(target_folder);
    let [package, lock] =
        ["package.json", "package-lock.json"].map(|name| root().join(source).join(name));
    installed(&folder, &[&lock, &package], || {
        let limits = ["--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"];
        run(Command::new("npm").arg("ci").args(limits).current_dir(&folder))
            .map_err(|why| format!("the packages of Node cannot be installed: {why}"))
    })?;
    Ok(folder.join("node_modules"))
}

/// Installs into a folder, unless what it is to hold was installed there before. The files that say
/// what that is are copied into it.
pub(crate) fn installed(
    folder: &Path,
    said_by: &[&Path],
    install: impl FnOnce() -> Result<(), String>,
) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    // WHY the lock: test processes run side by side, and one of them is to install.
    let stamp = folder.join("installed");
    let lock = File::options().create(true).append(true).open(folder.join("lock"));
    let lock = lock.map_err(|error| error.to_string())?;
    lock.lock().map_err(|error| error.to_string())?;
    let mut wanted = Vec::new();
    for file in said_by {
        let text = fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
        let name = file.file_name().ok_or_else(|| format!("{} is no file", file.display()))?;
        fs::write(folder.join(name), &text).map_err(|error| error.to_string())?;
        wanted.extend(text);
    }
    if fs::read(&stamp).is_ok_and(|there| there == wanted) {
        return Ok(());
    }
    install()?;
    fs::write(stamp, wanted).map_err(|error| error.to_string())
}

/// Runs a command to its end; what it said on standard error where it failed.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.success() { Ok(()) } else { Err(said) }
}
