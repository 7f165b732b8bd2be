//! Who may try to write.

use std::time::{Duration, Instant};

use encours_log::{Beat, Holder, LEASE_BEAT, LEASE_TTL, Lease, LogError};

use crate::support::{LIMIT, Place};

fn holder(node: &str) -> Holder {
    Holder { node: node.to_owned(), address: format!("{node}.example:50051") }
}

fn lease(place: &Place, node: &str) -> Lease {
    place.link().lease(holder(node)).unwrap()
}

fn beat(place: &Place, lease: &mut Lease) -> Beat {
    place.runtime.block_on(lease.beat()).unwrap()
}

#[test]
fn a_lease_is_taken_renewed_given_up_and_taken_over() {
    let Some(place) = Place::new() else { return };
    let (mut a, mut b) = (lease(&place, "a"), lease(&place, "b"));
    assert_eq!(beat(&place, &mut a), Beat::Mine);
    // Renewed, it lasts longer than it would by itself.
    let begun = Instant::now();
    while begun.elapsed() < LEASE_TTL + Duration::from_secs(1) {
        assert_eq!(beat(&place, &mut b), Beat::Of(holder("a")));
        std::thread::sleep(LEASE_BEAT);
        assert_eq!(beat(&place, &mut a), Beat::Mine);
    }
    place.runtime.block_on(a.release());
    assert_eq!(beat(&place, &mut b), Beat::Mine);
    assert_eq!(beat(&place, &mut a), Beat::Of(holder("b")));
    // Giving up what is another's changes nothing.
    place.runtime.block_on(a.release());
    assert_eq!(beat(&place, &mut a), Beat::Of(holder("b")));
    assert_eq!(beat(&place, &mut b), Beat::Mine);
}

#[test]
fn a_lease_that_is_not_renewed_ends() {
    let Some(place) = Place::new() else { return };
    let (mut a, mut b) = (lease(&place, "a"), lease(&place, "b"));
    assert_eq!(beat(&place, &mut a), Beat::Mine);
    let begun = Instant::now();
    let mut took = None;
    while took.is_none() && begun.elapsed() < LIMIT {
        std::thread::sleep(Duration::from_millis(100));
        if beat(&place, &mut b) == Beat::Mine {
            took = Some(begun.elapsed());
        }
    }
    let took = took.expect("the lease ends");
    println!("a lease that is not renewed is taken over after {took:?}");
    assert!(took > LEASE_TTL / 2 && took < LEASE_TTL + Duration::from_secs(2), "{took:?}");
    assert_eq!(beat(&place, &mut a), Beat::Of(holder("b")));
}

#[test]
fn a_node_that_starts_anew_waits_for_its_former_lease_to_end() {
    let Some(place) = Place::new() else { return };
    let mut former = lease(&place, "a");
    assert_eq!(beat(&place, &mut former), Beat::Mine);
    drop(former);
    let begun = Instant::now();
    let mut a = lease(&place, "a");
    // Whether its former process is gone it cannot know; nobody is to be sent to itself.
    let waits = place.runtime.block_on(a.beat()).unwrap_err();
    assert!(waits.is_unavailable() && waits.to_string().contains("another process"), "{waits}");
    crate::support::until(|| {
        let beat = place.runtime.block_on(a.beat());
        matches!(beat, Ok(Beat::Mine)).then_some(())
    });
    let took = begun.elapsed();
    println!("a node that starts anew has its lease again after {took:?}");
    assert!(took < 2 * LEASE_TTL, "it waits for one lease: {took:?}");
    // One that it gave up it has at once.
    place.runtime.block_on(a.release());
    assert_eq!(beat(&place, &mut lease(&place, "a")), Beat::Mine);
}

#[test]
fn a_second_process_of_one_name_does_not_take_the_lease_from_the_first() {
    let Some(place) = Place::new() else { return };
    let mut first = lease(&place, "a");
    let mut copy = lease(&place, "a");
    let elsewhere = Holder { address: "elsewhere:1".to_owned(), ..holder("a") };
    let mut moved = place.link().lease(elsewhere.clone()).unwrap();
    let begun = Instant::now();
    while begun.elapsed() < LEASE_TTL + Duration::from_secs(1) {
        assert_eq!(beat(&place, &mut first), Beat::Mine);
        assert!(place.runtime.block_on(copy.beat()).unwrap_err().is_unavailable());
        assert_eq!(beat(&place, &mut moved), Beat::Of(holder("a")));
        std::thread::sleep(LEASE_BEAT);
    }
    place.runtime.block_on(first.release());
    assert_eq!(beat(&place, &mut moved), Beat::Mine);
    assert_eq!(beat(&place, &mut first), Beat::Of(elsewhere));
}

#[test]
fn a_lease_is_told_as_the_versions_before_wrote_it() {
    let Some(place) = Place::new() else { return };
    let mut b = lease(&place, "b");
    place.admin().publish("$KV.ENCOURS_LEASES.main", b"a\na.example:50051");
    assert_eq!(beat(&place, &mut b), Beat::Of(holder("a")));
}

#[test]
fn a_lease_without_a_server_is_no_lease() {
    let Some(mut place) = Place::new() else { return };
    let mut a = lease(&place, "a");
    assert_eq!(beat(&place, &mut a), Beat::Mine);
    place.nats.kill9();
    let begun = Instant::now();
    let away = place.runtime.block_on(a.beat()).unwrap_err();
    assert!(away.is_unavailable(), "{away}");
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    place.nats.restart();
    crate::support::until(|| {
        let beat = place.runtime.block_on(a.beat());
        matches!(beat, Ok(Beat::Mine)).then_some(())
    });
}

#[test]
fn a_bucket_that_keeps_leases_longer_is_refused() {
    let Some(place) = Place::new() else { return };
    drop(lease(&place, "a"));
    let admin = place.admin();
    let mut config = admin.info("KV_ENCOURS_LEASES").config;
    config.max_age = Duration::from_secs(3600);
    config.duplicate_window = Duration::from_secs(60);
    admin.update(&config);
    let refused = place.link().lease(holder("a")).err().unwrap();
    assert!(matches!(refused, LogError::StreamConfig { .. }), "{refused}");
    assert!(refused.to_string().contains("max_age must be 3 s"), "{refused}");
}
