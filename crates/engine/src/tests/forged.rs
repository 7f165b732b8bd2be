//! Events in the log that no decision would have made: they stop the engine before it writes.

use encours_domain::commands::{Put, RecordPayment};
use encours_domain::event::{Allocated, InvoicePaid, PaymentReversed, ReversalKind};
use encours_domain::{Event, InvoiceNo, LedgerNo, PaymentNo, Position, Source};
use encours_log::{CommandRecord, EventLog as _, EventRecord, FrameDraft, SealWith};

use super::support::*;
use crate::{Engine, EngineError};

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
        assert!(matches!(&error, EngineError::Panicked { .. }), "{error}");
        assert_eq!(error.code(), "assertion");
        assert!(error.to_string().contains(says), "{says}: {error}");
        assert_eq!(world.log.tail(), tail, "nothing is written after it");
    }
    // The same road with events that fit.
    let world = played();
    forge(&world, &[allocated(3_000, 0, 1_000)]);
    drop(world.open());
}
