//! `encours restore` where data folders lie: on mounts, behind links, below folders that nothing can be
//! made in; and what an interrupted one leaves.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use encours_sim::Rng;
use encours_tests::{Program, Ran, Server, copy, data_folder, encours, every_file, run};
use tempfile::TempDir;

const FAILED: i32 = 1;
const REFUSED: i32 = 3;
const DAMAGED: i32 = 5;
/// How often a restore is killed.
const KILLS: u64 = 16;

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn restore(from: &Path, data: &Path) -> Ran {
    run(["restore", "--from", text(from), "--data", text(data)])
}

/// A folder with a backup.
fn backup() -> (TempDir, PathBuf) {
    let folder = data_folder();
    let (data, to) = (folder.path().join("data"), folder.path().join("backup"));
    let server = Server::start(&data);
    for line in [
        "ledger create --ledger shop --currency EUR --test-clock 2026-01-05",
        "customer create --ledger shop --customer dupont --name Dupont --note regular",
    ] {
        let _ = run(line.split(' ').chain(["--server", &server.url()])).ok();
    }
    let _ = server.stop();
    let _ = run(["backup", "--data", text(&data), "--to", text(&to)]).ok();
    (folder, to)
}

/// A restored folder is whole, has nothing of the restore in it, and serves.
fn serves(data: &Path) {
    let _ = run(["log", "verify", "--data", text(data)]).ok();
    assert!(!data.join(".restoring").exists() && !data.join(".restoring.probe").exists());
    let server = Server::start(data);
    let show = ["customer", "show", "dupont", "--ledger", "shop", "--server", &server.url()];
    let shown = run(show).ok();
    assert!(shown.stdout.contains("regular"), "details open: {shown}");
    let _ = server.stop();
}

/// No server begins a log in what an interrupted restore has left.
fn does_not_serve(data: &Path) {
    let ran = run(["serve", "--listen", "127.0.0.1:0", "--data", text(data)]).fails(DAMAGED);
    assert!(ran.stderr.contains("restore_unfinished: "), "{ran}");
    assert!(ran.stderr.contains("encours restore --from"), "{ran}");
    assert!(!data.join("log").exists(), "{ran}");
}

/// A file system of its own; unmounted when dropped.
struct Mount(PathBuf);

