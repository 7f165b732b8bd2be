//! A disk that takes its time: queues are bounded, callers hear in time, memory stays flat.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use encours_proto::v1;
use encours_tests::{Client, Server, data_folder, eur};
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

/// Sends commands whose callers wait for a moment; how many were told that it was over.
async fn impatient(clients: &[Client], from: usize) -> usize {
    let mut calls = JoinSet::new();
    for n in from..from + CALLERS {
        let mut invoices = clients[n % clients.len()].invoices.clone();
        let mut request = Request::new(invoice(n));
        request.set_timeout(PATIENCE);
        calls.spawn(async move { invoices.issue_invoice(request).await });
    }
    let begun = Instant::now();
    let answers = calls.join_all().await;
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "callers hear in time: {:?}",
        begun.elapsed()
    );
    let late = answers.into_iter().filter_map(Result::err);
    late.inspect(|status| {
        let is_known = [Code::DeadlineExceeded, Code::Cancelled, Code::Unavailable];
        assert!(is_known.contains(&status.code()), "{status:?}");
    })
    .count()
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
    let mut late = 0;
    for round in 0..4 {
        late += impatient(&clients, round * CALLERS).await;
        assert!(server.metric("encours_queue_depth").unwrap() <= 16_384);
    }
    let after = memory(server.pid());
    assert!(late > 0, "a deadline of {PATIENCE:?} is passed");
    assert!(after < before + 64 * 1024, "{before} to {after} KiB");
    assert!(count("+Inf") > count("0.5"), "slow syncs are told: {slow:?}");
    let read = Instant::now();
    let _ = company.client.head().await;
    assert!(read.elapsed() < Duration::from_secs(2), "reads do not wait for the disk");
    drop(slowed);
    // What callers gave up was done all the same, once.
    for n in (0..4 * CALLERS).step_by(97) {
        let answer = company.client.invoices.clone().issue_invoice(invoice(n)).await.unwrap();
        company.saw(answer.into_inner().position);
    }
    assert_eq!(server.stop().ran.code, Some(0));
    audit(folder.path());
    println!("{} calls, {late} gave up in time; memory {before} to {after} KiB", 4 * CALLERS);
}
