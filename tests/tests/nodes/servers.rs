//! The server that keeps the log: missing, killed, not letting in, full.

use std::time::{Duration, Instant};

use encours_tests::{Client, Heard, Load, NatsServer, Nodes, Server, ServerNats, data_folder, run};

use crate::support::{
    DEADLINE, check_all, issue, jetstream, load, log_on, newest, rounds, summary, until,
};

/// How long a node may take to say that it cannot start.
const REFUSAL_LIMIT: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_a_node_says_so_and_ends() {
    let Some(nats) = NatsServer::prepare("") else { return };
    let folder = data_folder();
    let begun = Instant::now();
    let ran = Server::try_start_on_nats(folder.path(), &log_on(&nats), &[]).unwrap_err().fails(4);
    assert!(begun.elapsed() < REFUSAL_LIMIT, "{:?}", begun.elapsed());
    assert!(ran.stderr.contains(&nats.address()), "it names the server: {ran}");
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_have_no_room_for_a_log_are_told() {
    let room = "sync_interval: always, max_file_store: 1MB";
    let Some(mut nats) = NatsServer::prepare_with(room, "") else { return };
    nats.restart();
    let folder = data_folder();
    let ran = Server::try_start_on_nats(folder.path(), &log_on(&nats), &[]).unwrap_err().fails(4);
    assert!(ran.stderr.contains("log_no_room: making stream"), "{ran}");
    assert!(ran.stderr.contains("max_file_store"), "it says what to do: {ran}");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_are_wrong_are_told_without_a_secret() {
    let users = "authorization { user: encours, password: right-one }";
    let Some(mut nats) = NatsServer::prepare(users) else { return };
    nats.restart();
    let folder = data_folder();
    let with = |password: &str| {
        let url = nats.url().replace("nats://", &format!("nats://encours:{password}@"));
        ServerNats::new(vec![url], "main")
    };
    let ran = Server::try_start_on_nats(folder.path(), &with("wrong-one"), &[]).unwrap_err();
    let ran = ran.fails(1);
    assert!(ran.stderr.to_lowercase().contains("authorization"), "{ran}");
    assert!(!ran.stderr.contains("wrong-one"), "{ran}");
    let server = Server::start_on_nats(folder.path(), &with("right-one"));
    assert!(!server.said().contains("right-one"), "{}", server.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_or_a_number_that_makes_no_sense_is_refused() {
    let folder = data_folder();
    let data = folder.path().display().to_string();
    let serve = ["serve", "--listen", "127.0.0.1:0", "--data", &data];
    for wrong in [
        &["--nats", "nats://127.0.0.1:1", "--log-id", "Not A Name"][..],
        &["--nats", "nats://127.0.0.1:1", "--replicas", "0"],
        &["--nats", "nats://127.0.0.1:1", "--nats-max-mib", "0"],
        &["--nats", "what is this"],
        &["--nats-credentials", "/nowhere"],
    ] {
        let _ = run(serve.iter().chain(wrong)).fails(2);
    }
    assert!(std::fs::read_dir(&folder).unwrap().next().is_none(), "nothing was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_and_comes_back_has_lost_nothing() {
    let Some(mut nats) = NatsServer::start() else { return };
    let nodes = Nodes::start(2, &log_on(&nats));
    let leader = nodes.wait_for_leader().await;
    Load::prepare(&nodes.url(leader)).await;
    let mut all = Heard::default();
    for round in 0..rounds(3) {
        let load = load(&nodes.urls(), &format!("k{round}"));
        tokio::time::sleep(Duration::from_millis(600)).await;
        nats.kill9();
        tokio::time::sleep(Duration::from_millis(1_000 + 2_000 * (round % 3))).await;
        // Reads go on, from what every node has.
        for url in nodes.urls() {
            assert!(!Client::connect(&url).await.events_between(0, 0).await.is_empty());
        }
        nats.restart();
        let back = load.elapsed();
        nodes.wait_for_leader().await;
        tokio::time::sleep(Duration::from_millis(600)).await;
        let heard = load.stop().await;
        let after = heard.first_after(back).map(|first| first - back);
        println!("round {round}: written again after {after:?}; {}", summary(&heard));
        all.add(heard);
    }
    check_all(&nodes, &mut all).await;
    let connected = nodes.server(leader).metric("encours_nats_connected");
    assert_eq!(connected, Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_server_writes_are_refused_and_reads_go_on() {
    let Some(mut nats) = NatsServer::start() else { return };
    let mut nodes = Nodes::start(2, &log_on(&nats));
    let leader = nodes.wait_for_leader().await;
    Load::prepare(&nodes.url(leader)).await;
    let mut heard = Heard::default();
    issue(&Client::connect(&nodes.url(leader)).await, "before", &mut heard).await.unwrap();
    nats.stop();
    for index in [leader, 1 - leader] {
        let client = Client::lazy(&nodes.url(index), DEADLINE);
        let begun = Instant::now();
        let told = issue(&client, &format!("during-{index}"), &mut heard).await.unwrap_err();
        let took = begun.elapsed();
        println!("node {index}: {:?} {} after {took:?}", told.code, told.reason);
        assert!(took < DEADLINE + Duration::from_secs(2), "{took:?}");
        let read = client.events_between(0, newest(&heard)).await;
        assert!(read.iter().any(|event| event.request_id == "before"));
    }
    until("the metrics say so", async || {
        nodes.server(leader).metric("encours_nats_connected") == Some(0)
    })
    .await;
    // Nor does that hold up an end.
    let stopped = nodes.stop(leader);
    assert_eq!(stopped.ran.code, Some(0), "{}", stopped.ran);
    nats.restart();
    nodes.restart(leader);
    nodes.wait_for_leader().await;
    check_all(&nodes, &mut heard).await;
    assert_eq!(heard.acknowledged.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_stream_takes_reads_and_goes_on_once_there_is_room() {
    let Some(nats) = NatsServer::start() else { return };
    let small = ServerNats { max_mib: 2, ..log_on(&nats) };
    let mut nodes = Nodes::start(2, &small);
    let leader = nodes.wait_for_leader().await;
    Load::prepare(&nodes.url(leader)).await;
    let load = load(&nodes.urls(), "f");
    let client = Client::connect(&nodes.url(leader)).await;
    let mut heard = Heard::default();
    let (mut sent, mut full) = (0, None);
    until("it is full", async || {
        sent += 1;
        full = issue(&client, &format!("full-{sent}"), &mut heard).await.err();
        full.is_some()
    })
    .await;
    heard.add(load.stop().await);
    let full = full.unwrap();
    println!("{full:?}; {}", summary(&heard));
    assert_eq!(full.code, tonic::Code::ResourceExhausted, "{full:?}");
    let before = client.head().await;
    assert!(!client.events_between(0, before.position).await.is_empty());
    assert_eq!(nodes.wait_for_leader().await, leader, "it leads all the same");
    // Another node starts all the same.
    nodes.kill9(1 - leader);
    nodes.restart(1 - leader);
    let context = jetstream(vec![nats.url()]).await;
    let mut config = context.get_stream(small.stream()).await.unwrap().cached_info().config.clone();
    config.max_bytes *= 8;
    context.update_stream(config).await.unwrap();
    let mut room = 0;
    until("there is room again", async || {
        room += 1;
        issue(&client, &format!("room-{room}"), &mut heard).await.is_ok()
    })
    .await;
    assert_eq!(client.head().await.epoch, before.epoch, "without another start");
    check_all(&nodes, &mut heard).await;
}
