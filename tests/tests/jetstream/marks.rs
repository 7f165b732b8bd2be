//! The mark: how far the log has reached, remembered beside it.

use std::time::Duration;

use async_nats::jetstream::kv::Config;
use encours_log::{EventLog as _, Frame, LogError, LogId, Mark};

use crate::support::{
    LOG, Place, STREAM, append, catch_up, frame, frame_by, number, remake, send, until, writer,
};

const BUCKET: &str = "KV_ENCOURS_MARKS";
/// How long a mark may take to follow: a second, and what a busy machine takes.
const FOLLOWS: Duration = Duration::from_secs(1);

fn mark(place: &Place) -> Option<Mark> {
    place.link().mark().unwrap()
}

/// Forgets the mark, as a person does who knows that the log is whole.
fn forget(place: &Place) {
    let admin = place.admin();
    admin.run(async {
        let bucket = admin.context.get_key_value("ENCOURS_MARKS").await.unwrap();
        bucket.delete("main").await.unwrap();
    });
}

fn diverged(error: &LogError) {
    assert_eq!(error.code(), "stream_diverged", "{error}");
    assert!(error.to_string().contains("the mark in bucket ENCOURS_MARKS"), "{error}");
}

#[test]
fn the_mark_follows_the_log_and_is_left_at_its_end() {
    let Some(place) = Place::new() else { return };
    let (replica, mut log) = writer(&place, "a");
    assert_eq!(mark(&place), None);
    append(&mut log, 10);
    until(|| {
        log.maintain().unwrap();
        mark(&place).filter(|mark| *mark == Mark::of(LOG, &log.tail()))
    });
    // It need not keep up: what it does not name yet is no matter.
    append(&mut log, 10);
    append(&mut log, 10);
    let mut other = place.replica("b");
    assert_eq!(catch_up(&mut other).unwrap(), log.tail());
    drop(other);
    assert_eq!(mark(&place).unwrap().number, number(1));
    log.close().unwrap();
    assert_eq!(mark(&place), Some(Mark::of(LOG, &log.tail())));
    drop((log, replica));
    // The next one goes on from there.
    let (_replica, mut log) = writer(&place, "b");
    append(&mut log, 10);
    log.close().unwrap();
    assert_eq!(mark(&place).unwrap().number, number(4));
}

#[test]
fn a_writer_that_is_out_of_date_does_not_move_the_mark_back() {
    let Some(place) = Place::new() else { return };
    let (_replica, mut old) = writer(&place, "a");
    for _ in 0..3 {
        append(&mut old, 10);
    }
    let (_other, mut new) = writer(&place, "b");
    for _ in 0..2 {
        let next = frame_by(&new.tail(), 2, 10);
        assert!(send(&mut new, &next).is_committed());
    }
    new.close().unwrap();
    let there = mark(&place);
    assert_eq!(there, Some(Mark::of(LOG, &new.tail())));
    let revision = place.admin().last(BUCKET);
    old.maintain().unwrap();
    std::thread::sleep(FOLLOWS);
    old.maintain().unwrap();
    old.close().unwrap();
    assert_eq!((mark(&place), place.admin().last(BUCKET)), (there, revision));
}

#[test]
fn writers_that_mark_at_once_leave_the_later_one() {
    let Some(place) = Place::new() else { return };
    for round in 0..4 {
        let (_replica, mut one) = writer(&place, "a");
        append(&mut one, round);
        let (_other, mut two) = writer(&place, "b");
        append(&mut two, round);
        std::thread::scope(|scope| {
            scope.spawn(|| one.close().unwrap());
            scope.spawn(|| two.close().unwrap());
        });
        assert_eq!(mark(&place), Some(Mark::of(LOG, &two.tail())));
    }
}

/// Four frames, marked, of which node `short` has the first two.
fn marked(place: &Place) -> Vec<Frame> {
    let (replica, mut log) = writer(place, "a");
    let mut frames = vec![append(&mut log, 1), append(&mut log, 2)];
    catch_up(&mut place.replica("short")).unwrap();
    frames.extend([append(&mut log, 3), append(&mut log, 4)]);
    log.close().unwrap();
    drop((log, replica));
    frames
}

