//! All but the log and the keys can be deleted, or damaged: the next start makes the same of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use encours_log::{EventLog as _, Journal, JournalOptions, OsDisk, Position, SystemClock};
use encours_projections::{Checkpoint, ReadModel, ReadModelOptions};
use encours_proto::v1;
use encours_sim::Rng;
use encours_tests::{Client, Company, Server, copy, data_folder, eur, every_file, flip_bit, run};
use tempfile::TempDir;

/// What is never deleted.
const TRUTH: [&str; 2] = ["keys", "log"];

/// Everything that a reader can see, as text.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    figures: String,
    outputs: Vec<(String, String)>,
    events: Vec<v1::PublicEvent>,
}

const ASKED: [&str; 6] = [
    "customer list --ledger acme --output csv",
    "invoice list --ledger acme --output csv",
    "payment list --ledger acme --output csv",
    "ageing --ledger acme --output csv",
    "ageing --ledger acme --as-of 2024-02-10 --output csv",
    "invoice show i7 --ledger acme --output csv",
];

async fn look(server: &Server) -> Seen {
    let client = Client::connect(&server.url()).await;
    let url = server.url();
    let outputs = ASKED.iter().map(|asked| {
        let arguments = asked.split(' ').chain(["--server", &url]);
        ((*asked).to_owned(), run(arguments).ok().stdout)
    });
    let outputs: Vec<_> = outputs.collect();
    let min_position = client.head().await.position;
    let request = v1::GetLedgerTotalsRequest { ledger_id: "acme".to_owned(), min_position };
    let mut totals = client.reports.clone().get_ledger_totals(request).await.unwrap().into_inner();
    // A start appends an event of its own; the figures must not move.
    totals.position = 0;
    let mut events = client.events_after(0).await;
    events.retain(|event| event.entity != "log");
    Seen { figures: format!("{totals:?}"), outputs, events }
}

/// A company with something of everything.
async fn play(company: &Company) {
    for customer in 0..5 {
        company.customer(&format!("c{customer}"), &format!("Customer {customer}")).await;
    }
    for invoice in 0..30 {
        let customer = format!("c{}", invoice % 4);
        let due = format!("2024-02-{:02}", 1 + invoice % 25);
        company
            .issue(&format!("i{invoice}"), &customer, &format!("{}.40", 10 + invoice), &due)
            .await;
    }
    for invoice in 0..10 {
        company.pay_invoice(&format!("p{invoice}"), &format!("i{invoice}"), "12.00").await;
    }
    company.advance("2024-02-20").await;
    let note = v1::IssueCreditNoteRequest {
        ledger_id: "acme".to_owned(),
        credit_note_id: "n1".to_owned(),
        invoice_id: "i20".to_owned(),
        amount: eur("5.00"),
        ..Default::default()
    };
    company.client.credit_notes.clone().issue_credit_note(note).await.unwrap();
    let reverse = v1::ReversePaymentRequest {
        ledger_id: "acme".to_owned(),
        payment_id: "p3".to_owned(),
        kind: v1::ReversalKind::Bounced.into(),
        ..Default::default()
    };
    company.client.payments.clone().reverse_payment(reverse).await.unwrap();
    company.pay_invoice("p-late", "i25", "500.00").await;
    company.saw(company.client.head().await.position);
}

/// The digest of the business facts in a copy of a stopped server's folder: from its checkpoint and
/// the log after it, or from the log alone.
async fn digest(data: &Path, from_checkpoint: bool) -> String {
    let scratch = data_folder();
    copy(data, scratch.path());
    let views = scratch.path().join("views");
    if !from_checkpoint && views.exists() {
        remove(&views);
    }
    let checkpoint = Checkpoint::load(&views);
    assert_eq!(checkpoint.known().is_some(), from_checkpoint, "a clean stop leaves a checkpoint");
    let options = JournalOptions { background: false, ..Default::default() };
    let (journal, _) =
        Journal::open(Arc::new(OsDisk), &scratch.path().join("log"), options).unwrap();
    let reader = journal.reader();
    let last = Position(reader.tail().next_position.0 - 1);
    let clock = Arc::new(SystemClock::new());
    let model =
        ReadModel::open(ReadModelOptions { reader, checkpoint: Some(checkpoint), clock }).unwrap();
    model.wait_for(last).await.unwrap();
    assert!(model.health().rebuilt.is_none() || !from_checkpoint, "{:?}", model.health());
    let digest = model.digest().value.to_string();
    model.stop();
    digest
}

