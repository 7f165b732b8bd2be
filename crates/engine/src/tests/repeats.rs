//! Repeats by id and by request id, in the same life and in the next.

use encours_domain::{Command, Reason, Resource};

use super::support::*;
use crate::{Denied, Limits};

fn refused(denied: Denied) -> Reason {
    let Denied::Refused(refusal) = denied else { panic!("{denied:?}") };
    refusal.reason
}

#[test]
fn a_repeat_by_request_id_answers_the_first_outcome() {
    let world = World::new();
    let mut engine = world.open();
    engine.execute(by_ann(ledger("acme"))).unwrap();
    let first = engine.execute(by_ann(customer(None)).with_request_id("r1")).unwrap();
    engine.execute(by_ann(customer(Some("c1")))).unwrap();
    let issued = by_ann(invoice(None, 100)).with_request_id("r2");
    let invoiced = engine.execute(issued.clone()).unwrap();
    let tail = engine.reader().tail();
    let again = engine.execute(by_ann(customer(None)).with_request_id("r1")).unwrap();
    assert_eq!((again.subject, again.position), (first.subject, first.position));
    assert!(again.repeated && !first.repeated);
    let Some(Resource::Customer(one)) = first.resource else { panic!() };
    let Some(Resource::Customer(two)) = again.resource else { panic!() };
    assert_eq!((&one.id, &one.details), (&two.id, &two.details));
    assert_eq!(engine.reader().tail(), tail, "a repeat appended something");

    // After a crash: everything from the log.
    drop(engine);
    let mut engine = world.open();
    let again = engine.execute(issued.clone()).unwrap();
    assert_eq!((again.subject, again.position), (invoiced.subject, invoiced.position));
    engine.stop().unwrap();

    // After a clean stop: from the files.
    assert_eq!(world.files_in("requests").len(), 1);
    let mut engine = world.open();
    assert_eq!(engine.recovery().request_ids, 0);
    let again = engine.execute(issued).unwrap();
    assert_eq!((again.subject, again.position), (invoiced.subject, invoiced.position));
    assert!(again.repeated);
    let other = by_ann(invoice(None, 101)).with_request_id("r2");
    assert_eq!(refused(engine.execute(other).unwrap_err()), Reason::RequestIdReused);
}

/// Found by the simulation: the other command was taken for the first one, and about nothing.
#[test]
fn a_request_id_used_again_for_what_is_not_there_is_refused() {
    let world = World::new();
    let mut engine = world.open();
    engine.execute(by_ann(ledger("acme")).with_request_id("l")).unwrap();
    engine.execute(by_ann(customer(Some("c1"))).with_request_id("c")).unwrap();
    engine.execute(by_ann(renamed("c1", "Ann")).with_request_id("r")).unwrap();
    for other in [Command::from(renamed("nobody", "Ann")), invoice(Some("i1"), 5).into()] {
        let denied = engine.execute(by_ann(other).with_request_id("r")).unwrap_err();
        assert_eq!(refused(denied), Reason::RequestIdReused);
        assert!(engine.failed().is_none());
    }
}

#[test]
fn a_repeat_in_the_same_frame_is_one() {
    let world = World::new();
    let mut engine = world.open();
    let create = by_ann(ledger("acme")).with_request_id("l");
    let one = by_ann(customer(None)).with_request_id("r");
    let mut other = one.clone();
    other.command = customer(Some("c9")).into();
    let answers = engine.execute_all(vec![create.clone(), create, one.clone(), one, other]);
    assert_eq!(engine.reader().tail().number.0, 2, "all in one frame, after the opening one");
    let replies: Vec<_> = answers[..4].iter().map(|answer| answer.clone().unwrap()).collect();
    assert!(!replies[0].repeated && replies[1].repeated);
    assert!(!replies[2].repeated && replies[3].repeated);
    assert_eq!(replies[2].subject, replies[3].subject);
    assert_eq!(replies[2].position, replies[3].position);
    assert_eq!(refused(answers[4].clone().unwrap_err()), Reason::RequestIdReused);
}

#[test]
fn a_request_id_is_free_after_a_refusal_and_in_another_ledger() {
    let world = World::new();
    let mut engine = world.open();
    engine.execute(by_ann(ledger("acme")).with_request_id("r")).unwrap();
    engine.execute(by_ann(ledger("other")).with_request_id("r2")).unwrap();
    engine.execute(by_ann(invoice(None, 5)).with_request_id("r")).unwrap_err();
    engine.execute(by_ann(customer(Some("c1"))).with_request_id("r")).unwrap();
    let mut elsewhere = customer(Some("c1"));
    elsewhere.ledger_id = id("other");
    assert!(!engine.execute(by_ann(elsewhere).with_request_id("r")).unwrap().repeated);
}

