//! Servers that let in by credentials: an operator, its accounts and a user, each signed by the one
//! above.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use encours_tests::{NatsServer, Server, ServerNats, data_folder, run};
use nkeys::KeyPair;
use serde_json::{Value, json};

/// What `by` says of `of`, signed.
fn signed(by: &KeyPair, of: &KeyPair, name: &str, nats: &Value) -> String {
    let head = json!({ "typ": "JWT", "alg": "ed25519-nkey" });
    let claims = json!({ "jti": name, "iat": 1_700_000_000, "iss": by.public_key(),
        "sub": of.public_key(), "name": name, "nats": nats });
    let [head, claims] = [head, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let body = format!("{head}.{claims}");
    let signature = by.sign(body.as_bytes()).expect("a key that can sign");
    format!("{body}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// A file of credentials, as `nsc` writes it.
fn credentials(user: &KeyPair, jwt: &str) -> String {
    let seed = user.seed().expect("a key of ours");
    format!(
        "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_on_servers_that_ask_for_credentials() {
    let [operator, system, account, user, stranger] = [
        KeyPair::new_operator(),
        KeyPair::new_account(),
        KeyPair::new_account(),
        KeyPair::new_user(),
        KeyPair::new_user(),
    ];
    let of_operator = json!({ "type": "operator", "version": 2,
        "system_account": system.public_key() });
    let unlimited = |jetstream: i64| {
        json!({ "type": "account", "version": 2, "limits": { "subs": -1, "data": -1,
            "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1,
            "leaf": -1, "mem_storage": jetstream, "disk_storage": jetstream,
            "streams": jetstream, "consumer": jetstream } })
    };
    let of_user = json!({ "type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1,
        "pub": {}, "sub": {} });
    let trusted = signed(&operator, &operator, "operator", &of_operator);
    let of_system = signed(&operator, &system, "SYS", &unlimited(0));
    let of_account = signed(&operator, &account, "ENCOURS", &unlimited(-1));
    let settings = format!(
        "operator: \"{trusted}\"\nsystem_account: {0}\nresolver: MEMORY\n\
         resolver_preload: {{ {0}: \"{of_system}\", {1}: \"{of_account}\" }}",
        system.public_key(),
        account.public_key()
    );
    let Some(mut nats) = NatsServer::prepare(&settings) else { return };
    nats.restart();
    let folder = data_folder();
    let [ours, theirs] = ["service.creds", "stranger.creds"].map(|name| folder.path().join(name));
    let let_in = signed(&account, &user, "service", &of_user);
    fs::write(&ours, credentials(&user, &let_in)).unwrap();
    // Somebody who has the paper and not the key.
    fs::write(&theirs, credentials(&stranger, &let_in)).unwrap();
    let with = |file: &std::path::Path| ServerNats {
        credentials: Some(file.to_owned()),
        ..ServerNats::new(vec![nats.url()], "main")
    };
    let data = folder.path().join("data");
    let server = Server::start_on_nats(&data, &with(&ours));
    let create = "ledger create --ledger acme --currency EUR --test-clock 2026-01-05";
    let _ = run(create.split(' ').chain(["--server", &server.url()])).ok();
    let file = ours.to_str().unwrap();
    let words = ["doctor", "--nats", &nats.url(), "--nats-credentials", file];
    let checked = run(words.iter().chain(&["--nats-max-mib", "64"])).ok();
    assert!(checked.stdout.contains("as they have to be"), "{checked}");
    let said = server.stop().ran.to_string();
    let seed = user.seed().unwrap();
    assert!(!said.contains(&seed) && !said.contains(&let_in), "a secret is told: {said}");
    let ran = Server::try_start_on_nats(&data, &with(&theirs), &[]).unwrap_err().fails(1);
    assert!(ran.stderr.contains("log_denied"), "{ran}");
    assert!(!ran.stderr.contains(&stranger.seed().unwrap()), "{ran}");
    let ran = Server::try_start_on_nats(&data, &ServerNats::new(vec![nats.url()], "main"), &[]);
    let _ = ran.unwrap_err().fails(1);
    // Told once, before anything is asked.
    let nowhere = folder.path().join("nowhere.creds");
    let ran = Server::try_start_on_nats(&data, &with(&nowhere), &[]).unwrap_err().fails(2);
    assert!(ran.stderr.contains("--nats-credentials") && ran.stderr.contains("nowhere"), "{ran}");
}
