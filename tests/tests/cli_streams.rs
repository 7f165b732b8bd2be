//! Output that somebody stops reading, events that somebody waits for, terminals that are narrow.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, Stdio};

use encours_tests::{Server, data_folder, encours, run};
use tempfile::TempDir;

const UNAVAILABLE: i32 = 4;

/// A server with a ledger and a customer.
fn shop() -> (TempDir, Server) {
    let folder = data_folder();
    let server = Server::start(&folder.path().join("data"));
    let create = "ledger create --ledger shop --currency EUR --test-clock 2026-01-05";
    write(&server, create);
    write(&server, "customer create --ledger shop --customer dupont --name Dupont");
    (folder, server)
}

fn write(server: &Server, line: &str) {
    let url = server.url();
    let _ = run(line.split(' ').chain(["--server", &url])).ok();
}

fn start(line: &str, server: &Server) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(encours())
        .args(line.split(' '))
        .env("ENCOURS_SERVER", server.url())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::with_capacity(64, child.stdout.take().unwrap());
    (child, lines)
}

/// The exit code and what was said on standard error.
fn end(mut child: Child) -> (Option<i32>, String) {
    let mut said = String::new();
    let code = child.wait().unwrap().code();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    (code, said)
}

fn interrupt(child: &Child) {
    let status = Command::new("kill").args(["-s", "INT", &child.id().to_string()]).status();
    assert!(status.unwrap().success());
}

fn line(reader: &mut BufReader<ChildStdout>) -> serde_json::Value {
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"))
}

/// The number after `--from` in what a command said when it ended.
fn go_on(said: &str) -> u64 {
    let (_, after) = said.split_once("--from ").unwrap_or_else(|| panic!("{said}"));
    after.trim().parse().unwrap_or_else(|error| panic!("{said}: {error}"))
}

#[test]
fn a_watch_ends_with_the_position_to_go_on_from() {
    let (_folder, server) = shop();
    let watch = "events watch --ledger shop --entity invoice,payment --output json";
    let (child, mut lines) = start(watch, &server);
    write(&server, "invoice issue --ledger shop --customer dupont --invoice F-1 --total 10");
    assert_eq!(line(&mut lines)["invoiceIssued"]["invoiceId"], "F-1");
    interrupt(&child);
    let (code, said) = end(child);
    assert_eq!(code, Some(0), "{said}");
    // What was recorded while nobody watched comes first, and nothing comes twice.
    write(&server, "payment record --ledger shop --invoice F-1 --payment P-1");
    let again = format!("{watch} --from {} --limit 2", go_on(&said));
    let (child, mut lines) = start(&again, &server);
    assert_eq!(line(&mut lines)["paymentRecorded"]["paymentId"], "P-1");
    assert_eq!(line(&mut lines)["invoicePaid"]["total"]["units"], "10");
    let (code, said) = end(child);
    assert_eq!(code, Some(0), "{said}");
    let read = format!("events read --ledger shop --from {}", go_on(&said));
    let (child, lines) = start(&read, &server);
    assert_eq!(lines.lines().count(), 1, "the heading alone");
    assert_eq!(end(child).0, Some(0));
}

#[test]
fn a_watch_says_where_to_go_on_when_the_server_stops() {
    let (_folder, server) = shop();
    let (child, mut lines) = start("events watch --ledger shop --output json", &server);
    let mut last = 0;
    while last < 5 {
        last = line(&mut lines)["position"].as_str().unwrap().parse().unwrap();
    }
    let _ = server.stop();
    let (code, said) = end(child);
    assert_eq!(code, Some(UNAVAILABLE), "{said}");
    assert_eq!(go_on(&said), last + 1, "{said}");
    assert_eq!(said.lines().count(), 2, "a line, and what to do: {said}");
}

#[test]
fn whoever_stops_reading_is_no_failure() {
    let (_folder, server) = shop();
    for command in [
        "--help",
        "completions bash",
        "completions zsh",
        "customer list --ledger shop",
        "ledger list --output json",
        "ageing --ledger shop --all",
        "events read --output json",
        "events read",
        "events watch --output csv",
        "log stat",
        "log verify",
    ] {
        let (child, mut lines) = start(command, &server);
        let mut first = [0];
        lines.read_exact(&mut first).unwrap();
        drop(lines);
        if command.contains("watch") {
            // It meets the closed pipe with the next event.
            write(&server, "customer create --ledger shop --name Durand");
        }
        let (code, said) = end(child);
        assert_eq!(code, Some(0), "{command}: {said}");
        assert!(!said.contains("panicked") && !said.contains("error"), "{command}: {said}");
    }
}

