//! The public stream: made where it is missing, held against what it has to be.

use async_nats::HeaderValue;
use async_nats::jetstream::context::{CreateStreamErrorKind, GetStreamErrorKind};
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{
    Config, DiscardPolicy, LastRawMessageErrorKind, PersistenceMode, RetentionPolicy, State,
    StorageType, Stream, SubjectTransform,
};
use async_nats::jetstream::{Context, ErrorCode};
use encours_log::Position;
use encours_proto::subject::SUBJECT_PREFIX;
use futures_util::StreamExt as _;

use crate::message::{Facts, LOG_ID_HEADER, POSITION_HEADER};
use crate::problem::Problem;
use crate::publisher::PublisherOptions;
use crate::recover::{LastMessage, Told};
use crate::session::MAX_IN_FLIGHT;

/// What subjects begin with on which the stream of a named log listens; its name follows.
const NAMED_PREFIX: &str = "encours.events";
const NO_LIMIT: i64 = -1;
/// Messages asked for at once.
const ASKED: usize = 32;

/// What the subjects begin with that are published to.
pub(crate) fn prefix(options: &PublisherOptions) -> String {
    // WHY not the same for all: the subjects of two streams in one account may not overlap.
    let named = |log| format!("{NAMED_PREFIX}.{log}");
    options.log.as_ref().map_or_else(|| SUBJECT_PREFIX.to_owned(), named)
}

/// The stream as it is made. Operators may change replicas, limits of age, bytes and messages,
/// placement, compression and the duplicate window afterwards.
fn wanted(options: &PublisherOptions) -> Config {
    let subjects = format!("{}.>", prefix(options));
    let transform = || SubjectTransform {
        source: subjects.clone(),
        destination: format!("{SUBJECT_PREFIX}.>"),
    };
    Config {
        name: options.stream.clone(),
        description: Some("Public events of Encours, in log order".to_owned()),
        subject_transform: options.log.as_ref().map(|_| transform()),
        subjects: vec![subjects],
        storage: StorageType::File,
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::Old,
        num_replicas: usize::from(options.replicas.get()),
        max_bytes: options.max_bytes.and_then(|max| i64::try_from(max).ok()).unwrap_or(NO_LIMIT),
        max_messages: NO_LIMIT,
        max_messages_per_subject: NO_LIMIT,
        deny_delete: true,
        ..Config::default()
    }
}

/// What of a stream's settings is not as order, completeness and durability need it; each with what
/// it has to be.
fn drift(there: &Config, wanted: &Config) -> Vec<String> {
    let mut drift = Vec::new();
    let mut hold = |setting: &str, holds: bool, must: &str| {
        if !holds {
            drift.push(format!("{setting} must be {must}"));
        }
    };
    hold("subjects", there.subjects == wanted.subjects, &wanted.subjects.join(", "));
    hold("storage", there.storage == wanted.storage, "file");
    hold("retention", there.retention == wanted.retention, "limits");
    hold("discard", there.discard == wanted.discard, "old");
    let per_subject = there.max_messages_per_subject;
    hold("max_msgs_per_subject", per_subject == NO_LIMIT, "-1");
    hold("deny_delete", there.deny_delete, "true");
    hold("no_ack", !there.no_ack, "false");
    hold("sealed", !there.sealed, "false");
    hold("mirror", there.mirror.is_none(), "empty");
    hold("sources", there.sources.as_ref().is_none_or(Vec::is_empty), "empty");
    let transform = wanted.subject_transform.as_ref();
    let must = transform.map(|to| format!("{} to {}", to.source, to.destination));
    let must = must.as_deref().unwrap_or("empty");
    hold("subject_transform", there.subject_transform.as_ref() == transform, must);
    let is_async = matches!(there.persist_mode, Some(PersistenceMode::Async));
    hold("persist_mode", !is_async, "default");
    drift
}

