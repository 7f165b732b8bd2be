//! The server is killed at each step of storing the read model: what was stored before stays until the
//! new one is whole, and the next start serves the same.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use encours_projections::{Checkpoint, PROJECTION_VERSION};
use encours_proto::v1;
use encours_tests::{Client, Company, Server, copy, data_folder, eur, is_embedded};
use tempfile::TempDir;

/// The most steps that are looked for.
const MOST: u32 = 400;
const METRICS: [&str; 2] = ["--metrics", "127.0.0.1:0"];

/// A company of one customer with this many invoices more than before.
async fn play(server: &Server, from: usize, to: usize) -> v1::GetLedgerTotalsResponse {
    let company = Company::create(Client::connect(&server.url()).await, "acme", "2024-01-01").await;
    if from == 0 {
        company.customer("ada", "Ada").await;
    }
    for n in from..to {
        let request = v1::IssueInvoiceRequest {
            ledger_id: "acme".to_owned(),
            invoice_id: format!("i{n}"),
            customer_id: "ada".to_owned(),
            total: eur("10.00"),
            ..Default::default()
        };
        let answer = company.client.invoices.clone().issue_invoice(request).await.unwrap();
        company.saw(answer.into_inner().position);
    }
    figures(server).await
}

async fn figures(server: &Server) -> v1::GetLedgerTotalsResponse {
    let company = Company::existing(Client::connect(&server.url()).await, "acme");
    company.saw(company.client.head().await.position);
    v1::GetLedgerTotalsResponse { position: 0, ..company.totals().await }
}

async fn stop(server: Server) {
    let stopped = tokio::task::spawn_blocking(move || server.stop()).await.unwrap();
    assert_eq!(stopped.ran.code, Some(0), "{}", stopped.ran);
}

/// Whether a copy of the folder has a checkpoint that is whole.
fn is_whole(data: &Path) -> bool {
    let scratch = data_folder();
    copy(&data.join("views"), scratch.path());
    Checkpoint::load(scratch.path()).known().is_some()
}

/// Steps to kill at: each one with `ENCOURS_ROUNDS`, else ever fewer.
fn next(step: u32) -> u32 {
    if std::env::var_os("ENCOURS_ROUNDS").is_some() { step + 1 } else { step + 1 + step * 3 / 4 }
}

/// Starts on the folder, plays some more and stops, killed at the n-th step of a thread that touches
/// the stored read model; `None` where it came to its end.
async fn killed_at(step: u32, data: &Path) -> Option<()> {
    let views = data.join("views");
    let stored = views.join(format!("v{PROJECTION_VERSION}"));
    let db = stored.join("db");
    let inject = format!(
        "inject=pwrite64,fdatasync,fsync,rename,unlink,unlinkat,mkdir,ftruncate,openat:signal=SIGKILL:when={step}"
    );
    let (older, old_db) = (views.join("v1"), views.join("v1/db"));
    let paths = [&views, &stored, &db, &older, &old_db].map(|path| path.to_str().unwrap());
    let trace = "trace=pwrite64,fdatasync,fsync,rename,unlink,unlinkat,mkdir,ftruncate,openat";
    let mut strace = vec!["strace", "-f", "-qq", "-o", "/dev/null", "-e", trace, "-e", &inject];
    strace.extend(paths.iter().flat_map(|path| ["-P", path]));
    let Ok(server) = Server::try_start_under(&strace, data) else { return Some(()) };
    // A kill at its start may come a moment after it was ready.
    let stopped = tokio::task::spawn_blocking(move || server.stop()).await.unwrap();
    (stopped.ran.code != Some(0)).then_some(())
}

/// A folder whose checkpoint is behind the log, with one of an older version beside it.
async fn behind(with_own: bool) -> (TempDir, v1::GetLedgerTotalsResponse) {
    let folder = data_folder();
    let server = Server::start(folder.path());
    play(&server, 0, 20).await;
    stop(server).await;
    let server = Server::start(folder.path());
    let figures = play(&server, 20, 60).await;
    server.kill9();
    let views = folder.path().join("views");
    if !with_own {
        fs::remove_dir_all(views.join(format!("v{PROJECTION_VERSION}"))).unwrap();
    }
    let older = views.join("v1");
    fs::create_dir_all(&older).unwrap();
    fs::write(older.join("db"), "of an older version").unwrap();
    (folder, figures)
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_step_of_storing_it_the_next_start_serves_the_same() {
    if !is_embedded("the steps of a server alone are counted") {
        return;
    }
    let works = Command::new("strace")
        .args(["-f", "-o", "/dev/null", "true"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if !works.is_ok_and(|status| status.success()) {
        println!("skipped: strace is missing, or may not trace here");
        return;
    }
    let mut kills = 0;
    for with_own in [true, false] {
        let (original, figures_before) = behind(with_own).await;
        let mut step = 1;
        loop {
            assert!(step < MOST, "a run comes through");
            let trial = data_folder();
            copy(original.path(), trial.path());
            let killed = killed_at(step, trial.path()).await.is_some();
            let views = trial.path().join("views");
            let whole = is_whole(trial.path());
            let what =
                format!("step {step}, {}", if with_own { "anew" } else { "for the first time" });
            // The old one is there until the new one is whole; one that was whole stays so.
            assert!(whole || views.join("v1").exists(), "{what}");
            assert!(whole || !with_own, "{what}: the checkpoint of before is gone");
            let server = Server::try_start_with(&[], trial.path(), &METRICS).unwrap();
            assert_eq!(figures(&server).await, figures_before, "{what}");
            let version = server.metric("encours_projection_version");
            assert_eq!(version, Some(PROJECTION_VERSION.into()), "{what}");
            stop(server).await;
            assert!(is_whole(trial.path()), "{what}");
            assert!(!views.join("v1").exists(), "{what}: the older version is retired");
            if !killed {
                break;
            }
            kills += 1;
            step = next(step);
        }
    }
    assert!(kills > 4, "some run was killed: {kills}");
    println!("{kills} kills");
}
