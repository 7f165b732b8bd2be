//! The reference in `docs/reference` is what the contract says: a page for each file of
//! `proto/encours/v1`, made of its comments, and the public stream as an AsyncAPI document.
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

mod asyncapi;
mod contract;
mod page;

use std::collections::BTreeSet;
use std::fs;

use encours_tests::root;
use prost_types::EnumValueDescriptorProto;

use crate::contract::Contract;

const HOW: &str = "ENCOURS_UPDATE_REFERENCE=1 cargo test -p encours-tests --test reference";

/// A message of each event as it was published; a test of the publisher holds them to what it sends.
const MESSAGES: &str = "tests/tests/publisher/messages.jsonl";

/// The page that is not made here.
const ERRORS: &str = "errors.md";

#[test]
fn the_pages_say_what_the_contract_says() {
    let folder = root().join("docs/reference");
    let contract = Contract::read();
    let mut pages = page::all(&contract);
    let messages = fs::read_to_string(root().join(MESSAGES)).unwrap();
    pages.insert(asyncapi::NAME.to_owned(), asyncapi::document(&contract, &messages));
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
fn subscribers_are_told_every_subject() {
    const HEAD: &str = "| subject | when | body |";
    let path = root().join("docs/subscribers.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(HEAD).expect("the page has the table of subjects");
    let after = rest.find("\n\n").map_or("", |end| &rest[end + 1..]);
    let wanted = format!("{before}{}{after}", asyncapi::table(&Contract::read()));
    if std::env::var_os("ENCOURS_UPDATE_REFERENCE").is_some() {
        fs::write(path, wanted).unwrap();
        return;
    }
    assert!(
        page == wanted,
        "the subjects in docs/subscribers.md are not those of the protos: {HOW}"
    );
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