/// The stream, made where it is missing. Its settings are read back and checked.
pub(crate) async fn open(context: &Context, options: &PublisherOptions) -> Result<Stream, Problem> {
    let wanted = wanted(options);
    let name = &wanted.name;
    let stream = match context.get_stream(name).await {
        Ok(stream) => stream,
        Err(error) => {
            let is_missing = matches!(error.kind(), GetStreamErrorKind::JetStream(error)
                if error.error_code() == ErrorCode::STREAM_NOT_FOUND);
            if !is_missing {
                return Err(Problem::unavailable(&format!("stream {name}"), error));
            }
            create(context, &wanted).await?;
            let stream = context.get_stream(name).await;
            stream.map_err(|error| Problem::unavailable(&format!("stream {name}"), error))?
        }
    };
    let drift = drift(&stream.cached_info().config, &wanted);
    if drift.is_empty() {
        return Ok(stream);
    }
    Err(Problem::Refused(format!("the settings of stream {name} differ: {}", drift.join("; "))))
}

async fn create(context: &Context, wanted: &Config) -> Result<(), Problem> {
    let doing = format!("making stream {}", wanted.name);
    match context.create_stream(wanted).await {
        Ok(_) => {
            tracing::info!(stream = wanted.name, "stream made");
            Ok(())
        }
        // WHY refused: what the server says about such a stream stays until somebody acts.
        Err(error) => match error.kind() {
            CreateStreamErrorKind::JetStream(why) => {
                Err(Problem::Refused(format!("{doing}: {why}")))
            }
            _ => Err(Problem::unavailable(&doing, error)),
        },
    }
}

/// What the stream holds.
pub(crate) async fn told<'a>(stream: &Stream, name: &'a str) -> Result<Told<'a>, Problem> {
    let doing = || format!("the end of stream {name}");
    let info = stream.get_info().await;
    let state = info.map_err(|error| Problem::unavailable(&doing(), error))?.state;
    let last_sequence = state.last_sequence;
    let mut told = Told { stream: name, last_sequence, last: None, stranger: None };
    if state.messages == 0 {
        return Ok(told);
    }
    match stream.get_raw_message(state.last_sequence).await {
        Ok(message) => told.last = Some(last_message(&message)),
        // It was purged or has expired since.
        Err(error) if matches!(error.kind(), LastRawMessageErrorKind::NoMessageFound) => {}
        Err(error) => return Err(Problem::unavailable(&doing(), error)),
    }
    if let Some(last) = &told.last {
        told.stranger = stranger(stream, &state, last).await?;
    }
    Ok(told)
}

/// The sequence of a message that is not the event it has to be, among those that may have been on
/// their way together with the last one.
///
/// WHY: a message of somebody else takes the sequence of the event that was to follow. That one is
/// turned away, but those sent after it, before that was known, find the stream as they expect it.
async fn stranger(
    stream: &Stream,
    state: &State,
    last: &LastMessage,
) -> Result<Option<u64>, Problem> {
    let reach = MAX_IN_FLIGHT as u64;
    let from = state.last_sequence.saturating_sub(reach).max(state.first_sequence);
    let ask = |sequence| async move { (sequence, stream.get_raw_message(sequence).await) };
    let mut found = futures_util::stream::iter(from..state.last_sequence).map(ask).buffered(ASKED);
    while let Some((sequence, message)) = found.next().await {
        let message = match message {
            Ok(message) => last_message(&message),
            // It was purged or has expired since.
            Err(error) if matches!(error.kind(), LastRawMessageErrorKind::NoMessageFound) => {
                continue;
            }
            Err(error) => {
                return Err(Problem::unavailable(&format!("message {sequence}"), error));
            }
        };
        let before = state.last_sequence - sequence;
        let wanted = last.position.and_then(|at| at.0.checked_sub(before)).map(Position);
        if message.log_id != last.log_id || message.position != wanted {
            return Ok(Some(sequence));
        }
    }
    Ok(None)
}

fn last_message(message: &StreamMessage) -> LastMessage {
    let text = |name: &str| message.headers.get(name).map(HeaderValue::as_str);
    LastMessage {
        log_id: text(LOG_ID_HEADER).and_then(|text| text.parse().ok()),
        position: text(POSITION_HEADER).and_then(|text| text.parse().ok()).map(Position),
        facts: Facts::of_message(&message.headers, &message.subject),
    }
}
