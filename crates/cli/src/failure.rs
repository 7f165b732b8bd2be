//! What a command ends with when it does not succeed: one clear line, what to do next, an exit code.

use std::fmt;
use std::io;

use encours_log::LogError;
use tonic::{Code, Status};

use crate::client::Silence;

/// How a process ends. The numbers are stable: scripts match on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Something went wrong that none of the others says.
    Failure = 1,
    /// The command line, or a file's columns or format, makes no sense.
    Usage = 2,
    /// A rule said no: a refused command, or rows of a file that were left out.
    Refused = 3,
    /// The server was not reached, or cannot answer now.
    Unavailable = 4,
    /// The log or its keys are damaged, shortened, missing or not those that were expected.
    Damaged = 5,
    /// Another process has the data folder.
    Locked = 6,
}

/// What `--help` says about exit codes.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed
  2  usage: arguments, column names or formats
  3  refused: a rule said no, or rows of a file were left out
  4  unavailable: the server was not reached, or cannot answer now
  5  damaged: the log or its keys are altered, shortened, missing or of another log
  6  in use: another process has the data folder";

/// Why a command did not succeed.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    message: String,
    hint: Option<String>,
}

/// What most functions here return.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), hint: None }
    }

    /// A mistake in the arguments.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// What the parser of the command line says: the mistake as one line, its tip under it.
    pub(crate) fn from_usage(said: &str) -> Self {
        let mut paragraphs = said
            .split("\n\n")
            .map(|paragraph| paragraph.lines().map(str::trim).collect::<Vec<_>>().join(" "));
        let mistake = paragraphs.next().unwrap_or_default();
        let failure = Self::usage(mistake.strip_prefix("error: ").unwrap_or(&mistake));
        match paragraphs.find(|paragraph| paragraph.starts_with("tip: ")) {
            Some(tip) => failure.hint(tip),
            None => failure.hint("--help shows what there is"),
        }
    }

    /// A server that began to check its log, and ended without saying what came of it.
    pub(crate) fn unfinished_check() -> Self {
        Self::new(Exit::Unavailable, "the server ended the check without a result")
            .hint("it may be stopping: try again, or check the files with --data")
    }

    /// Adds what to do next.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says which of several logs it is about.
    #[must_use]
    pub(crate) fn of_log(mut self, log: &str) -> Self {
        self.message = format!("log {log}: {}", self.message);
        self
    }

    /// Says more of what went wrong.
    #[must_use]
    pub(crate) fn and_then_say(mut self, more: &str) -> Self {
        self.message = format!("{}; {more}", self.message);
        self
    }

    /// What went wrong, without what to do next.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// What to do next.
    pub(crate) fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The code that the process ends with.
    pub(crate) const fn exit(&self) -> Exit {
        self.exit
    }

    /// Whether the reader of our output has left, which is no failure.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        self.message == CLOSED_PIPE
    }

    /// What a server answered.
    pub(crate) fn from_status(status: &Status) -> Self {
        match Silence::of(status) {
            None => {}
            Some(Silence::Late) => {
                return Self::new(Exit::Unavailable, "no answer in time")
                    .hint("--timeout SECONDS allows more");
            }
            Some(Silence::Broken(why)) => {
                return Self::new(Exit::Unavailable, format!("the connection broke: {why}")).hint(
                    "see whether the server runs, then do it again: what was sent may be done",
                );
            }
        }
        let told = crate::status::Told::of(status);
        let exit = match status.code() {
            Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => Exit::Unavailable,
            Code::ResourceExhausted if told.retry => Exit::Unavailable,
            Code::DataLoss => Exit::Damaged,
            Code::Internal | Code::Unknown | Code::Unimplemented => Exit::Failure,
            _ => Exit::Refused,
        };
        let failure = Self::new(exit, told.to_string());
        match told.reason.as_str() {
            "UNKNOWN_LEDGER" => {
                failure.hint("`encours ledger list` shows the ledgers that there are")
            }
            "CREDIT_LIMIT_EXCEEDED" => {
                failure.hint("--override-credit-limit issues it all the same; the log says so")
            }
            "MONEY_ALLOCATED" => {
                failure.hint("--keep-unapplied takes them off and leaves them to the customer")
            }
            _ => failure,
        }
    }
}

