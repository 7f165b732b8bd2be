//! What the client library and the servers say, as [`LogError`].

use std::error::Error as _;
use std::fmt::Display;

use async_nats::jetstream::context::{
    CreateKeyValueError, CreateStreamError, CreateStreamErrorKind, GetStreamError,
    GetStreamErrorKind,
};
use async_nats::jetstream::stream::{
    ConsumerError, ConsumerErrorKind, RawMessageError, RawMessageErrorKind,
};
use async_nats::jetstream::{self, ErrorCode};

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
    error: &jetstream::Error,
) -> LogError {
    match error.error_code() {
        ErrorCode::STREAM_NOT_FOUND => link.missing(stream),
        // Others may leave the limit again.
        ErrorCode::INSUFFICIENT_RESOURCES
        | ErrorCode::ACCOUNT_RESOURCES_EXCEEDED
        | ErrorCode::MEMORY_RESOURCES_EXCEEDED
        | ErrorCode::STORAGE_RESOURCES_EXCEEDED => {
            LogError::NoRoom { doing: doing.to_owned(), why: error.to_string() }
        }
        // No leader, no quorum, a server that starts or is busy. JetStream was there when the
        // connection was made.
        ErrorCode::CLUSTER_INCOMPLETE
        | ErrorCode::CLUSTER_NO_PEERS
        | ErrorCode::CLUSTER_NOT_ACTIVE
        | ErrorCode::CLUSTER_NOT_ASSIGNED
        | ErrorCode::CLUSTER_NOT_AVAILABLE
        | ErrorCode::CLUSTER_NOT_LEADER
        | ErrorCode::STREAM_OFFLINE
        | ErrorCode::STREAM_TOO_MANY_REQUESTS
        | ErrorCode::MAXIMUM_CONSUMERS_LIMIT
        | ErrorCode::JETSTREAM_NOT_ENABLED
        | ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT => unavailable(doing, error),
        _ if error.code() == 503 => unavailable(doing, error),
        _ => denied(doing, error),
    }
}

/// Whether a server says that it has no JetStream, for this account or at all.
pub(super) fn is_disabled(error: &jetstream::Error) -> bool {
    let code = error.error_code();
    let disabled = [ErrorCode::JETSTREAM_NOT_ENABLED, ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT];
    disabled.contains(&code)
}

/// What the answer to a publish with an error means, apart from a stream that is full.
pub(super) fn publish_refused(
    link: &Link,
    doing: &str,
    stream: &str,
    error: &jetstream::Error,
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

/// An error of the client library that may carry what JetStream's API answered.
pub(super) trait Failed: Display {
    fn answer(&self) -> Option<jetstream::Error>;
}

impl Failed for GetStreamError {
    fn answer(&self) -> Option<jetstream::Error> {
        let GetStreamErrorKind::JetStream(why) = self.kind() else { return None };
        Some(why)
    }
}

impl Failed for CreateStreamError {
    fn answer(&self) -> Option<jetstream::Error> {
        let CreateStreamErrorKind::JetStream(why) = self.kind() else { return None };
        Some(why)
    }
}

impl Failed for CreateKeyValueError {
    fn answer(&self) -> Option<jetstream::Error> {
        self.source()?.downcast_ref::<CreateStreamError>()?.answer()
    }
}

impl Failed for RawMessageError {
    fn answer(&self) -> Option<jetstream::Error> {
        let RawMessageErrorKind::JetStream(why) = self.kind() else { return None };
        Some(why)
    }
}

impl Failed for ConsumerError {
    fn answer(&self) -> Option<jetstream::Error> {
        let ConsumerErrorKind::JetStream(why) = self.kind() else { return None };
        Some(why)
    }
}

/// What a request that failed means.
pub(super) fn failed(link: &Link, doing: &str, stream: &str, error: &impl Failed) -> LogError {
    match error.answer() {
        Some(why) => answered(link, doing, stream, &why),
        None => unavailable(doing, error),
    }
}

/// Whether a request failed because there is no such stream.
pub(super) fn is_missing(error: &impl Failed) -> bool {
    error.answer().is_some_and(|why| why.error_code() == ErrorCode::STREAM_NOT_FOUND)
}
