//! Rebuilds beside a fold that goes on, stops, or has been led astray.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use encours_domain::number::{PaymentNo, Source};
use encours_log::{
    EventLog as _, EventRecord, Frame, LogId, LogReader, MemoryLog, SystemClock, Tail,
};

use super::*;
use crate::checkpoint::Checkpoint;
use crate::read_model::{Health, ReadModelOptions};
use crate::testing::{Book, LEDGER, caught_up, random_book};

/// Waits until something is so.
fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..4_000 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("{what}");
}

fn end_of(book: &Book) -> Position {
    Position(book.log.tail().next_position.0 - 1)
}

/// Changes a figure of the model in memory, as a fault of the memory would.
fn tamper(read: &ReadModel) {
    let mut model = read.shared.model_mut();
    model.ledgers[0].tables.invoices.get_mut(0).unwrap().total += 1;
}

#[test]
fn a_rebuild_gives_the_same_facts_from_other_pages() {
    let mut book = random_book(11, 500);
    let read = book.read();
    let before = read.digest();
    let generation = read.model().generation;
    let mut told = Vec::new();
    let rebuilt = read.rebuild(&mut |progress| {
        told.push(progress);
        true
    });
    let rebuilt = rebuilt.unwrap();
    assert!(!rebuilt.differs() && rebuilt.stopped.is_none(), "{rebuilt:?}");
    assert_eq!((rebuilt.position, rebuilt.digest), (before.position, before.value));
    assert_eq!(rebuilt.before, Some(before.value));
    assert_eq!(read.digest(), before);
    assert!(read.model().generation > generation, "it is another one");
    assert_eq!(read.rebuilds(), Rebuilds { equal: 1, ..Rebuilds::default() });
    assert_eq!(told.len() as u64, book.log.tail().number.0, "one sign a frame");
    assert!(told.windows(2).all(|pair| pair[0].position < pair[1].position));
    let end = RebuildProgress { position: before.position, last: before.position };
    assert_eq!(told.last(), Some(&end));
    // The fold goes on from it.
    book.customer();
    book.commit();
    caught_up(&read, end_of(&book));
    assert_eq!(read.digest(), book.read().digest());
    read.stop();
    assert!(matches!(read.rebuild(&mut |_| true), Err(RebuildError::Stopping)));
}

/// Each frame issues an invoice and pays it, so that nothing is ever open.
#[test]
fn reads_are_whole_and_never_go_back_while_commands_come_in() {
    let mut book = Book::new();
    let customer = book.customer();
    let read = book.read();
    let done = AtomicBool::new(false);
    let rebuilt = std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut before = Position::START;
                while !done.load(Ordering::Relaxed) {
                    let waited = read.position();
                    let totals = read.totals(LEDGER);
                    assert!(totals.position >= before && totals.position >= waited);
                    before = totals.position;
                    for balance in &totals.value.balances {
                        assert!(balance.balances(), "{balance:?} at {before}");
                        assert_eq!(balance.net(), 0, "{balance:?} at {before}");
                    }
                }
            });
        }
        let rebuilds = scope.spawn(|| {
            let mut rebuilt = 0;
            while !done.load(Ordering::Relaxed) {
                let one = read.rebuild(&mut |_| true).unwrap();
                assert!(!one.differs(), "{one:?}");
                rebuilt += 1;
            }
            rebuilt
        });
        for no in 0..1_500 {
            book.invoice(customer, 10, 0, 0);
            book.payment(customer, 10, 0);
            book.allocate(Source::Payment(PaymentNo(no)), no, 10, 0);
            book.commit();
        }
        caught_up(&read, end_of(&book));
        done.store(true, Ordering::Relaxed);
        rebuilds.join().unwrap()
    });
    assert!(rebuilt > 0);
    assert_eq!(read.rebuilds(), Rebuilds { equal: rebuilt, ..Rebuilds::default() });
    assert_eq!(read.digest(), book.read().digest());
    assert_eq!(read.totals(LEDGER).value.invoices.paid, 1_500);
    println!("{rebuilt} rebuilds beside 1500 frames");
    read.stop();
}

#[test]
fn one_at_a_time_and_it_can_be_given_up() {
    let read = random_book(12, 200).read();
    let generation = read.model().generation;
    let mut second = None;
    let given_up = read.rebuild(&mut |_| {
        assert!(read.rebuilds().running);
        second = Some(read.rebuild(&mut |_| true));
        false
    });
    assert!(matches!(second, Some(Err(RebuildError::Running))));
    assert!(matches!(given_up, Err(RebuildError::GivenUp)));
    assert_eq!(read.rebuilds(), Rebuilds::default());
    assert_eq!(read.model().generation, generation, "the present one is where it was");
    assert!(read.rebuild(&mut |_| true).is_ok());
    read.stop();
}