#[test]
fn whoever_closes_standard_error_is_no_failure() {
    let (folder, server) = shop();
    let file = folder.path().join("bad.csv");
    std::fs::write(&file, "customer_id,invoice_id,issue_date,total\nc1,F-1,yesterday,1\n").unwrap();
    let import = format!("import {} --ledger other --currency EUR", file.display());
    for (line, code) in [
        (import.as_str(), 3),
        ("customer show nobody --ledger shop", 3),
        ("customer list --leger shop", 2),
        ("events read", 0),
    ] {
        let mut child = Command::new(encours())
            .args(line.split(' '))
            .env("ENCOURS_SERVER", server.url())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stderr.take());
        assert_eq!(child.wait().unwrap().code(), Some(code), "{line}");
    }
}

#[test]
fn a_server_goes_on_when_nobody_reads_what_it_says() {
    let folder = data_folder();
    let mut child = Command::new(encours())
        .args(["serve", "--listen", "127.0.0.1:0", "--segment-mib", "1", "--data"])
        .arg(folder.path().join("data"))
        .env("ENCOURS_LOG", "debug")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stderr.take());
    let mut ready = String::new();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    lines.read_line(&mut ready).unwrap();
    drop(lines);
    let url = ready.trim_end().rsplit_once(' ').map(|(_, url)| url.to_owned()).unwrap_or_default();
    let write = ["ledger", "create", "--ledger", "shop", "--currency", "EUR", "--server", &url];
    let written = run(write);
    let ended = Command::new("kill").args(["-s", "TERM", &child.id().to_string()]).status();
    let code = child.wait().unwrap().code();
    assert!(ended.unwrap().success());
    let _ = written.ok();
    assert_eq!(code, Some(0), "{ready}");
}

/// What a verb prints on a terminal of 40 columns.
fn narrow(command: &str, server: &Server, lang: &str) -> String {
    let mut narrow = Command::new(encours());
    narrow.args(command.split(' ')).env("ENCOURS_SERVER", server.url());
    let output = narrow.env("ENCOURS_LANG", lang).env("COLUMNS", "40").output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{command}: {printed}");
    printed
}

#[test]
fn forty_columns_are_enough() {
    let (_folder, server) = shop();
    write(&server, "invoice issue --ledger shop --customer dupont --invoice F-1 --total 12345.6");
    write(
        &server,
        "payment record --ledger shop --customer dupont --payment P-1 --amount 10 --auto",
    );
    for command in [
        "ageing --ledger shop",
        "customer list --ledger shop",
        "customer show dupont --ledger shop",
        "events read",
        "invoice activity F-1 --ledger shop",
        "invoice list --ledger shop",
        "invoice show F-1 --ledger shop",
        "ledger list",
        "ledger show --ledger shop",
        "ledger totals --ledger shop",
        "payment list --ledger shop",
        "payment show P-1 --ledger shop",
        "--help",
    ] {
        for lang in ["en", "fr"] {
            let printed = narrow(command, &server, lang);
            let widest = printed.lines().take_while(|line| !line.starts_with("Example"));
            let widest = widest.map(|line| line.chars().count()).max();
            assert!(widest.unwrap() <= 40, "{command}: {widest:?}: {printed}");
        }
    }
    let printed = narrow("events read --ledger shop --entity payment", &server, "fr");
    assert!(printed.contains("\nmontant    10,00 EUR\n"), "{printed}");
}

#[test]
fn completion_scripts_are_ones_that_a_shell_takes() {
    let script = run(["completions", "bash"]).ok().stdout;
    let folder = data_folder();
    let path = folder.path().join("encours.bash");
    std::fs::write(&path, script).unwrap();
    let checked = Command::new("bash").arg("-n").arg(&path).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let ask = "source \"$1\"; COMP_WORDS=(encours invoice act); COMP_CWORD=2; \
               _encours encours act invoice; echo \"${COMPREPLY[@]}\"";
    let asked = Command::new("bash").args(["-c", ask, "bash"]).arg(&path).output().unwrap();
    assert_eq!(String::from_utf8(asked.stdout).unwrap().trim(), "activity");
}
