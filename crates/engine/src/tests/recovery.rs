//! Snapshots and replay give the same state; damage is passed over.

use encours_domain::Command;
use encours_domain::commands::{
    AddOpeningItem, CorrectOpeningItem, CreateDraft, MarkSent, PlanPayment, RecordPayment,
    RecordReminder, RefundPayment, ReminderTarget, SetCreditLimit,
};
use encours_domain::dunning::Channel;
use encours_domain::event::{CreditPolicy, Direction};
use encours_log::FrameNumber;

use super::support::*;
use crate::{Limits, SyncEngine};

fn busy(engine: &mut SyncEngine, rounds: i64) {
    engine.execute(by_ann(ledger("acme"))).unwrap();
    engine.execute(by_ann(customer(Some("c1")))).unwrap();
    for n in 0..rounds {
        engine.execute(by_ann(invoice(None, n + 1)).with_request_id(format!("r{n}"))).unwrap();
    }
}

#[test]
fn replay_gives_the_state_and_goes_on_in_a_new_epoch() {
    let world = World::new();
    let mut engine = world.open();
    busy(&mut engine, 20);
    let before = bytes(&engine);
    let tail = engine.reader().tail();
    drop(engine);
    let engine = world.open();
    assert_eq!(bytes(&engine), before);
    assert_eq!(engine.recovery().snapshot, FrameNumber(0));
    let now = engine.reader().tail();
    assert_eq!(now.number, tail.number.next());
    assert_eq!(now.epoch, tail.epoch.next());
    assert_eq!(now.next_position.0, tail.next_position.0 + 1);
}

#[test]
fn a_damaged_snapshot_is_passed_over() {
    let mut world = World::new();
    world.limits = Limits { snapshot_every: 8, ..Limits::default() };
    let mut engine = world.open();
    busy(&mut engine, 60);
    let before = bytes(&engine);
    engine.stop().unwrap();
    let mut snapshots = world.files_in("snapshots");
    assert_eq!(snapshots.len(), 3, "three are kept");

    // No further ones, which would push the old ones out.
    world.limits = Limits::default();
    let engine = world.open();
    assert_eq!(bytes(&engine), before);
    assert_eq!(engine.recovery().events, 0, "the newest one was used");
    drop(engine);
    let mut used = u64::MAX;
    while let Some(path) = snapshots.pop() {
        // Any byte will do: header, hash, rows.
        let mut damaged = std::fs::read(&path).unwrap();
        let at = [20, 60, 165, damaged.len() - 1][snapshots.len() % 4];
        damaged[at] ^= 1;
        std::io::Write::write_all(&mut std::fs::File::create(&path).unwrap(), &damaged).unwrap();
        let engine = world.open();
        assert_eq!(bytes(&engine), before, "after damage to {path:?}");
        assert!(engine.recovery().snapshot.0 < used);
        used = engine.recovery().snapshot.0;
    }
    assert_eq!(used, 0, "all damaged: full replay");
}

#[test]
fn a_snapshot_of_another_log_or_shape_is_passed_over() {
    let world = World::new();
    let mut engine = world.open();
    busy(&mut engine, 3);
    engine.stop().unwrap();
    let mut other = World::new();
    other.dir = world.dir;
    // Another log with the same id, but other frames: the keys fit, the snapshot does not.
    let engine = other.open();
    assert_eq!(engine.recovery().snapshot, FrameNumber(0));
    assert_eq!(engine.rows().unwrap().ledgers.len(), 0);
}

#[test]
fn leftovers_of_a_crash_are_removed() {
    let world = World::new();
    let mut engine = world.open();
    busy(&mut engine, 3);
    engine.stop().unwrap();
    for leftover in ["snapshots/00000000000000000009.snapshot.tmp", "requests/1-2.ids.tmp"] {
        std::fs::File::create(world.dir().join(leftover)).unwrap();
    }
    drop(world.open());
    assert!(world.files().iter().all(|path| path.extension().unwrap() != "tmp"));
}