#[test]
fn a_stop_ends_it_and_queries_go_on() {
    let read = random_book(13, 200).read();
    let before = read.digest();
    let ended = read.rebuild(&mut |_| {
        read.stop();
        true
    });
    assert!(matches!(ended, Err(RebuildError::Stopping)));
    assert_eq!(read.digest(), before);
    assert!(matches!(read.health().stopped, Some(StopError::Closed)));
}

#[test]
fn a_model_that_was_tampered_with_is_found_out_and_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let mut book = random_book(14, 400);
    let read = book.read_from(Some(Checkpoint::load(dir.path())));
    let right = read.digest();
    tamper(&read);
    let wrong = read.digest().value;
    assert_ne!(wrong, right.value);
    let rebuilt = read.rebuild(&mut |_| true).unwrap();
    assert!(rebuilt.differs(), "{rebuilt:?}");
    assert_eq!((rebuilt.position, rebuilt.digest), (right.position, right.value));
    assert_eq!(rebuilt.before, Some(wrong));
    assert_eq!(read.digest(), right);
    assert_eq!(read.rebuilds(), Rebuilds { different: 1, ..Rebuilds::default() });
    // The checkpoint after it is written at once, though nothing has happened, and may be loaded.
    until("a checkpoint", || dir.path().join("v3").exists() && !marked(dir.path()));
    assert_eq!(digest_in(dir.path()), Some(right.value));
    read.stop();
    let again = book.read_from(Some(Checkpoint::load(dir.path())));
    assert_eq!((again.digest(), again.health().rebuilt), (right, None));
    again.stop();
}

fn marked(views: &Path) -> bool {
    views.join(".suspect-v3").exists()
}

/// The digest of what a checkpoint holds, which is loaded from a copy.
fn digest_in(views: &Path) -> Option<Digest> {
    let copy = tempfile::tempdir().unwrap();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(views.join(&folder)).unwrap() {
            let name = folder.join(entry.unwrap().file_name());
            if views.join(&name).is_dir() {
                std::fs::create_dir(copy.path().join(&name)).unwrap();
                folders.push(name);
            } else {
                std::fs::copy(views.join(&name), copy.path().join(&name)).unwrap();
            }
        }
    }
    let snapshot = Checkpoint::load(copy.path()).loaded?.snapshot;
    Some(Model::of(snapshot.seen, snapshot.root, snapshot.ledgers).unwrap().digest())
}

/// The stored form holds the wrong figures too: whenever the process dies, they do not come back.
#[test]
fn what_was_stored_of_a_wrong_model_is_never_loaded_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut book = random_book(15, 300);
    let read = book.read_from(Some(Checkpoint::load(dir.path())));
    let right = read.digest();
    tamper(&read);
    read.stop();
    let read = book.read_from(Some(Checkpoint::load(dir.path())));
    assert_ne!(read.digest(), right, "what was stored is wrong");
    // A process that dies after the comparison, and one that is told to stop there.
    read.shared.trust_from(read.model().generation + 1);
    assert_eq!(digest_in(dir.path()), None);
    book.customer();
    book.commit();
    caught_up(&read, end_of(&book));
    read.stop();
    assert!(marked(dir.path()), "a checkpoint of the wrong one does not take the mark off");
    let read = book.read_from(Some(Checkpoint::load(dir.path())));
    assert!(read.health().rebuilt.unwrap().contains("the log contradicts"));
    assert_eq!(read.digest(), book.read().digest());
    read.stop();
    assert!(!marked(dir.path()));
    assert_eq!(digest_in(dir.path()), Some(read.digest().value));
}

