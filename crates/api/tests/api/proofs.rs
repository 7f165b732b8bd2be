//! Proofs from the tree over the log's events, and checkpoints.

use std::path::Path;
use std::sync::Arc;

use encours_audit::merkle::{check_consistency, check_inclusion};
use encours_audit::{Checkpoint, Leaf, Notary, Verifier};
use encours_domain::{Micros, Position};
use encours_log::Hash;
use encours_proto::v1;
use encours_sim::SimDisk;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::support::{Client, Server, acme, acme_on, reason};

fn asked(position: u64, tree_size: u64, old_tree_size: u64) -> v1::GetProofRequest {
    v1::GetProofRequest { position, tree_size, old_tree_size, ..Default::default() }
}

async fn proof(client: &mut Client, request: v1::GetProofRequest) -> v1::GetProofResponse {
    client.log.get_proof(request).await.unwrap().into_inner()
}

fn hash(bytes: &[u8]) -> Hash {
    Hash(bytes.try_into().unwrap())
}

fn path(hashes: &[Vec<u8>]) -> Vec<Hash> {
    hashes.iter().map(|bytes| hash(bytes)).collect()
}

/// Checks all that an answer says; the root.
fn holds(proof: &v1::GetProofResponse) -> Hash {
    let root = hash(&proof.root);
    if let Some(leaf) = &proof.leaf {
        let leaf = Leaf {
            position: Position(leaf.position),
            recorded_at: Micros(leaf.recorded_at_us),
            actor: leaf.actor.clone(),
            record: leaf.record.clone(),
        };
        let (index, path) = (leaf.position.0 - 1, path(&proof.inclusion_path));
        assert_eq!(check_inclusion(index, proof.tree_size, &leaf.hash(), &path, &root), Ok(()));
    }
    if proof.old_tree_size > 0 {
        let (old_root, path) = (hash(&proof.old_root), path(&proof.consistency_path));
        let (old, new) = ((proof.old_tree_size, &old_root), (proof.tree_size, &root));
        assert_eq!(check_consistency(old, new, &path), Ok(()));
    }
    root
}

#[tokio::test]
async fn every_event_and_every_growth_is_proved() {
    let (_server, mut client) = acme().await;
    for no in 0..20 {
        client.customer(&format!("c{no}")).await;
    }
    let head = client.head().await;
    let whole = holds(&proof(&mut client, asked(1, head, 0)).await);
    for position in 1..=head {
        let proof = proof(&mut client, asked(position, head, position)).await;
        assert_eq!(holds(&proof), whole);
        assert_eq!(proof.leaf.unwrap().position, position);
        assert_eq!((proof.tree_size, proof.old_tree_size), (head, position));
    }
    let events = v1::ReadEventsRequest { after_position: head - 1, ..Default::default() };
    let last = client.log.read_events(events).await.unwrap().into_inner().events.remove(0);
    let leaf = proof(&mut client, asked(head, head, 0)).await.leaf.unwrap();
    let recorded = last.recorded_at.unwrap();
    let recorded = recorded.seconds * 1_000_000 + i64::from(recorded.nanos) / 1_000;
    assert_eq!((leaf.actor, leaf.recorded_at_us), (last.actor, recorded));
    // Growth alone, without an event.
    let grown = proof(&mut client, asked(0, 0, 3)).await;
    assert!(grown.leaf.is_none() && grown.inclusion_path.is_empty());
    assert_eq!((grown.tree_size, holds(&grown)), (head, whole));
}

