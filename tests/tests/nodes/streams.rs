//! Streams that are not as the nodes left them.

use std::fs;

use async_nats::jetstream::stream::Config;
use encours_tests::{
    Client, Heard, Load, NatsServer, Nodes, Ran, Server, ServerNats, data_folder, flip_bit,
};

use crate::support::{check_all, issue, jetstream, load, log_on, summary, until};

/// A server, a node on it that has written something, and what the stream's settings are.
async fn written(nats: &NatsServer) -> (Nodes, Heard, ServerNats) {
    let log = log_on(nats);
    let nodes = Nodes::start(1, &log);
    Load::prepare(&nodes.url(0)).await;
    let load = load(&nodes.urls(), "w");
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let heard = load.stop().await;
    println!("{}", summary(&heard));
    (nodes, heard, log)
}

async fn config_of(nats: &NatsServer, stream: &str) -> Config {
    let context = jetstream(vec![nats.url()]).await;
    context.get_stream(stream).await.unwrap().cached_info().config.clone()
}

async fn update(nats: &NatsServer, config: Config) {
    jetstream(vec![nats.url()]).await.update_stream(config).await.unwrap();
}

/// Has a node find out what is wrong: it stops by itself, at its next write at the latest.
async fn found_out(nodes: &mut Nodes, heard: &mut Heard) -> Ran {
    let client = Client::connect(&nodes.url(0)).await;
    let begun = std::time::Instant::now();
    // Whether this is done or not, nothing is acknowledged that is not there.
    let _ = issue(&client, "late", heard).await;
    let ran = nodes.end(0);
    println!("it ended after {:?}", begun.elapsed());
    ran
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bit_that_flips_in_the_servers_store_is_found() {
    let Some(mut nats) = NatsServer::start() else { return };
    let (mut nodes, mut heard, log) = written(&nats).await;
    let frames = Client::connect(&nodes.url(0)).await.head().await.frame_number;
    for round in 0..2 {
        nats.kill9();
        let intact: Vec<_> = nats.message_files(&log.stream());
        let block = intact.last().unwrap().clone();
        let before = fs::read(&block).unwrap();
        // In the midst of the last frames: the server drops what it cannot read, and what follows.
        let bit = before.len() as u64 * 8 - 8 * 700;
        flip_bit(&block, bit);
        nats.restart();
        let ran = match round {
            // Found by the node that runs.
            0 => found_out(&mut nodes, &mut heard).await,
            // Found by one that starts.
            _ => nodes.try_restart(0).unwrap_err(),
        };
        let ran = ran.fails(5);
        assert!(ran.stderr.contains("stream_diverged"), "{ran}");
        assert!(ran.stderr.contains(&log.stream()), "{ran}");
        // A node that has no copy cannot know; the one that has is believed, and keeps it.
        nats.kill9();
        fs::write(&block, before).unwrap();
        let index = block.with_file_name("index.db");
        if index.exists() {
            fs::remove_file(index).unwrap();
        }
        nats.restart();
    }
    nodes.restart(0);
    assert!(Client::connect(&nodes.url(0)).await.head().await.frame_number > frames);
    check_all(&nodes, &mut heard).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_drift_stop_a_node_and_refuse_a_start() {
    let Some(nats) = NatsServer::start() else { return };
    let (mut nodes, mut heard, log) = written(&nats).await;
    let right = config_of(&nats, &log.stream()).await;
    // A larger limit and a description are nobody's harm.
    let harmless = Config {
        max_bytes: right.max_bytes * 2,
        description: Some("ours".to_owned()),
        ..right.clone()
    };
    update(&nats, harmless.clone()).await;
    issue(&Client::connect(&nodes.url(0)).await, "harmless", &mut heard).await.unwrap();
    let wrong = Config { max_messages: 1_000_000, ..harmless.clone() };
    update(&nats, wrong).await;
    let ran = found_out(&mut nodes, &mut heard).await.fails(5);
    assert!(ran.stderr.contains("stream_config"), "{ran}");
    assert!(ran.stderr.contains("max_msgs"), "it names the setting: {ran}");
    let ran = nodes.try_restart(0).unwrap_err().fails(5);
    assert!(ran.stderr.contains("max_msgs"), "it names the setting: {ran}");
    update(&nats, harmless).await;
    nodes.restart(0);
    check_all(&nodes, &mut heard).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_deleted_is_not_made_again() {
    let Some(nats) = NatsServer::start() else { return };
    let (mut nodes, mut heard, log) = written(&nats).await;
    let context = jetstream(vec![nats.url()]).await;
    context.delete_stream(log.stream()).await.unwrap();
    let ran = found_out(&mut nodes, &mut heard).await.fails(5);
    assert!(ran.stderr.contains("stream_config"), "{ran}");
    let ran = nodes.try_restart(0).unwrap_err().fails(5);
    assert!(ran.stderr.contains(&log.stream()), "{ran}");
    // Nor is it where somebody made it anew: it is another log, or a shorter one.
    let fresh = data_folder();
    drop(Server::try_start_on_nats(fresh.path(), &log, &[]));
    let ran = nodes.try_restart(0).unwrap_err().fails(5);
    println!("{}", ran.stderr.lines().find(|line| line.starts_with("error")).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_are_no_frames_stop_every_node() {
    let Some(nats) = NatsServer::start() else { return };
    let mut nodes = Nodes::start(2, &log_on(&nats));
    let leader = nodes.wait_for_leader().await;
    Load::prepare(&nodes.url(leader)).await;
    let context = jetstream(vec![nats.url()]).await;
    context.publish("encours.log.main", "hello".into()).await.unwrap().await.unwrap();
    // The one that follows takes it in, the one that leads meets it at its next write.
    let client = Client::connect(&nodes.url(leader)).await;
    let mut heard = Heard::default();
    let told = issue(&client, "after", &mut heard).await.unwrap_err();
    println!("{:?} {}", told.code, told.reason);
    for index in [1 - leader, leader] {
        let ran = nodes.end(index).fails(5);
        println!("{}", ran.stderr.lines().find(|line| line.starts_with("error")).unwrap());
    }
    let _ = nodes.try_restart(leader).unwrap_err().fails(5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_is_sent_again_is_taken_once() {
    let Some(nats) = NatsServer::start() else { return };
    let (nodes, mut heard, log) = written(&nats).await;
    let context = jetstream(vec![nats.url()]).await;
    let stream = context.get_stream(log.stream()).await.unwrap();
    let frames = Client::connect(&nodes.url(0)).await.head().await.frame_number;
    // As a client does that was cut off: the same bytes with the same headers, long after.
    for number in [1, 2, frames / 2, frames - 1, frames] {
        let message = stream.get_raw_message(number).await.unwrap();
        let again = context
            .publish_with_headers("encours.log.main", message.headers, message.payload)
            .await
            .unwrap()
            .await;
        if let Ok(acknowledged) = again {
            assert!(acknowledged.duplicate, "{acknowledged:?}");
        }
    }
    issue(&Client::connect(&nodes.url(0)).await, "after", &mut heard).await.unwrap();
    until("every frame is numbered as it was", async || {
        stream.get_info().await.unwrap().state.last_sequence == frames + 1
    })
    .await;
    check_all(&nodes, &mut heard).await;
}
