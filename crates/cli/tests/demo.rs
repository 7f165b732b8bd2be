//! The demo: what somebody sees first. It needs nothing, leaves nothing, its log is intact, and what
//! it suggests to do next works.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

fn command(temp: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_encours"));
    command.args(arguments).env("TMPDIR", temp).current_dir(temp);
    command
}

fn encours(temp: &Path, arguments: &[&str]) -> Output {
    command(temp, arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A demo that serves: ended when the test ends, also where it fails.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn it_shows_two_years_and_leaves_nothing_behind() {
    let temp = tempfile::tempdir().unwrap();
    let ran = encours(temp.path(), &["demo"]);
    let (out, err) = (text(&ran.stdout), text(&ran.stderr));
    assert!(ran.status.success(), "{err}");
    assert_eq!(err, "", "nothing is said beside");
    for part in [
        "730 days played",
        "60 customers: ",
        " in credit",
        " payment planned",
        " drafts",
        "Ageing on 2026-12-31",
        "2025-09-30",
        "The next reminders",
        "before-due",
        "a direct debit that bounced",
        "invoice.reopened",
        "overdue-1 by email",
        "result     OK",
        "encours-digest-v",
        "encours.v1.CustomerService/ListCustomers",
    ] {
        assert!(out.contains(part), "{part:?} is missing in\n{out}");
    }
    assert!(!out.contains('\u{1b}'), "colours are for terminals");
    let wide = out.lines().filter(|line| line.chars().count() > 110);
    assert_eq!(wide.count(), 0, "a line is too wide for a terminal in\n{out}");
    assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 0);
}

/// What has no place to break it stands on a line of its own: an address of a method, a hash.
#[test]
fn it_fits_narrow_terminals() {
    for (columns, lang) in [("80", "en"), ("40", "en"), ("40", "fr")] {
        let temp = tempfile::tempdir().unwrap();
        let mut demo = command(temp.path(), &["demo", "--lang", lang]);
        let ran = demo.env("COLUMNS", columns).output().unwrap();
        let out = text(&ran.stdout);
        assert!(ran.status.success(), "{}", text(&ran.stderr));
        let most: usize = columns.parse().unwrap();
        let is_broken = |line: &&str| {
            let words = line.trim_end_matches(" \\").split_whitespace().count();
            line.chars().count() > most && words > 1
        };
        let wide: Vec<&str> = out.lines().filter(is_broken).collect();
        assert_eq!(wide, Vec::<&str>::new(), "{columns} columns, {lang}:\n{out}");
        let (_, end) = out.split_once("encours demo --keep").unwrap();
        let end = format!("encours demo --keep{end}").replace("\\\n", " ");
        let commands: Vec<String> =
            end.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(commands, AND_NOW, "each is one command of the shell");
    }
}

/// What is suggested in the end.
const AND_NOW: [&str; 5] = [
    "encours demo --keep ./demo-data",
    "encours serve --data ./demo-data",
    "grpcurl -plaintext -d '{\"ledger_id\":\"atelier-morvan\"}' 127.0.0.1:50051 \
     encours.v1.CustomerService/ListCustomers",
    "encours invoice list --ledger atelier-morvan --status overdue",
    "encours ageing --ledger atelier-morvan --as-of 2026-03-31",
];

#[test]
fn it_can_be_kept_and_checked() {
    let temp = tempfile::tempdir().unwrap();
    let ran = encours(temp.path(), &["demo", "--keep", "kept", "--lang", "fr"]);
    let out = text(&ran.stdout);
    assert!(ran.status.success(), "{}", text(&ran.stderr));
    for part in [
        "facturé",
        "encaissé",
        "encours",
        "reste à utiliser",
        "statut",
        "Balance âgée",
        "Les prochaines relances",
        "relance 1",
        "encours serve --data kept",
    ] {
        assert!(out.contains(part), "{part:?} is missing in\n{out}");
    }
    let checked = encours(temp.path(), &["log", "verify", "--data", "kept", "--output", "csv"]);
    assert!(checked.status.success(), "{}", text(&checked.stderr));
    assert!(text(&checked.stdout).contains("\nOK,"));
    let again = encours(temp.path(), &["demo", "--keep", "kept"]);
    assert_eq!(again.status.code(), Some(2), "a folder that exists is left alone");
    assert!(text(&again.stderr).contains("--keep kept: it exists"));
}

/// The data has all three cases of the reminder plan, and the rest that real books have.
#[test]
fn it_serves_what_it_has_shown_until_it_is_told_to_stop() {
    let temp = tempfile::tempdir().unwrap();
    let mut demo = command(temp.path(), &["demo", "--serve", "--listen", "127.0.0.1:0"]);
    let mut served = Served(demo.stdout(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(served.0.stdout.take().unwrap()).lines();
    let mut shown = String::new();
    let address = loop {
        let line = lines.next().unwrap_or_else(|| panic!("it ended after {shown}")).unwrap();
        if let Some(address) = line.strip_prefix("listening on http://") {
            break address.to_owned();
        }
        shown.push_str(&line);
        shown.push('\n');
    };
    assert!(shown.contains(&format!("  {address} encours.v1.CustomerService/ListCustomers")));
    let server = format!("http://{address}");
    let ask = |line: &str| {
        let mut words: Vec<&str> = line.split(' ').collect();
        words.extend(["--ledger", "atelier-morvan", "--server", &server]);
        let ran = encours(temp.path(), &words);
        assert!(ran.status.success(), "{line}: {}", text(&ran.stderr));
        text(&ran.stdout)
    };
    assert_eq!(ask("customer list --output csv").lines().count(), 61);
    for (filter, least) in [
        ("draft list", 5),
        ("invoice list --kind opening-owed --kind opening-owing", 4),
        ("invoice list --over-limit", 3),
        ("invoice list --dunning stopped", 1),
        ("invoice list --status payment-planned", 1),
    ] {
        let count = ask(&format!("{filter} --output csv")).lines().count() - 1;
        assert!(count >= least, "{filter}: {count}");
    }
    let mut events = ask("events read --output csv --event reminder.emitted,payment_plan.cleared");
    events += &ask("events read --output csv --event payment_plan.lapsed,payment.refunded");
    for part in ["issue-notice", "overdue-4", "plan.cleared", "plan.lapsed", "payment.refunded"] {
        assert!(events.contains(part), "{part} is missing");
    }
    let told = Command::new("kill").args(["-INT", &served.0.id().to_string()]).status().unwrap();
    assert!(told.success());
    assert!(served.0.wait().unwrap().success());
    assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 0, "nothing is left");
}

#[test]
fn it_does_not_listen_beyond_this_machine() {
    let temp = tempfile::tempdir().unwrap();
    let ran = encours(temp.path(), &["demo", "--serve", "--listen", "0.0.0.0:0"]);
    assert_eq!(ran.status.code(), Some(2), "{}", text(&ran.stderr));
    assert_eq!(text(&ran.stdout), "", "that is known before anything is played");
    let ran = encours(temp.path(), &["demo", "--listen", "127.0.0.1:0"]);
    assert_eq!(ran.status.code(), Some(2), "--listen is for --serve");
}
