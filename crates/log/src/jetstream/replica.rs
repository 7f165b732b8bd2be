//! The verified local copy of a log stream.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::bucket::Bucket;
use super::keys::{TakeKeys, keys_of};
use super::link::Link;
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

/// Bytes of frames after which one pull ends, so that the caller gets to its other work.
const PULL_BYTES: usize = 8 * 1024 * 1024;
/// How long a frame that was left out is waited for when it is fetched again.
pub(super) const REFETCH: Duration = Duration::from_secs(2);
/// How long catching up goes on without a frame.
const STALLED: Duration = Duration::from_secs(10);
/// How often the stream is looked at while nothing comes.
const CHECK: Duration = Duration::from_secs(5);

/// Where the copy is while nobody writes it.
pub(super) type Home = Arc<Mutex<Option<Journal>>>;

/// The verified local copy of a log stream: a journal in a folder of this node.
///
/// A frame comes into it only once the stream has it, in order, checked, and synced. All calls block
/// and belong on one plain thread.
pub struct Replica {
    pub(super) link: Link,
    pub(super) stream: String,
    pub(super) log_id: LogId,
    pub(super) reader: Arc<dyn LogReader>,
    home: Home,
    feed: Option<Feed>,
    /// Up to which sequence of the keys stream the keys were taken in.
    pub(super) keys_have: u64,
    /// Frames that others on this node have seen and that have not come yet.
    pub(super) known: Vec<Known>,
    pub(super) short: Short,
    pub(super) short_keys: Short,
    /// Since when the message at the copy's tail cannot be read, and one of the keys stream.
    pub(super) unread: Short,
    pub(super) unread_keys: Short,
    checked: Duration,
    /// Whether this is a node, which makes what is missing beside the log.
    makes: bool,
}

impl Replica {
    /// Makes or checks the streams, opens the copy in `dir`, made where there is none, and holds the
    /// one against the other. `options.create` is the id for a log whose streams are missing.
    ///
    /// # Errors
    /// [`LogError::StreamDiverged`] where the stream ends before the copy or the mark, or holds another
    /// frame there; [`LogError::WrongLog`] where the copy is of another log; what [`Link::stream`] and
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
        let makes = options.create.is_some();
        if makes {
            link.block(link.open_bucket(Bucket::Marks))?;
        }
        let (mark, _) = link.block(link.find_mark(makes))?;
        let is_new = !has_copy && options.known.is_empty() && mark.is_none();
        let stream = link.options().log.log_stream();
        let facts = match (link.stream(options.create.filter(|_| is_new)), &mark) {
            (Err(LogError::StreamConfig { .. }), Some(mark))
                if !link.block(link.has_stream(&stream))? =>
            {
                return Err(mark.differs(&stream, "nothing: it is missing"));
            }
            (facts, _) => facts?,
        };
        // WHY before the copy is made: it would be one of the wrong log.
        if let Some(mark) = &mark {
            mark.check_log(facts.log_id, &stream)?;
        }
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
            unread: Short::new(replicas),
            unread_keys: Short::new(replicas),
            makes,
        };
        replica.expect_mark(makes)?;
        replica.compare(facts)?;
        replica.meet_known()?;
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
        self.expect_mark(self.makes)?;
        let facts = self.link.stream(None)?;
        let facts = self.compare(facts)?;
        self.meet_known()?;
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
    /// refuses. What others on this node and the mark have seen must have come.
    ///
    /// # Errors
    /// [`LogError::Options`] where there is one already; [`LogError::Unavailable`].
    pub fn writer(&self) -> Result<JetStreamLog, LogError> {
        if let Some(known) = self.known.first() {
            let (doing, tail) =
                (format!("leading log {}", self.link.options().log), self.reader.tail());
            let why = format!(
                "the copy ends at frame {}, {} has {}",
                tail.number, known.source, known.number
            );
            return Err(unavailable(&doing, why));
        }
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
