//! `tests/RESULTS.md`: every fault has its row, and the tests that a row names exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use encours_tests::{every_file, root};

use crate::pages::Page;

/// Faults in the list.
const FAULTS: u32 = 41;

/// What stands between backticks in a cell.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// The names of all functions of the workspace's tests.
fn functions() -> BTreeSet<String> {
    let files = ["tests", "crates"].map(|folder| every_file(&root().join(folder)));
    let sources = files.into_iter().flatten();
    let sources = sources.filter(|path| path.extension().is_some_and(|end| end == "rs"));
    let mut names = BTreeSet::new();
    for path in sources {
        for line in fs::read_to_string(path).unwrap().lines() {
            let line = line.trim_start().trim_start_matches("pub(crate) ");
            let name = line.trim_start_matches("async ").strip_prefix("fn ");
            names.extend(name.and_then(|name| name.split('(').next()).map(str::to_owned));
        }
    }
    names
}

#[test]
fn every_fault_has_its_row_and_every_test_it_names_is_there() {
    let page = Page::read(Path::new("tests/RESULTS.md"));
    let functions = functions();
    let mut told = BTreeSet::new();
    for line in page.text.lines().filter(|line| line.starts_with("| F")) {
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [fault, tests, _runs, _date, outcome] = cells[..] else {
            panic!("a row has five cells: {line}");
        };
        told.insert(fault.trim_start_matches('F').parse::<u32>().unwrap());
        let named: Vec<_> = quoted(tests).filter_map(|name| name.rsplit_once("::")).collect();
        for (_, name) in &named {
            assert!(functions.contains(*name), "{fault}: there is no test {name}");
        }
        let covered = !outcome.starts_with("not covered");
        assert_eq!(!named.is_empty(), covered, "{fault}: tests, or why there are none: {line}");
    }
    assert_eq!(told, (1..=FAULTS).collect());
}
