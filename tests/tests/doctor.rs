//! `encours doctor` against real servers: what is right, what is wrong, what nobody can tell.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

use std::path::Path;

use async_nats::jetstream::{kv, stream};
use encours_tests::{NatsServer, Ran, Server, ServerNats, copy, data_folder, run};
use serde_json::Value;

const FAILED: i32 = 1;
const UNAVAILABLE: i32 = 4;
const DAMAGED: i32 = 5;

fn doctor(urls: &str, more: &[&str]) -> Ran {
    let words = ["doctor", "--nats", urls, "--output", "json", "--nats-max-mib", "64"];
    run(words.iter().chain(more))
}

/// The result and the finding of a check of a server, stream or folder.
fn check(ran: &Ran, name: &str, subject: &str) -> (String, String) {
    let told: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran}"));
    let checks = told["checks"].as_array().unwrap();
    let mut found = checks
        .iter()
        .filter(|check| check["check"] == name && check["subject"].as_str() == Some(subject));
    let check = found.next().unwrap_or_else(|| panic!("no {name} of {subject}: {ran}"));
    let text = |field: &str| check[field].as_str().unwrap_or_default().to_owned();
    if text("result") != "OK" {
        assert!(!text("next").is_empty(), "what to do about {check}");
    }
    (text("result"), text("finding"))
}

/// The name that a server has given itself.
fn name(nats: &NatsServer) -> String {
    let page = nats.monitored("/varz").unwrap();
    page["server_name"].as_str().unwrap().to_owned()
}

#[test]
fn a_server_that_is_set_up_well_has_nothing_wrong() {
    let Some(nats) = NatsServer::start() else { return };
    let ran = doctor(&nats.url(), &["--monitor", &nats.monitor_url()]).ok();
    let name = name(&nats);
    for of_server in ["version", "jetstream", "max_payload", "sync", "store", "clock"] {
        assert_eq!(check(&ran, of_server, &name).0, "OK", "{of_server}");
    }
    let (result, finding) = check(&ran, "stream", "ENCOURS_LOG_main");
    assert!(result == "OK" && finding.starts_with("not there yet"), "{finding}");
    // People get a table without an empty column.
    let words = ["doctor", "--nats", &nats.url(), "--nats-max-mib", "64", "--monitor"];
    let table = run(words.iter().chain(&[&*nats.monitor_url()])).ok();
    let heading = table.stdout.lines().next().unwrap();
    assert!(heading.starts_with("result") && !heading.contains("next"), "{table}");
}

#[test]
fn what_was_not_seen_is_said_so() {
    let Some(nats) = NatsServer::start() else { return };
    let ran = doctor(&nats.url(), &[]).ok();
    let (result, finding) = check(&ran, "sync", &name(&nats));
    assert_eq!(result, "not checked", "{finding}");
    let closed = "http://127.0.0.1:1/";
    let ran = doctor(&nats.url(), &["--monitor", closed]).fails(UNAVAILABLE);
    assert_eq!(check(&ran, "monitor", closed).0, "FAILED");
    let nats_port = format!("http://{}", nats.address());
    let ran = doctor(&nats.url(), &["--monitor", &nats_port]).fails(UNAVAILABLE);
    assert_eq!(check(&ran, "monitor", &format!("{nats_port}/")).0, "FAILED");
}

#[test]
fn a_server_that_does_not_sync_each_message_fails() {
    let Some(mut nats) = NatsServer::prepare_with("max_file_store: 32MB", "max_payload: 256KB")
    else {
        return;
    };
    nats.restart();
    let ran = doctor(&nats.url(), &["--monitor", &nats.monitor_url()]).fails(FAILED);
    let name = name(&nats);
    let (result, finding) = check(&ran, "sync", &name);
    assert!(result == "FAILED" && finding.contains("every 120 seconds"), "{finding}");
    let (result, finding) = check(&ran, "max_payload", &name);
    assert!(result == "FAILED" && finding.contains("256 KiB"), "{finding}");
    let (result, finding) = check(&ran, "store", &name);
    assert!(result == "FAILED" && finding.contains("32 MiB free"), "{finding}");
}

