//! Several logs that publish to one account, and one log that is published again into another stream.

use std::fs;
use std::path::Path;

use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::stream::{Config, Stream};
use encours_tests::{Client, Company, NatsServer, Server, data_folder, python, root, run_program};
use tokio_stream::StreamExt as _;

use crate::support::{
    STREAM, customers, expect_events, jetstream, messages, published, published_in, publishing,
    stop, stream_named,
};

/// A server whose log has a name.
fn named(data: &Path, nats: &NatsServer, name: &str) -> Server {
    publishing(data, &nats.url(), &[&format!("ENCOURS_PUBLISH_AS={name}")])
}

/// A ledger acme with payments of these numbers; the last position.
async fn payments(server: &Server, numbers: std::ops::Range<u32>) -> u64 {
    let company = Company::create(Client::connect(&server.url()).await, "acme", "2024-01-01").await;
    for number in numbers {
        company.customer(&format!("c{number}"), "One").await;
        company.issue(&format!("F{number}"), &format!("c{number}"), "9.00", "2024-02-01").await;
        company.pay_invoice(&format!("P{number}"), &format!("F{number}"), "9.00").await;
    }
    company.client.head().await.position
}

/// What a consumer gets that filters by a subject.
async fn filtered(stream: &Stream, filter: &str) -> Vec<String> {
    let config = pull::Config { filter_subject: filter.to_owned(), ..Default::default() };
    let consumer = stream.create_consumer(config).await.unwrap();
    let mut messages = consumer.fetch().max_messages(1000).messages().await.unwrap();
    let mut subjects = Vec::new();
    while let Some(message) = messages.next().await {
        subjects.push(message.unwrap().subject.to_string());
    }
    subjects
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_in_one_account_have_streams_of_their_own_and_the_same_subjects() {
    let Some(mut nats) = NatsServer::start() else { return };
    let folder = data_folder();
    let [one, eu, us] = ["one", "eu", "us"].map(|name| folder.path().join(name));
    let start = |nats: &NatsServer| {
        let one = publishing(&one, &nats.url(), &[]);
        [one, named(&eu, nats, "eu"), named(&us, nats, "us")]
    };
    let streams = [STREAM, "ENCOURS_EVENTS_eu", "ENCOURS_EVENTS_us"];
    let mut servers = start(&nats);
    let mut heads = [0; 3];
    // The second time after all was killed: each goes on where it was.
    for round in 0..2_u32 {
        for (at, server) in (0_u32..).zip(&servers) {
            let begin = round * 10;
            let head = payments(server, begin..begin + 2 + at).await;
            heads[at as usize] = head;
        }
        for server in servers {
            server.kill9();
        }
        nats.kill9();
        nats.restart();
        servers = start(&nats);
    }
    let mut logs = Vec::new();
    for (at, (name, head)) in streams.into_iter().zip(heads).enumerate() {
        // The servers have recorded that they were started again.
        let head = head + 1;
        let stream = published_in(&nats, name, head).await;
        expect_events(&stream, 1, head).await;
        let messages = messages(&stream).await;
        assert!(messages.iter().all(|message| message.subject.starts_with("encours.v1.")));
        logs.push(messages[0].header("Encours-Log-Id").to_owned());
        assert!(messages.iter().all(|message| message.header("Encours-Log-Id") == logs[at]));
        let payments = filtered(&stream, "encours.v1.*.payment.>").await;
        assert_eq!(payments, vec!["encours.v1.acme.payment.recorded"; 2 * (2 + at)]);
        assert!(filtered(&stream, "encours.v1.other.>").await.is_empty());
    }
    logs.dedup();
    assert_eq!(logs.len(), 3, "{logs:?}");
    for server in servers {
        stop(server).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_python_subscriber_of_a_named_log_acts_once() {
    let Some(nats) = NatsServer::start() else { return };
    let interpreter = match python() {
        Ok(interpreter) => interpreter,
        Err(why) => return println!("skipped: {why}"),
    };
    let folder = data_folder();
    let other = publishing(&folder.path().join("other"), &nats.url(), &[]);
    let server = named(&folder.path().join("eu"), &nats, "eu");
    let _ = payments(&other, 0..5).await;
    let last = payments(&server, 5..8).await;
    let _ = published_in(&nats, "ENCOURS_EVENTS_eu", last).await;
    let events = Client::connect(&server.url()).await.events_after(0).await;
    let of_acme = events.iter().rfind(|event| event.ledger_id == "acme").unwrap().position;
    let effects = folder.path().join("effects");
    for crash_after in ["10", "0"] {
        let words = [
            "STREAM=ENCOURS_EVENTS_eu".to_owned(),
            interpreter.display().to_string(),
            root().join("tests/python/subscriber.py").display().to_string(),
            nats.url(),
            effects.display().to_string(),
            of_acme.to_string(),
            crash_after.to_owned(),
        ];
        let ran = tokio::task::block_in_place(|| run_program(Path::new("env"), words));
        assert_eq!(ran.code, Some(if crash_after == "0" { 0 } else { 9 }), "{ran}");
    }
    let done = fs::read_to_string(effects).unwrap();
    let customers: Vec<_> =
        done.lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect();
    assert_eq!(customers, [5, 6, 7].map(|n| format!("received 9 EUR from c{n}")));
    stop(server).await;
    stop(other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_a_named_log_that_does_not_turn_its_subjects_is_refused() {
    let Some(nats) = NatsServer::start() else { return };
    let config = Config {
        name: "ENCOURS_EVENTS_eu".to_owned(),
        subjects: vec!["encours.events.eu.>".to_owned()],
        deny_delete: true,
        ..Config::default()
    };
    jetstream(&nats).await.create_stream(config).await.unwrap();
    let folder = data_folder();
    let server = named(&folder.path().join("eu"), &nats, "eu");
    server.told("differ: subject_transform must be encours.events.eu.> to encours.v1.>").await;
    // Two logs of one name: the second one is told.
    let one = named(&folder.path().join("one"), &nats, "us");
    let head = Client::connect(&one.url()).await.head().await.position;
    let _ = published_in(&nats, "ENCOURS_EVENTS_us", head).await;
    let two = named(&folder.path().join("two"), &nats, "us");
    two.told("publisher_refused: stream ENCOURS_EVENTS_us holds the events of log").await;
    for server in [server, one, two] {
        stop(server).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_published_again_into_a_new_stream_from_any_position() {
    let Some(nats) = NatsServer::start() else { return };
    let folder = data_folder();
    let data = folder.path().join("data");
    let config = folder.path().join("encours.toml");
    fs::write(&config, "[serve]\npublish_from = 7\n").unwrap();
    let config = format!("ENCOURS_CONFIG={}", config.display());
    let server = publishing(&data, &nats.url(), &[]);
    let company = Company::create(Client::connect(&server.url()).await, "acme", "2024-01-01").await;
    customers(&company, 0..20).await;
    let first = company.client.head().await.position;
    let _ = published(&nats, first).await;
    stop(server).await;

    // Beside the old one, which stays as it is; a restart goes on, whatever it is told.
    for round in 0..2 {
        let server = publishing(&data, &nats.url(), &["ENCOURS_PUBLISH_AS=replay", &config]);
        let client = Client::connect(&server.url()).await;
        let company = Company::create(client, "acme", "2024-01-01").await;
        customers(&company, 20 + round * 5..25 + round * 5).await;
        let head = company.client.head().await.position;
        let again = published_in(&nats, "ENCOURS_EVENTS_replay", head).await;
        expect_events(&again, 7, head).await;
        expect_events(&stream_named(&nats, STREAM).await, 1, first).await;
        stop(server).await;
    }

    // On the same subjects only once the old one is gone.
    let other = ["ENCOURS_PUBLISH_STREAM=OTHER", &config];
    let server = publishing(&data, &nats.url(), &other);
    server.told("publisher_refused: making stream OTHER: subjects overlap").await;
    jetstream(&nats).await.delete_stream(STREAM).await.unwrap();
    let head = Client::connect(&server.url()).await.head().await.position;
    expect_events(&published_in(&nats, "OTHER", head).await, 7, head).await;
    stop(server).await;

    // And the one that it was before goes on, where it was not deleted.
    let server = publishing(&data, &nats.url(), &["ENCOURS_PUBLISH_AS=replay"]);
    let head = Client::connect(&server.url()).await.head().await.position;
    expect_events(&published_in(&nats, "ENCOURS_EVENTS_replay", head).await, 7, head).await;
    stop(server).await;
}
