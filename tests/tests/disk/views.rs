//! A flipped bit in the stored read model: it is set aside and built from the log, or nobody reads
//! that bit; no figure is ever wrong.

use std::path::PathBuf;

use encours_sim::Rng;
use encours_tests::{Server, copy, data_folder, every_file, flip_bit, run};

use crate::support::{company, start, times};

const REBUILT: &str = "encours_read_model_rebuilt";

const ASKED: [&str; 3] = [
    "customer list --ledger acme --output csv",
    "invoice list --ledger acme --output csv",
    "ageing --ledger acme --output csv",
];

fn look(server: &Server) -> Vec<String> {
    let url = server.url();
    let ask = |asked: &&str| run(asked.split(' ').chain(["--server", &url])).ok().stdout;
    ASKED.iter().map(ask).collect()
}

/// How many bits are flipped in each file: `ENCOURS_TEST_VIEW_FLIPS`.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_read_model_is_set_aside_and_never_wrong() {
    let flips = times("ENCOURS_TEST_VIEW_FLIPS", 4);
    let original = data_folder();
    let server = start(original.path());
    let played = company(&server, 40).await;
    for n in 0..10 {
        played.pay_invoice(&format!("p{n}"), &format!("i{n}"), "4.00").await;
    }
    played.saw(played.client.head().await.position);
    played.expect_balance("c1", "outstanding 360.00").await;
    assert_eq!(server.metric(REBUILT), Some(0), "an empty folder is none to rebuild");
    assert_eq!(server.stop().ran.code, Some(0));
    // Opened again, sled leaves a snapshot of its own beside its file.
    let server = start(original.path());
    company(&server, 0).await.issue("more", "c1", "1.00", "2024-02-01").await;
    assert_eq!(server.stop().ran.code, Some(0));
    let server = start(original.path());
    let before = look(&server);
    server.kill9();
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    let files: Vec<PathBuf> = every_file(&original.path().join("views"))
        .into_iter()
        .filter(|path| path.metadata().unwrap().len() > 0)
        .collect();
    assert!(files.iter().any(|path| name(path) == "db"), "{files:?}");
    println!("{:?}", files.iter().map(name).collect::<Vec<_>>());
    let (mut rebuilt, mut unread) = (0, 0);
    let mut rng = Rng::new(13);
    for file in &files {
        for _ in 0..flips {
            let trial = data_folder();
            copy(original.path(), trial.path());
            let flipped = trial.path().join(file.strip_prefix(original.path()).unwrap());
            // Where something is stored: a file of sled ends in space that was never written.
            let bytes = std::fs::read(&flipped).unwrap();
            let set: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
            let bit = set[rng.index(set.len())] as u64 * 8 + rng.below(8);
            flip_bit(&flipped, bit);
            let what = format!("bit {bit} of {}", name(file));
            let server = start(trial.path());
            assert_eq!(look(&server), before, "{what}");
            let said = server.said();
            assert!(!said.contains("panicked"), "{what}: {said}");
            let is_told =
                said.lines().any(|l| l.contains("WARN") && l.contains("projection_rebuilt"));
            assert_eq!(server.metric(REBUILT), Some(u64::from(is_told)), "{what}: {said}");
            rebuilt += u32::from(is_told);
            unread += u32::from(!is_told);
            assert_eq!(server.stop().ran.code, Some(0), "{what}");
        }
    }
    assert!(rebuilt > 0, "some flip is in what is read");
    println!(
        "{} files, {flips} flips each: {rebuilt} rebuilt, {unread} in nothing read",
        files.len()
    );
}
