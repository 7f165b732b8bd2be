//! The streams of a log, as their leaders tell of them.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{Config, Info, RawMessageErrorKind};
use tokio::time::sleep;

use super::config::{LOG_ID_ENTRY, drift, keys_stream, log_stream};
use super::link::{LOOK_AGAIN, Link};
use super::problem::{failed, gone, is_missing, unavailable};
use super::short::patience;
use crate::error::LogError;
use crate::id::{FrameNumber, LogId};

/// What the streams of a log say of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamFacts {
    /// The log.
    pub log_id: LogId,
    /// The last frame.
    pub last: FrameNumber,
    /// Bytes stored.
    pub bytes: u64,
    /// The most bytes there may be.
    pub max_bytes: u64,
    /// The last sequence of the keys stream; 0: no keys were ever shared.
    pub keys_last: u64,
}

impl Link {
    /// The streams of the log, held against what they have to be; made where they are missing and
    /// `create` gives the id of a new log. A stream that is missing is looked for again for a while.
    ///
    /// # Errors
    /// [`LogError::StreamConfig`] where a stream is missing or differs, naming each setting;
    /// [`LogError::StreamDiverged`] where frames are missing; [`LogError::Unavailable`],
    /// [`LogError::Denied`].
    pub fn stream(&self, create: Option<LogId>) -> Result<StreamFacts, LogError> {
        let begun = self.now();
        loop {
            let told = self.stream_now(create);
            let is_passing = told.as_ref().is_err_and(LogError::is_unavailable);
            let lasts = self.now().saturating_sub(begun) > patience(self.options().replicas);
            if !is_passing || lasts || self.missing_streams().is_empty() {
                return told;
            }
            self.block(async { sleep(LOOK_AGAIN).await });
        }
    }

    /// As [`stream`](Self::stream), looking once: for what is missing, [`LogError::Unavailable`] until
    /// that has lasted.
    pub(super) fn stream_now(&self, create: Option<LogId>) -> Result<StreamFacts, LogError> {
        self.check_server()?;
        self.block(self.open_streams(create))
    }

    fn missing_streams(&self) -> MutexGuard<'_, BTreeMap<String, Duration>> {
        self.shared.missing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it means that the servers do not know this stream: that it is gone, once it has lasted.
    pub(super) fn missing(&self, stream: &str) -> LogError {
        let now = self.now();
        let since = *self.missing_streams().entry(stream.to_owned()).or_insert(now);
        if now.saturating_sub(since) >= patience(self.options().replicas) {
            return gone(stream);
        }
        let doing = format!("stream {stream}");
        unavailable(&doing, "the servers do not know it, though they may again")
    }

    /// The servers know this stream.
    pub(super) fn found(&self, stream: &str) {
        self.missing_streams().remove(stream);
    }

    /// What the stream's leader says of it; `None` where there is no such stream.
    pub(super) async fn info(&self, stream: &str) -> Result<Option<Info>, LogError> {
        let doing = format!("stream {stream}");
        let request = async {
            match self.shared.context.get_stream(stream).await {
                Ok(found) => {
                    self.found(stream);
                    Ok(Some(found.cached_info().clone()))
                }
                Err(error) if is_missing(&error) => Ok(None),
                Err(error) => Err(failed(self, &doing, stream, &error)),
            }
        };
        self.ask(&doing, request).await
    }

    /// Whether there is such a stream.
    pub(super) async fn has_stream(&self, stream: &str) -> Result<bool, LogError> {
        Ok(self.info(stream).await?.is_some())
    }

    /// One message, as the stream's leader has it; `None` where there is none of this sequence.
    pub(super) async fn message(
        &self,
        stream: &str,
        sequence: u64,
    ) -> Result<Option<StreamMessage>, LogError> {
        let doing = format!("reading message {sequence} of stream {stream}");
        let request = async {
            let handle = self.shared.context.get_stream_no_info(stream).await;
            let handle = handle.map_err(|error| unavailable(&doing, error))?;
            let message = match handle.get_raw_message(sequence).await {
                Ok(message) => Some(message),
                Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => None,
                Err(error) => return Err(failed(self, &doing, stream, &error)),
            };
            self.found(stream);
            Ok(message)
        };
        self.ask(&doing, request).await
    }

