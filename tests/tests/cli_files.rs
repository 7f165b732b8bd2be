//! Files: those that are no file of invoices are refused in one clear line that names the place, and
//! nothing is appended; those that are written are there once they are whole.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

use std::fs;

use encours_tests::{Ran, Server, data_folder, run};
use tempfile::TempDir;

const USAGE: i32 = 2;
const REFUSED: i32 = 3;

const HEADER: &str = "customer_id,invoice_id,issue_date,total,paid_on\n";

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

    fn import(&self, bytes: &[u8], more: &[&str]) -> Ran {
        let file = self.folder.path().join("f.csv");
        fs::write(&file, bytes).unwrap();
        let url = self.server.url();
        let words = ["import", file.to_str().unwrap(), "--server", &url, "--ledger", "shop"];
        run(words.iter().chain(&["--currency", "EUR"]).chain(more))
    }

    fn events(&self) -> usize {
        let url = self.server.url();
        run(["events", "read", "--output", "csv", "--server", &url]).ok().stdout.lines().count()
    }

    /// Checks that a file is refused with one line that names the place, and that nothing is appended.
    fn refuses(&self, bytes: &[u8], code: i32, says: &str) {
        let before = self.events();
        let ran = self.import(bytes, &[]).fails(code);
        assert!(ran.stdout.is_empty(), "{ran}");
        assert!(ran.stderr.starts_with("error: "), "{ran}");
        assert!(ran.stderr.contains(says), "no {says:?} in {ran}");
        assert_eq!(ran.stderr.lines().count(), 2, "a line, and what to do: {ran}");
        assert!(ran.stderr.lines().all(|line| line.chars().count() < 600), "{ran}");
        assert_eq!(self.events(), before, "{ran}");
    }
}

#[test]
fn files_that_make_no_sense_are_refused_as_a_whole() {
    let desk = Desk::open();
    let good = "c1,F-1,2024-01-05,10.00,\n";
    let with = |rows: &str| format!("{HEADER}{good}{rows}").into_bytes();
    let open = with("c1,\"F-2,2024-01-06,10.00,\nc1,F-3,2024-01-07,10.00,\n");
    desk.refuses(&open, USAGE, "f.csv:3: invoice_id: the quote that opens here");
    let mut latin = with("");
    latin.extend_from_slice(b"Caf\xe9,F-2,2024-01-06,10.00,\n");
    desk.refuses(&latin, USAGE, "f.csv:3: customer_id: has bytes that are not UTF-8");
    let text = format!("\u{feff}{HEADER}{good}");
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    desk.refuses(&wide, USAGE, "f.csv:1: the file is in UTF-16");
    let semicolons = HEADER.replace(',', ";") + &good.replace(',', ";");
    desk.refuses(semicolons.as_bytes(), USAGE, "';' seems to stand between fields");
    let twice = HEADER.replace("paid_on", "total");
    desk.refuses(twice.as_bytes(), USAGE, "f.csv:1: \"total\" is the name of columns 4 and 5");
    let wide = format!("{}\n", "x".repeat(1_000_000));
    desk.refuses(wide.as_bytes(), USAGE, "customer_id must be given");
    assert!(desk.import(semicolons.as_bytes(), &["--delimiter", ";"]).code == Some(0));
}

#[test]
fn a_huge_field_is_told_by_its_beginning() {
    let desk = Desk::open();
    let huge = "9".repeat(1_000_000);
    let rows = format!("{HEADER}c1,F-1,2024-01-05,{huge},\nc1,F-2,{huge},1,\nc1,{huge},x,1,\n");
    let ran = desk.import(rows.as_bytes(), &[]).fails(REFUSED);
    for place in ["f.csv:2: total: ", "f.csv:3: issue_date: ", "f.csv:4: invoice_id: "] {
        assert!(ran.stderr.contains(place), "no {place:?} in {ran}");
    }
    assert!(ran.stderr.len() < 2_000, "{} bytes", ran.stderr.len());
}

