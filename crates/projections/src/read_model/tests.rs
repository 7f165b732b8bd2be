//! The read model beside a log that grows, and at an event that it cannot fold.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use encours_domain::Position;
use encours_domain::number::{PaymentNo, Source};
use encours_log::EventRecord;

use super::ReadModel;
use crate::checkpoint::Checkpoint;
use crate::error::{FoldError, StopError};
use crate::testing::{Book, LEDGER, caught_up, random_book};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

/// Waits for a position that the read model will never reach.
fn stopped_before(read: &ReadModel, position: Position) -> StopError {
    runtime().block_on(async {
        let waiting = read.wait_for(position);
        tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap().unwrap_err()
    })
}

#[test]
fn waiting_ends_when_the_position_is_reached() {
    let mut book = Book::new();
    book.customer();
    let read = book.read();
    assert_eq!(runtime().block_on(read.wait_for(Position(2))).unwrap(), Position(4));
    let waiting = {
        let read = read.clone();
        std::thread::spawn(move || runtime().block_on(read.wait_for(Position(6))))
    };
    book.customer();
    book.commit();
    book.customer();
    book.commit();
    assert!(waiting.join().unwrap().unwrap() >= Position(6));
    assert_eq!(*read.position_watch().borrow(), Position(6));
    read.stop();
    assert!(matches!(stopped_before(&read, Position(7)), StopError::Closed));
    assert_eq!(read.totals(LEDGER).value.customers.up_to_date, 3, "queries go on");
    read.stop();
}

#[test]
fn an_event_that_cannot_be_decoded_stops_the_fold() {
    let dir = tempfile::tempdir().unwrap();
    let mut book = random_book(1, 100);
    let read = book.read_from(Some(Checkpoint::load(dir.path())));
    let (digest, last) = (read.digest(), read.position());
    book.commit_raw(&[EventRecord { kind: 60_000, version: 1, payload: vec![1] }]);
    book.push(encours_domain::event::WriterOpened { epoch: 2 });
    book.commit();
    let StopError::Decode { position, .. } = stopped_before(&read, last.plus(2)) else {
        panic!("{:?}", read.health());
    };
    assert_eq!(position, last.next());
    assert_eq!(read.digest(), digest, "nothing after it is folded");
    assert!(read.health().serving);
    assert_eq!(runtime().block_on(read.wait_for(last)).unwrap(), last);
    read.stop();
    assert!(matches!(read.health().stopped, Some(StopError::Decode { .. })));
    assert!(Checkpoint::load(dir.path()).known().is_none(), "no checkpoint of a stopped fold");
}

#[test]
fn an_event_that_does_not_fit_takes_its_frame_with_it() {
    let mut book = random_book(2, 200);
    let read = book.read();
    let (digest, last) = (read.digest(), read.position());
    let customer = book.customer();
    book.invoice(customer, 10, book.today, book.today);
    // Fits until its history is written, and then not.
    book.deallocate(Source::Payment(PaymentNo(0)), 0, i64::MAX, book.today);
    book.customer();
    book.commit();
    let StopError::Fold { position, source } = stopped_before(&read, last.plus(4)) else {
        panic!("{:?}", read.health());
    };
    assert_eq!(position, last.plus(3));
    assert!(matches!(source, FoldError::NotAllocated { .. }), "{source}");
    serves_again(&read);
    assert_eq!(read.digest(), digest);
    read.stop();
}

#[test]
fn a_fold_that_panics_leaves_nothing_behind() {
    let mut book = Book::new();
    let customer = book.customer();
    book.invoice(customer, i64::MAX, 0, 9);
    let read = book.read();
    let digest = read.digest();
    // The sum of a customer's invoices overflows: the writer refuses this.
    book.invoice(customer, 1, 0, 9);
    book.commit();
    let stopped = stopped_before(&read, read.position().next());
    let StopError::Fold { source: FoldError::Panicked(said), .. } = &stopped else {
        panic!("{stopped:?}");
    };
    assert!(said.contains("overflow"), "{said}");
    serves_again(&read);
    assert_eq!(read.digest(), digest);
    read.stop();
}

fn serves_again(read: &ReadModel) {
    for _ in 0..2_000 {
        if read.health().serving {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("{:?}", read.health());
}

#[test]
fn every_view_is_of_one_position() {
    let mut book = Book::new();
    let customer = book.customer();
    let read = book.read();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut before = Position::START;
                while !done.load(Ordering::Relaxed) {
                    let totals = read.totals(LEDGER);
                    assert!(totals.position >= before, "positions never go back");
                    before = totals.position;
                    for balance in &totals.value.balances {
                        assert!(balance.balances(), "{balance:?} at {before}");
                        // Each frame issues an invoice and pays it.
                        assert_eq!(balance.net(), 0, "{balance:?} at {before}");
                    }
                }
            });
        }
        for no in 0..300 {
            book.invoice(customer, 10, 0, 0);
            book.payment(customer, 10, 0);
            book.allocate(Source::Payment(PaymentNo(no)), no, 10, 0);
            book.commit();
        }
        caught_up(&read, Position(book.events.len() as u64));
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(read.totals(LEDGER).value.invoices.paid, 300);
    read.stop();
}
