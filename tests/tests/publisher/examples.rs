//! The subscribers of the documentation: each reacts once to what it is to react to, whatever is
//! killed and started again, and whatever it is given twice.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use encours_proto::v1::public_event::Body;
use encours_tests::{Client, Company, NatsServer, data_folder, example, python, root, run_program};

use crate::support::{STREAM, jetstream, published, publishing, stop};

/// How long anything may take to come about.
const LIMIT: Duration = Duration::from_secs(60);

/// A subscriber that can be run.
struct Subscriber {
    program: PathBuf,
    arguments: Vec<String>,
    /// The name of its consumer.
    consumer: &'static str,
    /// What it did, from where it keeps that.
    effects: fn(&Self, &Path) -> Vec<String>,
}

/// One that runs; killed when dropped.
struct Running {
    child: Child,
    said: PathBuf,
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            eprintln!("-- the subscriber said:\n{}", self.said());
        }
    }
}

impl Running {
    fn said(&self) -> String {
        fs::read_to_string(&self.said).unwrap_or_default()
    }
}

impl Subscriber {
    fn start(&self, url: &str, folder: &Path) -> Running {
        let said = folder.join("said");
        let output = || Stdio::from(File::options().create(true).append(true).open(&said).unwrap());
        let child = Command::new(&self.program)
            .args(&self.arguments)
            .args([url, &folder.join("effects").display().to_string()])
            .stdin(Stdio::null())
            .stdout(output())
            .stderr(output())
            .spawn()
            .unwrap();
        Running { child, said: said.clone() }
    }

