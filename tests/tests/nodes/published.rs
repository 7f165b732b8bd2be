//! Public events of several nodes: the one that leads publishes.

use std::time::Duration;

use async_nats::HeaderValue;
use async_nats::jetstream::stream::Stream;
use encours_tests::{Client, Heard, Load, NatsServer, Nodes, ServerNats};

use crate::support::{check_all, jetstream, load, log_on, newest, rounds, summary, until};

/// The public stream of the log `main`.
const STREAM: &str = "ENCOURS_EVENTS";

/// The position of the event that a message holds.
async fn position(stream: &Stream, sequence: u64) -> u64 {
    let message = stream.get_raw_message(sequence).await.unwrap();
    let position = message.headers.get("Encours-Position").map(HeaderValue::as_str);
    position.expect("a position").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_published_once_whoever_leads() {
    let Some(nats) = NatsServer::start() else { return };
    let log = log_on(&nats);
    let publishing =
        ServerNats { more: vec!["--publish-nats".to_owned(), nats.url()], ..log.clone() };
    let mut nodes = Nodes::start(2, &publishing);
    Load::prepare(&nodes.url(nodes.wait_for_leader().await)).await;
    let mut heard = Heard::default();
    for round in 0..rounds(2) {
        let leader = nodes.wait_for_leader().await;
        let load = load(&nodes.urls(), &format!("e{round}"));
        tokio::time::sleep(Duration::from_millis(600)).await;
        // In the midst of it: what was on its way to the stream may have arrived or not.
        nodes.kill9(leader);
        nodes.wait_for_leader().await;
        tokio::time::sleep(Duration::from_millis(400)).await;
        heard.add(load.stop().await);
        nodes.restart(leader);
    }
    println!("{}", summary(&heard));
    check_all(&nodes, &mut heard).await;
    let newest = newest(&heard);
    let stream = jetstream(vec![nats.url()]).await.get_stream(STREAM).await.unwrap();
    until("the newest event is published", async || {
        let last = stream.get_info().await.unwrap().state.last_sequence;
        last > 0 && position(&stream, last).await >= newest
    })
    .await;
    let state = stream.get_info().await.unwrap().state;
    assert_eq!(state.first_sequence, 1);
    for sequence in 1..=state.last_sequence {
        assert_eq!(position(&stream, sequence).await, sequence, "each once, in order");
    }
}

/// The size of the newest checkpoint in the bucket, once there is one.
async fn checkpoint(nats: &NatsServer, key: &str) -> Option<u64> {
    let store =
        jetstream(vec![nats.url()]).await.get_key_value("ENCOURS_CHECKPOINTS").await.ok()?;
    let note = store.get(key).await.unwrap()?;
    String::from_utf8(note.to_vec()).unwrap().lines().nth(1)?.parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_checkpoint_of_a_node_is_published_and_that_of_an_idle_log() {
    let Some(nats) = NatsServer::start() else { return };
    let seldom = vec!["--checkpoint-every".to_owned(), "3600".to_owned()];
    let log = ServerNats { more: seldom, ..log_on(&nats) };
    let mut nodes = Nodes::start(1, &log);
    nodes.wait_for_leader().await;
    Load::prepare(&nodes.url(0)).await;
    let head = Client::connect(&nodes.url(0)).await.head().await;
    let stopped = nodes.stop(0);
    assert_eq!(stopped.ran.code, Some(0), "{}", stopped.ran);
    assert!(checkpoint(&nats, &head.log_id).await.unwrap() >= head.position);
    // Nothing new is signed for an hour, but what there is is put where it is not.
    let context = jetstream(vec![nats.url()]).await;
    context.delete_stream("KV_ENCOURS_CHECKPOINTS").await.unwrap();
    nodes.restart(0);
    until("it is published", async || checkpoint(&nats, &head.log_id).await.is_some()).await;
}
