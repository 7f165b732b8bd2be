//! Many callers at once: one outcome per command, no version overtaken, nobody held up by another.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use encours_proto::v1;
use encours_proto::v1::command::Command;
use encours_tests::{Client, Company, Server, Told, amount, data_folder, eur};
use tempfile::TempDir;
use tokio::task::JoinSet;

const LEDGER: &str = "acme";

async fn company() -> (TempDir, Server, Company) {
    let folder = data_folder();
    let server = Server::start(folder.path());
    let company = Company::create(Client::connect(&server.url()).await, LEDGER, "2024-01-01").await;
    company.customer("ada", "Ada").await;
    (folder, server, company)
}

fn invoice(request_id: &str) -> v1::IssueInvoiceRequest {
    v1::IssueInvoiceRequest {
        ledger_id: LEDGER.to_owned(),
        request_id: request_id.to_owned(),
        customer_id: "ada".to_owned(),
        total: eur("10.00"),
        ..Default::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_command_from_many_callers_is_done_once() {
    let (_folder, server, company) = company().await;
    for round in 0..20 {
        let mut callers = JoinSet::new();
        for _ in 0..8 {
            let mut invoices = Client::connect(&server.url()).await.invoices;
            let request = invoice(&format!("same-{round}"));
            callers
                .spawn(async move { invoices.issue_invoice(request).await.unwrap().into_inner() });
        }
        let answers = callers.join_all().await;
        let first = answers.iter().filter(|answer| !answer.repeat).count();
        assert_eq!(first, 1, "{answers:?}");
        let ids: BTreeSet<_> =
            answers.iter().map(|answer| &answer.invoice.as_ref().unwrap().invoice_id).collect();
        let positions: BTreeSet<_> = answers.iter().map(|answer| answer.position).collect();
        assert_eq!((ids.len(), positions.len()), (1, 1), "{answers:?}");
        company.saw(answers[0].position);
    }
    company.expect_balance("ada", "invoiced 200.00").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_those_who_saw_the_same_version_one_writes() {
    let (_folder, server, company) = company().await;
    let mut version = company.get_customer("ada").await.version;
    for round in 0..10 {
        let mut callers = JoinSet::new();
        for caller in 0..6 {
            let mut customers = Client::connect(&server.url()).await.customers;
            let request = v1::UpdateCustomerRequest {
                ledger_id: LEDGER.to_owned(),
                customer_id: "ada".to_owned(),
                expected_version: Some(version),
                note: Some(format!("round {round}, caller {caller}")),
                ..Default::default()
            };
            callers.spawn(async move { customers.update_customer(request).await });
        }
        let mut written = Vec::new();
        for answer in callers.join_all().await {
            match answer {
                Ok(answer) => written.push(answer.into_inner()),
                Err(status) => assert_eq!(Told::from(&status).reason, "VERSION_MISMATCH"),
            }
        }
        let [one] = &written[..] else { panic!("{} callers wrote at once", written.len()) };
        let shown = one.customer.as_ref().unwrap();
        assert!(shown.version > version);
        version = shown.version;
        company.saw(one.position);
        assert_eq!(company.get_customer("ada").await.note, shown.note);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn money_is_never_allocated_twice() {
    let (_folder, server, company) = company().await;
    company.issue("i1", "ada", "100.00", "2024-02-01").await;
    let mut callers = JoinSet::new();
    for n in 0..40 {
        let mut payments = Client::connect(&server.url()).await.payments;
        let request = v1::RecordPaymentRequest {
            ledger_id: LEDGER.to_owned(),
            payment_id: format!("p{n}"),
            customer_id: "ada".to_owned(),
            amount: eur("7.00"),
            allocations: vec![v1::ExplicitAllocation {
                invoice_id: "i1".to_owned(),
                amount: eur("7.00"),
            }],
            ..Default::default()
        };
        callers.spawn(async move { payments.record_payment(request).await });
    }
    let answers = callers.join_all().await;
    let done = answers.iter().filter(|answer| answer.is_ok()).count();
    for status in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        assert_eq!(Told::from(status).reason, "OVER_ALLOCATION");
    }
    assert_eq!(done, 14, "14 payments of 7.00 fit into 100.00");
    company.saw(company.client.head().await.position);
    assert_eq!(amount(company.invoice("i1").await.open.as_ref()), "2.00");
    company.expect_balance("ada", "collected 98.00, outstanding 2.00, unapplied 0.00").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_that_does_not_read_holds_up_nobody() {
    let (_folder, server, company) = company().await;
    let watch = |client: &Client| {
        let mut log = client.log.clone();
        async move {
            let request = v1::WatchEventsRequest::default();
            log.watch_events(request).await.unwrap().into_inner()
        }
    };
    // On connections of their own, so that only they are full.
    let mut idle = Vec::new();
    for _ in 0..5 {
        let client = Client::connect(&server.url()).await;
        idle.push(watch(&client).await);
    }
    let begun = Instant::now();
    for batch in 0..5 {
        let command = |n| {
            let command = Some(Command::IssueInvoice(invoice(&format!("{batch}-{n}"))));
            v1::Command { command }
        };
        let request = v1::ExecuteRequest { commands: (0..1_000).map(command).collect() };
        let answer = company.client.batch.clone().execute(request).await.unwrap().into_inner();
        assert_eq!(answer.results.len(), 1_000);
    }
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(60), "{took:?}");
    company.saw(company.client.head().await.position);
    company.expect_balance("ada", "invoiced 50000.00").await;
    // Who starts to read late misses nothing.
    let last = company.position();
    let mut late = idle.pop().unwrap();
    let caught_up = async {
        let mut next = 1;
        while next <= last {
            let message = late.message().await.unwrap().unwrap();
            let Some(event) = message.event else { continue };
            assert_eq!(event.position, next);
            next += 1;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), caught_up).await.unwrap();
    println!("5,000 invoices beside 5 idle watchers: {} ms", took.as_millis());
}
