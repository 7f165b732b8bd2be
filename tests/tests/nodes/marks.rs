//! Servers that lose the end of the stream, and nodes that cannot tell by their copies.

use std::fs;
use std::path::Path;
use std::time::Duration;

use encours_tests::{
    Client, Heard, Load, Mode, NatsServer, Nodes, Proxy, ServerNats, Way, flip_bit, run,
};

use crate::support::{LIMIT, check_all, issue, jetstream, load, log_on, summary, until};

const MARKS: &str = "ENCOURS_MARKS";

/// The frame that the mark of the log names; 0 where there is none.
async fn marked(nats: &NatsServer) -> u64 {
    let context = jetstream(vec![nats.url()]).await;
    let Ok(bucket) = context.get_key_value(MARKS).await else { return 0 };
    let Some(value) = bucket.get("main").await.unwrap() else { return 0 };
    let text = String::from_utf8(value.to_vec()).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("frame "));
    line.expect("a frame").parse().unwrap()
}

async fn frames(nats: &NatsServer, log: &ServerNats) -> u64 {
    let context = jetstream(vec![nats.url()]).await;
    context.get_stream(log.stream()).await.unwrap().cached_info().state.last_sequence
}

/// Kills the server, flips a bit in the midst of the last frames, and starts it again: it drops what it
/// cannot read and what follows.
fn shorten(nats: &mut NatsServer, log: &ServerNats) {
    nats.kill9();
    let blocks = nats.message_files(&log.stream());
    let block = blocks.last().unwrap();
    let bits = fs::metadata(block).unwrap().len() * 8;
    flip_bit(block, bits - 8 * 700);
    nats.restart();
}

/// Writes for a while through one node.
async fn write(nodes: &Nodes, index: usize, stem: &str) -> Heard {
    let load = load(&[nodes.url(index)], stem);
    tokio::time::sleep(Duration::from_millis(400)).await;
    let heard = load.stop().await;
    println!("{stem}: {}", summary(&heard));
    assert!(!heard.acknowledged.is_empty());
    heard
}

/// Puts the log of this folder in the place of the streams.
async fn make_anew(nats: &NatsServer, log: &ServerNats, data: &Path) {
    let context = jetstream(vec![nats.url()]).await;
    context.delete_stream(log.stream()).await.unwrap();
    context.delete_stream("ENCOURS_KEYS_main").await.unwrap();
    let data = data.to_str().unwrap();
    let words = ["log", "copy", "--from", data, "--to-nats", &nats.url(), "--log-id", "main"];
    let _ = run(words.iter().chain(&["--nats-max-mib", "256"])).ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_copy_is_as_short_as_the_stream_does_not_lead() {
    let Some(mut nats) = NatsServer::start() else { return };
    let log = log_on(&nats);
    let mut nodes = Nodes::start(2, &log);
    assert_eq!(nodes.wait_for_leader().await, 0);
    Load::prepare(&nodes.url(0)).await;
    let mut heard = write(&nodes, 0, "both").await;
    until("it has all", async || {
        let [one, two] = [nodes.head(0).await, nodes.head(1).await];
        one.zip(two).is_some_and(|(one, two)| one.frame_number == two.frame_number)
    })
    .await;
    let stopped = nodes.stop(1);
    assert_eq!(stopped.ran.code, Some(0), "{}", stopped.ran);
    let short = frames(&nats, &log).await;
    heard.add(write(&nodes, 0, "alone").await);
    // A clean stop leaves the mark at the end.
    let stopped = nodes.stop(0);
    assert_eq!(stopped.ran.code, Some(0), "{}", stopped.ran);
    let whole = frames(&nats, &log).await;
    assert_eq!(marked(&nats).await, whole);
    shorten(&mut nats, &log);
    let left = frames(&nats, &log).await;
    println!("{short} frames in the shorter copy, {whole} acknowledged, {left} left");
    assert!(short <= left && left < whole, "{short} {left} {whole}");
    let ran = nodes.try_restart(1).unwrap_err().fails(5);
    assert!(ran.stderr.contains("stream_diverged"), "{ran}");
    assert!(ran.stderr.contains(&format!("the mark in bucket {MARKS}")), "{ran}");
    assert!(ran.stderr.contains(&format!("has frame {whole}")), "{ran}");
    assert_eq!(frames(&nats, &log).await, left, "nothing was written");
    // The shorter copy is no way out either.
    let folder = nodes.data(1);
    let words = ["log", "copy", "--from", folder.to_str().unwrap(), "--to-nats", &nats.url()];
    let ran = run(words.iter().chain(&["--nats-max-mib", "256"])).fails(3);
    assert!(ran.stderr.contains(&format!("has frame {whole}, the folder ends at")), "{ran}");
    // The longest copy is.
    make_anew(&nats, &log, &nodes.data(0)).await;
    for index in [1, 0] {
        nodes.restart(index);
    }
    nodes.wait_for_leader().await;
    check_all(&nodes, &mut heard).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_away_when_it_happened_does_not_lead() {
    let Some(mut nats) = NatsServer::start() else { return };
    let log = log_on(&nats);
    let proxy = Proxy::start(&nats.url()).await;
    let through = ServerNats { urls: vec![proxy.url("nats")], ..log.clone() };
    let mut nodes = Nodes::start_each(vec![log.clone(), through]);
    assert_eq!(nodes.wait_for_leader().await, 0);
    Load::prepare(&nodes.url(0)).await;
    let mut heard = write(&nodes, 0, "both").await;
    proxy.set(Mode::Drop(Way::Answers));
    heard.add(write(&nodes, 0, "alone").await);
    // While it leads, the mark follows by itself.
    let whole = frames(&nats, &log).await;
    let took = until("the mark is there", async || marked(&nats).await == whole).await;
    println!("the mark followed within {took:?}");
    nodes.kill9(0);
    shorten(&mut nats, &log);
    let left = frames(&nats, &log).await;
    assert!(left < whole);
    proxy.set(Mode::Pass);
    let ran = nodes.end(1).fails(5);
    assert!(ran.stderr.contains("stream_diverged"), "{ran}");
    assert!(ran.stderr.contains(&format!("the mark in bucket {MARKS}")), "{ran}");
    assert_eq!(frames(&nats, &log).await, left, "nothing was written");
    make_anew(&nats, &log, &nodes.data(0)).await;
    nodes.restart(0);
    nodes.restart(1);
    nodes.wait_for_leader().await;
    check_all(&nodes, &mut heard).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_behind_the_stream_holds_nobody_up() {
    let Some(nats) = NatsServer::start() else { return };
    let log = log_on(&nats);
    let mut nodes = Nodes::start(2, &log);
    assert_eq!(nodes.wait_for_leader().await, 0);
    Load::prepare(&nodes.url(0)).await;
    until("the mark is there", async || marked(&nats).await > 0).await;
    // Killed at once after it has written: the mark lags.
    let mut heard = Heard::default();
    let client = Client::connect(&nodes.url(0)).await;
    for n in 0..3 {
        issue(&client, &format!("last-{n}"), &mut heard).await.unwrap();
    }
    nodes.kill9(0);
    let begun = std::time::Instant::now();
    assert_eq!(nodes.wait_for_leader().await, 1);
    println!("another one led after {:?}", begun.elapsed());
    assert!(begun.elapsed() < LIMIT);
    nodes.restart(0);
    check_all(&nodes, &mut heard).await;
    let whole = frames(&nats, &log).await;
    until("it follows the new leader", async || marked(&nats).await >= whole).await;
}
