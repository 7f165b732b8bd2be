//! `encours backup` and `encours restore`: a copy taken beside a writing server is whole or is none, and
//! goes on as the server did, as the same log or as a fork of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

mod beside;
mod damage;
mod folders;
mod fork;
mod live;
mod restore;

use std::path::{Path, PathBuf};

use encours_tests::{Ran, Server, data_folder, run};
use serde_json::Value;
use tempfile::TempDir;

const FAILED: i32 = 1;
const USAGE: i32 = 2;
const REFUSED: i32 = 3;
const DAMAGED: i32 = 5;

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn backup(data: &Path, to: &Path) -> Ran {
    run(["backup", "--output", "json", "--data", text(data), "--to", text(to)])
}

fn verify_only(to: &Path) -> Ran {
    run(["backup", "--verify-only", "--output", "json", "--to", text(to)])
}

fn restore(from: &Path, data: &Path) -> Ran {
    run(["restore", "--output", "json", "--from", text(from), "--data", text(data)])
}

/// The row that a backup or a restore tells.
fn row(ran: Ran) -> Value {
    let told: Value = serde_json::from_str(&ran.ok().stdout).unwrap();
    told["backup"][0].clone()
}

/// The digest of the business facts that a folder's log gives at a position.
fn digest(data: &Path, position: &Value) -> String {
    let position = position.to_string();
    let words = ["replay", "--output", "json", "--data", text(data), "--to", &position];
    let told: Value = serde_json::from_str(&run(words).ok().stdout).unwrap();
    told["digest"].as_str().unwrap().to_owned()
}

fn commands(server: &Server, lines: &[&str]) {
    for line in lines {
        let _ = run(line.split(' ').chain(["--server", &server.url()])).ok();
    }
}

/// A folder with the data of a server that has stopped: two customers with details.
fn folder() -> (TempDir, PathBuf, PathBuf) {
    let folder = data_folder();
    let (data, to) = (folder.path().join("data"), folder.path().join("backup"));
    served(
        &data,
        &[
            "ledger create --ledger shop --currency EUR --test-clock 2026-01-05",
            "customer create --ledger shop --customer dupont --name Dupont --note regular",
            "customer create --ledger shop --customer martin --name Martin",
            "invoice issue --ledger shop --customer dupont --invoice F-1 --total 10",
        ],
    );
    (folder, data, to)
}

/// Runs a server on a folder that is given these commands.
fn served(data: &Path, lines: &[&str]) {
    let server = Server::start(data);
    commands(&server, lines);
    let _ = server.stop();
}

/// One more invoice.
fn go_on(data: &Path, invoice: &str) {
    let line =
        format!("invoice issue --ledger shop --customer martin --invoice {invoice} --total 20");
    served(data, &[&line]);
}

/// What a customer's details say opens.
fn opens_details(server: &Server) {
    let show = ["customer", "show", "dupont", "--ledger", "shop", "--server", &server.url()];
    let shown = run(show).ok();
    assert!(shown.stdout.contains("regular"), "{shown}");
}
