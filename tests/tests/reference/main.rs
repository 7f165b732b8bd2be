//! The reference in `docs/reference` is what the contract says: a page for each file of
//! `proto/encours/v1`, made of its comments.
//!
//! `ENCOURS_UPDATE_REFERENCE=1 cargo test -p encours-tests --test reference` writes the pages; the
//! table of `errors.md` is held to the code by a test of `encours-api`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own files"
)]

mod contract;
mod page;

use std::collections::BTreeSet;
use std::fs;

use encours_tests::root;
use prost_types::EnumValueDescriptorProto;

use crate::contract::Contract;

const HOW: &str = "ENCOURS_UPDATE_REFERENCE=1 cargo test -p encours-tests --test reference";

/// The page that is not made here.
const ERRORS: &str = "errors.md";

#[test]
fn the_pages_say_what_the_contract_says() {
    let folder = root().join("docs/reference");
    let pages = page::all(&Contract::read());
    if std::env::var_os("ENCOURS_UPDATE_REFERENCE").is_some() {
        for (name, text) in &pages {
            fs::write(folder.join(name), text).unwrap();
        }
    }
    for (name, text) in &pages {
        let there = fs::read_to_string(folder.join(name)).unwrap_or_default();
        let other = there.lines().zip(text.lines()).position(|(there, made)| there != made);
        let line = other.unwrap_or(there.lines().count().min(text.lines().count())) + 1;
        assert!(there == *text, "docs/reference/{name}:{line} is not what the protos say: {HOW}");
    }
    let made: BTreeSet<_> = pages.into_keys().chain([ERRORS.to_owned()]).collect();
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let there: BTreeSet<_> = names.map(|name| name.into_string().unwrap()).collect();
    assert_eq!(there, made, "docs/reference holds a page for each file of the contract");
}

#[test]
fn comments_name_reasons_and_values_that_exist() {
    let contract = Contract::read();
    let errors = fs::read_to_string(root().join("docs/reference").join(ERRORS)).unwrap();
    let mut known: BTreeSet<_> = capitals(&errors).collect();
    let values = contract.files().flat_map(|file| &file.enum_type).flat_map(|kind| &kind.value);
    known.extend(values.map(EnumValueDescriptorProto::name));
    for comment in contract.comments() {
        for name in capitals(comment) {
            assert!(known.contains(name), "`{name}` is no reason, code or value: {comment}");
        }
    }
}

/// The names in backticks that are written as reasons, codes and values of enums are.
fn capitals(text: &str) -> impl Iterator<Item = &str> {
    let spans = text.split('`').skip(1).step_by(2);
    spans.filter(|span| {
        span.contains('_') && span.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
    })
}
