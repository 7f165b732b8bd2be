//! The tests' own tools, where they could mislead: what lies between two sides, and servers that
//! replicate.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

use std::future::IntoFuture as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use async_nats::jetstream::{self, stream};
use encours_tests::{Mode, NatsCluster, Proxy, Way};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// So long nothing comes where nothing is to come.
const SILENCE: Duration = Duration::from_millis(300);
/// So long at most until something comes that is to come.
const LIMIT: Duration = Duration::from_secs(20);

/// A server that says what it is told.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                tokio::io::copy(&mut from, &mut to).await
            });
        }
    });
    address
}

async fn proxy() -> Proxy {
    Proxy::start(&echo().await.to_string()).await
}

async fn connect(proxy: &Proxy) -> TcpStream {
    TcpStream::connect(proxy.address()).await.unwrap()
}

async fn say(stream: &mut TcpStream, words: &str) {
    stream.write_all(words.as_bytes()).await.unwrap();
}

/// Reads as many bytes as these words have.
async fn hear(stream: &mut TcpStream, words: &str) {
    let mut heard = vec![0; words.len()];
    timeout(LIMIT, stream.read_exact(&mut heard)).await.expect("it comes").unwrap();
    assert_eq!(String::from_utf8_lossy(&heard), words);
}

async fn hear_nothing(stream: &mut TcpStream) {
    let heard = timeout(SILENCE, stream.read(&mut [0; 16])).await;
    assert!(heard.is_err(), "{heard:?}");
}

/// Reads on until the connection breaks off; how many bytes came before.
async fn break_off(stream: &mut TcpStream) -> usize {
    let mut heard = 0;
    let mut buffer = vec![0; 4 << 10];
    loop {
        match timeout(LIMIT, stream.read(&mut buffer)).await.expect("it breaks off") {
            Ok(0) => panic!("it ended, and did not break off"),
            Ok(read) => heard += read,
            Err(_) => return heard,
        }
    }
}

#[tokio::test]
async fn what_is_held_arrives_later_and_in_order() {
    let proxy = proxy().await;
    let mut stream = connect(&proxy).await;
    for mode in [Mode::Blackhole, Mode::Hold(Way::Requests), Mode::Hold(Way::Answers)] {
        say(&mut stream, "before").await;
        hear(&mut stream, "before").await;
        let passed = proxy.passed(Way::Requests);
        proxy.set(mode);
        say(&mut stream, "one").await;
        hear_nothing(&mut stream).await;
        // Only with the answers held has the server heard it.
        let grown = if mode == Mode::Hold(Way::Answers) { 3 } else { 0 };
        assert_eq!(proxy.passed(Way::Requests) - passed, grown, "{mode:?}");
        say(&mut stream, "two").await;
        proxy.set(Mode::Pass);
        hear(&mut stream, "onetwo").await;
    }
    // A connection that comes while all is swallowed waits, too.
    proxy.set(Mode::Blackhole);
    let mut late = connect(&proxy).await;
    say(&mut late, "late").await;
    hear_nothing(&mut late).await;
    proxy.set(Mode::Pass);
    hear(&mut late, "late").await;
    assert_eq!(proxy.connections(), 2);
}

#[tokio::test]
async fn what_is_lost_breaks_off_afterwards() {
    let proxy = proxy().await;
    for way in [Way::Requests, Way::Answers] {
        let mut stream = connect(&proxy).await;
        proxy.set(Mode::Drop(way));
        for _ in 0..100 {
            say(&mut stream, "into the void").await;
        }
        hear_nothing(&mut stream).await;
        proxy.set(Mode::Pass);
        say(&mut stream, "after").await;
        assert_eq!(break_off(&mut stream).await, 0);
    }
}

