//! The read model is built anew, at a start or beside the one that answers, and the server is killed at
//! each step of storing it: what was stored before stays until the new one is whole, the next start serves
//! the same, and what was once found wrong never comes back.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

mod live;
mod memory;
mod stored;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use encours_projections::PROJECTION_VERSION;
use encours_proto::v1;
use encours_proto::v1::rebuild_read_model_response::Step;
use encours_tests::{Client, Company, Ran, Server, Told, eur, is_embedded, run};

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

/// Steps to kill at: each one with `ENCOURS_ROUNDS`, else ever fewer.
fn next(step: u32) -> u32 {
    if std::env::var_os("ENCOURS_ROUNDS").is_some() { step + 1 } else { step + 1 + step * 3 / 4 }
}

/// Rebuilds the read model.
async fn rebuild(client: &Client) -> Result<v1::RebuildResult, Told> {
    let request = v1::RebuildReadModelRequest::default();
    let told = |status| Told::from(&status);
    let steps = client.log.clone().rebuild_read_model(request).await;
    let mut steps = steps.map_err(told)?.into_inner();
    let mut result = None;
    while let Some(message) = steps.message().await.map_err(told)? {
        if let Some(Step::Result(found)) = message.step {
            result = Some(found);
        }
    }
    Ok(result.expect("a rebuild ends with a result"))
}

/// What `encours` says to these words and the server's address.
async fn cli(words: &[&str], server: &Server) -> Ran {
    let words = words.iter().map(|word| (*word).to_owned());
    let words: Vec<_> = words.chain(["--server".to_owned(), server.url()]).collect();
    tokio::task::spawn_blocking(move || run(&words)).await.unwrap()
}

/// What the log alone gives is what the server shows.
async fn shows_what_the_log_gives(server: &Server) {
    if is_embedded("the folder holds the log") {
        let data = server.data().to_str().unwrap();
        let _equal = cli(&["replay", "--data", data], server).await.ok();
    }
}

/// What a run that may be killed came to.
struct Trial {
    killed: bool,
    /// Whether it told that a rebuild found the read model to differ from the log.
    differed: bool,
}

/// Starts on the folder, rebuilds the read model where that is wanted, and stops, killed at the n-th step
/// of a thread that touches the stored read model.
async fn killed_at(step: u32, data: &Path, rebuilds: bool) -> Trial {
    let views = data.join("views");
    let stored = views.join(format!("v{PROJECTION_VERSION}"));
    let db = stored.join("db");
    let inject = format!(
        "inject=pwrite64,fdatasync,fsync,rename,unlink,unlinkat,mkdir,ftruncate,openat:signal=SIGKILL:when={step}"
    );
    let (older, old_db) = (views.join("v1"), views.join("v1/db"));
    let mark = views.join(format!(".suspect-v{PROJECTION_VERSION}"));
    let paths = [&views, &stored, &db, &older, &old_db, &mark].map(|path| path.to_str().unwrap());
    let trace = "trace=pwrite64,fdatasync,fsync,rename,unlink,unlinkat,mkdir,ftruncate,openat";
    let mut strace = vec!["strace", "-f", "-qq", "-o", "/dev/null", "-e", trace, "-e", &inject];
    strace.extend(paths.iter().flat_map(|path| ["-P", path]));
    let Ok(server) = Server::try_start_under(&strace, data) else {
        return Trial { killed: true, differed: false };
    };
    let mut differed = false;
    if rebuilds {
        let client = Client::lazy(&server.url(), Duration::from_secs(60));
        differed = rebuild(&client).await.is_ok_and(|rebuilt| rebuilt.differs);
        // Some kills come in the checkpoint that follows it by itself.
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    // A kill at its start may come a moment after it was ready.
    let stopped = tokio::task::spawn_blocking(move || server.stop()).await.unwrap();
    Trial { killed: stopped.ran.code != Some(0), differed }
}

/// Whether strace works here.
fn can_trace() -> bool {
    let works = Command::new("strace")
        .args(["-f", "-o", "/dev/null", "true"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let works = works.is_ok_and(|status| status.success());
    if !works {
        println!("skipped: strace is missing, or may not trace here");
    }
    works
}
