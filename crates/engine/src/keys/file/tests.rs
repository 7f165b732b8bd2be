//! Appends that find no room.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use encours_log::OsDisk;

use super::*;

const LOG: LogId = LogId([7; 16]);

/// A file that takes so many bytes of each write only, then has no room.
struct Short {
    file: Box<dyn DiskFile>,
    room: Arc<AtomicUsize>,
}

impl DiskFile for Short {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buf, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let room = self.room.load(Ordering::SeqCst).min(bytes.len());
        self.file.write_all_at(&bytes[..room], offset)?;
        if room < bytes.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
}

fn key(customer: u32, byte: u8) -> NewKey {
    let key: Key = Box::new(Zeroizing::new([byte; KEY_LEN]));
    NewKey { ledger: LedgerNo(0), customer: CustomerNo(customer), key }
}

#[test]
fn whole_records_of_an_append_that_failed_do_not_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let digest: Key = Box::new(Zeroizing::new([1; KEY_LEN]));
    let mut keys = KeyFile::make(&OsDisk, dir.path(), LOG, &digest, &[]).unwrap();
    let room = Arc::new(AtomicUsize::new(3 * RECORD_LEN + 10));
    let file = OsDisk.open_rw(keys.path()).unwrap();
    keys.file = Box::new(Short { file, room: Arc::clone(&room) });

    // Three records go in whole, for customers whose creation is refused then.
    let four = [key(0, 10), key(1, 11), key(2, 12), key(3, 13)];
    assert!(matches!(keys.append(&four), Err(AppendError::Write(_))));
    // Their numbers are given to others, one after the other.
    room.store(usize::MAX, Ordering::SeqCst);
    keys.append(&[key(0, 20), key(1, 21)]).unwrap();
    keys.append(&[key(2, 22)]).unwrap();

    let opened = KeyFile::open(&OsDisk, dir.path(), LOG).unwrap().unwrap();
    let found: Vec<(u32, u8)> =
        opened.customers.iter().map(|((_, customer), key)| (customer.0, key[0])).collect();
    assert_eq!(found, [(0, 20), (1, 21), (2, 22)]);
    assert_eq!((opened.file.records, opened.damaged), (5, 0));
}

#[test]
fn one_new_record_is_not_followed_by_those_of_an_append_that_failed() {
    let dir = tempfile::tempdir().unwrap();
    let digest: Key = Box::new(Zeroizing::new([1; KEY_LEN]));
    let mut keys = KeyFile::make(&OsDisk, dir.path(), LOG, &digest, &[]).unwrap();
    let room = Arc::new(AtomicUsize::new(2 * RECORD_LEN));
    let file = OsDisk.open_rw(keys.path()).unwrap();
    keys.file = Box::new(Short { file, room: Arc::clone(&room) });

    assert!(keys.append(&[key(0, 10), key(1, 11), key(2, 12)]).is_err());
    room.store(usize::MAX, Ordering::SeqCst);
    // The record that lay second, for customer 1, has to go with the first.
    keys.append(&[key(1, 21)]).unwrap();

    let opened = KeyFile::open(&OsDisk, dir.path(), LOG).unwrap().unwrap();
    assert_eq!(opened.customers.len(), 1);
    assert_eq!(opened.customers[&(LedgerNo(0), CustomerNo(1))][0], 21);
    assert_eq!(opened.file.records, 3);
}