#[test]
fn known_frames_are_those_of_intact_snapshots() {
    let world = World::new();
    let mut engine = world.open();
    busy(&mut engine, 3);
    let tail = engine.reader().tail();
    engine.stop().unwrap();
    let known = crate::known_frames(&encours_log::OsDisk, world.dir());
    assert_eq!(known.len(), 1);
    assert_eq!((known[0].number, known[0].hash), (tail.number, tail.hash));
}

/// Random bytes that are the same in every run.
#[derive(Default)]
struct CountedEntropy(std::sync::atomic::AtomicU64);

impl crate::Entropy for CountedEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), crate::EntropyError> {
        for byte in bytes {
            let count = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            *byte = count.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[0];
        }
        Ok(())
    }
}

fn opening_item(text: &str, direction: Direction) -> AddOpeningItem {
    AddOpeningItem {
        ledger_id: id("acme"),
        invoice_id: Some(id(text)),
        customer_id: id("c1"),
        direction,
        amount: 900,
        paid: 100,
        currency: None,
        date: None,
        due_date: None,
        number: None,
        reference: None,
        sent_on: None,
    }
}

/// Rows with all that came after the first ones: limits, drafts, opening items, plans, refunds,
/// disputes and reminders.
fn agreements(engine: &mut SyncEngine) {
    let (ledger_id, invoice_id) = (id("acme"), id("i1"));
    let limit = SetCreditLimit {
        ledger_id: ledger_id.clone(),
        customer_id: id("c1"),
        currency: None,
        limit: Some(100),
        policy: CreditPolicy::Warn,
    };
    let correction = CorrectOpeningItem {
        ledger_id: ledger_id.clone(),
        invoice_id: id("o1"),
        amount: Some(1_000),
        paid: None,
        currency: None,
        due_date: None,
        date: None,
    };
    let money = RecordPayment { payment_id: Some(id("p1")), ..payment("i1", 150) };
    let refund = RefundPayment {
        ledger_id: ledger_id.clone(),
        payment_id: id("p1"),
        invoice_id: Some(invoice_id.clone()),
        amount: Some(50),
        currency: None,
        method: None,
        date: None,
        reference: String::new(),
    };
    let date = day("2026-04-01");
    let plan = PlanPayment {
        ledger_id: ledger_id.clone(),
        invoice_id: invoice_id.clone(),
        date,
        amount: None,
        currency: None,
    };
    let reminder = RecordReminder {
        ledger_id: ledger_id.clone(),
        target: ReminderTarget::Customer(id("c1")),
        level: 1,
        channel: Channel::Phone,
        date: None,
        text: String::new(),
    };
    let commands: [Command; 11] = [
        limit.into(),
        CreateDraft { invoice: invoice(Some("d1"), 700) }.into(),
        invoice(Some("i2"), 600).into(),
        opening_item("o1", Direction::Owed).into(),
        opening_item("o2", Direction::Owing).into(),
        correction.into(),
        money.into(),
        refund.into(),
        plan.into(),
        MarkSent { ledger_id, invoice_id, date: None }.into(),
        reminder.into(),
    ];
    for command in commands {
        engine.execute(by_ann(command)).unwrap();
    }
}

/// A snapshot is read by the shape it was written in. Where this fails, the rows or what is folded
/// into them have changed: count `STATE_SCHEMA` up, then put the new hash here.
#[test]
fn the_shape_of_the_state_is_the_one_that_its_name_says() {
    let world = World::new();
    let mut options = world.options();
    options.entropy = std::sync::Arc::new(CountedEntropy::default());
    let mut engine = SyncEngine::open(options, world.dir()).unwrap();
    busy(&mut engine, 3);
    engine.execute(by_ann(invoice(Some("i1"), 500))).unwrap();
    engine.execute(by_ann(payment("i1", 200))).unwrap();
    engine.execute(by_ann(credit_note("i1", 100))).unwrap();
    agreements(&mut engine);
    let shape =
        format!("{} {}", crate::snapshot::STATE_SCHEMA, encours_log::Hash::of(&bytes(&engine)));
    assert_eq!(
        shape,
        "encours state 6 e016a16a31670b15dd5c5a9ec556c0ae56a3834cd6ae6d6242cc39c1123a4ca9"
    );
}
