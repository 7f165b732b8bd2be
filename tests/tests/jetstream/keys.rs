//! Keys come before the frames that rest on them, in order, once.

use std::time::Instant;

use encours_log::{EventLog as _, LogError, StreamOptions};
use encours_tests::{Mode, NatsServer, Proxy, Way};

use crate::support::{
    KEYS, LIMIT, LOG, Place, SOON, STREAM, append, catch_up, number, open, options_at, writer,
};

#[test]
fn keys_come_before_the_frames_that_rest_on_them() {
    let Some(place) = Place::new() else { return };
    let (replica, mut log) = writer(&place, "a");
    assert!(log.wants_keys());
    log.share_keys(b"head").unwrap();
    assert!(!log.wants_keys());
    append(&mut log, 1);
    log.share_keys(b"key 1").unwrap();
    log.share_keys(b"key 2").unwrap();
    append(&mut log, 2);
    append(&mut log, 3);
    log.share_keys(b"key 3").unwrap();
    let mut follower = place.replica("b");
    let reader = follower.reader();
    let mut came = Vec::new();
    let mut keys = |body: &[u8]| {
        came.push((reader.tail().number.0, String::from_utf8(body.to_vec()).unwrap()));
        Ok(())
    };
    assert_eq!(follower.pull(SOON, &mut keys).unwrap().number, number(3));
    // The last one rests on nothing yet; catching up brings it too.
    follower.catch_up(&mut keys).unwrap();
    let wanted = [(0, "head"), (1, "key 1"), (1, "key 2"), (3, "key 3")];
    assert_eq!(came, wanted.map(|(tail, body)| (tail, body.to_owned())));
    // A new start brings all of them again; an erased one is left out.
    drop((follower, log, replica));
    let admin = place.admin();
    admin.run(async {
        let stream = admin.context.get_stream(KEYS).await.unwrap();
        stream.delete_message(2).await.unwrap();
    });
    let mut follower = place.replica("b");
    let mut came = Vec::new();
    let mut keys = |body: &[u8]| {
        came.push(String::from_utf8(body.to_vec()).unwrap());
        Ok(())
    };
    follower.catch_up(&mut keys).unwrap();
    assert_eq!(came, ["head", "key 2", "key 3"]);
    let mut log = follower.writer().unwrap();
    assert!(!log.wants_keys());
    log.share_keys(b"key 4").unwrap();
    assert_eq!(admin.last(KEYS), 5);
}

#[test]
fn keys_that_are_not_taken_hold_their_frames_back() {
    let Some(place) = Place::new() else { return };
    let (_replica, mut log) = writer(&place, "a");
    append(&mut log, 1);
    log.share_keys(b"key").unwrap();
    append(&mut log, 2);
    let mut follower = place.replica("b");
    let refused = follower.pull(SOON, &mut |_| Err(LogError::Options("no room for keys")));
    assert!(matches!(refused, Err(LogError::Options(_))), "{refused:?}");
    assert_eq!(follower.reader().tail().number, number(1));
    let mut came = 0;
    let mut keys = |_: &[u8]| {
        came += 1;
        Ok(())
    };
    assert_eq!(follower.pull(SOON, &mut keys).unwrap().number, number(2));
    assert_eq!(came, 1);
}

#[test]
fn keys_of_another_writer_end_this_one() {
    let Some(place) = Place::new() else { return };
    let (mut replica, mut log) = writer(&place, "a");
    log.share_keys(b"head").unwrap();
    append(&mut log, 1);
    let admin = place.admin();
    admin.publish("encours.keys.main", b"somebody else's");
    for _ in 0..2 {
        let refused = log.share_keys(b"ours").unwrap_err();
        assert!(matches!(refused, LogError::NotNext { .. }), "{refused}");
    }
    assert_eq!(admin.last(KEYS), 2);
    drop(log);
    catch_up(&mut replica).unwrap();
    let mut log = replica.writer().unwrap();
    log.share_keys(b"ours").unwrap();
    append(&mut log, 2);
    assert_eq!((admin.last(KEYS), admin.last(STREAM)), (3, 2));
}

#[test]
fn keys_whose_answer_is_lost_are_there_once() {
    let Some(place) = Place::new() else { return };
    let proxy = place.runtime.block_on(Proxy::start(&place.nats.url()));
    let link = place.try_link(options_at(&proxy.url("nats"))).unwrap();
    let mut replica = open(link, &place.folder.path().join("a")).unwrap();
    catch_up(&mut replica).unwrap();
    let mut log = replica.writer().unwrap();
    log.share_keys(b"head").unwrap();
    proxy.set(Mode::Drop(Way::Answers));
    let lost = log.share_keys(b"key 1").unwrap_err();
    assert!(lost.is_unavailable(), "{lost}");
    proxy.set(Mode::Pass);
    let again = crate::support::until(|| match log.share_keys(b"key 1") {
        Err(error) if error.is_unavailable() => None,
        other => Some(other),
    });
    again.unwrap();
    log.share_keys(b"key 2").unwrap();
    assert_eq!(place.admin().last(KEYS), 3);
}

