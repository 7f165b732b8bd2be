//! An older binary on what a newer one has written: it refuses the log, touches nothing and says what
//! to do; what is made again from the log anyway is passed by.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

use std::fs;
use std::path::{Path, PathBuf};

use encours_tests::{
    Client, Company, Ran, Server, copy, data_folder, every_file, is_embedded, run,
};
use tempfile::TempDir;

/// Where a header tells which readers may go on, the next version of it, and how long what its checksum
/// covers is: of a segment or a slot of the anchor, and of a frame.
const MIN_READER: usize = 6;
const NEWER: [u8; 2] = 2_u16.to_le_bytes();
const SECTOR: usize = 508;
const FRAME: usize = 140;
/// The first frame of a segment, and what an anchor's second slot begins with.
const FIRST: usize = 512;
/// Bytes of the mark that follows each frame.
const END_MARK: usize = 8;

/// CRC32C, bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 == 1 { 0x82F6_3B78 } else { 0 }
        })
    })
}

/// Has the header at `at` demand a newer reader, under a checksum that is right.
fn demand_newer(file: &Path, at: usize, covered: usize) {
    let mut bytes = fs::read(file).unwrap();
    let header = &mut bytes[at..at + covered + 4];
    assert_eq!(header[covered..], crc32c(&header[..covered]).to_le_bytes(), "the format is ours");
    header[MIN_READER..MIN_READER + 2].copy_from_slice(&NEWER);
    let crc = crc32c(&header[..covered]);
    header[covered..].copy_from_slice(&crc.to_le_bytes());
    fs::write(file, bytes).unwrap();
}

/// A server's folder, stopped cleanly; the position that it has reached.
async fn stopped() -> (TempDir, u64) {
    let folder = data_folder();
    let server = Server::start(folder.path());
    let company = Company::create(Client::connect(&server.url()).await, "acme", "2024-01-01").await;
    for n in 0..20 {
        company.customer(&format!("c{n}"), "One").await;
    }
    let position = company.position();
    let stopped = tokio::task::spawn_blocking(move || server.stop()).await.unwrap();
    assert_eq!(stopped.ran.code, Some(0), "{}", stopped.ran);
    (folder, position)
}

fn segment(data: &Path) -> PathBuf {
    let mut files = every_file(&data.join("log")).into_iter();
    let is_segment = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.ends_with(".seg") && name.starts_with('0')
    };
    files.find(is_segment).unwrap()
}

/// Segments and anchor as they are.
fn bytes(data: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let files = every_file(&data.join("log")).into_iter();
    let kept = files.filter(|path| {
        let name = path.file_name().unwrap().to_string_lossy();
        name == "anchor" || name.ends_with(".seg")
    });
    kept.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

fn expect_refused(ran: &Ran, what: &str) {
    assert_eq!(ran.code, Some(5), "{what}: {ran}");
    for part in ["log_too_new", "use the version of encours that wrote it, or a later one"] {
        assert!(ran.stderr.contains(part), "{what}: {ran}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_binary_refuses_a_newer_log_and_leaves_it_alone() {
    if !is_embedded("the journal of a server alone is altered") {
        return;
    }
    let (original, _) = stopped().await;
    let second_frame = {
        let bytes = fs::read(segment(original.path())).unwrap();
        let length = u32::from_le_bytes(bytes[FIRST + 64..FIRST + 68].try_into().unwrap());
        (FIRST + 144 + usize::try_from(length).unwrap() + END_MARK).next_multiple_of(512)
    };
    type Alter = Box<dyn Fn(&Path)>;
    let alter: [(&str, Alter); 4] = [
        ("the segment", Box::new(|data| demand_newer(&segment(data), 0, SECTOR))),
        ("the first frame", Box::new(|data| demand_newer(&segment(data), FIRST, FRAME))),
        ("a later frame", Box::new(move |data| demand_newer(&segment(data), second_frame, FRAME))),
        (
            "the anchor",
            Box::new(|data| {
                for slot in [0, FIRST] {
                    demand_newer(&data.join("log/anchor"), slot, SECTOR);
                }
            }),
        ),
    ];
    for (what, alter) in alter {
        let trial = data_folder();
        copy(original.path(), trial.path());
        alter(trial.path());
        let before = bytes(trial.path());
        let refused = Server::try_start(trial.path()).expect_err("it does not start");
        expect_refused(&refused, what);
        assert!(refused.stderr.contains("ERROR"), "{what}: {refused}");
        assert!(bytes(trial.path()) == before, "{what}: nothing is changed");
        // Also where everything has to be read again.
        for derived in ["snapshots", "requests", "views"] {
            let _ = fs::remove_dir_all(trial.path().join(derived));
        }
        expect_refused(&Server::try_start(trial.path()).expect_err("nor now"), what);
        let verified = run(["log", "verify", "--data", trial.path().to_str().unwrap()]);
        expect_refused(&verified, &format!("{what}, verified"));
        assert!(bytes(trial.path()) == before, "{what}: nothing is changed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn newer_files_beside_the_log_are_passed_by() {
    let (folder, position) = stopped().await;
    let data = folder.path();
    // A read model of the next version, and a snapshot in a form that is not known.
    let views = data.join("views");
    let own = fs::read_dir(&views).unwrap().map(|entry| entry.unwrap().file_name());
    let own = own.map(|name| name.into_string().unwrap()).find(|name| name.starts_with('v'));
    let version: u32 = own.unwrap()[1..].parse().unwrap();
    let newer = views.join(format!("v{}", version + 1));
    fs::create_dir_all(&newer).unwrap();
    fs::write(newer.join("db"), "of a later version").unwrap();
    for file in every_file(&data.join("snapshots")) {
        let mut bytes = fs::read(&file).unwrap();
        bytes[7] += 1;
        fs::write(&file, bytes).unwrap();
    }
    let server = Server::start(data);
    assert!(server.said().contains("snapshot_rejected"), "{}", server.said());
    let client = Client::connect(&server.url()).await;
    let company = Company::existing(client, "acme");
    company.saw(position);
    assert_eq!(company.get_customer("c19").await.name, "One");
    company.customer("more", "One").await;
    let stopped = tokio::task::spawn_blocking(move || server.stop()).await.unwrap();
    assert_eq!(stopped.ran.code, Some(0), "{}", stopped.ran);
    assert_eq!(fs::read_to_string(newer.join("db")).unwrap(), "of a later version");
    println!("version {version} beside {}", version + 1);
}
