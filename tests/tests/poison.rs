//! An event that the read model cannot fold, in a log that is whole: the read model stops before it and
//! says so, nothing is skipped, and commands go on or stop as the operator has said.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

use std::path::Path;
use std::sync::Arc;

use encours_domain::event::{Allocated, Deallocated, Event};
use encours_domain::number::{InvoiceNo, LedgerNo, PaymentNo, Source};
use encours_domain::{Day, Position};
use encours_log::{
    CommandRecord, EventLog as _, EventRecord, FrameDraft, Journal, JournalOptions, OsDisk,
    SealWith,
};
use encours_proto::v1;
use encours_tests::{Client, Company, Server, Told, data_folder, eur, is_embedded, run};
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

const METRICS: [&str; 2] = ["--metrics", "127.0.0.1:0"];

/// A ledger with an invoice and a payment that is not allocated; the last position.
async fn prepare(data: &Path) -> u64 {
    let server = Server::start(data);
    let company = Company::create(Client::connect(&server.url()).await, "acme", "2024-01-01").await;
    company.customer("ada", "Ada").await;
    company.issue("i", "ada", "10.00", "2024-02-01").await;
    let payment = v1::RecordPaymentRequest {
        payment_id: "p".to_owned(),
        customer_id: "ada".to_owned(),
        amount: eur("10.00"),
        ..Default::default()
    };
    assert_eq!(company.pay(payment).await.unapplied, eur("10.00"));
    let position = company.position();
    let stopped = tokio::task::spawn_blocking(move || server.stop()).await.unwrap();
    assert_eq!(stopped.ran.code, Some(0), "{}", stopped.ran);
    position
}

/// Appends a frame that the writer would never write: money is taken off an invoice a month before it
/// was put on. Books and frame are right, so that nothing but the read model can mind; the position of
/// the second event.
fn poison(data: &Path) -> Position {
    let options = JournalOptions { background: false, ..JournalOptions::default() };
    let (mut journal, _) = Journal::open(Arc::new(OsDisk), &data.join("log"), options).unwrap();
    let tail = journal.tail();
    let (ledger, invoice, source) = (LedgerNo(0), InvoiceNo(0), Source::Payment(PaymentNo(0)));
    let today = Day::from_date("2024-01-01".parse().unwrap()).unwrap();
    let (amount, date) = (1_000, today.plus(30).unwrap());
    let on = Allocated { ledger, source, invoice, amount, date, open_after: 0, unapplied_after: 0 };
    let off = Deallocated {
        ledger,
        source,
        invoice,
        amount,
        date: today,
        open_after: amount,
        unapplied_after: amount,
    };
    let events: Vec<EventRecord> = [Event::from(on), Event::from(off)]
        .iter()
        .map(|event| {
            let encoded = encours_schema::encode(event).unwrap();
            let (kind, version) = (encoded.kind, encoded.version);
            EventRecord { kind, version, payload: encoded.payload }
        })
        .collect();
    let command = CommandRecord {
        request_id: String::new(),
        digest: [7; 32],
        actor: "forger".to_owned(),
        reason: String::new(),
        causation: Position(0),
        event_count: 2,
    };
    let mut draft = FrameDraft::new(tail.next_position);
    draft.push(&command, &events).unwrap();
    let frame = draft
        .seal(SealWith {
            log_id: journal.log_id(),
            epoch: tail.epoch,
            number: tail.number.next(),
            recorded_at: tail.recorded_at,
            previous: tail.hash,
        })
        .unwrap();
    journal.submit(frame);
    assert!(journal.settle().unwrap().1.is_committed());
    journal.close().unwrap();
    tail.next_position.next()
}

async fn health(server: &Server) -> ServingStatus {
    let channel = tonic::transport::Endpoint::from_shared(server.url()).unwrap();
    let mut client = HealthClient::new(channel.connect().await.unwrap());
    let answer = client.check(HealthCheckRequest::default()).await.unwrap();
    answer.into_inner().status()
}

