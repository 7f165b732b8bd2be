//! A server, a runtime, nodes with their folders, and frames.

use std::collections::HashMap;
use std::future::Future;
use std::num::NonZeroU8;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::jetstream::{self, Context, stream};
use encours_log::{
    Access, AppendOutcome, CommandRecord, Epoch, EventLog, EventRecord, Frame, FrameDraft,
    FrameNumber, JetStreamLog, JournalOptions, Link, LogError, LogId, Micros, OsDisk, Replica,
    SealWith, Seen, StreamOptions, Tail,
};
use encours_tests::{NatsServer, data_folder};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// The log that the tests make.
pub(crate) const LOG: LogId = LogId([0xe5; 16]);
/// The stream of its frames.
pub(crate) const STREAM: &str = "ENCOURS_LOG_main";
/// The stream of its keys.
pub(crate) const KEYS: &str = "ENCOURS_KEYS_main";
/// The subject of its frames.
pub(crate) const SUBJECT: &str = "encours.log.main";
/// So long at most until something happens that has to.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);
/// What a copy waits for a frame that is there.
pub(crate) const SOON: Duration = Duration::from_secs(5);

/// A server, and what nodes need.
pub(crate) struct Place {
    pub(crate) runtime: Runtime,
    pub(crate) folder: TempDir,
    pub(crate) nats: NatsServer,
}

impl Place {
    /// `None` where this machine has no server.
    pub(crate) fn new() -> Option<Self> {
        NatsServer::start().map(Self::around)
    }

    pub(crate) fn around(nats: NatsServer) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = { runtime }.worker_threads(2).enable_all().build().unwrap();
        Self { runtime, folder: data_folder(), nats }
    }

    pub(crate) fn options(&self) -> StreamOptions {
        options_at(&self.nats.url())
    }

    pub(crate) fn try_link(&self, options: StreamOptions) -> Result<Link, LogError> {
        Link::connect(self.runtime.handle().clone(), options)
    }

    pub(crate) fn link(&self) -> Link {
        self.try_link(self.options()).unwrap()
    }

    pub(crate) fn try_replica(&self, node: &str) -> Result<Replica, LogError> {
        open(self.link(), &self.folder.path().join(node))
    }

    pub(crate) fn replica(&self, node: &str) -> Replica {
        self.try_replica(node).unwrap()
    }

    /// Another client, with all rights.
    pub(crate) fn admin(&self) -> Admin<'_> {
        let client = self.runtime.block_on(async_nats::connect(self.nats.url())).unwrap();
        let _inside = self.runtime.enter();
        Admin { place: self, context: jetstream::new(client) }
    }
}

pub(crate) fn options_at(url: &str) -> StreamOptions {
    StreamOptions {
        servers: vec![url.parse().unwrap()],
        access: Access::default(),
        log: "main".parse().unwrap(),
        replicas: NonZeroU8::MIN,
        max_bytes: 64 << 20,
    }
}

pub(crate) fn journal_options() -> JournalOptions {
    JournalOptions { segment_len: 1 << 20, create: Some(LOG), ..JournalOptions::default() }
}

pub(crate) fn open(link: Link, dir: &Path) -> Result<Replica, LogError> {
    Replica::open(link, Arc::new(OsDisk), dir, journal_options())
}

/// A client that does what nobody should.
pub(crate) struct Admin<'a> {
    place: &'a Place,
    pub(crate) context: Context,
}

impl Admin<'_> {
    pub(crate) fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.place.runtime.block_on(work)
    }

    pub(crate) fn info(&self, stream: &str) -> stream::Info {
        self.run(async { self.context.get_stream(stream).await.unwrap().cached_info().clone() })
    }

    pub(crate) fn last(&self, stream: &str) -> u64 {
        self.info(stream).state.last_sequence
    }

    pub(crate) fn update(&self, config: &stream::Config) {
        self.run(self.context.update_stream(config)).unwrap();
    }

    pub(crate) fn delete(&self, stream: &str) {
        self.run(self.context.delete_stream(stream)).unwrap();
    }

    pub(crate) fn create(&self, config: &stream::Config) {
        self.run(self.context.create_stream(config)).unwrap();
    }

    /// Publishes without any of the guards.
    pub(crate) fn publish(&self, subject: &'static str, body: &[u8]) -> u64 {
        let body = body.to_vec().into();
        self.run(async { self.context.publish(subject, body).await.unwrap().await.unwrap() })
            .sequence
    }
}

