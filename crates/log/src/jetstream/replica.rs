//! The verified local copy of a log stream.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::HeaderMap;
use futures_util::StreamExt as _;
use tokio::time::sleep;

use super::link::{LOOK_AGAIN, Link, StreamFacts};
use super::log::JetStreamLog;
use super::problem::unavailable;
use super::pull::{Feed, Pulled};
use super::short::Short;
use crate::chain::Tail;
use crate::disk::Disk;
use crate::error::{Damage, LogError};
use crate::event_log::{AppendOutcome, EventLog as _, Known, LogReader};
use crate::frame::Frame;
use crate::id::{FrameNumber, LogId};
use crate::journal::{Anchor, Journal, JournalOptions};

/// The header that says up to which sequence of the keys stream a frame's keys are to be found.
pub(super) const KEYS_HEADER: &str = "Encours-Keys";
/// Bytes of frames after which one pull ends, so that the caller gets to its other work.
const PULL_BYTES: usize = 8 * 1024 * 1024;
/// Messages of the keys stream from which on they are not asked for one by one.
const KEYS_FED: u64 = 256;
/// Messages of the keys stream that are asked for at once.
const KEYS_ASKED: usize = 16;
/// How long a frame that was left out is waited for when it is fetched again.
const REFETCH: Duration = Duration::from_secs(2);
/// How long catching up goes on without a frame.
const STALLED: Duration = Duration::from_secs(10);
/// How often the stream is looked at while nothing comes.
const CHECK: Duration = Duration::from_secs(5);

/// What takes in the records of the keys stream: each body in order, from the first at each start.
pub type TakeKeys<'a> = &'a mut dyn FnMut(&[u8]) -> Result<(), LogError>;

/// Where the copy is while nobody writes it.
pub(super) type Home = Arc<Mutex<Option<Journal>>>;

/// The verified local copy of a log stream: a journal in a folder of this node.
///
/// A frame comes into it only once the stream has it, in order, checked, and synced. All calls block
/// and belong on one plain thread.
pub struct Replica {
    link: Link,
    stream: String,
    log_id: LogId,
    reader: Arc<dyn LogReader>,
    home: Home,
    feed: Option<Feed>,
    /// Up to which sequence of the keys stream the keys were taken in.
    keys_have: u64,
    /// Frames that others on this node have seen and that have not come yet.
    known: Vec<Known>,
    short: Short,
    short_keys: Short,
    checked: Duration,
}

impl Replica {
    /// Makes or checks the streams, opens the copy in `dir`, made where there is none, and holds the
    /// one against the other. `options.create` is the id for a log whose streams are missing.
    ///
    /// # Errors
    /// [`LogError::StreamDiverged`] where the stream ends before the copy or holds another frame at
    /// its end; [`LogError::WrongLog`] where the copy is of another log; what [`Link::stream`] and
    /// [`Journal::open`] give.
    pub fn open(
        link: Link,
        disk: Arc<dyn Disk>,
        dir: &Path,
        mut options: JournalOptions,
    ) -> Result<Self, LogError> {
        // WHY: where this node has seen the log before, a stream that is missing was lost, and a new
        // one in its place would hide that.
        let has_copy = disk.exists(dir).map_err(LogError::io("look for", dir))?
            && Anchor::load(&*disk, dir)?.is_some();
        let is_new = !has_copy && options.known.is_empty();
        let facts = link.stream(options.create.filter(|_| is_new))?;
        let stream = link.options().log.log_stream();
        if let Some(expected) = options.expect.filter(|expected| *expected != facts.log_id) {
            let (file, found) = (format!("stream {stream}"), facts.log_id);
            return Err(LogError::WrongLog { file, found, expected });
        }
        // WHY: a copy that was lost, or lags behind a snapshot, comes back from the stream. So what
        // others have seen is looked for as frames come.
        let known = std::mem::take(&mut options.known);
        options.create = Some(facts.log_id);
        options.expect = Some(facts.log_id);
        let (journal, _) = Journal::open(disk, dir, options)?;
        let replicas = link.options().replicas;
        let mut replica = Self {
            checked: link.now(),
            link,
            stream,
            log_id: facts.log_id,
            reader: journal.reader(),
            home: Arc::new(Mutex::new(Some(journal))),
            feed: None,
            keys_have: 0,
            known,
            short: Short::new(replicas),
            short_keys: Short::new(replicas),
        };
        replica.meet_known()?;
        replica.compare(facts)?;
        Ok(replica)
    }

