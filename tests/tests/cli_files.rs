//! Files that are no file of invoices: one clear line that names the place, and nothing is appended.
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
