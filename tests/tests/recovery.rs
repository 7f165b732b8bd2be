//! Starts that are interrupted, and a log that has lost its end.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use encours_sim::Rng;
use encours_tests::{Client, Company, Program, Server, copy, data_folder, every_file, run, swap};
use tempfile::TempDir;

const ROUNDS: u64 = 30;
const SECTOR: usize = 512;
const DAMAGED: i32 = 5;
/// How long anything may take to come about.
const LIMIT: Duration = Duration::from_secs(30);

/// A company of some hundred events in a folder.
async fn company(folder: &TempDir) -> u64 {
    let server = Server::start(folder.path());
    let company = Company::create(Client::connect(&server.url()).await, "acme", "2024-01-01").await;
    company.customer("c1", "One").await;
    for n in 0..100 {
        company.issue(&format!("i{n}"), "c1", "10.00", "2024-02-01").await;
    }
    assert_eq!(server.stop().ran.code, Some(0));
    company.position()
}

fn newest_segment(data: &Path) -> PathBuf {
    let mut files = every_file(&data.join("log")).into_iter();
    let is_segment = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with('0') && name.ends_with(".seg")
    };
    files.rfind(is_segment).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_can_be_killed_at_any_moment() {
    let seed = 5;
    let mut rng = Rng::new(seed);
    let folder = data_folder();
    let position = company(&folder).await;
    // Within the time that a start takes here and now, and a bit more.
    let server = Server::start(folder.path());
    let usual = u64::try_from(server.start_took.as_micros()).unwrap();
    server.kill9();
    let mut was_ready = 0;
    for round in 0..ROUNDS {
        let starting = Program::serve(folder.path());
        let delay = Duration::from_micros(rng.below(usual + usual / 5));
        tokio::time::sleep(delay).await;
        was_ready += u64::from(!starting.kill9().stdout.is_empty());
        let ran = run(["log", "verify", "--data", folder.path().to_str().unwrap()]);
        assert_eq!(ran.code, Some(0), "round {round} (seed {seed}), after {delay:?}: {ran}");
    }
    let server = Server::start(folder.path());
    let client = Client::connect(&server.url()).await;
    let events = client.events_after(0).await;
    assert!(events.iter().zip(1..).all(|(event, position)| event.position == position));
    let invoices = events.iter().filter(|event| event.event == "invoice.issued").count();
    assert_eq!(invoices, 100);
    let head = client.head().await;
    assert!(head.position >= position);
    // That of the company, of the start that was timed, of this one, and those of starts that were killed
    // after they had opened the log.
    assert!(head.epoch > 3, "some start came that far: {}", head.epoch);
    let left = || {
        let is_half_made = |path: &PathBuf| {
            path.extension().is_some_and(|end| end == "tmp") && !path.ends_with("spare.tmp")
        };
        every_file(folder.path()).into_iter().filter(is_half_made).collect::<Vec<_>>()
    };
    // That of a checkpoint goes once the next one is signed, which is soon.
    let begun = Instant::now();
    while !left().is_empty() {
        assert!(begun.elapsed() < LIMIT, "what was left half made is cleaned up: {:?}", left());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    println!(
        "{ROUNDS} starts killed within {usual} us, {was_ready} of them ready; epoch {}, {} events",
        head.epoch,
        events.len()
    );
}

/// Frames of a cleanly stopped log are anchored: without them it must not start.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_has_lost_its_end_is_refused() {
    let folder = data_folder();
    company(&folder).await;
    let segment = newest_segment(folder.path());
    let whole = fs::read(&segment).unwrap();
    // The last byte that is not zero belongs to the last frame; padding follows it.
    let end = whole.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let mut said = Vec::new();
    for lost in [1, SECTOR, 3 * SECTOR] {
        for is_cut in [true, false] {
            // Either the file is shorter, or zeros stand where frames were.
            if is_cut {
                let file = File::options().write(true).open(&segment).unwrap();
                file.set_len((end - lost) as u64).unwrap();
            } else {
                let mut bytes = whole.clone();
                bytes[end - lost..end].fill(0);
                fs::write(&segment, bytes).unwrap();
            }
            let before = fs::read(&segment).unwrap();
            let ran = run(["log", "verify", "--data", folder.path().to_str().unwrap()]);
            let ran = ran.fails(DAMAGED);
            let refused = match Server::try_start(folder.path()) {
                Ok(_) => panic!("a server started on a log without its last {lost} bytes"),
                Err(ran) => ran.fails(DAMAGED),
            };
            assert!(refused.stderr.contains("backup"), "it says what to do: {refused}");
            assert!(fs::read(&segment).unwrap() == before, "what is left is left alone");
            said.push(ran.stderr.lines().next().unwrap_or_default().to_owned());
            fs::write(&segment, &whole).unwrap();
        }
    }
    drop(Server::start(folder.path()));
    println!("{}", said.join("\n"));
}