#[tokio::test]
async fn delays_add_up_to_no_throttle() {
    let proxy = proxy().await;
    let mut stream = connect(&proxy).await;
    let delay = Duration::from_millis(200);
    proxy.set(Mode::Delay(delay));
    let begun = Instant::now();
    for _ in 0..50 {
        say(&mut stream, "0123456789").await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    hear(&mut stream, &"0123456789".repeat(50)).await;
    let took = begun.elapsed();
    // There and back, and not once more for each of fifty pieces.
    assert!(took >= 2 * delay && took < 25 * delay, "{took:?}");
}

#[tokio::test]
async fn what_is_replaced_is_found_wherever_a_read_ends() {
    let proxy = proxy().await;
    let mut stream = connect(&proxy).await;
    stream.set_nodelay(true).unwrap();
    proxy.set(Mode::Replace("year 20", "year 19"));
    let words = "a year 2026, of the years 20 and 21";
    for pieces in [vec![words], vec!["a ye", "ar 2", "026, of the years 20 and 21"]] {
        for piece in pieces {
            say(&mut stream, piece).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        hear(&mut stream, &words.replace("year 20", "year 19")).await;
    }
    // What may be the begin of it comes once it turns out not to be, or nothing more comes.
    for (held, rest) in [("ye", "s"), ("year", "year 20")] {
        say(&mut stream, held).await;
        hear_nothing(&mut stream).await;
        say(&mut stream, rest).await;
        hear(&mut stream, &format!("{held}{rest}").replace("year 20", "year 19")).await;
    }
    say(&mut stream, "the ye").await;
    stream.shutdown().await.unwrap();
    hear(&mut stream, "the ye").await;
}

#[tokio::test]
async fn a_throttle_lets_pass_so_much_a_second() {
    let proxy = proxy().await;
    let mut stream = connect(&proxy).await;
    proxy.set(Mode::Throttle(20_000));
    let words = "x".repeat(20_000);
    let begun = Instant::now();
    say(&mut stream, &words).await;
    hear(&mut stream, &words).await;
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(900) && took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test]
async fn a_sender_is_held_up_before_memory_is() {
    let proxy = proxy().await;
    let mut stream = connect(&proxy).await;
    proxy.set(Mode::Blackhole);
    let piece = vec![0; 1 << 20];
    let flood = async {
        for _ in 0..64 {
            stream.write_all(&piece).await.unwrap();
        }
    };
    assert!(timeout(Duration::from_secs(2), flood).await.is_err(), "64 MiB went somewhere");
}

#[tokio::test]
async fn connections_break_off_and_are_refused_when_told() {
    let proxy = proxy().await;
    let mut stream = connect(&proxy).await;
    say(&mut stream, "one").await;
    hear(&mut stream, "one").await;
    proxy.set(Mode::Refuse);
    say(&mut stream, "two").await;
    hear(&mut stream, "two").await;
    let begun = Instant::now();
    while TcpStream::connect(proxy.address()).await.is_ok() {
        assert!(begun.elapsed() < LIMIT, "connections are still accepted");
    }
    proxy.reset_all();
    assert_eq!(break_off(&mut stream).await, 0);
    proxy.set(Mode::Pass);
    let begun = Instant::now();
    let mut stream = loop {
        match TcpStream::connect(proxy.address()).await {
            Ok(stream) => break stream,
            Err(error) => assert!(begun.elapsed() < LIMIT, "{error}"),
        }
    };
    say(&mut stream, "three").await;
    hear(&mut stream, "three").await;
    // After so many bytes of answers, once.
    proxy.cut_after(5);
    say(&mut stream, "0123456789").await;
    assert_eq!(break_off(&mut stream).await, 5);
    let mut stream = connect(&proxy).await;
    say(&mut stream, "0123456789").await;
    hear(&mut stream, "0123456789").await;
}

/// A stream with three copies.
async fn replicated(context: &jetstream::Context) {
    let config = stream::Config {
        name: "S".to_owned(),
        subjects: vec!["s".to_owned()],
        num_replicas: 3,
        ..Default::default()
    };
    context.create_stream(config).await.unwrap();
}

/// Publishes until it is acknowledged.
async fn publish(context: &jetstream::Context) -> u64 {
    let begun = Instant::now();
    loop {
        let acknowledgement = match context.publish("s", "word".into()).await {
            Ok(acknowledgement) => acknowledgement.await,
            Err(error) => Err(error),
        };
        match acknowledgement {
            Ok(acknowledged) => return acknowledged.sequence,
            Err(error) => assert!(begun.elapsed() < 3 * LIMIT, "{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_elects_and_outlives_a_member() {
    let Some(mut cluster) = NatsCluster::start() else { return };
    // A server that is held still is missed by the pings that it does not answer.
    let options = async_nats::ConnectOptions::new().ping_interval(Duration::from_secs(1));
    let client = options.connect(cluster.urls()).await.unwrap();
    let context = jetstream::new(client);
    replicated(&context).await;
    let first = cluster.stream_leader("S");
    assert_eq!(publish(&context).await, 1);
    cluster.wait_until_current("S");
    let begun = Instant::now();
    cluster.kill9(first);
    let second = cluster.stream_leader("S");
    assert_ne!(second, first);
    println!("another leader after {} ms", begun.elapsed().as_millis());
    let after = publish(&context).await;
    assert!(after >= 2, "{after}");
    cluster.restart(first);
    cluster.wait_until_ready();
    cluster.wait_until_current("S");
    // Held still, it is missed as well.
    cluster.pause(second);
    let third = cluster.stream_leader("S");
    assert_ne!(third, second);
    assert!(publish(&context).await > after);
    cluster.resume(second);
    cluster.wait_until_current("S");
    cluster.stop(third);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_cut_off_takes_nothing() {
    let Some(cluster) = NatsCluster::start_with_ways_between().await else { return };
    let urls = cluster.urls();
    let context = jetstream::new(async_nats::connect(urls.clone()).await.unwrap());
    replicated(&context).await;
    publish(&context).await;
    cluster.wait_until_current("S");
    let lonely = cluster.stream_leader("S");
    let there = jetstream::new(async_nats::connect(urls[lonely].clone()).await.unwrap());
    let others: Vec<_> =
        (0..3).filter(|index| *index != lonely).map(|index| urls[index].clone()).collect();
    let elsewhere = jetstream::new(async_nats::connect(others).await.unwrap());
    cluster.cut_off(lonely);
    let lost = there.publish("s", "lost".into()).await.unwrap();
    let refused = timeout(Duration::from_secs(3), lost.into_future()).await;
    assert!(!matches!(refused, Ok(Ok(_))), "{refused:?}");
    assert_eq!(publish(&elsewhere).await, 2);
    cluster.join_again(lonely);
    cluster.wait_until_ready();
    cluster.wait_until_current("S");
    assert!(publish(&there).await > 2);
}
