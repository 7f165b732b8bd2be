//! Several logs that real nats-servers keep, on nodes of the real binary.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use async_nats::jetstream;
use encours_proto::v1;
use encours_tests::{
    Client, Company, NatsCluster, NatsServer, Server, ServerNats, data_folder, run,
};
use tokio_stream::StreamExt as _;

const LOGS: [&str; 4] = ["a", "b", "c", "d"];
/// The spread takes some seconds: more, on a machine that does other things besides.
const LIMIT: Duration = Duration::from_secs(45);

/// Two nodes with their folders; killed when dropped.
struct Pair {
    nats: NatsServer,
    folder: tempfile::TempDir,
    nodes: [Option<Server>; 2],
}

impl Pair {
    fn start(nats: NatsServer) -> Self {
        let mut pair = Self { nats, folder: data_folder(), nodes: [None, None] };
        pair.restart(0);
        pair.restart(1);
        pair
    }

    fn data(&self, index: usize) -> PathBuf {
        self.folder.path().join(format!("node{index}"))
    }

    fn restart(&mut self, index: usize) {
        let logs = ServerNats::new(vec![self.nats.url()], &LOGS.join(","));
        let url = self.nats.url();
        let more = ["--metrics", "127.0.0.1:0", "--publish-nats", &url];
        let started = Server::try_start_on_nats(&self.data(index), &logs, &more);
        self.nodes[index] = Some(started.unwrap_or_else(|ran| panic!("{ran}")));
    }

    fn node(&self, index: usize) -> &Server {
        self.nodes[index].as_ref().expect("the node runs")
    }

    async fn client(&self, index: usize) -> Client {
        Client::connect(&self.node(index).url()).await
    }

    /// How many logs each node leads that runs.
    fn led(&self) -> Vec<usize> {
        let leads = |node: &Server| {
            let leads = |log: &&&str| node.metric(&format!("encours_leader{{log=\"{log}\"}}"));
            LOGS.iter().filter(|log| leads(log) == Some(1)).count()
        };
        self.nodes.iter().flatten().map(leads).collect()
    }

