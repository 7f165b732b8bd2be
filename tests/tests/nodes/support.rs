//! What the tests of several nodes share.

use std::time::{Duration, Instant};

use async_nats::jetstream;
use encours_proto::v1;
use encours_proto::v1::command::Command;
use encours_tests::{
    Client, Heard, LOAD_LEDGER, Load, LoadOptions, NatsServer, Nodes, Sent, Server, ServerNats,
    Told, check, eur, send, verify,
};

/// How long anything may take to come about.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);
/// How long a client that is in a hurry waits for an answer.
pub(crate) const DEADLINE: Duration = Duration::from_secs(5);

/// How often what is random is tried: `ENCOURS_ROUNDS`, or so often where it is not set.
pub(crate) fn rounds(usual: u64) -> u64 {
    let given = std::env::var("ENCOURS_ROUNDS").ok();
    given.map_or(usual, |rounds| rounds.parse().expect("ENCOURS_ROUNDS is a number"))
}

/// The log that the nodes of a test share, on one server.
pub(crate) fn log_on(nats: &NatsServer) -> ServerNats {
    ServerNats::new(vec![nats.url()], "main")
}

/// JetStream at these URLs, with all rights.
pub(crate) async fn jetstream(urls: Vec<String>) -> jetstream::Context {
    jetstream::new(async_nats::connect(urls).await.expect("nats-server answers"))
}

/// Clients that write through these nodes.
pub(crate) fn load(urls: &[String], stem: &str) -> Load {
    Load::start(urls, &LoadOptions::new(stem, 7))
}

/// Waits until this is so.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < LIMIT, "{what}: not within {LIMIT:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    begun.elapsed()
}

/// How often nodes that do not hold the same are looked at.
const LOOKS: u32 = 5;

/// Checks every node against what clients were told, and that all hold the same facts.
pub(crate) async fn check_all(nodes: &Nodes, heard: &mut Heard) {
    for url in nodes.urls() {
        check(heard, &url).await;
    }
    let newest = newest(heard);
    let mut digests = Vec::new();
    // WHY again: a node that takes over just now appends an event of its own between two looks.
    for _ in 0..LOOKS {
        digests.clear();
        for url in nodes.urls() {
            let client = Client::connect(&url).await;
            until("the node is as far", async || client.head().await.read_position >= newest).await;
            let result = verify(&client).await;
            digests.push((result.events, result.digest_position, result.digest));
        }
        digests.dedup();
        if digests.len() == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("nodes hold the same: {digests:?}");
}

/// The position of the newest command that was acknowledged.
pub(crate) fn newest(heard: &Heard) -> u64 {
    heard.acknowledged.iter().map(|(_, position)| *position).max().unwrap_or_default()
}

/// What came out of a load, in a line.
pub(crate) fn summary(heard: &Heard) -> String {
    format!(
        "{} acknowledged, {} unknown, longest silence {} ms, {:?}",
        heard.acknowledged.len(),
        heard.unknown.len(),
        heard.longest_silence().as_millis(),
        heard.failures
    )
}

/// Issues an invoice by this request id, and notes what was told.
pub(crate) async fn issue(
    client: &Client,
    request_id: &str,
    heard: &mut Heard,
) -> Result<(), Box<Told>> {
    let command = Command::IssueInvoice(invoice(request_id));
    let sent = Sent { request_id: request_id.to_owned(), command };
    match send(client, &sent).await {
        Ok((position, _)) => {
            heard.acknowledged.push((sent, position));
            Ok(())
        }
        Err(told) => {
            assert!(told.is_of_faults(), "{told:?}");
            heard.unknown.push(sent);
            Err(told)
        }
    }
}

/// A command: an invoice of the load's ledger.
pub(crate) fn invoice(request_id: &str) -> v1::IssueInvoiceRequest {
    v1::IssueInvoiceRequest {
        ledger_id: LOAD_LEDGER.to_owned(),
        request_id: request_id.to_owned(),
        invoice_id: request_id.to_owned(),
        customer_id: "c0".to_owned(),
        total: eur("10.00"),
        ..Default::default()
    }
}

/// Memory that a process has, in MiB.
pub(crate) fn memory_mib(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a figure");
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib / 1024
}
