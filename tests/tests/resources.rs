//! A server that may have few files, few threads or little memory: it turns callers away, loses nothing
//! and is well again once they have left.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use encours_proto::v1;
use encours_tests::{
    Client, Company, NatsServer, Ran, Server, ServerNats, Told, data_folder, encours, fingerprint,
    is_embedded, run, verify,
};
use tempfile::TempDir;
use tokio::task::JoinSet;

const METRICS: [&str; 2] = ["--metrics", "127.0.0.1:0"];
/// Files that the server may have open.
const FILES: u64 = 64;
/// Connections that are opened and do nothing.
const CROWD: usize = 150;
const LIMIT: Duration = Duration::from_secs(60);
/// More threads than a server takes.
const MANY_THREADS: u64 = 200;
/// A while after which threads that have nothing to do might end.
const REST: Duration = Duration::from_secs(12);
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

/// As [`send`], again until each is acknowledged: a disk that is slow makes no room for a moment.
async fn send_all(client: &Client, numbers: std::ops::Range<usize>) -> Vec<(usize, u64)> {
    let begun = Instant::now();
    loop {
        let acknowledged = send(client, numbers.clone()).await;
        if acknowledged.len() == numbers.len() {
            return acknowledged;
        }
        assert!(begun.elapsed() < LIMIT, "{} of {numbers:?}", acknowledged.len());
    }
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

/// A user with no other process, whose threads the system counts; a limit does not bind root.
struct Other {
    user: u32,
    /// Holds a copy of the binary and the data folder, which belongs to the user.
    folder: TempDir,
}

impl Other {
    /// Not where another user cannot be had: the limit would count what else ours runs.
    fn new() -> Option<Self> {
        if !is_embedded("what a node on NATS takes depends on its servers") {
            return None;
        }
        static USERS: AtomicU32 = AtomicU32::new(0);
        // One for each test of each process.
        let user = 60_000_000 + std::process::id() * 8 + USERS.fetch_add(1, Ordering::Relaxed);
        let other = Self { user, folder: data_folder() };
        let public = fs::Permissions::from_mode(0o755);
        fs::set_permissions(other.folder.path(), public.clone()).unwrap();
        fs::copy(encours(), other.binary()).unwrap();
        fs::set_permissions(other.binary(), public).unwrap();
        fs::create_dir(other.data()).unwrap();
        let is_given = chown(other.data(), Some(user), Some(user)).is_ok();
        let prefix = other.prefix(MANY_THREADS);
        let works = Command::new(&prefix[0]).args(&prefix[1..6]).arg("true").status();
        if is_given && works.is_ok_and(|status| status.success()) {
            return Some(other);
        }
        println!("skipped: needs root, and setpriv and prlimit, for a user of its own");
        None
    }

    fn binary(&self) -> PathBuf {
        self.folder.path().join("encours")
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What starts a program as the user, who may have so many threads.
    fn prefix(&self, threads: u64) -> Vec<String> {
        let user = self.user;
        // In place of the binary under test, its copy.
        let copy = format!("shift; exec {} \"$@\"", self.binary().display());
        let ids = format!("setpriv --reuid={user} --regid={user} --clear-groups");
        let limit = format!("prlimit --nproc={threads}");
        let words = ids.split(' ').chain(limit.split(' ')).chain(["sh", "-c", &copy, "sh"]);
        words.map(str::to_owned).collect()
    }

    fn start(&self, threads: u64) -> Result<Server, Ran> {
        self.start_with(threads, &[])
    }

    fn start_with(&self, threads: u64, more: &[String]) -> Result<Server, Ran> {
        let prefix = self.prefix(threads);
        let prefix: Vec<&str> = prefix.iter().map(String::as_str).collect();
        let more: Vec<&str> = METRICS.into_iter().chain(more.iter().map(String::as_str)).collect();
        Server::try_start_with(&prefix, &self.data(), &more)
    }

    /// Sets how many threads the user may have, for a server that runs.
    fn allow(&self, server: &Server, threads: u64) {
        let prefix = self.prefix(threads);
        let limit = [format!("--pid={}", server.pid()), format!("--nproc={threads}:")];
        let set = Command::new(&prefix[0]).args(&prefix[1..5]).args(limit).status();
        assert!(set.unwrap().success(), "the limit can be set");
    }
}

fn ends_well(server: Server) {
    let stopped = server.stop();
    assert_eq!(stopped.ran.code, Some(0), "{}", stopped.ran);
    assert!(!stopped.ran.stderr.contains("panicked"), "{}", stopped.ran);
}

/// Each limit up to the first that suffices: no start says why, and leaves the folder as it was.
#[tokio::test(flavor = "multi_thread")]
async fn with_too_few_threads_there_is_no_start() {
    let Some(other) = Other::new() else { return };
    let server = other.start(MANY_THREADS).unwrap_or_else(|ran| panic!("{ran}"));
    let client = Client::connect(&server.url()).await;
    drop(Company::create(client.clone(), "acme", "2024-01-01").await);
    let acknowledged = send(&client, 0..50).await;
    tokio::task::spawn_blocking(move || ends_well(server)).await.unwrap();
    let before = fingerprint(&other.data());
    let mut limit = 1;
    let server = loop {
        let refused = match other.start(limit) {
            Ok(server) => break server,
            Err(refused) => refused.fails(4),
        };
        for part in ["error: threads: ", " are needed", "ulimit -u"] {
            assert!(refused.stderr.contains(part), "{limit}: {refused}");
        }
        assert!(refused.stderr.contains("not started: threads"), "{limit}: {refused}");
        assert!(!refused.stderr.contains("panicked"), "{limit}: {refused}");
        assert_eq!(fingerprint(&other.data()), before, "{limit}");
        limit += 1;
        assert!(limit < MANY_THREADS, "it starts some time");
    };
    assert!(limit > 5, "{limit}");
    // The first limit that lets it start lets it do all it does.
    let client = Client::connect(&server.url()).await;
    check(&client, &acknowledged).await;
    drop(send_all(&client, 50..100).await);
    assert!(verify(&client).await.intact);
    tokio::task::spawn_blocking(move || ends_well(server)).await.unwrap();
    println!("starts with {limit} threads, and with none of the limits below");
}

/// Reads that take a thread for themselves, so many side by side; how many were answered.
async fn read(client: &Client, count: usize) -> usize {
    let mut calls = JoinSet::new();
    for _ in 0..count {
        let client = client.clone();
        calls.spawn(async move { client.events_after(0).await.len() });
    }
    calls.join_all().await.into_iter().filter(|events| *events > 0).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn with_no_more_threads_it_goes_on_with_those_it_has() {
    let Some(other) = Other::new() else { return };
    let server = other.start(MANY_THREADS).unwrap_or_else(|ran| panic!("{ran}"));
    assert_eq!(server.metric("encours_threads_limit"), Some(MANY_THREADS));
    let client = Client::connect(&server.url()).await;
    let company = Company::create(client.clone(), "acme", "2024-01-01").await;
    let has = server.metric("encours_threads").unwrap();
    // As if other processes of the user had taken the rest.
    other.allow(&server, 1);
    assert_eq!(server.metric("encours_threads_limit"), Some(1));
    let mut acknowledged = send_all(&client, 0..400).await;
    assert_eq!(read(&client, 50).await, 50);
    // Also after a rest, and while one reads the whole log.
    tokio::time::sleep(REST).await;
    let (reads, sent, verified) =
        tokio::join!(read(&client, 50), send_all(&client, 400..800), verify(&client));
    acknowledged.extend(sent);
    assert_eq!((reads, verified.intact), (50, true));
    company.customer("short", "One").await;
    let at_limit = server.metric("encours_threads").unwrap();
    assert!(at_limit <= has, "{at_limit} of {has}");
    check(&client, &acknowledged[..50]).await;
    // Once there are threads again, it takes more of them.
    other.allow(&server, MANY_THREADS);
    assert_eq!(read(&client, 100).await, 100);
    let freed = server.metric("encours_threads").unwrap();
    // A stop that finds none ends well too, and so does the start after it.
    other.allow(&server, 1);
    tokio::task::spawn_blocking(move || ends_well(server)).await.unwrap();
    let server = other.start(MANY_THREADS).unwrap_or_else(|ran| panic!("{ran}"));
    check(&Client::connect(&server.url()).await, &acknowledged).await;
    println!("{at_limit} threads at the limit, {freed} once it was lifted; 800 of 800 commands");
}

/// A follower that cannot start the threads to lead goes on as it is, and leads once it can.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_threads_to_lead_waits_for_them() {
    let Some(other) = Other::new() else { return };
    let Some(nats) = NatsServer::start() else { return };
    let options = ServerNats::new(vec![nats.url()], "main");
    let folder = data_folder();
    let leader = Server::start_on_nats(folder.path(), &options);
    let client = Client::connect(&leader.url()).await;
    drop(Company::create(client.clone(), "acme", "2024-01-01").await);
    let acknowledged = send(&client, 0..50).await;
    let started = other.start_with(MANY_THREADS, &options.arguments());
    let node = started.unwrap_or_else(|ran| panic!("{ran}"));
    other.allow(&node, 1);
    leader.kill9();
    let begun = Instant::now();
    let refused = "this node does not lead code=\"thread\"";
    while !node.said().contains(refused) {
        assert!(begun.elapsed() < LIMIT, "it tries to lead: {}", node.said());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let client = Client::lazy(&node.url(), LIMIT);
    let told = client.customers.clone().create_customer(long(50)).await;
    assert!(Told::from(&told.unwrap_err()).is_of_faults());
    assert!(!client.events_after(0).await.is_empty(), "reads go on");
    other.allow(&node, MANY_THREADS);
    while let Err(status) = client.customers.clone().create_customer(long(50)).await {
        assert!(Told::from(&status).is_of_faults(), "{status:?}");
        assert!(begun.elapsed() < LIMIT, "it leads: {}", node.said());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    check(&client, &acknowledged).await;
    tokio::task::spawn_blocking(move || ends_well(node)).await.unwrap();
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
