//! Servers that die, hang, or lose what they say.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use encours_log::{AppendOutcome, EventLog as _, LogError, Seen, verify_reader};
use encours_tests::{Mode, NatsServer, Proxy, Way};

use crate::support::{
    LIMIT, LOG, Place, STREAM, append, catch_up, frame, insist, look, number, open, options_at,
    send, writer,
};

#[test]
fn a_server_that_is_killed_leaves_every_frame_once() {
    let Some(place) = Place::new() else { return };
    let (_replica, mut log) = writer(&place, "a");
    append(&mut log, 10);
    let Place { runtime, folder, mut nats } = place;
    let done = AtomicBool::new(false);
    let mut frames = Vec::new();
    let mut worst = Duration::ZERO;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..6 {
                std::thread::sleep(Duration::from_millis(150 + round * 37));
                nats.kill9();
                std::thread::sleep(Duration::from_millis(round * 100));
                nats.restart();
            }
            done.store(true, Ordering::SeqCst);
        });
        while !done.load(Ordering::SeqCst) {
            let next = frame(&log.tail(), 2000);
            let begun = Instant::now();
            insist(&mut log, &next);
            worst = worst.max(begun.elapsed());
            frames.push(next);
        }
    });
    println!("{} frames over six kills, the slowest took {worst:?}", frames.len());
    let place = Place { runtime, folder, nats };
    let mut witness = place.replica("b");
    assert_eq!(catch_up(&mut witness).unwrap(), log.tail());
    let report = verify_reader(&*witness.reader(), &mut |_| {}).unwrap();
    assert_eq!(report.frames, frames.len() as u64 + 1);
    for frame in &frames {
        let stored = witness.reader().read(frame.header().number).unwrap();
        assert_eq!(stored.as_ref(), Some(frame));
    }
}

#[test]
fn nobody_sees_a_frame_before_it_is_durable() {
    let Some(place) = Place::new() else { return };
    let (_replica, mut log) = writer(&place, "a");
    let reader = log.reader();
    append(&mut log, 10);
    let next = frame(&log.tail(), 20);
    place.nats.signal("STOP");
    log.submit(next.clone());
    assert_eq!(reader.wait_beyond(number(1), Duration::from_millis(50)).number, number(1));
    assert_eq!(reader.read(number(2)).unwrap(), None);
    let begun = Instant::now();
    let (_, outcome) = log.settle().unwrap();
    let took = begun.elapsed();
    assert!(matches!(outcome, AppendOutcome::Unknown(_)), "{outcome:?}");
    assert!(took < Duration::from_secs(4), "{took:?}");
    assert_eq!((log.tail().number, reader.read(number(2)).unwrap()), (number(1), None));
    // A look has an end, and a pace.
    let begun = Instant::now();
    let away = log.look(&next).unwrap_err();
    let took = begun.elapsed();
    assert!(away.is_unavailable(), "{away}");
    assert!((Duration::from_secs(1)..Duration::from_secs(8)).contains(&took), "{took:?}");
    place.nats.signal("CONT");
    // What was said before comes late, or is said again; either way it is there once.
    if look(&mut log, &next) == Seen::Absent {
        insist(&mut log, &next);
    }
    assert_eq!((log.tail().number, log.tail().hash), (number(2), next.hash()));
    assert_eq!(place.admin().last(STREAM), 2);
}

#[test]
fn an_answer_that_is_lost_is_found_out() {
    let Some(place) = Place::new() else { return };
    let proxy = place.runtime.block_on(Proxy::start(&place.nats.url()));
    let link = place.try_link(options_at(&proxy.url("nats"))).unwrap();
    let mut replica = open(link.clone(), &place.folder.path().join("a")).unwrap();
    catch_up(&mut replica).unwrap();
    let mut log = replica.writer().unwrap();
    append(&mut log, 10);
    // The frame arrives, its answer does not.
    proxy.set(Mode::Drop(Way::Answers));
    let next = frame(&log.tail(), 20);
    let outcome = send(&mut log, &next);
    assert!(matches!(outcome, AppendOutcome::Unknown(_)), "{outcome:?}");
    assert_eq!(place.admin().last(STREAM), 2);
    proxy.set(Mode::Pass);
    assert_eq!(look(&mut log, &next), Seen::Same);
    assert!(link.figures().ambiguous >= 1);
    // The frame arrives late: the line is held, and somebody goes on meanwhile.
    let late = frame(&log.tail(), 30);
    proxy.set(Mode::Hold(Way::Requests));
    assert!(matches!(send(&mut log, &late), AppendOutcome::Unknown(_)));
    let (_other, mut second) = writer(&place, "b");
    let taken = crate::support::frame_by(&second.tail(), 2, 5);
    assert!(send(&mut second, &taken).is_committed());
    proxy.set(Mode::Pass);
    assert!(matches!(look(&mut log, &late), Seen::Other { .. }));
    append(&mut second, 6);
    assert_eq!(place.admin().last(STREAM), 4);
    assert_eq!(link.figures().fenced, 1);
    // A line that breaks is mended.
    proxy.reset_all();
    crate::support::until(|| link.figures().connected.then_some(()));
}

