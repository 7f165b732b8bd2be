//! The permissions that `docs/subscribers.md` gives: what they allow is enough, and what they do not
//! is refused.

use std::fs;
use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::pull;
use async_nats::{Client as Nats, ConnectOptions, Event, jetstream};
use encours_tests::{Client, Company, NatsServer, data_folder, root};
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;

use crate::support::{STREAM, customers, publishing};

/// How long anything may take to come about.
const LIMIT: Duration = Duration::from_secs(60);

/// The lines for the server that the page shows, with passwords.
fn shown() -> String {
    let page = fs::read_to_string(root().join("docs/subscribers.md")).unwrap();
    let (_, block) = page.split_once("```text\nauthorization {").expect("the page shows them");
    let (block, _) = block.split_once("```").unwrap();
    let block = block.replace("$ENCOURS_PASSWORD", "one").replace("$BOOKS_PASSWORD", "two");
    format!("authorization {{{block}")
}

/// A connection as the subscriber, and what the server refuses it.
async fn subscriber(nats: &NatsServer) -> (Nats, mpsc::UnboundedReceiver<String>) {
    let (to, refused) = mpsc::unbounded_channel();
    let options = ConnectOptions::with_user_and_password("books".to_owned(), "two".to_owned())
        .custom_inbox_prefix("_INBOX_books")
        .request_timeout(Some(Duration::from_secs(2)))
        .event_callback(move |event| {
            if let Event::ServerError(error) = event {
                drop(to.send(error.to_string()));
            }
            std::future::ready(())
        });
    (options.connect(nats.url()).await.unwrap(), refused)
}

/// Asks for a consumer with a filter.
async fn consumer(books: &Nats, name: &str, filter: &str) -> Option<pull::Stream> {
    let stream = jetstream::new(books.clone()).get_stream(STREAM).await.unwrap();
    let config = pull::Config {
        durable_name: Some(name.to_owned()),
        filter_subject: filter.to_owned(),
        ..Default::default()
    };
    let consumer = tokio::time::timeout(Duration::from_secs(3), stream.create_consumer(config));
    Some(consumer.await.ok()?.ok()?.messages().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_reads_its_own_ledger_and_nothing_else() {
    let Some(mut nats) = NatsServer::prepare(&shown()) else { return };
    nats.restart();
    let folder = data_folder();
    let url = nats.url().replace("nats://", "nats://encours:one@");
    let server = publishing(folder.path(), &url, &[]);
    let client = Client::connect(&server.url()).await;
    for ledger in ["other", "acme"] {
        let company = Company::create(client.clone(), ledger, "2024-01-01").await;
        customers(&company, 0..3).await;
    }
    let (books, mut refused) = subscriber(&nats).await;
    // The stream is there once the publisher was let in.
    let begun = Instant::now();
    while let Err(error) = jetstream::new(books.clone()).get_stream(STREAM).await {
        assert!(begun.elapsed() < LIMIT, "no stream: {error}: {}", server.said());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut messages = consumer(&books, "acme-books", "encours.v1.acme.>").await.unwrap();
    let mut subjects = Vec::new();
    while subjects.len() < 4 {
        let message = messages.next().await.unwrap().unwrap();
        message.double_ack().await.unwrap();
        subjects.push(message.subject.to_string());
    }
    assert_eq!(subjects[0], "encours.v1.acme.ledger.created");
    assert_eq!(subjects[3], "encours.v1.acme.customer.created");

    for (name, filter) in [
        ("acme-books", "encours.v1.other.>"),
        ("acme-books", "encours.v1.>"),
        ("acme-books", ""),
        ("other-books", "encours.v1.acme.>"),
    ] {
        assert!(consumer(&books, name, filter).await.is_none(), "{name} {filter}");
    }
    // What it may ask for says one ledger in the subject and another one in the request.
    let create = "$JS.API.CONSUMER.CREATE.ENCOURS_EVENTS.acme-books.encours.v1.acme.>";
    let lie = serde_json::json!({ "stream_name": STREAM, "config": {
        "durable_name": "acme-books", "ack_policy": "explicit", "filter_subject": "encours.v1.other.>",
    } });
    let answer = books.request(create, lie.to_string().into()).await.unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&answer.payload).unwrap();
    assert_eq!(answer["error"]["code"], 400, "{answer}");
    while refused.try_recv().is_ok() {}
    let jetstream_of_books = jetstream::new(books.clone());
    let stream = jetstream_of_books.get_stream(STREAM).await.unwrap();
    for subject in [
        "encours.v1.acme.payment.recorded",
        "$JS.API.STREAM.PURGE.ENCOURS_EVENTS",
        "$JS.API.STREAM.DELETE.ENCOURS_EVENTS",
        "$JS.API.STREAM.MSG.GET.ENCOURS_EVENTS",
        "$JS.API.DIRECT.GET.ENCOURS_EVENTS",
    ] {
        books.publish(subject, "{}".into()).await.unwrap();
        let told = tokio::time::timeout(Duration::from_secs(5), refused.recv()).await;
        let told = told.ok().flatten().unwrap_or_else(|| panic!("{subject} is not refused"));
        assert!(told.to_lowercase().contains(&subject.to_lowercase()), "{subject}: {told}");
    }
    // A subscription beside the stream, also to the answers that others get.
    for subject in ["encours.v1.>", "_INBOX.>", "$JS.ACK.>"] {
        let _subscription = books.subscribe(subject).await.unwrap();
        let told = tokio::time::timeout(Duration::from_secs(5), refused.recv()).await;
        assert!(told.ok().flatten().is_some(), "{subject} is not refused");
    }
    assert!(stream.get_info().await.is_ok(), "and it goes on");
    let stopped = tokio::task::spawn_blocking(move || server.stop()).await.unwrap();
    assert_eq!(stopped.ran.code, Some(0), "{}", stopped.ran);
    assert!(!stopped.ran.stderr.contains("checkpoints are not published"), "{}", stopped.ran);
}
