//! A disk that takes its time: queues are bounded, callers hear in time, memory stays flat.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use encours_proto::v1;
use encours_tests::{Client, Company, Server, data_folder, eur};
use tokio::task::JoinSet;
use tonic::{Code, Request};

use crate::support::{audit, company, start, works};

/// How much longer each sync takes, in microseconds.
const DELAY_US: u64 = 600_000;
/// Callers at once, each for a moment only.
const CALLERS: usize = 400;
/// On so many connections. WHY: one on which more than 20 calls at a time are given up before they
/// are looked at is closed, against floods of resets.
const CONNECTIONS: usize = 40;
const PATIENCE: Duration = Duration::from_millis(250);
/// How often so many call.
const ROUNDS: usize = 4;

/// Slows the syncs of a running process; ended when dropped, and the process goes on at full speed.
struct Slowed(Child);

impl Slowed {
    fn begin(server: &Server) -> Self {
        let inject = format!("inject=fdatasync,fsync:delay_exit={DELAY_US}");
        let pid = server.pid().to_string();
        let strace = ["-f", "-q", "-o", "/dev/null", "-e", "trace=fdatasync,fsync", "-e", &inject];
        let mut command = Command::new("strace");
        command.args(strace).args(["-p", &pid]).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Slowed {
    fn drop(&mut self) {
        // Asked, it lets go of the process; killed, too.
        let _ = Command::new("kill").args(["-s", "INT", &self.0.id().to_string()]).status();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(10) {
            if self.0.try_wait().is_ok_and(|status| status.is_some()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// KiB of memory that a process holds.
fn memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().split(' ').next().unwrap().parse().unwrap()
}

fn invoice(n: usize) -> v1::IssueInvoiceRequest {
    v1::IssueInvoiceRequest {
        ledger_id: "acme".to_owned(),
        request_id: format!("s{n}"),
        customer_id: "c1".to_owned(),
        total: eur("1.00"),
        ..Default::default()
    }
}

/// Sends commands whose callers wait for a moment; the numbers of those that were told that it was
/// over.
async fn impatient(clients: &[Client], from: usize) -> Vec<usize> {
    let mut calls = JoinSet::new();
    for n in from..from + CALLERS {
        let mut invoices = clients[n % clients.len()].invoices.clone();
        let mut request = Request::new(invoice(n));
        request.set_timeout(PATIENCE);
        calls.spawn(async move { (n, invoices.issue_invoice(request).await) });
    }
    let begun = Instant::now();
    let answers = calls.join_all().await;
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "callers hear in time: {:?}",
        begun.elapsed()
    );
    let late = answers.into_iter().filter_map(|(n, answer)| Some((n, answer.err()?)));
    // WHY not UNAVAILABLE: their connection is there, and nothing is wrong with the server.
    let known = [Code::DeadlineExceeded, Code::Cancelled];
    late.inspect(|(n, status)| assert!(known.contains(&status.code()), "{n}: {status:?}"))
        .map(|(n, _)| n)
        .collect()
}

/// The log has what was answered once, and what callers gave up once or, where it had not arrived,
/// not at all; how many of these there are.
async fn are_done_once(company: &Company, late: &[usize]) -> usize {
    let mut issued = BTreeMap::new();
    for event in company.client.events_after(0).await {
        let is_ours = event.event == "invoice.issued" && event.request_id.starts_with('s');
        if is_ours {
            *issued.entry(event.request_id).or_insert(0) += 1;
        }
    }
    assert!(issued.values().all(|times| *times == 1), "twice: {issued:?}");
    for n in 0..ROUNDS * CALLERS {
        let id = format!("s{n}");
        assert!(issued.contains_key(&id) || late.contains(&n), "{id} was answered");
    }
    late.iter().filter(|n| issued.contains_key(&format!("s{n}"))).count()
}

/// How many reads come back while a write waits for the disk, over three writes.
async fn beside_writes(company: &Company) -> usize {
    let mut reads = 0;
    for n in 0..3 {
        let mut invoices = company.client.invoices.clone();
        let request = invoice(ROUNDS * CALLERS + n);
        let write = tokio::spawn(async move { invoices.issue_invoice(request).await });
        while !write.is_finished() {
            company.client.head().await;
            company.get_customer("c1").await;
            reads += usize::from(!write.is_finished());
        }
        write.await.unwrap().unwrap();
    }
    reads
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_disk_is_waited_for_within_bounds() {
    if !works("strace", &["-f", "-o", "/dev/null", "true"]) {
        println!("skipped: strace is missing, or may not trace here");
        return;
    }
    let folder = data_folder();
    let server = start(folder.path());
    let company = company(&server, 5).await;
    let count =
        |bucket: &str| server.metric(&format!("encours_fsync_seconds_bucket{{le=\"{bucket}\"}}"));
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        clients.push(Client::connect(&server.url()).await);
    }
    let slowed = Slowed::begin(&server);
    // Until the first slow one is seen.
    let begun = Instant::now();
    let mut n = 0;
    while count("0.5") == count("+Inf") {
        company.issue(&format!("w{n}"), "c1", "1.00", "2024-02-01").await;
        n += 1;
        assert!(begun.elapsed() < Duration::from_secs(30), "syncs are slowed");
    }
    let (before, slow) = (memory(server.pid()), count("0.5"));
    let mut late = Vec::new();
    for round in 0..ROUNDS {
        late.extend(impatient(&clients, round * CALLERS).await);
        assert!(server.metric("encours_queue_depth").unwrap() <= 16_384);
    }
    let after = memory(server.pid());
    assert!(!late.is_empty(), "a deadline of {PATIENCE:?} is passed");
    assert!(after < before + 64 * 1024, "{before} to {after} KiB");
    assert!(count("+Inf") > count("0.5"), "slow syncs are told: {slow:?}");
    let reads = beside_writes(&company).await;
    assert!(reads > 0, "reads do not wait for the disk");
    drop(slowed);
    // The queue is empty once a later write is done: what callers gave up is, too, or never arrived.
    company.issue("last", "c1", "1.00", "2024-02-01").await;
    let done = are_done_once(&company, &late).await;
    let mut repeats = 0;
    for n in &late {
        let again = company.client.invoices.clone().issue_invoice(invoice(*n)).await.unwrap();
        repeats += usize::from(again.into_inner().repeat);
    }
    assert_eq!(repeats, done, "what was given up and done is told as a repeat");
    assert_eq!(are_done_once(&company, &late).await, late.len());
    assert_eq!(server.stop().ran.code, Some(0));
    audit(folder.path());
    println!(
        "{} calls, {} gave up in time, {done} of them done all the same; {reads} reads beside 3 \
         writes; memory {before} to {after} KiB",
        ROUNDS * CALLERS,
        late.len()
    );
}
