//! Why a call fails: one shape for every reason, and its two forms on the wire.
//!
//! A call of its own fails with a gRPC status that carries `google.rpc.ErrorInfo` (and `BadRequest`,
//! `RetryInfo` where they apply); in a batch the same failure is a `CommandError`.

mod reasons;

use std::collections::HashMap;
use std::time::Duration;

use encours_audit::TreeError;
use encours_domain::{Kind, Position, Refusal};
use encours_engine::Denied;
use encours_log::LogError;
use encours_projections::{RebuildError, StopError};
pub use encours_proto::codec::ERROR_DOMAIN;
pub(crate) use encours_proto::codec::REQUEST_TOO_LARGE;
use encours_proto::v1;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

pub use self::reasons::REASONS;
use self::reasons::{
    CLOCK_JUMP, DETAILS_UNREADABLE, INTERNAL, LOG_FULL, LOG_UNREADABLE, NO_LEADER, NOT_LEADER,
    PROOFS_BEHIND, READ_MODEL_STOPPED, REBUILD_FAILED, REBUILD_RUNNING, STOPPING, UNAVAILABLE,
};
pub(crate) use self::reasons::{
    DAY_NOT_REACHED, EXPORT_NOT_FINISHED, EXPORTS_RUNNING, INVALID_ACTOR, INVALID_PAGE_SIZE,
    INVALID_PAGE_TOKEN, INVALID_SUBJECT, MISSING_LOG, NO_CHECKPOINT, OTHER_LOG, OUTCOME_UNKNOWN,
    OUTSIDE_LOG, OVERLOADED, POSITION_NOT_REACHED, REQUEST_TOO_SLOW, UNKNOWN_LOG,
    VERIFICATION_RUNNING, WATCH_STALLED,
};

/// The name in the metadata of an `ErrorInfo` of the field that the error is about.
const FIELD: &str = "field";

// WHY limits: what goes into headers is bounded by HTTP/2, and texts here may quote what a caller
// sent, which may be a megabyte.
const MAX_MESSAGE_CHARS: usize = 1_000;
const MAX_FIGURE_CHARS: usize = 200;
const MAX_FIGURES: usize = 16;

/// When to try again after a full queue.
const SHORT_RETRY: Duration = Duration::from_millis(100);
/// When to try again after the service has stopped or the log has filled up.
const LONG_RETRY: Duration = Duration::from_secs(5);

/// When to try again where no node writes the log.
const LEADER_RETRY: Duration = Duration::from_secs(1);

/// Why a call fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    code: Code,
    reason: &'static str,
    message: String,
    /// The field that it is about; may be empty.
    field: String,
    figures: Vec<(&'static str, String)>,
    retry_after: Option<Duration>,
}

impl Failure {
    /// A failure with one of [`REASONS`].
    pub(crate) fn new(reason: &'static str, message: impl Into<String>) -> Self {
        let code = REASONS
            .iter()
            .find(|(name, ..)| *name == reason)
            .map_or(Code::Internal, |(_, code, _)| *code);
        Self {
            code,
            reason,
            message: message.into(),
            field: String::new(),
            figures: Vec::new(),
            retry_after: None,
        }
    }

    /// About this field.
    pub(crate) fn about(mut self, field: &str) -> Self {
        field.clone_into(&mut self.field);
        self
    }

    /// With a figure.
    pub(crate) fn with(mut self, name: &'static str, figure: impl std::fmt::Display) -> Self {
        self.figures.push((name, figure.to_string()));
        self
    }

    /// Trying again may help.
    pub(crate) const fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// The service is stopping.
    pub(crate) fn stopping() -> Self {
        Self::new(STOPPING, "the service is stopping").retry_after(LONG_RETRY)
    }

    /// No node writes the log.
    pub(crate) fn no_leader() -> Self {
        Self::new(NO_LEADER, "no node writes the log just now; another one takes over soon")
            .retry_after(LEADER_RETRY)
    }

    /// Another node takes this one wrongly for the one that writes the log.
    pub(crate) fn not_leader() -> Self {
        Self::new(NOT_LEADER, "this node does not write the log").retry_after(LEADER_RETRY)
    }

