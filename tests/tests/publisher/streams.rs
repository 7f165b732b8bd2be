//! Streams that are not as the publisher left them.

use std::fs;
use std::time::Duration;

use async_nats::jetstream::stream::Config;
use encours_tests::{Client, Company, NatsServer, copy, data_folder};

use crate::support::{
    STREAM, customers, expect_events, forgets_after, jetstream, messages, published, publishing,
    stop, stream,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_with_other_settings_is_refused_until_they_are_right() {
    let Some(nats) = NatsServer::start() else { return };
    let context = jetstream(&nats).await;
    let mut config = Config {
        name: STREAM.to_owned(),
        subjects: vec!["encours.v1.acme.>".to_owned()],
        max_messages_per_subject: 5,
        ..Config::default()
    };
    context.create_stream(&config).await.unwrap();
    let folder = data_folder();
    let server = publishing(folder.path(), &nats.url(), &[]);
    server.told("publisher_refused: the settings of stream ENCOURS_EVENTS differ: subjects").await;
    for setting in ["encours.v1.>", "max_msgs_per_subject must be -1", "deny_delete must be true"] {
        assert!(server.said().contains(setting), "{setting}: {}", server.said());
    }
    let client = Client::connect(&server.url()).await;
    let company = Company::create(client, "acme", "2024-01-01").await;
    customers(&company, 0..5).await;
    assert!(messages(&stream(&nats).await).await.is_empty());
    config.subjects = vec!["encours.v1.>".to_owned()];
    config.max_messages_per_subject = -1;
    config.deny_delete = true;
    context.update_stream(&config).await.unwrap();
    let head = company.client.head().await.position;
    expect_events(&published(&nats, head).await, 1, head).await;
    stop(server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_purge_the_cursor_tells_where_to_go_on() {
    let Some(nats) = NatsServer::start() else { return };
    let folder = data_folder();
    let server = publishing(folder.path(), &nats.url(), &[]);
    let client = Client::connect(&server.url()).await;
    let company = Company::create(client, "acme", "2024-01-01").await;
    customers(&company, 0..20).await;
    let before = company.client.head().await.position;
    let stream = published(&nats, before).await;
    // With the publisher running: it goes on.
    stream.purge().await.unwrap();
    customers(&company, 20..30).await;
    let running = company.client.head().await.position;
    published(&nats, running).await;
    expect_events(&stream, before + 1, running).await;
    stop(server).await;
    // With it stopped: the cursor tells.
    stream.purge().await.unwrap();
    let server = publishing(folder.path(), &nats.url(), &[]);
    let client = Client::connect(&server.url()).await;
    let company = Company::create(client, "acme", "2024-01-01").await;
    customers(&company, 30..35).await;
    let head = company.client.head().await.position;
    published(&nats, head).await;
    expect_events(&stream, running + 1, head).await;
    stop(server).await;
    // Without it nobody knows, and a person has to say.
    stream.purge().await.unwrap();
    fs::remove_file(folder.path().join("publisher/ENCOURS_EVENTS.cursor")).unwrap();
    let server = publishing(folder.path(), &nats.url(), &[]);
    server.told("holds no message but had").await;
    stop(server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purged_stream_is_filled_again_once_the_server_has_forgotten() {
    let Some(nats) = NatsServer::start() else { return };
    let folder = data_folder();
    let server = publishing(folder.path(), &nats.url(), &[]);
    let made = forgets_after(&nats, Duration::from_secs(3)).await;
    let client = Client::connect(&server.url()).await;
    let company = Company::create(client, "acme", "2024-01-01").await;
    customers(&company, 0..20).await;
    published(&nats, company.client.head().await.position).await;
    stop(server).await;
    made.purge().await.unwrap();
    fs::remove_file(folder.path().join("publisher/ENCOURS_EVENTS.cursor")).unwrap();
    let config = folder.path().join("encours.toml");
    fs::write(&config, "[serve]\npublish_from = 1\n").unwrap();
    let config = format!("ENCOURS_CONFIG={}", config.display());
    let server = publishing(folder.path(), &nats.url(), &[&config]);
    server.told("until its duplicate window has passed").await;
    let head = Client::connect(&server.url()).await.head().await.position;
    expect_events(&published(&nats, head).await, 1, head).await;
    stop(server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_was_deleted_is_filled_again_when_a_person_says_so() {
    let Some(nats) = NatsServer::start() else { return };
    let folder = data_folder();
    let server = publishing(folder.path(), &nats.url(), &[]);
    let client = Client::connect(&server.url()).await;
    let company = Company::create(client, "acme", "2024-01-01").await;
    customers(&company, 0..20).await;
    let head = company.client.head().await.position;
    published(&nats, head).await;
    stop(server).await;
    jetstream(&nats).await.delete_stream(STREAM).await.unwrap();
    let server = publishing(folder.path(), &nats.url(), &[]);
    server.told("say --publish-from 1 to publish all again").await;
    assert!(messages(&stream(&nats).await).await.is_empty());
    stop(server).await;
    let config = folder.path().join("encours.toml");
    fs::write(&config, "[serve]\npublish_from = 5\n").unwrap();
    let config = format!("ENCOURS_CONFIG={}", config.display());
    let server = publishing(folder.path(), &nats.url(), &[&config]);
    let head = Client::connect(&server.url()).await.head().await.position;
    expect_events(&published(&nats, head).await, 5, head).await;
    stop(server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_another_log_or_with_a_stranger_is_refused() {
    let Some(nats) = NatsServer::start() else { return };
    let folder = data_folder();
    let server = publishing(&folder.path().join("one"), &nats.url(), &[]);
    let head = Client::connect(&server.url()).await.head().await.position;
    published(&nats, head).await;
    stop(server).await;
    let other = publishing(&folder.path().join("two"), &nats.url(), &[]);
    other.told("publisher_refused: stream ENCOURS_EVENTS holds the events of log").await;
    stop(other).await;
    let server = publishing(&folder.path().join("one"), &nats.url(), &[]);
    let context = jetstream(&nats).await;
    context.publish("encours.v1.acme.hello", "hello".into()).await.unwrap().await.unwrap();
    let client = Client::connect(&server.url()).await;
    let company = Company::create(client, "acme", "2024-01-01").await;
    server.told("is none of ours").await;
    customers(&company, 0..3).await;
    stop(server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_whose_place_a_stranger_took_is_missed() {
    let Some(nats) = NatsServer::start() else { return };
    let folder = data_folder();
    let data = folder.path().join("data");
    let server = publishing(&data, &nats.url(), &[]);
    let head = Client::connect(&server.url()).await.head().await.position;
    published(&nats, head).await;
    stop(server).await;
    // What was on its way together: the stranger, the event turned away for it, and the next one.
    let context = jetstream(&nats).await;
    context.publish("encours.v1.acme.hello", "hello".into()).await.unwrap().await.unwrap();
    let first = stream(&nats).await.get_raw_message(1).await.unwrap().headers;
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("Encours-Log-Id", first.get("Encours-Log-Id").unwrap().as_str());
    headers.insert("Encours-Position", (head + 2).to_string().as_str());
    let next = context.publish_with_headers("encours.v1.~.day.opened", headers, "{}".into());
    next.await.unwrap().await.unwrap();
    let server = publishing(&data, &nats.url(), &[]);
    server.told(&format!("message {} of stream ENCOURS_EVENTS is none of ours", head + 1)).await;
    stop(server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_put_back_to_an_older_state_is_found_out() {
    let Some(nats) = NatsServer::start() else { return };
    let folder = data_folder();
    let [data, backup] = ["data", "backup"].map(|name| folder.path().join(name));
    let server = publishing(&data, &nats.url(), &[]);
    let company = Company::create(Client::connect(&server.url()).await, "acme", "2024-01-01").await;
    customers(&company, 0..5).await;
    stop(server).await;
    copy(&data, &backup);
    let server = publishing(&data, &nats.url(), &[]);
    let company = Company::create(Client::connect(&server.url()).await, "acme", "2024-01-01").await;
    customers(&company, 5..15).await;
    let head = company.client.head().await.position;
    published(&nats, head).await;
    stop(server).await;
    let server = publishing(&backup, &nats.url(), &[]);
    let lost = format!("holds the event {head}, but the log ends at");
    server.told(&lost).await;
    // It is told, and holds nothing up.
    let client = Client::connect(&server.url()).await;
    assert!(client.head().await.position < head);
    // Nor is the log taken for the right one once it is as long again.
    customers(&Company::existing(client.clone(), "acme"), 15..40).await;
    assert!(client.head().await.position > head);
    server.told(&format!("holds another event {head} than the log")).await;
    stop(server).await;
    let server = publishing(&backup, &nats.url(), &[]);
    let refused = server.told(&format!("holds another event {head} than the log")).await;
    assert!(refused.contains("publisher_refused") && refused.contains("--publish-stream"));
    stop(server).await;
    expect_events(&stream(&nats).await, 1, head).await;
}
