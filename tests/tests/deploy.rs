//! What `deploy/` ships: three real nats-servers run from its configuration, and every user may do its
//! own work there and nothing else.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

use std::collections::BTreeSet;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::AckPolicy;
use async_nats::jetstream::consumer::pull::Config;
use async_nats::jetstream::kv;
use async_nats::{Client, ConnectOptions, Event};
use encours_tests::{Server, ServerNats, data_folder, free_port, http_get, nats_server, root, run};
use serde_json::json;
use tempfile::TempDir;
use tokio_stream::StreamExt as _;

/// How long the servers may take to agree, and a stream to fill.
const LIMIT: Duration = Duration::from_secs(60);
/// How long a subscriber waits for more.
const SILENCE: Duration = Duration::from_millis(500);
const EVENTS: &str = "ENCOURS_EVENTS";
const CHECKPOINTS: &str = "ENCOURS_CHECKPOINTS";

/// The variables of passwords; each password is the variable's name in small letters.
const PASSWORDS: [&str; 6] = [
    "NATS_SERVICE_PASSWORD",
    "NATS_OPERATOR_PASSWORD",
    "NATS_PUBLISHER_PASSWORD",
    "NATS_ACME_PASSWORD",
    "NATS_SYSTEM_PASSWORD",
    "NATS_ROUTE_PASSWORD",
];

fn configuration(server: usize) -> PathBuf {
    root().join(format!("deploy/nats/nats-{server}.conf"))
}

/// A command on a shipped configuration; `routes` are the ports between the servers.
fn nats(server: usize, store: &TempDir, routes: &[u16]) -> Option<Command> {
    let program = match nats_server() {
        Ok(program) => program,
        Err(why) => {
            println!("skipped: {why}");
            return None;
        }
    };
    let mut command = Command::new(program);
    command.arg("-c").arg(configuration(server));
    command.envs(PASSWORDS.map(|name| (name, name.to_lowercase())));
    let password = "NATS_ROUTE_PASSWORD".to_lowercase();
    let route = |port: &u16| format!("\"nats://route:{password}@127.0.0.1:{port}\"");
    let list: Vec<_> = routes.iter().map(route).collect();
    command
        .env("NATS_ROUTES", format!("[{}]", list.join(",")))
        .env("NATS_CLUSTER_LISTEN", format!("127.0.0.1:{}", routes[server - 1]))
        .env("NATS_STORE_DIR", store.path().join(server.to_string()))
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    Some(command)
}

/// The three servers; killed when dropped.
struct Cluster {
    servers: Vec<Child>,
    ports: Vec<u16>,
    monitors: Vec<u16>,
    store: TempDir,
}