/// Once it could not fold an event, it holds what the log gives: what it held before may have been wrong.
#[test]
fn an_event_that_could_not_be_folded_and_can_be_tells_of_a_wrong_model() {
    let dir = tempfile::tempdir().unwrap();
    let mut book = Book::new();
    let customer = book.customer();
    book.commit();
    let read = book.read_from(Some(Checkpoint::load(dir.path())));
    read.shared.model_mut().ledgers[0].tables.customers = Default::default();
    book.invoice(customer, 10, 0, 0);
    book.commit();
    until("it stops", || read.shared.parked().is_some());
    assert!(matches!(read.health().stopped, Some(StopError::Fold { .. })));
    let rebuilt = read.rebuild(&mut |_| true).unwrap();
    assert!(rebuilt.recovered && rebuilt.differs() && rebuilt.stopped.is_none(), "{rebuilt:?}");
    assert_eq!(rebuilt.before, Some(rebuilt.digest), "it was folded anew when it stopped");
    assert_eq!(read.rebuilds(), Rebuilds { different: 1, ..Rebuilds::default() });
    assert_eq!(read.digest(), book.read().digest());
    until("a checkpoint", || dir.path().join("v3").exists() && !marked(dir.path()));
    assert_eq!(digest_in(dir.path()), Some(read.digest().value));
    read.stop();
}

#[test]
fn a_rebuild_that_the_log_stops_leaves_the_doubt_to_the_next_one() {
    let mut book = Book::new();
    let customer = book.customer();
    book.commit();
    let reader = Ailing::of(&book.log);
    let read = read_of(&book, &reader);
    read.shared.model_mut().ledgers[0].tables.customers = Default::default();
    book.invoice(customer, 10, 0, 0);
    book.commit();
    until("it stops", || read.shared.parked().is_some());
    reader.unreadable_from.store(book.log.tail().number.0, Ordering::Relaxed);
    let first = read.rebuild(&mut |_| true).unwrap();
    assert!(matches!(first.stopped, Some(StopError::Log { .. })) && !first.differs(), "{first:?}");
    reader.unreadable_from.store(u64::MAX, Ordering::Relaxed);
    let second = read.rebuild(&mut |_| true).unwrap();
    assert!(second.recovered && second.stopped.is_none(), "{second:?}");
    let third = read.rebuild(&mut |_| true).unwrap();
    assert!(!third.differs(), "{third:?}");
    read.stop();
}

/// Every page is another one after a rebuild, and the next checkpoint has them all.
#[test]
fn the_checkpoint_after_it_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let mut book = random_book(16, 300);
    let read = book.read_from(Some(Checkpoint::load(dir.path())));
    read.stop();
    let read = book.read_from(Some(Checkpoint::load(dir.path())));
    for _ in 0..3 {
        assert!(!read.rebuild(&mut |_| true).unwrap().differs());
        book.customer();
        book.commit();
        caught_up(&read, end_of(&book));
    }
    read.stop();
    assert_eq!(read.health().checkpoint_failed, None);
    assert_eq!(digest_in(dir.path()), Some(read.digest().value));
}

/// A log whose frames can be read slowly, or not at all from one on.
struct Ailing {
    log: Arc<dyn LogReader>,
    unreadable_from: AtomicU64,
    /// Milliseconds for each frame.
    slow: AtomicU64,
}

impl Ailing {
    fn of(log: &MemoryLog) -> Arc<Self> {
        let (unreadable_from, slow) = (AtomicU64::new(u64::MAX), AtomicU64::new(0));
        Arc::new(Self { log: log.reader(), unreadable_from, slow })
    }
}

impl LogReader for Ailing {
    fn log_id(&self) -> LogId {
        self.log.log_id()
    }

    fn tail(&self) -> Tail {
        self.log.tail()
    }

    fn stored_bytes(&self) -> u64 {
        self.log.stored_bytes()
    }

    fn read(&self, number: FrameNumber) -> Result<Option<Frame>, LogError> {
        std::thread::sleep(Duration::from_millis(self.slow.load(Ordering::Relaxed)));
        if number.0 >= self.unreadable_from.load(Ordering::Relaxed) {
            let (position, why) = (Position(number.0), "bad sector".to_owned());
            return Err(LogError::Unreadable { position, frame: number, why });
        }
        self.log.read(number)
    }

    fn frame_of(&self, position: Position) -> Option<FrameNumber> {
        self.log.frame_of(position)
    }

    fn wait_beyond(&self, number: FrameNumber, timeout: Duration) -> Tail {
        self.log.wait_beyond(number, timeout)
    }
}

fn read_of(book: &Book, reader: &Arc<Ailing>) -> ReadModel {
    let reader = Arc::clone(reader) as Arc<dyn LogReader>;
    let clock = Arc::new(SystemClock::new());
    let read = ReadModel::open(ReadModelOptions { reader, checkpoint: None, clock }).unwrap();
    caught_up(&read, end_of(book));
    read
}

