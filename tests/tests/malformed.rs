//! Bytes that are no messages, and messages that nobody would send, to every method: an answer each
//! time, no panic, and a log that is whole.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use encours_proto::{method_paths, v1};
use encours_sim::Rng;
use encours_tests::{Client, Company, Raw, Server, data_folder, date, eur, run};
use prost::Message as _;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Endpoint;
use tonic::{Code, Request};

const LEDGER: &str = "acme";
/// Payloads for each method.
const PAYLOADS: u64 = 60;
const SEED: u64 = 30;

/// Messages that are fine, to be damaged.
fn seeds() -> Vec<Vec<u8>> {
    let invoice = v1::IssueInvoiceRequest {
        ledger_id: LEDGER.to_owned(),
        customer_id: "ada".to_owned(),
        total: eur("10.00"),
        issue_date: date("2024-01-01"),
        lines: vec![v1::InvoiceLine { description: "Work".to_owned(), ..Default::default() }],
        ..Default::default()
    };
    let payment = v1::RecordPaymentRequest {
        ledger_id: LEDGER.to_owned(),
        customer_id: "ada".to_owned(),
        amount: eur("7.50"),
        auto: true,
        ..Default::default()
    };
    let customer = v1::CreateCustomerRequest {
        ledger_id: LEDGER.to_owned(),
        name: "Eve".to_owned(),
        contacts: vec![v1::Contact { name: "E".to_owned(), ..Default::default() }],
        ..Default::default()
    };
    let list = v1::ListInvoicesRequest {
        ledger_id: LEDGER.to_owned(),
        filter: Some(v1::InvoiceFilter { statuses: vec![1, 2], ..Default::default() }),
        page_size: 10,
        ..Default::default()
    };
    let command = v1::command::Command::IssueInvoice(invoice.clone());
    let command = v1::Command { command: Some(command) };
    let batch = v1::ExecuteRequest { commands: vec![command; 3] };
    vec![
        invoice.encode_to_vec(),
        payment.encode_to_vec(),
        customer.encode_to_vec(),
        list.encode_to_vec(),
        batch.encode_to_vec(),
    ]
}

/// Random bytes, or a message that is damaged in some places.
fn payload(seeds: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
    if rng.one_in(4) {
        let mut bytes = vec![0; rng.index(200)];
        rng.fill(&mut bytes);
        return bytes;
    }
    let mut bytes = seeds[rng.index(seeds.len())].clone();
    for _ in 0..rng.below(4) {
        let at = rng.index(bytes.len());
        match rng.below(4) {
            0 => bytes[at] ^= 1 << rng.below(8),
            1 => bytes[at] = u8::try_from(rng.below(256)).unwrap(),
            2 => bytes.truncate(at + 1),
            _ => {
                let piece = bytes[at..].to_vec();
                bytes.extend(piece);
            }
        }
    }
    bytes
}

/// Sends one payload and hears the answer, or the first messages of it.
async fn send(url: &str, path: &str, payloads: Vec<Vec<u8>>) -> BTreeMap<String, u32> {
    let channel = Endpoint::from_shared(url.to_owned()).unwrap().connect().await.unwrap();
    let mut codes = BTreeMap::new();
    for payload in payloads {
        let mut client = tonic::client::Grpc::new(channel.clone());
        client.ready().await.unwrap();
        let mut request = Request::new(tokio_stream::iter([payload]));
        request.set_timeout(Duration::from_millis(500));
        let path = PathAndQuery::try_from(path).unwrap();
        let answer = client.streaming(request, path, Raw).await;
        let code = match answer {
            Err(status) => status.code(),
            Ok(answer) => {
                let mut messages = answer.into_inner();
                // Streams that never end by themselves are left after a moment.
                let first = tokio::time::timeout(Duration::from_millis(50), messages.message());
                match first.await {
                    Ok(Err(status)) => status.code(),
                    _ => Code::Ok,
                }
            }
        };
        *codes.entry(format!("{code:?}")).or_insert(0) += 1;
    }
    codes
}

#[tokio::test(flavor = "multi_thread")]
async fn no_bytes_bring_the_server_down() {
    let mut rng = Rng::new(SEED);
    let folder = data_folder();
    let server = Server::start(folder.path());
    let company = Company::create(Client::connect(&server.url()).await, LEDGER, "2024-01-01").await;
    company.customer("ada", "Ada").await;
    let (seeds, methods) = (seeds(), method_paths());
    assert!(methods.len() > 30, "{methods:?}");
    let mut all: BTreeMap<String, u32> = BTreeMap::new();
    let mut internal = Vec::new();
    for path in &methods {
        let payloads = (0..PAYLOADS).map(|_| payload(&seeds, &mut rng)).collect();
        let codes = send(&server.url(), path, payloads).await;
        internal.extend(codes.get("Internal").map(|count| format!("{path}: {count}")));
        for (code, count) in codes {
            *all.entry(code).or_insert(0) += count;
        }
        assert!(!server.said().contains("panicked"), "{path} (seed {SEED}): {}", server.said());
    }
    println!("{} methods, {PAYLOADS} payloads each (seed {SEED}): {all:?}", methods.len());
    let _ = run(["log", "verify", "--server", &server.url()]).ok();
    assert_eq!(server.stop().ran.code, Some(0));
    // What was taken in is sound: every event can be read again after a start from the log alone.
    fs::remove_dir_all(folder.path().join("views")).unwrap();
    fs::remove_dir_all(folder.path().join("snapshots")).unwrap();
    let server = Server::start(folder.path());
    let events = Client::connect(&server.url()).await.events_after(0).await;
    println!("{} events came of it", events.len());
    assert!(internal.is_empty(), "malformed input is the caller's fault, not ours: {internal:?}");
}