    /// A log of this name is not kept here, but these are.
    pub(crate) fn unknown_log<'a>(name: &str, logs: impl Iterator<Item = &'a str>) -> Self {
        let logs = logs.collect::<Vec<_>>().join(", ");
        let message = match &*logs {
            "" => format!("there is no log {name}: the one that there is has no name"),
            logs => format!("there is no log {name}, there is {logs}"),
        };
        Self::new(UNKNOWN_LOG, message).about("log").with("log", name)
    }

    /// Which of these logs is meant?
    pub(crate) fn missing_log<'a>(logs: impl Iterator<Item = &'a str>) -> Self {
        let logs = logs.collect::<Vec<_>>().join(", ");
        let message = format!("several logs are kept here, log must say which is meant: {logs}");
        Self::new(MISSING_LOG, message).about("log").with("logs", logs)
    }

    /// `what`, a ledger or a clock, is in the log `there`, and the call is about `here`.
    pub(crate) fn other_log(what: &str, id: &str, there: &str, here: &str) -> Self {
        let message = format!("{what} {id} is in log {there}; this call is about log {here}");
        Self::new(OTHER_LOG, message).about("log").with("id", id).with("log", there)
    }

    /// Nobody can tell which log an id is in.
    pub(crate) fn unclaimed(error: &LogError) -> Self {
        let message = format!("which log it is in cannot be told just now: {error}");
        Self::new(UNAVAILABLE, message).retry_after(LONG_RETRY)
    }

    /// As many wait as may.
    pub(crate) fn overloaded(limit: usize) -> Self {
        Denied::Overloaded { limit }.into()
    }

    /// A write may have been done or not.
    pub(crate) fn outcome_unknown() -> Self {
        Denied::OutcomeUnknown.into()
    }

    /// A defect, told without its inner details.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(INTERNAL, message)
    }

    /// Personal details cannot be opened.
    pub(crate) fn details(error: impl std::fmt::Display) -> Self {
        Self::new(DETAILS_UNREADABLE, format!("personal details cannot be read: {error}"))
    }

    /// The log cannot be read at a position.
    pub(crate) fn unreadable(position: Position, error: impl std::fmt::Display) -> Self {
        Self::new(LOG_UNREADABLE, format!("the log cannot be read at {position}: {error}"))
            .with("position", position)
    }

    /// The failure in a batch.
    pub(crate) fn into_message(self) -> v1::CommandError {
        let retry_after = self.retry_after.unwrap_or_default().as_millis();
        v1::CommandError {
            code: self.code.into(),
            reason: self.reason.to_owned(),
            message: cut(self.message, MAX_MESSAGE_CHARS),
            field: cut(self.field, MAX_FIGURE_CHARS),
            figures: self
                .figures
                .into_iter()
                .take(MAX_FIGURES)
                .map(|(name, figure)| (name.to_owned(), cut(figure, MAX_FIGURE_CHARS)))
                .collect(),
            retry_after_ms: u32::try_from(retry_after).unwrap_or(u32::MAX),
        }
    }
}

fn cut(text: String, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text,
        Some((at, _)) => format!("{}…", &text[..at]),
    }
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        status(failure.into_message())
    }
}

/// The failure of a command as that of a call of its own.
pub(crate) fn status(error: v1::CommandError) -> Status {
    let v1::CommandError { code, reason, message, field, figures, retry_after_ms } = error;
    let code = Code::from(code);
    let mut figures: HashMap<String, String> = figures.into_iter().collect();
    if !field.is_empty() {
        // Also where it is no bad request: an amount above what is open is about a field.
        figures.insert(FIELD.to_owned(), field.clone());
    }
    let mut details = ErrorDetails::new();
    details.set_error_info(reason, ERROR_DOMAIN, figures);
    if code == Code::InvalidArgument && !field.is_empty() {
        details.add_bad_request_violation(field, message.clone());
    }
    if retry_after_ms > 0 {
        details.set_retry_info(Some(Duration::from_millis(retry_after_ms.into())));
    }
    Status::with_error_details(code, message, details)
}

/// Whether a failure for this reason leaves a write undone that another node may carry out.
pub(crate) fn is_undone(reason: &str) -> bool {
    matches!(reason, STOPPING | NO_LEADER | NOT_LEADER)
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let rule = refusal.reason.rule();
        let code = match rule.kind {
            Kind::InvalidArgument => Code::InvalidArgument,
            Kind::NotFound => Code::NotFound,
            Kind::AlreadyExists => Code::AlreadyExists,
            Kind::FailedPrecondition => Code::FailedPrecondition,
            Kind::Aborted => Code::Aborted,
            Kind::ResourceExhausted => Code::ResourceExhausted,
        };
        Self {
            code,
            reason: rule.code,
            message: refusal.message,
            field: refusal.field,
            figures: refusal.figures,
            retry_after: None,
        }
    }
}

