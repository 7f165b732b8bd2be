//! A disk that has no room left for keys.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use encours_log::{Disk, DiskFile, LockError, LockGuard, OsDisk};

use super::scripted::ScriptedLog;
use super::support::*;
use crate::entropy::SystemEntropy;
use crate::{Denied, Engine, Limits, Standby, StandbyOptions};

/// The system's disk, on which writes in place find no room for as long as it is full.
#[derive(Clone, Default)]
struct SmallDisk {
    full: Arc<AtomicBool>,
    refused: Arc<AtomicUsize>,
}

struct SmallFile(SmallDisk, Box<dyn DiskFile>);

impl SmallDisk {
    fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::SeqCst);
    }
}

impl Disk for SmallDisk {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        OsDisk.create_dir_all(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        OsDisk.list(dir)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        OsDisk.exists(path)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(SmallFile(self.clone(), OsDisk.create(path)?)))
    }

    fn open_rw(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(SmallFile(self.clone(), OsDisk.open_rw(path)?)))
    }

    fn open_ro(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        OsDisk.open_ro(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        OsDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        OsDisk.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        OsDisk.sync_dir(dir)
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn LockGuard>, LockError> {
        OsDisk.lock(path)
    }
}

impl DiskFile for SmallFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.1.read_at(buf, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if self.0.full.load(Ordering::SeqCst) {
            self.0.refused.fetch_add(1, Ordering::SeqCst);
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.1.write_all_at(bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.1.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.1.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.1.sync_all()
    }

    fn len(&self) -> io::Result<u64> {
        self.1.len()
    }
}

#[test]
fn keys_that_found_no_room_are_taken_in_when_there_is_some() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let log = ScriptedLog::new();
    let mut leader = log.open(one.path());
    leader.execute(by_ann(ledger("acme"))).unwrap();
    leader.execute(by_ann(customer(Some("c1")))).unwrap();
    leader.execute(by_ann(customer(Some("c2")))).unwrap();
    let disk = SmallDisk::default();
    let options = StandbyOptions {
        reader: encours_log::EventLog::reader(&log),
        disk: Arc::new(disk.clone()),
        entropy: Arc::new(SystemEntropy),
        limits: Limits::default(),
    };
    let mut standby = Standby::open(options, two.path()).unwrap();
    let bodies = log.script().keys.clone();
    // The first body makes the file, the others go into it.
    for body in &bodies {
        disk.set_full(true);
        let refused = standby.add_keys(body).unwrap_err();
        assert!(refused.is_full() && refused.is_own_disk_full(), "{refused}");
        disk.set_full(false);
        standby.add_keys(body).unwrap();
    }
    standby.follow().unwrap();
    let file = |dir: &Path| std::fs::read(dir.join("keys/customers.keys")).unwrap();
    assert_eq!(file(one.path()), file(two.path()));
    drop(log.lead(standby).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_file_without_room_is_not_tried_again_at_once() {
    let world = World::new();
    let disk = SmallDisk::default();
    let mut options = world.options();
    options.disk = Arc::new(disk.clone());
    let engine = Engine::open(options, world.dir()).unwrap();
    let handle = engine.handle();
    handle.execute(by_ann(ledger("acme"))).await.unwrap();
    let own = handle.own_disk_full();
    assert!(!*own.borrow());
    disk.set_full(true);
    for _ in 0..10 {
        let denied = handle.execute(by_ann(customer(Some("c1")))).await;
        assert_eq!(denied, Err(Denied::LogFull));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(disk.refused.load(Ordering::SeqCst), 1);
    assert!(*own.borrow() && handle.metrics().is_full);
    // Time that passes is what lets it be tried again, and room what lets it pass.
    disk.set_full(false);
    world.clock.set("2026-03-10T12:00:06Z");
    let mut tries = 0;
    while let Err(denied) = handle.execute(by_ann(customer(Some("c1")))).await {
        assert_eq!(denied, Denied::LogFull);
        tries += 1;
        assert!(tries < 100);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(!*own.borrow());
    handle.stop().await.unwrap();
}
