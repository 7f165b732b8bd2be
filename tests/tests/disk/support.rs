//! What the chapters share.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use encours_tests::{Client, Company, Ran, Server, every_file, run};

/// The exit code of a damaged, shortened or missing log.
pub(crate) const DAMAGED: i32 = 5;
/// Has a server tell its metrics on a free port.
pub(crate) const METRICS: [&str; 2] = ["env", "ENCOURS_METRICS=127.0.0.1:0"];

/// How often something is tried: what the variable says, else a number that suits every run.
pub(crate) fn times(variable: &str, usual: usize) -> usize {
    let given = std::env::var(variable).ok();
    given.map_or(usual, |times| times.parse().unwrap_or_else(|_| panic!("{variable}: {times}")))
}

/// Whether a program runs and ends well.
pub(crate) fn works(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    let quiet = command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// Whether this process may do what only root may.
pub(crate) fn is_root() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| {
        let line = status.lines().find_map(|line| line.strip_prefix("CapEff:\t"));
        // CAP_SYS_ADMIN: mounts.
        line.and_then(|caps| u64::from_str_radix(caps, 16).ok()).is_some_and(|c| c >> 21 & 1 == 1)
    })
}

/// A server with metrics.
pub(crate) fn start(data: &Path) -> Server {
    Server::try_start_under(&METRICS, data).unwrap_or_else(|ran| panic!("{ran}"))
}

/// What a server left that must not start.
pub(crate) fn refused(data: &Path) -> Ran {
    let Err(ran) = Server::try_start(data) else { panic!("it serves {}", data.display()) };
    assert!(ran.code.is_some_and(|code| code != 0), "{ran}");
    assert!(!ran.stderr.contains("panicked"), "{ran}");
    ran
}

/// The log is in order.
pub(crate) fn audit(data: &Path) -> Ran {
    run(["log", "verify", "--data", data.to_str().unwrap()]).ok()
}

/// A company of some invoices.
pub(crate) async fn company(server: &Server, invoices: usize) -> Company {
    let client = Client::connect(&server.url()).await;
    let company = Company::create(client, "acme", "2024-01-01").await;
    company.customer("c1", "One").await;
    for n in 0..invoices {
        company.issue(&format!("i{n}"), "c1", "10.00", "2024-02-01").await;
    }
    company
}

/// The newest segment of a data folder's log.
pub(crate) fn newest_segment(data: &Path) -> PathBuf {
    let is_segment = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with('0') && name.ends_with(".seg")
    };
    every_file(&data.join("log")).into_iter().rfind(is_segment).unwrap()
}

/// The byte after the last one of a segment that is not zero.
pub(crate) fn end_of(segment: &Path) -> u64 {
    let bytes = std::fs::read(segment).unwrap();
    bytes.iter().rposition(|byte| *byte != 0).unwrap() as u64 + 1
}
