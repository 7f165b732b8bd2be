//! One process per data folder, and folders that cannot be used.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use encours_tests::{Client, Company, Ran, Server, data_folder, fingerprint};

/// The exit code of a folder that another process has.
const IN_USE: i32 = 6;

/// Starts a server that must not start.
fn refused(data: &Path) -> Ran {
    match Server::try_start(data) {
        Ok(server) => panic!("{} serves {}", server.url(), data.display()),
        Err(ran) => {
            assert_ne!(ran.code, Some(0), "{ran}");
            assert!(!ran.stderr.contains("panicked"), "{ran}");
            ran
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_says_who_holds_the_folder() {
    let folder = data_folder();
    let server = Server::start(folder.path());
    let company = Company::create(Client::connect(&server.url()).await, "a", "2024-01-01").await;
    let ran = refused(folder.path());
    assert_eq!(ran.code, Some(IN_USE), "{ran}");
    assert!(ran.stderr.contains(&server.pid().to_string()), "{ran}");
    let shown = folder.path().to_str().unwrap();
    assert!(ran.stderr.contains(shown), "it names the folder: {ran}");
    println!("{}", ran.stderr.trim());
    company.customer("c1", "The first server goes on").await;
    server.kill9();
    let again = Server::start(folder.path());
    println!("after kill -9 the folder is free: {}", again.url());
}

#[test]
fn the_copy_of_a_log_on_servers_is_not_written_to_alone() {
    let folder = data_folder();
    fs::write(folder.path().join("node"), "0123456789ab").unwrap();
    let ran = refused(folder.path());
    assert_eq!(ran.code, Some(2), "{ran}");
    assert!(ran.stderr.contains("NATS servers keep") && ran.stderr.contains("--nats"), "{ran}");
    assert!(!folder.path().join("log").exists(), "nothing is made");
    fs::remove_file(folder.path().join("node")).unwrap();
    drop(Server::start(folder.path()));
}

#[test]
fn a_folder_that_is_a_file_is_named() {
    let folder = data_folder();
    let path = folder.path().join("data");
    fs::write(&path, "not a folder").unwrap();
    let ran = refused(&path);
    assert!(ran.stderr.contains(path.to_str().unwrap()), "{ran}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "not a folder");
    println!("{}", ran.stderr.trim());
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = data_folder();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let is_root = fs::write(folder.path().join("try"), "").is_ok();
    if is_root {
        println!("skipped: this user may write to read-only folders");
        return;
    }
    let ran = refused(&folder.path().join("data"));
    assert!(ran.stderr.contains("ermission denied"), "{ran}");
    assert!(ran.stderr.contains(folder.path().to_str().unwrap()), "{ran}");
}

/// A folder whose log is gone, but whose keys are not, is no new folder.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_without_its_anchor_is_refused_and_left_alone() {
    let folder = data_folder();
    let server = Server::start(folder.path());
    Company::create(Client::connect(&server.url()).await, "a", "2024-01-01").await;
    assert_eq!(server.stop().ran.code, Some(0));
    let anchor = folder.path().join("log/anchor");
    fs::rename(&anchor, folder.path().join("anchor.aside")).unwrap();
    let before = segments(folder.path());
    let ran = refused(folder.path());
    assert!(ran.stderr.contains("anchor"), "{ran}");
    assert_eq!(segments(folder.path()), before, "no second log is begun");
    fs::rename(folder.path().join("anchor.aside"), anchor).unwrap();
    drop(Server::start(folder.path()));
    println!("{}", ran.stderr.trim());
}

fn segments(data: &Path) -> Vec<String> {
    let lines = fingerprint(&data.join("log")).into_iter();
    lines.filter(|line| line.contains(".seg")).collect()
}
