//! The reasons of the interface itself.

use encours_proto::codec::{MALFORMED_MESSAGE, REQUEST_TOO_LARGE};
use tonic::Code;

/// Reasons of the interface itself, beside those of the domain.
///
/// Name, code and what it means; the table of all reasons is made from this and
/// [`encours_domain::Reason::ALL`].
pub const REASONS: &[(&str, Code, &str)] = &[
    (
        INVALID_PAGE_TOKEN,
        Code::InvalidArgument,
        "A page token was made for another list or is damaged.",
    ),
    (INVALID_PAGE_SIZE, Code::InvalidArgument, "A page size is negative or above 1,000."),
    (
        INVALID_SUBJECT,
        Code::InvalidArgument,
        "A pattern of subjects is malformed; the message names the rule.",
    ),
    (
        INVALID_ACTOR,
        Code::InvalidArgument,
        "The metadata `encours-actor` is longer than 128 bytes or not printable.",
    ),
    (
        MALFORMED_MESSAGE,
        Code::InvalidArgument,
        "The bytes of a request are no message of its type.",
    ),
    (
        POSITION_NOT_REACHED,
        Code::DeadlineExceeded,
        "The read model has not reached `min_position` in time.",
    ),
    (
        DAY_NOT_REACHED,
        Code::DeadlineExceeded,
        "The clock has not finished the day in time; it goes on by itself.",
    ),
    (
        EXPORT_NOT_FINISHED,
        Code::DeadlineExceeded,
        "An export was not finished within the time that the call gave it, or was not read for 60 seconds.",
    ),
    (
        WATCH_STALLED,
        Code::DeadlineExceeded,
        "A watch of events was not read for 60 seconds, or what `--watch-stall` says; `position` says after which to go on.",
    ),
    (
        EXPORTS_RUNNING,
        Code::ResourceExhausted,
        "As many exports as there may be at a time are under way already.",
    ),
    (
        REQUEST_TOO_LARGE,
        Code::OutOfRange,
        "A request message is longer than 1 MiB (16 KiB to health and reflection), or would be once it is decompressed, or its parts would take more than 16 MiB of memory; `limit` says how much it may be.",
    ),
    (
        REQUEST_TOO_SLOW,
        Code::DeadlineExceeded,
        "A request did not come as a whole within 30 seconds.",
    ),
    (
        OVERLOADED,
        Code::ResourceExhausted,
        "Too many commands are waiting, or too many calls are under way, or requests that come slowly hold too much memory; nothing was changed.",
    ),
    (LOG_FULL, Code::ResourceExhausted, "The log finds no room; nothing was changed."),
    (
        VERIFICATION_RUNNING,
        Code::ResourceExhausted,
        "A verification of the log is under way already.",
    ),
    (REBUILD_RUNNING, Code::ResourceExhausted, "A rebuild of the read model is under way already."),
    (
        REBUILD_FAILED,
        Code::DataLoss,
        "The log cannot be read or folded again as far as the read model stands, which goes on as it was; \
         but a node ends where a frame is damaged.",
    ),
    (STOPPING, Code::Unavailable, "The service is stopping; nothing was changed."),
    (
        NO_LEADER,
        Code::Unavailable,
        "No node writes the log just now: another one takes over within seconds; nothing was changed.",
    ),
    (
        NOT_LEADER,
        Code::Unavailable,
        "A node handed the call on to one that does not write the log any more; nothing was changed.",
    ),
    (
        UNAVAILABLE,
        Code::Unavailable,
        "Something that the answer needs cannot be read just now; nothing was changed.",
    ),
    (
        CLOCK_JUMP,
        Code::Unavailable,
        "The server's clock has jumped ahead, and the ledger goes by the system's time; nothing was changed.",
    ),
    (
        OUTCOME_UNKNOWN,
        Code::Unknown,
        "The service stopped while the command was under way: send it again with the same id or request id to settle it.",
    ),
    (
        MISSING_LOG,
        Code::InvalidArgument,
        "The server keeps several logs, and the call names neither one of them nor a ledger.",
    ),
    (UNKNOWN_LOG, Code::NotFound, "The server keeps no log of this name."),
    (
        OTHER_LOG,
        Code::FailedPrecondition,
        "The ledger is in another log than the call is about; `log` says in which.",
    ),
    (
        READ_MODEL_STOPPED,
        Code::Unavailable,
        "The read model stands still and does not answer, or the server refuses commands for that reason.",
    ),
    (LOG_UNREADABLE, Code::DataLoss, "The log cannot be read where the answer lies."),
    (
        DETAILS_UNREADABLE,
        Code::DataLoss,
        "The key of a customer's personal details is missing or does not fit.",
    ),
    (
        OUTSIDE_LOG,
        Code::OutOfRange,
        "A position or size is beyond the tree that a proof is asked in, or the log; `size` says how far that goes.",
    ),
    (
        PROOFS_BEHIND,
        Code::Unavailable,
        "The node is still hashing the log's events, which a proof needs; `size` says how many it has.",
    ),
    (NO_CHECKPOINT, Code::NotFound, "The node has signed no checkpoint yet."),
    (INTERNAL, Code::Internal, "A defect of the service."),
];

