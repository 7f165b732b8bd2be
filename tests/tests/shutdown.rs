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
use encours_tests::{Client, Company, Program, Server, Told, data_folder, eur, is_embedded, run};
use tokio::sync::mpsc;
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

/// Each client of a load has so many acknowledged before the server is stopped.
const BEFORE: usize = 25;

/// Issues invoices until the server says no more; their request ids, and positions. Tells once it has
/// some.
async fn issue_until_stopped(
    client: Client,
    number: usize,
    has_some: mpsc::Sender<()>,
) -> (Vec<(String, u64)>, Told) {
    let mut invoices = client.invoices;
    let mut acknowledged = Vec::new();
    loop {
        if acknowledged.len() == BEFORE {
            has_some.send(()).await.unwrap();
        }
        let request_id = format!("s{number}-{}", acknowledged.len());
        match invoices.issue_invoice(invoice(&request_id)).await {
            Ok(answer) => acknowledged.push((request_id, answer.into_inner().position)),
            Err(status) => return (acknowledged, Told::from(&status)),
        }
    }
}

/// What clients hear: positions by request id, and why they ended.
type Heard = JoinSet<(Vec<(String, u64)>, Told)>;

/// Clients on connections of their own that issue invoices; each has some acknowledged.
async fn load(url: &str, count: usize) -> Heard {
    let mut clients = JoinSet::new();
    let (has_some, mut have_some) = mpsc::channel(count);
    for number in 0..count {
        let client = Client::connect(url).await;
        clients.spawn(issue_until_stopped(client, number, has_some.clone()));
    }
    for _ in 0..count {
        let some = tokio::time::timeout(GRACE, have_some.recv()).await;
        some.expect("each has some in time").expect("a client goes on");
    }
    clients
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
    let clients = load(&url, CLIENTS).await;
    let stopped = tokio::task::spawn_blocking(move || server.stop()).await.unwrap();
    assert_eq!(stopped.ran.code, Some(0), "{}", stopped.ran);
    assert!(stopped.took < GRACE, "{:?}", stopped.took);
    let line = counts(&stopped.ran.stderr).to_owned();
    assert!(line.contains("accepted=") && line.contains("refused="), "{line}");
    let heard = clients.join_all().await;
    let acknowledged: Vec<_> = heard.iter().flat_map(|(acknowledged, _)| acknowledged).collect();
    assert!(acknowledged.len() >= CLIENTS * BEFORE, "{}", acknowledged.len());
    for (_, told) in &heard {
        // A call that meets the closing connection gets an error of the client's own transport, which
        // it may also call INTERNAL; the service itself says nothing but that it is unavailable.
        let gone = matches!(told.code, tonic::Code::Unavailable | tonic::Code::Unknown);
        assert!(told.reason.is_empty() || told.retry_ms > 0, "it says when to try again: {told:?}");
        let cut = matches!(told.code, tonic::Code::Cancelled | tonic::Code::Internal);
        assert!(gone || (cut && told.reason.is_empty()), "{told:?}");
    }
    let end = tokio::time::timeout(Duration::from_secs(10), async {
        while let Ok(Some(_)) = watched.message().await {}
    });
    end.await.unwrap();

    let ran = run(["log", "verify", "--data", folder.path().to_str().unwrap()]).ok();
    let server = Server::start(folder.path());
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
    // It had ended already, or it did at once, and says so.
    let at_once = stopped.ran.stderr.contains("stopping at once");
    assert_eq!(stopped.ran.code, Some(i32::from(at_once)), "{}", stopped.ran);
    let server = Server::start(folder.path());
    let events = Client::connect(&server.url()).await.events_after(0).await;
    assert!(events.iter().any(|event| event.position == position && event.entity == "customer"));
}

