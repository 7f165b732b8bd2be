//! System calls that fail, the K-th of each thread for every K: nothing that was acknowledged is
//! lost, nothing is acknowledged that is not safe, and nothing panics.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use encours_proto::v1;
use encours_tests::{Client, Server, data_folder, date, run};

use crate::support::works;

/// Commands of each run.
const COMMANDS: usize = 12;
/// The most runs of one loop.
const RUNS: usize = 400;

/// What there was to tell of a loop.
#[derive(Debug, Default)]
struct Told {
    not_started: u32,
    ended: u32,
    refused: u32,
    unhurt: u32,
}

fn customer(n: usize) -> v1::CreateCustomerRequest {
    v1::CreateCustomerRequest {
        ledger_id: "acme".to_owned(),
        request_id: format!("r{n}"),
        customer_id: format!("c{n}"),
        name: format!("Customer {n}"),
        ..Default::default()
    }
}

fn ledger() -> v1::CreateLedgerRequest {
    v1::CreateLedgerRequest {
        ledger_id: "acme".to_owned(),
        request_id: "ledger".to_owned(),
        currency_code: "EUR".to_owned(),
        time_zone: "Europe/Paris".to_owned(),
        test_clock: Some(v1::TestClock { clock_id: String::new(), start_date: date("2024-01-01") }),
        ..Default::default()
    }
}

/// Sends what there is to do; the positions of what was acknowledged, by number. The ledger is 0.
async fn work(url: &str) -> Vec<(usize, u64)> {
    let mut client = Client::lazy(url, std::time::Duration::from_secs(10));
    let Ok(answer) = client.ledgers.create_ledger(ledger()).await else { return Vec::new() };
    let mut done = vec![(0, answer.into_inner().position)];
    for n in 1..=COMMANDS {
        if let Ok(answer) = client.customers.create_customer(customer(n)).await {
            done.push((n, answer.into_inner().position));
        }
    }
    done
}

/// Without faults all that was acknowledged is there, where it was said to be.
async fn check(data: &Path, done: &[(usize, u64)], what: &str) {
    let server = match Server::try_start(data) {
        Ok(server) => server,
        Err(ran) => panic!("{what}: {ran}"),
    };
    let client = Client::connect(&server.url()).await;
    for (n, position) in done {
        let again = if *n == 0 {
            let again = client.ledgers.clone().create_ledger(ledger()).await.unwrap().into_inner();
            (again.position, again.repeat)
        } else {
            let mut customers = client.customers.clone();
            let again = customers.create_customer(customer(*n)).await.unwrap().into_inner();
            (again.position, again.repeat)
        };
        assert_eq!(again, (*position, true), "{what}: command {n}");
    }
    assert_eq!(server.stop().ran.code, Some(0), "{what}");
    let _ = run(["log", "verify", "--data", data.to_str().unwrap()]).ok();
}

/// The files below a data folder on which a call failed, as strace has written it down.
fn hurt(trace: &Path, data: &Path) -> BTreeSet<String> {
    let below = format!("{}/", data.to_str().unwrap());
    let trace = fs::read_to_string(trace).unwrap_or_default();
    let (mut begun, mut files) = (BTreeMap::new(), BTreeSet::new());
    for line in trace.lines() {
        let (thread, call) = line.split_once(' ').unwrap_or_default();
        // Where another thread called meanwhile, the file is in the first half of two lines.
        if call.ends_with("<unfinished ...>") {
            begun.insert(thread, call);
        } else if call.contains("(INJECTED)") {
            let first = if call.contains("resumed>") { begun.get(thread) } else { None };
            let path = first.unwrap_or(&call).split_once(&below).map(|(_, path)| path);
            files.extend(path.and_then(|path| path.split(['>', '"']).next()).map(str::to_owned));
        }
    }
    files
}

/// Whether the room for a write to this file was taken before: of segments, filled with zeros ahead,
/// and of the anchor, only what is there already is written over.
fn has_room(file: &str) -> bool {
    file == "log/anchor" || (file.starts_with("log/0") && file.ends_with(".seg"))
}

