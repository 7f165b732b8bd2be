//! Folders that are not what they should be: refused in one line that says why, and nothing is begun
//! in them.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};

use encours_proto::v1;
use encours_proto::v1::command::Command;
use encours_tests::{
    NatsServer, Ran, Server, ServerNats, data_folder, encours, eur, every_file, fingerprint, run,
    swap,
};
use tempfile::TempDir;

use crate::support::{DAMAGED, company, is_root, refused, start, works};

/// Nobody in particular.
const OTHER: u32 = 65_534;

async fn stopped() -> TempDir {
    let folder = data_folder();
    let server = start(folder.path());
    company(&server, 3).await;
    assert_eq!(server.stop().ran.code, Some(0));
    folder
}

/// An error in the log and one for people, the same.
fn told(ran: &Ran, words: &[&str]) {
    let log = ran.stderr.lines().find(|line| line.contains("not started: ")).unwrap_or_default();
    assert!(log.contains("ERROR"), "{ran}");
    let end = ran.stderr.lines().find(|line| line.starts_with("error: ")).unwrap_or_default();
    for word in words {
        assert!(log.contains(word) && end.contains(word), "no {word:?} in {ran}");
    }
    println!("{end}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_gone_is_missed_and_none_is_begun_beside_what_is_left() {
    let folder = stopped().await;
    let (log, aside) = (folder.path().join("log"), folder.path().join("aside"));
    fs::rename(&log, &aside).unwrap();
    // As an empty folder below a mount that did not happen, and without any.
    for is_made in [false, true] {
        if is_made {
            fs::create_dir(&log).unwrap();
        }
        let ran = refused(folder.path());
        assert_eq!(ran.code, Some(DAMAGED), "{ran}");
        told(&ran, &["log_missing", "keys/customers.keys", folder.path().to_str().unwrap()]);
        let made = fs::read_dir(&log).map_or(0, Iterator::count);
        assert_eq!(made, 0, "no second log is begun");
    }
    // With the keys gone, too: what is left still says that there was a log.
    fs::rename(folder.path().join("keys"), folder.path().join("keys.aside")).unwrap();
    told(&refused(folder.path()), &["log_missing", "but no log"]);
    fs::rename(folder.path().join("keys.aside"), folder.path().join("keys")).unwrap();
    fs::remove_dir(&log).unwrap();
    fs::rename(&aside, &log).unwrap();
    drop(start(folder.path()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_the_log_that_is_gone_is_named() {
    let folder = data_folder();
    let server = start(folder.path());
    let company = company(&server, 0).await;
    for batch in 0..3 {
        // More than half a segment each.
        let issue = |n: usize| v1::IssueInvoiceRequest {
            ledger_id: company.ledger.clone(),
            invoice_id: format!("b{batch}-{n}"),
            customer_id: "c1".to_owned(),
            total: eur("1.00"),
            text: "t".repeat(4_000),
            ..Default::default()
        };
        let command = |n| v1::Command { command: Some(Command::IssueInvoice(issue(n))) };
        let request = v1::ExecuteRequest { commands: (0..200).map(command).collect() };
        company.client.batch.clone().execute(request).await.unwrap();
    }
    assert_eq!(server.stop().ran.code, Some(0));
    let log = folder.path().join("log");
    let segments = || {
        let files = every_file(&log).into_iter();
        files.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with('0'))
    };
    assert!(segments().count() > 1, "several segments");
    let first = segments().next().unwrap();
    for (file, code) in [(log.join("anchor"), "anchor_lost"), (first, "segment_missing")] {
        let aside = folder.path().join("aside");
        fs::rename(&file, &aside).unwrap();
        let ran = refused(folder.path());
        assert_eq!(ran.code, Some(DAMAGED), "{ran}");
        told(&ran, &[code]);
        assert!(!file.exists(), "none is made in its place");
        fs::rename(&aside, &file).unwrap();
    }
    drop(start(folder.path()));
}

#[test]
fn a_folder_that_must_hold_a_log_is_not_given_one() {
    let folder = data_folder();
    for data in [folder.path().to_owned(), folder.path().join("missing")] {
        let shown = data.to_str().unwrap();
        let words = ["serve", "--existing", "--listen", "127.0.0.1:0", "--data", shown];
        let ran = run(words).fails(DAMAGED);
        told(&ran, &["log_missing", shown]);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is made");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_was_mounted_read_only_is_named() {
    let folder = stopped().await;
    let shown = folder.path().to_str().unwrap();
    let bind = "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\" && exec \"$@\"";
    let prefix = ["unshare", "-m", "sh", "-c", bind, shown];
    if !is_root() || !works(prefix[0], &[&prefix[1..], &["true"]].concat()) {
        println!("skipped: nothing can be mounted read-only here");
        return;
    }
    let before = fingerprint(folder.path());
    let Err(ran) = Server::try_start_under(&prefix, folder.path()) else {
        panic!("it serves a folder that it cannot write to");
    };
    assert_eq!(ran.code, Some(1), "{ran}");
    told(&ran, &["Read-only file system", shown]);
    assert_eq!(fingerprint(folder.path()), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_somebody_else_is_named() {
    let folder = stopped().await;
    let other = OTHER.to_string();
    let (user, group) = (format!("--reuid={other}"), format!("--regid={other}"));
    let prefix = ["setpriv", &user, &group, "--clear-groups"];
    let binary = encours().to_str().unwrap();
    if !is_root() || !works(prefix[0], &[&prefix[1..], &[binary, "--version"]].concat()) {
        println!("skipped: setpriv is missing, or nobody else may run the binary");
        return;
    }
    let before = fingerprint(folder.path());
    let start = || match Server::try_start_under(&prefix, folder.path()) {
        Ok(server) => panic!("it serves {}", server.data().display()),
        Err(ran) => ran,
    };
    // The folder as a whole, then the folder of the log alone.
    let ran = start();
    assert_eq!(ran.code, Some(1), "{ran}");
    told(&ran, &["Permission denied", folder.path().to_str().unwrap()]);
    assert_eq!(fingerprint(folder.path()), before);
    for path in ["", "lock", "keys", "keys/signing.key", "keys/customers.keys", "checkpoints"] {
        chown(folder.path().join(path), Some(OTHER), Some(OTHER)).unwrap();
    }
    for path in every_file(&folder.path().join("checkpoints")) {
        chown(path, Some(OTHER), Some(OTHER)).unwrap();
    }
    let log = folder.path().join("log");
    assert_eq!((log.metadata().unwrap().uid(), log.metadata().unwrap().mode() & 0o777), (0, 0o700));
    let ran = start();
    assert_ne!(ran.code, Some(0), "{ran}");
    told(&ran, &["Permission denied", log.to_str().unwrap()]);
    // It may be looked into, but not written.
    fs::set_permissions(&log, fs::Permissions::from_mode(0o755)).unwrap();
    told(&start(), &["Permission denied", log.to_str().unwrap()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_another_folder_is_refused() {
    let (one, other) = (stopped().await, stopped().await);
    let log = |folder: &TempDir| folder.path().join("log");
    swap(&log(&one), &log(&other));
    for folder in [&one, &other] {
        let before = fingerprint(&log(folder));
        let ran = refused(folder.path());
        assert_eq!(ran.code, Some(DAMAGED), "{ran}");
        let end = ran.stderr.lines().find(|line| line.starts_with("error: ")).unwrap();
        let is_precise = ["log_diverged", "log_rolled_back", "wrong_log", "belongs to log"];
        assert!(is_precise.iter().any(|word| end.contains(word)), "{end}");
        println!("{end}");
        let after = fingerprint(&log(folder));
        let segments = |lines: &[String]| -> Vec<String> {
            lines.iter().filter(|line| line.contains(".seg")).cloned().collect()
        };
        assert_eq!(segments(&before), segments(&after), "the log is left as it is");
    }
    swap(&log(&one), &log(&other));
    // One file of it only.
    let segment = |folder: &TempDir| crate::support::newest_segment(folder.path());
    swap(&segment(&one), &segment(&other));
    let ran = refused(one.path());
    assert_eq!(ran.code, Some(DAMAGED), "{ran}");
    told(&ran, &["wrong_log", "belongs to log"]);
    swap(&segment(&one), &segment(&other));
    drop(start(one.path()));
}

/// Two nodes of two logs on the same servers, each started on the other's folder.
#[tokio::test(flavor = "multi_thread")]
async fn the_folder_of_another_node_is_refused() {
    let Some(nats) = NatsServer::start() else {
        println!("skipped: there is no nats-server");
        return;
    };
    let logs = ["north", "south"].map(|log| ServerNats::new(vec![nats.url()], log));
    let folders = [data_folder(), data_folder()];
    for (log, folder) in logs.iter().zip(&folders) {
        let server = Server::start_on_nats(folder.path(), log);
        company(&server, 3).await;
        assert_eq!(server.stop().ran.code, Some(0));
    }
    for (log, folder) in logs.iter().rev().zip(&folders) {
        let Err(ran) = Server::try_start_on_nats(folder.path(), log, &[]) else {
            panic!("{} is served as {}", folder.path().display(), log.log);
        };
        assert_eq!(ran.code, Some(DAMAGED), "{ran}");
        told(&ran, &["wrong_log", "belongs to log"]);
    }
    for (log, folder) in logs.iter().zip(&folders) {
        let server = Server::start_on_nats(folder.path(), log);
        company(&server, 3).await;
        assert_eq!(server.stop().ran.code, Some(0), "both go on once each has its own");
    }
}
