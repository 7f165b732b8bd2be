//! A node whose clock is not that of the servers.

use encours_tests::{Heard, Load, Mode, NatsServer, Nodes, Proxy, ServerNats};

use crate::support::{check_all, issue, log_on, until};

/// What a server says of its time, and the same a hundred years before.
const YEARS: (&str, &str) = ("\"ts\":\"20", "\"ts\":\"19");

/// Longer than a lease lasts.
const A_WHILE: std::time::Duration = std::time::Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_a_wrong_clock_follows_and_does_not_lead() {
    let Some(nats) = NatsServer::start() else { return };
    let proxy = Proxy::start(&nats.url()).await;
    proxy.set(Mode::Replace(YEARS.0, YEARS.1));
    let through = ServerNats { urls: vec![proxy.url("nats")], ..log_on(&nats) };
    // The one whose clock seems wrong is there first, and nobody leads before the other one is.
    let mut nodes = Nodes::start_each(vec![through, log_on(&nats)]);
    assert_eq!(nodes.wait_for_leader().await, 1);
    Load::prepare(&nodes.url(1)).await;
    let mut heard = Heard::default();
    let client = encours_tests::Client::connect(&nodes.url(0)).await;
    issue(&client, "through-it", &mut heard).await.unwrap();
    check_all(&nodes, &mut heard).await;
    let _ = nodes.server(0).told("clock_skew").await;
    let said = nodes.server(0).said();
    let told: Vec<_> = said.lines().filter(|line| line.contains("clock_skew")).collect();
    assert_eq!(told.len(), 1, "it is told once: {told:?}");
    assert!(told[0].contains("ahead_ms=31"), "a hundred years: {}", told[0]);
    // Where it is alone, nobody leads, until its clock is right.
    nodes.kill9(1);
    tokio::time::sleep(A_WHILE).await;
    assert!(nodes.leaders().await.is_empty());
    proxy.set(Mode::Pass);
    until("it leads", async || nodes.leaders().await == [0]).await;
    nodes.restart(1);
    check_all(&nodes, &mut heard).await;
}
