//! The server is killed at each edge between an event's becoming durable, its being stored in the
//! public stream, and the server's knowing so.

use std::time::{Duration, Instant};

use encours_tests::{Client, Company, Mode, NatsServer, Proxy, Server, Way, data_folder};

use crate::support::{
    customers, expect_events, forgets_after, messages, published, publishing, stop, stream,
};

/// So short that message ids keep nothing from being stored twice.
const SHORT: Duration = Duration::from_millis(100);
/// How long anything may take to come about.
const LIMIT: Duration = Duration::from_secs(60);
const METRICS: &[&str] = &["ENCOURS_METRICS=127.0.0.1:0"];

/// A server that publishes through a proxy and whose stream exists; the company has one customer, which
/// is published and known to be.
async fn begin(nats: &NatsServer, data: &std::path::Path) -> (Proxy, Server, Company) {
    let proxy = Proxy::start(&nats.url()).await;
    let server = publishing(data, &proxy.url("nats"), METRICS);
    let client = Client::connect(&server.url()).await;
    let company = Company::create(client, "acme", "2024-01-01").await;
    customers(&company, 0..1).await;
    forgets_after(nats, SHORT).await;
    known(&server, company.position()).await;
    (proxy, server, company)
}

/// Waits until the server knows that the event at this position is published.
async fn known(server: &Server, position: u64) {
    let begun = Instant::now();
    while known_position(server) < position {
        assert!(begun.elapsed() < LIMIT, "{}", server.said());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn known_position(server: &Server) -> u64 {
    server.metric("encours_publisher_position").unwrap_or(0)
}

/// Kills the server and starts another one, which publishes straight to the nats-server: in the end
/// each event is in the stream once.
async fn kill_and_see(nats: &NatsServer, data: &std::path::Path, server: Server) {
    server.kill9();
    tokio::time::sleep(2 * SHORT).await;
    let server = publishing(data, &nats.url(), &[]);
    let company = Company::existing(Client::connect(&server.url()).await, "acme");
    company.customer("last", "One").await;
    let head = company.client.head().await.position;
    expect_events(&published(nats, head).await, 1, head).await;
    stop(server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_durable_and_sent() {
    let Some(nats) = NatsServer::start() else { return };
    let folder = data_folder();
    let (proxy, server, company) = begin(&nats, folder.path()).await;
    let before = company.position();
    proxy.set(Mode::Hold(Way::Requests));
    customers(&company, 1..30).await;
    let sent = messages(&stream(&nats).await).await.len();
    assert_eq!(u64::try_from(sent).unwrap(), before, "nothing of it has reached the stream");
    // What the proxy holds must not arrive after all.
    proxy.set(Mode::Drop(Way::Requests));
    kill_and_see(&nats, folder.path(), server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_stored_and_acknowledged() {
    let Some(nats) = NatsServer::start() else { return };
    let folder = data_folder();
    let (proxy, server, company) = begin(&nats, folder.path()).await;
    let before = company.position();
    proxy.set(Mode::Hold(Way::Answers));
    customers(&company, 1..30).await;
    // All of it is stored, and no acknowledgement has come back.
    let _ = published(&nats, company.position()).await;
    assert_eq!(known_position(&server), before);
    kill_and_see(&nats, folder.path(), server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_some_and_all() {
    let Some(nats) = NatsServer::start() else { return };
    let folder = data_folder();
    let (proxy, server, company) = begin(&nats, folder.path()).await;
    proxy.set(Mode::Throttle(20_000));
    customers(&company, 1..120).await;
    let head = company.position();
    let stream = published(&nats, head / 2).await;
    let stored = stream.get_info().await.unwrap().state.messages;
    assert!(stored < head, "some of {head} are on their way: {stored}");
    proxy.set(Mode::Drop(Way::Requests));
    kill_and_see(&nats, folder.path(), server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_acknowledged_and_remembered() {
    let Some(nats) = NatsServer::start() else { return };
    let folder = data_folder();
    let (_proxy, server, company) = begin(&nats, folder.path()).await;
    let cursor = folder.path().join("publisher/ENCOURS_EVENTS.cursor");
    let begun = Instant::now();
    while !cursor.exists() {
        assert!(begun.elapsed() < LIMIT, "the publisher remembers how far it is");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let old = std::fs::read(&cursor).unwrap();
    customers(&company, 1..30).await;
    known(&server, company.position()).await;
    server.kill9();
    // As if nothing of it had been remembered before the end.
    std::fs::write(&cursor, old).unwrap();
    let server = publishing(folder.path(), &nats.url(), METRICS);
    known(&server, company.position()).await;
    kill_and_see(&nats, folder.path(), server).await;
    // Nor anything at all.
    std::fs::remove_file(&cursor).unwrap();
    let server = publishing(folder.path(), &nats.url(), METRICS);
    let head = Client::connect(&server.url()).await.head().await.position;
    expect_events(&published(&nats, head).await, 1, head).await;
    stop(server).await;
}