/// A frame after `tail` with one command and one event of `len` bytes.
pub(crate) fn frame_by(tail: &Tail, epoch: u64, len: usize) -> Frame {
    let fill = u8::try_from(tail.number.0 % 251).unwrap();
    let command = CommandRecord {
        request_id: format!("request-{}", tail.number),
        digest: [0xd1; 32],
        actor: "clerk-7".to_owned(),
        reason: String::new(),
        causation: encours_log::Position::START,
        event_count: 1,
    };
    let event = EventRecord { kind: 7, version: 1, payload: vec![fill; len] };
    let mut draft = FrameDraft::new(tail.next_position);
    draft.push(&command, &[event]).unwrap();
    let with = SealWith {
        log_id: LOG,
        epoch: Epoch(epoch),
        number: tail.number.next(),
        recorded_at: Micros(1_800_000_000_000_000),
        previous: tail.hash,
    };
    draft.seal(with).unwrap()
}

pub(crate) fn frame(tail: &Tail, len: usize) -> Frame {
    frame_by(tail, tail.epoch.0.max(1), len)
}

/// Sends a frame and waits for what becomes of it.
pub(crate) fn send(log: &mut JetStreamLog, frame: &Frame) -> AppendOutcome {
    log.submit(frame.clone());
    let (number, outcome) = log.settle().unwrap();
    assert_eq!(number, frame.header().number);
    outcome
}

pub(crate) fn append(log: &mut JetStreamLog, len: usize) -> Frame {
    let frame = frame(&log.tail(), len);
    let outcome = send(log, &frame);
    assert!(outcome.is_committed(), "{outcome:?}");
    frame
}

/// Looks until somebody can tell.
pub(crate) fn look(log: &mut JetStreamLog, frame: &Frame) -> Seen {
    let begun = Instant::now();
    loop {
        match log.look(frame) {
            Ok(seen) => return seen,
            Err(error) if error.is_unavailable() && begun.elapsed() < LIMIT => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// Sends a frame until it is there, as the engine does.
pub(crate) fn insist(log: &mut JetStreamLog, frame: &Frame) {
    for _ in 0..20 {
        if send(log, frame).is_committed() || look(log, frame) == Seen::Same {
            return;
        }
    }
    panic!("frame {} does not get through", frame.header().number);
}

/// Brings a copy to the stream's end, without keys.
pub(crate) fn catch_up(replica: &mut Replica) -> Result<Tail, LogError> {
    replica.catch_up(&mut |_| Ok(()))
}

/// A node that may write.
pub(crate) fn writer(place: &Place, node: &str) -> (Replica, JetStreamLog) {
    let mut replica = place.replica(node);
    catch_up(&mut replica).unwrap();
    let log = replica.writer().unwrap();
    (replica, log)
}

/// Waits until `check` gives something.
pub(crate) fn until<T>(mut check: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = check() {
            return found;
        }
        assert!(begun.elapsed() < LIMIT, "it does not happen");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub(crate) fn number(number: u64) -> FrameNumber {
    FrameNumber(number)
}

/// Makes the stream anew, with these bodies in it.
pub(crate) fn remake(place: &Place, id: LogId, bodies: &[&[u8]]) {
    let admin = place.admin();
    let mut config = admin.info(STREAM).config;
    admin.delete(STREAM);
    config.metadata = HashMap::from([("encours_log_id".to_owned(), id.to_string())]);
    admin.create(&config);
    for body in bodies {
        admin.publish(SUBJECT, body);
    }
}
