//! A fault of the memory that a rebuild finds: what it found wrong never comes back.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;

use encours_proto::v1;
use encours_tests::{Client, Company, Server, copy, data_folder, is_embedded};
use tempfile::TempDir;

use super::{METRICS, MOST, Trial, can_trace, cli, figures, killed_at, play, stop};

/// An amount that nothing else in a process looks like, in cents.
const FAULTY: i64 = 7_391_264_517;

/// Adds a cent wherever a process has that amount in its memory, as a fault might; how often.
fn tamper(pid: u32) -> io::Result<u64> {
    let memory = File::options().read(true).write(true).open(format!("/proc/{pid}/mem"))?;
    let mut found = 0;
    for line in fs::read_to_string(format!("/proc/{pid}/maps"))?.lines() {
        let mut words = line.split_whitespace();
        let (Some(range), Some("rw-p")) = (words.next(), words.next()) else { continue };
        let (start, end) = range.split_once('-').unwrap();
        let at = |hex| u64::from_str_radix(hex, 16).unwrap();
        let mut bytes = vec![0; usize::try_from(at(end) - at(start)).unwrap()];
        // What lies beyond the memory that is there cannot be read.
        if memory.read_exact_at(&mut bytes, at(start)).is_err() {
            continue;
        }
        for (word, place) in bytes.chunks_exact(8).zip((at(start)..).step_by(8)) {
            if word == FAULTY.to_le_bytes() {
                memory.write_all_at(&(FAULTY + 1).to_le_bytes(), place)?;
                found += 1;
            }
        }
    }
    Ok(found)
}

/// A folder whose stored read model is a cent off, and the figures that are right. On the way a server
/// finds that by a rebuild, and mends it. `None` where the memory of a process may not be written.
async fn off_by_a_cent() -> Option<(TempDir, v1::GetLedgerTotalsResponse)> {
    let folder = data_folder();
    let server = Server::start(folder.path());
    play(&server, 0, 0).await;
    let company = Company::existing(Client::connect(&server.url()).await, "acme");
    company.issue("faulty", "ada", "73912645.17", "2024-03-01").await;
    stop(server).await;

    let server = Server::try_start_with(&[], folder.path(), &METRICS).unwrap();
    let right = figures(&server).await;
    if let Err(error) = tamper(server.pid()) {
        println!("skipped: the memory of a process cannot be written here: {error}");
        return None;
    }
    assert_ne!(figures(&server).await, right, "the fault shows");
    let found = cli(&["read-model", "rebuild", "--output", "csv"], &server).await;
    assert_eq!(found.code, Some(5), "{found}");
    assert!(found.stdout.contains("\nDIFFERENT,"), "{found}");
    assert!(found.stderr.contains("read_model_differed: up to position"), "{found}");
    server.told("projection_differs").await;
    assert_eq!(figures(&server).await, right, "the rebuild has mended it");
    let different = "encours_read_model_rebuilds_total{outcome=\"different\"}";
    assert_eq!(server.metric(different), Some(1));
    let _equal = cli(&["read-model", "rebuild"], &server).await.ok();
    // Killed without a word, it comes back right.
    server.kill9();
    let server = Server::start(folder.path());
    assert_eq!(figures(&server).await, right);
    stop(server).await;

    // Read from the log, every page of it is new, and stored as it then is.
    fs::remove_dir_all(folder.path().join("views")).unwrap();
    let server = Server::start(folder.path());
    assert_eq!(figures(&server).await, right);
    assert!(tamper(server.pid()).unwrap() > 0);
    stop(server).await;
    // The state that decides commands was hit too; it is made of the log where it is not stored.
    fs::remove_dir_all(folder.path().join("snapshots")).unwrap();
    Some((folder, right))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_rebuild_found_wrong_never_comes_back_whenever_the_server_is_killed() {
    if !is_embedded("the stored read model is one server's") || !can_trace() {
        return;
    }
    let Some((original, right)) = off_by_a_cent().await else { return };
    let unmended = data_folder();
    copy(original.path(), unmended.path());
    let server = Server::start(unmended.path());
    assert_ne!(figures(&server).await, right, "what is stored is a cent off");
    stop(server).await;
    let (mut step, mut kills, mut told) = (1, 0, 0);
    loop {
        assert!(step < MOST, "a run comes through");
        let trial = data_folder();
        copy(original.path(), trial.path());
        let Trial { killed, differed } = killed_at(step, trial.path(), true).await;
        let server = Server::start(trial.path());
        let shown = figures(&server).await;
        // Who was not told may find it wrong still; who was told never does.
        assert!(shown == right || (killed && !differed), "step {step}: {shown:?}");
        stop(server).await;
        told += u32::from(differed);
        if !killed {
            break;
        }
        kills += 1;
        step += 1;
    }
    // Whether the result comes before a kill depends on the machine; the last run is told in any case.
    assert!(kills > 0 && told > 0, "{kills} kills, {told} times told");
    println!("{kills} kills, {told} times told of the difference");
}
