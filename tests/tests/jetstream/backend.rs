//! Appending, reading, following; one frame for each number, whoever writes.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use encours_log::{AppendOutcome, Epoch, EventLog as _, Hash, LogError, Seen, Tail, verify_reader};

use crate::support::{
    LIMIT, LOG, Place, SOON, STREAM, SUBJECT, append, catch_up, frame, frame_by, insist, look,
    number, send, writer,
};

#[test]
fn frames_come_to_every_copy_unchanged() {
    let Some(place) = Place::new() else { return };
    let (replica, mut log) = writer(&place, "a");
    assert_eq!((log.log_id(), log.tail(), log.window()), (LOG, Tail::genesis(LOG), 1));
    assert!(log.settle().is_none());
    let mut follower = place.replica("b");
    let frames: Vec<_> = (0..40).map(|n| append(&mut log, n * 300)).collect();
    assert_eq!(replica.reader().tail(), log.tail());
    let tail = catch_up(&mut follower).unwrap();
    assert_eq!(tail, log.tail());
    for reader in [log.reader(), follower.reader()] {
        let report = verify_reader(&*reader, &mut |_| {}).unwrap();
        assert_eq!((report.frames, report.tail), (40, tail));
        for frame in &frames {
            assert_eq!(reader.read(frame.header().number).unwrap().as_ref(), Some(frame));
        }
    }
    let admin = place.admin();
    let stored = admin.run(async {
        let stream = admin.context.get_stream(STREAM).await.unwrap();
        stream.get_raw_message(7).await.unwrap()
    });
    assert_eq!(stored.payload.as_ref(), &**frames[6].bytes());
    let header = |name: &str| stored.headers.get(name).unwrap().as_str().to_owned();
    assert_eq!(header("Nats-Msg-Id"), frames[6].hash().to_string());
    assert_eq!(header("Nats-Expected-Last-Sequence"), "6");
    assert_eq!(header("Encours-Keys"), "0");
    log.close().unwrap();
    assert!(log.admits().is_err());
    drop(log);
    // All is there again, and goes on.
    drop((replica, follower));
    let (_replica, mut log) = writer(&place, "b");
    assert_eq!(log.tail(), tail);
    append(&mut log, 10);
}

#[test]
fn a_frame_that_does_not_follow_is_turned_away_here() {
    let Some(place) = Place::new() else { return };
    let (_replica, mut log) = writer(&place, "a");
    let first = append(&mut log, 1);
    let next = frame_by(&log.tail(), 2, 1);
    assert!(send(&mut log, &next).is_committed());
    let tail = log.tail();
    let outcome = send(&mut log, &first);
    assert!(matches!(outcome, AppendOutcome::Rejected(LogError::NotNext { .. })), "{outcome:?}");
    let wrong = frame(&Tail { hash: Hash([0; 32]), ..tail }, 1);
    assert!(matches!(send(&mut log, &wrong), AppendOutcome::Rejected(_)));
    let outcome = send(&mut log, &frame_by(&tail, 1, 1));
    assert!(matches!(outcome, AppendOutcome::Fenced { by: Some(Epoch(2)) }), "{outcome:?}");
    // One at a time.
    let next = frame(&tail, 1);
    log.submit(next.clone());
    log.submit(frame(&tail.follow(LOG, next.header()).unwrap(), 1));
    assert!(log.settle().unwrap().1.is_committed());
    assert!(matches!(log.settle().unwrap().1, AppendOutcome::Rejected(LogError::Options(_))));
    assert_eq!(place.admin().last(STREAM), 3);
}

#[test]
fn a_follower_is_woken_at_once() {
    let Some(place) = Place::new() else { return };
    let (_replica, mut log) = writer(&place, "a");
    let mut follower = place.replica("b");
    let (said, hear) = mpsc::channel();
    let following = std::thread::spawn(move || {
        for _ in 0..40 {
            let tail = follower.pull(LIMIT, &mut |_| Ok(())).unwrap();
            said.send((tail.number, Instant::now())).unwrap();
            if tail.number == number(20) {
                return;
            }
        }
    });
    let mut waits = Vec::new();
    for _ in 0..20 {
        let frame = append(&mut log, 100);
        let done = Instant::now();
        let mut heard = hear.recv_timeout(LIMIT).unwrap();
        while heard.0 < frame.header().number {
            heard = hear.recv_timeout(LIMIT).unwrap();
        }
        waits.push(heard.1.saturating_duration_since(done));
        // So that the follower waits again.
        std::thread::sleep(Duration::from_millis(20));
    }
    following.join().unwrap();
    waits.sort();
    println!("a frame is in the other copy {:?} (median) after it was durable", waits[10]);
    // One that is not woken looks after seconds.
    assert!(waits[10] < Duration::from_secs(1), "{waits:?}");
}

#[test]
fn of_two_writers_one_has_the_place() {
    let Some(place) = Place::new() else { return };
    let (_one, mut first) = writer(&place, "a");
    append(&mut first, 10);
    let (mut two, mut second) = writer(&place, "b");
    // Both at the same tail. The other one takes over, this one is a zombie.
    let taken = frame_by(&second.tail(), 2, 1);
    assert!(send(&mut second, &taken).is_committed());
    let late = frame(&first.tail(), 2);
    let outcome = send(&mut first, &late);
    assert!(matches!(outcome, AppendOutcome::Unknown(_)), "{outcome:?}");
    assert_eq!(look(&mut first, &late), Seen::Other { by: Epoch(2) });
    assert_eq!(first.tail().number, number(1));
    let figures = first_figures(&place, &mut first, &late);
    assert_eq!(figures, (number(1), number(2)));
    append(&mut second, 3);
    drop(second);
    assert_eq!(catch_up(&mut two).unwrap().number, number(3));
    let report = verify_reader(&*two.reader(), &mut |_| {}).unwrap();
    assert_eq!((report.frames, report.tail.epoch), (3, Epoch(2)));
}

