//! What somebody can check who trusts neither the operator nor this code: `docs/verify.py` and
//! `docs/verify_checkpoint.py`, which know nothing but `docs/log-format.md`, on what the binary writes,
//! and on the same with something altered.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use encours_log::{
    Disk, EventLog as _, EventRecord, FrameDraft, FrameNumber, Journal, JournalOptions, OsDisk,
    SealWith,
};
use encours_tests::{
    Gate, NatsServer, Program, Ran, Server, copy, data_folder, encours, flip_bit, python, root,
    run, run_program,
};
use tempfile::TempDir;

const DAMAGED: i32 = 5;
/// Invoices of a year. With the days that open there are more events than leaves in a subtree of which
/// the hash is kept.
const INVOICES: u32 = 60;

/// An interpreter of Python: no more than its standard library is needed.
fn interpreter() -> Option<PathBuf> {
    let named = std::env::var_os("ENCOURS_TEST_PYTHON").map(PathBuf::from);
    let python = named.unwrap_or_else(|| PathBuf::from("python3"));
    let is_there = Command::new(&python).arg("--version").output().is_ok();
    if !is_there {
        println!("skipped: no python3 on this machine");
    }
    is_there.then_some(python)
}

/// A log that the binary wrote, with what was kept of it.
struct Kept {
    python: PathBuf,
    folder: TempDir,
    key: String,
    /// The sizes of the two checkpoints that were kept.
    sizes: [u64; 2],
}