#[test]
fn a_line_that_swallows_all_keeps_nothing_waiting_for_ever() {
    let Some(place) = Place::new() else { return };
    let proxy = place.runtime.block_on(Proxy::start(&place.nats.url()));
    let link = place.try_link(options_at(&proxy.url("nats"))).unwrap();
    let mut replica = open(link.clone(), &place.folder.path().join("a")).unwrap();
    catch_up(&mut replica).unwrap();
    let mut log = replica.writer().unwrap();
    append(&mut log, 10);
    proxy.set(Mode::Blackhole);
    let next = frame(&log.tail(), 400_000);
    let begun = Instant::now();
    assert!(!send(&mut log, &next).is_committed());
    // Until two pings have had no answer.
    while link.figures().connected {
        assert!(begun.elapsed() < LIMIT, "the line is missed");
        let before = Instant::now();
        log.maintain().unwrap();
        assert!(log.look(&next).is_err());
        assert!(before.elapsed() < Duration::from_secs(8), "{:?}", before.elapsed());
    }
    let before = Instant::now();
    assert!(!send(&mut log, &next).is_committed());
    // One that is sent is waited for for two seconds, and then looked for.
    assert!(before.elapsed() < Duration::from_secs(1), "{:?}", before.elapsed());
    drop(log);
    let before = Instant::now();
    let away = replica.pull(Duration::from_millis(100), &mut |_| Ok(())).unwrap_err();
    assert!(away.is_unavailable(), "{away}");
    assert!(before.elapsed() < Duration::from_secs(8), "{:?}", before.elapsed());
    proxy.set(Mode::Pass);
    crate::support::until(|| catch_up(&mut replica).ok());
    let mut log = replica.writer().unwrap();
    let next = frame(&log.tail(), 30);
    insist(&mut log, &next);
    assert_eq!(log.tail().number.0, place.admin().last(STREAM));
}

#[test]
fn servers_that_cannot_be_used_say_why() {
    let Some(place) = Place::new() else { return };
    let mut nats = place.nats;
    let url = nats.url();
    nats.kill9();
    let connect = |url: &str| {
        let begun = Instant::now();
        let link = encours_log::Link::connect(place.runtime.handle().clone(), options_at(url));
        assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
        link.err()
    };
    let away = connect(&url).unwrap();
    assert!(away.is_unavailable(), "{away}");
    let users = "accounts { A: { jetstream: enabled, users: [\
                   { user: all, password: secret },\
                   { user: reader, password: secret, permissions: {\
                       publish: [\"$JS.API.>\"], subscribe: [\"_INBOX.>\"] } } ] } }";
    let mut nats = NatsServer::prepare(users).unwrap();
    nats.restart();
    let as_user = |user: &str| nats.url().replace("nats://", &format!("nats://{user}@"));
    for user in ["", "all:wrong"] {
        let url = if user.is_empty() { nats.url() } else { as_user(user) };
        let denied = connect(&url).unwrap();
        assert!(matches!(denied, LogError::Denied { .. }), "{denied}");
    }
    let link = |user| {
        encours_log::Link::connect(place.runtime.handle().clone(), options_at(&as_user(user)))
    };
    link("all:secret").unwrap().stream(Some(LOG)).unwrap();
    // May look, but not write.
    let mut replica = open(link("reader:secret").unwrap(), &place.folder.path().join("r")).unwrap();
    catch_up(&mut replica).unwrap();
    let mut log = replica.writer().unwrap();
    let next = frame(&log.tail(), 1);
    let outcome = send(&mut log, &next);
    let AppendOutcome::Unknown(denied) = outcome else { panic!("{outcome:?}") };
    assert!(matches!(denied, LogError::Denied { .. }), "{denied}");
    assert!(denied.to_string().contains("encours.log.main"), "{denied}");
}

#[test]
fn a_limit_of_consumers_is_waited_out_and_none_is_left_behind() {
    let accounts = "accounts { A: { jetstream: { max_mem: 64M, max_file: 512M, max_consumers: 2 }, \
                    users: [{ user: all, password: secret }] } }\nno_auth_user: all";
    let Some(mut nats) = NatsServer::prepare(accounts) else { return };
    nats.restart();
    let place = Place::around(nats);
    let (_replica, mut log) = writer(&place, "a");
    append(&mut log, 10);
    let admin = place.admin();
    let make = |name: &str| {
        let config = async_nats::jetstream::consumer::pull::Config {
            durable_name: Some(name.to_owned()),
            ..Default::default()
        };
        admin.run(admin.context.create_consumer_on_stream(config, STREAM)).unwrap();
    };
    let consumers = || admin.info(STREAM).state.consumer_count;
    crate::support::until(|| (consumers() == 0).then_some(()));
    make("one");
    make("two");
    let mut follower = place.replica("b");
    for _ in 0..3 {
        let full = follower.pull(Duration::from_millis(100), &mut |_| Ok(())).unwrap_err();
        assert!(full.is_unavailable(), "{full}");
        assert!(full.to_string().contains("consumers"), "{full}");
    }
    admin.run(admin.context.delete_consumer_from_stream("one", STREAM)).unwrap();
    assert_eq!(catch_up(&mut follower).unwrap(), log.tail());
    assert_eq!(consumers(), 2);
    // Dropped, it leaves its place to others.
    drop(follower);
    crate::support::until(|| (consumers() == 1).then_some(()));
    let mut follower = place.replica("c");
    assert_eq!(catch_up(&mut follower).unwrap(), log.tail());
}