impl Cluster {
    fn start() -> Option<Self> {
        let ports = |_| (0..3).map(|_| free_port()).collect::<Vec<u16>>();
        let [routes, ports, monitors] = [0, 1, 2].map(ports);
        let mut cluster = Self { servers: Vec::new(), ports, monitors, store: data_folder() };
        for server in 1..=3 {
            let mut command = nats(server, &cluster.store, &routes)?;
            let [port, monitor] = [&cluster.ports, &cluster.monitors].map(|of| of[server - 1]);
            command.args(["-a", "127.0.0.1", "-p", &port.to_string(), "-m", &monitor.to_string()]);
            let said = File::create(cluster.store.path().join(format!("said-{server}"))).unwrap();
            cluster.servers.push(command.stderr(said).spawn().unwrap());
        }
        let begun = Instant::now();
        while !cluster.is_ready() {
            assert!(begun.elapsed() < LIMIT, "no cluster: {}", cluster.said());
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(cluster)
    }

    /// Whether one leads, and the others have all that it told.
    fn is_ready(&self) -> bool {
        let pages = self.monitors.iter().filter_map(|monitor| {
            let page = http_get(&format!("127.0.0.1:{monitor}"), "/jsz")?;
            serde_json::from_str::<serde_json::Value>(&page).ok()
        });
        let metas: Vec<_> = pages.map(|page| page["meta_cluster"].clone()).collect();
        let leader = metas.first().map(|meta| meta["leader"].clone()).unwrap_or_default();
        let agreed = metas.iter().all(|meta| meta["leader"] == leader) && leader.is_string();
        let current = |meta: &serde_json::Value| {
            let replicas = meta["replicas"].as_array().cloned().unwrap_or_default();
            replicas.len() == 2 && replicas.iter().all(|replica| replica["current"] == true)
        };
        metas.len() == 3 && agreed && metas.iter().any(current)
    }

    fn said(&self) -> String {
        let said = |n| std::fs::read_to_string(self.store.path().join(format!("said-{n}")));
        (1..=3).map(|n| said(n).unwrap_or_default()).collect()
    }

    /// The URLs of all, for a user.
    fn urls(&self, user: &str) -> Vec<String> {
        let password = password(user);
        let url = |port: &u16| format!("nats://{user}:{password}@127.0.0.1:{port}");
        self.ports.iter().map(url).collect()
    }

    async fn connect(&self, user: &str) -> User {
        let refused: Arc<Mutex<Vec<String>>> = Arc::default();
        let heard = Arc::clone(&refused);
        let options = ConnectOptions::with_user_and_password(user.to_owned(), password(user))
            .custom_inbox_prefix(match user {
                "subscriber_acme" => "_INBOX_acme",
                _ => "_INBOX",
            })
            .request_timeout(Some(Duration::from_secs(5)))
            .event_callback(move |event| {
                if let Event::ServerError(why) = event {
                    heard.lock().unwrap().push(why.to_string());
                }
                std::future::ready(())
            });
        let client = options.connect(format!("127.0.0.1:{}", self.ports[0])).await.unwrap();
        User { client, refused }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for server in &mut self.servers {
            drop(server.kill());
            drop(server.wait());
        }
        if std::thread::panicking() {
            eprintln!("-- nats-servers said:\n{}", self.said());
        }
    }
}

fn password(user: &str) -> String {
    let name = match user {
        "service" => "NATS_SERVICE_PASSWORD",
        "publisher" => "NATS_PUBLISHER_PASSWORD",
        "subscriber_acme" => "NATS_ACME_PASSWORD",
        "operator" | "events_operator" => "NATS_OPERATOR_PASSWORD",
        other => panic!("no user {other}"),
    };
    name.to_lowercase()
}

/// A connection, and what the server refused it.
struct User {
    client: Client,
    refused: Arc<Mutex<Vec<String>>>,
}

impl User {
    /// Asks; gives the answer's error code, 0 where it has none.
    async fn ask(&self, subject: &str, body: serde_json::Value) -> u64 {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = self.client.request(subject.to_owned(), body.into()).await;
        let answer = answer.unwrap_or_else(|error| panic!("{subject}: {error}"));
        let answer: serde_json::Value = serde_json::from_slice(&answer.payload).unwrap();
        answer["error"]["err_code"].as_u64().unwrap_or_default()
    }

    /// Publishes, and checks that the server refuses that.
    async fn may_not_publish(&self, subject: &str) {
        self.refused.lock().unwrap().clear();
        self.client.publish(subject.to_owned(), "{}".into()).await.unwrap();
        self.client.flush().await.unwrap();
        self.is_refused("Publish", subject).await;
    }

    /// Subscribes, and checks that the server refuses that.
    async fn may_not_subscribe(&self, subject: &str) {
        self.refused.lock().unwrap().clear();
        let _subscription = self.client.subscribe(subject.to_owned()).await.unwrap();
        self.client.flush().await.unwrap();
        self.is_refused("Subscription", subject).await;
    }

