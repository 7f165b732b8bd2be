//! A server that may have few files or little memory: it turns callers away, loses nothing and is well
//! again once they have left.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use encours_proto::v1;
use encours_tests::{Client, Company, Server, Told, data_folder, run};
use tokio::task::JoinSet;

const METRICS: [&str; 2] = ["--metrics", "127.0.0.1:0"];
/// Files that the server may have open.
const FILES: u64 = 64;
/// Connections that are opened and do nothing.
const CROWD: usize = 150;
const LIMIT: Duration = Duration::from_secs(60);
/// Batches of 200 commands that are sent side by side.
const BATCHES: usize = 10;

/// A command that takes about 4 KiB of the log.
fn long(n: usize) -> v1::CreateCustomerRequest {
    v1::CreateCustomerRequest {
        ledger_id: "acme".to_owned(),
        request_id: format!("r{n}"),
        customer_id: format!("c{n}"),
        name: "One".to_owned(),
        reason: "x".repeat(4_000),
        ..Default::default()
    }
}

/// Sends commands side by side over one connection; the positions of those that were acknowledged.
async fn send(client: &Client, numbers: std::ops::Range<usize>) -> Vec<(usize, u64)> {
    let mut calls = JoinSet::new();
    for n in numbers {
        let mut customers = client.customers.clone();
        calls.spawn(async move {
            match customers.create_customer(long(n)).await {
                Ok(answer) => Some((n, answer.into_inner().position)),
                Err(status) => {
                    let told = Told::from(&status);
                    assert!(told.is_of_faults(), "{told:?}");
                    None
                }
            }
        });
    }
    calls.join_all().await.into_iter().flatten().collect()
}

/// Sends commands in one message of a megabyte, over a connection of its own; the positions of those
/// that were acknowledged.
async fn send_batch(url: String, numbers: std::ops::Range<usize>) -> Vec<(usize, u64)> {
    let client = Client::lazy(&url, LIMIT);
    let commands = numbers.clone().map(|n| {
        let command = v1::command::Command::CreateCustomer(long(n));
        v1::Command { command: Some(command) }
    });
    let request = v1::ExecuteRequest { commands: commands.collect() };
    let Ok(answer) = client.batch.clone().execute(request).await else { return Vec::new() };
    let results = answer.into_inner().results.into_iter().map(|result| match result.result {
        Some(v1::command_result::Result::Outcome(outcome)) => Some(outcome.position),
        _ => None,
    });
    numbers.zip(results).filter_map(|(n, position)| Some((n, position?))).collect()
}

/// Every acknowledged command is there, where it was said to be.
async fn check(client: &Client, acknowledged: &[(usize, u64)]) {
    for (n, position) in acknowledged {
        let again = client.customers.clone().create_customer(long(*n)).await.unwrap().into_inner();
        assert_eq!((again.position, again.repeat), (*position, true), "{n}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_few_files_the_log_goes_on_and_callers_are_heard() {
    let folder = data_folder();
    let limited = format!("ulimit -n {FILES}; exec \"$@\"");
    let prefix = ["sh", "-c", &limited, "sh"];
    let server = Server::try_start_with(&prefix, folder.path(), &METRICS).unwrap();
    let client = Client::connect(&server.url()).await;
    let company = Company::create(client.clone(), "acme", "2024-01-01").await;
    assert_eq!(server.metric("encours_open_files_limit"), Some(FILES));
    let most = server.metric("encours_connections_limit{state=\"all\"}").unwrap();
    assert!((4..FILES).contains(&most), "{most}");
    let crowd: Vec<_> = (0..CROWD).map(|_| TcpStream::connect(server.address())).collect();
    assert!(crowd.iter().all(Result::is_ok), "they wait in the system's queue");
    let begun = Instant::now();
    let open = || server.metric("encours_connections{state=\"new\"}").unwrap_or(0);
    while open() + 1 < most {
        assert!(begun.elapsed() < LIMIT, "{} of {most}", open());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // With every place taken the log begins new segments and writes checkpoints all the same.
    let acknowledged = send(&client, 0..700).await;
    assert_eq!(acknowledged.len(), 700);
    let files = server.metric("encours_open_files").unwrap();
    assert!(files <= FILES, "{files}");
    let segments = encours_tests::every_file(&folder.path().join("log"));
    let segments = segments.iter().filter(|path| path.extension().is_some_and(|e| e == "seg"));
    assert!(segments.count() > 2, "several segments were begun");
    // Whoever comes now and speaks is given the place of one that has said nothing.
    let late = Client::lazy(&server.url(), Duration::from_secs(5));
    let head = v1::GetHeadRequest::default();
    let begun = Instant::now();
    while late.log.clone().get_head(head.clone()).await.is_err() {
        assert!(begun.elapsed() < LIMIT, "there is a place: {}", server.said());
    }
    drop(crowd);
    check(&late, &acknowledged[..50]).await;
    company.customer("after", "One").await;
    let stopped = tokio::task::spawn_blocking(move || server.stop()).await.unwrap();
    assert_eq!(stopped.ran.code, Some(0), "{}", stopped.ran);
    assert!(!stopped.ran.stderr.contains("panicked"), "{}", stopped.ran);
    let _ = run(["log", "verify", "--data", folder.path().to_str().unwrap()]).ok();
    println!("{most} connections of {CROWD}, {files} of {FILES} files open");
}

/// KiB of address space that a process has.
fn address_space_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmSize:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn with_little_memory_nothing_acknowledged_is_lost() {
    let folder = data_folder();
    // A large buffer is asked of the system, so that it can be refused.
    let prefix = ["env", "MALLOC_MMAP_THRESHOLD_=65536", "MALLOC_ARENA_MAX=1"];
    let server = Server::try_start_with(&prefix, folder.path(), &METRICS).unwrap();
    let client = Client::connect(&server.url()).await;
    drop(Company::create(client.clone(), "acme", "2024-01-01").await);
    let mut acknowledged = send(&client, 0..50).await;
    assert_eq!(acknowledged.len(), 50);
    assert!(server.metric("encours_resident_bytes").unwrap() > 1_000_000);
    assert!(server.metric("encours_threads").unwrap() >= 4);
    let pid = server.pid();
    // No room beyond what it has.
    let most = address_space_kib(pid) * 1_024;
    let limit = [format!("--pid={pid}"), format!("--as={most}")];
    let limited = Command::new("prlimit").args(limit).stderr(Stdio::null()).status();
    if !limited.is_ok_and(|status| status.success()) {
        println!("skipped: prlimit is missing, or may not limit here");
        return;
    }
    let mut batches = JoinSet::new();
    for batch in 1..=BATCHES {
        batches.spawn(send_batch(server.url(), batch * 200..batch * 200 + 200));
    }
    acknowledged.extend(batches.join_all().await.into_iter().flatten());
    let shed = BATCHES * 200 + 50 - acknowledged.len();
    // It has ended for want of memory, as if it had been killed; a start makes it well.
    let ended = std::fs::metadata(format!("/proc/{pid}/fd/0")).is_err();
    assert!(shed == 0 || ended, "{}", server.said());
    server.kill9();
    let _ = run(["log", "verify", "--data", folder.path().to_str().unwrap()]).ok();
    let server = Server::start(folder.path());
    let client = Client::connect(&server.url()).await;
    check(&client, &acknowledged).await;
    println!("{} acknowledged, {shed} not; it had ended by itself: {ended}", acknowledged.len());
}
