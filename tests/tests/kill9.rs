//! `kill -9` at any moment, again and again: what was acknowledged is there, once, and the log is
//! intact.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use encours_proto::v1;
use encours_proto::v1::command::Command;
use encours_sim::Rng;
use encours_tests::{Client, Company, Server, data_folder, eur, run};
use tokio::task::JoinSet;

const ROUNDS: u64 = 20;
const CLIENTS: u64 = 4;
const LEDGER: &str = "acme";
/// Commands that the first client sends on one call; the others send one at a time.
const BATCH: u64 = 25;
/// Acknowledged commands of earlier rounds that are sent again in each round.
const SAMPLE: usize = 40;

/// A command that was sent: its request id says which one it is.
#[derive(Clone, Debug)]
struct Sent {
    request_id: String,
    command: Command,
}

/// What a client got before the server died: acknowledged commands, and those it had sent besides.
#[derive(Debug, Default)]
struct Heard {
    acknowledged: Vec<(Sent, u64)>,
    in_flight: Vec<Sent>,
}

fn seed() -> u64 {
    let given = std::env::var("ENCOURS_TEST_SEED").ok();
    given.map_or(20_261_121, |seed| seed.parse().expect("ENCOURS_TEST_SEED is a number"))
}

/// The n-th command of a client: mostly invoices and payments for them, sometimes a customer.
fn command(stem: &str, n: u64, rng: &mut Rng) -> Sent {
    let request_id = format!("{stem}-{n}");
    let (ledger_id, id) = (LEDGER.to_owned(), request_id.clone());
    let cents = format!("{}.{:02}", 1 + rng.below(900), rng.below(100));
    let customer_id = format!("c{}", rng.below(CLIENTS));
    let command = match (n % 3, rng.below(4)) {
        (0, 0) => Command::CreateCustomer(v1::CreateCustomerRequest {
            ledger_id,
            request_id: id.clone(),
            customer_id: id.clone(),
            name: format!("Customer {id}"),
            ..Default::default()
        }),
        (1, 0..3) => Command::RecordPayment(v1::RecordPaymentRequest {
            ledger_id,
            request_id: id.clone(),
            payment_id: id,
            customer_id,
            amount: eur(&cents),
            auto: true,
            ..Default::default()
        }),
        _ => Command::IssueInvoice(v1::IssueInvoiceRequest {
            ledger_id,
            request_id: id.clone(),
            invoice_id: id,
            customer_id,
            total: eur(&cents),
            ..Default::default()
        }),
    };
    Sent { request_id, command }
}

/// Sends a command on its own; its position, and whether it had been done before.
async fn send(client: &mut Client, sent: &Sent) -> Result<(u64, bool), tonic::Status> {
    match sent.command.clone() {
        Command::CreateCustomer(request) => {
            let answer = client.customers.create_customer(request).await?.into_inner();
            Ok((answer.position, answer.repeat))
        }
        Command::RecordPayment(request) => {
            let answer = client.payments.record_payment(request).await?.into_inner();
            Ok((answer.position, answer.repeat))
        }
        Command::IssueInvoice(request) => {
            let answer = client.invoices.issue_invoice(request).await?.into_inner();
            Ok((answer.position, answer.repeat))
        }
        other => unreachable!("{other:?} is not sent here"),
    }
}

/// Sends commands on one call; their positions, and whether they had been done before.
async fn send_batch(client: &mut Client, sent: &[Sent]) -> Result<Vec<(u64, bool)>, tonic::Status> {
    let wrap = |sent: &Sent| v1::Command { command: Some(sent.command.clone()) };
    let request = v1::ExecuteRequest { commands: sent.iter().map(wrap).collect() };
    let answer = client.batch.execute(request).await?.into_inner();
    let outcome = |result: v1::CommandResult| match result.result.unwrap() {
        v1::command_result::Result::Outcome(outcome) => (outcome.position, outcome.repeat),
        v1::command_result::Result::Error(error) => panic!("refused: {error:?}"),
    };
    Ok(answer.results.into_iter().map(outcome).collect())
}

