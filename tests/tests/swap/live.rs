//! Rebuilds of a live server under load, with readers and with kills.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use encours_proto::v1;
use encours_sim::Rng;
use encours_tests::{
    Client, Heard, LOAD_LEDGER, Load, LoadOptions, Server, amount, check, data_folder,
};

use super::{METRICS, cli, rebuild, shows_what_the_log_gives, stop};

/// How long the server is under load.
const LOADED: Duration = Duration::from_secs(4);

fn cents(money: Option<&v1::Money>) -> i64 {
    money.map_or(0, |money| amount(Some(money)).replace('.', "").parse().unwrap())
}

/// Reads until it is told to end; how often. Every answer fits together, and none goes back.
async fn read_on(url: String, done: Arc<AtomicBool>) -> u64 {
    let client = Client::connect(&url).await;
    let (mut position, mut invoiced, mut customers, mut reads) = (0, 0, 4, 0);
    while !done.load(Ordering::Relaxed) {
        let ledger_id = LOAD_LEDGER.to_owned();
        let request = v1::GetLedgerTotalsRequest { ledger_id, min_position: position };
        let totals = client.reports.clone().get_ledger_totals(request).await.unwrap().into_inner();
        assert!(totals.position >= position, "{} after {position}", totals.position);
        position = totals.position;
        for b in &totals.balances {
            let [opening, billed, credited, collected, refunded, outstanding, unapplied] = [
                &b.opening,
                &b.invoiced,
                &b.credited,
                &b.collected,
                &b.refunded,
                &b.outstanding,
                &b.unapplied,
            ]
            .map(|money| cents(money.as_ref()));
            let net = opening + billed - credited - collected + refunded;
            assert_eq!(outstanding - unapplied, net, "{b:?} at {position}");
            assert!(billed >= invoiced, "{billed} after {invoiced} at {position}");
            invoiced = billed;
        }
        let (ledger_id, min_position) = (LOAD_LEDGER.to_owned(), position);
        let request = v1::ListCustomersRequest { ledger_id, min_position, ..Default::default() };
        let page = client.customers.clone().list_customers(request).await.unwrap().into_inner();
        assert!(page.position >= position, "{} after {position}", page.position);
        assert!(page.customers.len() >= customers.min(50), "{} customers", page.customers.len());
        (position, customers) = (page.position, page.customers.len());
        reads += 1;
    }
    reads
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_server_answers_while_its_read_model_is_rebuilt() {
    let folder = data_folder();
    let server = Server::try_start_with(&[], folder.path(), &METRICS).unwrap();
    let company = Load::prepare(&server.url()).await;
    let done = Arc::new(AtomicBool::new(false));
    let load = Load::start(&[server.url()], &LoadOptions::new("live", 29));
    let readers: Vec<_> =
        (0..2).map(|_| tokio::spawn(read_on(server.url(), Arc::clone(&done)))).collect();
    let (mut rebuilt, mut refused, mut position) = (0, 0, 0);
    // Two at a time, so that some find the other one under way.
    while load.elapsed() < LOADED || (refused == 0 && rebuilt < 1_000) {
        let (one, other) = tokio::join!(rebuild(&company.client), rebuild(&company.client));
        for ended in [one, other] {
            match ended {
                Ok(result) => {
                    assert!(!result.differs && result.stopped.is_empty(), "{result:?}");
                    assert_eq!(result.digest, result.digest_before, "{result:?}");
                    position = position.max(result.position);
                    rebuilt += 1;
                }
                Err(told) => {
                    assert_eq!(told.reason, "REBUILD_RUNNING", "{told:?}");
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > 0 && rebuilt > 4, "{rebuilt} rebuilds, {refused} refused");
    assert!(position > 0);
    let said = cli(&["read-model", "rebuild", "--output", "csv"], &server).await.ok();
    assert!(said.stdout.contains("\nEQUAL,"), "{said}");
    done.store(true, Ordering::Relaxed);
    let mut reads = 0;
    for reader in readers {
        reads += reader.await.unwrap();
    }
    let mut heard = load.stop().await;
    assert!(heard.failures.is_empty(), "{:?}", heard.failures);
    check(&mut heard, &server.url()).await;
    let outcome = |outcome| format!("encours_read_model_rebuilds_total{{outcome=\"{outcome}\"}}");
    assert_eq!(server.metric(&outcome("equal")), Some(rebuilt + 1));
    assert_eq!(server.metric(&outcome("different")), Some(0));
    assert_eq!(server.metric("encours_read_model_rebuilding"), Some(0));
    assert!(!server.said().contains("projection_differs"));
    shows_what_the_log_gives(&server).await;
    let written = heard.acknowledged.len();
    println!("{rebuilt} rebuilds, {refused} refused, beside {written} commands, {reads} reads");
    stop(server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_amid_rebuilds_under_load_the_next_start_serves_what_the_log_gives() {
    let folder = data_folder();
    let rounds = std::env::var("ENCOURS_ROUNDS").map_or(3, |rounds| rounds.parse().unwrap());
    let (mut rng, mut heard, mut rebuilt) = (Rng::new(29), Heard::default(), 0_u64);
    for round in 0..rounds {
        let server = Server::start(folder.path());
        Load::prepare(&server.url()).await;
        let load = Load::start(&[server.url()], &LoadOptions::new(&format!("k{round}"), round));
        let client = Client::lazy(&server.url(), Duration::from_secs(60));
        let rebuilds = tokio::spawn(async move {
            let mut rebuilt = 0;
            while let Ok(result) = rebuild(&client).await {
                assert!(!result.differs, "{result:?}");
                rebuilt += 1;
            }
            rebuilt
        });
        tokio::time::sleep(Duration::from_millis(300 + rng.below(1_200))).await;
        server.kill9();
        rebuilt += rebuilds.await.unwrap();
        heard.add(load.stop().await);
    }
    let server = Server::start(folder.path());
    check(&mut heard, &server.url()).await;
    shows_what_the_log_gives(&server).await;
    assert!(rebuilt > 0, "nothing was rebuilt before a kill");
    println!("{rounds} kills, {rebuilt} rebuilds before them");
    stop(server).await;
}
