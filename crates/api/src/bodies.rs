//! The bodies of requests: how long one is waited for, and what those hold that have not come as a whole.
//!
//! WHY: the library waits without end for the rest of a message, keeps what came of it, and lets the
//! caller send on.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Version};
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};
use tonic::Status;
use tonic::body::Body;
use tower_layer::Layer;
use tower_service::Service;

use crate::connections::{Good, Held, Share};
use crate::failure::{Failure, OVERLOADED, REQUEST_TOO_SLOW};
use crate::server::MAX_REQUEST_BYTES;

/// How long a message may be waited for.
const MESSAGE_LIMIT: Duration = Duration::from_secs(30);
/// Methods that take messages one after another for as long as the caller likes.
const STREAMS: [&str; 3] = [
    "/encours.v1.BatchService/ExecuteStream",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];
/// Bytes before each message: whether it is compressed, and how long it is.
const PREFIX: usize = 5;
/// Bytes that the library has for each call anyhow.
const FIRST_BYTES: usize = 8 * 1024;
/// What a byte may become at most where it is compressed (deflate's limit).
const MOST_UNPACKED: usize = 1_032;

/// Bounds the bodies of requests.
/// WHY a layer of its own, within that of gRPC-Web: the caller is told why; from outside it would become
/// `INTERNAL`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyLayer;

impl<S> Layer<S> for BodyLayer {
    type Service = Bounded<S>;

    fn layer(&self, inner: S) -> Bounded<S> {
        Bounded { inner }
    }
}

/// The services behind the bounds.
#[derive(Clone, Debug)]
pub(crate) struct Bounded<S> {
    inner: S,
}

impl<S: Service<Request<Body>>> Service<Request<Body>> for Bounded<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> S::Future {
        // Over HTTP/1 there are no streams of requests: the whole body comes before the answer.
        let is_stream =
            STREAMS.contains(&request.uri().path()) && request.version() >= Version::HTTP_2;
        let share = Share::of(&request);
        let (good, messages) = if is_stream {
            (Good::Streams, Some(Messages::default()))
        } else {
            (Good::Messages, None)
        };
        let (held, wait) = (share.nothing(good), Wait::new());
        self.inner.call(request.map(|inner| Body::new(Limited { inner, messages, held, wait })))
    }
}

/// A body that is one message, which must have come as a whole in time, or many of them, each of which
/// must have once it has begun.
struct Limited {
    inner: Body,
    /// Where messages end, in a stream of them.
    messages: Option<Messages>,
    held: Held,
    wait: Wait,
}

impl Limited {
    /// Notes what has come.
    fn came(&mut self, data: &[u8]) -> Result<(), Failure> {
        let more = match &mut self.messages {
            None => data.len(),
            Some(messages) => {
                let (ended, longest) = messages.take(data);
                if ended {
                    self.wait = Wait::new();
                }
                // What the longest one took is kept until the call ends.
                longest.saturating_sub(FIRST_BYTES).saturating_sub(self.held.amount())
            }
        };
        if self.held.more(more) {
            return Ok(());
        }
        let message = "requests that have not come as a whole hold too much memory";
        Err(Failure::new(OVERLOADED, message).retry_after(MESSAGE_LIMIT))
    }
}

