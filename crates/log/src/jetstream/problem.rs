//! What the client library and the servers say, as [`LogError`].

use std::fmt::Display;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{CreateStreamErrorKind, GetStreamErrorKind};
use async_nats::jetstream::stream::{ConsumerErrorKind, RawMessageErrorKind};

use super::link::Link;
use crate::error::LogError;

pub(super) fn unavailable(doing: &str, why: impl Display) -> LogError {
    LogError::Unavailable { doing: doing.to_owned(), why: why.to_string() }
}

pub(super) fn denied(doing: &str, why: impl Display) -> LogError {
    LogError::Denied { doing: doing.to_owned(), why: why.to_string() }
}

pub(super) fn gone(stream: &str) -> LogError {
    let why = "it is missing; where it was deleted, making it again is for a person to decide";
    LogError::StreamConfig { stream: stream.to_owned(), why: why.to_owned() }
}

/// What an answer of JetStream's API with an error means.
pub(super) fn answered(
    link: &Link,
    doing: &str,
    stream: &str,
    error: &async_nats::jetstream::Error,
) -> LogError {
    match error.error_code() {
        ErrorCode::STREAM_NOT_FOUND => link.missing(stream),
        // No leader, no quorum, a server that starts or is busy or has reached a limit which others
        // may leave again. JetStream was there when the connection was made.
        ErrorCode::CLUSTER_INCOMPLETE
        | ErrorCode::CLUSTER_NO_PEERS
        | ErrorCode::CLUSTER_NOT_ACTIVE
        | ErrorCode::CLUSTER_NOT_ASSIGNED
        | ErrorCode::CLUSTER_NOT_AVAILABLE
        | ErrorCode::CLUSTER_NOT_LEADER
        | ErrorCode::STREAM_OFFLINE
        | ErrorCode::STREAM_TOO_MANY_REQUESTS
        | ErrorCode::INSUFFICIENT_RESOURCES
        | ErrorCode::ACCOUNT_RESOURCES_EXCEEDED
        | ErrorCode::MAXIMUM_CONSUMERS_LIMIT
        | ErrorCode::MEMORY_RESOURCES_EXCEEDED
        | ErrorCode::STORAGE_RESOURCES_EXCEEDED
        | ErrorCode::JETSTREAM_NOT_ENABLED
        | ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT => unavailable(doing, error),
        _ if error.code() == 503 => unavailable(doing, error),
        _ => denied(doing, error),
    }
}

/// Whether a server says that it has no JetStream, for this account or at all.
pub(super) fn is_disabled(error: &async_nats::jetstream::Error) -> bool {
    let code = error.error_code();
    let disabled = [ErrorCode::JETSTREAM_NOT_ENABLED, ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT];
    disabled.contains(&code)
}

/// What the answer to a publish with an error means, apart from a stream that is full.
pub(super) fn publish_refused(
    link: &Link,
    doing: &str,
    stream: &str,
    error: &async_nats::jetstream::Error,
) -> LogError {
    match error.error_code() {
        ErrorCode::STREAM_NOT_MATCH => LogError::StreamConfig {
            stream: stream.to_owned(),
            why: "its subject leads to another stream".to_owned(),
        },
        ErrorCode::STREAM_SEALED
        | ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM
        | ErrorCode::STREAM_HEADER_EXCEEDS_MAXIMUM
        | ErrorCode::STREAM_NOT_FOUND => answered(link, doing, stream, error),
        // A wrong last sequence, the same message twice on its way, a server that stops, has no room
        // or no leader: looking at the stream tells what became of it.
        _ => unavailable(doing, error),
    }
}

/// A failed request for a stream's facts; `None`: there is no such stream.
pub(super) fn no_info(
    link: &Link,
    doing: &str,
    stream: &str,
    error: &async_nats::jetstream::context::GetStreamError,
) -> Option<LogError> {
    match error.kind() {
        GetStreamErrorKind::JetStream(why) if why.error_code() == ErrorCode::STREAM_NOT_FOUND => {
            None
        }
        GetStreamErrorKind::JetStream(why) => Some(answered(link, doing, stream, &why)),
        _ => Some(unavailable(doing, error)),
    }
}

/// A stream that could not be made.
pub(super) fn not_made(
    link: &Link,
    doing: &str,
    stream: &str,
    error: &async_nats::jetstream::context::CreateStreamError,
) -> LogError {
    match error.kind() {
        CreateStreamErrorKind::JetStream(why) => answered(link, doing, stream, &why),
        _ => unavailable(doing, error),
    }
}

/// A failed read of one message; `None`: there is no such message.
pub(super) fn not_read(
    link: &Link,
    doing: &str,
    stream: &str,
    error: &async_nats::jetstream::stream::RawMessageError,
) -> Option<LogError> {
    match error.kind() {
        RawMessageErrorKind::NoMessageFound => None,
        RawMessageErrorKind::JetStream(why) => Some(answered(link, doing, stream, &why)),
        _ => Some(unavailable(doing, error)),
    }
}

/// A consumer that could not be made.
pub(super) fn no_consumer(
    link: &Link,
    doing: &str,
    stream: &str,
    error: &async_nats::jetstream::stream::ConsumerError,
) -> LogError {
    match error.kind() {
        ConsumerErrorKind::JetStream(why) => answered(link, doing, stream, &why),
        _ => unavailable(doing, error),
    }
}
