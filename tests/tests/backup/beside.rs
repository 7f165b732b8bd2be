//! Backups amid what others do: a log that begins a segment, a newer backup that takes the place of the
//! one that is being read.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use encours_log::{Disk, EventLog as _, FrameNumber, Journal, JournalOptions, OsDisk};
use encours_tests::{Gate, Program, copy, encours, every_file, run};
use serde_json::Value;

use crate::{DAMAGED, backup, folder, go_on, restore, row, served, text, verify_only};

/// Bytes of a segment before its first frame.
const HEADER: u64 = 512;
/// How long a program is given to come to a gate.
const REACHES: Duration = Duration::from_millis(500);

/// The log of a folder in segments as small as there are, as a power cut leaves it that comes right after
/// a new one was begun; answers how many frames are left.
fn cut_after_a_roll(from: &Path, to: &Path) -> u64 {
    let disk: Arc<dyn Disk> = Arc::new(OsDisk);
    let open = |data: &Path, create| {
        let options = JournalOptions { create, segment_len: 2_048, ..JournalOptions::default() };
        Journal::open(Arc::clone(&disk), &data.join("log"), options).unwrap().0
    };
    copy(&from.join("keys"), &to.join("keys"));
    let source = open(from, None);
    let mut log = open(to, Some(source.log_id()));
    for number in (1..=source.tail().number.0).map(FrameNumber) {
        log.submit(source.reader().read(number).unwrap().unwrap());
        assert!(log.settle().unwrap().1.is_committed());
        let begun = to.join("log").join(format!("{:020}.seg", number.0));
        if number.0 > 1 && begun.exists() {
            let aside = to.with_extension("cut");
            copy(to, &aside);
            drop(log);
            fs::remove_dir_all(to).unwrap();
            fs::rename(aside, to).unwrap();
            let segment = OpenOptions::new().write(true).open(begun).unwrap();
            let len = segment.metadata().unwrap().len();
            segment.set_len(HEADER).unwrap();
            segment.set_len(len).unwrap();
            return number.0 - 1;
        }
    }
    panic!("{} frames fill a segment", source.tail().number.0);
}

#[test]
fn a_log_whose_newest_segment_has_no_frame_yet_is_backed_up() {
    let (folder, data, to) = folder();
    let cut = folder.path().join("cut");
    let frames = cut_after_a_roll(&data, &cut);
    let verified = run(["log", "verify", "--output", "json", "--data", text(&cut)]).ok();
    let verified: Value = serde_json::from_str(&verified.stdout).unwrap();
    let verified = verified["log"][0].clone();
    assert_eq!(verified["frames"], frames, "{verified}");
    let told = row(backup(&cut, &to));
    for field in ["frames", "position", "tail_hash", "recorded_at"] {
        assert_eq!(told[field], verified[field], "{field}: {told}");
    }
    let manifest = fs::read_to_string(to.join("backup.json")).unwrap();
    assert!(manifest.contains(told["recorded_at"].as_str().unwrap()), "{manifest}");
    let _ = row(verify_only(&to));
    let back = folder.path().join("back");
    let _ = restore(&to, &back).ok();
    served(&back, &["ledger create --ledger more --currency EUR --test-clock 2026-01-05"]);
    let later = row(backup(&back, &to));
    assert!(later["position"].as_u64() > told["position"].as_u64(), "{later}");
}

/// A file of a backup that the next one replaces.
fn replaced(to: &Path) -> PathBuf {
    let files = every_file(&to.join("log"));
    files.into_iter().find(|path| text(path).contains(".seg.")).unwrap()
}

#[test]
fn a_newer_backup_that_comes_amid_a_check_or_a_restore_is_taken_instead() {
    let (folder, data, to) = folder();
    let at = |name: &str| folder.path().join(name);
    let target = at("restored");
    let check = ["backup", "--verify-only", "--output", "json", "--to", text(&to)];
    let restore = ["restore", "--output", "json", "--from", text(&to), "--data", text(&target)];
    for (nth, words) in [&check[..], &restore].into_iter().enumerate() {
        let before = row(backup(&data, &to));
        go_on(&data, &format!("G-{nth}"));
        let gate = Gate::put(&replaced(&to), &at("gate"));
        let program = Program::start(encours(), words);
        std::thread::sleep(REACHES);
        let newer = row(backup(&data, &to));
        gate.open();
        let told = row(program.end());
        fs::remove_file(at("gate")).unwrap();
        assert!(newer["position"].as_u64() > before["position"].as_u64(), "{newer}");
        assert_eq!(told["tail_hash"], newer["tail_hash"], "{words:?}");
    }
    // What is damaged stays damaged where no newer one comes.
    fs::remove_file(replaced(&to)).unwrap();
    let ran = run(check).fails(DAMAGED);
    assert!(ran.stderr.contains("is missing"), "{ran}");
}
