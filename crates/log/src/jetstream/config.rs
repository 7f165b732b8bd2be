//! The streams of a log as they have to be, and what differs.

use std::collections::HashMap;
use std::time::Duration;

use async_nats::jetstream::stream::{
    Compression, Config, DiscardPolicy, PersistenceMode, RetentionPolicy, StorageType,
};

use super::connect::StreamOptions;
use crate::id::LogId;

/// The entry of a log stream's metadata that names the log.
pub(super) const LOG_ID_ENTRY: &str = "encours_log_id";
/// The most bytes of a message.
const MESSAGE_MAX: i32 = 1024 * 1024;
/// The server's own: repeats of a message's id within this time are taken for the same message.
const DUPLICATE_WINDOW: Duration = Duration::from_mins(2);
const NO_LIMIT: i64 = -1;
/// The keys get this part of the log's bytes...
const KEYS_PART: u64 = 8;
/// ...and at least this many.
const KEYS_MIN: u64 = 4 * 1024 * 1024;

/// The stream of a log's frames.
pub(super) fn log_stream(options: &StreamOptions, log_id: Option<LogId>) -> Config {
    Config {
        name: options.log.log_stream(),
        description: Some(format!("Frames of the Encours log {}, in order", options.log)),
        subjects: vec![options.log.log_subject()],
        max_bytes: signed(options.max_bytes),
        deny_delete: true,
        metadata: log_id
            .map(|id| HashMap::from([(LOG_ID_ENTRY.to_owned(), id.to_string())]))
            .unwrap_or_default(),
        ..common(options)
    }
}

/// The stream of a log's keys. Messages can be deleted from it: an erased key has to go.
pub(super) fn keys_stream(options: &StreamOptions) -> Config {
    Config {
        name: options.log.keys_stream(),
        description: Some(format!("Keys of the Encours log {}: secret", options.log)),
        subjects: vec![options.log.keys_subject()],
        max_bytes: signed((options.max_bytes / KEYS_PART).max(KEYS_MIN)),
        ..common(options)
    }
}

fn common(options: &StreamOptions) -> Config {
    Config {
        storage: StorageType::File,
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::New,
        num_replicas: usize::from(options.replicas.get()),
        max_messages: NO_LIMIT,
        max_messages_per_subject: NO_LIMIT,
        max_message_size: MESSAGE_MAX,
        max_age: Duration::ZERO,
        duplicate_window: DUPLICATE_WINDOW,
        deny_purge: true,
        ..Config::default()
    }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// Each setting of the stream `there` that differs, with what it has to be; empty where all is well.
/// More bytes, more replicas, placement and description are the operator's.
pub(super) fn drift(there: &Config, wanted: &Config) -> Vec<String> {
    let mut drift = Vec::new();
    let mut hold = |setting: &str, holds: bool, must: &dyn std::fmt::Display| {
        if !holds {
            drift.push(format!("{setting} must be {must}"));
        }
    };
    let unlimited = |limit: i64| limit <= 0;
    hold("subjects", there.subjects == wanted.subjects, &wanted.subjects.join(", "));
    hold("storage", there.storage == wanted.storage, &"file");
    hold("retention", there.retention == wanted.retention, &"limits");
    hold("discard", there.discard == wanted.discard, &"new");
    let least = wanted.num_replicas;
    hold("num_replicas", there.num_replicas >= least, &format!("{least} or more"));
    let least = wanted.max_bytes;
    hold("max_bytes", there.max_bytes >= least, &format!("{least} or more"));
    hold("max_msgs", unlimited(there.max_messages), &NO_LIMIT);
    hold("max_msgs_per_subject", unlimited(there.max_messages_per_subject), &NO_LIMIT);
    hold("max_age", there.max_age.is_zero(), &0);
    let size = there.max_message_size;
    hold("max_msg_size", size <= 0 || size >= MESSAGE_MAX, &format!("{MESSAGE_MAX} or more"));
    hold("deny_delete", there.deny_delete == wanted.deny_delete, &wanted.deny_delete);
    hold("deny_purge", there.deny_purge == wanted.deny_purge, &wanted.deny_purge);
    let window = there.duplicate_window == wanted.duplicate_window;
    hold("duplicate_window", window, &"2 minutes");
    hold("mirror", there.mirror.is_none(), &"empty");
    hold("sources", there.sources.as_ref().is_none_or(Vec::is_empty), &"empty");
    hold("subject_transform", there.subject_transform.is_none(), &"empty");
    hold("republish", there.republish.is_none(), &"empty");
    hold("consumer_limits", there.consumer_limits.as_ref().is_none_or(no_limits), &"empty");
    let plain = !matches!(there.compression, Some(Compression::S2));
    hold("compression", plain, &"none");
    let is_async = matches!(there.persist_mode, Some(PersistenceMode::Async));
    hold("persist_mode", !is_async, &"default");
    let first = there.first_sequence.is_none_or(|first| first <= 1);
    hold("first_seq", first, &1);
    for (setting, is_on) in [
        ("no_ack", there.no_ack),
        ("sealed", there.sealed),
        ("allow_direct", there.allow_direct),
        ("allow_rollup_hdrs", there.allow_rollup),
        ("allow_msg_ttl", there.allow_message_ttl),
        ("allow_atomic", there.allow_atomic_publish),
        ("allow_msg_schedules", there.allow_message_schedules),
        ("allow_msg_counter", there.allow_message_counter),
        ("discard_new_per_subject", there.discard_new_per_subject),
    ] {
        hold(setting, !is_on, &false);
    }
    drift
}

fn no_limits(limits: &async_nats::jetstream::stream::ConsumerLimits) -> bool {
    limits.inactive_threshold.is_zero() && limits.max_ack_pending <= 0
}