    async fn is_refused(&self, what: &str, subject: &str) {
        let begun = Instant::now();
        let says = format!("Permissions Violation for {what} to \"{subject}\"");
        loop {
            let refused = self.refused.lock().unwrap().clone();
            if refused.iter().any(|said| said.contains(&says)) {
                return;
            }
            assert!(begun.elapsed() < LIMIT, "{subject} is not refused: {refused:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[test]
fn the_configuration_is_one_that_nats_server_takes() {
    let folder = data_folder();
    for server in 1..=3 {
        let Some(mut command) = nats(server, &folder, &[1, 2, 3]) else { return };
        let checked = command.arg("-t").output().unwrap();
        let said = String::from_utf8_lossy(&checked.stderr).into_owned();
        assert!(checked.status.success(), "nats-{server}.conf: {said}");
        assert!(said.contains("is valid"), "{said}");
    }
}

/// Runs a node as the compose file does, and gives it something to tell.
fn play(cluster: &Cluster, folder: &TempDir) -> Server {
    let mut log = ServerNats::new(cluster.urls("service"), "main");
    log.replicas = 3;
    let publish = cluster.urls("publisher").join(",");
    let mut more = vec!["--publish-nats", &publish, "--publish-replicas", "3"];
    // What was signed before the node led is published with the next one.
    more.extend(["--checkpoint-every", "1"]);
    let server = Server::try_start_on_nats(&folder.path().join("data"), &log, &more);
    let server = server.unwrap_or_else(|ran| panic!("{ran}"));
    for ledger in ["acme", "other"] {
        for line in [
            format!("ledger create --ledger {ledger} --currency EUR --test-clock 2026-01-05"),
            format!("customer create --ledger {ledger} --customer dupont --name Dupont"),
            format!("invoice issue --ledger {ledger} --customer dupont --total 10"),
        ] {
            let _ = run(line.split(' ').chain(["--server", &server.url()])).ok();
        }
    }
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn every_user_may_do_its_work_and_nothing_else() {
    let folder = data_folder();
    let Some(cluster) = Cluster::start() else { return };
    let server = play(&cluster, &folder);
    let urls = cluster.urls("service").join(",");
    let checked = run(["doctor", "--nats", &urls, "--replicas", "3", "--nats-max-mib", "64"]).ok();
    assert!(!checked.stdout.contains("not checked") && !checked.stdout.contains("warning"));
    assert_eq!(checked.stdout.matches("every message is synced").count(), 3, "{checked}");
    subscriber(&cluster).await;
    service(&cluster).await;
    publisher(&cluster).await;
    strangers(&cluster).await;
    checkpoints(&cluster).await;
    let stopped = tokio::task::spawn_blocking(move || server.stop()).await.unwrap();
    assert_eq!(stopped.ran.code, Some(0), "{}", stopped.ran);
    assert!(!stopped.ran.stderr.contains("checkpoints are not published"), "{}", stopped.ran);
}

/// Signed checkpoints are put by the publisher, or by the service where no events are published, and
/// read by a subscriber. Nobody but the operator takes them away.
async fn checkpoints(cluster: &Cluster) {
    let operator = cluster.connect("events_operator").await;
    let store = async_nats::jetstream::new(operator.client.clone());
    let store = store.get_key_value(CHECKPOINTS).await.unwrap();
    let begun = Instant::now();
    let keys = loop {
        let keys: Vec<_> = store.keys().await.unwrap().map(Result::unwrap).collect().await;
        if !keys.is_empty() {
            break keys;
        }
        assert!(begun.elapsed() < LIMIT, "no checkpoint is published");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(keys.len(), 1, "one log: {keys:?}");
    let subscriber = cluster.connect("subscriber_acme").await;
    let store = async_nats::jetstream::new(subscriber.client.clone());
    let store = store.get_key_value(CHECKPOINTS).await.unwrap();
    assert!(store.get(&keys[0]).await.unwrap().is_some(), "a subscriber reads it");
    subscriber.may_not_publish(&format!("$KV.{CHECKPOINTS}.{}", keys[0])).await;

    let service = cluster.connect("service").await;
    let context = async_nats::jetstream::new(service.client.clone());
    let config = kv::Config { bucket: CHECKPOINTS.to_owned(), ..Default::default() };
    let store = context.create_key_value(config).await.unwrap();
    store.put("log", "signed".into()).await.unwrap();
    for user in [&service, &cluster.connect("publisher").await, &subscriber] {
        for verb in ["UPDATE", "DELETE", "PURGE", "MSG.DELETE", "SNAPSHOT", "RESTORE"] {
            user.may_not_publish(&format!("$JS.API.STREAM.{verb}.KV_{CHECKPOINTS}")).await;
        }
    }
}

/// How many public events there are of a ledger, once there are at least three.
async fn published(cluster: &Cluster, ledger: &str) -> usize {
    let operator = cluster.connect("events_operator").await;
    let context = async_nats::jetstream::new(operator.client.clone());
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < LIMIT, "nothing of {ledger} is published");
        if let Ok(stream) = context.get_stream(EVENTS).await {
            let subjects = stream.info_with_subjects(format!("encours.v1.{ledger}.>")).await;
            let counts = subjects.unwrap().map(|count| count.unwrap().1).collect::<Vec<_>>().await;
            let count = counts.iter().sum();
            if count >= 3 {
                return count;
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A subscriber of `acme` reads what is of `acme`, through a durable consumer.
async fn subscriber(cluster: &Cluster) {
    // `other` is written last, so all of `acme` is there as well.
    assert!(published(cluster, "other").await >= 3);
    let wanted = published(cluster, "acme").await;
    let mut read = Vec::new();
    // Twice: the durable consumer remembers what was acknowledged.
    for most in [2, 100] {
        let user = cluster.connect("subscriber_acme").await;
        let config = Config {
            durable_name: Some("acme".to_owned()),
            filter_subject: "encours.v1.acme.>".to_owned(),
            ack_policy: AckPolicy::Explicit,
            ..Config::default()
        };
        let context = async_nats::jetstream::new(user.client.clone());
        let consumer = context.create_consumer_on_stream(config, EVENTS).await.unwrap();
        let batch = consumer.batch().max_messages(most).expires(SILENCE).messages().await;
        let mut messages = batch.unwrap();
        while let Some(message) = messages.next().await {
            let message = message.unwrap();
            assert!(message.subject.starts_with("encours.v1.acme."), "{}", message.subject);
            read.push(message.info().unwrap().stream_sequence);
            message.double_ack().await.unwrap();
        }
        assert!(user.refused.lock().unwrap().is_empty(), "{:?}", user.refused);
    }
    let once: BTreeSet<_> = read.iter().collect();
    assert_eq!((read.len(), once.len()), (wanted, wanted), "all, and each once: {read:?}");
    beyond(&cluster.connect("subscriber_acme").await).await;
}

/// What a subscriber of `acme` must not do.
async fn beyond(user: &User) {
    let create = format!("$JS.API.CONSUMER.CREATE.{EVENTS}");
    let config = |config: serde_json::Value| json!({ "stream_name": EVENTS, "config": config });
    let mine = format!("{create}.acme.encours.v1.acme.>");
    // The subject is its own, the request asks for more.
    let other = config(json!({ "durable_name": "acme", "name": "acme",
        "ack_policy": "explicit", "filter_subject": "encours.v1.other.>" }));
    assert_eq!(user.ask(&mine, other).await, 10_131, "the filter is not that of the subject");
    let both = config(json!({ "durable_name": "acme", "name": "acme", "ack_policy": "explicit",
        "filter_subjects": ["encours.v1.acme.>", "encours.v1.other.>"] }));
    assert_eq!(user.ask(&mine, both).await, 10_137, "several filters");
    let none = config(json!({ "durable_name": "acme", "name": "acme", "ack_policy": "explicit" }));
    assert_ne!(user.ask(&mine, none).await, 0, "no filter");
    for subject in [
        format!("{create}.acme.encours.v1.other.>"),
        format!("{create}.acme.encours.v1.>"),
        format!("{create}.acme"),
        create.clone(),
        format!("{create}.else.encours.v1.acme.>"),
        format!("$JS.API.CONSUMER.DURABLE.CREATE.{EVENTS}.acme"),
        format!("$JS.API.CONSUMER.MSG.NEXT.{EVENTS}.other"),
        format!("$JS.API.CONSUMER.DELETE.{EVENTS}.acme"),
        format!("$JS.API.CONSUMER.NAMES.{EVENTS}"),
        format!("$JS.API.STREAM.INFO.{EVENTS}"),
        format!("$JS.API.STREAM.MSG.GET.{EVENTS}"),
        format!("$JS.API.DIRECT.GET.{EVENTS}"),
        format!("$JS.API.STREAM.MSG.DELETE.{EVENTS}"),
        format!("$JS.API.STREAM.PURGE.{EVENTS}"),
        format!("$JS.API.STREAM.DELETE.{EVENTS}"),
        "$JS.API.STREAM.CREATE.MINE".to_owned(),
        "$JS.API.STREAM.INFO.ENCOURS_LOG_main".to_owned(),
        "$JS.API.STREAM.MSG.GET.ENCOURS_KEYS_main".to_owned(),
        "encours.v1.acme.invoice.paid".to_owned(),
        "encours.log.main".to_owned(),
        "$SYS.REQ.SERVER.PING.VARZ".to_owned(),
    ] {
        user.may_not_publish(&subject).await;
    }
    for subject in ["encours.v1.acme.>", ">", "_INBOX.>", "$JS.ACK.>", "encours.log.main"] {
        user.may_not_subscribe(subject).await;
    }
}

/// The service writes the log; it does not change or remove what is there.
async fn service(cluster: &Cluster) {
    let user = cluster.connect("service").await;
    for stream in ["ENCOURS_LOG_main", "ENCOURS_KEYS_main", "KV_ENCOURS_LEASES", "KV_ENCOURS_MARKS"]
    {
        assert_eq!(user.ask(&format!("$JS.API.STREAM.INFO.{stream}"), json!(null)).await, 0);
        for verb in ["UPDATE", "DELETE", "PURGE", "MSG.DELETE", "SNAPSHOT", "RESTORE"] {
            user.may_not_publish(&format!("$JS.API.STREAM.{verb}.{stream}")).await;
        }
    }
    for subject in [
        "encours.log.other",
        "$KV.ENCOURS_MARKS.other",
        "$JS.API.STREAM.CREATE.OTHER",
        "encours.v1.acme.x.y",
    ] {
        user.may_not_publish(subject).await;
    }
    user.may_not_subscribe("encours.keys.main").await;
    // What the operator does is allowed, and the stream itself denies what nobody may do.
    let operator = cluster.connect("operator").await;
    let purge = "$JS.API.STREAM.PURGE.ENCOURS_LOG_main";
    assert_ne!(operator.ask(purge, json!(null)).await, 0, "the log denies a purge");
    // The public events are of another account.
    let events = operator.ask(&format!("$JS.API.STREAM.INFO.{EVENTS}"), json!(null)).await;
    assert_eq!(events, 10_059, "no such stream in the account of the log");
}

/// The publisher publishes; it does not remove.
async fn publisher(cluster: &Cluster) {
    let user = cluster.connect("publisher").await;
    assert_eq!(user.ask(&format!("$JS.API.STREAM.INFO.{EVENTS}"), json!(null)).await, 0);
    for verb in ["UPDATE", "DELETE", "PURGE", "MSG.DELETE"] {
        user.may_not_publish(&format!("$JS.API.STREAM.{verb}.{EVENTS}")).await;
    }
    for subject in [
        &*format!("$JS.API.CONSUMER.CREATE.{EVENTS}"),
        "encours.log.main",
        "$KV.ENCOURS_LEASES.main",
        "$KV.ENCOURS_MARKS.main",
    ] {
        user.may_not_publish(subject).await;
    }
    user.may_not_subscribe("encours.v1.>").await;
}

/// Nobody comes in without a password.
async fn strangers(cluster: &Cluster) {
    let at = format!("127.0.0.1:{}", cluster.ports[0]);
    for user in ["service", "operator", "system", "route", "nobody"] {
        let options = ConnectOptions::with_user_and_password(user.to_owned(), "guess".to_owned());
        let refused = options.connect(&at).await.unwrap_err();
        assert!(refused.to_string().contains("authorization violation"), "{user}: {refused}");
    }
    let refused = async_nats::connect(&at).await.unwrap_err();
    assert!(refused.to_string().contains("authorization violation"), "{refused}");
}