#[tokio::test]
async fn a_proof_is_in_the_newest_checkpoint_where_that_has_it() {
    let (_server, mut client) = acme().await;
    let told = client.log.get_checkpoint(v1::GetCheckpointRequest::default()).await;
    let told = told.unwrap().into_inner();
    let verifier = Verifier::parse(&told.verifier_key).unwrap();
    let checkpoint = Checkpoint::open(&told.checkpoint, &verifier).unwrap();
    assert_eq!(checkpoint.size, told.tree_size);
    assert_eq!(checkpoint.log_id.to_string(), told.log_id);
    let head = client.head().await;
    assert!(head > told.tree_size, "something came since");
    let signed = proof(&mut client, asked(1, 0, 0)).await;
    assert_eq!((signed.tree_size, holds(&signed)), (checkpoint.size, checkpoint.root));
    assert_eq!(signed.checkpoint, told.checkpoint);
    let newer = proof(&mut client, asked(head, 0, checkpoint.size)).await;
    assert_eq!((newer.tree_size, newer.checkpoint.as_str()), (head, ""));
    let _ = holds(&newer);
    assert_eq!(hash(&newer.old_root), checkpoint.root);
}

async fn refused(client: &mut Client, request: v1::GetProofRequest) -> Status {
    client.log.get_proof(request).await.unwrap_err()
}

#[tokio::test]
async fn what_is_not_in_the_log_is_not_proved() {
    let (_server, mut client) = acme().await;
    let head = client.head().await;
    for (request, field, size) in [
        (asked(head + 1, 0, 0), "position", head),
        (asked(3, 2, 0), "position", 2),
        (asked(1, head + 1, 0), "tree_size", head),
        (asked(0, 0, head + 1), "old_tree_size", head),
        (asked(1, 2, 3), "old_tree_size", 2),
        (asked(u64::MAX, u64::MAX, u64::MAX), "tree_size", head),
    ] {
        let status = refused(&mut client, request).await;
        assert_eq!((status.code(), reason(&status).as_str()), (Code::OutOfRange, "OUTSIDE_LOG"));
        let info = status.get_details_error_info().unwrap().metadata;
        assert_eq!((&*info["field"], &*info["size"]), (field, &*size.to_string()), "{status:?}");
    }
    assert_eq!(reason(&refused(&mut client, asked(0, 3, 0)).await), "MISSING_FIELD");
    let other = v1::GetProofRequest { log: "other".into(), ..asked(1, 0, 0) };
    assert_eq!(reason(&refused(&mut client, other).await), "UNKNOWN_LOG");
}

#[tokio::test]
async fn a_node_that_has_hashed_little_says_so() {
    let notary = |server: &Server| {
        let (reader, disk) = (server.engine().reader(), Arc::new(SimDisk::new(2)));
        Arc::new(Notary::open(reader, disk, Path::new("/data")).unwrap())
    };
    let first = Server::start().await;
    let mut client = acme_on(&first).await;
    for no in 0..300 {
        client.customer(&format!("c{no}")).await;
    }
    // The services of another node over the same log.
    let behind = notary(&first);
    let (reader, model) = (first.engine().reader(), first.model.clone());
    let writing = tokio::sync::watch::Sender::new(encours_api::Writing::Nobody).subscribe();
    let keys = tokio::sync::watch::Sender::new(first.engine().keys()).subscribe();
    let api = encours_api::Api::of_node(model, reader, keys, writing);
    let api = api.with_notary(Arc::clone(&behind));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (_stop, stopped) = tokio::sync::oneshot::channel::<()>();
    tokio::spawn(async move {
        let shutdown = async {
            let _ = stopped.await;
        };
        api.serve(listener, shutdown).await.unwrap();
    });
    let mut second = Client::to(&address).await;
    let none = second.log.get_checkpoint(v1::GetCheckpointRequest::default()).await.unwrap_err();
    assert_eq!((none.code(), reason(&none).as_str()), (Code::NotFound, "NO_CHECKPOINT"));
    let head = client.head().await;
    let status = refused(&mut second, asked(1, head, 0)).await;
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unavailable, "PROOFS_BEHIND"));
    assert!(status.get_details_retry_info().is_some());
    // Asking again goes on from there, and so does who follows.
    let _ = holds(&proof(&mut second, asked(1, head, 0)).await);
}
