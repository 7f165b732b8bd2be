//! Rebuilds of the read model while the server answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use encours_api::Writing;
use encours_domain::Position;
use encours_log::{Frame, FrameNumber, LogError, LogId, LogReader, Tail};
use encours_proto::v1;
use encours_proto::v1::rebuild_read_model_response::Step;
use encours_proto::v1::verify_log_response::Step as Verified;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::metrics::scrape;
use crate::nodes::Node;
use crate::support::{Client, acme, reason, soon};

/// All that a rebuild of this log tells.
async fn steps_of(client: &Client, log: &str) -> Result<Vec<Step>, Status> {
    let request = v1::RebuildReadModelRequest { log: log.into() };
    let mut steps = client.log.clone().rebuild_read_model(request).await?.into_inner();
    let mut told = Vec::new();
    while let Some(step) = soon("a step", steps.message()).await? {
        told.push(step.step.unwrap());
    }
    Ok(told)
}

async fn result_of(client: &Client) -> v1::RebuildResult {
    match steps_of(client, "").await.unwrap().pop() {
        Some(Step::Result(result)) => result,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_read_model_is_rebuilt_while_it_runs() {
    let (_server, mut client) = acme().await;
    client.customer("ada").await;
    // As many frames as two signs of how far it is take.
    for no in 0..1_100 {
        client.invoice(&format!("F{no}"), "ada", 100).await;
    }
    let head = client.log.get_head(v1::GetHeadRequest::default()).await.unwrap().into_inner();
    let read = v1::ReadEventsRequest { min_position: head.position, ..Default::default() };
    client.log.read_events(read).await.unwrap();
    let mut told = steps_of(&client, "").await.unwrap();
    let Some(Step::Result(result)) = told.pop() else { panic!("{told:?}") };
    assert!(!result.differs && result.stopped.is_empty(), "{result:?}");
    assert_eq!((&result.log_id, result.position), (&head.log_id, head.position));
    assert_eq!(result.digest, result.digest_before);
    let mut before = 0;
    assert_eq!(told.len(), 2, "{told:?}");
    for step in told {
        let Step::Progress(progress) = step else { panic!("a second result: {step:?}") };
        assert!(progress.position > before && progress.position <= progress.log_position);
        before = progress.position;
    }
    let mut steps =
        client.log.verify_log(v1::VerifyLogRequest::default()).await.unwrap().into_inner();
    let mut digest = String::new();
    while let Some(step) = soon("a step", steps.message()).await.unwrap() {
        if let Some(Verified::Result(verified)) = step.step {
            digest = verified.digest;
        }
    }
    assert_eq!(digest, result.digest);
    let refused = steps_of(&client, "other").await.unwrap_err();
    assert_eq!(reason(&refused), "UNKNOWN_LOG");
}

/// A log of which frames from one on cannot be read, each in a while.
struct Ailing {
    log: Arc<dyn LogReader>,
    unreadable_from: AtomicU64,
    /// Milliseconds for each frame.
    slow: AtomicU64,
}

impl LogReader for Ailing {
    fn log_id(&self) -> LogId {
        self.log.log_id()
    }

    fn tail(&self) -> Tail {
        self.log.tail()
    }

    fn stored_bytes(&self) -> u64 {
        self.log.stored_bytes()
    }

    fn read(&self, number: FrameNumber) -> Result<Option<Frame>, LogError> {
        std::thread::sleep(Duration::from_millis(self.slow.load(Ordering::Relaxed)));
        if number.0 >= self.unreadable_from.load(Ordering::Relaxed) {
            let (position, why) = (Position(number.0), "bad sector".to_owned());
            return Err(LogError::Unreadable { position, frame: number, why });
        }
        self.log.read(number)
    }

    fn frame_of(&self, position: Position) -> Option<FrameNumber> {
        self.log.frame_of(position)
    }

    fn wait_beyond(&self, number: FrameNumber, timeout: Duration) -> Tail {
        self.log.wait_beyond(number, timeout)
    }
}

/// Waits until the node's health is this.
async fn healthy(client: &Client, wanted: ServingStatus) {
    let mut health = HealthClient::new(client.channel.clone());
    let request = HealthCheckRequest { service: "encours.v1.LedgerService".into() };
    let mut watch = health.watch(request).await.unwrap().into_inner();
    while soon("health", watch.message()).await.unwrap().unwrap().status() != wanted {}
}

#[tokio::test]
async fn a_read_model_that_stands_still_goes_on_after_a_rebuild() {
    let (server, mut leader) = acme().await;
    leader.customer("ada").await;
    let (unreadable_from, slow) = (AtomicU64::new(u64::MAX), AtomicU64::new(0));
    let reader = Arc::new(Ailing { log: server.engine().reader(), unreadable_from, slow });
    let node = Node::reading(Arc::clone(&reader) as _, &server, Writing::Nobody).await;
    let client = node.client().await;
    let read = |min_position| v1::GetLedgerRequest { ledger_id: "acme".into(), min_position };
    client.ledgers.clone().get_ledger(read(leader.head().await)).await.unwrap();

    // What cannot be read again leaves the present one where it is.
    let first = FrameNumber(2).0;
    reader.unreadable_from.store(first, Ordering::Relaxed);
    let failed = steps_of(&client, "").await.unwrap_err();
    assert_eq!((failed.code(), &*reason(&failed)), (Code::DataLoss, "REBUILD_FAILED"));
    client.ledgers.clone().get_ledger(read(leader.head().await)).await.unwrap();

    let end = reader.tail().number.next().0;
    reader.unreadable_from.store(end, Ordering::Relaxed);
    leader.customer("bob").await;
    healthy(&client, ServingStatus::NotServing).await;
    let result = result_of(&client).await;
    assert!(result.stopped.contains("bad sector") && !result.differs, "{result:?}");

    reader.unreadable_from.store(u64::MAX, Ordering::Relaxed);
    let result = result_of(&client).await;
    assert!(result.stopped.is_empty() && !result.differs, "{result:?}");
    healthy(&client, ServingStatus::Serving).await;
    client.ledgers.clone().get_ledger(read(leader.head().await)).await.unwrap();
    let samples = scrape(&node.metrics).await;
    let rebuilds =
        |outcome| &*samples[&format!("encours_read_model_rebuilds_total{{outcome=\"{outcome}\"}}")];
    assert_eq!(["equal", "different", "failed"].map(rebuilds), ["2", "0", "1"]);
    assert_eq!(
        (&*samples["encours_read_model_up"], &*samples["encours_read_model_rebuilding"]),
        ("1", "0")
    );
}

#[tokio::test]
async fn one_rebuild_at_a_time_and_it_ends_with_its_caller() {
    let (server, mut leader) = acme().await;
    for no in 0..20 {
        leader.customer(&format!("c{no}")).await;
    }
    let (unreadable_from, slow) = (AtomicU64::new(u64::MAX), AtomicU64::new(0));
    let reader = Arc::new(Ailing { log: server.engine().reader(), unreadable_from, slow });
    let node = Node::reading(Arc::clone(&reader) as _, &server, Writing::Nobody).await;
    let client = node.client().await;
    let (ledger_id, min_position) = ("acme".into(), leader.head().await);
    let read = v1::GetLedgerRequest { ledger_id, min_position };
    client.ledgers.clone().get_ledger(read).await.unwrap();
    reader.slow.store(200, Ordering::Relaxed);
    let request = v1::RebuildReadModelRequest::default();
    let first = client.log.clone().rebuild_read_model(request).await.unwrap();
    let running = async |wanted: &str| {
        while scrape(&node.metrics).await["encours_read_model_rebuilding"] != wanted {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon("it runs", running("1")).await;
    let second = steps_of(&client, "").await.unwrap_err();
    assert_eq!((second.code(), &*reason(&second)), (Code::ResourceExhausted, "REBUILD_RUNNING"));
    drop(first);
    soon("it ends", running("0")).await;
    reader.slow.store(0, Ordering::Relaxed);
    assert!(!result_of(&client).await.differs);
}