    /// A reading end of the copy, which lives as long as it likes.
    #[must_use]
    pub fn reader(&self) -> Arc<dyn LogReader> {
        Arc::clone(&self.reader)
    }

    /// The log.
    #[must_use]
    pub const fn log_id(&self) -> LogId {
        self.log_id
    }

    /// Brings in what comes, waiting up to `patience` for the first frame; some megabytes at most.
    /// Keys come before the frames that rest on them. Gives the copy's tail.
    ///
    /// # Errors
    /// [`LogError::Unavailable`], after which the next call goes on where this one stood;
    /// [`LogError::StreamDiverged`] for a frame that is missing, [`LogError::Corrupt`] for a message
    /// that is no frame or does not follow; [`LogError::StreamConfig`] for a stream that is gone;
    /// what `keys` gives; [`LogError::Options`] while a writer has the copy.
    pub fn pull(&mut self, patience: Duration, keys: TakeKeys<'_>) -> Result<Tail, LogError> {
        let home = Arc::clone(&self.home);
        let mut home = lock(&home);
        let journal = home.as_mut().ok_or(BUSY)?;
        let before = journal.tail();
        let pulled = self.bring(journal, patience, keys);
        if pulled.is_err() {
            self.feed = None;
        }
        let tail = journal.tail();
        if tail == before && self.link.now().saturating_sub(self.checked) >= CHECK {
            self.checked = self.link.now();
            let facts = self.link.stream_now(None)?;
            self.is_long_enough(&facts)?;
        }
        pulled.map(|()| tail)
    }

    /// Pulls until the copy is at the stream's end, as its leader tells it when this is called, with
    /// all keys.
    ///
    /// # Errors
    /// As [`pull`](Self::pull); [`LogError::Unavailable`] where nothing comes for ten seconds.
    pub fn catch_up(&mut self, keys: TakeKeys<'_>) -> Result<Tail, LogError> {
        if lock(&self.home).is_none() {
            return Err(BUSY);
        }
        let facts = self.link.stream(None)?;
        let facts = self.compare(facts)?;
        let mut tail = self.reader.tail();
        let mut moved = self.link.now();
        while tail.number < facts.last {
            match self.pull(Duration::from_secs(1), keys) {
                Ok(now) if now.number > tail.number => {
                    (tail, moved) = (now, self.link.now());
                }
                Err(error) if !error.is_unavailable() => return Err(error),
                outcome if self.link.now().saturating_sub(moved) < STALLED => {
                    if outcome.is_err() {
                        std::thread::sleep(Duration::from_millis(100));
                    }
                }
                outcome => {
                    let doing = format!("catching up with stream {}", self.stream);
                    let why =
                        format!("nothing comes after frame {} of {}", tail.number, facts.last);
                    return Err(outcome.err().unwrap_or(unavailable(&doing, why)));
                }
            }
        }
        self.take_keys(facts.keys_last, keys)?;
        Ok(tail)
    }

    /// The writing end. The copy must be at the stream's end ([`catch_up`](Self::catch_up)); a frame
    /// that came since only makes the first append fail. While it lives, [`pull`](Self::pull)
    /// refuses.
    ///
    /// # Errors
    /// [`LogError::Options`] where there is one already; [`LogError::Unavailable`].
    pub fn writer(&self) -> Result<JetStreamLog, LogError> {
        let facts = self.link.stream(None)?;
        let journal = lock(&self.home).take().ok_or(BUSY)?;
        let home = Arc::clone(&self.home);
        Ok(JetStreamLog::new(self.link.clone(), home, journal, facts, self.keys_have))
    }
}

const BUSY: LogError = LogError::Options("the log is open for writing on this node");

