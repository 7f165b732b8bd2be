//! Three servers: one may die or hang at any moment.

use std::num::NonZeroU8;
use std::time::{Duration, Instant};

use encours_log::{EventLog as _, JetStreamLog, Link, StreamOptions, verify_reader};
use encours_tests::{NatsCluster, data_folder};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::support::{LIMIT, STREAM, catch_up, frame, insist, open, options_at, send, until};

fn options(cluster: &NatsCluster) -> StreamOptions {
    let servers = cluster.urls().iter().map(|url| url.parse().unwrap()).collect();
    let replicas = NonZeroU8::new(3).unwrap();
    StreamOptions { servers, replicas, ..options_at("nats://127.0.0.1:1") }
}

fn node() -> (Runtime, TempDir) {
    let runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = { runtime }.worker_threads(2).enable_all().build().unwrap();
    (runtime, data_folder())
}

/// Appends while the stream's leader is hurt, three times; every frame is there once.
fn survives(hurt: fn(&mut NatsCluster, usize), heal: fn(&mut NatsCluster, usize)) {
    let Some(mut cluster) = NatsCluster::start() else { return };
    let (runtime, folder) = node();
    let link = || Link::connect(runtime.handle().clone(), options(&cluster)).unwrap();
    let (ours, theirs) = (link(), link());
    let mut replica = open(ours.clone(), &folder.path().join("a")).unwrap();
    let mut follower = open(theirs, &folder.path().join("b")).unwrap();
    catch_up(&mut replica).unwrap();
    let mut log = replica.writer().unwrap();
    let mut frames = Vec::new();
    let mut worst = Duration::ZERO;
    let mut append = |log: &mut JetStreamLog, frames: &mut Vec<_>, count: usize| {
        for _ in 0..count {
            let next = frame(&log.tail(), 1000);
            let begun = Instant::now();
            insist(log, &next);
            worst = worst.max(begun.elapsed());
            frames.push(next);
        }
    };
    append(&mut log, &mut frames, 50);
    for _ in 0..3 {
        let leader = cluster.stream_leader(STREAM);
        // In the middle of an append.
        let hit = frame(&log.tail(), 1000);
        log.submit(hit.clone());
        hurt(&mut cluster, leader);
        let begun = Instant::now();
        if !log.settle().unwrap().1.is_committed() {
            insist(&mut log, &hit);
        }
        println!("the frame that was hit took {:?}", begun.elapsed());
        frames.push(hit);
        append(&mut log, &mut frames, 50);
        heal(&mut cluster, leader);
        cluster.wait_until_current(STREAM);
        log.maintain().unwrap();
    }
    println!("{} frames, the slowest took {worst:?}, {:?}", log.tail().number, ours.figures());
    let begun = Instant::now();
    let tail = until(|| catch_up(&mut follower).ok());
    assert!(begun.elapsed() < LIMIT);
    assert_eq!(tail, log.tail());
    let reader = follower.reader();
    verify_reader(&*reader, &mut |_| {}).unwrap();
    for frame in &frames {
        let stored = reader.read(frame.header().number).unwrap();
        assert_eq!(stored.as_ref(), Some(frame));
    }
    let next = frame(&log.tail(), 1);
    assert!(send(&mut log, &next).is_committed());
}

#[test]
fn a_stream_leader_that_is_killed_costs_no_frame() {
    survives(NatsCluster::kill9, NatsCluster::restart);
}

#[test]
fn a_stream_leader_that_hangs_costs_no_frame() {
    survives(NatsCluster::pause, NatsCluster::resume);
}

#[test]
fn a_replicated_stream_that_is_missing_for_a_while_stops_nobody() {
    let Some(cluster) = NatsCluster::start() else { return };
    let (runtime, folder) = node();
    let link = || Link::connect(runtime.handle().clone(), options(&cluster)).unwrap();
    let mut replica = open(link(), &folder.path().join("a")).unwrap();
    let mut follower = open(link(), &folder.path().join("b")).unwrap();
    catch_up(&mut replica).unwrap();
    let mut log = replica.writer().unwrap();
    let first = frame(&log.tail(), 100);
    insist(&mut log, &first);
    catch_up(&mut follower).unwrap();
    let context = {
        let client = runtime.block_on(async_nats::connect(&cluster.urls()[0])).unwrap();
        let _inside = runtime.enter();
        async_nats::jetstream::new(client)
    };
    let config = runtime.block_on(async {
        let config = context.get_stream(STREAM).await.unwrap().cached_info().config.clone();
        context.delete_stream(STREAM).await.unwrap();
        config
    });
    // As where the servers that answer do not know it yet.
    let begun = Instant::now();
    let mut doubts = 0;
    while begun.elapsed() < Duration::from_secs(4) {
        log.maintain().unwrap();
        let pulled = follower.pull(Duration::from_millis(100), &mut |_| Ok(()));
        if let Err(error) = pulled {
            assert!(error.is_unavailable(), "{error}");
            doubts += 1;
        }
    }
    assert!(doubts > 0, "it was not missed");
    runtime.block_on(async {
        context.create_stream(config).await.unwrap();
        let body = first.bytes().to_vec().into();
        context.publish("encours.log.main", body).await.unwrap().await.unwrap();
    });
    let second = frame(&log.tail(), 100);
    insist(&mut log, &second);
    let tail = until(|| catch_up(&mut follower).ok());
    assert_eq!((tail.number.0, tail.hash), (2, second.hash()));
    verify_reader(&*follower.reader(), &mut |_| {}).unwrap();
}