/// What the zombie has, and what the stream has, after it tried again.
fn first_figures(
    place: &Place,
    zombie: &mut encours_log::JetStreamLog,
    late: &encours_log::Frame,
) -> (encours_log::FrameNumber, encours_log::FrameNumber) {
    for _ in 0..3 {
        assert!(!send(zombie, late).is_committed());
    }
    (zombie.tail().number, number(place.admin().last(STREAM)))
}

#[test]
fn two_writers_that_race_leave_one_chain() {
    let Some(place) = Place::new() else { return };
    let race = |node: &'static str, len: usize| {
        let place = &place;
        move || {
            let mut replica = place.replica(node);
            let mut won = 0;
            for _ in 0..60 {
                catch_up(&mut replica).unwrap();
                let mut log = replica.writer().unwrap();
                let frame = frame(&log.tail(), len);
                let outcome = send(&mut log, &frame);
                if outcome.is_committed() || look(&mut log, &frame) == Seen::Same {
                    won += 1;
                }
            }
            won
        }
    };
    let (a, b) = std::thread::scope(|scope| {
        let (a, b) = (scope.spawn(race("a", 50)), scope.spawn(race("b", 60)));
        (a.join().unwrap(), b.join().unwrap())
    });
    let mut witness = place.replica("c");
    let tail = catch_up(&mut witness).unwrap();
    println!("{a} and {b} of 60 tries each, {} frames", tail.number);
    assert_eq!(tail.number, number(a + b));
    assert!(a > 0 && b > 0 && a + b >= 60, "{a} and {b}");
    verify_reader(&*witness.reader(), &mut |_| {}).unwrap();
}

#[test]
fn a_frame_that_is_there_already_is_the_same_frame() {
    let Some(place) = Place::new() else { return };
    let (_replica, mut log) = writer(&place, "a");
    let admin = place.admin();
    append(&mut log, 10);
    // The answer got lost, as it were, and the client has no id to know it by.
    let second = frame(&log.tail(), 20);
    assert_eq!(admin.publish(SUBJECT, second.bytes()), 2);
    assert!(matches!(send(&mut log, &second), AppendOutcome::Unknown(_)));
    assert_eq!(log.tail().number, number(1));
    assert_eq!(look(&mut log, &second), Seen::Same);
    assert_eq!(log.tail().number, number(2));
    // The same, with its id: the server looks at what it has to follow first.
    let third = frame(&log.tail(), 30);
    let ghost = ghost(&third);
    let ack = admin.run(async {
        admin.context.send_publish(SUBJECT, ghost.clone()).await.unwrap().await.unwrap()
    });
    assert_eq!(ack.sequence, 3);
    insist(&mut log, &third);
    assert_eq!((log.tail().number, log.tail().hash), (number(3), third.hash()));
    // It comes once more, long after.
    append(&mut log, 40);
    let again =
        admin.run(async { admin.context.send_publish(SUBJECT, ghost).await.unwrap().await });
    assert!(again.is_err(), "{again:?}");
    // One that was given up comes when its place is taken.
    let lost = frame_by(&log.tail(), 1, 77);
    let taken = append(&mut log, 50);
    assert_ne!(lost.hash(), taken.hash());
    let late = self::ghost(&lost);
    let late = admin.run(async { admin.context.send_publish(SUBJECT, late).await.unwrap().await });
    assert!(late.is_err(), "{late:?}");
    assert_eq!(admin.last(STREAM), 5);
    append(&mut log, 60);
}

/// A frame as the writer publishes it.
fn ghost(frame: &encours_log::Frame) -> async_nats::jetstream::message::PublishMessage {
    async_nats::jetstream::message::PublishMessage::build()
        .payload(frame.bytes().to_vec().into())
        .message_id(frame.hash().to_string())
        .expected_last_sequence(frame.header().number.0 - 1)
}

#[test]
fn what_a_writer_leaves_behind_comes_with_the_next_pull() {
    let Some(place) = Place::new() else { return };
    let (mut replica, mut log) = writer(&place, "a");
    append(&mut log, 10);
    let busy = replica.pull(Duration::ZERO, &mut |_| Ok(())).unwrap_err();
    assert!(matches!(busy, LogError::Options(_)), "{busy}");
    assert!(replica.writer().is_err());
    // On its way when the writer steps down.
    let left = frame(&log.tail(), 20);
    log.submit(left.clone());
    drop(log);
    let tail = replica.pull(SOON, &mut |_| Ok(())).unwrap();
    assert_eq!((tail.number, tail.hash), (number(2), left.hash()));
    let mut log = replica.writer().unwrap();
    append(&mut log, 30);
    let next = frame(&log.tail(), 40);
    insist(&mut log, &next);
    assert_eq!(log.tail().number, number(4));
}

#[test]
fn a_new_copy_catches_up_quickly() {
    let Some(place) = Place::new() else { return };
    let (_replica, mut log) = writer(&place, "a");
    let begun = Instant::now();
    for _ in 0..1500 {
        append(&mut log, 2000);
    }
    println!("1500 appends of 2 kB take {:?}", begun.elapsed());
    let begun = Instant::now();
    let mut follower = place.replica("b");
    assert_eq!(catch_up(&mut follower).unwrap(), log.tail());
    let took = begun.elapsed();
    println!("a new copy of 1500 frames takes {took:?}");
    assert!(took < LIMIT, "{took:?}");
}