impl Kept {
    /// Two times of a server, with a checkpoint kept after each.
    fn write() -> Option<Self> {
        let python = interpreter()?;
        let folder = data_folder();
        let data = folder.path().join("data");
        let mut sizes = [0; 2];
        for (nth, size) in sizes.iter_mut().enumerate() {
            let server = Server::start(&data);
            fill(&server, folder.path(), nth);
            let _ = server.stop();
            let kept = folder.path().join(format!("{nth}.checkpoint"));
            let note = run(["log", "checkpoint", "--data", data.to_str().unwrap()]).ok().stdout;
            *size = note.lines().nth(1).unwrap().parse().unwrap();
            fs::write(kept, note).unwrap();
        }
        let key = run(["log", "checkpoint", "--key", "--data", data.to_str().unwrap()]).ok().stdout;
        Some(Self { python, folder, key: key.trim_end().to_owned(), sizes })
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// The short script where it knows the matter, else the one that knows signatures and growth.
    fn script(&self, words: &[&str]) -> Ran {
        let is_inclusion = |file: &str| {
            fs::read_to_string(file).is_ok_and(|proof| proof.contains("encours-inclusion-1"))
        };
        let name = match words {
            ["log", _] => "docs/verify.py",
            ["proof", file] if is_inclusion(file) => "docs/verify.py",
            _ => "docs/verify_checkpoint.py",
        };
        let script = root().join(name);
        // No packages but Python's own.
        let python = ["-B", "-S", "-E", script.to_str().unwrap()];
        run_program(&self.python, python.iter().chain(words))
    }

    /// The script says that this is wrong, in a line that tells what.
    fn refused(&self, words: &[&str], says: &str) {
        let ran = self.script(words).fails(1);
        let line = ran.stderr.trim_end();
        assert!(line.starts_with("WRONG: ") && line.lines().count() == 1, "{ran}");
        assert!(ran.stdout.is_empty(), "{ran}");
        assert!(line.contains(says), "no {says:?} in {ran}");
    }

    fn prove(&self, words: &str) -> String {
        let data = self.path("data");
        run(["log", "prove", "--data", &data].into_iter().chain(words.split(' '))).ok().stdout
    }

    fn keep(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }
}

fn fill(server: &Server, folder: &Path, nth: usize) {
    let url = server.url();
    let encours = |line: &str| run(line.split(' ').chain(["--server", &url])).ok();
    if nth > 0 {
        let _ = encours("customer create --ledger history --customer late --name Late");
        return;
    }
    let mut csv = "Customer,Number,Issued,Due,Amount\n".to_owned();
    for no in 0..INVOICES {
        let (month, day) = (no / 28 % 12 + 1, no % 28 + 1);
        writeln!(csv, "c{},F-{no},2025-{month:02}-{day:02},2025-12-31,{}.50", no % 9, no + 1)
            .unwrap();
    }
    let file = folder.join("invoices.csv");
    fs::write(&file, csv).unwrap();
    let columns =
        "customer_id=Customer,invoice_id=Number,issue_date=Issued,due_date=Due,total=Amount";
    let _ = encours(&format!(
        "import {} --ledger history --currency EUR --columns {columns}",
        file.to_str().unwrap()
    ));
}

#[test]
fn an_outsider_checks_the_log_its_checkpoints_and_its_proofs() {
    let Some(kept) = Kept::write() else { return };
    let (log, key, [first, second]) = (kept.path("data/log"), &kept.key, kept.sizes);
    assert!(300 < first && first < second, "{first} {second}");
    let whole = kept.script(&["log", &log]).ok().stdout;
    assert!(whole.contains(&format!("{second} events, root ")), "{whole}");
    for name in ["0.checkpoint", "1.checkpoint"] {
        let said = kept.script(&["checkpoint", &kept.path(name), key, &log]).ok().stdout;
        assert!(said.contains("the log agrees"), "{said}");
    }
    let position = |at: u64| format!("--position {at}");
    let asked = [1, 2, 256, 257, first, second].map(position);
    let sized = [format!("--position 7 --size {first}"), "--position 9 --size 100".to_owned()];
    for (nth, words) in asked.iter().chain(&sized).enumerate() {
        let proof = kept.keep("proof.json", &kept.prove(words));
        let said = kept.script(&["proof", &proof]).ok().stdout;
        assert!(said.contains(" is in the log of "), "{words}: {said}");
        // Without a size, it is that of the newest checkpoint, which comes along.
        if nth < asked.len() {
            let said = kept.script(&["proof", &proof, key]).ok().stdout;
            assert!(said.contains(&format!("as signed at {second} events")), "{words}: {said}");
        }
    }
    let old = kept.keep("old.json", &kept.prove(&sized[0]));
    let _ = kept.script(&["proof", &old, key, &kept.path("0.checkpoint")]).ok();
    for from in [1, 100, 256, first, second] {
        let proof = kept.keep("growth.json", &kept.prove(&format!("--from {from} --to {second}")));
        let said = kept.script(&["proof", &proof, key]).ok().stdout;
        assert!(said.contains(&format!("goes on from the one of {from}")), "{said}");
    }
    let grown = kept.keep("grown.json", &kept.prove(&format!("--from {first} --to {second}")));
    let _ = kept.script(&["proof", &grown, key, &kept.path("0.checkpoint")]).ok();
    // A server proves the same, and the binary checks what it is given.
    let server = Server::start(Path::new(&kept.path("data")));
    let words = format!("log prove --position 257 --size {first} --server {}", server.url());
    assert_eq!(
        run(words.split(' ')).ok().stdout,
        kept.prove(&words[10..words.find(" --server").unwrap()])
    );
    let served = run(["log", "checkpoint", "--key", "--server", &server.url()]).ok().stdout;
    assert_eq!(served.trim_end(), key);
    let _ = server.stop();
    let _ = verify(&kept, "data", &["0.checkpoint", "1.checkpoint"]).ok();
}

fn verify(kept: &Kept, data: &str, checkpoints: &[&str]) -> Ran {
    let data = kept.path(data);
    let files: Vec<_> = checkpoints.iter().map(|name| kept.path(name)).collect();
    let files = files.iter().flat_map(|file| ["--checkpoint", file]);
    run(["log", "verify", "--data", &data, "--key", &kept.key].into_iter().chain(files))
}

/// The format is simple enough for this: whoever checks the log can read all that checks it.
#[test]
fn the_script_can_be_read_in_one_go() {
    let script = fs::read_to_string(root().join("docs/verify.py")).unwrap();
    let lines = script.lines().filter(|line| !line.is_empty());
    let (count, widest) = (lines.clone().count(), lines.map(str::len).max().unwrap());
    assert!(count <= 100 && widest <= 100, "{count} lines of up to {widest} characters");
    assert!(!script.contains(';'), "one statement a line");
}

#[test]
fn what_was_altered_is_refused() {
    let Some(kept) = Kept::write() else { return };
    let (key, [first, second]) = (&kept.key, kept.sizes);
    // Any byte of the log.
    let segment = "00000000000000000001.seg";
    let bytes = fs::read(kept.path(&format!("data/log/{segment}"))).unwrap();
    let last = bytes.iter().rposition(|byte| *byte != 0).unwrap() as u64;
    copy(Path::new(&kept.path("data/log")), Path::new(&kept.path("damaged")));
    let damaged = kept.path("damaged");
    for byte in [1, 30, 520, 600, 700, last / 2, last, last + 4_000] {
        let file = kept.folder.path().join("damaged").join(segment);
        flip_bit(&file, byte * 8 + 3);
        kept.refused(&["log", &damaged], "");
        flip_bit(&file, byte * 8 + 3);
    }
    let _ = kept.script(&["log", &damaged]).ok();
    // Any field of a proof.
    let proof = kept.prove(&format!("--position 40 --size {first}"));
    let growth = kept.prove(&format!("--from {first} --to {second}"));
    for (proof, from, to) in [
        (&proof, "\"position\": 40", "\"position\": 41"),
        (&proof, "\"recorded_at_us\": 1", "\"recorded_at_us\": 2"),
        (&proof, "encours-cli", "encours-clj"),
        (&proof, "\"root\": \"", "\"root\": \"AA"),
        (&proof, "\"format\": \"encours-", "\"format\": \""),
        (&proof, &*format!("\"size\": {first}"), "\"size\": 41"),
        (&growth, &*format!("\"old_size\": {first}"), "\"old_size\": 1"),
        (&growth, "\"path\": [", "\"path\": [\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\","),
    ] {
        assert!(proof.contains(from), "no {from} in {proof}");
        let altered = kept.keep("altered.json", &proof.replacen(from, to, 1));
        kept.refused(&["proof", &altered], "");
    }
    let proof = kept.keep("proof.json", &proof);
    kept.refused(&["proof", &proof, key, &kept.path("1.checkpoint")], "of another tree");
    // A path alone fits several sizes; what was signed is one of them.
    let larger = kept.prove(&format!("--position 40 --size {first}"));
    let sizes = [format!("\"size\": {first}"), format!("\"size\": {}", first + 1)];
    let larger = kept.keep("larger.json", &larger.replacen(&sizes[0], &sizes[1], 1));
    kept.refused(&["proof", &larger, key, &kept.path("0.checkpoint")], "");
    // The checkpoint, its signature, the key.
    let note = fs::read_to_string(kept.path("0.checkpoint")).unwrap();
    let end = note.len() - 20;
    let digit = if &note[end..=end] == "A" { "B" } else { "A" };
    let other = format!("{}{digit}{}", &note[..end], &note[end + 1..]);
    let smaller = note.replacen(&format!("\n{first}\n"), "\n7\n", 1);
    for (altered, says) in
        [(other, "signature"), (smaller, "signature"), (note[..90].to_owned(), "")]
    {
        let file = kept.keep("altered.checkpoint", &altered);
        kept.refused(&["checkpoint", &file, key], says);
        let ran = verify(&kept, "data", &["altered.checkpoint"]).fails(DAMAGED);
        assert!(ran.stdout.is_empty(), "{ran}");
    }
    let another = key.replacen("+A", "+B", 1);
    kept.refused(&["checkpoint", &kept.path("0.checkpoint"), &another], "key");
}

/// Writes the log of a data folder anew with another actor of one event, and all hashes after it: what
/// an operator can do who has every file.
fn forge(from: &Path, to: &Path, position: u64) {
    copy(from, to);
    for name in ["log", "snapshots", "requests", "views", "proofs"] {
        let _ = fs::remove_dir_all(to.join(name));
    }
    let disk: Arc<dyn Disk> = Arc::new(OsDisk);
    let open = |data: &Path, create| {
        let options = JournalOptions { create, segment_len: 1 << 20, ..JournalOptions::default() };
        Journal::open(Arc::clone(&disk), &data.join("log"), options).unwrap().0
    };
    let source = open(from, None);
    let (reader, log_id) = (source.reader(), source.log_id());
    let mut forged = open(to, Some(log_id));
    for number in (1..=source.tail().number.0).map(FrameNumber) {
        let frame = reader.read(number).unwrap().unwrap();
        let mut draft = FrameDraft::new(forged.tail().next_position);
        let mut events = frame.events();
        for (mut command, first) in frame.commands() {
            let (count, until) = (command.event_count, first.0 + u64::from(command.event_count));
            let own = events.by_ref().take(usize::try_from(count).unwrap());
            let own: Vec<_> = own
                .map(|(_, event)| EventRecord {
                    kind: event.kind,
                    version: event.version,
                    payload: event.payload.to_vec(),
                })
                .collect();
            if (first.0..until).contains(&position) {
                "somebody-else".clone_into(&mut command.actor);
            }
            draft.push(&command, &own).unwrap();
        }
        let header = frame.header();
        let (epoch, recorded_at) = (header.epoch, header.recorded_at);
        let previous = forged.tail().hash;
        let sealed = draft.seal(SealWith { log_id, epoch, number, recorded_at, previous }).unwrap();
        forged.submit(sealed);
        assert!(forged.settle().unwrap().1.is_committed());
    }
    forged.close().unwrap();
}

#[test]
fn a_forged_log_is_caught_by_what_was_signed() {
    let Some(kept) = Kept::write() else { return };
    let (key, [first, second]) = (&kept.key, kept.sizes);
    let (data, forged) = (kept.folder.path().join("data"), kept.folder.path().join("forged"));
    forge(&data, &forged, second - 1);
    // In itself it is in order.
    let words = ["log", "verify", "--data", forged.to_str().unwrap()];
    let _ = run(words).ok();
    let log = kept.path("forged/log");
    let _ = kept.script(&["log", &log]).ok();
    // What was signed before the altered event agrees, what was signed after it does not.
    let _ = verify(&kept, "forged", &["0.checkpoint"]).ok();
    let caught = verify(&kept, "forged", &["0.checkpoint", "1.checkpoint"]).fails(DAMAGED);
    let says = format!("log_diverged: FAIL: at position {second}, frame ");
    assert!(caught.stdout.is_empty() && caught.stderr.contains(&says), "{caught}");
    assert!(caught.stderr.contains(&format!("signed at position {first}")), "{caught}");
    let _ = kept.script(&["checkpoint", &kept.path("0.checkpoint"), key, &log]).ok();
    let says = format!("FAIL at size {second}");
    kept.refused(&["checkpoint", &kept.path("1.checkpoint"), key, &log], &says);
    // A proof from it leads to a root that nobody has signed.
    fs::remove_dir_all(forged.join("checkpoints")).unwrap();
    let words = ["log", "prove", "--position", &(second - 1).to_string(), "--data"];
    let proof = run(words.iter().chain(&[forged.to_str().unwrap()])).ok().stdout;
    let proof = kept.keep("forged.json", &proof);
    let _ = kept.script(&["proof", &proof]).ok();
    kept.refused(&["proof", &proof, key, &kept.path("1.checkpoint")], "of another tree");
    // A node does not start on it while it has its checkpoints.
    copy(&data.join("checkpoints"), &forged.join("checkpoints"));
    let serve = ["serve", "--listen", "127.0.0.1:0", "--data", forged.to_str().unwrap()];
    let refused = run(serve).fails(DAMAGED);
    assert!(refused.stderr.contains("log_diverged") && refused.stderr.contains("checkpoint"));
    // A log that has lost its end.
    let short = kept.folder.path().join("short");
    copy(&data, &short);
    for name in ["log", "snapshots", "requests", "views", "proofs"] {
        let _ = fs::remove_dir_all(short.join(name));
    }
    let cut = kept.folder.path().join("cut");
    fs::create_dir(&cut).unwrap();
    shorten(&data, &cut, first);
    copy(&cut.join("log"), &short.join("log"));
    let refused = run(["serve", "--listen", "127.0.0.1:0", "--data", short.to_str().unwrap()]);
    assert!(refused.fails(DAMAGED).stderr.contains("log_rolled_back"));
    let caught = verify(&kept, "short", &["1.checkpoint"]).fails(DAMAGED);
    assert!(caught.stderr.contains("log_rolled_back: FAIL"), "{caught}");
    kept.refused(
        &["checkpoint", &kept.path("1.checkpoint"), key, &kept.path("short/log")],
        "ends at",
    );
}

/// The beginning of a log, as a log of its own.
fn shorten(from: &Path, to: &Path, size: u64) {
    let disk: Arc<dyn Disk> = Arc::new(OsDisk);
    let open = |data: &Path, create| {
        let options = JournalOptions { create, segment_len: 1 << 20, ..JournalOptions::default() };
        Journal::open(Arc::clone(&disk), &data.join("log"), options).unwrap().0
    };
    let source = open(from, None);
    let mut short = open(to, Some(source.log_id()));
    for number in (1..=source.tail().number.0).map(FrameNumber) {
        let frame = source.reader().read(number).unwrap().unwrap();
        if frame.last_position().0 > size {
            break;
        }
        short.submit(frame);
        assert!(short.settle().unwrap().1.is_committed());
    }
    short.close().unwrap();
}

#[test]
fn a_proof_from_files_is_of_what_was_signed_before_they_were_read() {
    let folder = data_folder();
    let at = |name: &str| folder.path().join(name);
    let (data, later) = (at("data"), at("later"));
    let go_on = |data: &Path, ledger: &str| {
        let server = Server::start(data);
        let create = format!("ledger create --ledger {ledger} --currency EUR --server");
        let _ = run(create.split(' ').chain([&*server.url()])).ok();
        let _ = server.stop();
    };
    go_on(&data, "one");
    copy(&data, &later);
    go_on(&later, "two");
    let signed = |data: &Path| {
        let note = fs::read_to_string(data.join("checkpoints/latest")).unwrap();
        note.lines().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let size = signed(&data);
    assert!(signed(&later) > size);
    // A server goes on writing and signing while the log is opened, which then is too short for what was
    // signed at last.
    fs::copy(data.join("log/anchor"), at("anchor")).unwrap();
    let gate = Gate::put(&data.join("log/anchor"), &at("gate"));
    let words = ["log", "prove", "--position", "1", "--data", data.to_str().unwrap()];
    let program = Program::start(encours(), words);
    std::thread::sleep(Duration::from_millis(500));
    fs::rename(at("anchor"), data.join("log/anchor")).unwrap();
    fs::copy(later.join("checkpoints/latest"), data.join("checkpoints/latest")).unwrap();
    gate.open();
    let proof: serde_json::Value = serde_json::from_str(&program.end().ok().stdout).unwrap();
    assert_eq!(proof["size"], size);
    let asked = (size + 9).to_string();
    let words = ["log", "prove", "--position", &asked, "--size", &asked, "--data"];
    let ran = run(words.iter().chain(&[data.to_str().unwrap()])).fails(3);
    assert!(ran.stderr.contains("outside of the log") && ran.stderr.contains("log stat"), "{ran}");
}

/// Reads the newest checkpoint of a log as any subscriber can, with nats-py.
const SUBSCRIBER: &str = "
import asyncio, sys, nats
async def main():
    connection = await nats.connect(sys.argv[1])
    bucket = await connection.jetstream().key_value('ENCOURS_CHECKPOINTS')
    entry = await bucket.get(sys.argv[2])
    sys.stdout.write(entry.value.decode())
    await connection.close()
asyncio.run(main())
";

#[test]
fn checkpoints_are_published_where_events_are() {
    let Some(nats) = NatsServer::start() else { return };
    let python = match python() {
        Ok(python) => python,
        Err(why) => {
            println!("skipped: {why}");
            return;
        }
    };
    let folder = data_folder();
    let data = folder.path().join("data");
    let publish = ["--publish-nats", &nats.url(), "--checkpoint-every", "1"];
    let server = Server::try_start_with(&[], &data, &publish).unwrap();
    let url = server.url();
    let create = "ledger create --ledger shop --currency EUR --test-clock 2026-01-05 --server";
    let _ = run(create.split(' ').chain([&*url])).ok();
    let told = run(["log", "stat", "--output", "json", "--server", &url]).ok().stdout;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let (log_id, size) = (told["log"][0]["log_id"].clone(), told["log"][0]["position"].clone());
    let (log_id, size) = (log_id.as_str().unwrap(), size.as_u64().unwrap());
    let script = folder.path().join("subscriber.py");
    fs::write(&script, SUBSCRIBER).unwrap();
    let published = || {
        let words = [script.to_str().unwrap(), &nats.url(), log_id];
        let note = run_program(&python, words);
        let size = note.stdout.lines().nth(1).and_then(|size| size.parse::<u64>().ok());
        (size.unwrap_or_default(), note)
    };
    let begun = Instant::now();
    let note = loop {
        let (at, note) = published();
        if at >= size {
            break note.ok().stdout;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{note}");
        std::thread::sleep(Duration::from_millis(200));
    };
    assert!(note.starts_with(&format!("encours/{log_id}\n")), "{note}");
    // The last one is that of the stop.
    let _ = run([
        "customer",
        "create",
        "--ledger",
        "shop",
        "--customer",
        "c",
        "--name",
        "C",
        "--server",
        &url,
    ])
    .ok();
    let _ = server.stop();
    let last = run(["log", "checkpoint", "--data", data.to_str().unwrap()]).ok().stdout;
    assert_eq!(published().1.ok().stdout, last);
    assert!(last != note);
}
