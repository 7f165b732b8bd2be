//! Frames as the stream sends them, in order, with a bounded number on their way.

use std::time::Duration;

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::pull::{Config, Stream};
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy};
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::time::timeout;

use super::link::Link;
use super::problem::{failed, unavailable};
use crate::error::LogError;
use crate::id::FrameNumber;

/// Bytes asked for at once. The client asks again once half of them have come, so that at most half
/// as much again is on its way: well below the 32 MB past which servers drop a reader as slow.
const ASK_BYTES: usize = 16 * 1024 * 1024;
/// Messages asked for at once; the smallest frames fill less than the bytes.
const ASK_MESSAGES: usize = 4096;
/// How long a request for messages lasts.
const ASK_LASTS: Duration = Duration::from_secs(30);
/// How often the server says that it is still there while nothing comes.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// When the server forgets a reader that is gone.
const FORGET: Duration = Duration::from_secs(30);

/// A message of the stream.
pub(super) struct Pulled {
    pub(super) sequence: u64,
    /// Whether there was none after it when it was sent.
    pub(super) is_last: bool,
    pub(super) message: Message,
}

/// A reader of one stream from one sequence on. It ends with the first trouble; a new one begins
/// where it stood.
pub(super) struct Feed {
    link: Link,
    /// The stream that is read, and the consumer there.
    from: String,
    consumer: String,
    stream: Stream,
}

impl Feed {
    pub(super) async fn open(
        link: &Link,
        stream: &str,
        from: FrameNumber,
    ) -> Result<Self, LogError> {
        let doing = format!("reading stream {stream} from message {from}");
        let config = Config {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: from.0 },
            ack_policy: AckPolicy::None,
            memory_storage: true,
            num_replicas: 1,
            inactive_threshold: FORGET,
            ..Config::default()
        };
        let context = &link.shared.context;
        let opened = async {
            let consumer = context.create_consumer_on_stream(config, stream).await;
            let consumer = consumer.map_err(|error| failed(link, &doing, stream, &error))?;
            let messages = consumer
                .stream()
                .max_messages_per_batch(ASK_MESSAGES)
                .max_bytes_per_batch(ASK_BYTES)
                .expires(ASK_LASTS)
                .heartbeat(HEARTBEAT);
            let messages = messages.messages().await;
            let messages = messages.map_err(|error| unavailable(&doing, error))?;
            Ok((consumer.cached_info().name.clone(), messages))
        };
        let (consumer, messages) = link.ask(&doing, opened).await?;
        link.found(stream);
        Ok(Self { link: link.clone(), from: stream.to_owned(), consumer, stream: messages })
    }

    /// The next message; `None` where none comes within `patience`.
    pub(super) async fn next(&mut self, patience: Duration) -> Result<Option<Pulled>, LogError> {
        let next = if patience.is_zero() {
            self.stream.next().now_or_never()
        } else {
            timeout(patience, self.stream.next()).await.ok()
        };
        let doing = &format!("reading stream {}", self.from);
        match next {
            None => Ok(None),
            Some(None) => Err(unavailable(doing, "the server has ended it")),
            Some(Some(Err(error))) => Err(unavailable(doing, error)),
            Some(Some(Ok(message))) => {
                let info = message.info().map(|info| (info.stream_sequence, info.pending == 0));
                let (sequence, is_last) = info.map_err(|error| unavailable(doing, error))?;
                Ok(Some(Pulled { sequence, is_last, message }))
            }
        }
    }
}

impl Drop for Feed {
    /// Has the consumer deleted, without waiting for it.
    ///
    /// WHY: the server keeps a consumer for a while that nobody reads, and a limit of consumers is
    /// soon reached where one is made anew after each trouble. Where this fails, it goes by itself.
    fn drop(&mut self) {
        if !self.link.is_connected() {
            return;
        }
        let (from, consumer) = (std::mem::take(&mut self.from), std::mem::take(&mut self.consumer));
        let link = self.link.clone();
        let parting = async move {
            // It has the limit of every request.
            let context = &link.shared.context;
            if let Err(error) = context.delete_consumer_from_stream(&consumer, &from).await {
                tracing::debug!(%error, stream = from, consumer, "it goes by itself");
            }
        };
        self.link.runtime().spawn(parting);
    }
}