impl From<Denied> for Failure {
    fn from(denied: Denied) -> Self {
        let message = denied.to_string();
        match denied {
            Denied::Refused(refusal) => refusal.into(),
            Denied::Overloaded { limit } => {
                Self::new(OVERLOADED, message).with("limit", limit).retry_after(SHORT_RETRY)
            }
            Denied::LogFull => Self::new(LOG_FULL, message).retry_after(LONG_RETRY),
            Denied::Stopping => Self::stopping(),
            Denied::OutcomeUnknown => Self::new(OUTCOME_UNKNOWN, message),
            Denied::ClockJump(_) => Self::new(CLOCK_JUMP, message).retry_after(LONG_RETRY),
            _ => Self::new(UNAVAILABLE, message).retry_after(LONG_RETRY),
        }
    }
}

impl From<StopError> for Failure {
    fn from(stopped: StopError) -> Self {
        Self::new(READ_MODEL_STOPPED, stopped.to_string()).retry_after(LONG_RETRY)
    }
}

impl From<RebuildError> for Failure {
    fn from(error: RebuildError) -> Self {
        let message = error.to_string();
        match error {
            RebuildError::Running => Self::new(REBUILD_RUNNING, message).retry_after(LONG_RETRY),
            RebuildError::Log(_) => Self::new(REBUILD_FAILED, message),
            _ => Self::stopping(),
        }
    }
}

impl From<TreeError> for Failure {
    fn from(error: TreeError) -> Self {
        let message = error.to_string();
        match error {
            TreeError::Outside { size, .. } => Self::new(OUTSIDE_LOG, message).with("size", size),
            TreeError::Behind { size, .. } => {
                Self::new(PROOFS_BEHIND, message).with("size", size).retry_after(LONG_RETRY)
            }
            _ => Self::new(LOG_UNREADABLE, message),
        }
    }
}

impl From<LogError> for Failure {
    fn from(error: LogError) -> Self {
        Self::new(LOG_UNREADABLE, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use encours_domain::Reason;

    use super::*;

    #[test]
    fn a_refusal_becomes_a_status_with_details() {
        let refusal = Refusal::new(
            Reason::TooManyDecimals,
            "lines[2].amount",
            "lines[2].amount is 1.005: EUR has 2 fraction digits",
        )
        .with("fraction_digits", 2);
        let status = Status::from(Failure::from(refusal));
        assert_eq!(status.code(), Code::InvalidArgument);
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("TOO_MANY_DECIMALS", "encours"));
        assert_eq!(info.metadata["fraction_digits"], "2");
        let violations = &details.bad_request().unwrap().field_violations;
        assert_eq!(violations[0].field, "lines[2].amount");
        assert!(details.retry_info().is_none());
    }

    #[test]
    fn a_rule_about_the_state_is_no_bad_request() {
        let refusal = Refusal::new(Reason::OverAllocation, "amount", "too much");
        let status = Status::from(Failure::from(refusal));
        assert_eq!(status.code(), Code::FailedPrecondition);
        let details = status.get_error_details();
        assert!(details.bad_request().is_none());
        assert_eq!(details.error_info().unwrap().metadata["field"], "amount");
    }

    #[test]
    fn what_may_pass_says_when_to_try_again() {
        for denied in [Denied::Overloaded { limit: 4 }, Denied::LogFull, Denied::Stopping] {
            let status = Status::from(Failure::from(denied.clone()));
            let delay = status.get_error_details().retry_info().and_then(|retry| retry.retry_delay);
            assert!(delay.is_some_and(|delay| delay > Duration::ZERO), "{denied}");
        }
        let unknown = Status::from(Failure::from(Denied::OutcomeUnknown));
        assert_eq!(unknown.code(), Code::Unknown);
        assert!(unknown.get_error_details().retry_info().is_none());
    }

    #[test]
    fn what_a_caller_sent_is_quoted_in_part_only() {
        let refusal = Refusal::new(Reason::InvalidText, "text", "é".repeat(1_000_000))
            .with("text", "é".repeat(1_000_000));
        let failure = Failure::from(refusal);
        let message = failure.clone().into_message();
        assert_eq!(message.message.chars().count(), MAX_MESSAGE_CHARS + 1);
        assert_eq!(message.figures["text"].chars().count(), MAX_FIGURE_CHARS + 1);
        assert!(Status::from(failure).details().len() < 8_000);
    }

    #[test]
    fn reasons_are_told_apart_by_name() {
        let of_domain = Reason::ALL.iter().map(|reason| reason.rule().code);
        let mut names: Vec<_> = REASONS.iter().map(|(name, ..)| *name).chain(of_domain).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