    async fn open_streams(&self, create: Option<LogId>) -> Result<StreamFacts, LogError> {
        let options = self.options();
        let log = self.open_stream(&log_stream(options, create), create.is_some()).await?;
        // WHY only beside an empty log: the frames of another one rest on keys that are gone.
        let create = create.is_some() && log.state.last_sequence == 0;
        let keys = self.open_stream(&keys_stream(options), create).await?;
        facts_of_log(&log, keys.state.last_sequence)
    }

    /// Has something made, and tries again for a while where the servers cannot make it now.
    ///
    /// WHY: servers that have just started, or lost a connection between them, take each other for
    /// offline for a moment.
    pub(super) async fn make(
        &self,
        doing: &str,
        request: impl AsyncFn() -> Result<(), LogError>,
    ) -> Result<(), LogError> {
        let begun = self.now();
        let mut is_told = false;
        loop {
            let made = self.ask(doing, request()).await;
            let lasts = self.now().saturating_sub(begun) > patience(self.options().replicas);
            match made {
                Err(error @ LogError::Unavailable { .. }) if !lasts => {
                    if !mem::replace(&mut is_told, true) {
                        tracing::warn!(%error, "it is tried again for a while");
                    }
                    sleep(LOOK_AGAIN).await;
                }
                made => return made,
            }
        }
    }

    /// The stream as it is, made where it is missing. What was made is read back, so that of two
    /// nodes that make it at once both go on with the one that there is.
    async fn open_stream(&self, wanted: &Config, create: bool) -> Result<Info, LogError> {
        let name = &wanted.name;
        let mut info = self.info(name).await?;
        if info.is_none() && create {
            let doing = format!("making stream {name}");
            let made = self
                .make(&doing, async || {
                    let made = self.shared.context.create_stream(wanted).await;
                    made.map(|_| ()).map_err(|error| failed(self, &doing, name, &error))
                })
                .await;
            info = self.info(name).await?;
            match &info {
                Some(_) if made.is_ok() => tracing::info!(stream = name, "stream made"),
                Some(_) => {}
                None => made?,
            }
        }
        let info = info.ok_or_else(|| self.missing(name))?;
        check_settings(&info.config, wanted)?;
        Ok(info)
    }
}

/// # Errors
/// [`LogError::StreamConfig`] with each setting that differs.
pub(super) fn check_settings(there: &Config, wanted: &Config) -> Result<(), LogError> {
    let drift = drift(there, wanted);
    if drift.is_empty() {
        return Ok(());
    }
    let why = format!("its settings differ: {}", drift.join("; "));
    Err(LogError::StreamConfig { stream: wanted.name.clone(), why })
}

/// What the log stream says of itself.
///
/// # Errors
/// [`LogError::StreamDiverged`] where messages are missing, [`LogError::StreamConfig`] where it does
/// not say which log it holds.
pub(super) fn facts_of_log(log: &Info, keys_last: u64) -> Result<StreamFacts, LogError> {
    let (state, config) = (&log.state, &log.config);
    if state.messages != state.last_sequence {
        return Err(LogError::StreamDiverged {
            stream: config.name.clone(),
            found: format!("only {} messages", state.messages),
            known: "it".to_owned(),
            wanted: FrameNumber(state.last_sequence),
        });
    }
    let id = config.metadata.get(LOG_ID_ENTRY).and_then(|text| text.parse().ok());
    let log_id = id.ok_or_else(|| {
        let why = format!("its metadata has no {LOG_ID_ENTRY} of 32 hex digits");
        LogError::StreamConfig { stream: config.name.clone(), why }
    })?;
    Ok(StreamFacts {
        log_id,
        last: FrameNumber(state.last_sequence),
        bytes: state.bytes,
        max_bytes: u64::try_from(config.max_bytes).unwrap_or(u64::MAX),
        keys_last,
    })
}
