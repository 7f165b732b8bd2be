//! A node whose own disk is full, beside one that has room.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use encours_tests::{Heard, Load, NatsServer, Nodes, Tmpfs};

use crate::support::{check_all, load, log_on, summary, until};

/// How long clients may hear that there is no room.
const CHANGE_LIMIT: Duration = Duration::from_secs(15);

/// Longer than a lease lasts.
const A_WHILE: Duration = Duration::from_secs(4);

/// Takes all the room that is left on a disk; the file that does.
fn fill(disk: &Tmpfs) -> PathBuf {
    let path = disk.path().join("filler");
    let mut file = File::create(&path).unwrap();
    for size in [1 << 16, 1 << 12, 1 << 8, 1] {
        while file.write_all(&vec![1; size]).is_ok() {}
    }
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_without_room_lets_another_node_lead() {
    let Some(nats) = NatsServer::start() else { return };
    let mut nodes = Nodes::start(2, &log_on(&nats));
    nodes.kill9(0);
    let Some(disk) = Tmpfs::mount(&nodes.data(0), "6m") else { return };
    nodes.restart(0);
    Load::prepare(&nodes.url(1)).await;
    let stopped = nodes.stop(1);
    assert_eq!(stopped.ran.code, Some(0), "{}", stopped.ran);
    // Before the other one is back, which may otherwise be quicker.
    assert_eq!(nodes.wait_for_leader().await, 0);
    nodes.restart(1);

    let filler = fill(&disk);
    let begun = Instant::now();
    let load = load(&nodes.urls(), "f");
    until("the other one leads", async || nodes.leaders().await == [1]).await;
    let took = begun.elapsed();
    let relieved = load.elapsed();
    // It leads for as long as it likes, and the one without room stays up.
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(nodes.leaders().await, [1]);
    let mut heard: Heard = load.stop().await;
    println!("another led {took:?} after the disk was full; {}", summary(&heard));
    assert!(heard.first_after(relieved).is_some(), "it goes on");
    assert!(heard.longest_silence() < CHANGE_LIMIT, "{:?}", heard.longest_silence());
    let _ = nodes.server(0).told("this node leaves the lease to another one").await;

    std::fs::remove_file(filler).unwrap();
    check_all(&nodes, &mut heard).await;
}
