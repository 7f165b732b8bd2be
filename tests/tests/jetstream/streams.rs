//! Streams that are not as they have to be, and messages that nobody should have sent.

use std::collections::HashMap;
use std::time::Duration;

use async_nats::jetstream::stream::{
    Compression, Config, DiscardPolicy, Republish, RetentionPolicy, Source, StorageType,
    SubjectTransform,
};
use encours_log::{AppendOutcome, Damage, EventLog as _, LogError, LogId, Tail};

use crate::support::{
    KEYS, LOG, Place, SOON, STREAM, SUBJECT, append, catch_up, frame, number, remake, send, until,
    writer,
};

/// A setting, and how it is set in another way than it has to be.
type Drift = (&'static str, fn(&mut Config));

fn drifts() -> Vec<Drift> {
    vec![
        ("subjects", |config| config.subjects.push("elsewhere".into())),
        ("storage", |config| config.storage = StorageType::Memory),
        ("retention", |config| config.retention = RetentionPolicy::Interest),
        ("discard", |config| config.discard = DiscardPolicy::Old),
        ("max_bytes", |config| config.max_bytes /= 2),
        ("max_bytes", |config| config.max_bytes = -1),
        ("max_msgs", |config| config.max_messages = 1_000_000),
        ("max_msgs_per_subject", |config| config.max_messages_per_subject = 1_000_000),
        ("max_age", |config| config.max_age = Duration::from_secs(86_400)),
        ("max_msg_size", |config| config.max_message_size = 4096),
        ("deny_delete", |config| config.deny_delete = false),
        ("deny_purge", |config| config.deny_purge = false),
        ("duplicate_window", |config| config.duplicate_window = Duration::from_secs(1)),
        ("no_ack", |config| config.no_ack = true),
        ("allow_direct", |config| config.allow_direct = true),
        ("allow_rollup_hdrs", |config| {
            config.allow_rollup = true;
            config.deny_purge = false;
        }),
        ("allow_msg_ttl", |config| config.allow_message_ttl = true),
        ("allow_atomic", |config| config.allow_atomic_publish = true),
        ("compression", |config| config.compression = Some(Compression::S2)),
        ("first_seq", |config| config.first_sequence = Some(100)),
        ("republish", |config| {
            let (source, destination) = (">".to_owned(), "copy.>".to_owned());
            config.republish = Some(Republish { source, destination, headers_only: false });
        }),
        ("subject_transform", |config| {
            let (source, destination) = (">".to_owned(), "other.>".to_owned());
            config.subject_transform = Some(SubjectTransform { source, destination });
        }),
        ("sources", |config| {
            config.sources = Some(vec![Source { name: KEYS.to_owned(), ..Source::default() }]);
        }),
        ("mirror", |config| {
            config.subjects.clear();
            config.mirror = Some(Source { name: KEYS.to_owned(), ..Source::default() });
        }),
        ("encours_log_id", |config| config.metadata = HashMap::new()),
    ]
}

#[test]
fn each_setting_that_differs_is_named() {
    let Some(place) = Place::new() else { return };
    let link = place.link();
    link.stream(Some(LOG)).unwrap();
    let admin = place.admin();
    let config = admin.info(STREAM).config;
    for (setting, change) in drifts() {
        admin.delete(STREAM);
        let mut changed = config.clone();
        change(&mut changed);
        admin.create(&changed);
        for create in [None, Some(LOG)] {
            let refused = link.stream(create).unwrap_err();
            assert!(matches!(refused, LogError::StreamConfig { .. }), "{setting}: {refused}");
            assert!(refused.to_string().contains(setting), "{setting}: {refused}");
        }
        assert!(place.try_replica(setting).is_err());
    }
    // What operators may change.
    admin.delete(STREAM);
    let max_bytes = config.max_bytes * 2;
    let description = Some("ours".to_owned());
    admin.create(&Config { max_bytes, description, ..config });
    let facts = link.stream(None).unwrap();
    assert_eq!(facts.max_bytes, u64::try_from(max_bytes).unwrap());
    assert_eq!((facts.log_id, facts.last, facts.keys_last), (LOG, number(0), 0));
    // The keys stream is looked at as well.
    let mut keys = admin.info(KEYS).config;
    keys.max_age = Duration::from_secs(86_400);
    admin.update(&keys);
    let refused = link.stream(None).unwrap_err();
    assert!(refused.to_string().contains("ENCOURS_KEYS_main"), "{refused}");
}

#[test]
fn two_nodes_that_make_the_log_at_once_agree() {
    let Some(place) = Place::new() else { return };
    let (one, two) = (place.link(), place.link());
    let found: Vec<LogId> = std::thread::scope(|scope| {
        let making = [(&one, LogId([1; 16])), (&two, LogId([2; 16]))]
            .map(|(link, id)| scope.spawn(move || link.stream(Some(id)).unwrap().log_id));
        making.map(|thread| thread.join().unwrap()).to_vec()
    });
    assert_eq!(found[0], found[1]);
    assert!([LogId([1; 16]), LogId([2; 16])].contains(&found[0]));
}

#[test]
fn settings_that_change_stop_a_writer() {
    let Some(place) = Place::new() else { return };
    let (_replica, mut log) = writer(&place, "a");
    append(&mut log, 10);
    let admin = place.admin();
    let mut config = admin.info(STREAM).config;
    config.max_age = Duration::from_secs(86_400);
    admin.update(&config);
    let stopped = until(|| log.maintain().err());
    assert!(matches!(stopped, LogError::StreamConfig { .. }), "{stopped}");
    assert!(stopped.to_string().contains("max_age must be 0"), "{stopped}");
    assert!(log.admits().is_err());
    let next = frame(&log.tail(), 1);
    assert!(matches!(send(&mut log, &next), AppendOutcome::Rejected(_)));
    assert_eq!(admin.last(STREAM), 1);
}

#[test]
fn a_stream_that_is_gone_is_not_made_again() {
    let Some(place) = Place::new() else { return };
    let (mut replica, mut log) = writer(&place, "a");
    append(&mut log, 10);
    let admin = place.admin();
    admin.delete(STREAM);
    let next = frame(&log.tail(), 1);
    let outcome = send(&mut log, &next);
    assert!(matches!(outcome, AppendOutcome::Unknown(_)), "{outcome:?}");
    let gone = until(|| log.look(&next).err().filter(|error| !error.is_unavailable()));
    assert!(matches!(gone, LogError::StreamConfig { .. }), "{gone}");
    assert!(gone.to_string().contains("missing"), "{gone}");
    drop(log);
    let gone = replica.pull(SOON, &mut |_| Ok(())).unwrap_err();
    assert!(matches!(gone, LogError::StreamConfig { .. }), "{gone}");
    drop(replica);
    let gone = place.try_replica("a").err().unwrap();
    assert!(matches!(gone, LogError::StreamConfig { .. }), "{gone}");
    let there = admin.run(async { admin.context.get_stream(STREAM).await.is_ok() });
    assert!(!there, "it was made again");
}

#[test]
fn a_stream_that_goes_while_nothing_happens_is_missed() {
    let Some(place) = Place::new() else { return };
    let (_replica, mut log) = writer(&place, "a");
    append(&mut log, 10);
    let mut follower = place.replica("b");
    catch_up(&mut follower).unwrap();
    follower.pull(Duration::from_millis(10), &mut |_| Ok(())).unwrap();
    place.admin().delete(STREAM);
    let stopped = until(|| log.maintain().err());
    assert!(matches!(stopped, LogError::StreamConfig { .. }), "{stopped}");
    let stopped = until(|| {
        let pulled = follower.pull(Duration::from_millis(100), &mut |_| Ok(()));
        pulled.err().filter(|error| !error.is_unavailable())
    });
    assert!(matches!(stopped, LogError::StreamConfig { .. }), "{stopped}");
}

#[test]
fn a_stream_that_is_shorter_or_another_is_refused() {
    let Some(place) = Place::new() else { return };
    let (replica, mut log) = writer(&place, "a");
    let frames: Vec<_> = (0..4).map(|n| append(&mut log, n)).collect();
    drop((log, replica));
    let all: Vec<&[u8]> = frames.iter().map(|frame| &**frame.bytes()).collect();
    let other = frame(&Tail::genesis(LOG), 99);
    let cases: [(LogId, Vec<&[u8]>, &str); 4] = [
        (LOG, vec![], "nothing after message 0"),
        (LOG, all[..3].to_vec(), "nothing after message 3"),
        (LOG, [&all[..3], &[other.bytes()]].concat(), "another message 4"),
        (LogId([9; 16]), all.clone(), "expected 0909"),
    ];
    for (id, bodies, why) in cases {
        remake(&place, id, &bodies);
        let refused = place.try_replica("a").err().unwrap();
        assert!(refused.to_string().contains(why), "{why}: {refused}");
        let is_other = matches!(refused, LogError::WrongLog { .. });
        assert_eq!(is_other, id != LOG, "{refused:?}");
        assert!(is_other || refused.is_corruption(), "{refused:?}");
    }
    // The same frames by somebody's hand are the same log.
    remake(&place, LOG, &all);
    assert_eq!(catch_up(&mut place.replica("a")).unwrap().number, number(4));
}

#[test]
fn a_stream_that_is_cut_under_a_writer_stops_it() {
    let Some(place) = Place::new() else { return };
    let (_replica, mut log) = writer(&place, "a");
    let frames: Vec<_> = (0..3).map(|n| append(&mut log, n)).collect();
    let mut follower = place.replica("b");
    catch_up(&mut follower).unwrap();
    remake(&place, LOG, &[frames[0].bytes()]);
    let next = frame(&log.tail(), 1);
    assert!(!send(&mut log, &next).is_committed());
    let stopped = until(|| log.look(&next).err().filter(|error| !error.is_unavailable()));
    assert!(matches!(stopped, LogError::StreamDiverged { .. }), "{stopped}");
    assert_eq!(stopped.code(), "stream_diverged");
    assert!(log.maintain().is_err());
    let stopped = until(|| {
        let pulled = follower.pull(Duration::from_millis(100), &mut |_| Ok(()));
        pulled.err().filter(|error| !error.is_unavailable())
    });
    assert!(matches!(stopped, LogError::StreamDiverged { .. }), "{stopped}");
    assert_eq!(place.admin().last(STREAM), 1);
}

#[test]
fn a_message_that_is_no_frame_is_named() {
    let other_log = {
        let tail = Tail::genesis(LOG);
        frame(&Tail { next_position: encours_log::Position(7), ..tail }, 5)
    };
    let bodies: [&[u8]; 3] = [b"hello", b"", other_log.bytes()];
    for body in bodies {
        let Some(place) = Place::new() else { return };
        let (_replica, mut log) = writer(&place, "a");
        append(&mut log, 10);
        place.admin().publish(SUBJECT, body);
        let mut follower = place.replica("b");
        let foreign = follower.pull(SOON, &mut |_| Ok(())).unwrap_err();
        let text = foreign.to_string();
        assert!(text.contains("message 2 of stream ENCOURS_LOG_main"), "{text}");
        let LogError::Corrupt { frame: at, source, .. } = foreign else { panic!("{text}") };
        assert_eq!(at, number(2));
        let is_frame = body.len() > 100;
        assert_eq!(matches!(source, Damage::Chain(_)), is_frame, "{source}");
        // What is before it is there.
        assert_eq!(follower.reader().tail().number, number(1));
        let again = follower.pull(SOON, &mut |_| Ok(())).unwrap_err();
        assert_eq!(again.to_string(), text);
        // The writer meets it as well.
        let next = frame(&log.tail(), 1);
        assert!(matches!(send(&mut log, &next), AppendOutcome::Unknown(_)));
        match log.look(&next) {
            Ok(seen) => assert!(is_frame && matches!(seen, encours_log::Seen::Other { .. })),
            Err(error) => assert!(!is_frame && error.is_corruption(), "{error}"),
        }
        assert_eq!(log.tail().number, number(1));
    }
}

#[test]
fn a_gap_is_fetched_again_and_then_reported() {
    let Some(place) = Place::new() else { return };
    let link = place.link();
    let mut replica = crate::support::open(link.clone(), &place.folder.path().join("a")).unwrap();
    // The stream's place is taken by one from which a message can be deleted.
    let admin = place.admin();
    let mut config = admin.info(STREAM).config;
    admin.delete(STREAM);
    config.deny_delete = false;
    admin.create(&config);
    let mut tail = Tail::genesis(LOG);
    for _ in 0..5 {
        let next = frame(&tail, 10);
        admin.publish(SUBJECT, next.bytes());
        tail = tail.follow(LOG, next.header()).unwrap();
    }
    admin.run(async {
        let stream = admin.context.get_stream(STREAM).await.unwrap();
        stream.delete_message(3).await.unwrap();
    });
    let gap = until(|| replica.pull(SOON, &mut |_| Ok(())).err());
    assert!(matches!(gap, LogError::StreamDiverged { wanted, .. } if wanted == number(3)), "{gap}");
    assert!(gap.to_string().contains("message 4"), "{gap}");
    assert_eq!(replica.reader().tail().number, number(2));
    assert_eq!(link.figures().gaps, 2);
}

#[test]
fn a_full_stream_refuses_until_there_is_room() {
    let Some(place) = Place::new() else { return };
    let mut options = place.options();
    options.max_bytes = 700 << 10;
    let link = place.try_link(options).unwrap();
    let mut replica = crate::support::open(link, &place.folder.path().join("a")).unwrap();
    catch_up(&mut replica).unwrap();
    let mut log = replica.writer().unwrap();
    log.admits().unwrap();
    for _ in 0..2 {
        append(&mut log, 100 << 10);
    }
    // No frame of the largest size fits any more; smaller ones do, until they do not.
    assert!(log.admits().is_err_and(|error| error.is_full()));
    let full = (0..20).find_map(|_| {
        let next = frame(&log.tail(), 100 << 10);
        let outcome = send(&mut log, &next);
        (!outcome.is_committed()).then_some(outcome)
    });
    let Some(AppendOutcome::Rejected(full)) = full else { panic!("{full:?}") };
    assert!(matches!(full, LogError::StreamFull { max_bytes: 716_800, .. }), "{full}");
    let tail = log.tail();
    let admin = place.admin();
    assert_eq!(admin.last(STREAM), tail.number.0);
    std::thread::sleep(Duration::from_millis(1200));
    log.maintain().unwrap();
    assert!(log.admits().is_err_and(|error| error.is_full()));
    let mut config = admin.info(STREAM).config;
    config.max_bytes = 4 << 20;
    admin.update(&config);
    until(|| {
        log.maintain().unwrap();
        log.admits().ok()
    });
    assert_eq!(log.tail(), tail);
    append(&mut log, 100 << 10);
}