#[test]
fn a_full_keys_stream_refuses_keys_only_until_there_is_room() {
    let Some(place) = Place::new() else { return };
    let (_replica, mut log) = writer(&place, "a");
    log.share_keys(b"head").unwrap();
    append(&mut log, 1);
    let admin = place.admin();
    let mut config = admin.info(KEYS).config;
    let limit = u64::try_from(config.max_bytes).unwrap();
    let body = vec![7; 256 << 10];
    let full = (0..limit / (256 << 10) + 1).find_map(|_| log.share_keys(&body).err()).unwrap();
    let told = matches!(&full, LogError::StreamFull { stream, max_bytes }
        if stream == KEYS && *max_bytes == limit);
    assert!(told && full.is_full(), "{full:?}");
    let last = admin.last(KEYS);
    // What needs no keys goes on, and so does what comes after another refusal.
    append(&mut log, 2);
    assert!(log.share_keys(&body).is_err_and(|error| error.is_full()));
    log.maintain().unwrap();
    log.admits().unwrap();
    append(&mut log, 3);
    assert_eq!((admin.last(KEYS), admin.last(STREAM)), (last, 3));
    config.max_bytes *= 2;
    admin.update(&config);
    log.share_keys(&body).unwrap();
    append(&mut log, 4);
    assert_eq!((admin.last(KEYS), admin.last(STREAM)), (last + 1, 4));
}

#[test]
fn many_keys_come_quickly_in_order_and_without_the_erased_ones() {
    const COUNT: u64 = 20_000;
    let Some(mut nats) = NatsServer::prepare_with("sync_interval: 1m", "") else { return };
    nats.restart();
    let place = Place::around(nats);
    let options = || StreamOptions { max_bytes: 1 << 30, ..place.options() };
    let link = || place.try_link(options()).unwrap();
    link().stream(Some(LOG)).unwrap();
    let admin = place.admin();
    let name = |sequence: u64| format!("key {sequence:08}");
    admin.run(async {
        let mut sequences = (1..=COUNT).peekable();
        while sequences.peek().is_some() {
            let mut acks = Vec::new();
            for sequence in sequences.by_ref().take(500) {
                let body = name(sequence).into();
                acks.push(admin.context.publish("encours.keys.main", body).await.unwrap());
            }
            for ack in acks {
                ack.await.unwrap();
            }
        }
        let stream = admin.context.get_stream(KEYS).await.unwrap();
        for erased in [1, 2, 700, COUNT] {
            stream.delete_message(erased).await.unwrap();
        }
    });
    let mut replica = open(link(), &place.folder.path().join("a")).unwrap();
    let mut came = Vec::new();
    let mut keys = |body: &[u8]| {
        came.push(String::from_utf8(body.to_vec()).unwrap());
        Ok(())
    };
    let begun = Instant::now();
    replica.catch_up(&mut keys).unwrap();
    let took = begun.elapsed();
    println!("{COUNT} keys take {took:?}");
    let wanted = (3..COUNT).filter(|sequence| *sequence != 700).map(name);
    assert!(came.into_iter().eq(wanted));
    assert!(took < LIMIT, "{took:?}");
    replica.writer().unwrap().share_keys(b"the next").unwrap();
    assert_eq!(admin.last(KEYS), COUNT + 1);
}

#[test]
fn many_keys_come_as_well_to_a_user_who_may_only_ask_for_each() {
    let users = "accounts { A: { jetstream: enabled, users: [\
                 { user: all, password: secret },\
                 { user: asks, password: secret, permissions: { publish: {\
                     deny: [\"$JS.API.CONSUMER.*.ENCOURS_KEYS_main.>\"] } } } ] } }\n\
                 no_auth_user: all";
    let Some(mut nats) = NatsServer::prepare(users) else { return };
    nats.restart();
    let place = Place::around(nats);
    let (_replica, mut log) = writer(&place, "a");
    for key in 0..300_u32 {
        log.share_keys(&key.to_le_bytes()).unwrap();
    }
    append(&mut log, 1);
    let url = place.nats.url().replace("nats://", "nats://asks:secret@");
    let link = place.try_link(options_at(&url)).unwrap();
    let mut follower = open(link, &place.folder.path().join("b")).unwrap();
    let mut came = Vec::new();
    let mut keys = |body: &[u8]| {
        came.push(u32::from_le_bytes(body.try_into().unwrap()));
        Ok(())
    };
    assert_eq!(follower.catch_up(&mut keys).unwrap(), log.tail());
    assert!(came.into_iter().eq(0..300));
}
