//! Callers that mean harm, or that hang, against the real binary: memory and processor time stay
//! bounded, they are left or told why, and a normal client beside them is served.
//!
//! `ENCOURS_HOSTILE=long` (`just hostile`) does more of everything, and waits for the limits of time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

mod bodies;
mod cancelled;
mod floods;
mod raw;
mod shares;
mod slow;
mod watch;

use std::fs;
use std::path::Path;
use std::time::Duration;

use encours_proto::v1;
use encours_tests::{Client, Company, Server};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tonic::Status;
use tonic_types::StatusExt as _;

const LEDGER: &str = "acme";
/// How long anything may take that is waited for.
const SOON: Duration = Duration::from_secs(120);

/// Whether to do more of everything.
fn is_long() -> bool {
    std::env::var("ENCOURS_HOSTILE").is_ok_and(|how| how == "long")
}

/// How often to do something: in the normal run, and in the long one.
fn times(normal: usize, long: usize) -> usize {
    if is_long() { long } else { normal }
}

/// Has a server tell its metrics on a free port.
const METRICS: [&str; 2] = ["--metrics", "127.0.0.1:0"];

/// A server with metrics, and these arguments besides.
fn start(data: &Path, more: &[&str]) -> Server {
    let arguments = [&METRICS, more].concat();
    Server::try_start_with(&[], data, &arguments)
        .unwrap_or_else(|ran| panic!("the server did not start: {ran}"))
}

/// A company with one customer.
async fn acme(server: &Server) -> Company {
    let company = Company::create(Client::connect(&server.url()).await, LEDGER, "2024-01-01").await;
    company.customer("ada", "Ada").await;
    company
}

/// An invoice whose event has so many bytes more.
fn issue(id: &str, more: usize) -> v1::IssueInvoiceRequest {
    v1::IssueInvoiceRequest {
        ledger_id: LEDGER.to_owned(),
        invoice_id: id.to_owned(),
        customer_id: "ada".to_owned(),
        total: encours_tests::eur("10.00"),
        reason: "x".repeat(more),
        ..Default::default()
    }
}

/// A figure in KiB of a process, such as `VmRSS`.
fn memory(server: &Server, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Processor time of a process so far, in hundredths of a second.
fn processor(server: &Server) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.pid())).unwrap();
    let fields: Vec<_> = stat[stat.rfind(')').unwrap() + 2..].split(' ').collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// A figure of the metrics; 0 where there is none yet.
fn figure(server: &Server, name: &str) -> u64 {
    server.metric(name).unwrap_or(0)
}

/// Waits until a figure of the metrics is as it should be.
async fn figure_soon(server: &Server, name: &str, is_right: impl Fn(u64) -> bool) -> u64 {
    let end = Instant::now() + SOON;
    loop {
        let found = figure(server, name);
        if is_right(found) {
            return found;
        }
        assert!(Instant::now() < end, "{name} is {found}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// The reason that a status names.
fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

/// A client that goes on asking and writing; how long its calls took.
struct Normal(JoinHandle<Vec<Duration>>);

impl Normal {
    /// On one connection, until it is asked for its times.
    fn on(client: Client, stop: tokio::sync::watch::Receiver<bool>) -> Self {
        Self(tokio::spawn(async move {
            let mut took = Vec::new();
            while !*stop.borrow() {
                let begun = Instant::now();
                let called = timeout(SOON, client.head()).await;
                called.expect("a normal client is answered");
                let mut invoices = client.invoices.clone();
                let write = invoices.issue_invoice(issue("", 10));
                timeout(SOON, write).await.expect("in time").expect("a normal client writes");
                took.push(begun.elapsed());
                sleep(Duration::from_millis(10)).await;
            }
            took
        }))
    }

    /// The median and the longest.
    async fn times(self) -> (Duration, Duration) {
        let mut took = self.0.await.unwrap();
        took.sort_unstable();
        (took[took.len() / 2], *took.last().unwrap())
    }
}
