//! The command line against a server: files in, tables and CSV out, exit codes that mean something.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use encours_tests::{Client, Ran, Server, data_folder, encours, run};
use tempfile::TempDir;

/// Exit codes, as `encours --help` states them.
const FAILED: i32 = 1;
const USAGE: i32 = 2;
const REFUSED: i32 = 3;
const UNAVAILABLE: i32 = 4;

const GOOD: &str = "\
customer,invoice,issued,due,amount,disputed,paid
c1,F-1,2024-01-02,2024-02-01,100.00,No,2024-01-20
c2,F-2,2024-01-03,2024-01-13,49.90,Yes,2024-02-05
c1,F-3,2024-01-15,2024-02-14,20.10,No,
";
const COLUMNS: &str = "customer_id=customer,invoice_id=invoice,issue_date=issued,due_date=due,\
                       total=amount,disputed=disputed,paid_on=paid";

/// A server, and a folder for the files to import.
struct Desk {
    folder: TempDir,
    server: Server,
}

impl Desk {
    fn open() -> Self {
        let folder = data_folder();
        let server = Server::start(&folder.path().join("data"));
        Self { folder, server }
    }

    /// Runs a client verb.
    fn run(&self, line: &str) -> Ran {
        let url = self.server.url();
        run(line.split(' ').chain(["--server", &url]))
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    fn import(&self, file: &Path, columns: &str) -> Ran {
        let url = self.server.url();
        let arguments = ["--ledger", "shop", "--currency", "EUR", "--columns", columns];
        let file = ["import", file.to_str().unwrap(), "--server", &url];
        run(file.iter().chain(&arguments))
    }

    async fn position(&self) -> u64 {
        Client::connect(&self.server.url()).await.head().await.position
    }
}

fn lines(ran: &Ran) -> Vec<&str> {
    ran.stdout.lines().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_imported_once_and_listed() {
    let desk = Desk::open();
    let file = desk.file("good.csv", GOOD);
    let first = desk.import(&file, COLUMNS).ok();
    let position = desk.position().await;
    let second = desk.import(&file, COLUMNS).ok();
    assert_eq!(desk.position().await, position, "a second import appends nothing: {second}");
    println!("{}", first.stdout.trim());

    let customers = desk.run("customer list --ledger shop --output csv").ok();
    assert_eq!(
        lines(&customers),
        [
            "customer_id,name,currency,status,invoiced,credited,collected,outstanding,overdue,\
             unapplied,net",
            "c1,c1,EUR,AWAITING_PAYMENT,120.10,0.00,100.00,20.10,0.00,0.00,20.10",
            "c2,c2,EUR,UP_TO_DATE,49.90,0.00,49.90,0.00,0.00,0.00,0.00",
        ]
    );
    let invoices = desk.run("invoice list --ledger shop --output csv").ok();
    let listed = lines(&invoices);
    assert_eq!(
        listed[0],
        "invoice_id,number,customer_id,currency,issue_date,due_date,total,open,status,\
         reminder_level,next_step,next_step_date"
    );
    assert_eq!(listed.len(), 4);
    assert!(listed[1].starts_with("F-1,F-1,c1,EUR,2024-01-02,2024-02-01,100.00,0.00,PAID,"));
    assert!(listed[3].starts_with("F-3,F-3,c1,EUR,2024-01-15,2024-02-14,20.10,20.10,NOT_DUE,"));
    let ageing = desk.run("ageing --ledger shop --as-of 2024-01-19 --output csv").ok();
    assert_eq!(
        lines(&ageing),
        [
            "customer_id,currency,not_due,d1_30,d31_60,d61_90,d91_120,d121_plus,unapplied,balance",
            "c1,EUR,120.10,0.00,0.00,0.00,0.00,0.00,0.00,120.10",
            "c2,EUR,0.00,49.90,0.00,0.00,0.00,0.00,0.00,49.90",
            "TOTAL,EUR,120.10,49.90,0.00,0.00,0.00,0.00,0.00,170.00",
        ]
    );
    for verb in ["customer list", "invoice list", "payment list", "ageing"] {
        let json = desk.run(&format!("{verb} --ledger shop --output json")).ok();
        let document: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
        assert!(document.is_object(), "{json}");
        let table = desk.run(&format!("{verb} --ledger shop")).ok();
        assert!(!table.stdout.contains('\u{1b}'), "no colours where nobody sees them: {table}");
        assert!(table.stdout.lines().count() >= 3, "{table}");
    }
    let _ = desk.run("log verify").ok();
    let _ = desk.run("log stat").ok();
    let data = desk.folder.path().join("data");
    let _ = run(["log", "verify", "--data", data.to_str().unwrap()]).ok();
}

/// A bad row, and where it must be said to be wrong: its line and its field.
const BAD_ROWS: [(&str, &str, &str); 8] = [
    ("c1,B-1,2024-13-02,2024-02-01,10.00,No,", "2", "issue_date"),
    ("c1,B-2,2024-01-02,02/01/2024,10.00,No,", "3", "due_date"),
    ("c1,B-3,2024-01-02,2024-02-01,-10.00,No,", "4", "total"),
    ("c1,B-4,2024-01-02,2024-02-01,10.001,No,", "5", "total"),
    ("c1,B-5,2024-01-02,2024-01-01,10.00,No,", "6", "due_date"),
    ("c 1,B-6,2024-01-02,2024-02-01,10.00,No,", "7", "customer_id"),
    ("c1,B-7,2024-01-02,2024-02-01,ten,No,", "8", "total"),
    ("c1,B-8,2024-01-02,2024-02-01,10.00,Maybe,", "9", "disputed"),
];

#[tokio::test(flavor = "multi_thread")]
async fn bad_rows_are_named_and_left_out() {
    let desk = Desk::open();
    let header = GOOD.lines().next().unwrap();
    let rows = BAD_ROWS.map(|(row, ..)| row).join("\n");
    let good = "c9,G-1,2024-01-02,2024-02-01,10.00,No,";
    let twice = "c9,G-1,2024-01-02,2024-02-01,11.00,No,";
    let short = "c9,G-2,2024-01-02";
    let content = format!("{header}\n{rows}\n{good}\n{twice}\n{short}\n");
    let file = desk.file("bad.csv", &content);
    let ran = desk.import(&file, COLUMNS).fails(REFUSED);
    for (row, line, field) in BAD_ROWS {
        let place = format!("{}:{line}: {field}: ", file.display());
        assert!(ran.stderr.contains(&place), "{row}: no {place:?} in {ran}");
    }
    for line in ["11", "12"] {
        let place = format!("{}:{line}: ", file.display());
        assert!(ran.stderr.contains(&place), "no {place:?} in {ran}");
    }
    let listed = desk.run("invoice list --ledger shop --output csv").ok();
    assert_eq!(lines(&listed).len(), 2, "the good row alone: {listed}");
    assert!(listed.stdout.contains("G-1,G-1,c9,EUR,2024-01-02,2024-02-01,10.00,10.00"), "{listed}");
    println!("{}", ran.stderr.trim());

    // The same id with other content in a later file.
    let position = desk.position().await;
    let file = desk.file("later.csv", &format!("{header}\n{twice}\n"));
    let ran = desk.import(&file, COLUMNS).fails(REFUSED);
    assert!(ran.stderr.contains(&format!("{}:2: ", file.display())), "{ran}");
    assert_eq!(desk.position().await, position, "{ran}");
    println!("{}", ran.stderr.trim());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_makes_no_sense_changes_nothing() {
    let desk = Desk::open();
    let position = desk.position().await;
    let file = desk.file("good.csv", GOOD);
    let ran = desk.import(&file, &COLUMNS.replace("=amount", "=sum")).fails(USAGE);
    assert!(ran.stderr.contains("\"sum\"") && ran.stderr.contains("amount"), "{ran}");
    let ran = desk.import(&desk.folder.path().join("missing.csv"), COLUMNS).fails(USAGE);
    assert!(ran.stderr.contains("missing.csv"), "{ran}");
    let empty = desk.file("empty.csv", "");
    let ran = desk.import(&empty, COLUMNS);
    assert!(matches!(ran.code, Some(USAGE | REFUSED)), "{ran}");
    assert!(ran.stderr.contains("empty.csv") || ran.stderr.contains("column"), "{ran}");
    assert_eq!(desk.position().await, position);
}

#[test]
fn verbs_write_and_refuse_with_figures() {
    let desk = Desk::open();
    let _ = desk
        .run("ledger create --ledger shop --currency EUR --time-zone Europe/Paris --test-clock 2024-01-01")
        .ok();
    let _ = desk.run("customer create --ledger shop --customer dupont --name Dupont").ok();
    let issue = "invoice issue --ledger shop --customer dupont --invoice i1 --total 1200.00 --request-id r1";
    let first = desk.run(issue).ok();
    assert!(first.stdout.contains("INV-2024-00001"), "{first}");
    let again = desk.run(issue).ok();
    assert!(again.stdout.contains("nothing was appended"), "{again}");
    let other = desk.run(&issue.replace("1200.00", "1300.00")).fails(REFUSED);
    assert!(other.stderr.contains("REQUEST_ID_REUSED"), "{other}");
    let _ = desk
        .run("payment record --ledger shop --customer dupont --amount 450.00 --invoice i1")
        .ok();
    let shown = desk.run("invoice show i1 --ledger shop").ok();
    assert!(shown.stdout.contains("750.00") && shown.stdout.contains("partially paid"), "{shown}");
    let decimals = desk.run("payment record --ledger shop --customer dupont --amount 1.005");
    assert!(matches!(decimals.code, Some(USAGE | REFUSED)), "{decimals}");
    assert!(decimals.stderr.contains("fraction digits"), "{decimals}");
    let unknown = desk.run("customer show nobody --ledger shop").fails(REFUSED);
    assert!(unknown.stderr.contains("nobody"), "{unknown}");
    let usage = desk.run("invoice list --ledger shop --output xml").fails(USAGE);
    assert!(usage.stderr.contains("csv"), "{usage}");
}

#[test]
fn without_a_server_there_is_one_clear_line() {
    for verb in ["customer list --ledger shop", "ageing --ledger shop", "log verify", "log stat"] {
        let arguments = verb.split(' ').chain(["--server", "http://127.0.0.1:9"]);
        let ran = run(arguments).fails(UNAVAILABLE);
        assert!(ran.stdout.is_empty(), "{ran}");
        assert!(ran.stderr.contains("http://127.0.0.1:9"), "{ran}");
        assert!(ran.stderr.lines().count() <= 2, "a line, and a hint: {ran}");
        assert!(!ran.stderr.contains("panicked"), "{ran}");
    }
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let desk = Desk::open();
    let header = GOOD.lines().next().unwrap();
    let rows: String =
        (0..3_000).map(|n| format!("c{n},F-{n},2024-01-02,2024-02-01,10.00,No,\n")).collect();
    let file = desk.file("many.csv", &format!("{header}\n{rows}"));
    let _ = desk.import(&file, COLUMNS).ok();
    for format in ["csv", "json", "table"] {
        let mut child = Command::new(encours())
            .args(["invoice", "list", "--ledger", "shop", "--output", format])
            .args(["--server", &desk.server.url()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        let mut reader = BufReader::with_capacity(64, child.stdout.take().unwrap());
        reader.read_line(&mut first).unwrap();
        drop(reader);
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.is_empty(), "{format}: {said}");
        assert!(!first.is_empty(), "{format}");
        let code = output.status.code();
        println!("{format}: left after {:?}, exit code {code:?}", first.trim_end());
        assert_eq!(code, Some(0), "{format}");
    }
}

#[test]
fn a_server_is_not_reached_from_other_machines_by_mistake() {
    let folder = data_folder();
    let data = folder.path().join("data");
    for listen in ["0.0.0.0:0", "[::]:0"] {
        let arguments = ["serve", "--data", data.to_str().unwrap(), "--listen", listen];
        let ran = run(arguments).fails(USAGE);
        assert!(ran.stderr.contains("--insecure"), "{ran}");
    }
    assert!(!data.exists(), "nothing is made before the arguments are sound");
}

#[test]
fn where_the_port_is_in_use_nothing_is_made() {
    let folder = data_folder();
    let data = folder.path().join("data");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (listen, metrics) in [(address.as_str(), "127.0.0.1:0"), ("127.0.0.1:0", &address)] {
        let arguments = ["serve", "--data", data.to_str().unwrap(), "--listen", listen];
        let ran = run(arguments.into_iter().chain(["--metrics", metrics])).fails(FAILED);
        assert!(ran.stderr.contains(&format!("cannot listen on {address}")), "{ran}");
        assert!(ran.stderr.contains("port 0 for a free one"), "{ran}");
        assert!(!data.exists(), "nothing is made for a server that cannot serve");
    }
    drop(taken);
    let arguments = ["serve", "--data", data.to_str().unwrap(), "--listen", &address];
    let ran = run(arguments.into_iter().chain(["--metrics", &address])).fails(USAGE);
    assert!(ran.stderr.contains(&format!("both {address}")), "{ran}");
    assert!(!data.exists(), "{ran}");
}

#[tokio::test(flavor = "multi_thread")]
async fn log_tools_answer_alike_with_and_without_a_server() {
    let desk = Desk::open();
    let _ = desk.import(&desk.file("good.csv", GOOD), COLUMNS).ok();
    let asked = desk.run("log verify --output json").ok();
    let data = desk.folder.path().join("data");
    let read = run(["log", "verify", "--output", "json", "--data", data.to_str().unwrap()]).ok();
    let parse = |ran: &Ran| -> serde_json::Value { serde_json::from_str(&ran.stdout).unwrap() };
    let (asked, read) = (parse(&asked), parse(&read));
    for field in ["result", "log_id", "frames", "events", "bytes", "tail_hash"] {
        assert_eq!(asked["log"][0][field], read["log"][0][field], "{field}: {asked} {read}");
        assert!(!asked["log"][0][field].is_null(), "{field}: {asked}");
    }
    let nothing = desk.folder.path().join("nothing");
    let ran = run(["log", "verify", "--data", nothing.to_str().unwrap()]).fails(USAGE);
    assert!(ran.stderr.contains("nothing"), "{ran}");
    assert!(!nothing.exists(), "an audit makes no folder");
}
