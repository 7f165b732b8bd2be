//! The seeds, run through what the targets run: a target that no longer compiles, or a finding that
//! comes back, fails here.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own files"
)]

mod seeds;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use encours_tests::root;
use seeds::seeds;

/// What all seeds together may have, in bytes.
const CORPUS_MAX: u64 = 200 * 1024;

type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 6] = [
    ("frame", encours_doors::frame),
    ("event", encours_doors::event),
    ("journal", encours_doors::journal),
    ("request", encours_doors::request),
    ("csv", encours_doors::csv),
    ("note", encours_doors::note),
];

fn folder() -> PathBuf {
    root().join("tests/fuzz/corpus")
}

fn files_of(target: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder().join(target)).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn every_seed_passes_its_target() {
    for (name, target) in TARGETS {
        let files = files_of(name);
        assert!(files.len() >= 4, "{name} has {} seeds", files.len());
        for file in files {
            println!("{}", file.display());
            target(&fs::read(&file).unwrap());
        }
    }
}

#[test]
fn the_seeds_are_those_of_today() {
    let update = std::env::var_os("ENCOURS_UPDATE_CORPUS").is_some();
    let mut bytes = 0;
    for (target, seeds) in seeds() {
        fs::create_dir_all(folder().join(target)).unwrap();
        for (name, seed) in seeds {
            let path = folder().join(target).join(&name);
            if update {
                fs::write(&path, &seed).unwrap();
            }
            // Seeds of before stay good: what is asked is that every method and event has one.
            assert!(path.exists(), "{target}/{name} is missing: ENCOURS_UPDATE_CORPUS=1 writes it");
        }
        bytes += files_of(target).iter().map(|file| file.metadata().unwrap().len()).sum::<u64>();
    }
    assert!(bytes <= CORPUS_MAX, "the corpus has {bytes} bytes");
}

#[test]
fn every_method_has_its_request_here() {
    let of_contract: BTreeSet<_> = encours_proto::method_paths()
        .iter()
        .map(|path| path.trim_start_matches("/encours.v1.").replacen("Service/", "/", 1))
        .collect();
    let here: BTreeSet<_> = encours_doors::methods().map(str::to_owned).collect();
    assert_eq!(here, of_contract, "add new methods to the end of METHODS");
}

#[test]
fn every_target_has_a_file() {
    let fuzz = folder().parent().unwrap().to_owned();
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    for (name, _) in TARGETS {
        let file = fs::read_to_string(fuzz.join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(file.contains(&format!("encours_doors::{name}(")), "{name}: {file}");
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is not in Cargo.toml");
    }
    assert_eq!(fs::read_dir(fuzz.join("fuzz_targets")).unwrap().count(), TARGETS.len());
}
