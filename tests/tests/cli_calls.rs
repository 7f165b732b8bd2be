//! Calls that get no answer: one clear line, exit code 4, and after a write what may have happened.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use encours_tests::{Ran, Server, data_folder, run};

const UNAVAILABLE: i32 = 4;

/// Runs a verb against a server of this address.
fn ask(line: &str, url: &str) -> Ran {
    run(line.split(' ').chain(["--server", url]))
}

fn one_line(ran: &Ran, says: &str) {
    assert!(ran.stdout.is_empty(), "{ran}");
    assert!(ran.stderr.starts_with("error: ") && ran.stderr.contains(says), "{ran}");
    assert!(ran.stderr.lines().count() <= 2, "a line, and a hint: {ran}");
}

const READ: &str = "customer list --ledger shop --timeout 1";
const WRITE: &str = "ledger create --ledger shop --currency EUR --timeout 1";
const UNKNOWN: &str = "the command may have been carried out or not";

#[test]
fn a_server_that_says_nothing_is_not_waited_for() {
    // Connections are taken in by the system, and nobody reads them.
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", deaf.local_addr().unwrap());
    let begun = Instant::now();
    one_line(&ask(READ, &url).fails(UNAVAILABLE), "no answer in time");
    let ran = ask(WRITE, &url).fails(UNAVAILABLE);
    one_line(&ran, &format!("no answer within 1 s; {UNKNOWN}"));
    assert!(ran.stderr.contains("--request-id"), "{ran}");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[test]
fn a_connection_that_breaks_is_told() {
    let rude = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = rude.local_addr().unwrap();
    let url = format!("http://{address}");
    let done = Arc::new(AtomicBool::new(false));
    let server = std::thread::spawn({
        let done = Arc::clone(&done);
        move || {
            while !done.load(Ordering::SeqCst) {
                let (mut stream, _) = rude.accept().unwrap();
                let _ = stream.read(&mut [0; 64]);
            }
        }
    });
    let [read, write] = [READ, WRITE].map(|line| ask(line, &url));
    done.store(true, Ordering::SeqCst);
    // The one that it waits for.
    drop(TcpStream::connect(address).unwrap());
    server.join().unwrap();
    one_line(&read.fails(UNAVAILABLE), "the connection broke");
    one_line(&write.fails(UNAVAILABLE), UNKNOWN);
}

#[test]
fn a_write_without_an_answer_is_done_once_when_it_is_repeated() {
    let folder = data_folder();
    let server = Server::start(&folder.path().join("data"));
    let url = server.url();
    let write = format!("{WRITE} --request-id r1");
    server.signal("STOP");
    let ran = ask(&write, &url);
    server.signal("CONT");
    one_line(&ran.fails(UNAVAILABLE), UNKNOWN);
    let again = write.replace("--timeout 1", "--timeout 20");
    let _ = ask(&again, &url).ok();
    let again = ask(&again, &url).ok();
    assert!(again.stdout.contains("nothing was appended"), "{again}");
    let listed = ask("ledger list --output csv", &url).ok();
    assert_eq!(listed.stdout.lines().count(), 2, "a header and one ledger: {listed}");
}

#[test]
fn a_watch_outlives_the_limit_of_a_call() {
    let folder = data_folder();
    let server = Server::start(&folder.path().join("data"));
    let url = server.url();
    let waits = std::thread::spawn({
        let url = url.clone();
        move || {
            let watch = "events watch --event ledger.created --limit 1 --output csv --timeout 1";
            ask(watch, &url)
        }
    });
    // What is waited for here is time passing: longer than the limit.
    std::thread::sleep(Duration::from_secs(3));
    let _ = ask("ledger create --ledger shop --currency EUR", &url).ok();
    let watched = waits.join().unwrap().ok();
    assert_eq!(watched.stdout.lines().count(), 2, "{watched}");
}
