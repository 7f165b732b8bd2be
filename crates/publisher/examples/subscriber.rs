//! Reacts to payments and to overdue invoices of a ledger, each once, for as long as it runs:
//! `cargo run -p encours-publisher --example subscriber [nats://127.0.0.1:4222 [effects.txt [LEDGER]]]`.
//!
//! Stop it, kill it, stop the servers, start all again: it goes on where it was. Delete the consumer:
//! it is given everything again, and does nothing twice.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example shows what it gets")]

use std::error::Error;
use std::fmt::{Display, Formatter};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use async_nats::HeaderValue;
use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::{self, Context, Message};
use futures_util::StreamExt as _;
use serde_json::Value;

const STREAM: &str = "ENCOURS_EVENTS";
const CONSUMER: &str = "rust-example";
const PAUSE: Duration = Duration::from_secs(1);

type Failure = Box<dyn Error + Send + Sync>;

/// The stream has another log than the one that was acted on: a person has to look.
#[derive(Debug)]
struct OtherLog(String, String);

impl Error for OtherLog {}

impl Display for OtherLog {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "the stream has log {}, what was done is of log {}", self.0, self.1)
    }
}

/// What was done, one line for each event: its log, its position, and what was done about it.
///
/// A real service has a database instead, and writes position and effect in one transaction.
struct Effects {
    file: File,
    log_id: String,
    /// The last event that was acted on.
    position: u64,
}

impl Effects {
    fn open(path: &Path) -> Result<Self, Failure> {
        let mut file = File::options().create(true).append(true).open(path)?;
        let text = fs::read_to_string(path)?;
        // A line without its end was not written whole: its event was not acted on.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        file.set_len(u64::try_from(whole)?)?;
        file.flush()?;
        let last = text.get(..whole).and_then(|lines| lines.lines().last()).unwrap_or("");
        let mut words = last.split(' ');
        let log_id = words.next().unwrap_or("").to_owned();
        let position = words.next().unwrap_or("0").parse()?;
        Ok(Self { file, log_id, position })
    }

    /// Acts on an event: position and effect reach the disk together, or not at all.
    fn add(&mut self, log_id: &str, position: u64, effect: &str) -> Result<(), Failure> {
        self.file.write_all(format!("{log_id} {position} {effect}\n").as_bytes())?;
        self.file.sync_data()?;
        log_id.clone_into(&mut self.log_id);
        self.position = position;
        Ok(())
    }
}

/// An amount as text. JSON leaves out what is 0.
fn amount(money: &Value) -> String {
    let units = money["units"].as_str().unwrap_or("0");
    let cents = money["nanos"].as_i64().unwrap_or(0) / 10_000_000;
    format!("{units}.{cents:02} {}", money["currencyCode"].as_str().unwrap_or(""))
}

/// What to do about an event; `None` where that is nothing.
fn effect(event: &Value) -> Option<String> {
    let customer = event["customerId"].as_str()?;
    match event["event"].as_str()? {
        "payment.recorded" => Some(format!(
            "received {} from {customer}",
            amount(&event["paymentRecorded"]["amount"])
        )),
        "payment.reversed" => {
            Some(format!("{customer}: {} taken back", amount(&event["paymentReversed"]["amount"])))
        }
        "invoice.overdue" => {
            let body = &event["invoiceOverdue"];
            let number = body["number"].as_str()?;
            Some(format!("call {customer} about {number}: {} open", amount(&body["open"])))
        }
        _ => None,
    }
}

/// The durable consumer: the server keeps how far it is.
async fn consumer(jetstream: &Context, ledger: &str) -> Result<PullConsumer, Failure> {
    let stream = jetstream.get_stream(STREAM).await?;
    let config = pull::Config {
        durable_name: Some(CONSUMER.to_owned()),
        filter_subjects: vec![
            format!("encours.v1.{ledger}.payment.>"),
            format!("encours.v1.{ledger}.invoice.overdue"),
        ],
        ack_policy: AckPolicy::Explicit,
        // One at a time: what is given again comes before what follows it, so that one position
        // tells all that was done.
        max_ack_pending: 1,
        ack_wait: Duration::from_secs(10),
        ..Default::default()
    };
    Ok(stream.get_or_create_consumer(CONSUMER, config).await?)
}

/// Acts on a message, unless that was done before.
async fn handle(message: &Message, effects: &mut Effects) -> Result<(), Failure> {
    let headers = message.headers.as_ref().ok_or("a message without headers")?;
    let header = |name| headers.get(name).map_or("", HeaderValue::as_str);
    let (log_id, position) = (header("Encours-Log-Id"), header("Encours-Position").parse()?);
    if !effects.log_id.is_empty() && effects.log_id != log_id {
        return Err(OtherLog(log_id.to_owned(), effects.log_id.clone()).into());
    }
    if position <= effects.position {
        println!("again: {position}");
    } else if let Some(effect) = effect(&serde_json::from_slice(&message.payload)?) {
        effects.add(log_id, position, &effect)?;
        println!("{position}: {effect}");
    }
    // Only now: what is not acknowledged is given again.
    message.double_ack().await
}

/// Takes messages until something goes wrong.
async fn follow(jetstream: &Context, ledger: &str, effects: &mut Effects) -> Result<(), Failure> {
    let consumer = consumer(jetstream, ledger).await?;
    loop {
        let mut some = consumer.fetch().max_messages(1).expires(PAUSE).messages().await?;
        while let Some(message) = some.next().await {
            handle(&message?, effects).await?;
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |other: &str| arguments.next().unwrap_or_else(|| other.to_owned());
    let (url, path, ledger) = (next("nats://127.0.0.1:4222"), next("effects.txt"), next("acme"));
    let mut effects = Effects::open(Path::new(&path))?;
    let client = async_nats::ConnectOptions::new().retry_on_initial_connect().connect(url).await?;
    let jetstream = jetstream::new(client);
    loop {
        if let Err(error) = follow(&jetstream, &ledger, &mut effects).await {
            if error.is::<OtherLog>() {
                return Err(error.to_string().into());
            }
            eprintln!("{error}: trying again");
            tokio::time::sleep(PAUSE).await;
        }
    }
}
