//! What is unique over all logs, and which nodes are there.

use std::time::Duration;

use async_nats::jetstream;
use encours_log::{Holder, LEASE_TTL, LogError};

use crate::support::Place;

#[test]
fn of_many_who_claim_a_key_all_are_told_the_same() {
    let Some(place) = Place::new() else { return };
    let nodes: Vec<_> = (0..4).map(|_| place.link().claims().unwrap()).collect();
    let key = "ledger.fr/paris:2";
    assert_eq!(place.runtime.block_on(nodes[0].find(key)).unwrap(), None);
    let claiming: Vec<_> = (0..20)
        .map(|no| {
            let claims = nodes[no % 4].clone();
            place.runtime.spawn(async move { claims.claim(key, &format!("log-{no}")).await })
        })
        .collect();
    let told: Vec<_> =
        claiming.into_iter().map(|claim| place.runtime.block_on(claim).unwrap().unwrap()).collect();
    let found = place.runtime.block_on(nodes[3].find(key)).unwrap().unwrap();
    assert_eq!(told, vec![found.clone(); 20]);
    // The same once more, and not another key that looks alike.
    assert_eq!(place.runtime.block_on(nodes[1].claim(key, "late")).unwrap(), found);
    assert_eq!(place.runtime.block_on(nodes[1].find("ledger.fr=2Fparis=3A2")).unwrap(), None);
    // A person has deleted it: it may be claimed anew.
    place.runtime.block_on(async {
        let context = jetstream::new(async_nats::connect(place.nats.url()).await.unwrap());
        let bucket = context.get_key_value("ENCOURS_LEDGERS").await.unwrap();
        bucket.delete("ledger.fr=2Fparis=3A2").await.unwrap();
        assert_eq!(nodes[2].find(key).await.unwrap(), None);
        assert_eq!(nodes[2].claim(key, "anew").await.unwrap(), "anew");
        assert_eq!(nodes[0].find(key).await.unwrap().as_deref(), Some("anew"));
    });
}

#[test]
fn a_bucket_that_forgets_is_refused() {
    let Some(place) = Place::new() else { return };
    place.runtime.block_on(async {
        let context = jetstream::new(async_nats::connect(place.nats.url()).await.unwrap());
        let config = jetstream::kv::Config {
            bucket: "ENCOURS_LEDGERS".to_owned(),
            max_age: Duration::from_secs(60),
            history: 1,
            ..Default::default()
        };
        context.create_key_value(config).await.unwrap();
    });
    let Err(error) = place.link().claims() else { panic!("it was taken") };
    assert!(matches!(error, LogError::StreamConfig { .. }), "{error}");
    assert!(error.to_string().contains("max_age must be 0"), "{error}");
}

#[test]
fn nodes_are_seen_for_as_long_as_they_appear() {
    let Some(place) = Place::new() else { return };
    let lease = |node: &str| {
        let holder = Holder { node: node.to_owned(), address: "127.0.0.1:1".to_owned() };
        place.link().lease(holder).unwrap()
    };
    let (a, b) = (lease("a"), lease("b"));
    let seen = || {
        let mut nodes = place.runtime.block_on(a.nodes()).unwrap();
        nodes.sort();
        nodes
    };
    assert_eq!(seen(), []);
    place.runtime.block_on(a.appear(&["main"])).unwrap();
    place.runtime.block_on(b.appear(&["main", "more"])).unwrap();
    let both = [
        ("a".to_owned(), vec!["main".to_owned()]),
        ("b".to_owned(), vec!["main".to_owned(), "more".to_owned()]),
    ];
    assert_eq!(seen(), both);
    assert!(place.runtime.block_on(a.is_free()).unwrap());
    std::thread::sleep(LEASE_TTL / 2);
    place.runtime.block_on(b.appear(&["main", "more"])).unwrap();
    std::thread::sleep(LEASE_TTL / 2 + Duration::from_millis(700));
    assert_eq!(seen(), both[1..]);
}
