//! A server that publishes, and what is in the stream.

use std::path::Path;
use std::time::{Duration, Instant};

use async_nats::jetstream::{self, stream::Stream};
use async_nats::{HeaderMap, HeaderValue};
use encours_tests::{Company, NatsServer, Server};

/// The stream where no other is named.
pub(crate) const STREAM: &str = "ENCOURS_EVENTS";
/// How long anything may take to come about.
const LIMIT: Duration = Duration::from_secs(60);

/// A message of the stream.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    pub(crate) subject: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Published {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", HeaderValue::as_str)
    }

    pub(crate) fn position(&self) -> u64 {
        self.header("Encours-Position").parse().expect("a position")
    }
}

/// Starts a server that publishes to this URL, with more variables of the environment.
pub(crate) fn publishing(data: &Path, url: &str, more: &[&str]) -> Server {
    let url = format!("ENCOURS_PUBLISH_NATS={url}");
    let prefix: Vec<&str> = ["env", &url].into_iter().chain(more.iter().copied()).collect();
    Server::try_start_under(&prefix, data).unwrap_or_else(|ran| panic!("{ran}"))
}

/// JetStream of a server.
pub(crate) async fn jetstream(nats: &NatsServer) -> jetstream::Context {
    let client = async_nats::connect(nats.url()).await.expect("nats-server answers");
    jetstream::new(client)
}

/// Waits for the stream to exist.
pub(crate) async fn stream(nats: &NatsServer) -> Stream {
    stream_named(nats, STREAM).await
}

/// Waits for a stream to exist.
pub(crate) async fn stream_named(nats: &NatsServer, name: &str) -> Stream {
    let context = jetstream(nats).await;
    let begun = Instant::now();
    loop {
        match context.get_stream(name).await {
            Ok(stream) => return stream,
            Err(error) => assert!(begun.elapsed() < LIMIT, "no stream: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Has the server forget message ids after this long.
pub(crate) async fn forgets_after(nats: &NatsServer, window: Duration) -> Stream {
    let stream = stream(nats).await;
    let mut config = stream.cached_info().config.clone();
    config.duplicate_window = window;
    jetstream(nats).await.update_stream(config).await.expect("the window can be changed");
    stream
}

/// Waits until the last message of the stream is the event at this position.
pub(crate) async fn published(nats: &NatsServer, position: u64) -> Stream {
    published_in(nats, STREAM, position).await
}

/// The same of the stream of this name.
pub(crate) async fn published_in(nats: &NatsServer, name: &str, position: u64) -> Stream {
    let stream = stream_named(nats, name).await;
    let begun = Instant::now();
    loop {
        let last = stream.get_info().await.expect("the stream tells").state.last_sequence;
        let message = stream.get_raw_message(last).await;
        let at = message.ok().map_or(0, |message| {
            let position = message.headers.get("Encours-Position").map(HeaderValue::as_str);
            position.and_then(|position| position.parse().ok()).unwrap_or(0)
        });
        if at >= position {
            return stream;
        }
        assert!(begun.elapsed() < LIMIT, "the stream is at {at}, not at {position}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Every message that the stream holds, in its order.
pub(crate) async fn messages(stream: &Stream) -> Vec<Published> {
    let state = stream.get_info().await.expect("the stream tells").state;
    let mut messages = Vec::new();
    for sequence in state.first_sequence.max(1)..=state.last_sequence {
        let message = stream.get_raw_message(sequence).await.expect("no message is missing");
        messages.push(Published {
            subject: message.subject.to_string(),
            headers: message.headers,
            body: message.payload.to_vec(),
        });
    }
    messages
}

/// Checks that the stream holds each event from `first` to `last` once, in the order of the log.
pub(crate) async fn expect_events(stream: &Stream, first: u64, last: u64) {
    let positions: Vec<u64> = messages(stream).await.iter().map(Published::position).collect();
    let expected: Vec<u64> = (first..=last).collect();
    assert_eq!(positions, expected);
}

/// Customers of these numbers, one event each.
pub(crate) async fn customers(company: &Company, numbers: std::ops::Range<u32>) {
    for number in numbers {
        company.customer(&format!("c{number}"), "One").await;
    }
}

/// Stops a server off the async workers; it has to end well.
pub(crate) async fn stop(server: Server) {
    let stopped = tokio::task::spawn_blocking(move || server.stop()).await.unwrap();
    assert_eq!(stopped.ran.code, Some(0), "{}", stopped.ran);
}
