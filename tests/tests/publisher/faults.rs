//! What breaks: the server that publishes, nats-server, what lies between.

use std::time::Duration;

use encours_tests::{Client, Company, NatsServer, data_folder};

use crate::support::{customers, expect_events, forgets_after, published, publishing, stop};

/// So short that message ids keep nothing from being stored twice.
const SHORT: Duration = Duration::from_millis(100);

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_misses_and_doubles_nothing() {
    let Some(nats) = NatsServer::start() else { return };
    let folder = data_folder();
    for round in 0..6_u32 {
        let server = publishing(folder.path(), &nats.url(), &[]);
        let client = Client::connect(&server.url()).await;
        let company = Company::create(client, "acme", "2024-01-01").await;
        customers(&company, round * 40..round * 40 + 40).await;
        // In the middle of it: nothing has waited for the stream.
        server.kill9();
    }
    let server = publishing(folder.path(), &nats.url(), &[]);
    let head = Client::connect(&server.url()).await.head().await.position;
    assert!(head > 240);
    expect_events(&published(&nats, head).await, 1, head).await;
    stop(server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nats_server_that_is_killed_misses_and_doubles_nothing() {
    let Some(mut nats) = NatsServer::start() else { return };
    let folder = data_folder();
    let server = publishing(folder.path(), &nats.url(), &[]);
    let client = Client::connect(&server.url()).await;
    let company = Company::create(client.clone(), "acme", "2024-01-01").await;
    for round in 0..5_u32 {
        customers(&company, round * 60..round * 60 + 30).await;
        nats.kill9();
        customers(&company, round * 60 + 30..round * 60 + 60).await;
        nats.restart();
    }
    let head = client.head().await.position;
    expect_events(&published(&nats, head).await, 1, head).await;
    assert!(server.said().contains("publisher_unavailable"), "{}", server.said());
    stop(server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_stopped_for_a_while_is_waited_for() {
    let Some(nats) = NatsServer::start() else { return };
    let folder = data_folder();
    let server = publishing(folder.path(), &nats.url(), &[]);
    let client = Client::connect(&server.url()).await;
    let company = Company::create(client.clone(), "acme", "2024-01-01").await;
    forgets_after(&nats, SHORT).await;
    nats.signal("STOP");
    customers(&company, 0..300).await;
    // Longer than an acknowledgement is waited for: what is on its way comes late.
    tokio::time::sleep(Duration::from_secs(7)).await;
    nats.signal("CONT");
    let head = client.head().await.position;
    expect_events(&published(&nats, head).await, 1, head).await;
    stop(server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_everything_else_works() {
    let Some(mut nats) = NatsServer::prepare("") else { return };
    let folder = data_folder();
    let server = publishing(folder.path(), &nats.url(), &[]);
    let client = Client::connect(&server.url()).await;
    let company = Company::create(client, "acme", "2024-01-01").await;
    customers(&company, 0..10).await;
    server.told("publisher_unavailable: connecting to 127.0.0.1:").await;
    nats.restart();
    let head = company.client.head().await.position;
    expect_events(&published(&nats, head).await, 1, head).await;
    stop(server).await;
    nats.stop();
    // Nor does one hold up the end.
    let server = publishing(folder.path(), &nats.url(), &[]);
    server.told("publisher_unavailable").await;
    stop(server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_are_wrong_are_told_without_a_secret() {
    let users = "authorization { user: encours, password: right-one }";
    let Some(mut nats) = NatsServer::prepare(users) else { return };
    nats.restart();
    let folder = data_folder();
    let wrong = nats.url().replace("nats://", "nats://encours:wrong-one@");
    let server = publishing(folder.path(), &wrong, &[]);
    server.told("authorization violation").await;
    assert!(!server.said().contains("wrong-one"), "{}", server.said());
    stop(server).await;
    let right = nats.url().replace("nats://", "nats://encours:right-one@");
    let server = publishing(folder.path(), &right, &[]);
    server.told("publishing").await;
    stop(server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_window_of_the_server_is_leant_on() {
    let Some(nats) = NatsServer::start() else { return };
    let folder = data_folder();
    let server = publishing(folder.path(), &nats.url(), &[]);
    let client = Client::connect(&server.url()).await;
    let company = Company::create(client, "acme", "2024-01-01").await;
    forgets_after(&nats, SHORT).await;
    customers(&company, 0..50).await;
    server.kill9();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let server = publishing(folder.path(), &nats.url(), &[]);
    let head = Client::connect(&server.url()).await.head().await.position;
    expect_events(&published(&nats, head).await, 1, head).await;
    stop(server).await;
}
