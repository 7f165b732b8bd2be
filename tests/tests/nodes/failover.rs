//! Who leads: by death, by a clean stop, by a lease that two believe to have.

use std::time::{Duration, Instant};

use encours_proto::v1;
use encours_tests::{Client, Heard, Load, NatsServer, Nodes, Told};

use crate::support::{LIMIT, check_all, invoice, jetstream, load, log_on, rounds, summary, until};

/// A change of the leader takes less, on a machine that does other things besides; the goal is 5 s.
const CHANGE_LIMIT: Duration = Duration::from_secs(15);
/// How long a lease lasts that nobody renews.
const LEASE: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_leader_is_followed_by_another_and_nothing_is_lost() {
    let Some(nats) = NatsServer::start() else { return };
    let mut nodes = Nodes::start(3, &log_on(&nats));
    let mut leader = nodes.wait_for_leader().await;
    Load::prepare(&nodes.url(leader)).await;
    // All of it is checked at the end: request ids name their round.
    let mut all = Heard::default();
    for round in 0..rounds(3) {
        let load = load(&nodes.urls(), &format!("r{round}"));
        tokio::time::sleep(Duration::from_millis(700)).await;
        nodes.kill9(leader);
        let killed = load.elapsed();
        let next = nodes.wait_for_leader().await;
        assert_ne!(next, leader);
        tokio::time::sleep(Duration::from_millis(700)).await;
        nodes.restart(leader);
        leader = next;
        let heard = load.stop().await;
        let again = heard.first_after(killed + Duration::from_millis(50)).expect("it goes on");
        let took = heard.longest_silence();
        println!("round {round}: {}; first after {:?}", summary(&heard), again - killed);
        assert!(took < CHANGE_LIMIT, "{took:?}");
        all.add(heard);
    }
    check_all(&nodes, &mut all).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_stop_hands_over_at_once() {
    let Some(nats) = NatsServer::start() else { return };
    let mut nodes = Nodes::start(2, &log_on(&nats));
    assert_eq!(nodes.wait_for_leader().await, 0);
    Load::prepare(&nodes.url(0)).await;
    let load = load(&nodes.urls(), "s");
    tokio::time::sleep(Duration::from_millis(500)).await;
    let stopped = nodes.stop(0);
    assert_eq!(stopped.ran.code, Some(0), "{}", stopped.ran);
    let begun = Instant::now();
    assert_eq!(nodes.wait_for_leader().await, 1);
    let took = begun.elapsed();
    println!("stopped in {:?}, another led {took:?} later", stopped.took);
    // Without a word it would have had to wait for the lease to end.
    assert!(took < LEASE, "{took:?}");
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut heard = load.stop().await;
    println!("{}", summary(&heard));
    nodes.restart(0);
    check_all(&nodes, &mut heard).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_was_held_still_does_no_harm_when_it_goes_on() {
    let Some(nats) = NatsServer::start() else { return };
    let mut nodes = Nodes::start(2, &log_on(&nats));
    let zombie = nodes.wait_for_leader().await;
    Load::prepare(&nodes.url(zombie)).await;
    let mut all = Heard::default();
    for round in 0..rounds(2) {
        let zombie = nodes.wait_for_leader().await;
        let load = load(&nodes.urls(), &format!("z{round}"));
        tokio::time::sleep(Duration::from_millis(500)).await;
        nodes.pause(zombie);
        let begun = Instant::now();
        let next = nodes.wait_for_leader().await;
        assert_ne!(next, zombie);
        let took = begun.elapsed();
        assert!(took < CHANGE_LIMIT, "{took:?}");
        // Until after its lease.
        tokio::time::sleep(LEASE + Duration::from_secs(1)).await;
        nodes.resume(zombie);
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(nodes.wait_for_leader().await, next, "it follows from here on");
        let heard = load.stop().await;
        println!("round {round}: another led after {took:?}; {}", summary(&heard));
        all.add(heard);
    }
    check_all(&nodes, &mut all).await;
}

/// How often nodes met the frame of another one.
fn fenced(nodes: &Nodes) -> u64 {
    (0..3).filter_map(|node| nodes.server(node).metric("encours_fenced_total")).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_both_believe_to_lead_do_not_both_write() {
    let Some(nats) = NatsServer::start() else { return };
    let nodes = Nodes::start(3, &log_on(&nats));
    let leader = nodes.wait_for_leader().await;
    Load::prepare(&nodes.url(leader)).await;
    let load = load(&nodes.urls(), "t");
    // Whoever asks first has the lease, while the one before still believes to have it.
    let leases = jetstream(vec![nats.url()]).await.get_stream("KV_ENCOURS_LEASES").await.unwrap();
    let begun = Instant::now();
    let mut taken = 0;
    let least = 10 * rounds(1);
    while taken < least || fenced(&nodes) == 0 {
        assert!(begun.elapsed() < LIMIT * u32::try_from(rounds(1)).unwrap(), "none is fenced");
        leases.purge().await.unwrap();
        taken += 1;
        tokio::time::sleep(Duration::from_millis(331)).await;
    }
    nodes.wait_for_leader().await;
    let mut heard = load.stop().await;
    let fenced = fenced(&nodes);
    println!("lease taken away {taken} times, {fenced} fenced; {}", summary(&heard));
    check_all(&nodes, &mut heard).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_hands_writes_on_and_tells_the_same() {
    let Some(nats) = NatsServer::start() else { return };
    let nodes = Nodes::start(3, &log_on(&nats));
    let leader = nodes.wait_for_leader().await;
    Load::prepare(&nodes.url(leader)).await;
    let follower = (leader + 1) % 3;
    let [here, there] = [leader, follower].map(|index| nodes.url(index));
    let (leader, mut follower) = (Client::connect(&here).await, Client::connect(&there).await);
    let head = follower.head().await;
    assert_eq!(head.role(), v1::NodeRole::Follower);
    assert_eq!(head.leader_address, here);
    let done = follower.invoices.issue_invoice(invoice("one")).await.unwrap().into_inner();
    assert!(!done.repeat);
    // Read where it was written through, without asking for a position.
    let again = leader.clone().invoices.issue_invoice(invoice("one")).await.unwrap().into_inner();
    assert_eq!((again.position, again.repeat), (done.position, true));
    let ask = v1::GetInvoiceRequest {
        ledger_id: "acme".to_owned(),
        invoice: Some(v1::get_invoice_request::Invoice::InvoiceId("one".to_owned())),
        min_position: done.position,
        ..Default::default()
    };
    let read = follower.invoices.get_invoice(ask).await.unwrap().into_inner();
    assert_eq!(read.invoice, again.invoice);
    // What is refused is refused in the same words.
    let unknown = v1::IssueInvoiceRequest { customer_id: "nobody".to_owned(), ..invoice("two") };
    let told = [&leader, &follower].map(|client| {
        let (mut invoices, request) = (client.invoices.clone(), unknown.clone());
        async move { Told::from(&invoices.issue_invoice(request).await.unwrap_err()) }
    });
    let [first, second] = told;
    assert_eq!(first.await, second.await);
    // A call that was handed on once is not handed on again.
    let mut marked = tonic::Request::new(invoice("three"));
    marked.metadata_mut().insert("encours-forwarded", "1".parse().unwrap());
    let told = Told::from(&follower.invoices.issue_invoice(marked).await.unwrap_err());
    assert_eq!(told.reason, "NOT_LEADER");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_leads_for_as_long_as_one_could_still_write() {
    let Some(nats) = NatsServer::start() else { return };
    let mut nodes = Nodes::start(2, &log_on(&nats));
    let leader = nodes.wait_for_leader().await;
    let other = 1 - leader;
    Load::prepare(&nodes.url(leader)).await;
    nodes.pause(leader);
    // A write waits for the next leader, within its patience.
    let mut client = Client::connect(&nodes.url(other)).await;
    let begun = Instant::now();
    let mut done = client.invoices.issue_invoice(invoice("one")).await;
    while let Err(status) = &done {
        let told = Told::from(status);
        assert!(told.is_of_faults() && begun.elapsed() < CHANGE_LIMIT, "{told:?}");
        done = client.invoices.issue_invoice(invoice("one")).await;
    }
    println!("done after {:?}", begun.elapsed());
    assert_eq!(nodes.leaders().await, [other]);
    nodes.resume(leader);
    until("the old one follows", async || nodes.leaders().await == [other]).await;
}
