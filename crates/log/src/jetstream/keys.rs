//! Taking keys in, before the frames that rest on them.

use async_nats::HeaderMap;
use async_nats::jetstream::message::StreamMessage;
use futures_util::StreamExt as _;
use tokio::time::sleep;

use super::detail::Deleted;
use super::link::LOOK_AGAIN;
use super::problem::unavailable;
use super::pull::Feed;
use super::replica::{REFETCH, Replica};
use crate::error::LogError;
use crate::id::FrameNumber;

/// The header that says up to which sequence of the keys stream a frame's keys are to be found.
pub(super) const KEYS_HEADER: &str = "Encours-Keys";
/// Messages of the keys stream from which on they are not asked for one by one.
const KEYS_FED: u64 = 256;
/// Messages of the keys stream that are asked for at once.
const KEYS_ASKED: usize = 16;

/// What takes in the records of the keys stream: each body in order, from the first at each start.
pub type TakeKeys<'a> = &'a mut dyn FnMut(&[u8]) -> Result<(), LogError>;

impl Replica {
    /// Takes in the keys up to this sequence of the keys stream. The key of a message is erased where
    /// the stream says that it was deleted.
    pub(super) fn take_keys(&mut self, upto: u64, keys: TakeKeys<'_>) -> Result<(), LogError> {
        if self.keys_have >= upto {
            return Ok(());
        }
        let stream = self.link.options().log.keys_stream();
        if upto - self.keys_have >= KEYS_FED {
            self.feed_keys(&stream, upto, keys)?;
        }
        self.ask_keys(&stream, upto, keys)?;
        self.short_keys.forget();
        self.unread_keys.forget();
        Ok(())
    }

    /// Takes in keys as the stream sends them: all, or those before the first trouble.
    fn feed_keys(&mut self, stream: &str, upto: u64, keys: TakeKeys<'_>) -> Result<(), LogError> {
        let from = FrameNumber(self.keys_have + 1);
        let mut feed = match self.link.block(Feed::open(&self.link, stream, from)) {
            Ok(feed) => feed,
            Err(error) => {
                // As where the user may not: it takes longer.
                tracing::warn!(%error, "the keys are asked for one by one, which takes long");
                return Ok(());
            }
        };
        while self.keys_have < upto {
            let Some(pulled) = self.link.block(feed.next(REFETCH))? else { break };
            if pulled.sequence <= self.keys_have {
                continue;
            }
            // WHY asked for: what is left out may also have got lost on its way, and a key that is
            // taken for an erased one is lost for good.
            self.ask_keys(stream, upto.min(pulled.sequence - 1), keys)?;
            if pulled.sequence <= upto {
                keys(pulled.message.payload.as_ref())?;
                self.keys_have = pulled.sequence;
            }
            if pulled.is_last {
                break;
            }
        }
        Ok(())
    }

    /// Takes in keys one by one.
    fn ask_keys(&mut self, stream: &str, upto: u64, keys: TakeKeys<'_>) -> Result<(), LogError> {
        let link = self.link.clone();
        let ask = |sequence| {
            let link = &link;
            async move { (sequence, link.message(stream, sequence).await) }
        };
        let sequences = futures_util::stream::iter(self.keys_have + 1..=upto);
        let mut bodies = std::pin::pin!(sequences.map(ask).buffered(KEYS_ASKED));
        let mut deleted = Deleted::default();
        while let Some((sequence, message)) = link.block(bodies.next()) {
            let message = match message? {
                Some(message) => Some(message),
                None => self.missing_keys(stream, sequence, &mut deleted)?,
            };
            if let Some(message) = message {
                keys(message.payload.as_ref())?;
            }
            self.keys_have = sequence;
        }
        Ok(())
    }

    /// A message that the keys stream did not give: `None` where it was deleted.
    ///
    /// WHY the stream has to say so: it answers for a message that it cannot read, from a damaged file,
    /// as for one that was deleted. Keys that are taken for erased ones are lost for good.
    fn missing_keys(
        &mut self,
        stream: &str,
        sequence: u64,
        deleted: &mut Deleted,
    ) -> Result<Option<StreamMessage>, LogError> {
        let link = self.link.clone();
        while !deleted.has(sequence) {
            let told = link.block(link.deleted(stream))?;
            *deleted = told.ok_or_else(|| link.missing(stream))?;
            if deleted.last < sequence {
                return Err(self.keys_end(stream, deleted.last, sequence));
            }
            if deleted.has(sequence) {
                break;
            }
            if let Some(message) = link.block(link.message(stream, sequence))? {
                self.unread_keys.forget();
                return Ok(Some(message));
            }
            let (now, wanted) = (link.now(), FrameNumber(sequence));
            self.unread_keys.unread(now, stream, wanted, "its own list of messages")?;
            link.block(async { sleep(LOOK_AGAIN).await });
        }
        self.unread_keys.forget();
        Ok(None)
    }

    /// The keys stream ends before keys that a frame rests on.
    fn keys_end(&mut self, stream: &str, last: u64, sequence: u64) -> LogError {
        let (last, wanted) = (FrameNumber(last), FrameNumber(sequence));
        let who = "a frame that rests on it";
        if let Err(lost) = self.short_keys.seen(self.link.now(), stream, last, wanted, who) {
            return lost;
        }
        let why = format!("it ends at message {last}, and a frame rests on {wanted}");
        unavailable(&format!("stream {stream}"), why)
    }
}

/// Up to which sequence of the keys stream the keys of a frame are to be found.
pub(super) fn keys_of(headers: Option<&HeaderMap>) -> u64 {
    let text = headers.and_then(|headers| headers.get(KEYS_HEADER));
    text.and_then(|text| text.as_str().parse().ok()).unwrap_or(0)
}