/// One run under a fault; whether nothing was hurt.
async fn one(inject: &str, trace: &str, what: &str, told: &mut Told) -> bool {
    let folder = data_folder();
    let data = folder.path().join("data");
    let written = folder.path().join("trace");
    let strace = ["strace", "-f", "-y", "-o", written.to_str().unwrap(), "-e", trace, "-e", inject];
    let (done, ran) = match Server::try_start_under(&strace, &data) {
        Err(ran) => {
            assert!(ran.code.is_some_and(|code| code != 0), "{what}: {ran}");
            told.not_started += 1;
            (Vec::new(), ran)
        }
        Ok(server) => {
            let done = work(&server.url()).await;
            // Stopped, unless it has ended by itself.
            let ran = server.stop().ran;
            match (ran.code, done.len()) {
                (Some(0), all) if all == COMMANDS + 1 => told.unhurt += 1,
                (Some(0), _) => told.refused += 1,
                _ => {
                    told.ended += 1;
                    let hurt = hurt(&written, &data);
                    // WHY: what finds no room is refused, and goes on where there is some. A write
                    // that fails although its room was taken is no want of room: it is not known
                    // what the disk has, and only a start finds out.
                    let is_right = inject.contains("EMFILE") || hurt.iter().any(|f| has_room(f));
                    assert!(is_right, "{what}: it ends over {hurt:?}: {ran}");
                }
            }
            (done, ran)
        }
    };
    assert!(!ran.stderr.contains("panicked"), "{what}: {ran}");
    let is_unhurt = ran.code == Some(0) && done.len() == COMMANDS + 1;
    if !is_unhurt && ran.code != Some(0) {
        assert!(ran.stderr.contains("error"), "{what}: it says why: {ran}");
    }
    check(&data, &done, what).await;
    is_unhurt
}

/// The numbers to try: each, where `ENCOURS_TEST_EVERY_CALL` is 1, else ever fewer.
fn numbers() -> impl Iterator<Item = usize> {
    let is_every = std::env::var("ENCOURS_TEST_EVERY_CALL").is_ok_and(|every| every == "1");
    (1..RUNS).scan(1, move |next, _| {
        let this = *next;
        *next = if is_every { this + 1 } else { this + 1 + this * 2 / 3 };
        (this < RUNS).then_some(this)
    })
}

fn can_trace() -> bool {
    let can = works("strace", &["-f", "-o", "/dev/null", "true"]);
    if !can {
        println!("skipped: strace is missing, or may not trace here");
    }
    can
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_turns_full_at_any_write_loses_nothing() {
    if !can_trace() {
        return;
    }
    let mut told = Told::default();
    let mut runs = 0;
    for nth in numbers() {
        runs += 1;
        let inject = format!("inject=pwrite64:error=ENOSPC:when={nth}+");
        let what = format!("no room from write {nth} of each thread on");
        if one(&inject, "trace=pwrite64", &what, &mut told).await {
            break;
        }
    }
    assert!(told.unhurt == 1, "a run comes through: {told:?}");
    println!("{runs} runs: {told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_without_descriptors_loses_nothing() {
    if !can_trace() {
        return;
    }
    let mut told = Told::default();
    let (mut runs, mut in_a_row) = (0, 0);
    for nth in numbers() {
        runs += 1;
        let inject = format!("inject=openat:error=EMFILE:when={nth}");
        let what = format!("no descriptor for open {nth} of each thread");
        let is_unhurt = one(&inject, "trace=openat", &what, &mut told).await;
        in_a_row = if is_unhurt { in_a_row + 1 } else { 0 };
        // WHY several: an open that may fail without harm is no end of the loop.
        if in_a_row == 8 {
            break;
        }
    }
    assert!(told.not_started > 0 && told.unhurt > 0, "{told:?}");
    println!("{runs} runs: {told:?}");
}
