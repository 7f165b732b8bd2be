//! The demo: what somebody sees first. It needs nothing, leaves nothing, and its log is intact.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::path::Path;
use std::process::{Command, Output};

fn encours(temp: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_encours"))
        .args(arguments)
        .env("TMPDIR", temp)
        .current_dir(temp)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
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
        "Ageing on 2026-12-31",
        "2025-09-30",
        "a direct debit that bounced",
        "invoice.reopened",
        "result     OK",
        "encours-digest-v1:",
    ] {
        assert!(out.contains(part), "{part:?} is missing in\n{out}");
    }
    assert!(!out.contains('\u{1b}'), "colours are for terminals");
    assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 0);
}

#[test]
fn it_can_be_kept_and_checked() {
    let temp = tempfile::tempdir().unwrap();
    let ran = encours(temp.path(), &["demo", "--keep", "kept", "--lang", "fr"]);
    let out = text(&ran.stdout);
    assert!(ran.status.success(), "{}", text(&ran.stderr));
    for part in ["facturé", "encaissé", "encours", "reste à utiliser", "Balance âgée"] {
        assert!(out.contains(part), "{part:?} is missing in\n{out}");
    }
    let checked = encours(temp.path(), &["log", "verify", "--data", "kept", "--output", "csv"]);
    assert!(checked.status.success(), "{}", text(&checked.stderr));
    assert!(text(&checked.stdout).contains("\nOK,"));
    let again = encours(temp.path(), &["demo", "--keep", "kept"]);
    assert_eq!(again.status.code(), Some(2), "a folder that exists is left alone");
    assert!(text(&again.stderr).contains("--keep kept: it exists"));
}