/// What a server said of how it stopped.
fn counts(said: &str) -> &str {
    let line = said.lines().find(|line| line.contains("the engine has stopped"));
    line.unwrap_or_else(|| panic!("{said}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_a_stop_that_waits() {
    let folder = data_folder();
    let server = Server::start(folder.path());
    let company = Company::create(Client::connect(&server.url()).await, "acme", "2024-01-01").await;
    company.customer("c1", "One").await;
    let position = company.position();
    // A call that has seconds to wait for what never comes: the first signal waits for it.
    let mut waiting = company.client.invoices.clone();
    let mut waits = Box::pin(async move {
        let request = v1::GetInvoiceRequest {
            ledger_id: LEDGER.to_owned(),
            invoice: Some(v1::get_invoice_request::Invoice::InvoiceId("i".to_owned())),
            min_position: position + 1_000,
            ..Default::default()
        };
        waiting.get_invoice(request).await
    });
    // It has arrived: calls of one connection do so in their order, and a later one is answered.
    tokio::select! {
        biased;
        ended = &mut waits => panic!("it does not wait: {ended:?}"),
        _ = company.client.head() => {}
    }
    let waits = tokio::spawn(waits);
    server.signal("TERM");
    let _ = server.told("stopping signal=").await;
    let begun = std::time::Instant::now();
    let stopped = tokio::task::spawn_blocking(move || server.stop()).await.unwrap();
    assert_eq!(stopped.ran.code, Some(1), "it says that it did not wait: {}", stopped.ran);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(stopped.ran.stderr.contains("stopping at once"), "{}", stopped.ran);
    assert!(waits.await.unwrap().is_err());
    let _ = run(["log", "verify", "--data", folder.path().to_str().unwrap()]).ok();
    let server = Server::start(folder.path());
    let again = Company::existing(Client::connect(&server.url()).await, LEDGER);
    again.saw(position);
    assert_eq!(again.get_customer("c1").await.name, "One");
}

/// Issues invoices in batches.
async fn fill(client: &Client, batches: usize) {
    for batch in 0..batches {
        let commands = (0..200).map(|n| {
            let command = v1::command::Command::IssueInvoice(invoice(&format!("f{batch}-{n}")));
            v1::Command { command: Some(command) }
        });
        let request = v1::ExecuteRequest { commands: commands.collect() };
        let answer = client.batch.clone().execute(request).await.unwrap().into_inner();
        assert_eq!(answer.results.len(), 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_while_all_is_read_again_ends_well() {
    if !is_embedded("the server is started without the addresses of others") {
        return;
    }
    let folder = data_folder();
    let server = Server::start(folder.path());
    let company = Company::create(Client::connect(&server.url()).await, LEDGER, "2024-01-01").await;
    company.customer("c1", "One").await;
    fill(&company.client, 15).await;
    let events = company.client.head().await.position;
    let stopped = tokio::task::spawn_blocking(move || server.stop()).await.unwrap();
    assert_eq!(stopped.ran.code, Some(0), "{}", stopped.ran);
    let data = folder.path().to_str().unwrap();
    let (mut early, mut late) = (0, 0);
    for pause_ms in [0, 5, 10, 20, 40, 60, 80, 120, 160, 240, 400] {
        for derived in ["snapshots", "requests", "views"] {
            let _ = std::fs::remove_dir_all(folder.path().join(derived));
        }
        let server = Program::serve(folder.path());
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        server.signal("TERM");
        let begun = std::time::Instant::now();
        let ran = tokio::task::spawn_blocking(move || server.end()).await.unwrap();
        assert!(begun.elapsed() < GRACE, "{:?}", begun.elapsed());
        // Before it listens for signals it has done nothing, and the signal itself ends it.
        let has_begun = ran.stderr.contains("opening");
        let is_well = ran.code == Some(0) || (ran.code.is_none() && !has_begun);
        assert!(is_well, "after {pause_ms} ms: {ran}");
        if ran.stdout.contains("listening") {
            late += 1;
        } else {
            early += u32::from(has_begun);
        }
    }
    let server = Server::start(folder.path());
    let head = Client::connect(&server.url()).await.head().await.position;
    assert!(head >= events);
    let _ = run(["log", "verify", "--data", data]).ok();
    println!("{events} events; {early} stops before it was ready, {late} after");
    assert!(early > 0, "some stop came while it was reading");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_skips_no_sync_and_counts_what_it_did() {
    if !is_embedded("the syncs of the log's own files are counted") {
        return;
    }
    let folder = data_folder();
    let trace = folder.path().join("trace");
    let data = folder.path().join("data");
    let strace = ["strace", "-f", "-y", "-qq", "-e", "trace=pwrite64,write,fdatasync,fsync", "-o"];
    let works = std::process::Command::new("strace")
        .args(["-f", "-o", "/dev/null", "true"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status();
    if !works.is_ok_and(|status| status.success()) {
        println!("skipped: strace is missing, or may not trace here");
        return;
    }
    let prefix: Vec<&str> = strace.into_iter().chain(trace.to_str()).collect();
    let server = Server::try_start_under(&prefix, &data).unwrap();
    let url = server.url();
    let company = Company::create(Client::connect(&url).await, LEDGER, "2024-01-01").await;
    company.customer("c1", "One").await;
    let clients = load(&url, 4).await;
    let stopped = tokio::task::spawn_blocking(move || server.stop()).await.unwrap();
    assert_eq!(stopped.ran.code, Some(0), "{}", stopped.ran);
    let heard = clients.join_all().await;
    let acknowledged: usize = heard.iter().map(|(acknowledged, _)| acknowledged.len()).sum();
    assert!(acknowledged >= 4 * BEFORE, "{acknowledged}");
    let line = counts(&stopped.ran.stderr);
    let accepted = line.split("accepted=").nth(1).unwrap().split_whitespace().next().unwrap();
    // The ledger and the customer too, and what nobody heard of any more.
    assert!(accepted.parse::<usize>().unwrap() >= acknowledged + 2, "{acknowledged}: {line}");
    assert!(line.contains("refused=") && line.contains("frames="), "{line}");
    // After the last byte written to each file of the log comes a sync of it.
    let text = std::fs::read_to_string(trace).unwrap();
    let mut unsynced = std::collections::BTreeMap::new();
    for line in text.lines() {
        let Some(path) = line.split_once('<').and_then(|(_, rest)| rest.split_once('>')) else {
            continue;
        };
        if !path.0.contains("/log/") || path.0.ends_with("/lock") {
            continue;
        }
        if line.contains("sync(") {
            unsynced.remove(path.0);
        } else {
            unsynced.insert(path.0, line);
        }
    }
    assert!(unsynced.is_empty(), "written and not synced: {unsynced:?}");
    println!("{acknowledged} acknowledged; {line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_in_the_midst_of_an_import_leaves_one_that_can_be_finished() {
    const ROWS: usize = 6_000;
    let folder = data_folder();
    let data = folder.path().join("data");
    let file = folder.path().join("invoices.csv");
    let rows = (0..ROWS).map(|n| format!("c{},i{n},2024-01-01,2024-02-01,10.00\n", n % 50));
    let header = "customer_id,invoice_id,issue_date,due_date,total\n".to_owned();
    std::fs::write(&file, std::iter::once(header).chain(rows).collect::<String>()).unwrap();
    let server = Server::start(&data);
    let words = |url: &str| {
        let file = file.to_str().unwrap();
        let words = ["import", file, "--server", url, "--ledger", "shop", "--currency", "EUR"];
        words.map(str::to_owned)
    };
    let first = words(&server.url());
    let importing = tokio::task::spawn_blocking(move || run(first));
    let client = Client::connect(&server.url()).await;
    let begun = std::time::Instant::now();
    while client.head().await.position < 500 {
        assert!(begun.elapsed() < GRACE, "it imports");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let stopped = tokio::task::spawn_blocking(move || server.stop()).await.unwrap();
    assert_eq!(stopped.ran.code, Some(0), "{}", stopped.ran);
    assert!(stopped.took < GRACE, "{:?}", stopped.took);
    // Cut off with thousands of rows to go.
    let cut = importing.await.unwrap().fails(4);
    let server = Server::start(&data);
    let again = words(&server.url());
    let _ = tokio::task::spawn_blocking(move || run(again)).await.unwrap().ok();
    let company = Company::existing(Client::connect(&server.url()).await, "shop");
    company.saw(company.client.head().await.position);
    let events = company.client.events_after(0).await;
    let issued = events.iter().filter(|event| event.event == "invoice.issued").count();
    assert_eq!(issued, ROWS, "each row once");
    println!("cut off: {}; finished by another run", cut.stderr.trim());
}