/// What is visible of a read model that stopped before the event at `at`, and what queries answer.
async fn expect_stopped(server: &Server, client: &Client, at: Position, before: u64) {
    // The server takes calls before its read model has come to the event.
    let begun = std::time::Instant::now();
    while health(server).await != ServingStatus::NotServing
        || !server.said().contains("projection_stopped")
    {
        assert!(begun.elapsed().as_secs() < 20, "health and the log tell: {}", server.said());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let said = server.said();
    let line = said.lines().find(|line| line.contains("projection_stopped"));
    let line = line.unwrap_or_else(|| panic!("{said}"));
    assert!(line.contains("ERROR") && line.contains(&format!("position {at}:")), "{line}");
    assert_eq!(server.metric("encours_read_model_up"), Some(0));
    let position = server.metric("encours_read_model_position").unwrap();
    assert_eq!(position, before, "it stands before the frame of the event");
    assert!(server.metric("encours_read_model_lag_events").unwrap() >= 2);
    // What is asked for as of before is answered, with the position that it is of; nothing later is.
    let get = |min_position| v1::GetInvoiceRequest {
        ledger_id: "acme".to_owned(),
        invoice: Some(v1::get_invoice_request::Invoice::InvoiceId("i".to_owned())),
        min_position,
        ..Default::default()
    };
    let mut invoices = client.invoices.clone();
    let answer = invoices.get_invoice(get(before)).await.unwrap().into_inner();
    assert_eq!((answer.position, answer.invoice.unwrap().open), (before, eur("10.00")));
    let refused = Told::from(&invoices.get_invoice(get(at.0)).await.unwrap_err());
    let expected = (Code::Unavailable, "READ_MODEL_STOPPED");
    assert_eq!((refused.code, refused.reason.as_str()), expected, "{refused:?}");
}

fn customer(id: &str) -> v1::CreateCustomerRequest {
    v1::CreateCustomerRequest {
        ledger_id: "acme".to_owned(),
        customer_id: id.to_owned(),
        name: "One".to_owned(),
        ..Default::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poisoned_read_model_stops_and_commands_go_on_or_not() {
    if !is_embedded("the event is forged into a journal") {
        return;
    }
    let folder = data_folder();
    let before = prepare(folder.path()).await;
    let at = poison(folder.path());
    let _ = run(["log", "verify", "--data", folder.path().to_str().unwrap()]).ok();
    // A start begins with an event of its own: it lies behind the poison too.
    let server = Server::try_start_with(&[], folder.path(), &METRICS).unwrap();
    let client = Client::connect(&server.url()).await;
    let before = before.max(at.0 - 2);
    expect_stopped(&server, &client, at, before).await;
    let done = client.customers.clone().create_customer(customer("on")).await.unwrap();
    let done = done.into_inner().position;
    assert!(done > at.0);
    assert_eq!(server.metric("encours_read_model_position"), Some(before), "nothing is skipped");
    // One that is built anew holds the same, and meets the same event.
    let url = server.url();
    let rebuild = ["read-model", "rebuild", "--server", &url, "--output", "csv"].map(str::to_owned);
    let rebuilt = tokio::task::spawn_blocking(move || run(rebuild)).await.unwrap();
    assert_eq!(rebuilt.code, Some(4), "{rebuilt}");
    assert!(rebuilt.stdout.contains("\nEQUAL,"), "{rebuilt}");
    assert!(rebuilt.stderr.contains(&format!("stopped before position {at}:")), "{rebuilt}");
    expect_stopped(&server, &client, at, before).await;
    let stopped = tokio::task::spawn_blocking(move || server.stop()).await.unwrap();
    assert_eq!(stopped.ran.code, Some(0), "{}", stopped.ran);

    // Again, from the checkpoint that was left: the same; and now commands are to stop.
    let stop = ["--when-read-model-stops", "stop"];
    let more: Vec<&str> = METRICS.into_iter().chain(stop).collect();
    let server = Server::try_start_with(&[], folder.path(), &more).unwrap();
    let client = Client::connect(&server.url()).await;
    expect_stopped(&server, &client, at, before).await;
    let head = client.head().await.position;
    let told = client.customers.clone().create_customer(customer("off")).await.unwrap_err();
    let told = Told::from(&told);
    let expected = (Code::Unavailable, "READ_MODEL_STOPPED");
    assert_eq!((told.code, told.reason.as_str()), expected, "{told:?}");
    assert!(told.message.contains(&format!("position {at}")), "{told:?}");
    assert_eq!(client.head().await.position, head, "nothing was appended");
}
