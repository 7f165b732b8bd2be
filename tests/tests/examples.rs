//! The examples of the documentation, run against the real binary: the same story in three languages
//! prints the same figures, appends nothing when it is told again, and does not mind a connection
//! that breaks off.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

use std::path::{Path, PathBuf};
use std::time::Instant;

use encours_proto::v1;
use encours_tests::{
    Client, Proxy, Ran, Server, data_folder, example, node_modules, python, root, run_program,
};
use tempfile::TempDir;

/// What each example prints on a new ledger.
const STORY: &str = "\
issued: INV-2026-00001, 1200.00 EUR, due 2026-02-04
issued again: the same
Dupont SARL: invoiced 1200.00 EUR, collected 450.00 EUR, outstanding 750.00 EUR
refused: OVER_ALLOCATION, 800.00 EUR asked, 750.00 EUR open
recorded: 800.00 EUR, of it unapplied 50.00 EUR
F-2: INV-2026-00002
F-3: refused: UNKNOWN_CUSTOMER
F-4: INV-2026-00003
F-1: PAID, open 0.00 EUR
F-2: OVERDUE, open 100.00 EUR
F-4: OVERDUE, open 300.00 EUR
event invoice.issued
event payment.recorded
event allocation.made
event payment.recorded
event allocation.made
event invoice.paid
event invoice.issued
event invoice.issued
event invoice.due
event invoice.due
event invoice.overdue
event invoice.overdue
";

/// After how many bytes of answers a connection breaks off: at once, in the midst, near the end.
const CUTS: [u64; 4] = [0, 700, 1_500, 3_000];

/// An example that can be run: a program with what it needs in its environment.
struct Example {
    program: PathBuf,
    environment: Vec<String>,
    arguments: Vec<String>,
    /// Whether it takes an address as a URL, or without `http://`.
    takes_url: bool,
    /// Where the modules that were made for it lie, where it needs some.
    stubs: Option<TempDir>,
}

impl Example {
    fn rust(name: &str) -> Self {
        let (environment, arguments) = (Vec::new(), Vec::new());
        Self {
            program: example("proto", name),
            environment,
            arguments,
            takes_url: true,
            stubs: None,
        }
    }

    fn node(script: &str) -> Result<Self, String> {
        Ok(Self {
            program: "node".into(),
            environment: vec![format!("NODE_PATH={}", node_modules()?.display())],
            arguments: vec![below_examples(script)],
            takes_url: false,
            stubs: None,
        })
    }

    fn python(script: &str) -> Result<Self, String> {
        let python = python()?;
        let stubs = data_folder();
        let out = stubs.path().display();
        let contract = root().join("proto/encours/v1");
        let files = std::fs::read_dir(contract).unwrap().map(|entry| entry.unwrap().path());
        let flags = [
            "-m".to_owned(),
            "grpc_tools.protoc".to_owned(),
            format!("-I{}", root().join("proto").display()),
            format!("--python_out={out}"),
            format!("--grpc_python_out={out}"),
        ];
        let files = files.map(|path| path.display().to_string());
        let _made = run_program(&python, flags.into_iter().chain(files)).ok();
        Ok(Self {
            program: python,
            environment: Vec::new(),
            arguments: vec![below_examples(script)],
            takes_url: false,
            stubs: Some(stubs),
        })
    }

    /// Runs it against a server, with what else it takes.
    fn run(&self, url: &str, more: &[&str]) -> Ran {
        let address = if self.takes_url { url } else { url.trim_start_matches("http://") };
        let mut words = self.environment.clone();
        let stubs = self.stubs.as_ref();
        words.extend(stubs.map(|stubs| format!("PYTHONPATH={}", stubs.path().display())));
        words.push(self.program.display().to_string());
        words.extend(self.arguments.iter().cloned());
        words.push(address.to_owned());
        words.extend(more.iter().map(|&word| word.to_owned()));
        run_program(Path::new("env"), words)
    }
}

fn below_examples(script: &str) -> String {
    root().join("docs/examples").join(script).display().to_string()
}

/// Runs the story on a new ledger, again, and on further ones over connections that break off.
async fn tells_the_story(language: &str, example: Result<Example, String>) {
    let example = match example {
        Ok(example) => example,
        Err(why) => return println!("skipped: {why}"),
    };
    let folder = data_folder();
    let server = Server::start(folder.path());
    let client = Client::connect(&server.url()).await;

    let begun = Instant::now();
    let first = example.run(&server.url(), &["told"]).ok();
    println!("{language}: {:?}", begun.elapsed());
    assert_eq!(first.stdout, STORY, "{first}");
    assert_eq!(first.stderr, "", "{first}");
    let position = client.head().await.position;
    let again = example.run(&server.url(), &["told"]).ok();
    assert_eq!(client.head().await.position, position, "told again, it appends: {again}");
    let told = business(&client, "told").await;
    assert!(told.len() > 10, "{told:?}");

    for cut in CUTS {
        let ledger = format!("cut-{cut}");
        let proxy = Proxy::start(&server.url()).await;
        proxy.cut_after(cut);
        let url = proxy.url("http");
        let ran = tokio::task::block_in_place(|| example.run(&url, &[&ledger])).ok();
        assert_eq!(ran.stdout, STORY, "broken off after {cut} bytes: {ran}");
        assert!(ran.stderr.contains("trying again"), "not broken off after {cut} bytes: {ran}");
        assert_eq!(business(&client, &ledger).await, told, "broken off after {cut} bytes");
    }
}

/// What happened in a ledger, with who did it by which request.
async fn business(client: &Client, ledger: &str) -> Vec<String> {
    let events = client.events_after(0).await.into_iter();
    let line = |event: v1::PublicEvent| {
        let request = event.request_id.replace(ledger, "LEDGER");
        format!("{} {} {request}", event.event, event.actor)
    };
    events.filter(|event| event.ledger_id == ledger).map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_story_in_rust() {
    tells_the_story("Rust", Ok(Example::rust("service"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_story_in_python() {
    tells_the_story("Python", Example::python("python/service.py")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_story_in_node() {
    tells_the_story("Node", Example::node("node/service.js")).await;
}

#[test]
fn the_first_balance_in_rust_and_python() {
    let folder = data_folder();
    let server = Server::start(folder.path());
    for example in [Ok(Example::rust("first_balance")), Example::python("first_balance.py")] {
        match example {
            Ok(example) => {
                let ran = example.run(&server.url(), &[]).ok();
                let wanted = "Dupont SARL: invoiced 1200 EUR, outstanding 750 EUR (INV-";
                assert!(ran.stdout.starts_with(wanted), "{ran}");
            }
            Err(why) => println!("skipped: {why}"),
        }
    }
}
