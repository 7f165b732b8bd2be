//! Faults of the disk under the real binary: a sync that fails, a disk that is full. Nothing that was
//! acknowledged is lost, and nothing is acknowledged that is not safe.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use encours_proto::v1;
use encours_tests::{Client, Company, Server, Told, data_folder, date, eur, run};
use tonic::Code;

const LEDGER: &str = "acme";
/// The most runs: the n-th sync of a thread fails in the n-th run, until one comes through unhurt.
const RUNS: u32 = 60;
/// Commands sent in each run.
const COMMANDS: usize = 20;

/// Whether a program runs and ends well.
fn works(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    let quiet = command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

fn customer(n: usize) -> v1::CreateCustomerRequest {
    v1::CreateCustomerRequest {
        ledger_id: LEDGER.to_owned(),
        request_id: format!("r{n}"),
        customer_id: format!("c{n}"),
        name: format!("Customer {n}"),
        ..Default::default()
    }
}

/// Creates the ledger and customers until one fails; positions of those that were acknowledged, the
/// ledger's first, and why it stopped.
async fn work(url: &str) -> (Vec<u64>, Option<Told>) {
    let mut client = Client::connect(url).await;
    let ledger = v1::CreateLedgerRequest {
        ledger_id: LEDGER.to_owned(),
        request_id: "ledger".to_owned(),
        currency_code: "EUR".to_owned(),
        time_zone: "Europe/Paris".to_owned(),
        test_clock: Some(v1::TestClock { clock_id: String::new(), start_date: date("2024-01-01") }),
        ..Default::default()
    };
    let mut positions = Vec::new();
    match client.ledgers.create_ledger(ledger).await {
        Ok(answer) => positions.push(answer.into_inner().position),
        Err(status) => return (positions, Some(Told::from(&status))),
    }
    for n in 1..=COMMANDS {
        match client.customers.create_customer(customer(n)).await {
            Ok(answer) => positions.push(answer.into_inner().position),
            Err(status) => return (positions, Some(Told::from(&status))),
        }
    }
    (positions, None)
}

/// Every acknowledged command is there after a start without faults, where it was said to be.
async fn check(data: &Path, positions: &[u64], what: &str) {
    let verify = || run(["log", "verify", "--data", data.to_str().unwrap()]).ok();
    if !positions.is_empty() {
        let _ = verify();
    }
    // Also a log that was only half made is made whole.
    let server = Server::start(data);
    let _ = verify();
    let client = Client::connect(&server.url()).await;
    let events = client.events_after(0).await;
    for (n, position) in positions.iter().enumerate().skip(1) {
        let mut customers = client.customers.clone();
        let again = customers.create_customer(customer(n)).await.unwrap().into_inner();
        assert_eq!((again.position, again.repeat), (*position, true), "{what}: command {n}");
    }
    let created = events.iter().filter(|event| event.event == "customer.created").count();
    let acknowledged = positions.len().saturating_sub(1);
    // One more may have become durable without being acknowledged.
    assert!((acknowledged..=acknowledged + 1).contains(&created), "{what}: {created}");
    assert_eq!(server.stop().ran.code, Some(0), "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failed_sync_the_server_ends_and_nothing_is_lost() {
    if !works("strace", &["-f", "-o", "/dev/null", "true"]) {
        println!("skipped: strace is missing, or may not trace here");
        return;
    }
    let (mut not_started, mut ended, mut went_on) = (0, 0, 0);
    let mut nth = 0;
    let mut is_through = false;
    while !is_through {
        nth += 1;
        assert!(nth <= RUNS, "a run comes through");
        let folder = data_folder();
        let data = folder.path().join("data");
        let inject = format!("inject=fdatasync,fsync:error=EIO:when={nth}");
        let strace =
            ["strace", "-f", "-o", "/dev/null", "-e", "trace=fdatasync,fsync", "-e", &inject];
        let what = format!("sync {nth} of a thread fails");
        let positions = match Server::try_start_under(&strace, &data) {
            Err(ran) => {
                assert!(ran.code.is_some_and(|code| code != 0), "{what}: {ran}");
                assert!(ran.stderr.contains("error"), "{what}: it says why: {ran}");
                not_started += 1;
                Vec::new()
            }
            Ok(server) => {
                let (positions, told) = work(&server.url()).await;
                let ran = match told {
                    // A failed sync is never tried again: the process ends by itself.
                    Some(told) => {
                        let is_end = matches!(told.code, Code::Unknown | Code::Unavailable);
                        assert!(is_end || told.code == Code::Cancelled, "{what}: {told:?}");
                        ended += 1;
                        let ran = server.end();
                        assert_eq!(ran.code, Some(1), "{what}: {ran}");
                        assert!(ran.stderr.contains("sync_failed"), "{what}: {ran}");
                        ran
                    }
                    None => {
                        went_on += 1;
                        let ran = server.stop().ran;
                        is_through = ran.code == Some(0);
                        ran
                    }
                };
                assert!(!ran.stderr.contains("panicked"), "{what}: {ran}");
                positions
            }
        };
        check(&data, &positions, &what).await;
    }
    assert!(ended > 0, "the sync of a commit has failed in some run");
    println!(
        "{nth} runs: {not_started} did not start, {ended} ended at the fault, {went_on} did all \
         {COMMANDS} commands"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_writes_and_heals() {
    let folder = data_folder();
    let mount = folder.path().to_str().unwrap();
    // A small disk of its own, which is gone with the process.
    let small = "mount -t tmpfs -o size=6m tmpfs \"$0\" && exec \"$@\"";
    let disk = ["unshare", "-r", "-m", "sh", "-c", small, mount];
    if !works(disk[0], &[&disk[1..], &["true"]].concat()) {
        println!("skipped: no disk can be mounted in a namespace here");
        return;
    }
    let server = match Server::try_start_under(&disk, &folder.path().join("data")) {
        Ok(server) => server,
        Err(ran) => panic!("{ran}"),
    };
    let company = Company::create(Client::connect(&server.url()).await, LEDGER, "2024-01-01").await;
    company.customer("c1", "One").await;
    let invoice = |n: usize| v1::IssueInvoiceRequest {
        ledger_id: LEDGER.to_owned(),
        request_id: format!("r{n}"),
        customer_id: "c1".to_owned(),
        total: eur("1.00"),
        text: "t".repeat(4_000),
        ..Default::default()
    };
    let mut invoices = company.client.invoices.clone();
    let mut positions = Vec::new();
    let told = loop {
        assert!(positions.len() < 5_000, "6 MiB hold less than 5,000 invoices of 4 KiB");
        match invoices.issue_invoice(invoice(positions.len())).await {
            Ok(answer) => positions.push(answer.into_inner().position),
            Err(status) => break Told::from(&status),
        }
    };
    assert_eq!(
        (told.code, told.reason.as_str()),
        (Code::ResourceExhausted, "LOG_FULL"),
        "{told:?}"
    );
    // Reads go on, and what was acknowledged is there.
    company.saw(*positions.last().unwrap());
    let total = format!("{}.00", positions.len());
    company.expect_balance("c1", &format!("outstanding {total}")).await;
    let full = company.client.head().await;
    let refused = invoices.issue_invoice(invoice(positions.len())).await.unwrap_err();
    assert_eq!(Told::from(&refused).reason, "LOG_FULL");
    assert_eq!(company.client.head().await.frame_hash, full.frame_hash);

    let pid = server.pid().to_string();
    let room = ["mount", "-o", "remount,size=64m", mount];
    let enter = ["-t", &pid, "-U", "-m", "--preserve-credentials"];
    assert!(works("nsenter", &[&enter[..], &room].concat()), "the disk can be made larger");
    let begun = Instant::now();
    let answer = loop {
        match invoices.issue_invoice(invoice(positions.len())).await {
            Ok(answer) => break answer.into_inner(),
            Err(status) => assert_eq!(Told::from(&status).reason, "LOG_FULL", "{status:?}"),
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "it goes on without a restart");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert!(answer.position > full.position && !answer.repeat);
    for (n, position) in positions.iter().enumerate().step_by(50) {
        let again = invoices.issue_invoice(invoice(n)).await.unwrap().into_inner();
        assert_eq!((again.position, again.repeat), (*position, true));
    }
    println!(
        "full after {} invoices ({}), writing again {} ms after there was room",
        positions.len(),
        told.message,
        begun.elapsed().as_millis()
    );
    assert_eq!(server.stop().ran.code, Some(0));
}