pub(super) fn lock(home: &Home) -> MutexGuard<'_, Option<Journal>> {
    home.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Replica {
    /// Holds the streams' ends, as just told, against what this node has seen. A stream that seems
    /// too short is looked at again for a while.
    fn compare(&mut self, mut facts: StreamFacts) -> Result<StreamFacts, LogError> {
        loop {
            let long_enough = self.is_long_enough(&facts)?;
            if long_enough && self.has_tail()? {
                return Ok(facts);
            }
            if long_enough {
                // Its end is told, but not there to be read.
                let tail = self.reader.tail().number;
                self.too_short(tail, FrameNumber(tail.0.saturating_sub(1)), "the local copy")?;
            }
            self.link.block(async { sleep(LOOK_AGAIN).await });
            facts = self.link.stream(None)?;
        }
    }

    /// Whether the streams reach as far as this node has seen.
    ///
    /// # Errors
    /// [`LogError::StreamDiverged`] where they have not for a while.
    fn is_long_enough(&mut self, facts: &StreamFacts) -> Result<bool, LogError> {
        let tail = self.reader.tail().number;
        let known = self.known.iter().max_by_key(|known| known.number);
        let (wanted, who) = match known {
            Some(known) if known.number > tail => (known.number, known.source.clone()),
            _ => (tail, "the local copy".to_owned()),
        };
        if facts.last < wanted {
            self.too_short(wanted, facts.last, &who)?;
            return Ok(false);
        }
        self.short.forget();
        let (have, last) = (FrameNumber(self.keys_have), FrameNumber(facts.keys_last));
        if last < have {
            let stream = self.link.options().log.keys_stream();
            self.short_keys.seen(self.link.now(), &stream, last, have, "this node")?;
            return Ok(false);
        }
        self.short_keys.forget();
        Ok(true)
    }

    fn too_short(
        &mut self,
        wanted: FrameNumber,
        last: FrameNumber,
        who: &str,
    ) -> Result<(), LogError> {
        self.short.seen(self.link.now(), &self.stream, last, wanted, who)
    }

    /// Whether the stream has the frame at the copy's tail.
    fn has_tail(&self) -> Result<bool, LogError> {
        let tail = self.reader.tail();
        if tail.number == FrameNumber::START {
            return Ok(true);
        }
        let message = self.link.block(self.link.message(&self.stream, tail.number.0))?;
        let Some(message) = message else { return Ok(false) };
        let frame = Frame::decode(message.payload.as_ref());
        if frame.is_ok_and(|frame| frame.hash() == tail.hash) {
            return Ok(true);
        }
        Err(LogError::StreamDiverged {
            stream: self.stream.clone(),
            found: format!("another message {}", tail.number),
            known: "the local copy".to_owned(),
            wanted: tail.number,
        })
    }

    fn bring(
        &mut self,
        journal: &mut Journal,
        patience: Duration,
        keys: TakeKeys<'_>,
    ) -> Result<(), LogError> {
        let mut wait = patience;
        let mut bytes = 0;
        while bytes < PULL_BYTES {
            let Some(pulled) = self.next(journal.tail().number.next(), wait)? else { break };
            bytes += pulled.message.payload.len();
            let frame = self.frame(&journal.tail(), &pulled)?;
            self.take_keys(keys_of(pulled.message.headers.as_ref()), keys)?;
            store(journal, frame)?;
            self.meet_known()?;
            wait = Duration::ZERO;
        }
        Ok(())
    }

    /// The message of frame `wanted`, where it comes in time.
    fn next(&mut self, wanted: FrameNumber, wait: Duration) -> Result<Option<Pulled>, LogError> {
        let mut refetched = false;
        loop {
            let mut feed = match self.feed.take() {
                Some(feed) => feed,
                None => self.link.block(Feed::open(&self.link, &self.stream, wanted))?,
            };
            let wait = if refetched { wait.max(REFETCH) } else { wait };
            let Some(pulled) = self.link.block(feed.next(wait))? else {
                self.feed = Some(feed);
                return Ok(None);
            };
            if pulled.sequence <= wanted.0 {
                self.feed = Some(feed);
                if pulled.sequence == wanted.0 {
                    return Ok(Some(pulled));
                }
                // A repeat.
                continue;
            }
            self.link.shared.counters.gaps.fetch_add(1, Ordering::Relaxed);
            tracing::error!(stream = self.stream, frame = %wanted, found = pulled.sequence, "gap");
            if refetched {
                return Err(LogError::StreamDiverged {
                    stream: self.stream.clone(),
                    found: format!("message {} where it belongs", pulled.sequence),
                    known: "the log".to_owned(),
                    wanted,
                });
            }
            refetched = true;
        }
    }

    fn frame(&self, tail: &Tail, pulled: &Pulled) -> Result<Frame, LogError> {
        let frame = Frame::decode(pulled.message.payload.as_ref())
            .map_err(|error| foreign(&self.stream, tail, error.into()))?;
        tail.follow(self.log_id, frame.header())
            .map_err(|error| foreign(&self.stream, tail, error.into()))?;
        Ok(frame)
    }

    /// Takes in the keys up to this sequence of the keys stream. A message that is missing was
    /// deleted: its key is erased.
    fn take_keys(&mut self, upto: u64, keys: TakeKeys<'_>) -> Result<(), LogError> {
        if self.keys_have >= upto {
            return Ok(());
        }
        let stream = self.link.options().log.keys_stream();
        if upto - self.keys_have >= KEYS_FED {
            self.feed_keys(&stream, upto, keys)?;
        }
        self.ask_keys(&stream, upto, keys)?;
        self.short_keys.forget();
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
        while let Some((sequence, message)) = link.block(bodies.next()) {
            match message? {
                Some(message) => keys(message.payload.as_ref())?,
                None => self.was_deleted(stream, sequence)?,
            }
            self.keys_have = sequence;
        }
        Ok(())
    }

    /// Whether a message that the keys stream does not have was there once.
    fn was_deleted(&mut self, stream: &str, sequence: u64) -> Result<(), LogError> {
        let info = self.link.block(self.link.info(stream))?;
        let last = info.ok_or_else(|| self.link.missing(stream))?.state.last_sequence;
        if last >= sequence {
            return Ok(());
        }
        let (last, wanted) = (FrameNumber(last), FrameNumber(sequence));
        self.short_keys.seen(self.link.now(), stream, last, wanted, "a frame that rests on it")?;
        let why = format!("it ends at message {last}, and a frame rests on {wanted}");
        Err(unavailable(&format!("stream {stream}"), why))
    }

    /// Holds the frames that others have seen against those that are there now.
    fn meet_known(&mut self) -> Result<(), LogError> {
        let tail = self.reader.tail().number;
        while let Some(at) = self.known.iter().position(|known| known.number <= tail) {
            let known = self.known.swap_remove(at);
            if known.number == FrameNumber::START {
                continue;
            }
            let stored = self.reader.read(known.number)?;
            if stored.is_none_or(|stored| stored.hash() != known.hash) {
                return Err(LogError::Diverged { known: known.source, frame: known.number });
            }
        }
        Ok(())
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        if let Some(mut journal) = lock(&self.home).take()
            && let Err(error) = journal.close()
        {
            tracing::warn!(code = error.code(), %error, "the local copy was not anchored");
        }
    }
}