    async fn wait_for(&self, led: &[usize]) -> Duration {
        let begun = Instant::now();
        loop {
            let now = self.led();
            if now == led {
                return begun.elapsed();
            }
            let said = || self.nodes.iter().flatten().map(Server::said).collect::<String>();
            assert!(begun.elapsed() < LIMIT, "they lead {now:?}, not {led:?}: {}", said());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Writes to a ledger through one node and reads it through another one.
async fn work(ledger: &str, write: &Client, read: &Client, round: usize) {
    let customer = v1::CreateCustomerRequest {
        ledger_id: ledger.to_owned(),
        customer_id: format!("customer-{round}"),
        name: "A customer".to_owned(),
        ..Default::default()
    };
    let mut tries = 0;
    let position = loop {
        match write.customers.clone().create_customer(customer.clone()).await {
            Ok(answer) => break answer.into_inner().position,
            // A batch that was under way when the leader changed is sent again: so is this.
            Err(status) if tries < 20 => {
                println!("{ledger}: {}", status.message());
                tries += 1;
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            Err(status) => panic!("{ledger}: {status:?}"),
        }
    };
    let get = v1::GetCustomerRequest {
        ledger_id: ledger.to_owned(),
        customer_id: customer.customer_id.clone(),
        min_position: position,
        ..Default::default()
    };
    let read = read.customers.clone().get_customer(get).await.expect("it is read");
    assert!(read.into_inner().position >= position);
}

async fn ledgers(client: &Client) -> BTreeMap<String, String> {
    let request = v1::ListLedgersRequest::default();
    let listed = client.ledgers.clone().list_ledgers(request).await.expect("ledgers are listed");
    let ledgers = listed.into_inner().ledgers.into_iter();
    ledgers.map(|ledger| (ledger.ledger_id, ledger.log)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn four_logs_are_spread_over_two_nodes_that_both_answer_for_all() {
    let Some(nats) = NatsServer::start() else { return };
    let mut pair = Pair::start(nats);
    let took = pair.wait_for(&[2, 2]).await;
    println!("two logs each {took:?} after both were up");
    let clients = [pair.client(0).await, pair.client(1).await];
    let mut homes = BTreeMap::new();
    for no in 0..8 {
        let id = format!("ledger-{no}");
        Company::create(clients[no % 2].clone(), &id, "2026-01-05").await;
        for (write, read) in [(0, 1), (1, 0)] {
            work(&id, &clients[write], &clients[read], write).await;
        }
        let request = v1::GetLedgerRequest { ledger_id: id.clone(), ..Default::default() };
        let found = clients[0].ledgers.clone().get_ledger(request).await.expect("it is there");
        homes.insert(id, found.into_inner().ledger.unwrap().log);
    }
    let used: std::collections::BTreeSet<_> = homes.values().map(String::as_str).collect();
    assert_eq!(used.into_iter().collect::<Vec<_>>(), LOGS, "each log has ledgers: {homes:?}");

    // kill -9: the other one leads all.
    pair.nodes[0].take().unwrap().kill9();
    let took = pair.wait_for(&[4]).await;
    println!("one node led all four {took:?} after the other was killed");
    let client = pair.client(1).await;
    for id in homes.keys() {
        work(id, &client, &client, 2).await;
    }
    assert_eq!(ledgers(&client).await, homes);

    // It comes back: two each, and all is well through both.
    pair.restart(0);
    let took = pair.wait_for(&[2, 2]).await;
    println!("two logs each again {took:?} after it was back");
    let clients = [pair.client(0).await, pair.client(1).await];
    for (no, id) in homes.keys().enumerate() {
        work(id, &clients[no % 2], &clients[1 - no % 2], 3).await;
    }
    // It stays so, for longer than a lease lasts.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(pair.led(), [2, 2]);
    for client in &clients {
        assert_eq!(ledgers(client).await, homes);
        for log in LOGS {
            verify(client, log).await;
        }
    }
    public_streams(&pair.nats, &homes).await;
    for index in [0, 1] {
        let stopped = pair.nodes[index].take().unwrap().stop();
        assert_eq!(stopped.ran.code, Some(0), "{}", stopped.ran);
    }
}

async fn verify(client: &Client, log: &str) {
    let request = v1::VerifyLogRequest { log: log.to_owned() };
    let steps = client.log.clone().verify_log(request).await;
    let mut steps = steps.expect("the log is verified").into_inner();
    while let Some(answer) = steps.message().await.expect("a step") {
        if let Some(v1::verify_log_response::Step::Result(result)) = answer.step {
            assert!(result.intact, "{log}: {result:?}");
            return;
        }
    }
    panic!("{log}: no result");
}

/// Each log has a public stream of its own, with the events of its ledgers.
async fn public_streams(nats: &NatsServer, homes: &BTreeMap<String, String>) {
    let context = jetstream::new(async_nats::connect(nats.url()).await.unwrap());
    for log in LOGS {
        let begun = Instant::now();
        loop {
            let stream = context.get_stream(format!("ENCOURS_EVENTS_{log}")).await.unwrap();
            let info = stream.info_with_subjects(">").await.unwrap();
            let subjects = info.collect::<Result<Vec<_>, _>>().await.unwrap();
            let has = |ledger: &str| {
                let part = format!(".{ledger}.");
                let of = subjects.iter().filter(|(subject, _)| subject.contains(&part));
                of.filter(|(subject, _)| subject.ends_with("customer.created"))
                    .map(|(_, count)| *count)
                    .sum::<usize>()
            };
            let all = homes.iter().all(|(ledger, home)| {
                let wanted = if home == log { 4 } else { 0 };
                has(ledger) == wanted
            });
            if all {
                break;
            }
            assert!(begun.elapsed() < LIMIT, "{log}: {subjects:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_names_a_log() {
    let Some(nats) = NatsServer::start() else { return };
    let folder = data_folder();
    let logs = ServerNats::new(vec![nats.url()], "north,south");
    let server = Server::start_on_nats(&folder.path().join("node"), &logs);
    let url = server.url();
    let says = |words: &[&str]| run([words, &["--server", &url]].concat());
    let created = ["ledger", "create", "--ledger", "acme", "--currency", "EUR", "--log", "south"];
    let ran = says(&created);
    assert_eq!(ran.code, Some(0), "{ran}");
    let ran =
        says(&["customer", "create", "--ledger", "acme", "--customer", "ada", "--name", "Ada"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    let ran = says(&["customer", "list", "--ledger", "acme", "--output", "csv"]);
    assert!(ran.stdout.contains("ada"), "{ran}");
    for (words, wanted) in [
        (&["ledger", "list", "--log", "south", "--output", "csv"][..], "acme"),
        (&["ledger", "list", "--output", "csv"], "acme"),
        (&["ledger", "show", "--ledger", "acme"], "south"),
        (&["events", "read", "--log", "south", "--output", "json"], "ledger.created"),
        (&["events", "read", "--ledger", "acme", "--output", "json"], "ledger.created"),
        (&["log", "verify", "--log", "north"], "OK"),
    ] {
        let ran = says(words);
        assert_eq!(ran.code, Some(0), "{words:?}: {ran}");
        assert!(ran.stdout.contains(wanted), "{words:?}: {ran}");
    }
    let ran = says(&["ledger", "list", "--log", "north", "--output", "csv"]);
    assert!(!ran.stdout.contains("acme"), "{ran}");
    for (words, wanted) in [
        (&["log", "stat"][..], "MISSING_LOG"),
        (&["log", "stat", "--log", "west"], "UNKNOWN_LOG"),
        (&["events", "read", "--log", "north", "--ledger", "acme"], "OTHER_LOG"),
    ] {
        let ran = says(words);
        assert_ne!(ran.code, Some(0), "{words:?}: {ran}");
        assert!(ran.stderr.contains(wanted), "{words:?}: {ran}");
    }
    let twice = ServerNats::new(vec![nats.url()], "north,north");
    let ran = Server::try_start_on_nats(Path::new("nowhere"), &twice, &[]).unwrap_err();
    assert!(ran.stderr.contains("names north twice"), "{ran}");
    let more = ["--publish-nats", &nats.url(), "--publish-stream", "ONE"];
    let ran = Server::try_start_on_nats(&folder.path().join("more"), &logs, &more).unwrap_err();
    assert!(ran.stderr.contains("--publish-stream is about one log"), "{ran}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_stays_claimed_when_the_server_that_keeps_the_claims_dies() {
    let Some(mut cluster) = NatsCluster::start() else { return };
    let logs = ServerNats { replicas: 3, ..ServerNats::new(cluster.urls(), "a,b") };
    let folder = data_folder();
    let server = Server::start_on_nats(&folder.path().join("node"), &logs);
    let client = Client::connect(&server.url()).await;
    let create = async |id: &str, log: &str| {
        let request = v1::CreateLedgerRequest {
            ledger_id: id.to_owned(),
            currency_code: "EUR".to_owned(),
            time_zone: "Europe/Paris".to_owned(),
            log: log.to_owned(),
            ..Default::default()
        };
        client.ledgers.clone().create_ledger(request).await
    };
    create("first", "a").await.expect("it is created");
    cluster.wait_until_current("KV_ENCOURS_LEDGERS");
    cluster.kill9(cluster.stream_leader("KV_ENCOURS_LEDGERS"));
    let begun = Instant::now();
    while let Err(status) = create("second", "b").await {
        assert!(begun.elapsed() < LIMIT, "{status:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    println!("a ledger was created {:?} after the death of a server", begun.elapsed());
    for (id, away) in [("first", "b"), ("second", "a")] {
        let refused = create(id, away).await.expect_err("it is elsewhere");
        assert!(refused.message().contains("is in log"), "{refused:?}");
    }
    assert_eq!(ledgers(&client).await.len(), 2);
}