/// Without its keys nobody can read the customers: a folder that has lost them is not served as if
/// nothing were amiss.
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_without_its_keys_is_refused() {
    let folder = data_folder();
    company(&folder).await;
    fs::rename(folder.path().join("keys"), folder.path().join("aside")).unwrap();
    let Err(ran) = Server::try_start(folder.path()) else {
        panic!("a server started without the keys");
    };
    assert_ne!(ran.code, Some(0), "{ran}");
    assert!(ran.stderr.contains("key"), "{ran}");
    println!("{}", ran.stderr.trim());
    if folder.path().join("keys").exists() {
        fs::remove_dir_all(folder.path().join("keys")).unwrap();
    }
    fs::rename(folder.path().join("aside"), folder.path().join("keys")).unwrap();
    drop(Server::start(folder.path()));
}

/// Starts a server that must not start; what it said.
fn refused(data: &Path, why: &str) -> String {
    let Err(ran) = Server::try_start(data) else { panic!("a server started with {why}") };
    assert!(ran.code.is_some_and(|code| code != 0), "{ran}");
    assert!(!ran.stderr.contains("panicked"), "{ran}");
    ran.stderr.lines().find(|line| line.starts_with("error")).unwrap_or_default().to_owned()
}

/// An older copy of the log, put back without the rest, has lost what the rest has seen: positions
/// must not be given out twice.
#[tokio::test(flavor = "multi_thread")]
async fn an_older_copy_of_the_log_is_not_taken_for_the_log() {
    let folder = data_folder();
    company(&folder).await;
    let backup = data_folder();
    copy(&folder.path().join("log"), backup.path());
    let server = Server::start(folder.path());
    let company = Company::create(Client::connect(&server.url()).await, "acme", "2024-01-01").await;
    company.customer("c2", "Two").await;
    assert_eq!(server.stop().ran.code, Some(0));
    let log = folder.path().join("log");
    fs::rename(&log, folder.path().join("newer")).unwrap();
    copy(backup.path(), &log);
    let said = refused(folder.path(), "an older log");
    assert!(said.contains("log_rolled_back"), "{said}");
    println!("{said}");
    fs::remove_dir_all(&log).unwrap();
    fs::rename(folder.path().join("newer"), &log).unwrap();
    drop(Server::start(folder.path()));
}

/// Parts of two data folders do not make one.
#[tokio::test(flavor = "multi_thread")]
async fn parts_of_two_folders_are_not_mixed() {
    let (one, other) = (data_folder(), data_folder());
    for folder in [&one, &other] {
        company(folder).await;
    }
    let part = |folder: &TempDir, name: &str| folder.path().join(name);
    swap(&part(&one, "keys"), &part(&other, "keys"));
    for folder in [&one, &other] {
        let said = refused(folder.path(), "another log's keys");
        assert!(said.contains("key"), "{said}");
        println!("keys: {said}");
    }
    swap(&part(&one, "keys"), &part(&other, "keys"));
    // What is made again from the log may be another's: it is set aside, or refused, never believed.
    for name in ["views", "snapshots", "requests"] {
        swap(&part(&one, name), &part(&other, name));
        match Server::try_start(one.path()) {
            Err(ran) => {
                assert!(ran.code.is_some_and(|code| code != 0), "{name}: {ran}");
                println!("{name}: {}", ran.stderr.lines().last().unwrap_or_default());
            }
            Ok(server) => {
                assert!(server.said().contains("WARN"), "{name}: {}", server.said());
                let client = Client::connect(&server.url()).await;
                let company = Company::create(client, "acme", "2024-01-01").await;
                company.saw(company.client.head().await.position);
                company.expect_balance("c1", "invoiced 1000.00, outstanding 1000.00").await;
                println!("{name}: set aside");
            }
        }
        swap(&part(&one, name), &part(&other, name));
    }
}