#[test]
fn an_account_that_hands_out_the_pages_needs_no_monitor() {
    let accounts = "accounts { \
        LOG: { jetstream: enabled, users: [{user: service, password: s3cret}], imports: [\
          {service: {account: SYS, subject: \"$SYS.REQ.SERVER.PING.VARZ\"}}]}, \
        SYS: { users: [{user: system, password: s3cret}], exports: [\
          {service: \"$SYS.REQ.SERVER.PING.VARZ\", response_type: stream, accounts: [LOG]}]} }\n\
        system_account: SYS";
    let Some(mut nats) = NatsServer::prepare(accounts) else { return };
    nats.restart();
    let at = nats.address();
    let ran = doctor(&format!("nats://service:s3cret@{at}"), &[]).ok();
    assert_eq!(check(&ran, "sync", &name(&nats)).0, "OK");
    assert!(!ran.to_string().contains("s3cret"), "a password is told: {ran}");
    let ran = doctor(&format!("nats://service:wrong@{at}"), &[]).fails(FAILED);
    let (result, finding) = check(&ran, "reached", &at);
    assert!(result == "FAILED" && finding.contains("authorization violation"), "{finding}");
    assert!(!ran.to_string().contains("wrong"), "a password is told: {ran}");
}

#[test]
fn servers_that_do_not_answer_are_told_one_by_one() {
    let Some(nats) = NatsServer::start() else { return };
    let urls = format!("nats://127.0.0.1:1,{}", nats.url());
    let ran = doctor(&urls, &["--monitor", &nats.monitor_url()]).fails(UNAVAILABLE);
    assert_eq!(check(&ran, "reached", "127.0.0.1:1").0, "FAILED");
    assert_eq!(check(&ran, "reached", &nats.address()).0, "OK");
    assert_eq!(check(&ran, "stream", "ENCOURS_LOG_main").0, "OK");
    let ran = run(["doctor"]).fails(2);
    assert!(ran.stderr.contains("--nats is missing"), "{ran}");
}

/// Copies the log of a server with a ledger to the stream of `log`.
fn seed(data: &Path, nats: &NatsServer, log: &str) {
    let server = Server::start(data);
    let create = "ledger create --ledger shop --currency EUR --test-clock 2026-01-05";
    let _ = run(create.split(' ').chain(["--server", &server.url()])).ok();
    let _ = server.stop();
    let folder = data.to_str().unwrap();
    let words = ["log", "copy", "--from", folder, "--to-nats", &nats.url(), "--log-id", log];
    let _ = run(words.iter().chain(&["--nats-max-mib", "64"])).ok();
}

#[test]
fn the_local_copy_is_held_against_the_stream() {
    let Some(nats) = NatsServer::start() else { return };
    let folder = data_folder();
    let data = folder.path().join("data");
    seed(&data, &nats, "main");
    let before = folder.path().join("before");
    copy(&data, &before);
    let path = data.to_str().unwrap();
    let ran = doctor(&nats.url(), &["--data", path]).ok();
    assert_eq!(check(&ran, "local copy", path).0, "OK");
    assert_eq!(check(&ran, "settings", "ENCOURS_LOG_main").0, "OK");
    let (_, finding) = check(&ran, "replicas", "ENCOURS_LOG_main");
    assert!(finding.starts_with("1, led by "), "{finding}");
    // The folder went on by itself: the stream lacks what it has seen.
    let server = Server::start(&data);
    let _ = server.stop();
    let ran = doctor(&nats.url(), &["--data", path]).fails(DAMAGED);
    let (result, finding) = check(&ran, "local copy", path);
    assert!(result == "FAILED" && finding.contains("stream_diverged"), "{finding}");
    let other = folder.path().join("other");
    let _ = Server::start(&other).stop();
    let ran = doctor(&nats.url(), &["--data", other.to_str().unwrap()]).fails(DAMAGED);
    let (_, finding) = check(&ran, "local copy", other.to_str().unwrap());
    assert!(finding.contains("wrong_log"), "{finding}");
    let _ = doctor(&nats.url(), &["--data", before.to_str().unwrap()]).ok();
}

