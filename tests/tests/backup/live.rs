//! Backups of a server under load, and backups that are interrupted.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use encours_sim::Rng;
use encours_tests::{
    Client, Load, LoadOptions, Program, Server, copy, data_folder, encours, every_file, run, send,
};

use crate::{USAGE, backup, digest, folder, go_on, restore, row, text, verify_only};

/// How often a backup is killed.
const KILLS: u64 = 12;

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_taken_under_load_goes_on_as_the_server_did() {
    let folder = data_folder();
    let at = |name: &str| folder.path().join(name);
    let (data, to, restored) = (at("data"), at("backup"), at("restored"));
    let server = Server::start(&data);
    Load::prepare(&server.url()).await;
    let load = Load::start(&[server.url()], &LoadOptions::new("before", 7));
    // The log begins its second segment: a full one is copied once.
    let begun = Instant::now();
    while segments(&data) < 2 {
        assert!(begun.elapsed() < Duration::from_secs(60), "the load fills segments");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let first = row(backup(&data, &to));
    tokio::time::sleep(Duration::from_millis(200)).await;
    let second = row(backup(&data, &to));
    assert_eq!(first["kept"], 0);
    assert!(second["kept"].as_u64().unwrap() >= 1, "full segments are not copied again: {second}");
    assert!(second["position"].as_u64() > first["position"].as_u64(), "{first} {second}");
    server.kill9();
    let mut heard = load.stop().await;

    let checked = row(verify_only(&to));
    assert_eq!(
        (&checked["position"], &checked["tail_hash"]),
        (&second["position"], &second["tail_hash"])
    );
    let back = row(restore(&to, &restored));
    assert_eq!(back["tail_hash"], second["tail_hash"]);
    assert_eq!(digest(&restored, &second["position"]), digest(&data, &second["position"]));
    assert_eq!(digest(&restored, &first["position"]), digest(&data, &first["position"]));

    let tail = second["position"].as_u64().unwrap();
    let server = Server::start(&restored);
    let client = Client::connect(&server.url()).await;
    let (there, after): (Vec<_>, Vec<_>) =
        heard.acknowledged.drain(..).partition(|(_, position)| *position <= tail);
    assert!(there.len() > 100, "{} commands are in the backup", there.len());
    // Every one by its event...
    let events = client.events_between(0, tail).await;
    let recorded: HashMap<&str, u64> = events
        .iter()
        .filter(|event| event.position <= tail)
        .map(|event| (event.request_id.as_str(), event.position))
        .collect();
    for (sent, position) in &there {
        let found = recorded.get(sent.request_id.as_str());
        assert!(found.is_some_and(|found| found >= position), "{sent:?} at {position}: {found:?}");
    }
    // ...and some of them as their senders would find out.
    for (sent, position) in there.iter().step_by(there.len() / 50) {
        assert_eq!(send(&client, sent).await.unwrap(), (*position, true), "{sent:?}");
    }
    // What came after the backup is not there, and can be done again: some of it, unless nothing came.
    for (sent, _) in after.iter().take(20) {
        let (position, repeat) = send(&client, sent).await.unwrap();
        assert!(position > tail && !repeat, "{sent:?} at {position}");
    }
    let more = Load::start(&[server.url()], &LoadOptions::new("after", 8));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let more = more.stop().await;
    assert!(!more.acknowledged.is_empty() && more.unknown.is_empty(), "the service goes on");
    let live = run(["replay", "--data", text(&restored), "--server", &server.url()]).ok();
    assert!(live.stdout.contains("equal"), "{live}");
    // The restored folder is backed up as the old one was.
    let third = row(backup(&restored, &to));
    assert!(third["position"].as_u64() > second["position"].as_u64(), "{third}");
    let _ = server.stop();
    let _ = run(["log", "verify", "--data", text(&restored)]).ok();
    println!(
        "first {} events, second {} ({} files kept), {} acknowledged commands found again",
        first["events"],
        second["events"],
        second["kept"],
        there.len()
    );
}

fn segments(data: &Path) -> usize {
    let is_segment =
        |path: &&PathBuf| text(path).ends_with(".seg") && !text(path).contains("spare");
    every_file(&data.join("log")).iter().filter(is_segment).count()
}

#[test]
fn a_backup_that_is_interrupted_leaves_the_one_before() {
    let seed = 20_261_122;
    let mut rng = Rng::new(seed);
    let (folder, data, first) = folder();
    let before = row(backup(&data, &first));
    go_on(&data, "F-2");
    let to = folder.path().join("killed");
    copy(&first, &to);
    let begun = Instant::now();
    let _ = row(backup(&data, &to));
    let usual = u64::try_from(begun.elapsed().as_micros()).unwrap();
    let (mut killed, mut finished, mut amid) = (0, 0, 0);
    for round in 0..KILLS {
        // Over and over where the last one was left, and now and then where none was interrupted yet:
        // so there is something to be copied each time.
        if round % 3 == 0 {
            fs::remove_dir_all(&to).unwrap();
            copy(&first, &to);
        }
        let files = every_file(&to);
        let words = ["backup", "--data", text(&data), "--to", text(&to)];
        let child = Program::start(encours(), words);
        std::thread::sleep(Duration::from_micros(rng.below(usual + usual / 5)));
        let ran = child.kill9();
        assert!(matches!(ran.code, None | Some(0)), "round {round}: {ran}");
        let done = ran.code == Some(0);
        (killed, finished) = if done { (killed, finished + 1) } else { (killed + 1, finished) };
        amid += u64::from(!done && every_file(&to) != files);
        let there = row(verify_only(&to));
        let is_whole = there["position"] == before["position"]
            || there["position"].as_u64() > before["position"].as_u64();
        assert!(is_whole, "round {round}: {there}");
        let target = folder.path().join(format!("restored-{round}"));
        let restored = row(restore(&to, &target));
        assert_eq!(restored["tail_hash"], there["tail_hash"]);
        fs::remove_dir_all(target).unwrap();
    }
    println!("seed {seed}: {killed} killed, {amid} while they copied, {finished} were faster");
    assert!(killed > 0 && amid > 0, "some were killed amid their work (seed {seed})");
    // Where the very first one is interrupted, there is no backup, and the next one makes it.
    let new = folder.path().join("new");
    fs::create_dir_all(new.join("log")).unwrap();
    fs::write(new.join("backup.lock"), "1\n").unwrap();
    fs::write(new.join("log/00000000000000000001.seg.tmp"), "half").unwrap();
    let none = verify_only(&new).fails(USAGE);
    assert!(none.stderr.contains("no_backup"), "{none}");
    let _ = restore(&new, &folder.path().join("from-none")).fails(USAGE);
    let _ = row(backup(&data, &new));
    assert!(!every_file(&new).iter().any(|path| text(path).ends_with(".tmp")));
}
