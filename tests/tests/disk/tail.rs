//! A log that has lost its end: what was never acknowledged is dropped, what was is missed.

use std::fs::{self, File};
use std::path::Path;

use encours_log::{LogError, OsDisk, verify};
use encours_tests::{Server, copy, data_folder, run};
use tempfile::TempDir;

use crate::support::{DAMAGED, company, end_of, newest_segment, refused, start, times};

/// The most bytes that are cut off.
const CUT_MAX: u64 = 4_096;

/// A data folder whose log ends in frames that its anchor, its snapshots and its views have not seen,
/// as a crash before their acknowledgement leaves them: where the frames end, and where those that
/// were seen do.
struct Ends {
    data: TempDir,
    all: u64,
    seen: u64,
}

async fn unseen_frames() -> Ends {
    let data = data_folder();
    let server = start(data.path());
    company(&server, 40).await;
    assert_eq!(server.stop().ran.code, Some(0));
    let seen = end_of(&newest_segment(data.path()));
    let later = data_folder();
    copy(data.path(), later.path());
    let server = Server::start(later.path());
    let more = company(&server, 40).await;
    for n in 0..4 {
        more.issue(&format!("late{n}"), "c1", "1.00", "2024-02-01").await;
    }
    server.kill9();
    // The log of the later one, and all that the earlier one knew of it.
    let segment = newest_segment(data.path());
    assert_eq!(newest_segment(later.path()).file_name(), segment.file_name());
    fs::copy(newest_segment(later.path()), &segment).unwrap();
    let all = end_of(&segment);
    assert!(all > seen + 1_024 && all < seen + CUT_MAX, "{seen} to {all}");
    Ends { data, all, seen }
}

fn cut(segment: &Path, len: u64) {
    File::options().write(true).open(segment).unwrap().set_len(len).unwrap();
}

/// How many bytes are cut off at a time: `ENCOURS_TEST_CUT_STEP`, 1 for every number of bytes.
#[tokio::test(flavor = "multi_thread")]
async fn a_cut_end_is_dropped_above_the_anchor_and_missed_below_it() {
    let Ends { data, all, seen } = unseen_frames().await;
    let segment = newest_segment(data.path());
    let whole = verify(&OsDisk, &data.path().join("log"), &[], &mut |_| {}).unwrap();
    let (mut dropped, mut missed) = (0, 0);
    for lost in (1..=CUT_MAX).step_by(times("ENCOURS_TEST_CUT_STEP", 37)) {
        cut(&segment, all - lost);
        match verify(&OsDisk, &data.path().join("log"), &[], &mut |_| {}) {
            Ok(report) => {
                assert!(all - lost >= seen, "{lost} bytes off: a frame that was seen is gone");
                assert!(report.frames < whole.frames, "{lost} bytes off: {report:?}");
                dropped += 1;
            }
            Err(LogError::RolledBack { .. }) => {
                assert!(all - lost < seen, "{lost} bytes off: nothing that was seen is gone");
                missed += 1;
            }
            Err(error) => panic!("{lost} bytes off: {error}"),
        }
    }
    assert!(dropped > 0 && missed > 0);
    println!("frames end at {all}, seen to {seen}: {dropped} cuts dropped, {missed} missed");
}

/// How many cuts the real server is started on: `ENCOURS_TEST_CUTS`.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_starts_on_a_torn_end_alone() {
    let Ends { data, all, seen } = unseen_frames().await;
    let cuts = times("ENCOURS_TEST_CUTS", 8) as u64;
    let (mut started, mut not) = (0, 0);
    let mut said = String::new();
    for n in 1..=cuts {
        let lost = (CUT_MAX * n / cuts).max(1);
        let trial = data_folder();
        copy(data.path(), trial.path());
        let segment = newest_segment(trial.path());
        cut(&segment, all - lost);
        let what = format!("{lost} bytes off");
        if all - lost < seen {
            let before = fs::read(&segment).unwrap();
            let ran = refused(trial.path());
            assert_eq!(ran.code, Some(DAMAGED), "{what}: {ran}");
            for word in ["ERROR", "log_rolled_back", "position ", "backup"] {
                assert!(ran.stderr.contains(word), "{what}: no {word}: {ran}");
            }
            assert!(fs::read(&segment).unwrap() == before, "{what}: what is left is left alone");
            said = ran.stderr.lines().last().unwrap_or_default().to_owned();
            not += 1;
            continue;
        }
        let server = start(trial.path());
        let line = server.told("unfinished write").await;
        assert!(line.contains("WARN") && line.contains("torn_bytes="), "{what}: {line}");
        assert!(line.contains("restored_bytes="), "{what}: {line}");
        let again = company(&server, 40).await;
        again.saw(again.client.head().await.position);
        let invoices = again.get_customer("c1").await.balances[0].invoiced.clone();
        assert!(invoices.is_some(), "{what}");
        assert_eq!(server.stop().ran.code, Some(0), "{what}");
        let _ = run(["log", "verify", "--data", trial.path().to_str().unwrap()]).ok();
        started += 1;
    }
    assert!(started > 0 && not > 0, "{started} {not}");
    println!("{cuts} cuts: {started} starts with a warning, {not} refused, such as: {said}");
}