pub(crate) const INVALID_PAGE_TOKEN: &str = "INVALID_PAGE_TOKEN";
pub(crate) const INVALID_PAGE_SIZE: &str = "INVALID_PAGE_SIZE";
pub(crate) const INVALID_SUBJECT: &str = "INVALID_SUBJECT";
pub(crate) const INVALID_ACTOR: &str = "INVALID_ACTOR";
pub(crate) const MISSING_LOG: &str = "MISSING_LOG";
pub(crate) const UNKNOWN_LOG: &str = "UNKNOWN_LOG";
pub(crate) const OTHER_LOG: &str = "OTHER_LOG";
pub(crate) const POSITION_NOT_REACHED: &str = "POSITION_NOT_REACHED";
pub(crate) const DAY_NOT_REACHED: &str = "DAY_NOT_REACHED";
pub(crate) const EXPORTS_RUNNING: &str = "EXPORTS_RUNNING";
pub(crate) const EXPORT_NOT_FINISHED: &str = "EXPORT_NOT_FINISHED";
pub(crate) const WATCH_STALLED: &str = "WATCH_STALLED";
pub(crate) const REQUEST_TOO_SLOW: &str = "REQUEST_TOO_SLOW";
pub(crate) const OVERLOADED: &str = "OVERLOADED";
pub(super) const LOG_FULL: &str = "LOG_FULL";
pub(crate) const VERIFICATION_RUNNING: &str = "VERIFICATION_RUNNING";
pub(super) const REBUILD_RUNNING: &str = "REBUILD_RUNNING";
pub(super) const REBUILD_FAILED: &str = "REBUILD_FAILED";
pub(super) const STOPPING: &str = "STOPPING";
pub(super) const NO_LEADER: &str = "NO_LEADER";
pub(super) const NOT_LEADER: &str = "NOT_LEADER";
pub(super) const UNAVAILABLE: &str = "UNAVAILABLE";
pub(super) const CLOCK_JUMP: &str = "CLOCK_JUMP";
pub(crate) const OUTCOME_UNKNOWN: &str = "OUTCOME_UNKNOWN";
pub(super) const READ_MODEL_STOPPED: &str = "READ_MODEL_STOPPED";
pub(super) const LOG_UNREADABLE: &str = "LOG_UNREADABLE";
pub(super) const DETAILS_UNREADABLE: &str = "DETAILS_UNREADABLE";
pub(crate) const OUTSIDE_LOG: &str = "OUTSIDE_LOG";
pub(super) const PROOFS_BEHIND: &str = "PROOFS_BEHIND";
pub(crate) const NO_CHECKPOINT: &str = "NO_CHECKPOINT";
pub(super) const INTERNAL: &str = "INTERNAL";
