//! The AsyncAPI document: what is published is what it says.
//!
//! `messages.jsonl` holds one message of each event, as published while `story.txt` was played; the
//! document has them for its examples. `ENCOURS_UPDATE_REFERENCE=1 cargo test -p encours-tests --test
//! publisher asyncapi` writes it, and then `--test reference` the document.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use encours_proto::events::EVENT_NAMES;
use encours_tests::{Client, NatsServer, data_folder, node_checkers, root, run, run_program};
use serde_json::{Value, json};

use crate::support::{Published, STREAM, jetstream, messages, published, publishing, stop};

const FOLDER: &str = "tests/tests/publisher";
/// What stands for the log's id, which differs from run to run.
const LOG_ID: &str = "0198f0a1b2c3d4e5f60718293a4b5c6d";

/// A message without what differs from run to run: the log, and when it was recorded.
fn steady(message: &Published) -> Value {
    let log_id = message.header("Encours-Log-Id");
    let minute = message.position() % 60;
    let time = format!("2026-01-05T09:{minute:02}:00");
    let mut headers = BTreeMap::new();
    for (name, values) in message.headers.iter() {
        let [value] = values.as_slice() else { panic!("{name} stands more than once") };
        headers.insert(name.to_string(), value.as_str().replace(log_id, LOG_ID));
    }
    headers.insert("ce-time".to_owned(), format!("{time}.000000Z"));
    let mut payload: Value = serde_json::from_slice(&message.body).unwrap();
    payload["logId"] = LOG_ID.into();
    payload["recordedAt"] = format!("{time}Z").into();
    if let Some(forked) = payload.get_mut("logForked") {
        forked["forkedFrom"] = LOG_ID.chars().rev().collect::<String>().into();
        forked["frameNumber"] = forked["position"].clone();
        forked["frameHash"] = format!("{}=", "A".repeat(43)).into();
    }
    let (name, subject) = (&payload["event"], &message.subject);
    json!({ "name": name, "subject": subject, "headers": headers, "payload": payload })
}

/// A message as it came.
fn told(message: &Published) -> String {
    let header = |name: &str| (name.to_owned(), message.header(name).to_owned());
    let names = message.headers.iter().map(|(name, _)| name.to_string());
    let headers: BTreeMap<_, _> = names.map(|name| header(&name)).collect();
    let payload: Value = serde_json::from_slice(&message.body).unwrap();
    json!({ "subject": message.subject, "headers": headers, "payload": payload }).to_string()
}

/// The words of a line: those in double quotes are whole.
fn words(line: &str) -> Vec<String> {
    let parts = line.split('"').enumerate();
    let words = parts.flat_map(|(at, part)| match at % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect(),
        _ => vec![part.to_owned()],
    });
    words.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_message_is_what_the_asyncapi_document_says() {
    let Some(nats) = NatsServer::start() else { return };
    let folder = data_folder();
    let server = publishing(&folder.path().join("data"), &nats.url(), &[]);
    for line in fs::read_to_string(root().join(FOLDER).join("story.txt")).unwrap().lines() {
        let to = ["--server".to_owned(), server.url()];
        let _ = tokio::task::block_in_place(|| run(words(line).into_iter().chain(to))).ok();
    }
    let head = Client::connect(&server.url()).await.head().await.position;
    let mut messages = messages(&published(&nats, head).await).await;
    stop(server).await;
    messages.push(of_a_fork(folder.path(), &nats).await);

    let mut first = BTreeMap::new();
    for message in messages.iter().map(steady) {
        first.entry(message["name"].as_str().unwrap().to_owned()).or_insert(message);
    }
    let names: Vec<&str> = first.keys().map(String::as_str).collect();
    assert_eq!(names, EVENT_NAMES, "the story has every event there is");
    let recorded: String = first.values().map(|message| format!("{message}\n")).collect();
    let path = root().join(FOLDER).join("messages.jsonl");
    if std::env::var_os("ENCOURS_UPDATE_REFERENCE").is_some() {
        fs::write(&path, &recorded).unwrap();
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    let pairs = there.lines().zip(recorded.lines());
    for (there, now) in pairs {
        assert_eq!(there, now, "what is published has changed: the head of this file tells more");
    }
    assert_eq!(there.lines().count(), EVENT_NAMES.len());

    check(&messages);
}

/// What tells of a fork: the folder `data` is backed up, and restored as a log of its own.
async fn of_a_fork(folder: &Path, nats: &NatsServer) -> Published {
    let at = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    tokio::task::block_in_place(|| {
        let _ = run(["backup", "--data", &at("data"), "--to", &at("backup")]).ok();
        let (from, to) = (at("backup"), at("forked"));
        let _ = run(["restore", "--from", &from, "--data", &to, "--fork"]).ok();
    });
    // One stream holds one log.
    jetstream(nats).await.delete_stream(STREAM).await.unwrap();
    let server = publishing(&folder.join("forked"), &nats.url(), &[]);
    let head = Client::connect(&server.url()).await.head().await.position;
    let all = messages(&published(nats, head).await).await;
    stop(server).await;
    all.into_iter().find(|message| message.subject.ends_with(".log.forked")).unwrap()
}

/// Has tools that nobody here wrote hold messages against the document.
pub(crate) fn check(messages: &[Published]) {
    let modules = match node_checkers() {
        Ok(modules) => modules,
        Err(why) => return println!("skipped: {why}"),
    };
    let folder = data_folder();
    let file = folder.path().join("messages");
    let lines: String = messages.iter().map(|message| told(message) + "\n").collect();
    fs::write(&file, lines).unwrap();
    let words = [
        format!("NODE_PATH={}", modules.display()),
        "node".to_owned(),
        root().join("tests/node/asyncapi.js").display().to_string(),
        root().join("docs/reference/asyncapi.json").display().to_string(),
        file.display().to_string(),
    ];
    let checked = tokio::task::block_in_place(|| run_program("env".as_ref(), words)).ok();
    let wanted = format!("40 events, 40 examples and {} messages are as it says", messages.len());
    assert!(checked.stdout.contains(&wanted), "{checked}");
}