    /// Waits until it has done all that the log gives it to do, and checks that it did so once.
    async fn has_done(&self, running: &Running, client: &Client, folder: &Path) {
        let wanted = expected(client).await;
        let begun = Instant::now();
        loop {
            let done = (self.effects)(self, &folder.join("effects"));
            if done.len() >= wanted.len() || begun.elapsed() > LIMIT {
                assert_eq!(done, wanted, "{}", running.said());
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// What a subscriber is to do, from the log.
async fn expected(client: &Client) -> Vec<String> {
    let events = client.events_after(0).await;
    let effects = events.iter().filter(|event| event.ledger_id == "acme").filter_map(|event| {
        let money = |money: &Option<encours_proto::v1::Money>| {
            let money = money.clone().unwrap_or_default();
            format!("{}.{:02} {}", money.units, money.nanos / 10_000_000, money.currency_code)
        };
        let customer = &event.customer_id;
        let what = match event.body.as_ref()? {
            Body::PaymentRecorded(body) => {
                format!("received {} from {customer}", money(&body.amount))
            }
            Body::PaymentReversed(body) => {
                format!("{customer}: {} taken back", money(&body.amount))
            }
            Body::InvoiceOverdue(body) => {
                format!("call {customer} about {}: {} open", body.number, money(&body.open))
            }
            _ => return None,
        };
        Some(format!("{} {what}", event.position))
    });
    effects.collect()
}

/// A month's business: two invoices, half of one paid, a few cents; both fall overdue.
async fn month(client: Client, month: u32) {
    let company = Company::create(client, "acme", "2024-01-01").await;
    let customer = format!("c{month}");
    company.customer(&customer, "One").await;
    for number in [1, 2] {
        let due = format!("2024-0{month}-20");
        company.issue(&format!("F{month}-{number}"), &customer, "100.00", &due).await;
    }
    company.pay_invoice(&format!("P{month}-1"), &format!("F{month}-1"), "40.00").await;
    company.pay_invoice(&format!("P{month}-2"), &format!("F{month}-2"), "0.05").await;
    company.advance(&format!("2024-0{}-01", month + 1)).await;
}

async fn reacts_once(subscriber: Result<Subscriber, String>) {
    let Some(mut nats) = NatsServer::start() else { return };
    let subscriber = match subscriber {
        Ok(subscriber) => subscriber,
        Err(why) => return println!("skipped: {why}"),
    };
    let (data, folder) = (data_folder(), data_folder());
    let folder = folder.path();
    // It is there before the stream is.
    let running = subscriber.start(&nats.url(), folder);
    let mut server = publishing(data.path(), &nats.url(), &[]);
    month(Client::connect(&server.url()).await, 1).await;
    subscriber.has_done(&running, &Client::connect(&server.url()).await, folder).await;

    // Everything is killed in the midst of the second month, itself last.
    month(Client::connect(&server.url()).await, 2).await;
    server.kill9();
    nats.kill9();
    drop(running);
    nats.restart();
    server = publishing(data.path(), &nats.url(), &[]);
    let running = subscriber.start(&nats.url(), folder);
    subscriber.has_done(&running, &Client::connect(&server.url()).await, folder).await;

    // It outlives the others.
    server.kill9();
    nats.kill9();
    nats.restart();
    server = publishing(data.path(), &nats.url(), &[]);
    month(Client::connect(&server.url()).await, 3).await;
    let client = Client::connect(&server.url()).await;
    subscriber.has_done(&running, &client, folder).await;
    drop(running);

    // Its consumer is lost: it is given everything again, does nothing of it, and goes on.
    let stream = published(&nats, client.head().await.position).await;
    stream.delete_consumer(subscriber.consumer).await.unwrap();
    fs::remove_file(folder.join("said")).unwrap();
    let running = subscriber.start(&nats.url(), folder);
    month(client.clone(), 4).await;
    subscriber.has_done(&running, &client, folder).await;
    let again = running.said().lines().filter(|line| line.starts_with("again: ")).count();
    assert_eq!(again, 12, "{}", running.said());
    drop(running);

    // Another log in a stream of this name: a person has to look.
    stop(server).await;
    jetstream(&nats).await.delete_stream(STREAM).await.unwrap();
    let other = data_folder();
    let server = publishing(other.path(), &nats.url(), &[]);
    month(Client::connect(&server.url()).await, 1).await;
    let mut running = subscriber.start(&nats.url(), folder);
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = running.child.try_wait().unwrap() {
            break status;
        }
        assert!(begun.elapsed() < LIMIT, "it goes on: {}", running.said());
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(!status.success());
    assert!(running.said().contains("what was done is of log"), "{}", running.said());
    stop(server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_subscriber_in_rust() {
    let effects = |_: &Subscriber, file: &Path| {
        let lines = fs::read_to_string(file).unwrap_or_default();
        let lines = lines.lines().map(|line| line.split_once(' ').unwrap().1.to_owned());
        lines.collect()
    };
    let (program, arguments) = (example("publisher", "subscriber"), Vec::new());
    reacts_once(Ok(Subscriber { program, arguments, consumer: "rust-example", effects })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_subscriber_in_python() {
    const ROWS: &str = "import sqlite3, sys\n\
        rows = sqlite3.connect(sys.argv[1]).execute('SELECT * FROM effects ORDER BY position')\n\
        print(*(f'{position} {what}' for position, what in rows), sep='\\n')";
    let effects = |subscriber: &Subscriber, file: &Path| {
        let ran = run_program(&subscriber.program, ["-c", ROWS, file.to_str().unwrap()]);
        let lines = ran.stdout.lines().filter(|line| !line.is_empty()).map(str::to_owned);
        lines.collect()
    };
    let arguments = vec![root().join("docs/examples/python/subscriber.py").display().to_string()];
    let subscriber = python().map(|program| Subscriber {
        program,
        arguments,
        consumer: "python-example",
        effects,
    });
    reacts_once(subscriber).await;
}

#[test]
fn the_page_quotes_the_examples() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let trimmed = |text: &str| text.lines().map(str::trim).collect::<Vec<_>>().join("\n");
    let page = read("docs/subscribers.md");
    for (kind, path) in [
        ("python", "docs/examples/python/subscriber.py"),
        ("rust", "crates/publisher/examples/subscriber.rs"),
    ] {
        let example = trimmed(&read(path));
        let fence = format!("```{kind}\n");
        let blocks: Vec<_> =
            page.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
        assert!(!blocks.is_empty(), "the page quotes no {kind}");
        for block in blocks {
            assert!(example.contains(&trimmed(block)), "{path} has nothing like this: {block}");
        }
    }
}