const CLOSED_PIPE: &str = "closed pipe";

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, "\n  {hint}"))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::new(Exit::Failure, CLOSED_PIPE);
        }
        Self::new(Exit::Failure, error.to_string())
    }
}

impl From<csv::Error> for Failure {
    fn from(error: csv::Error) -> Self {
        match error.into_kind() {
            csv::ErrorKind::Io(error) => error.into(),
            kind => Self::new(Exit::Failure, format!("{kind:?}")),
        }
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        io::Error::from(error).into()
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self::from_status(&status)
    }
}

impl From<LogError> for Failure {
    fn from(error: LogError) -> Self {
        let message = format!("{}: {error}", error.code());
        match &error {
            LogError::Locked { .. } => Self::new(Exit::Locked, message)
                .hint("stop that process first, or give another folder with --data"),
            LogError::NoLog { .. } => {
                Self::usage(message).hint("`encours serve --data DIR` makes a log there")
            }
            LogError::RolledBack { .. } => Self::new(Exit::Damaged, message)
                .hint("frames are missing at the end: restore the folder from a backup"),
            LogError::Unavailable { .. } => Self::new(Exit::Unavailable, message)
                .hint("nothing is lost; start the servers, or give others with --nats"),
            LogError::NoRoom { .. } => Self::new(Exit::Unavailable, message).hint(
                "raise max_file_store of the servers and max_file of the account, or give new streams \
                 less with --nats-max-mib; `encours doctor` shows what is free",
            ),
            LogError::Denied { .. } => Self::new(Exit::Failure, message)
                .hint(
                    "look at the user, its permissions and the limits of its account; over TLS at the \
                     certificate, and at --nats-ca",
                ),
            LogError::StreamConfig { .. } => Self::new(Exit::Damaged, message)
                .hint("`encours doctor` shows every setting; put right what differs, then start"),
            LogError::StreamDiverged { .. } => Self::new(Exit::Damaged, message).hint(
                "the servers have lost or altered frames, or this folder is of a branch that was given \
                 up: stop all nodes, keep their folders as they are, and see \"A stream that has lost \
                 frames\" in docs/operations.md",
            ),
            LogError::TooNew { .. } => Self::new(Exit::Damaged, message)
                .hint("use the version of encours that wrote it, or a later one"),
            LogError::SyncFailed { .. } => Self::new(Exit::Failure, message)
                .hint("look after the disk, then start again: what was acknowledged is there"),
            _ if error.is_corruption() || matches!(error, LogError::WrongLog { .. }) => {
                Self::new(Exit::Damaged, message)
                    .hint("keep the folder as it is, and restore it from a backup")
            }
            _ => Self::new(Exit::Failure, message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_ends_with_the_code_of_its_kind() {
        let exit = |code| Failure::from_status(&Status::new(code, "x")).exit();
        assert_eq!(exit(Code::NotFound), Exit::Refused);
        assert_eq!(exit(Code::FailedPrecondition), Exit::Refused);
        assert_eq!(exit(Code::Unavailable), Exit::Unavailable);
        assert_eq!(exit(Code::Internal), Exit::Failure);
    }

    #[test]
    fn a_mistake_on_the_command_line_is_one_line() {
        let said = "error: these were not provided:\n  --a <A>\n  --b <B>\n\nUsage: encours x\n\n\
                    For more information, try '--help'.\n";
        let failure = Failure::from_usage(said);
        assert_eq!(
            failure.to_string(),
            "these were not provided: --a <A> --b <B>\n  --help shows what there is"
        );
        let tip = Failure::from_usage("error: no 'x'\n\n  tip: did you mean 'y'\n\nUsage: z\n");
        assert_eq!(tip.to_string(), "no 'x'\n  tip: did you mean 'y'");
    }

    #[test]
    fn a_locked_folder_names_its_holder() {
        let error = LogError::Locked { dir: "/data/log".into(), holder: Some(4711) };
        let failure = Failure::from(error);
        assert_eq!(failure.exit(), Exit::Locked);
        assert!(failure.to_string().starts_with("locked: /data/log is in use by process 4711"));
    }
}