/// One client, until the server is gone.
async fn stream(url: String, stem: String, mut rng: Rng, batch: u64) -> Heard {
    let mut client = Client::connect(&url).await;
    let mut heard = Heard::default();
    for first in (0..).step_by(usize::try_from(batch).unwrap()) {
        let sent: Vec<_> = (first..first + batch).map(|n| command(&stem, n, &mut rng)).collect();
        let done = match &sent[..] {
            [one] => send(&mut client, one).await.map(|done| vec![done]),
            many => send_batch(&mut client, many).await,
        };
        match done {
            Ok(done) => {
                for (sent, (position, repeat)) in sent.into_iter().zip(done) {
                    assert!(!repeat, "{sent:?} was never sent before");
                    heard.acknowledged.push((sent, position));
                }
            }
            Err(status) => {
                let gone = matches!(
                    status.code(),
                    tonic::Code::Unavailable | tonic::Code::Unknown | tonic::Code::Cancelled
                );
                assert!(gone, "{} was refused: {status:?}", sent[0].request_id);
                heard.in_flight = sent;
                break;
            }
        }
    }
    heard
}

/// Every acknowledged command has its events in the log: one run of positions that ends where the
/// acknowledgement said. Commands that were not acknowledged have one run or none.
fn check_events(events: &[v1::PublicEvent], acknowledged: &BTreeMap<String, u64>) {
    let mut runs: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for (event, position) in events.iter().zip(1..) {
        assert_eq!(event.position, position, "positions are dense");
        if event.request_id.is_empty() {
            continue;
        }
        let run = runs.entry(&event.request_id).or_insert((position, position - 1));
        assert_eq!(run.1 + 1, position, "{} is in the log twice", event.request_id);
        run.1 = position;
    }
    for (request_id, position) in acknowledged {
        let found = runs.get(request_id.as_str()).map(|run| run.1);
        assert_eq!(found, Some(*position), "{request_id} was acknowledged");
    }
}

fn verify(data: &Path) {
    let ran = run(["log", "verify", "--data", data.to_str().unwrap()]);
    assert_eq!(ran.code, Some(0), "{ran}");
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_kills_lose_nothing_that_was_acknowledged() {
    let seed = seed();
    println!(
        "seed {seed}; again: ENCOURS_TEST_SEED={seed} cargo test -p encours-tests --test kill9"
    );
    let mut rng = Rng::new(seed);
    let folder = data_folder();
    let mut all: BTreeMap<String, u64> = BTreeMap::new();
    let mut commands: Vec<Sent> = Vec::new();
    let (mut unsure, mut unsure_done, mut slowest) = (0, 0, Duration::ZERO);

    let mut server = Server::start(folder.path());
    let company = Company::create(Client::connect(&server.url()).await, LEDGER, "2024-01-01").await;
    for customer in 0..CLIENTS {
        company.customer(&format!("c{customer}"), "Regular").await;
    }
    for round in 0..ROUNDS {
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            let batch = if client == 0 { BATCH } else { 1 };
            let stem = format!("r{round}-{client}");
            clients.spawn(stream(server.url(), stem, rng.split(), batch));
        }
        tokio::time::sleep(Duration::from_millis(20 + rng.below(400))).await;
        server.kill9();
        let heard = clients.join_all().await;

        verify(folder.path());
        let begun = Instant::now();
        server = Server::start(folder.path());
        slowest = slowest.max(begun.elapsed());
        let mut client = Client::connect(&server.url()).await;
        for (sent, position) in heard.iter().flat_map(|heard| &heard.acknowledged) {
            let again = send(&mut client, sent).await.unwrap();
            assert_eq!(again, (*position, true), "round {round}: {sent:?}");
            all.insert(sent.request_id.clone(), *position);
            commands.push(sent.clone());
        }
        for sent in heard.iter().flat_map(|heard| &heard.in_flight) {
            let (position, repeat) = send(&mut client, sent).await.unwrap();
            unsure += 1;
            unsure_done += u64::from(repeat);
            all.insert(sent.request_id.clone(), position);
            commands.push(sent.clone());
        }
        for _ in 0..SAMPLE.min(commands.len()) {
            let sent = &commands[rng.index(commands.len())];
            let again = send(&mut client, sent).await.unwrap();
            assert_eq!(again, (all[&sent.request_id], true), "round {round}: {sent:?}");
        }
        let events = client.events_after(0).await;
        check_events(&events, &all);
    }
    let client = Client::connect(&server.url()).await;
    let head = client.head().await;
    assert_eq!(head.epoch, ROUNDS + 1, "one writer per start");
    let stopped = server.stop();
    assert_eq!(stopped.ran.code, Some(0), "{}", stopped.ran);
    verify(folder.path());
    println!(
        "{ROUNDS} kills, {} commands acknowledged, {unsure} in flight ({unsure_done} of them done), \
         {} events in {} frames, slowest start {} ms",
        all.len(),
        head.position,
        head.frame_number,
        slowest.as_millis()
    );
}
