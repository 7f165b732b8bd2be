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
fn forty_columns_are_enough() {
    let (_folder, server) = shop();
    for command in ["customer list --ledger shop", "ledger totals --ledger shop", "--help"] {
        let mut narrow = Command::new(encours());
        narrow.args(command.split(' ')).env("ENCOURS_SERVER", server.url()).env("COLUMNS", "40");
        let output = narrow.output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{command}: {printed}");
        let widest = printed.lines().take_while(|line| !line.starts_with("Examples"));
        let widest = widest.map(|line| line.chars().count()).max();
        assert!(widest.unwrap() <= 40, "{command}: {widest:?}: {printed}");
    }
}

#[test]
fn completion_scripts_are_ones_that_a_shell_takes() {
    let script = run(["completions", "bash"]).ok().stdout;
    let folder = data_folder();
    let path = folder.path().join("encours.bash");
    std::fs::write(&path, script).unwrap();
    let checked = Command::new("bash").arg("-n").arg(&path).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let ask = "source \"$1\"; COMP_WORDS=(encours invoice ca); COMP_CWORD=2; \
               _encours encours ca invoice; echo \"${COMPREPLY[@]}\"";
    let asked = Command::new("bash").args(["-c", ask, "bash"]).arg(&path).output().unwrap();
    assert_eq!(String::from_utf8(asked.stdout).unwrap().trim(), "cancel");
}