impl Mount {
    fn new(at: PathBuf) -> Option<Self> {
        fs::create_dir_all(&at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=16m", "tmpfs", text(&at)])
            .stderr(Stdio::null())
            .status();
        let done = mounted.is_ok_and(|status| status.success());
        done.then(|| Self(at))
    }

    fn read_only(&self) {
        let words = ["-o", "remount,ro", text(&self.0)];
        assert!(Command::new("mount").args(words).status().unwrap().success());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // WHY lazily: a server may still run.
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

#[test]
fn a_mount_point_below_a_folder_that_cannot_be_written_is_restored_into() {
    let (folder, to) = backup();
    let Some(parent) = Mount::new(folder.path().join("parent")) else {
        println!("skipped: no tmpfs can be mounted here");
        return;
    };
    let volume = Mount::new(parent.0.join("data")).expect("a second one can be mounted");
    parent.read_only();
    // What file systems have in their root belongs to nobody.
    fs::create_dir(volume.0.join("lost+found")).unwrap();
    // The server is another user than root, who restores.
    chown(&volume.0, Some(65_532), Some(65_532)).unwrap();
    let _ = restore(&to, &volume.0).ok();
    let files = every_file(&volume.0);
    assert!(files.len() >= 5, "{files:?}");
    for path in files.iter().chain(&["log", "keys", "lock"].map(|name| volume.0.join(name))) {
        assert_eq!(path.metadata().unwrap().uid(), 65_532, "{}", path.display());
    }
    serves(&volume.0);
    let _ = restore(&to, &volume.0).fails(REFUSED);
    // One that cannot be written is found out before anything is read.
    let full = Mount::new(folder.path().join("read-only")).unwrap();
    full.read_only();
    let broken = folder.path().join("broken");
    copy(&to, &broken);
    fs::remove_dir_all(broken.join("log")).unwrap();
    let ran = restore(&broken, &full.0).fails(FAILED);
    assert!(
        ran.stderr.contains("mounted for writing") || ran.stderr.contains("can read and write"),
        "{ran}"
    );
}

#[test]
fn a_link_to_a_folder_is_restored_into() {
    let (folder, to) = backup();
    let (private, link) = (folder.path().join("private"), folder.path().join("linked"));
    fs::create_dir(&private).unwrap();
    symlink(&private, &link).unwrap();
    let _ = restore(&to, &link).ok();
    assert!(link.symlink_metadata().unwrap().is_symlink() && private.join("log").exists());
    serves(&link);
}

#[test]
fn what_an_interrupted_restore_leaves_is_not_served_and_is_restored_again() {
    let (folder, to) = backup();
    let whole = folder.path().join("whole");
    let _ = restore(&to, &whole).ok();
    let parts: &[&[&str]] = &[&[], &["checkpoints"], &["checkpoints", "keys"]];
    for (nth, out) in parts.iter().enumerate() {
        let data = folder.path().join(format!("left-{nth}"));
        copy(&whole, &data.join(".restoring"));
        for part in *out {
            fs::rename(data.join(".restoring").join(part), data.join(part)).unwrap();
        }
        fs::create_dir(data.join(".restoring.probe")).unwrap();
        does_not_serve(&data);
        // A backup that cannot be used takes nothing away.
        let broken = folder.path().join("broken");
        drop(fs::remove_dir_all(&broken));
        copy(&to, &broken);
        fs::remove_dir_all(broken.join("log")).unwrap();
        let _ = restore(&broken, &data).fails(DAMAGED);
        assert!(data.join(".restoring/log/anchor").exists());
        let _ = restore(&to, &data).ok();
        serves(&data);
    }
    // All parts were moved, and what they were built in is still there.
    fs::create_dir(whole.join(".restoring")).unwrap();
    let server = Server::start(&whole);
    let _ = server.stop();
    // Parts without the place where they were built are somebody's.
    let keys = folder.path().join("keys-alone");
    copy(&whole.join("keys"), &keys.join("keys"));
    let ran = restore(&to, &keys).fails(REFUSED);
    assert!(ran.stderr.contains("not_empty") && ran.stderr.contains("it has keys"), "{ran}");
}

#[test]
fn a_restore_that_is_killed_is_done_again() {
    let seed = 20_261_122;
    let mut rng = Rng::new(seed);
    let (folder, to) = backup();
    let begun = Instant::now();
    let _ = restore(&to, &folder.path().join("whole")).ok();
    let usual = u64::try_from(begun.elapsed().as_micros()).unwrap();
    let (mut amid, mut whole) = (0, 0);
    for round in 0..KILLS {
        let data = folder.path().join(format!("killed-{round}"));
        let words = ["restore", "--from", text(&to), "--data", text(&data)];
        let child = Program::start(encours(), words);
        std::thread::sleep(Duration::from_micros(rng.below(usual + usual / 5)));
        let _ = child.kill9();
        if data.join("log").exists() {
            let _ = run(["log", "verify", "--data", text(&data)]).ok();
            whole += 1;
        } else {
            if data.join(".restoring").exists() {
                does_not_serve(&data);
                amid += 1;
            }
            let _ = restore(&to, &data).ok();
        }
        if round % 4 == 0 {
            serves(&data);
        }
        fs::remove_dir_all(&data).unwrap();
    }
    println!("seed {seed}: {amid} killed amid, {whole} were faster");
    assert!(amid > 0, "some were killed amid their work (seed {seed})");
}

#[test]
fn a_folder_in_use_is_not_restored_into() {
    let (folder, to) = backup();
    let data = folder.path().join("served");
    let server = Server::start(&data);
    let ran = restore(&to, &data).fails(REFUSED);
    assert!(ran.stderr.contains("not_empty"), "{ran}");
    let _ = server.stop();
}