impl http_body::Body for Limited {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        if polled.is_pending() {
            let is_due = self.messages.as_ref().is_none_or(Messages::is_within);
            if is_due && self.wait.poll(cx).is_ready() {
                let failure = Failure::new(REQUEST_TOO_SLOW, "the request took too long");
                return Poll::Ready(Some(Err(failure.into())));
            }
            return Poll::Pending;
        }
        self.wait.pause();
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
            && let Err(failure) = self.came(data)
        {
            return Poll::Ready(Some(Err(failure.into())));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// How long a message is waited for yet.
///
/// WHY only while somebody waits: the caller can send no more than a window while nobody reads.
struct Wait {
    left: Duration,
    since: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl Wait {
    const fn new() -> Self {
        Self { left: MESSAGE_LIMIT, since: None }
    }

    /// Nothing has come; ready once nothing may come any more.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let left = self.left;
        let begun = || (Instant::now(), Box::pin(sleep(left)));
        let (_, end) = self.since.get_or_insert_with(begun);
        end.as_mut().poll(cx)
    }

    /// Something has come.
    fn pause(&mut self) {
        if let Some((since, _)) = self.since.take() {
            self.left = self.left.saturating_sub(since.elapsed());
        }
    }
}

/// Messages one after another, as their bytes come.
#[derive(Debug, Default)]
struct Messages {
    prefix: [u8; PREFIX],
    /// Bytes of the prefix that are there.
    have: usize,
    /// Bytes of the message that have come.
    come: usize,
}

impl Messages {
    /// Takes bytes: whether a message has ended within them, and what the longest may take in memory.
    fn take(&mut self, mut data: &[u8]) -> (bool, usize) {
        let (mut ended, mut longest) = (false, 0);
        while !data.is_empty() {
            if self.have < PREFIX {
                let (part, rest) = data.split_at(data.len().min(PREFIX - self.have));
                self.prefix[self.have..self.have + part.len()].copy_from_slice(part);
                self.have += part.len();
                data = rest;
            }
            let part = data.len().min(self.len() - self.come);
            self.come += part;
            data = &data[part..];
            longest = longest.max(self.memory());
            if self.have == PREFIX && self.come == self.len() {
                (self.have, self.come, ended) = (0, 0, true);
            }
        }
        (ended, longest)
    }

    /// Whether a message has begun and not ended.
    const fn is_within(&self) -> bool {
        self.have > 0
    }

    /// As the prefix says, once it is there.
    fn len(&self) -> usize {
        let [_, a, b, c, d] = self.prefix;
        if self.have < PREFIX { 0 } else { u32::from_be_bytes([a, b, c, d]) as usize }
    }

    fn memory(&self) -> usize {
        let is_compressed = self.prefix[0] != 0;
        let unpacked = self.come.saturating_mul(MOST_UNPACKED).min(MAX_REQUEST_BYTES);
        if is_compressed { self.come + unpacked } else { self.come }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;
    use http_body_util::{BodyExt as _, StreamBody};
    use tokio::sync::mpsc;
    use tokio_stream::wrappers::ReceiverStream;
    use tonic_types::StatusExt as _;

    use super::*;

    /// A body whose parts are sent by the test.
    fn limited(share: &std::sync::Arc<Share>, is_stream: bool) -> (mpsc::Sender<Bytes>, Limited) {
        let (to, parts) = mpsc::channel(8);
        let parts = ReceiverStream::new(parts).map(|part| Ok::<_, Status>(Frame::data(part)));
        let inner = Body::new(StreamBody::new(parts));
        let messages = is_stream.then(Messages::default);
        let good = if is_stream { Good::Streams } else { Good::Messages };
        (to, Limited { inner, messages, held: share.nothing(good), wait: Wait::new() })
    }

    /// The beginning of a message of `len` bytes, of which so many have come.
    fn message(flag: u8, len: u32, come: usize) -> Bytes {
        [&[flag], &len.to_be_bytes()[..], &vec![7; come]].concat().into()
    }

    async fn next(body: &mut Limited) -> Result<usize, String> {
        match body.frame().await.unwrap() {
            Ok(frame) => Ok(frame.into_data().unwrap().len()),
            Err(status) => Err(status.get_details_error_info().unwrap().reason),
        }
    }

    #[test]
    fn messages_end_where_their_prefix_says() {
        let all = [message(0, 3, 3), message(0, 0, 0), message(1, 10, 10), message(0, 9, 8)];
        let all = all.concat();
        for size in [1, 2, 4, 7, all.len()] {
            let (mut messages, mut ends, mut longest) = (Messages::default(), 0, 0);
            for part in all.chunks(size) {
                let (ended, most) = messages.take(part);
                ends += u32::from(ended);
                longest = longest.max(most);
            }
            assert!(messages.is_within() && messages.come == 8, "{size}: {messages:?}");
            assert!(ends == 3 || size > 1 && ends > 0, "{size}: {ends} parts with an end");
            assert_eq!(longest, 10 + 10 * MOST_UNPACKED, "{size}");
            assert!(messages.take(&[7]).0 && !messages.is_within(), "{size}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_has_begun_has_half_a_minute() {
        let share = std::sync::Arc::default();
        let (to, mut body) = limited(&share, true);
        // Between messages there is no end.
        let quiet = tokio::time::timeout(10 * MESSAGE_LIMIT, body.frame()).await;
        assert!(quiet.is_err());
        to.send(message(0, 9, 9)).await.unwrap();
        assert_eq!(next(&mut body).await, Ok(14));
        let quiet = tokio::time::timeout(10 * MESSAGE_LIMIT, body.frame()).await;
        assert!(quiet.is_err());
        // Within one there is, however it trickles; not while nobody reads.
        to.send(message(0, 9, 1)).await.unwrap();
        assert_eq!(next(&mut body).await, Ok(6));
        tokio::time::sleep(10 * MESSAGE_LIMIT).await;
        let trickle = tokio::spawn(async move {
            for _ in 0..5 {
                tokio::time::sleep(MESSAGE_LIMIT / 4).await;
                let _ = to.send(Bytes::from_static(&[7])).await;
            }
            to
        });
        for _ in 0..3 {
            assert_eq!(next(&mut body).await, Ok(1));
        }
        let begun = Instant::now();
        assert_eq!(next(&mut body).await, Err(REQUEST_TOO_SLOW.to_owned()));
        assert!(begun.elapsed() <= MESSAGE_LIMIT / 4);
        drop((trickle.await.unwrap(), body));
        // A body that is one message has no more, from its call on.
        let (to, mut body) = limited(&share, false);
        assert_eq!(next(&mut body).await, Err(REQUEST_TOO_SLOW.to_owned()));
        drop(to);
    }

    #[tokio::test]
    async fn what_a_stream_keeps_counts_until_it_ends() {
        let share = std::sync::Arc::default();
        let (to, mut body) = limited(&share, true);
        let send = async |bytes: Bytes, body: &mut Limited| {
            to.send(bytes).await.unwrap();
            next(body).await.unwrap();
        };
        // Short ones have their place with the call.
        for _ in 0..3 {
            send(message(0, 5_000, 5_000), &mut body).await;
        }
        assert_eq!(share.holds(Good::Streams), 0);
        send(message(0, 20_000, 15_000), &mut body).await;
        assert_eq!(share.holds(Good::Streams), 15_000 - FIRST_BYTES);
        send(vec![7; 5_000].into(), &mut body).await;
        // Others after it take what it took.
        send(message(0, 12_000, 12_000), &mut body).await;
        assert_eq!(share.holds(Good::Streams), 20_000 - FIRST_BYTES);
        // What is compressed may become long.
        send(message(1, 2_000, 2_000), &mut body).await;
        assert_eq!(share.holds(Good::Streams), MAX_REQUEST_BYTES + 2_000 - FIRST_BYTES);
        drop(body);
        assert_eq!(share.holds(Good::Streams), 0);
    }

    #[tokio::test]
    async fn bodies_beyond_what_a_connection_may_hold_are_refused() {
        let share = std::sync::Arc::default();
        let mut bodies = Vec::new();
        let refused = loop {
            let (to, mut body) = limited(&share, false);
            to.send(vec![7; 1 << 20].into()).await.unwrap();
            if let Err(reason) = next(&mut body).await {
                break reason;
            }
            bodies.push((to, body));
        };
        assert_eq!(refused, OVERLOADED);
        assert_eq!(share.holds(Good::Messages), bodies.len() << 20);
        assert!((32..128).contains(&bodies.len()), "{}", bodies.len());
        drop(bodies);
        assert_eq!(share.holds(Good::Messages), 0);
    }
}