#[test]
fn a_mistyped_year_does_not_move_the_clock() {
    let desk = Desk::open();
    let rows = "c1,F-1,2024-01-05,10.00,2024-02-01\nc1,F-2,2024-01-06,10.00,2062-02-01\n";
    let file = format!("{HEADER}{rows}");
    let says = "f.csv:3: paid_on: 2062-02-01 lies 38 years after 2024-02-01";
    desk.refuses(file.as_bytes(), REFUSED, says);
    let past = format!("{HEADER}{}", rows.replace("2062", "2024").replacen("2024", "1924", 1));
    let says = "f.csv:3: issue_date: 2024-01-06 lies 100 years after 1924-01-05";
    desk.refuses(past.as_bytes(), REFUSED, says);
    // From the ledger's today on, too.
    let today = format!("{HEADER}c1,F-1,2024-01-05,10.00,\n");
    let _ = desk.import(today.as_bytes(), &[]).ok();
    let later = format!("{HEADER}c1,F-2,2036-01-05,10.00,\n");
    let says = "f.csv:2: issue_date: 2036-01-05 lies 12 years after 2024-01-05";
    desk.refuses(later.as_bytes(), REFUSED, says);
    let ran = desk.import(later.as_bytes(), &["--max-gap", "13"]).ok();
    assert!(ran.stdout.contains("days opened"), "{ran}");
}

#[test]
fn an_export_is_the_same_as_a_file_and_never_half_a_file() {
    let desk = Desk::open();
    let rows: String =
        (0..2_500).map(|at| format!("c{},F-{at},2024-01-05,{at}.50,\n", at % 7)).collect();
    let _ = desk.import(format!("{HEADER}{rows}").as_bytes(), &[]).ok();
    let url = desk.server.url();
    let file = desk.folder.path().join("out.csv");
    let export = |more: &[&str]| {
        let words = ["export", "invoices", "--ledger", "shop", "--server", &url];
        run(words.iter().chain(more))
    };
    let printed = export(&[]).ok().stdout;
    assert_eq!(printed.lines().count(), 2_501);
    assert!(printed.ends_with("\r\n"), "lines end as RFC 4180 has it");
    let to_file = ["--out", file.to_str().unwrap()];
    assert_eq!(export(&to_file).ok().stdout, "");
    assert_eq!(fs::read_to_string(&file).unwrap(), printed);
    fs::write(&file, "kept").unwrap();
    let refused = export(&to_file).fails(USAGE);
    assert!(refused.stderr.contains("it exists"), "{refused}");
    let unknown = [&to_file[..], &["--force", "--customer", "nobody"]].concat();
    let _ = export(&unknown).fails(REFUSED);
    assert_eq!(fs::read_to_string(&file).unwrap(), "kept", "what fails replaces nothing");
    let _ = export(&[&to_file[..], &["--force"]].concat()).ok();
    assert_eq!(fs::read_to_string(&file).unwrap(), printed);
    let names = fs::read_dir(desk.folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let parts = names.filter(|name| name.to_string_lossy().ends_with(".part")).count();
    assert_eq!(parts, 0);
}

#[test]
fn a_thousand_drafts_and_more_are_issued_at_once() {
    let desk = Desk::open();
    let url = desk.server.url();
    let ask = |line: &str| run(line.split(' ').chain(["--ledger", "shop", "--server", &url]));
    let _ = ask("ledger create --currency EUR --test-clock 2024-01-05").ok();
    let _ = ask("customer create --customer c1 --name C1").ok();
    for at in 0..3 {
        let line = format!("draft create --customer c1 --invoice F-{at} --total {at}.50");
        let _ = ask(&line).ok();
    }
    // Most of these are not there: each is told of, in its place, over more than one batch.
    let many: Vec<String> = (0..1_100).map(|at| format!("F-{at}")).collect();
    let issued = ask(&format!("draft issue {} --sent --output csv", many.join(" "))).fails(REFUSED);
    assert_eq!(issued.stdout.lines().count(), 1_101);
    assert_eq!(issued.stdout.matches(",DONE,").count(), 3, "{}", issued.stderr);
    assert_eq!(issued.stdout.matches(",REFUSED,").count(), 1_097);
    assert!(issued.stdout.lines().last().unwrap().starts_with("F-1099,"));
    assert!(issued.stderr.contains("refused: 1097 of 1100 drafts"), "{}", issued.stderr);
    let again = ask("draft issue F-0 F-1 F-2 --sent --output csv").ok();
    assert_eq!(again.stdout.matches(",DONE_BEFORE,").count(), 3, "{again}");
    let listed = ask("invoice list --dunning none --issued 2024-01-05 --output csv").ok();
    assert_eq!(listed.stdout.lines().count(), 4, "{listed}");
}
