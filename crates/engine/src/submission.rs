//! What goes into the engine and what comes out: `Submission`, `Reply`, `Denied`.

use encours_domain::details::{Detail, too_large};
use encours_domain::{Command, Position, Reason, Refusal, Resource, Subject};
use encours_log::{ACTOR_MAX, REASON_MAX, REQUEST_ID_MAX};

use crate::jump::ClockJump;

/// A command and who asks for it.
#[derive(Clone, Debug)]
pub struct Submission {
    /// What is asked.
    pub command: Command,
    /// The caller's id of the request: 1 to 64 printable ASCII characters. A repeat with the same
    /// content returns the first outcome, however much later it comes.
    pub request_id: Option<String>,
    /// Who asks; at most 128 bytes.
    pub actor: String,
    /// Why; at most 4 KiB, may be empty.
    pub reason: String,
    /// The version that the caller believes the resource has.
    pub expected_version: Option<Position>,
    /// Whether to answer in full and append nothing.
    pub validate_only: bool,
}

impl Submission {
    /// A plain submission of a command by an actor.
    #[must_use]
    pub fn new(command: impl Into<Command>, actor: impl Into<String>) -> Self {
        Self {
            command: command.into(),
            request_id: None,
            actor: actor.into(),
            reason: String::new(),
            expected_version: None,
            validate_only: false,
        }
    }

    /// The same submission with a request id.
    #[must_use]
    pub fn with_request_id(mut self, request_id: impl Into<String>) -> Self {
        self.request_id = Some(request_id.into());
        self
    }

    /// Checks the texts that travel beside the command.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        if let Some(id) = &self.request_id {
            let length = id.len();
            if length == 0 || length > REQUEST_ID_MAX || !id.bytes().all(|b| b.is_ascii_graphic()) {
                return Err(Refusal::new(
                    Reason::InvalidId,
                    "request_id",
                    format!(
                        "request_id must have 1 to {REQUEST_ID_MAX} printable ASCII characters"
                    ),
                )
                .with("length", length));
            }
        }
        if self.actor.len() > ACTOR_MAX {
            return Err(Refusal::new(
                Reason::TooLarge,
                "actor",
                format!("actor has {} bytes, at most {ACTOR_MAX} are allowed", self.actor.len()),
            )
            .with("bytes", self.actor.len())
            .with("limit", ACTOR_MAX));
        }
        if self.reason.len() > REASON_MAX {
            return Err(too_large("reason", self.reason.len()));
        }
        Ok(())
    }
}

/// What an accepted command is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// What the command was about.
    pub subject: Subject,
    /// That resource as it is after the command; for a repeat, as it is now.
    pub resource: Option<Resource>,
    /// The position of the command's last event; for a repeat, of the first outcome's; for a dry
    /// run, of the last event that the answer rests on.
    pub position: Position,
    /// Whether this had been done before, and nothing was appended now.
    pub repeated: bool,
    /// For the dry run of a command that sets personal details: those details, because the key that
    /// sealed them in `resource` may not have been kept. Empty otherwise.
    pub previewed_details: Vec<Detail>,
}

/// Why a command has no reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// A rule said no. Nothing was changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The queue is full. Nothing was changed.
    #[error("{limit} commands are waiting already")]
    Overloaded {
        /// The most commands that may wait.
        limit: usize,
    },
    /// The log finds no room. Nothing was changed; reads go on, and repeats are told the first
    /// outcome.
    #[error("the log is full")]
    LogFull,
    /// The engine is stopping or has stopped. Nothing was changed.
    #[error("the service is stopping")]
    Stopping,
    /// The log does not answer, or what a repeat is recognised by could not be read just now. Nothing
    /// was changed.
    #[error("not just now: {reason}")]
    Unavailable {
        /// What went wrong.
        reason: String,
    },
    /// The clock has jumped, and the command goes by the system's time. Nothing was changed; repeats
    /// are told the first outcome.
    #[error("{0}")]
    ClockJump(ClockJump),
    /// The engine stopped while the command was under way: it may have happened or not. Sending it
    /// again with the same id or request id settles it.
    #[error("the outcome is not known; send it again with the same id or request id")]
    OutcomeUnknown,
}

impl Denied {
    /// Whether the same submission may succeed later as it is.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        !matches!(self, Self::Refused(_))
    }

    /// Whether it is certain that nothing was changed.
    #[must_use]
    pub const fn is_without_effect(&self) -> bool {
        !matches!(self, Self::OutcomeUnknown)
    }
}