#[test]
fn a_copy_that_is_as_short_as_the_stream_does_not_lead() {
    let Some(place) = Place::new() else { return };
    let frames = marked(&place);
    let mut follower = place.replica("short");
    remake(&place, LOG, &[frames[0].bytes(), frames[1].bytes()]);
    // The one that runs finds it before it leads, and so do those that start.
    let refused = until(|| catch_up(&mut follower).err().filter(|error| !error.is_unavailable()));
    diverged(&refused);
    assert!(refused.to_string().contains("nothing after message 2"), "{refused}");
    assert!(refused.to_string().contains("has frame 4"), "{refused}");
    drop(follower);
    for node in ["short", "new"] {
        let refused = place.try_replica(node).err().unwrap();
        diverged(&refused);
        assert!(matches!(refused, LogError::StreamDiverged { wanted, .. } if wanted == number(4)));
    }
    // As they should be, and as they are once somebody has given the lost frames up.
    let all: Vec<&[u8]> = frames.iter().map(|frame| &**frame.bytes()).collect();
    remake(&place, LOG, &all);
    assert_eq!(catch_up(&mut place.replica("short")).unwrap().number, number(4));
    remake(&place, LOG, &all[..3]);
    forget(&place);
    assert_eq!(catch_up(&mut place.replica("new")).unwrap().number, number(3));
}

#[test]
fn another_frame_in_the_marks_place_is_no_better() {
    let Some(place) = Place::new() else { return };
    let frames = marked(&place);
    let mut bodies: Vec<&[u8]> = frames[..3].iter().map(|frame| &**frame.bytes()).collect();
    let tail = catch_up(&mut {
        remake(&place, LOG, &bodies);
        forget(&place);
        place.replica("three")
    });
    let other = frame(&tail.unwrap(), 99);
    bodies.push(other.bytes());
    remake(&place, LOG, &bodies);
    // The mark of the frame that was there before.
    let (replica, mut log) = {
        let mut whole = place.replica("whole");
        catch_up(&mut whole).unwrap();
        let log = whole.writer().unwrap();
        (whole, log)
    };
    log.close().unwrap();
    drop((log, replica));
    bodies.pop();
    bodies.push(frames[3].bytes());
    remake(&place, LOG, &bodies);
    let refused = catch_up(&mut place.replica("three")).unwrap_err();
    diverged(&refused);
    assert!(refused.to_string().contains("another message 4"), "{refused}");
}

#[test]
fn a_log_that_was_lost_is_not_begun_anew() {
    let Some(place) = Place::new() else { return };
    let frames = marked(&place);
    remake(&place, LogId([9; 16]), &[]);
    let refused = place.try_replica("new").err().unwrap();
    diverged(&refused);
    assert!(refused.to_string().contains(&LOG.to_string()), "{refused}");
    let admin = place.admin();
    admin.delete(STREAM);
    for node in ["short", "new"] {
        let refused = place.try_replica(node).err().unwrap();
        diverged(&refused);
        assert!(refused.to_string().contains("it is missing"), "{refused}");
    }
    assert!(admin.run(async { admin.context.get_stream(STREAM).await.is_err() }), "it was made");
    forget(&place);
    assert_eq!(catch_up(&mut place.replica("new")).unwrap().number, number(0));
    assert_eq!(frames.len(), 4);
}

#[test]
fn marks_that_cannot_be_written_hold_nobody_up() {
    let Some(place) = Place::new() else { return };
    let (_replica, mut log) = writer(&place, "a");
    append(&mut log, 10);
    place.admin().delete(BUCKET);
    for _ in 0..4 {
        append(&mut log, 10);
        log.maintain().unwrap();
        std::thread::sleep(FOLLOWS / 2);
    }
    log.close().unwrap();
    assert_eq!(log.tail().number, number(5));
    assert_eq!(mark(&place), None);
}

#[test]
fn a_bucket_of_marks_that_forgets_is_refused() {
    let Some(place) = Place::new() else { return };
    let admin = place.admin();
    let config = Config {
        bucket: "ENCOURS_MARKS".to_owned(),
        max_age: Duration::from_secs(60),
        history: 2,
        storage: async_nats::jetstream::stream::StorageType::Memory,
        ..Config::default()
    };
    admin.run(admin.context.create_key_value(config)).unwrap();
    let refused = place.try_replica("a").err().unwrap();
    assert_eq!(refused.code(), "stream_config", "{refused}");
    for setting in [BUCKET, "max_age must be 0", "max_msgs_per_subject must be 1", "storage"] {
        assert!(refused.to_string().contains(setting), "{refused}");
    }
    // Nor is what is no mark taken for one.
    admin.delete(BUCKET);
    drop(place.replica("a"));
    admin.publish("$KV.ENCOURS_MARKS.main", b"frame 7");
    let refused = place.try_replica("a").err().unwrap();
    assert!(refused.to_string().contains("is no mark"), "{refused}");
}
