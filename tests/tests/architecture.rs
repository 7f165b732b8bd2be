//! The arrows between the crates, as `cargo metadata` tells them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand, Package};

/// What each crate may use of the others.
const ARROWS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("schema", &["domain"]),
    ("log", &["domain"]),
    ("engine", &["domain", "schema", "log"]),
    ("projections", &["domain", "schema", "log"]),
    ("scheduler", &["domain", "engine", "log"]),
    ("proto", &["domain"]),
    ("publisher", &["log", "proto"]),
    ("audit", &["domain", "schema", "log"]),
    ("api", &["domain", "schema", "log", "engine", "projections", "proto", "audit"]),
    (
        "cli",
        &[
            "domain",
            "schema",
            "log",
            "engine",
            "projections",
            "scheduler",
            "proto",
            "publisher",
            "audit",
            "api",
        ],
    ),
    ("doors", &["domain", "schema", "log", "proto", "audit"]),
    ("sim", &["domain", "schema", "log", "engine", "projections", "scheduler", "proto", "api"]),
];

/// Libraries that only these crates may use.
const ROOMS: &[(&str, &[&str])] = &[
    ("sled", &["projections"]),
    ("prost", &["proto"]),
    ("tonic-prost", &["proto"]),
    ("chacha20poly1305", &["engine"]),
    ("ed25519-dalek", &["audit"]),
    ("clap", &["cli"]),
    ("async-nats", &["log", "publisher"]),
    (
        "tokio",
        &[
            "log",
            "engine",
            "projections",
            "scheduler",
            "publisher",
            "api",
            "cli",
            "sim",
            "tests",
            "benches",
        ],
    ),
];

/// All that the domain may use: no I/O, no async, no clock, no randomness.
const DOMAIN: &[&str] = &["serde", "rust_decimal", "chrono"];

fn packages() -> BTreeMap<String, Package> {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let metadata = MetadataCommand::new().manifest_path(manifest).no_deps().exec().unwrap();
    let short = |package: &Package| package.name.trim_start_matches("encours-").to_owned();
    metadata.packages.into_iter().map(|package| (short(&package), package)).collect()
}

fn uses(package: &Package, kind: DependencyKind) -> BTreeSet<String> {
    let of_kind = package.dependencies.iter().filter(|dependency| dependency.kind == kind);
    of_kind.map(|dependency| dependency.name.clone()).collect()
}

fn rooms(uses: &BTreeSet<String>) -> BTreeSet<&str> {
    uses.iter().filter_map(|name| name.strip_prefix("encours-")).collect()
}

#[test]
fn every_arrow_points_the_right_way() {
    let packages = packages();
    let known: BTreeSet<_> = ARROWS.iter().map(|(name, _)| *name).collect();
    let there: BTreeSet<_> = packages.keys().map(String::as_str).collect();
    let unnamed: Vec<_> = there.difference(&known).collect();
    assert_eq!(unnamed, [&"benches", &"tests"], "every crate has its arrows stated here");
    for (name, allowed) in ARROWS {
        let allowed: BTreeSet<&str> = allowed.iter().copied().collect();
        let uses = uses(&packages[*name], DependencyKind::Normal);
        let wrong: Vec<_> = rooms(&uses).difference(&allowed).copied().collect();
        assert!(wrong.is_empty(), "{name} must not use {wrong:?}");
    }
}

#[test]
fn the_simulator_serves_tests_only() {
    for (name, package) in packages() {
        let uses = uses(&package, DependencyKind::Normal);
        let tests = matches!(name.as_str(), "tests" | "benches");
        assert!(tests || !uses.contains("encours-sim"), "{name} uses encours-sim outside tests");
    }
}

#[test]
fn libraries_stay_in_their_rooms() {
    for (name, package) in packages() {
        let uses = uses(&package, DependencyKind::Normal);
        for (library, allowed) in ROOMS {
            let wrong = uses.contains(*library) && !allowed.contains(&name.as_str());
            assert!(!wrong, "{name} must not use {library}");
        }
    }
}

#[test]
fn the_domain_uses_no_input_output_time_or_randomness() {
    let uses = uses(&packages()["domain"], DependencyKind::Normal);
    let wrong: Vec<_> = uses.iter().filter(|name| !DOMAIN.contains(&name.as_str())).collect();
    assert!(wrong.is_empty(), "the domain must not use {wrong:?}");
}
