//! Killed at each step of storing the read model.

use std::fs;
use std::path::Path;

use encours_projections::{Checkpoint, PROJECTION_VERSION};
use encours_proto::v1;
use encours_tests::{Server, copy, data_folder, is_embedded};
use tempfile::TempDir;

use super::{METRICS, MOST, can_trace, figures, killed_at, next, play, stop};

/// Whether a copy of the folder has a checkpoint that is whole.
fn is_whole(data: &Path) -> bool {
    let scratch = data_folder();
    copy(&data.join("views"), scratch.path());
    Checkpoint::load(scratch.path()).known().is_some()
}

/// A folder whose checkpoint is behind the log, with one of an older version beside it.
async fn behind(with_own: bool) -> (TempDir, v1::GetLedgerTotalsResponse) {
    let folder = data_folder();
    let server = Server::start(folder.path());
    play(&server, 0, 20).await;
    stop(server).await;
    let server = Server::start(folder.path());
    let figures = play(&server, 20, 60).await;
    server.kill9();
    let views = folder.path().join("views");
    if !with_own {
        fs::remove_dir_all(views.join(format!("v{PROJECTION_VERSION}"))).unwrap();
    }
    let older = views.join("v1");
    fs::create_dir_all(&older).unwrap();
    fs::write(older.join("db"), "of an older version").unwrap();
    (folder, figures)
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_step_of_storing_it_the_next_start_serves_the_same() {
    if !is_embedded("the steps of a server alone are counted") || !can_trace() {
        return;
    }
    let mut kills = 0;
    for (with_own, rebuilds) in [(true, false), (false, false), (true, true)] {
        let (original, figures_before) = behind(with_own).await;
        let mut step = 1;
        loop {
            assert!(step < MOST, "a run comes through");
            let trial = data_folder();
            copy(original.path(), trial.path());
            let killed = killed_at(step, trial.path(), rebuilds).await.killed;
            let views = trial.path().join("views");
            let whole = is_whole(trial.path());
            let how = match (with_own, rebuilds) {
                (_, true) => "after a rebuild",
                (true, false) => "anew",
                (false, false) => "for the first time",
            };
            let what = format!("step {step}, {how}");
            // The old one is there until the new one is whole; one that was whole stays so.
            assert!(whole || views.join("v1").exists(), "{what}");
            assert!(whole || !with_own, "{what}: the checkpoint of before is gone");
            let server = Server::try_start_with(&[], trial.path(), &METRICS).unwrap();
            assert_eq!(figures(&server).await, figures_before, "{what}");
            let version = server.metric("encours_projection_version");
            assert_eq!(version, Some(PROJECTION_VERSION.into()), "{what}");
            stop(server).await;
            assert!(is_whole(trial.path()), "{what}");
            assert!(!views.join("v1").exists(), "{what}: the older version is retired");
            if !killed {
                break;
            }
            kills += 1;
            step = next(step);
        }
    }
    assert!(kills > 4, "some run was killed: {kills}");
    println!("{kills} kills");
}
