//! Three servers that replicate the log: killed, held still, without a majority.

use std::time::{Duration, Instant};

use encours_tests::{Client, Heard, Load, NatsCluster, Nodes, ServerNats};

use crate::support::{DEADLINE, LIMIT, check_all, issue, jetstream, load, rounds, summary, until};

/// From the death of the stream's leader until writes go on: an election of the servers takes 4 to
/// 9 seconds, and the nodes then need to find it.
const ELECTION_LIMIT: Duration = Duration::from_secs(45);

/// So long it is tried to write without a majority: a few times as long as one attempt takes.
const MINORITY: Duration = Duration::from_secs(10);
/// Longer than a lease lasts, or an acknowledgement and a look are waited for.
const A_WHILE: Duration = Duration::from_secs(5);

fn log_on(cluster: &NatsCluster) -> ServerNats {
    ServerNats { replicas: 3, ..ServerNats::new(cluster.urls(), "main") }
}

/// Three servers that are as far as each other, and two nodes, one of which leads.
async fn two_nodes() -> Option<(NatsCluster, ServerNats, Nodes)> {
    let cluster = NatsCluster::start()?;
    let log = log_on(&cluster);
    let nodes = Nodes::start(2, &log);
    let leader = nodes.wait_for_leader().await;
    Load::prepare(&nodes.url(leader)).await;
    cluster.wait_until_current(&log.stream());
    Some((cluster, log, nodes))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_leader_of_the_stream_is_killed_under_load() {
    let Some((mut cluster, log, nodes)) = two_nodes().await else { return };
    let mut all = Heard::default();
    for round in 0..rounds(2) {
        cluster.wait_until_ready();
        cluster.wait_until_current(&log.stream());
        let load = load(&nodes.urls(), &format!("r{round}"));
        tokio::time::sleep(Duration::from_millis(1_000)).await;
        let victim = cluster.stream_leader(&log.stream());
        let killed = load.elapsed();
        cluster.kill9(victim);
        let next = cluster.stream_leader(&log.stream());
        let elected = load.elapsed() - killed;
        assert_ne!(next, victim);
        nodes.wait_for_leader().await;
        tokio::time::sleep(Duration::from_millis(2_000)).await;
        cluster.restart(victim);
        tokio::time::sleep(Duration::from_millis(500)).await;
        let heard = load.stop().await;
        let silence = heard.longest_silence();
        println!("round {round}: n{victim} killed, n{next} after {elected:?}; {}", summary(&heard));
        assert!(silence < ELECTION_LIMIT, "{silence:?}");
        assert!(heard.first_after(killed + elected).is_some(), "it goes on before the next round");
        all.add(heard);
    }
    check_all(&nodes, &mut all).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_majority_nothing_is_acknowledged() {
    let Some((mut cluster, log, nodes)) = two_nodes().await else { return };
    let leader = nodes.wait_for_leader().await;
    let left = cluster.stream_leader(&log.stream());
    for index in (0..3).filter(|index| *index != left) {
        cluster.kill9(index);
    }
    let mut heard = Heard::default();
    let client = Client::lazy(&nodes.url(leader), DEADLINE);
    let begun = Instant::now();
    let mut attempts = 0;
    while begun.elapsed() < MINORITY * u32::try_from(rounds(1)).unwrap() {
        attempts += 1;
        let one = Instant::now();
        let told = issue(&client, &format!("minority-{attempts}"), &mut heard).await.unwrap_err();
        let took = one.elapsed();
        assert!(took < DEADLINE + Duration::from_secs(2), "{told:?} after {took:?}");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    println!("{attempts} attempts refused in {:?}", begun.elapsed());
    assert!(heard.acknowledged.is_empty());
    // Reads go on.
    assert!(!client.events_between(0, 0).await.is_empty());
    for index in (0..3).filter(|index| *index != left) {
        cluster.restart(index);
    }
    cluster.wait_until_ready();
    nodes.wait_for_leader().await;
    check_all(&nodes, &mut heard).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_held_still_is_done_without() {
    let Some((mut cluster, log, nodes)) = two_nodes().await else { return };
    let load = load(&nodes.urls(), "p");
    tokio::time::sleep(Duration::from_millis(500)).await;
    let victim = cluster.stream_leader(&log.stream());
    let paused = load.elapsed();
    cluster.pause(victim);
    let next = cluster.stream_leader(&log.stream());
    assert_ne!(next, victim);
    let elected = load.elapsed();
    let mut lead = None;
    let took = until("somebody leads", async || {
        lead = nodes.leaders().await.first().copied();
        lead.is_some()
    })
    .await;
    tokio::time::sleep(A_WHILE).await;
    cluster.resume(victim);
    cluster.wait_until_ready();
    cluster.wait_until_current(&log.stream());
    nodes.wait_for_leader().await;
    let mut heard = load.stop().await;
    println!("{:?} + {took:?} until it goes on; {}", elected - paused, summary(&heard));
    let before = heard.first_after(elected + Duration::from_millis(100));
    assert!(before.is_some(), "it goes on");
    check_all(&nodes, &mut heard).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_waits_for_a_server_that_is_on_its_way() {
    let Some(mut cluster) = NatsCluster::start_first(2) else { return };
    let log = log_on(&cluster);
    let starting = tokio::task::spawn_blocking(move || Nodes::start(1, &log));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!starting.is_finished(), "three copies need three servers");
    cluster.restart(2);
    let nodes = starting.await.unwrap();
    nodes.wait_for_leader().await;
    Load::prepare(&nodes.url(0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_that_is_cut_off_takes_counts_for_nothing() {
    let Some(cluster) = NatsCluster::start_with_ways_between().await else { return };
    let on = |servers: &[usize]| {
        let urls = servers.iter().map(|index| cluster.urls()[*index].clone()).collect();
        ServerNats { urls, ..log_on(&cluster) }
    };
    // The one that leads knows only the server that will be cut off, and the other one the others.
    let nodes = Nodes::start_each(vec![on(&[0]), on(&[1, 2])]);
    assert_eq!(nodes.wait_for_leader().await, 0);
    Load::prepare(&nodes.url(0)).await;
    let stream = log_on(&cluster).stream();
    cluster.wait_until_current(&stream);
    lead_by(&cluster, &stream, 0).await;
    let load = load(&nodes.urls(), "i");
    tokio::time::sleep(Duration::from_millis(700)).await;
    let cut = load.elapsed();
    cluster.cut_off(0);
    let took = until("the other node leads", async || nodes.leaders().await.contains(&1)).await;
    let mut heard = Heard::default();
    let client = Client::lazy(&nodes.url(1), DEADLINE);
    let mut tries = 0;
    until("a write goes through it", async || {
        tries += 1;
        issue(&client, &format!("there-{tries}"), &mut heard).await.is_ok()
    })
    .await;
    tokio::time::sleep(A_WHILE).await;
    let back = load.elapsed();
    cluster.join_again(0);
    assert_eq!(nodes.wait_for_leader().await, 1);
    cluster.wait_until_ready();
    cluster.wait_until_current(&stream);
    heard.add(load.stop().await);
    let first = heard.first_after(cut + took).expect("it goes on");
    println!("another node led after {took:?}; {}", summary(&heard));
    assert!(first < back, "it goes on without the one that was cut off");
    check_all(&nodes, &mut heard).await;
}

/// Has a server lead a stream.
async fn lead_by(cluster: &NatsCluster, stream: &str, index: usize) {
    let context = jetstream(cluster.urls()).await;
    let begun = Instant::now();
    while cluster.stream_leader(stream) != index {
        assert!(begun.elapsed() < LIMIT, "n{index} does not come to lead {stream}");
        let wish = format!("{{\"placement\": {{\"preferred\": \"n{index}\"}}}}");
        let subject = format!("$JS.API.STREAM.LEADER.STEPDOWN.{stream}");
        context.client().request(subject, wish.into()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
