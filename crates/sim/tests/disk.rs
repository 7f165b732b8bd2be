//! What the simulated disk promises, and what it takes away.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::io::ErrorKind;
use std::path::Path;

use encours_log::{Disk, LockError};
use encours_sim::{Cut, SIM_PID, SimDisk};

const FILE: &str = "/file";

fn path() -> &'static Path {
    Path::new(FILE)
}

/// A disk with one durable file.
fn disk(seed: u64, bytes: &[u8]) -> SimDisk {
    let disk = SimDisk::new(seed);
    let file = disk.create(path()).unwrap();
    file.write_all_at(bytes, 0).unwrap();
    file.sync_data().unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    disk
}

#[test]
fn synced_bytes_outlive_the_power_and_unsynced_ones_may_not() {
    let (mut kept, mut lost, mut torn) = (0, 0, 0);
    for seed in 0..500 {
        let disk = disk(seed, &[1; 4096]);
        let file = disk.open_rw(path()).unwrap();
        file.write_all_at(&[2; 2048], 1024).unwrap();
        disk.restart(Cut::Process);
        assert_eq!(disk.bytes(path()).unwrap()[1024..3072], [2; 2048], "seed {seed}");
        disk.restart(Cut::Power);
        let bytes = disk.bytes(path()).unwrap();
        assert!(bytes[..1024].iter().chain(&bytes[3072..]).all(|byte| *byte == 1), "seed {seed}");
        match bytes[1024..3072].iter().filter(|byte| **byte == 2).count() {
            0 => lost += 1,
            2048 => kept += 1,
            _ => torn += 1,
        }
    }
    assert!(kept > 50 && lost > 50 && torn > 50, "{kept} kept, {lost} lost, {torn} torn");
}

#[test]
fn names_are_lost_without_a_sync_of_their_folder() {
    let (mut old, mut new) = (0, 0);
    for seed in 0..100 {
        let disk = disk(seed, b"abc");
        disk.rename(path(), Path::new("/renamed")).unwrap();
        disk.restart(Cut::Power);
        if disk.bytes(path()).is_some() {
            old += 1;
        } else {
            new += 1;
        }
        let found = disk.bytes(path()).or_else(|| disk.bytes(Path::new("/renamed")));
        assert_eq!(found.unwrap(), b"abc", "seed {seed}");
    }
    assert!(old > 20 && new > 20, "{old} old, {new} new");
}

#[test]
fn after_a_failed_sync_what_is_shown_proves_nothing() {
    let (mut shown, mut shown_and_lost) = (0, 0);
    for seed in 0..200 {
        let disk = disk(seed, &[1; 512]);
        let file = disk.open_rw(path()).unwrap();
        file.write_all_at(&[2; 512], 0).unwrap();
        disk.fail_sync(1);
        assert!(file.sync_data().is_err());
        file.sync_data().unwrap();
        let before = disk.bytes(path()).unwrap();
        disk.restart(Cut::Power);
        if before[0] == 2 {
            shown += 1;
            shown_and_lost += i32::from(disk.bytes(path()).unwrap()[511] == 1);
        }
    }
    assert!((60..140).contains(&shown) && shown_and_lost > 20, "{shown}, {shown_and_lost} lost");
}

#[test]
fn a_stop_kills_open_files_and_frees_locks() {
    let disk = disk(1, b"abc");
    let guard = disk.lock(Path::new("/lock")).unwrap();
    let again = disk.lock(Path::new("/lock"));
    assert!(matches!(again, Err(LockError::Held { holder: Some(SIM_PID) })));
    let file = disk.open_rw(path()).unwrap();
    disk.stop_at_step(2);
    file.len().unwrap();
    assert!(file.len().is_err() && disk.is_stopped());
    assert!(disk.exists(path()).is_err());
    disk.restart(Cut::Process);
    assert!(file.len().is_err());
    let newer = disk.lock(Path::new("/lock")).unwrap();
    drop(guard);
    assert!(disk.lock(Path::new("/lock")).is_err(), "the dead guard must not free the new lock");
    drop(newer);
    disk.lock(Path::new("/lock")).unwrap();
}

#[test]
fn a_full_disk_takes_what_fits() {
    let disk = disk(1, &[1; 1000]);
    disk.set_room(Some(1500));
    let file = disk.open_rw(path()).unwrap();
    file.write_all_at(&[2; 1000], 0).unwrap();
    let full = file.append(&[3; 600]).unwrap_err();
    assert_eq!((full.kind(), disk.used()), (ErrorKind::StorageFull, 1500));
    disk.set_room(None);
    file.append(&[3; 600]).unwrap();
}

#[test]
fn damage_on_demand() {
    let disk = disk(1, &[0; 8192]);
    let file = disk.open_rw(path()).unwrap();
    disk.misdirect_write(1);
    file.write_all_at(&[7; 512], 512).unwrap();
    let bytes = disk.bytes(path()).unwrap();
    assert_eq!(bytes[512..1024], [0; 512]);
    assert_eq!(bytes.iter().filter(|byte| **byte == 7).count(), 512);
    disk.flip_bit(path(), 3);
    assert_eq!(disk.bytes(path()).unwrap()[0], 8);
    disk.flip_reads(1);
    let mut buf = [0; 8];
    file.read_exact_at(&mut buf, 4).unwrap();
    assert_eq!(buf.iter().map(|byte| byte.count_ones()).sum::<u32>(), 1);
    disk.set_read_only(true);
    assert_eq!(disk.remove(path()).unwrap_err().kind(), ErrorKind::ReadOnlyFilesystem);
}
