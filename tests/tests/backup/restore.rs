//! `encours restore` where data folders lie: on mounts, behind links, below folders that nothing can be
//! made in; and what an interrupted one leaves.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use encours_sim::Rng;
use encours_tests::{Program, Server, Tmpfs, copy, encours, every_file, fingerprint, run};
use tempfile::TempDir;

use crate::{DAMAGED, FAILED, REFUSED, backup, folder, opens_details, restore, text};

/// How often a restore is killed.
const KILLS: u64 = 16;
/// Of a disk that is restored into.
const SIZE: &str = "16m";

/// A folder with a backup.
fn backed_up() -> (TempDir, PathBuf) {
    let (folder, data, to) = folder();
    let _ = backup(&data, &to).ok();
    (folder, to)
}

/// A restored folder is whole, has nothing of the restore in it, and serves.
fn serves(data: &Path) {
    let _ = run(["log", "verify", "--data", text(data)]).ok();
    assert!(!data.join(".restoring").exists() && !data.join(".restoring.probe").exists());
    let server = Server::start(data);
    opens_details(&server);
    let _ = server.stop();
}

/// No server begins a log in what an interrupted restore has left.
fn does_not_serve(data: &Path) {
    let ran = run(["serve", "--listen", "127.0.0.1:0", "--data", text(data)]).fails(DAMAGED);
    assert!(ran.stderr.contains("restore_unfinished: "), "{ran}");
    assert!(ran.stderr.contains("encours restore --from"), "{ran}");
    assert!(!data.join("log").exists(), "{ran}");
}

#[test]
fn a_mount_point_below_a_folder_that_cannot_be_written_is_restored_into() {
    let (folder, to) = backed_up();
    let Some(parent) = Tmpfs::mount(&folder.path().join("parent"), SIZE) else { return };
    let volume = Tmpfs::mount(&parent.path().join("data"), SIZE).expect("a second one, too");
    parent.make_read_only();
    // What file systems have in their root belongs to nobody.
    fs::create_dir(volume.path().join("lost+found")).unwrap();
    // The server is another user than root, who restores.
    chown(volume.path(), Some(65_532), Some(65_532)).unwrap();
    let _ = restore(&to, volume.path()).ok();
    let files = every_file(volume.path());
    assert!(files.len() >= 5, "{files:?}");
    for path in files.iter().chain(&["log", "keys", "lock"].map(|name| volume.path().join(name))) {
        assert_eq!(path.metadata().unwrap().uid(), 65_532, "{}", path.display());
    }
    serves(volume.path());
    let _ = restore(&to, volume.path()).fails(REFUSED);
    // One that cannot be written is found out before anything is read.
    let full = Tmpfs::mount(&folder.path().join("read-only"), SIZE).unwrap();
    full.make_read_only();
    let broken = folder.path().join("broken");
    copy(&to, &broken);
    fs::remove_dir_all(broken.join("log")).unwrap();
    let ran = restore(&broken, full.path()).fails(FAILED);
    assert!(
        ran.stderr.contains("mounted for writing") || ran.stderr.contains("can read and write"),
        "{ran}"
    );
}

#[test]
fn a_link_to_a_folder_is_restored_into() {
    let (folder, to) = backed_up();
    let (private, link) = (folder.path().join("private"), folder.path().join("linked"));
    fs::create_dir(&private).unwrap();
    symlink(&private, &link).unwrap();
    let _ = restore(&to, &link).ok();
    assert!(link.symlink_metadata().unwrap().is_symlink() && private.join("log").exists());
    serves(&link);
}

#[test]
fn what_an_interrupted_restore_leaves_is_not_served_and_is_restored_again() {
    let (folder, to) = backed_up();
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
    // Also beside such a place without a log: that goes last.
    fs::create_dir(keys.join(".restoring")).unwrap();
    let before = fingerprint(&keys);
    let ran = restore(&to, &keys).fails(REFUSED);
    assert!(ran.stderr.contains("not_empty") && ran.stderr.contains("it has keys"), "{ran}");
    assert_eq!(fingerprint(&keys), before);
}

#[test]
fn a_restore_that_is_killed_is_done_again() {
    let seed = 20_261_122;
    let mut rng = Rng::new(seed);
    let (folder, to) = backed_up();
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
    let (folder, to) = backed_up();
    let data = folder.path().join("served");
    let server = Server::start(&data);
    let ran = restore(&to, &data).fails(REFUSED);
    assert!(ran.stderr.contains("not_empty"), "{ran}");
    let _ = server.stop();
}