/// A repeat of a command from before: known from the request ids alone.
async fn repeat(server: &Server) -> (u64, bool) {
    let request = v1::CreateLedgerRequest {
        ledger_id: "other".to_owned(),
        request_id: "once".to_owned(),
        currency_code: "EUR".to_owned(),
        time_zone: "Europe/Paris".to_owned(),
        test_clock: Some(v1::TestClock {
            clock_id: String::new(),
            start_date: encours_tests::date("2024-01-01"),
        }),
        ..Default::default()
    };
    let mut ledgers = Client::connect(&server.url()).await.ledgers;
    let answer = ledgers.create_ledger(request).await.unwrap().into_inner();
    (answer.position, answer.repeat)
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn remove(path: &Path) {
    if path.is_dir() {
        fs::remove_dir_all(path).unwrap();
    } else {
        fs::remove_file(path).unwrap();
    }
}

/// A data folder of a played company, stopped cleanly; what was seen of it, and where the command
/// of `repeat` stands.
async fn played() -> (TempDir, Seen, u64) {
    let folder = data_folder();
    let server = Server::start(folder.path());
    let company = Company::create(Client::connect(&server.url()).await, "acme", "2024-01-01").await;
    play(&company).await;
    let (position, is_repeat) = repeat(&server).await;
    assert!(!is_repeat);
    let seen = look(&server).await;
    assert_eq!(server.stop().ran.code, Some(0));
    (folder, seen, position)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_the_log_can_be_deleted_and_comes_back_the_same() {
    let (original, before, position) = played().await;
    let there = names(original.path());
    let derived: Vec<String> =
        there.iter().filter(|name| !TRUTH.contains(&name.as_str())).cloned().collect();
    assert!(TRUTH.iter().all(|name| there.contains(*name)), "{there:?}");
    assert!(derived.len() >= 3, "read model, snapshots and request ids are kept: {there:?}");

    let from_log = digest(original.path(), false).await;
    assert_eq!(digest(original.path(), true).await, from_log, "checkpoint and log agree");

    let mut trials: Vec<Vec<&str>> = derived.iter().map(|name| vec![name.as_str()]).collect();
    trials.push(Vec::new());
    trials.push(derived.iter().map(String::as_str).collect());
    for deleted in trials {
        let trial = data_folder();
        copy(original.path(), trial.path());
        for name in &deleted {
            remove(&trial.path().join(name));
        }
        let server = Server::start(trial.path());
        let after = look(&server).await;
        assert_eq!(after, before, "without {deleted:?}");
        assert_eq!(repeat(&server).await, (position, true), "without {deleted:?}");
        let took = server.start_took;
        let stopped = server.stop();
        assert_eq!(stopped.ran.code, Some(0), "{}", stopped.ran);
        let what = format!("without {deleted:?}");
        assert_eq!(digest(trial.path(), true).await, from_log, "{what}, from what was made again");
        assert_eq!(digest(trial.path(), false).await, from_log, "{what}, from the log");
        println!("without {deleted:?}: the same, started in {} ms", took.as_millis());
    }
    println!(
        "{} events, {} outputs compared, {from_log} each time",
        before.events.len(),
        before.outputs.len()
    );
}

/// Flips per file.
const FLIPS: u64 = 2;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_the_log_can_be_damaged_and_is_made_again() {
    let seed = 11;
    let mut rng = Rng::new(seed);
    let (original, before, position) = played().await;
    let is_derived = |path: &&PathBuf| {
        let name = path.strip_prefix(original.path()).unwrap();
        let top = name.iter().next().unwrap().to_str().unwrap();
        name.components().count() > 1 && !TRUTH.contains(&top)
    };
    let files: Vec<PathBuf> =
        every_file(original.path()).iter().filter(is_derived).cloned().collect();
    let mut noticed = 0;
    for file in &files {
        let name = file.strip_prefix(original.path()).unwrap();
        let bits = file.metadata().unwrap().len() * 8;
        for _ in 0..FLIPS.min(bits) {
            let trial = data_folder();
            copy(original.path(), trial.path());
            let bit = rng.below(bits);
            flip_bit(&trial.path().join(name), bit);
            let server = Server::start(trial.path());
            let what = format!("bit {bit} of {} flipped (seed {seed})", name.display());
            assert_eq!(look(&server).await, before, "{what}");
            assert_eq!(repeat(&server).await, (position, true), "{what}");
            assert!(!server.said().contains("panicked"), "{what}: {}", server.said());
            let is_noticed = server.said().contains("WARN");
            noticed += u64::from(is_noticed);
            println!(
                "{what}: the same, {}",
                if is_noticed { "with a warning" } else { "silently" }
            );
            assert_eq!(server.stop().ran.code, Some(0), "{what}");
        }
    }
    println!("{} files damaged {FLIPS} times each, {noticed} times with a warning", files.len());
}
