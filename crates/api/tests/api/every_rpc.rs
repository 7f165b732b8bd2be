//! Every method of the contract, called with nothing, with bytes that are no message, and with
//! something valid: once, twice, as a dry run, and with a version that is not current.

use std::time::Duration;

use encours_proto::method_paths;
use encours_tests::Raw;
use tokio::time::timeout;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::support::{acme, invoice, reason};
use crate::valid::valid;

/// How a call with this one message ends: `Ok` also where its stream goes on for ever.
pub(crate) async fn outcome(channel: &Channel, path: &str, message: &[u8]) -> Result<(), Status> {
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await.unwrap();
    let request = Request::new(tokio_stream::once(message.to_vec()));
    let called = grpc.streaming(request, path.parse().unwrap(), Raw).await?;
    let mut answers = called.into_inner();
    loop {
        match timeout(Duration::from_millis(300), answers.message()).await {
            Ok(Ok(Some(_))) => {}
            Ok(Ok(None)) => return Ok(()),
            Ok(Err(status)) => return Err(status),
            // Only a watch goes on.
            Err(_) => {
                assert!(path.contains("/Watch"), "{path} does not end");
                return Ok(());
            }
        }
    }
}

#[tokio::test]
async fn nothing_and_nonsense_are_answered_by_every_method() {
    let (_server, mut client) = acme().await;
    client.customer("ada").await;
    client.invoices.issue_invoice(invoice("F1", "ada", 4_000)).await.unwrap();
    let head = client.head().await;
    let paths = method_paths();
    assert!(paths.len() >= 30, "{paths:?}");
    let nonsense: [&[u8]; 5] = [
        // A length beyond the end, a wire type that there is none of, a varint without an end, a
        // group that does not end, a text that is no UTF-8 in the place of the first field.
        &[0x0a, 0xff, 0xff, 0x03, 0x00],
        &[0x0f, 0x01],
        &[0xff; 12],
        &[0x0b, 0x08, 0x01],
        &[0x0a, 0x02, 0xc3, 0x28],
    ];
    for path in &paths {
        match outcome(&client.channel, path, &[]).await {
            Ok(()) => {
                // A stream of commands answers the empty one in its place.
                let asks_nothing =
                    ["/Get", "/List", "/Read", "/Watch", "/Verify", "/Rebuild", "/Execute"];
                assert!(
                    asks_nothing.iter().any(|name| path.contains(name)),
                    "{path} did something"
                );
            }
            Err(status) => {
                assert_eq!(status.code(), Code::InvalidArgument, "{path}: {status:?}");
                assert_eq!(reason(&status), "MISSING_FIELD", "{path}: {status:?}");
            }
        }
        for message in nonsense {
            let Err(status) = outcome(&client.channel, path, message).await else {
                // It happens to be a message without anything that the method knows.
                let asks_nothing =
                    ["/GetHead", "/VerifyLog", "/RebuildReadModel", "/GetCheckpoint"];
                assert!(asks_nothing.iter().any(|name| path.ends_with(name)), "{path}");
                continue;
            };
            assert_eq!(status.code(), Code::InvalidArgument, "{path} {message:?}: {status:?}");
            assert!(!reason(&status).is_empty());
        }
    }
    assert_eq!(client.head().await, head, "something was appended");
}

/// Fields that every write has at the same place: `request_id`, `expected_version` and
/// `validate_only`, as they are written behind a message.
fn with_request_id(message: &[u8], id: &str) -> Vec<u8> {
    let length = u8::try_from(id.len()).unwrap();
    [message, &[0x12, length], id.as_bytes()].concat()
}

fn with_version(message: &[u8]) -> Vec<u8> {
    [message, &[0x18, 0xff, 0xff, 0x7f]].concat()
}

fn validated_only(message: &[u8]) -> Vec<u8> {
    [message, &[0x20, 0x01]].concat()
}

fn is_write(path: &str) -> bool {
    let method = path.rsplit('/').next().unwrap();
    let others =
        ["Get", "List", "Read", "Watch", "Verify", "Rebuild", "Export", "Check", "Execute"];
    others.iter().all(|name| !method.starts_with(name))
}

#[tokio::test]
async fn something_valid_is_done_by_every_method() {
    let (server, mut client) = acme().await;
    let mut called: Vec<String> = Vec::new();
    for (method, message) in &valid() {
        let path = format!("/encours.v1.{}", method.replacen('/', "Service/", 1));
        let head = client.head().await;
        // What was written is to be read.
        server.model.wait_for(encours_domain::Position(head)).await.unwrap();
        if is_write(&path) {
            let stale = outcome(&client.channel, &path, &with_version(message)).await.unwrap_err();
            // What is new has no version yet.
            let refused = (stale.code(), reason(&stale));
            let new = (Code::InvalidArgument, "CONFLICTING_FIELDS".to_owned());
            let changed = (Code::Aborted, "VERSION_MISMATCH".to_owned());
            assert!(refused == new || refused == changed, "{path}: {stale:?}");
            outcome(&client.channel, &path, &validated_only(message)).await.unwrap();
            assert_eq!(client.head().await, head, "{path}: a dry run was done");
            let once = with_request_id(message, &format!("r{}", called.len()));
            let ended = outcome(&client.channel, &path, &once).await;
            assert!(ended.is_ok(), "{path}: {ended:?}");
            let done = client.head().await;
            assert!(done > head, "{path}: nothing was done");
            outcome(&client.channel, &path, &once).await.unwrap();
            assert_eq!(client.head().await, done, "{path}: it was done twice");
        } else {
            let ended = outcome(&client.channel, &path, message).await;
            assert!(ended.is_ok(), "{path}: {ended:?}");
        }
        called.push(path);
    }
    let mut paths = method_paths();
    called.sort();
    paths.sort();
    assert_eq!(called, paths);
}