/// A message that is no frame, or not the next one.
pub(super) fn foreign(stream: &str, tail: &Tail, source: Damage) -> LogError {
    LogError::Corrupt {
        file: format!("message {} of stream {stream}", tail.number.next()),
        offset: 0,
        frame: tail.number.next(),
        position: tail.next_position,
        source,
    }
}

/// Appends a frame that the stream has to the copy.
///
/// # Errors
/// [`LogError`] of the copy. The frame is durable all the same.
pub(super) fn store(journal: &mut Journal, frame: Frame) -> Result<(), LogError> {
    let number = frame.header().number;
    journal.submit(frame);
    match journal.settle() {
        Some((_, AppendOutcome::Committed)) => journal.maintain().or_else(|error| {
            // It is asked for again when it is needed.
            if error.is_fatal() { Err(error) } else { Ok(()) }
        }),
        Some((_, AppendOutcome::Rejected(error) | AppendOutcome::Unknown(error))) => Err(error),
        Some((_, AppendOutcome::Fenced { .. })) | None => {
            Err(LogError::NoSegment { frame: number })
        }
    }
}

fn keys_of(headers: Option<&HeaderMap>) -> u64 {
    let text = headers.and_then(|headers| headers.get(KEYS_HEADER));
    text.and_then(|text| text.as_str().parse().ok()).unwrap_or(0)
}