#[test]
fn after_a_frame_that_could_not_be_read_it_goes_on() {
    let mut book = random_book(17, 200);
    book.commit();
    let reader = Ailing::of(&book.log);
    let read = read_of(&book, &reader);
    let stood = read.digest();
    reader.unreadable_from.store(book.log.tail().number.next().0, Ordering::Relaxed);
    book.customer();
    book.commit();
    until("it stops", || read.shared.parked().is_some());
    // As long as nothing has changed it stands where it stood.
    let rebuilt = read.rebuild(&mut |_| true).unwrap();
    assert!(matches!(rebuilt.stopped, Some(StopError::Log { .. })), "{rebuilt:?}");
    assert!(matches!(read.health().stopped, Some(StopError::Log { .. })));
    assert_eq!(read.digest(), stood);
    reader.unreadable_from.store(u64::MAX, Ordering::Relaxed);
    let rebuilt = read.rebuild(&mut |_| true).unwrap();
    assert!(rebuilt.stopped.is_none() && !rebuilt.differs(), "{rebuilt:?}");
    assert!(read.health().stopped.is_none());
    book.customer();
    book.commit();
    caught_up(&read, end_of(&book));
    assert_eq!(read.digest(), book.read().digest());
    read.stop();
}

#[test]
fn a_log_that_cannot_be_read_again_leaves_the_present_one() {
    let mut book = random_book(18, 200);
    book.commit();
    let reader = Ailing::of(&book.log);
    let read = read_of(&book, &reader);
    let before = read.digest();
    reader.unreadable_from.store(3, Ordering::Relaxed);
    let failed = read.rebuild(&mut |_| true).unwrap_err();
    assert!(matches!(failed, RebuildError::Log(StopError::Log { .. })), "{failed}");
    assert_eq!(read.rebuilds(), Rebuilds { failed: 1, ..Rebuilds::default() });
    assert_eq!((read.digest(), read.health().stopped.is_none()), (before, true));
    read.stop();
}

#[test]
fn at_an_event_that_cannot_be_folded_it_stops_again() {
    let mut book = random_book(19, 300);
    let read = book.read();
    let (digest, last) = (read.digest(), read.position());
    let customer = book.customer();
    book.invoice(customer, 10, book.today, book.today);
    // Fits until its history is written, and then not.
    book.deallocate(Source::Payment(PaymentNo(0)), 0, i64::MAX, book.today);
    book.commit();
    until("it stops", || read.shared.parked().is_some());
    for _ in 0..2 {
        let rebuilt = read.rebuild(&mut |_| true).unwrap();
        let Some(StopError::Fold { position, .. }) = rebuilt.stopped else {
            panic!("{rebuilt:?}");
        };
        assert_eq!((position, rebuilt.position), (last.plus(3), last));
        assert_eq!(rebuilt.before, Some(digest.value));
        assert!(matches!(read.health(), Health { serving: true, stopped: Some(_), .. }));
        assert_eq!(read.digest(), digest, "nothing of the frame is seen");
    }
    // An undecodable one behind it changes nothing.
    book.commit_raw(&[EventRecord { kind: 60_000, version: 1, payload: vec![1] }]);
    assert!(read.rebuild(&mut |_| true).unwrap().stopped.is_some());
    read.stop();
}

/// The fold met an event that it could have folded, had its memory been right.
#[test]
fn a_fold_that_a_wrong_memory_stopped_goes_on() {
    let mut book = random_book(20, 300);
    book.commit();
    let reader = Ailing::of(&book.log);
    let read = read_of(&book, &reader);
    let customer = book.customer();
    let invoice = book.invoice(customer, 10, book.today, book.today);
    book.commit();
    caught_up(&read, end_of(&book));
    let tampered = u32::MAX - 1;
    read.shared.model_mut().ledgers[0].tables.invoices.get_mut(invoice).unwrap().customer =
        tampered;
    let payment = book.payment(customer, 10, book.today);
    book.allocate(Source::Payment(PaymentNo(payment)), invoice, 10, book.today);
    // A rebuild that begins while it is folded anew waits for that.
    reader.slow.store(2, Ordering::Relaxed);
    book.commit();
    until("it stops", || !read.health().serving);
    let rebuilt = read.rebuild(&mut |_| true).unwrap();
    assert!(rebuilt.stopped.is_none() && rebuilt.differs(), "{rebuilt:?}");
    assert!(matches!(read.health(), Health { serving: true, stopped: None, .. }));
    reader.slow.store(0, Ordering::Relaxed);
    book.customer();
    book.commit();
    caught_up(&read, end_of(&book));
    assert_eq!(read.digest(), book.read().digest());
    read.stop();
}
