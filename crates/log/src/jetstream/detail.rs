//! What a stream tells only where it is asked for: which messages were deleted, which subjects it has.

use std::collections::{BTreeMap, BTreeSet};

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::response::Response;
use serde::{Deserialize, Serialize};

use super::link::Link;
use super::problem::{answered, unavailable};
use crate::error::LogError;

/// What is asked for beside what a stream always tells.
#[derive(Default, Serialize)]
struct Question<'a> {
    deleted_details: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    subjects_filter: &'a str,
}

/// What is read of the answer.
#[derive(Deserialize)]
struct Told {
    state: State,
}

#[derive(Deserialize)]
struct State {
    first_seq: u64,
    last_seq: u64,
    #[serde(default)]
    deleted: Option<BTreeSet<u64>>,
    #[serde(default)]
    subjects: Option<BTreeMap<String, u64>>,
}

/// The messages of a stream that were deleted.
#[derive(Debug, Default)]
pub(super) struct Deleted {
    /// The first that is there.
    first: u64,
    /// The last that ever was.
    pub(super) last: u64,
    /// Those after the first.
    between: BTreeSet<u64>,
}

impl Deleted {
    /// Whether the stream says that it had this message and that it was deleted.
    pub(super) fn has(&self, sequence: u64) -> bool {
        sequence <= self.last && (sequence < self.first || self.between.contains(&sequence))
    }
}

impl Link {
    /// Which messages of a stream were deleted; `None` where there is no such stream.
    pub(super) async fn deleted(&self, stream: &str) -> Result<Option<Deleted>, LogError> {
        let question = Question { deleted_details: true, ..Question::default() };
        let told = self.detail(stream, question).await?;
        Ok(told.map(|State { first_seq, last_seq, deleted, .. }| Deleted {
            first: first_seq,
            last: last_seq,
            between: deleted.unwrap_or_default(),
        }))
    }

    /// Whether a stream says that it has a message of this subject.
    pub(super) async fn has_subject(&self, stream: &str, subject: &str) -> Result<bool, LogError> {
        let question = Question { subjects_filter: subject, ..Question::default() };
        let told = self.detail(stream, question).await?;
        let subjects = told.and_then(|state| state.subjects).unwrap_or_default();
        Ok(subjects.get(subject).is_some_and(|messages| *messages > 0))
    }

    async fn detail(
        &self,
        stream: &str,
        question: Question<'_>,
    ) -> Result<Option<State>, LogError> {
        let doing = format!("stream {stream}");
        let request = async {
            let subject = format!("STREAM.INFO.{stream}");
            let told = self.shared.context.request(subject, &question).await;
            match told.map_err(|error| unavailable(&doing, error))? {
                Response::Ok(Told { state }) => {
                    self.found(stream);
                    Ok(Some(state))
                }
                Response::Err { error } if error.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                    Ok(None)
                }
                Response::Err { error } => Err(answered(self, &doing, stream, &error)),
            }
        };
        self.ask(&doing, request).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deleted_is_what_the_stream_says_was_there_and_is_not() {
        let deleted = Deleted { first: 3, last: 9, between: BTreeSet::from([5, 9]) };
        let which: Vec<u64> = (1..12).filter(|sequence| deleted.has(*sequence)).collect();
        assert_eq!(which, [1, 2, 5, 9]);
        assert!(!Deleted::default().has(1));
    }
}
