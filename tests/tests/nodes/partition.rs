//! What lies between a node and the servers: silent, slow, cut, late.

use std::time::Duration;

use encours_tests::{Client, Heard, Load, Mode, NatsServer, Nodes, Proxy, ServerNats, Way};

use crate::support::{check_all, issue, load, log_on, memory_mib, rounds, summary, until};

/// Memory that a node may have while nothing gets through.
const MEMORY_MIB: u64 = 400;
/// So long nothing gets through after another one leads: for longer than callers wait for an answer.
const CUT_OFF: Duration = Duration::from_secs(6);

/// Two nodes on a server; what the first one says goes through a proxy.
async fn behind_a_proxy(nats: &NatsServer) -> (Proxy, Nodes) {
    let proxy = Proxy::start(&nats.url()).await;
    let through = ServerNats { urls: vec![proxy.url("nats")], ..log_on(nats) };
    let nodes = Nodes::start_each(vec![through, log_on(nats)]);
    assert_eq!(nodes.wait_for_leader().await, 0);
    Load::prepare(&nodes.url(0)).await;
    (proxy, nodes)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_whose_acknowledgement_is_late_is_there_once() {
    let Some(nats) = NatsServer::start() else { return };
    let proxy = Proxy::start(&nats.url()).await;
    let through = ServerNats { urls: vec![proxy.url("nats")], ..log_on(&nats) };
    // Alone, so that nobody takes over meanwhile.
    let nodes = Nodes::start(1, &through);
    Load::prepare(&nodes.url(0)).await;
    let client = Client::connect(&nodes.url(0)).await;
    let mut heard = Heard::default();
    for round in 0..rounds(2) {
        // The servers hear and answer; the answers come once nobody waits for them any more.
        proxy.set(Mode::Hold(Way::Answers));
        let late = async {
            tokio::time::sleep(Duration::from_millis(2_600)).await;
            proxy.set(Mode::Pass);
        };
        let request_id = format!("late-{round}");
        let (told, ()) = tokio::join!(issue(&client, &request_id, &mut heard), late);
        told.unwrap();
        assert_eq!(nodes.wait_for_leader().await, 0);
        let load = load(&nodes.urls(), &format!("g{round}"));
        tokio::time::sleep(Duration::from_millis(300)).await;
        heard.add(load.stop().await);
    }
    check_all(&nodes, &mut heard).await;
    let ambiguous = nodes.server(0).metric("encours_append_ambiguous_total");
    println!("{ambiguous:?} frames of unknown outcome");
    assert!(ambiguous >= Some(rounds(2)), "{ambiguous:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_arrives_after_another_leader_took_over_is_refused() {
    let Some(nats) = NatsServer::start() else { return };
    let (proxy, nodes) = behind_a_proxy(&nats).await;
    let mut all = Heard::default();
    for round in 0..rounds(2) {
        // The one behind the proxy leads each time.
        let load = load(&nodes.urls(), &format!("l{round}"));
        tokio::time::sleep(Duration::from_millis(400)).await;
        // What it says lies on the wire for as long as it takes another one to lead, and then comes.
        proxy.set(Mode::Hold(Way::Requests));
        until("the other leads", async || nodes.leaders().await.contains(&1)).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        proxy.set(Mode::Pass);
        assert_eq!(nodes.wait_for_leader().await, 1);
        tokio::time::sleep(Duration::from_millis(300)).await;
        let heard = load.stop().await;
        println!("round {round}: {}", summary(&heard));
        all.add(heard);
        // Back to the one behind the proxy: the other one is held still until it leads.
        nodes.server(1).signal("STOP");
        until("the first leads again", async || {
            nodes.head(0).await.is_some_and(|head| head.leader_address.is_empty() && leads(&head))
        })
        .await;
        nodes.server(1).signal("CONT");
        assert_eq!(nodes.wait_for_leader().await, 0);
    }
    check_all(&nodes, &mut all).await;
}

fn leads(head: &encours_proto::v1::GetHeadResponse) -> bool {
    head.role() == encours_proto::v1::NodeRole::Leader
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_cut_off_is_replaced_and_stays_small() {
    let Some(nats) = NatsServer::start() else { return };
    let (proxy, nodes) = behind_a_proxy(&nats).await;
    let load = load(&nodes.urls(), "b");
    tokio::time::sleep(Duration::from_millis(500)).await;
    proxy.set(Mode::Blackhole);
    let took = until("the other leads", async || nodes.leaders().await.contains(&1)).await;
    println!("another led after {took:?}");
    tokio::time::sleep(CUT_OFF * u32::try_from(rounds(1)).unwrap()).await;
    let memory = memory_mib(nodes.server(0));
    proxy.set(Mode::Pass);
    assert_eq!(nodes.wait_for_leader().await, 1);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut heard = load.stop().await;
    println!("{memory} MiB; {}", summary(&heard));
    assert!(memory < MEMORY_MIB, "{memory} MiB");
    check_all(&nodes, &mut heard).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_way_slows_down_and_breaks_nothing() {
    let Some(nats) = NatsServer::start() else { return };
    let (proxy, nodes) = behind_a_proxy(&nats).await;
    let epoch = Client::connect(&nodes.url(1)).await.head().await.epoch;
    let load = load(&nodes.urls(), "s");
    for mode in [Mode::Delay(Duration::from_millis(150)), Mode::Throttle(200_000)] {
        proxy.set(mode);
        // For longer than a lease lasts that is not renewed.
        tokio::time::sleep(Duration::from_secs(4)).await;
    }
    proxy.set(Mode::Pass);
    let mut heard = load.stop().await;
    println!("{}", summary(&heard));
    assert!(heard.acknowledged.len() > 20, "it goes on, if slowly");
    assert_eq!(nodes.wait_for_leader().await, 0);
    assert_eq!(Client::connect(&nodes.url(1)).await.head().await.epoch, epoch);
    check_all(&nodes, &mut heard).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_break_again_and_again_lose_and_double_nothing() {
    let Some(nats) = NatsServer::start() else { return };
    let (proxy, nodes) = behind_a_proxy(&nats).await;
    let load = load(&nodes.urls(), "c");
    for round in 0..10 {
        match round % 3 {
            0 => proxy.reset_all(),
            1 => proxy.cut_after(500 + 300 * round),
            _ => {
                proxy.set(Mode::Drop(Way::Answers));
                tokio::time::sleep(Duration::from_millis(300)).await;
                proxy.set(Mode::Pass);
            }
        }
        tokio::time::sleep(Duration::from_millis(900)).await;
    }
    nodes.wait_for_leader().await;
    let mut heard = load.stop().await;
    println!("{}", summary(&heard));
    check_all(&nodes, &mut heard).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_that_is_cut_off_again_and_again_has_every_frame_once() {
    let Some(nats) = NatsServer::start() else { return };
    let proxy = Proxy::start(&nats.url()).await;
    let through = ServerNats { urls: vec![proxy.url("nats")], ..log_on(&nats) };
    let mut nodes = Nodes::start_each(vec![log_on(&nats), through]);
    assert_eq!(nodes.wait_for_leader().await, 0);
    Load::prepare(&nodes.url(0)).await;
    nodes.kill9(1);
    let load = load(&[nodes.url(0)], "f");
    tokio::time::sleep(Duration::from_secs(2)).await;
    // All of that is brought in over connections that break off in the midst of a frame.
    proxy.cut_after(20_000);
    nodes.restart(1);
    for round in 0..8_u64 {
        proxy.cut_after(1_000 + 7_001 * round);
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    proxy.cut_after(u64::MAX);
    let mut heard = load.stop().await;
    println!("{}", summary(&heard));
    assert_eq!(nodes.wait_for_leader().await, 0);
    check_all(&nodes, &mut heard).await;
}