#[test]
fn a_repeat_by_id_needs_no_request_id() {
    let world = World::new();
    let mut engine = world.open();
    engine.execute(by_ann(ledger("acme"))).unwrap();
    let first = engine.execute(by_ann(customer(Some("c1")))).unwrap();
    drop(engine);
    let mut engine = world.open();
    let again = engine.execute(by_ann(customer(Some("c1")))).unwrap();
    assert!(again.repeated);
    assert_eq!(again.subject, first.subject);
    let mut other = customer(Some("c1"));
    other.details.name = Some("Somebody else".into());
    assert_eq!(refused(engine.execute(by_ann(other)).unwrap_err()), Reason::IdExists);
}

#[test]
fn a_dry_run_answers_in_full_and_appends_nothing() {
    let world = World::new();
    let mut engine = world.open();
    engine.execute(by_ann(ledger("acme"))).unwrap();
    engine.execute(by_ann(customer(Some("c1")))).unwrap();
    let tail = engine.reader().tail();
    let mut dry = by_ann(invoice(None, 12_345)).with_request_id("r");
    dry.validate_only = true;
    let reply = engine.execute(dry).unwrap();
    let Some(Resource::Invoice(shown)) = reply.resource else { panic!() };
    assert_eq!((shown.total, shown.open), (12_345, 12_345));
    let mut dry = by_ann(customer(None));
    dry.validate_only = true;
    let keys = engine.keys().len();
    let reply = engine.execute(dry).unwrap();
    assert_eq!(reply.previewed_details.len(), 1);
    assert_eq!(engine.keys().len(), keys, "a dry run kept a key");
    assert_eq!(engine.reader().tail(), tail, "a dry run appended something");
    let mut bad = by_ann(invoice(None, -1));
    bad.validate_only = true;
    engine.execute(bad).unwrap_err();
    // The request id of the dry run is still free.
    assert!(!engine.execute(by_ann(invoice(None, 7)).with_request_id("r")).unwrap().repeated);
}

#[test]
fn texts_beside_the_command_are_checked() {
    let world = World::new();
    let mut engine = world.open();
    for bad in ["", "a b", "é", &"x".repeat(65)] {
        let answer = engine.execute(by_ann(ledger("acme")).with_request_id(bad));
        assert_eq!(refused(answer.unwrap_err()), Reason::InvalidId, "{bad:?}");
    }
    let mut long = by_ann(ledger("acme"));
    long.actor = "x".repeat(129);
    assert_eq!(refused(engine.execute(long).unwrap_err()), Reason::TooLarge);
    let mut long = by_ann(ledger("acme"));
    long.reason = "x".repeat(4_097);
    assert_eq!(refused(engine.execute(long).unwrap_err()), Reason::TooLarge);
}

#[test]
fn old_request_ids_are_found_in_files() {
    let mut world = World::new();
    world.limits = Limits { generation_ids: 10, file_ids: 60, ..Limits::default() };
    let mut engine = world.open();
    engine.execute(by_ann(ledger("acme"))).unwrap();
    engine.execute(by_ann(customer(Some("c1")))).unwrap();
    let submission = |n: i64| by_ann(invoice(None, n + 1)).with_request_id(format!("request-{n}"));
    let mut first = Vec::new();
    for n in 0..200 {
        first.push(engine.execute(submission(n)).unwrap());
    }
    let check = |engine: &mut crate::SyncEngine| {
        for n in 0..200 {
            let again = engine.execute(submission(n)).unwrap();
            let expected = &first[usize::try_from(n).unwrap()];
            assert!(again.repeated, "request {n} was done twice");
            assert_eq!((again.subject, again.position), (expected.subject, expected.position));
        }
    };
    check(&mut engine);
    let files = world.files_in("requests").len();
    assert!((4..=9).contains(&files), "{files} files");
    drop(engine);

    // A crash, then damage in every part of every file: what is damaged is made anew.
    for (turn, at) in [3_usize, 61, 64, 90].into_iter().enumerate() {
        let paths = world.files_in("requests");
        let path = &paths[turn % paths.len()];
        let mut damaged = std::fs::read(path).unwrap();
        let end = damaged.len();
        let at = if turn == 3 { end - 1 } else { at };
        damaged[at] ^= 4;
        std::fs::File::create(path)
            .and_then(|mut f| std::io::Write::write_all(&mut f, &damaged))
            .unwrap();
        let mut engine = world.open();
        check_or_repair(&mut engine, &check);
        drop(engine);
    }
    // All gone.
    for path in world.files_in("requests") {
        std::fs::File::create(path).unwrap();
    }
    let mut engine = world.open();
    assert_eq!(engine.recovery().request_ids, 200);
    check(&mut engine);
}

/// A damaged block is only seen when it is read: the command is told to come again, and does.
fn check_or_repair(engine: &mut crate::SyncEngine, check: &dyn Fn(&mut crate::SyncEngine)) {
    engine.repair_request_ids();
    check(engine);
}