#[tokio::test]
async fn settings_that_differ_are_named() {
    let Some(nats) = NatsServer::start() else { return };
    let folder = data_folder();
    seed(&folder.path().join("data"), &nats, "main");
    let context = async_nats::jetstream::new(async_nats::connect(nats.url()).await.unwrap());
    let stream = context.get_stream("ENCOURS_LOG_main").await.unwrap();
    let mut config = stream.cached_info().config.clone();
    config.max_bytes *= 2;
    context.update_stream(&config).await.unwrap();
    let ran = doctor(&nats.url(), &[]).ok();
    assert_eq!(check(&ran, "settings", "ENCOURS_LOG_main").0, "OK", "more bytes are welcome");
    config.allow_direct = true;
    config.duplicate_window = std::time::Duration::from_secs(5);
    context.update_stream(&config).await.unwrap();
    let ran = doctor(&nats.url(), &[]).fails(DAMAGED);
    let (result, finding) = check(&ran, "settings", "ENCOURS_LOG_main");
    assert_eq!(result, "FAILED");
    assert!(finding.contains("allow_direct") && finding.contains("duplicate_window"), "{finding}");
    config.allow_direct = false;
    config.duplicate_window = std::time::Duration::from_secs(120);
    context.update_stream(&config).await.unwrap();
    // It is told of the stream that it is about, with what to do there.
    let keys = context.get_stream("ENCOURS_KEYS_main").await.unwrap().cached_info().config.clone();
    let small = stream::Config { max_bytes: 1 << 20, ..keys };
    context.update_stream(&small).await.unwrap();
    let ran = doctor(&nats.url(), &[]).fails(DAMAGED);
    let (result, finding) = check(&ran, "settings", "ENCOURS_KEYS_main");
    assert!(result == "FAILED" && finding.contains("max_bytes must be"), "{finding}");
    assert!(ran.stdout.contains("nats stream edit ENCOURS_KEYS_main"), "{ran}");
    context.delete_stream("ENCOURS_KEYS_main").await.unwrap();
    let ran = doctor(&nats.url(), &[]).fails(DAMAGED);
    let (result, _) = check(&ran, "settings", "ENCOURS_KEYS_main");
    assert_eq!(result, "FAILED");
}

#[tokio::test]
async fn buckets_and_the_mark_are_looked_at() {
    let Some(nats) = NatsServer::start() else { return };
    let folder = data_folder();
    let mut log = ServerNats::new(vec![nats.url()], "main");
    log.max_mib = 64;
    let _ = Server::start_on_nats(&folder.path().join("node"), &log).stop();
    let (marks, leases) = ("KV_ENCOURS_MARKS", "KV_ENCOURS_LEASES");
    let ran = doctor(&nats.url(), &[]).ok();
    for bucket in [marks, leases] {
        assert_eq!(check(&ran, "settings", bucket).0, "OK");
        assert_eq!(check(&ran, "replicas", bucket).0, "OK");
    }
    let (result, finding) = check(&ran, "mark", "ENCOURS_MARKS main");
    assert!(result == "OK" && finding.contains("as the stream has it"), "{finding}");
    assert!(!ran.stdout.contains("ENCOURS_LEDGERS"), "one log needs none: {ran}");
    let context = async_nats::jetstream::new(async_nats::connect(nats.url()).await.unwrap());
    let forgets = kv::Config {
        bucket: "ENCOURS_LEDGERS".to_owned(),
        history: 1,
        max_age: std::time::Duration::from_secs(60),
        ..kv::Config::default()
    };
    context.create_key_value(forgets).await.unwrap();
    for bucket in [marks, leases] {
        let stream = context.get_stream(bucket).await.unwrap();
        let there = stream.cached_info().config.clone();
        let changed = stream::Config { max_messages_per_subject: 5, ..there };
        context.update_stream(changed).await.unwrap();
    }
    let ran = doctor(&nats.url(), &[]).fails(DAMAGED);
    for bucket in [marks, leases, "KV_ENCOURS_LEDGERS"] {
        assert_eq!(check(&ran, "settings", bucket).0, "FAILED", "{bucket}");
    }
    context.delete_stream("ENCOURS_LOG_main").await.unwrap();
    let ran = doctor(&nats.url(), &[]).fails(DAMAGED);
    let (result, finding) = check(&ran, "mark", "ENCOURS_MARKS main");
    assert!(result == "FAILED" && finding.contains("is missing"), "{finding}");
}

#[test]
fn files_that_are_not_there_are_told_once() {
    let folder = data_folder();
    let nowhere = folder.path().join("nowhere");
    let nowhere = nowhere.to_str().unwrap();
    for flag in ["--data", "--nats-credentials", "--nats-ca"] {
        let ran = doctor("nats://127.0.0.1:1", &[flag, nowhere]).fails(2);
        assert_eq!(ran.stderr.matches(nowhere).count(), 1, "{ran}");
        assert!(ran.stderr.contains(flag) && ran.stdout.is_empty(), "{ran}");
    }
}
