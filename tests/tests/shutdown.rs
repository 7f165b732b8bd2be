//! SIGTERM under load: what is in flight is finished, the rest is refused, the process ends well.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

use std::time::Duration;

use encours_proto::v1;
use encours_tests::{Client, Company, Server, Told, data_folder, eur, run};
use tokio::task::JoinSet;

const CLIENTS: usize = 8;
const LEDGER: &str = "acme";
/// The grace period, with a margin for a slow machine.
const GRACE: Duration = Duration::from_secs(30);

fn invoice(request_id: &str) -> v1::IssueInvoiceRequest {
    v1::IssueInvoiceRequest {
        ledger_id: LEDGER.to_owned(),
        request_id: request_id.to_owned(),
        customer_id: "c1".to_owned(),
        total: eur("12.50"),
        ..Default::default()
    }
}

/// Issues invoices until the server says no more; their request ids, and positions.
async fn issue_until_stopped(url: String, client: usize) -> (Vec<(String, u64)>, Told) {
    let mut invoices = Client::connect(&url).await.invoices;
    let mut acknowledged = Vec::new();
    loop {
        let request_id = format!("s{client}-{}", acknowledged.len());
        match invoices.issue_invoice(invoice(&request_id)).await {
            Ok(answer) => acknowledged.push((request_id, answer.into_inner().position)),
            Err(status) => return (acknowledged, Told::from(&status)),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_under_load_finishes_what_it_acknowledged() {
    let folder = data_folder();
    let server = Server::start(folder.path());
    let url = server.url();
    let company = Company::create(Client::connect(&url).await, LEDGER, "2024-01-01").await;
    company.customer("c1", "One").await;
    // A stream that never ends by itself must not hold up the stop.
    let watch = v1::WatchEventsRequest::default();
    let mut watched = company.client.log.clone().watch_events(watch).await.unwrap().into_inner();
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        clients.spawn(issue_until_stopped(url.clone(), client));
    }
    tokio::time::sleep(Duration::from_millis(400)).await;
    let stopped = tokio::task::spawn_blocking(move || server.stop()).await.unwrap();
    assert_eq!(stopped.ran.code, Some(0), "{}", stopped.ran);
    assert!(stopped.took < GRACE, "{:?}", stopped.took);
    let heard = clients.join_all().await;
    let acknowledged: Vec<_> = heard.iter().flat_map(|(acknowledged, _)| acknowledged).collect();
    for (_, told) in &heard {
        // A call that meets the closing connection gets an error of the client's own transport, which
        // it may also call INTERNAL; the service itself says nothing but that it is unavailable.
        let gone = matches!(told.code, tonic::Code::Unavailable | tonic::Code::Unknown);
        let cut = matches!(told.code, tonic::Code::Cancelled | tonic::Code::Internal);
        assert!(gone || (cut && told.reason.is_empty()), "{told:?}");
    }
    let end = tokio::time::timeout(Duration::from_secs(10), async {
        while let Ok(Some(_)) = watched.message().await {}
    });
    end.await.unwrap();

    let ran = run(["log", "verify", "--data", folder.path().to_str().unwrap()]).ok();
    let server = Server::start(folder.path());
    assert!(server.start_took < Duration::from_secs(10), "{:?}", server.start_took);
    let mut client = Client::connect(&server.url()).await;
    for (request_id, position) in &acknowledged {
        let again = client.invoices.issue_invoice(invoice(request_id)).await.unwrap();
        let again = again.into_inner();
        assert_eq!((again.position, again.repeat), (*position, true), "{request_id}");
    }
    println!(
        "{} acknowledged, stopped in {} ms, started in {} ms; {}",
        acknowledged.len(),
        stopped.took.as_millis(),
        server.start_took.as_millis(),
        ran.stdout.lines().next().unwrap_or_default()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_while_stopping_does_no_harm() {
    let folder = data_folder();
    let server = Server::start(folder.path());
    let company = Company::create(Client::connect(&server.url()).await, LEDGER, "2024-01-01").await;
    company.customer("c1", "One").await;
    let position = company.position();
    server.signal("TERM");
    let stopped = server.stop();
    assert!(stopped.took < GRACE, "{:?}", stopped.took);
    let server = Server::start(folder.path());
    let events = Client::connect(&server.url()).await.events_after(0).await;
    assert!(events.iter().any(|event| event.position == position && event.entity == "customer"));
}
