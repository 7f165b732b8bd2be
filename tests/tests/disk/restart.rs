//! Starts that were cut short, and what they left; how long a start takes.

use std::fs::{self, File};
use std::time::Duration;

use encours_sim::Rng;
use encours_tests::{Client, Load, LoadOptions, Program, Server, data_folder, every_file};

use crate::support::{audit, company, start, times};

/// The longest start on a million events, with a snapshot.
const START_LIMIT: Duration = Duration::from_secs(5);

/// How many starts are killed: `ENCOURS_TEST_KILLED_STARTS`.
#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_can_be_killed_at_any_moment() {
    let mut rng = Rng::new(17);
    let rounds = times("ENCOURS_TEST_KILLED_STARTS", 20);
    // Within the time that one takes here and now, and a bit more.
    let whole = data_folder();
    let usual = u64::try_from(Server::start(whole.path()).start_took.as_micros()).unwrap();
    let (mut made, mut left, mut begun) = (0, 0, data_folder());
    for _ in 0..rounds {
        let starting = Program::serve(begun.path());
        tokio::time::sleep(Duration::from_micros(rng.below(usual + usual / 5))).await;
        let _ = starting.kill9();
        left += usize::from(!every_file(begun.path()).is_empty());
        if rng.below(3) == 0 {
            // What was left of a start, or of several, must do.
            let server = Server::start(begun.path());
            company(&server, 1).await;
            assert_eq!(server.stop().ran.code, Some(0));
            audit(begun.path());
            begun = data_folder();
            made += 1;
        }
    }
    drop(Server::start(begun.path()));
    assert!(left > 0, "some of them had begun");
    println!(
        "{rounds} first starts killed within {usual} us, {left} left something, {made} folders used"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_interrupted_process_has_left_is_removed_and_named() {
    let folder = data_folder();
    let server = start(folder.path());
    company(&server, 5).await;
    assert_eq!(server.stop().ran.code, Some(0));
    let version = fs::read_dir(folder.path().join("views")).unwrap().next().unwrap().unwrap();
    let views = version.file_name().into_string().unwrap();
    let left = [
        format!("views/{views}/snap.00000000000012AB.generating"),
        "snapshots/00000000000000000009.snapshot.tmp".to_owned(),
        "requests/1-2.ids.tmp".to_owned(),
        "log/anchor.tmp".to_owned(),
        "log/spare.tmp".to_owned(),
    ];
    for name in &left {
        File::create(folder.path().join(name)).unwrap().set_len(700).unwrap();
    }
    // A spare that does not fit is no spare.
    fs::write(folder.path().join("log/spare.seg"), "half").unwrap();
    let server = start(folder.path());
    for name in left.iter().map(String::as_str).chain(["log/spare.seg"]) {
        let file = name.rsplit('/').next().unwrap();
        let line = server.told(file).await;
        assert!(line.contains("WARN"), "{line}");
        if name != "log/spare.seg" && name != "log/spare.tmp" {
            assert!(!folder.path().join(name).exists(), "{name} is still there");
        }
    }
    assert_eq!(server.metric("encours_recovery_cleaned_files"), Some(3), "those of the log");
    assert_eq!(server.stop().ran.code, Some(0));
    let tmp = |path: &&std::path::PathBuf| path.extension().is_some_and(|found| found == "tmp");
    assert_eq!(every_file(folder.path()).iter().filter(tmp).count(), 0);
}

/// What a start tells of itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_tells_what_it_recovered() {
    let folder = data_folder();
    let server = start(folder.path());
    company(&server, 5).await;
    assert_eq!(server.stop().ran.code, Some(0));
    let server = start(folder.path());
    company(&server, 9).await;
    let frames = Client::connect(&server.url()).await.head().await.frame_number;
    server.kill9();
    let server = start(folder.path());
    let line = server.told("engine open").await;
    for word in ["INFO", "ms=", "snapshot=", "frames=", "events="] {
        assert!(line.contains(word), "no {word} in {line}");
    }
    let metric = |name: &str| server.metric(&format!("encours_recovery_{name}")).unwrap();
    let snapshot = metric("snapshot_frame");
    assert!(snapshot > 0 && snapshot < frames, "{snapshot} of {frames}");
    assert_eq!(metric("frames"), frames - snapshot, "those after the snapshot");
    assert!(metric("events") >= 4);
    assert_eq!((metric("torn_bytes"), metric("cleaned_files")), (0, 0));
    println!("{line}");
}

/// Events of the long measurement: `ENCOURS_TEST_EVENTS`, such as 1000000; not made without it.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_on_a_million_events_is_quick() {
    let events = times("ENCOURS_TEST_EVENTS", 0) as u64;
    if events == 0 {
        println!("skipped: ENCOURS_TEST_EVENTS says how many events to start on");
        return;
    }
    let folder = data_folder();
    let server = start(folder.path());
    Load::prepare(&server.url()).await;
    let client = Client::connect(&server.url()).await;
    let options = LoadOptions { singles: 0, batches: 6, batch: 400, ..LoadOptions::new("m", 1) };
    let load = Load::start(&[server.url()], &options);
    while client.head().await.position < events {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    drop(load.stop().await);
    assert_eq!(server.stop().ran.code, Some(0), "it leaves a snapshot");
    let server = start(folder.path());
    let clean = server.start_took;
    let load = Load::start(&[server.url()], &LoadOptions::new("n", 2));
    tokio::time::sleep(Duration::from_secs(2)).await;
    server.kill9();
    let heard = load.stop().await;
    let server = start(folder.path());
    let took = server.start_took;
    let head = Client::connect(&server.url()).await.head().await;
    println!(
        "{} events in {} frames: {} ms after a clean stop, {} ms after kill -9 with {} more commands",
        head.position,
        head.frame_number,
        clean.as_millis(),
        took.as_millis(),
        heard.acknowledged.len()
    );
    println!("{}", server.told("engine open").await);
    assert!(took < START_LIMIT, "{took:?}");
}
