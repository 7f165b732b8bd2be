//! The engine on JetStream that syncs every message: durable commands a second by batches
//! on one server and on three, compared with bare publishing of frames of the same size to the
//! same servers.
//!
//! `cargo bench -p encours-benches --bench jetstream`; `TMPDIR` chooses the disk, of which all servers
//! of a run share one, as they share the processors.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark fails by panicking")]

use std::future::IntoFuture as _;
use std::num::NonZeroU8;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{Config, StorageType};
use encours_benches::company::{STREAMS, play_by_batches, prepare};
use encours_benches::cpu::Cpu;
use encours_benches::{Took, line};
use encours_engine::{Limits, Standby, StandbyOptions, SystemEntropy};
use encours_log::{
    Access, JournalOptions, Link, LogId, OsDisk, Replica, StreamOptions, SystemClock,
};
use encours_tests::{NatsCluster, NatsServer};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesOrdered;
use tokio::runtime::Runtime;

const INVOICES: u64 = 50_000;
/// Bytes of the largest limit that a stream here needs.
const MAX_BYTES: u64 = 1 << 30;

/// The limit: the same bytes in as many messages, each with the sequence it expects, so many in
/// flight.
async fn bare(urls: &[String], replicas: u8, frames: u64, bytes: u64, window: usize) -> Took {
    let client = async_nats::connect(urls).await.unwrap();
    let context = jetstream::new(client);
    let config = Config {
        name: format!("BARE{window}"),
        subjects: vec![format!("bare.{window}")],
        storage: StorageType::File,
        num_replicas: usize::from(replicas),
        ..Config::default()
    };
    context.create_stream(config).await.unwrap();
    let body = bytes::Bytes::from(vec![7; usize::try_from(bytes / frames).unwrap()]);
    let subject = format!("bare.{window}");
    // The first message waits until the stream has a leader.
    for _ in 0..100 {
        let first = context.publish(subject.clone(), "first".into()).await.unwrap();
        if first.await.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let begun = tokio::time::Instant::now();
    let mut on_way = FuturesOrdered::new();
    for sequence in 1..=frames {
        let publish =
            PublishMessage::build().payload(body.clone()).expected_last_sequence(sequence);
        let sent = context.send_publish(subject.clone(), publish).await.unwrap();
        on_way.push_back(sent.into_future());
        if on_way.len() == window {
            on_way.next().await.unwrap().unwrap();
        }
    }
    while let Some(ack) = on_way.next().await {
        ack.unwrap();
    }
    Took { count: frames, time: begun.elapsed() }
}

/// What the engine did.
struct Done {
    took: Took,
    cpu: [Cpu; 2],
    frames: u64,
    bytes: u64,
}

fn durable(runtime: &Runtime, urls: &[String], servers: &[u32], replicas: u8, dir: &Path) -> Done {
    let options = StreamOptions {
        servers: urls.iter().map(|url| url.parse().unwrap()).collect(),
        access: Access::default(),
        log: "bench".parse().unwrap(),
        replicas: NonZeroU8::new(replicas).unwrap(),
        max_bytes: MAX_BYTES,
    };
    let link = Link::connect(runtime.handle().clone(), options).unwrap();
    let disk = Arc::new(OsDisk);
    let journal = JournalOptions { create: Some(LogId([1; 16])), ..JournalOptions::default() };
    let mut replica = Replica::open(link, disk.clone(), &dir.join("log"), journal).unwrap();
    let reader = replica.reader();
    let standby = StandbyOptions {
        reader: Arc::clone(&reader),
        disk,
        entropy: Arc::new(SystemEntropy),
        limits: Limits::default(),
    };
    let mut standby = Standby::open(standby, dir).unwrap();
    let mut take_keys = |keys: &[u8]| {
        standby.add_keys(keys).unwrap();
        Ok(())
    };
    replica.catch_up(&mut take_keys).unwrap();
    let log = Box::new(replica.writer().unwrap());
    let engine = standby.lead(log, Arc::new(SystemClock::default())).unwrap();
    let handle = engine.handle();
    runtime.block_on(prepare(&handle));
    let (frames, bytes) = (handle.metrics().frames, reader.stored_bytes());
    let before = Cpu::now(servers);
    let play = || runtime.block_on(play_by_batches(&handle, INVOICES));
    let took = Took::of(INVOICES * 2, play);
    let done = Done {
        took,
        cpu: [before, Cpu::now(servers)],
        frames: handle.metrics().frames - frames,
        bytes: reader.stored_bytes() - bytes,
    };
    runtime.block_on(handle.stop()).unwrap();
    done
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn measure(what: &str, urls: &[String], servers: &[u32], replicas: u8) {
    let dir = tempfile::tempdir().unwrap();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let Done { took, cpu, frames, bytes } = durable(&runtime, urls, servers, replicas, dir.path());
    println!("{what}: {frames} frames of {} bytes", bytes / frames.max(1));
    let bare = |window| {
        let took = runtime.block_on(bare(urls, replicas, frames, bytes, window));
        Took { count: INVOICES * 2, time: took.time }
    };
    let limit = bare(1);
    line("  bare publishing of those bytes (the limit)", limit, limit);
    line("  the same with 8 in flight", bare(8), limit);
    line("  durable, answered, with request ids", took, limit);
    cpu[1].print_since(&cpu[0], took);
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn main() {
    println!("{INVOICES} invoices issued and paid, {STREAMS} streams");
    let Some(server) = NatsServer::start() else { return };
    measure("one server", &[server.url()], &Vec::from_iter(server.pid()), 1);
    drop(server);
    let Some(cluster) = NatsCluster::start() else { return };
    let urls = cluster.urls();
    let pids: Vec<u32> = (0..urls.len()).filter_map(|one| cluster.server(one).pid()).collect();
    measure("three servers", &urls, &pids, 3);
}
