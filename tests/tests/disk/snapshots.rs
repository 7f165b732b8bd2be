//! A flipped bit in a snapshot: it is passed over, and an older one or the log serves as well.

use std::path::{Path, PathBuf};

use encours_sim::Rng;
use encours_tests::{Server, copy, data_folder, every_file, flip_bit};
use tempfile::TempDir;

use crate::support::{audit, company, start, times};

const USED: &str = "encours_recovery_snapshot_frame";

fn snapshots(data: &Path) -> Vec<PathBuf> {
    every_file(&data.join("snapshots"))
}

/// A folder with three snapshots, each of another frame.
async fn three_snapshots() -> TempDir {
    let folder = data_folder();
    for round in 1..=3 {
        let server = Server::start(folder.path());
        company(&server, 10 * round).await;
        assert_eq!(server.stop().ran.code, Some(0));
    }
    assert_eq!(snapshots(folder.path()).len(), 3);
    folder
}

/// Starts on a folder: the frame of the snapshot that was used. The figures must be right.
async fn used(data: &Path, rejected: usize, what: &str) -> u64 {
    let server = start(data);
    let again = company(&server, 30).await;
    again.saw(again.client.head().await.position);
    again.expect_balance("c1", "invoiced 300.00, outstanding 300.00").await;
    if rejected > 0 {
        let line = server.told("snapshot_rejected").await;
        assert!(line.contains("WARN"), "{what}: {line}");
    }
    let said = server.said().matches("snapshot_rejected").count();
    assert_eq!(said, rejected, "{what}: {}", server.said());
    let frame = server.metric(USED).unwrap();
    // Not stopped cleanly: that would write another snapshot.
    server.kill9();
    frame
}

/// How many bits of each are flipped: `ENCOURS_TEST_SNAPSHOT_FLIPS`.
#[tokio::test(flavor = "multi_thread")]
async fn damaged_snapshots_are_passed_over() {
    let flips = times("ENCOURS_TEST_SNAPSHOT_FLIPS", 4);
    let original = three_snapshots().await;
    let mut rng = Rng::new(12);
    let whole = data_folder();
    copy(original.path(), whole.path());
    let newest = used(whole.path(), 0, "none damaged").await;
    let mut older = 0;
    for n in 0..flips {
        let trial = data_folder();
        copy(original.path(), trial.path());
        let path = snapshots(trial.path()).pop().unwrap();
        // The header first, whose bits nothing else covers.
        let bits = path.metadata().unwrap().len() * 8;
        let bit = if n % 2 == 0 { rng.below(192 * 8) } else { rng.below(bits) };
        flip_bit(&path, bit);
        let what = format!("bit {bit} of {}", path.display());
        let frame = used(trial.path(), 1, &what).await;
        assert!(frame > 0 && frame < newest, "{what}: {frame}");
        older = frame;
    }
    let trial = data_folder();
    copy(original.path(), trial.path());
    for path in snapshots(trial.path()) {
        let bit = rng.below(path.metadata().unwrap().len() * 8);
        flip_bit(&path, bit);
    }
    assert_eq!(used(trial.path(), 3, "all damaged").await, 0, "all is read from the log");
    audit(trial.path());
    println!("{flips} flips of the newest snapshot ({newest}): {older} was used; of all: none");
}
