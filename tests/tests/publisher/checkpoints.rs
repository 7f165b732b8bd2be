//! Signed checkpoints in their bucket: only ever larger ones, and whatever happens in between.

use std::path::Path;
use std::time::{Duration, Instant};

use async_nats::jetstream::kv::Store;
use encours_tests::{Client, Company, NatsServer, Server, data_folder};

use crate::support::{customers, jetstream, publishing, stop};

const BUCKET: &str = "ENCOURS_CHECKPOINTS";
const LOST: &str = "checkpoints are not published";
const AGAIN: &str = "checkpoints are published again";
/// How long anything may take to come about.
const LIMIT: Duration = Duration::from_secs(60);

/// A server that publishes, and signs every second.
async fn signing(data: &Path, url: &str) -> (Server, Company) {
    let config = data.with_file_name("encours.toml");
    std::fs::write(&config, "[serve]\ncheckpoint_every = 1\n").unwrap();
    let config = format!("ENCOURS_CONFIG={}", config.display());
    let server = publishing(data, url, &[&config]);
    let client = Client::connect(&server.url()).await;
    (server, Company::create(client, "acme", "2024-01-01").await)
}

/// The bucket, and the newest checkpoint of this log in it, once there is one.
async fn newest(nats: &NatsServer, log_id: &str) -> (Store, String) {
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < LIMIT, "no checkpoint is published");
        if let Ok(store) = jetstream(nats).await.get_key_value(BUCKET).await
            && let Some(note) = store.get(log_id).await.unwrap()
        {
            return (store, String::from_utf8(note.to_vec()).unwrap());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Its second line.
fn size(note: &str) -> u64 {
    note.lines().nth(1).expect("a size").parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_checkpoint_is_not_put_over_a_newer_one() {
    let Some(nats) = NatsServer::start() else { return };
    let folder = data_folder();
    let (server, company) = signing(&folder.path().join("data"), &nats.url()).await;
    let key = company.client.head().await.log_id;
    let (store, note) = newest(&nats, &key).await;
    // What the next leader has put meanwhile.
    let from = format!("\n{}\n", size(&note));
    let newer = note.replacen(&from, "\n1000000\n", 1);
    store.put(key.as_str(), newer.clone().into()).await.unwrap();
    customers(&company, 0..3).await;
    server.told("there is one of more events").await;
    stop(server).await;
    assert_eq!(store.get(&key).await.unwrap().unwrap(), newer);
    // One that is no longer there is in nobody's way, and the last one is put where nothing grows.
    store.delete(&key).await.unwrap();
    let (server, company) = signing(&folder.path().join("data"), &nats.url()).await;
    let (_, note) = newest(&nats, &key).await;
    assert!(size(&note) > 3);
    let position = company.position();
    stop(server).await;
    let (_, note) = newest(&nats, &key).await;
    assert!(size(&note) >= position, "the last one is put before the end");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_loss_of_the_server_is_told() {
    let Some(mut nats) = NatsServer::start() else { return };
    let folder = data_folder();
    let (server, company) = signing(&folder.path().join("data"), &nats.url()).await;
    newest(&nats, &company.client.head().await.log_id).await;
    for round in 0..2_u32 {
        let times = |what: &str| server.said().matches(what).count();
        let (lost, again) = (times(LOST), times(AGAIN));
        let begun = Instant::now();
        nats.kill9();
        customers(&company, round * 10..round * 10 + 3).await;
        while times(LOST) == lost {
            assert!(begun.elapsed() < LIMIT, "{}", server.said());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        nats.restart();
        while times(AGAIN) == again {
            assert!(begun.elapsed() < LIMIT, "{}", server.said());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    stop(server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_cannot_be_read_are_told_at_once() {
    let folder = data_folder();
    let missing = folder.path().join("missing.pem");
    for (name, flag) in [
        ("ENCOURS_PUBLISH_CA", "--publish-ca"),
        ("ENCOURS_PUBLISH_CREDENTIALS", "--publish-credentials"),
    ] {
        let file = format!("{name}={}", missing.display());
        let prefix = ["env", "ENCOURS_PUBLISH_NATS=nats://127.0.0.1:1", &file];
        let data = folder.path().join("data");
        let refused = Server::try_start_under(&prefix, &data).err().unwrap().fails(2);
        assert!(refused.stderr.contains(flag), "{refused}");
        assert!(refused.stderr.contains("missing.pem"), "{refused}");
        assert!(!data.join("log").exists(), "nothing was made");
    }
}
