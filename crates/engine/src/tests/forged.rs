//! Events in the log that no decision would have made: they stop the engine before it writes, and who
//! follows the log.

use std::path::Path;
use std::sync::Arc;

use encours_domain::commands::{Put, RecordPayment};
use encours_domain::event::{Allocated, InvoicePaid, PaymentReversed, ReversalKind};
use encours_domain::{Event, InvoiceNo, LedgerNo, PaymentNo, Position, Source};
use encours_log::{CommandRecord, EventLog as _, EventRecord, FrameDraft, OsDisk, SealWith, Tail};

use super::support::*;
use crate::{Engine, EngineError, Standby, StandbyOptions, SystemEntropy};

/// Puts a frame with one command and these events at the end of a log, every byte and link right.
fn forge(world: &World, events: &[Event]) {
    let mut log = world.log.reopen();
    let tail = log.tail();
    let records: Vec<EventRecord> = events
        .iter()
        .map(|event| {
            let encoded = encours_schema::encode(event).unwrap();
            let (kind, version, payload) = (encoded.kind, encoded.version, encoded.payload);
            EventRecord { kind, version, payload }
        })
        .collect();
    let command = CommandRecord {
        request_id: String::new(),
        digest: [0; 32],
        actor: "nobody".to_owned(),
        reason: String::new(),
        causation: Position::START,
        event_count: u32::try_from(records.len()).unwrap(),
    };
    let mut draft = FrameDraft::new(tail.next_position);
    draft.push(&command, &records).unwrap();
    let frame = draft.seal(SealWith {
        log_id: LOG_ID,
        epoch: tail.epoch,
        number: tail.number.next(),
        recorded_at: tail.recorded_at,
        previous: tail.hash,
    });
    log.submit(frame.unwrap());
    assert!(log.settle().unwrap().1.is_committed());
}

/// A ledger with an invoice of 30.00 and a payment of 40.00, nothing of it on the invoice.
fn played() -> World {
    let world = World::new();
    let mut engine = world.open();
    engine.execute(by_ann(ledger("acme"))).unwrap();
    engine.execute(by_ann(customer(Some("c1")))).unwrap();
    engine.execute(by_ann(invoice(Some("i1"), 3_000))).unwrap();
    let kept = RecordPayment { put: Put::Nothing, ..payment("i1", 4_000) };
    engine.execute(by_ann(kept)).unwrap();
    world
}

fn allocated(amount: i64, open_after: i64, unapplied_after: i64) -> Event {
    let (source, invoice) = (Source::Payment(PaymentNo(0)), InvoiceNo(0));
    let (ledger, date) = (LedgerNo(0), day("2026-03-10"));
    Event::from(Allocated { ledger, source, invoice, amount, date, open_after, unapplied_after })
}

/// What is told of the one command in the last frame: where it stands, and what does not fit.
fn assert_unfit(error: &EngineError, tail: Tail, says: &str) {
    let EngineError::Unfit { position, .. } = error else { panic!("{error:?}") };
    assert_eq!(position.next(), tail.next_position);
    assert_eq!(error.code(), "assertion");
    assert!(error.is_corruption(), "its exit code is that of a damaged log");
    let said = error.to_string();
    assert!(said.contains(says) && said.contains(&format!("position {position} ")), "{said}");
}

#[test]
fn forged_events_stop_who_follows_as_well() {
    let world = played();
    let follow = |dir: &Path| {
        let options = StandbyOptions {
            reader: world.log.reopen().reader(),
            disk: Arc::new(OsDisk),
            entropy: Arc::new(SystemEntropy),
            limits: world.limits,
        };
        Standby::open(options, dir)
    };
    let dirs = [0; 2].map(|_| tempfile::tempdir().unwrap());
    let mut before = follow(dirs[0].path()).unwrap();
    before.follow().unwrap();
    forge(&world, &[allocated(3_001, 0, 999)]);
    let tail = world.log.tail();
    for error in [before.follow().err(), follow(dirs[1].path()).err()] {
        assert_unfit(&error.unwrap(), tail, "an allocation fits what is open");
    }
}

#[test]
fn forged_events_stop_the_engine() {
    let (ledger, invoice, date) = (LedgerNo(0), InvoiceNo(0), day("2026-03-10"));
    let paid = Event::from(InvoicePaid { ledger, invoice, date });
    let reversed = |amount| {
        let (payment, kind) = (PaymentNo(0), ReversalKind::Bounced);
        Event::from(PaymentReversed { ledger, payment, kind, amount, date })
    };
    let elsewhere = Event::from(InvoicePaid { ledger: LedgerNo(7), invoice, date });
    let forged: [(&str, Vec<Event>); 5] = [
        ("a settled invoice has nothing open", vec![paid]),
        ("the event tells what is open", vec![allocated(1_000, 1_999, 3_000)]),
        ("an allocation fits what is open", vec![allocated(3_001, 0, 999)]),
        ("what is reversed is unapplied", vec![reversed(4_001)]),
        ("names an unknown ledger", vec![elsewhere]),
    ];
    for (says, events) in forged {
        let world = played();
        forge(&world, &events);
        let tail = world.log.tail();
        let Err(error) = Engine::open(world.options(), world.dir()) else { panic!("{says}") };
        assert_unfit(&error, tail, says);
        assert_eq!(world.log.tail(), tail, "nothing is written after it");
    }
    // The same road with events that fit.
    let world = played();
    forge(&world, &[allocated(3_000, 0, 1_000)]);
    drop(world.open());
}
