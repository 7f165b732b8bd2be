//! A disk without room: writes are refused, reads go on, and once there is room writes do, too.

use std::fs::{self, File};
use std::io::Write as _;
use std::time::{Duration, Instant};

use encours_proto::v1;
use encours_tests::{Client, Company, Server, Told, data_folder, eur};
use tonic::Code;

use crate::image::Image;
use crate::support::{audit, company, start, works};

/// How long it may take until a disk with room is written to again.
const LIMIT: Duration = Duration::from_secs(60);

fn invoice(n: usize) -> v1::IssueInvoiceRequest {
    v1::IssueInvoiceRequest {
        ledger_id: "acme".to_owned(),
        request_id: format!("r{n}"),
        customer_id: "c1".to_owned(),
        total: eur("1.00"),
        text: "t".repeat(4_000),
        ..Default::default()
    }
}

/// Writes until the log finds no room; the positions of what was done.
async fn until_full(company: &Company, from: usize) -> Vec<u64> {
    let mut invoices = company.client.invoices.clone();
    let mut positions = Vec::new();
    loop {
        assert!(positions.len() < 20_000, "it is full some day");
        match invoices.issue_invoice(invoice(from + positions.len())).await {
            Ok(answer) => positions.push(answer.into_inner().position),
            Err(status) => {
                let told = Told::from(&status);
                let is_full = (told.code, &*told.reason) == (Code::ResourceExhausted, "LOG_FULL");
                assert!(is_full, "{told:?}");
                return positions;
            }
        }
    }
}

/// Writes go on within a while, and what was done before is there.
async fn goes_on(company: &Company, positions: &[u64]) -> Duration {
    let mut invoices = company.client.invoices.clone();
    let begun = Instant::now();
    while let Err(status) = invoices.issue_invoice(invoice(positions.len())).await {
        assert_eq!(Told::from(&status).reason, "LOG_FULL", "{status:?}");
        assert!(begun.elapsed() < LIMIT, "it goes on without a restart");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let took = begun.elapsed();
    for (n, position) in positions.iter().enumerate().step_by(101) {
        let again = invoices.issue_invoice(invoice(n)).await.unwrap().into_inner();
        assert_eq!((again.position, again.repeat), (*position, true));
    }
    took
}

/// What was done is told again by its request id, without room, too.
async fn repeats(company: &Company, positions: &[u64]) {
    let mut invoices = company.client.invoices.clone();
    for n in [0, positions.len() / 2, positions.len() - 1] {
        let again = invoices.issue_invoice(invoice(n)).await.unwrap().into_inner();
        assert_eq!((again.position, again.repeat), (positions[n], true), "{n}");
    }
}

async fn reads(company: &Company, positions: &[u64]) {
    company.saw(*positions.last().unwrap());
    let total = format!("outstanding {}.00", positions.len());
    company.expect_balance("c1", &total).await;
}

/// Fills a folder's file system up to so many percent, as `df` counts.
fn fill(server: &Server, filler: &mut File, percent: u64) {
    let chunk = vec![7; 256 * 1024];
    for _ in 0..2_000 {
        if server.metric("encours_disk_used_percent").unwrap() >= percent {
            return;
        }
        if filler.write_all(&chunk).and_then(|()| filler.sync_all()).is_err() {
            return;
        }
    }
    panic!("the file system is never {percent} % full");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_is_told_of_before_it_is_full() {
    let folder = data_folder();
    let image = match Image::make("ext4", 32, &folder.path().join("image")) {
        Ok(image) => image,
        Err(why) => {
            println!("skipped: {why}");
            return;
        }
    };
    let server = start(&image.path().join("data"));
    let company = company(&server, 0).await;
    let mut filler = File::create(image.path().join("filler")).unwrap();
    for level in [70, 85, 95] {
        assert!(!server.said().contains(&format!("level={level}")), "{}", server.said());
        fill(&server, &mut filler, level);
        let line = server.told(&format!("level={level}")).await;
        assert!(line.contains("WARN") && line.contains("disk_filling"), "{line}");
    }
    fill(&server, &mut filler, 101);
    let positions = until_full(&company, 0).await;
    reads(&company, &positions).await;
    repeats(&company, &positions).await;
    let metric = |name| server.metric(name).unwrap();
    assert_eq!(metric("encours_log_full"), 1, "metrics are told by a full disk, too");
    assert_eq!(metric("encours_disk_used_percent"), 100);
    assert!(metric("encours_disk_free_bytes") < 1 << 20, "no room for a segment");
    assert!(server.told("log_full").await.contains("WARN"));

    // A start on a full disk: what is there can be read.
    let data = image.path().join("data");
    server.kill9();
    let server = start(&data);
    let company = Company::existing(Client::connect(&server.url()).await, "acme");
    reads(&company, &positions).await;
    repeats(&company, &positions).await;
    // What the last segment still takes may be written until it is known that there is no other.
    let mut positions = positions;
    positions.extend(until_full(&company, positions.len()).await);
    reads(&company, &positions).await;
    let metric = |name| server.metric(name).unwrap();
    drop(filler);
    fs::remove_file(image.path().join("filler")).unwrap();
    let took = goes_on(&company, &positions).await;
    let _ = server.told("has room again").await;
    assert_eq!(metric("encours_log_full"), 0);
    assert_eq!(server.stop().ran.code, Some(0));
    audit(&data);
    println!(
        "ext4 of 32 MiB, full after {} invoices; writing again {} ms after there was room",
        positions.len(),
        took.as_millis()
    );
}

fn limit(pid: &str, limit: &str) -> bool {
    works("prlimit", &["--pid", pid, &format!("--fsize={limit}:unlimited")])
}

/// A limit of a file's length ends most programs with a signal.
#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_file_length_is_want_of_room() {
    let own = std::process::id().to_string();
    if !works("prlimit", &["--pid", &own, "--fsize"]) {
        println!("skipped: prlimit is missing");
        return;
    }
    let folder = data_folder();
    let server = start(folder.path());
    let company = company(&server, 0).await;
    let pid = server.pid().to_string();
    // From here on no segment of 1 MiB can be made; the one that is there and the spare can be used.
    assert!(limit(&pid, "1048575"), "the limit can be set");
    let positions = until_full(&company, 0).await;
    reads(&company, &positions).await;
    repeats(&company, &positions).await;
    assert!(server.told("log_full").await.contains("WARN"));
    assert!(limit(&pid, "unlimited"), "the limit can be lifted");
    let took = goes_on(&company, &positions).await;
    assert_eq!(server.stop().ran.code, Some(0));
    audit(folder.path());
    println!(
        "no file of 1 MiB: full after {} invoices, writing again {} ms after",
        positions.len(),
        took.as_millis()
    );
}
