//! `tests/RESULTS.md`: every fault has its row, and the tests that a row names exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use encours_tests::{every_file, root};

use crate::pages::Page;

/// Faults in the list.
const FAULTS: u32 = 41;

/// A file of the workspace's sources.
struct Source {
    /// Its path in parts, such as `tests`, `tests`, `nodes`, `skew`.
    path: Vec<String>,
    /// The functions that are run as tests.
    tests: Vec<String>,
}

/// Every file in which tests may be.
fn sources() -> Vec<Source> {
    let files = ["tests", "crates"].map(|folder| every_file(&root().join(folder)));
    let sources = files.into_iter().flatten();
    let sources = sources.filter(|path| path.extension().is_some_and(|end| end == "rs"));
    let read = |path: std::path::PathBuf| {
        let below = path.strip_prefix(root()).unwrap().with_extension("");
        let parts = below.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
        Source { path: parts, tests: tests(&fs::read_to_string(&path).unwrap()) }
    };
    sources.map(read).collect()
}

/// The functions of a source that are run as tests.
fn tests(source: &str) -> Vec<String> {
    let mut tests = Vec::new();
    let mut is_test = false;
    for line in source.lines().map(str::trim_start) {
        is_test |= ["#[test]", "#[tokio::test"].iter().any(|mark| line.starts_with(mark));
        let name = line.trim_start_matches("async ").strip_prefix("fn ");
        if let Some((name, _)) = name.and_then(|name| name.split_once('('))
            && std::mem::take(&mut is_test)
        {
            tests.push(name.to_owned());
        }
    }
    tests
}

/// What a row names, between backticks or not: `nodes/skew.rs::name`, `api connections::name`, a file
/// such as `days.rs`, or all tests of one, as in `lock::*`.
fn named(cell: &str) -> Vec<&str> {
    let mut named = Vec::new();
    for (n, part) in cell.split('`').enumerate() {
        if n % 2 == 1 {
            // What kind of test it is may come first.
            named.push(part.rsplit(": ").next().unwrap_or_default());
        } else {
            let words = part.split([' ', ',', ';', '(', ')']);
            named.extend(words.filter(|word| word.contains("::") || word.ends_with(".rs")));
        }
    }
    named
}

impl Source {
    /// Whether what is named is in it: its path has the parts that are named, in their order.
    fn has(&self, named: &str) -> bool {
        let (file, name) = match named.rsplit_once("::") {
            Some(both) if !named.ends_with(".rs") => both,
            _ => (named, ""),
        };
        let mut parts = self.path.iter();
        let file = file.replace(".rs", "");
        let mut wanted = file.split([':', '/', ' ']).filter(|part| !part.is_empty());
        let is_file = wanted.all(|part| parts.any(|found| found == part));
        let is_name = match name.strip_suffix('*') {
            Some(stem) => self.tests.iter().any(|test| test.starts_with(stem)),
            // A file as a whole, which may hold the cases of a table alone.
            None => name.is_empty() || self.tests.iter().any(|test| test == name),
        };
        is_file && is_name
    }
}

#[test]
fn every_fault_has_its_row_and_every_test_it_names_is_there() {
    let page = Page::read(Path::new("tests/RESULTS.md"));
    let sources = sources();
    let mut told = BTreeSet::new();
    for line in page.text.lines().filter(|line| line.starts_with("| F")) {
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [fault, cell, _runs, _date, outcome] = cells[..] else {
            panic!("a row has five cells: {line}");
        };
        told.insert(fault.trim_start_matches('F').parse::<u32>().unwrap());
        let named = named(cell);
        for name in &named {
            assert!(sources.iter().any(|file| file.has(name)), "{fault}: there is no test {name}");
        }
        let covered = !outcome.starts_with("not covered");
        assert_eq!(!named.is_empty(), covered, "{fault}: tests, or why there are none: {line}");
    }
    assert_eq!(told, (1..=FAULTS).collect());
}
