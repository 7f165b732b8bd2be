//! Tests of the files of request ids.

use std::sync::Arc;

use encours_domain::Position;
use encours_log::{Disk, LogId, OsDisk};

use super::file::IdFile;
use super::{Entry, Fingerprint, IdFiles, Lookup, Requests};

const LOG: LogId = LogId([3; 16]);

fn id(n: u64) -> Fingerprint {
    super::Scope::Log.fingerprint(&format!("request {n}"))
}

fn entries(range: std::ops::Range<u64>) -> Vec<Entry> {
    let mut entries: Vec<Entry> =
        range.map(|n| Entry { id: id(n), position: Position(n) }).collect();
    entries.sort_unstable();
    entries
}

fn write(path: &std::path::Path, bytes: &[u8]) {
    use std::io::Write;
    std::fs::File::create(path).unwrap().write_all(bytes).unwrap();
}

#[test]
fn a_file_finds_all_of_its_ids_and_takes_less_than_two_bytes_each() {
    let dir = tempfile::tempdir().unwrap();
    let range = (Position(1), Position(50_000));
    let file = IdFile::write(&OsDisk, dir.path(), LOG, range, &entries(1..50_001)).unwrap();
    for n in 1..50_001 {
        assert_eq!(file.get(&id(n)).unwrap(), Some(Position(n)));
    }
    for n in 50_001..60_000 {
        assert_eq!(file.get(&id(n)).unwrap(), None);
    }
    assert!(file.memory() < 2 * 50_000, "{} bytes", file.memory());
    assert!(IdFile::open(&OsDisk, dir.path(), LogId([4; 16]), range).is_err());
}

#[test]
fn every_flipped_byte_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let range = (Position(1), Position(300));
    IdFile::write(&OsDisk, dir.path(), LOG, range, &entries(1..301)).unwrap();
    let path = dir.path().join(IdFile::name(range.0, range.1));
    let whole = std::fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1 << (at % 8);
        write(&path, &damaged);
        let noticed =
            IdFile::open(&OsDisk, dir.path(), LOG, range).and_then(|file| file.entries()).is_err();
        assert!(noticed, "byte {at} of {}", whole.len());
    }
    for len in [0, 10, 63, 64, 100, whole.len() - 1] {
        write(&path, &whole[..len]);
        assert!(IdFile::open(&OsDisk, dir.path(), LOG, range).is_err(), "cut to {len}");
    }
}

#[test]
fn files_are_merged_and_leftovers_of_a_merge_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(OsDisk);
    let open = || {
        IdFiles::open(Arc::clone(&disk), dir.path().into(), LOG, Position(10_000), 1_000).unwrap()
    };
    let names = || OsDisk.list(dir.path()).unwrap();
    let mut files = open();
    let mut requests = Requests::new(Lookup::default(), 100);
    let never = |_, _| Err("nothing is damaged".to_owned());
    for n in 1..=3_000 {
        requests.insert(id(n), Position(n));
        requests.cover(Position(n));
        if let Some(generation) = requests.freeze(false) {
            files.add(&generation).unwrap();
            files.merge(&never).unwrap();
            requests.written(files.lookup());
        }
    }
    assert!(names().len() <= 8, "{:?}", names());
    let check = |lookup: &Lookup| {
        assert_eq!(lookup.covered(), Position(3_000));
        for n in 1..=3_000 {
            assert_eq!(lookup.get(&id(n)).unwrap(), Some(Position(n)));
        }
        assert_eq!(lookup.get(&id(0)).unwrap(), None);
    };
    check(&files.lookup());

    // A crash between writing a merged file and removing what it was made from.
    let (first, last) = IdFile::range(&names()[0]).unwrap();
    let half = Position(last.0 / 2);
    IdFile::write(&OsDisk, dir.path(), LOG, (first, half), &entries(1..half.0 + 1)).unwrap();
    let rest = (half.next(), last);
    IdFile::write(&OsDisk, dir.path(), LOG, rest, &entries(half.0 + 1..last.0 + 1)).unwrap();
    let before = names().len();
    check(&open().lookup());
    assert_eq!(names().len(), before - 2);

    // A file that is gone: what comes after it is not used either.
    OsDisk.remove(&dir.path().join(&names()[2])).unwrap();
    let covered = open().lookup().covered();
    assert_eq!(covered, IdFile::range(&names()[1]).unwrap().1);
    assert_eq!(names().len(), 2);
}

#[test]
fn a_damaged_file_is_made_anew_when_it_is_merged() {
    let dir = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(OsDisk);
    let range = (Position(1), Position(300));
    IdFile::write(&OsDisk, dir.path(), LOG, range, &entries(1..301)).unwrap();
    let path = dir.path().join(IdFile::name(range.0, range.1));
    let mut damaged = std::fs::read(&path).unwrap();
    damaged[64 + 24 * 280] ^= 1;
    write(&path, &damaged);
    let mut files = IdFiles::open(disk, dir.path().into(), LOG, Position(300), 1_000).unwrap();
    let lookup = files.lookup();
    let failed = (1..=300).filter(|n| lookup.get(&id(*n)).is_err()).count();
    assert_eq!(failed, 300 - 256, "the damaged block refuses, the other one serves");
    let from_log = |first: Position, last: Position| Ok(entries(first.0..last.0 + 1));
    assert_eq!(files.repair(&from_log).unwrap(), 1);
    let lookup = files.lookup();
    assert!((1..=300).all(|n| lookup.get(&id(n)).unwrap() == Some(Position(n))));
}

#[test]
fn generations_stay_until_they_are_written_and_their_number_is_bounded() {
    let mut requests = Requests::new(Lookup::default(), 10);
    let mut position = 0;
    while !requests.is_behind() {
        position += 1;
        requests.insert(id(position), Position(position));
        requests.cover(Position(position));
        requests.freeze(false);
    }
    assert_eq!(position, 80);
    for n in 1..=80 {
        assert_eq!(requests.get(&id(n)).unwrap(), Some(Position(n)));
    }
}
