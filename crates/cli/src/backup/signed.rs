//! The checkpoints in a backup, held against its log while that is read: in the one pass that checks all
//! the rest.
//!
//! A start looks at the newest one alone. One of another day would go unnoticed that is of another
//! node or log, or of a time before the log was rewritten.

use std::cmp::Reverse;
use std::path::Path;

use encours_audit::{Checkpoint, Frontier, StoredError, leaves, stored};
use encours_log::{Disk, Frame, FrameHeader, LogError, LogId, Passed, VerifyReport};

use super::Unfit;
use crate::failure::{Exit, Failure, Outcome};

/// What was signed of a log.
pub(super) struct Signed {
    /// Checkpoints that the pass has not come to, the last of the log first, each with its file.
    ahead: Vec<(String, Checkpoint)>,
    tree: Frontier,
    /// The size of the last one that the log agrees with.
    agreed: u64,
    failed: Option<Failure>,
}

impl Signed {
    /// The checkpoints of a data folder.
    pub(super) fn of(disk: &dyn Disk, data: &Path) -> Result<Self, Unfit> {
        let mut ahead = stored(disk, data).map_err(|error| match error {
            StoredError::Rejected { .. } => {
                Unfit::Checkpoint(Failure::new(Exit::Damaged, error.to_string()).hint(
                    "the log may be in order: keep the file as evidence elsewhere, and take a \
                     backup without it",
                ))
            }
            StoredError::Key(error) => Unfit::Key(error.into()),
            _ => Unfit::Folder(Failure::new(Exit::Failure, error.to_string())),
        })?;
        ahead.sort_by_key(|(_, checkpoint)| Reverse(checkpoint.frame));
        Ok(Self { ahead, tree: Frontier::default(), agreed: 0, failed: None })
    }

    /// Takes the next frame of the log in.
    pub(super) fn look(&mut self, passed: &Passed<'_>) -> Result<(), LogError> {
        if self.ahead.is_empty() || self.failed.is_some() {
            return Ok(());
        }
        let FrameHeader { number, first_position: position, log_id, .. } = *passed.header();
        let frame = Frame::decode(passed.bytes()).map_err(|error| {
            let why = error.to_string();
            LogError::Unreadable { position, frame: number, why }
        })?;
        leaves(&frame).iter().for_each(|leaf| self.tree.push(leaf.hash()));
        while let Some((file, checkpoint)) = self.ahead.pop_if(|(_, next)| next.frame <= number) {
            let found = Checkpoint {
                log_id,
                size: self.tree.size(),
                root: self.tree.root(),
                frame: number,
                frame_hash: frame.hash(),
                recorded_at: frame.header().recorded_at,
            };
            if found != checkpoint {
                self.failed = Some(self.differs(log_id, &file, &checkpoint));
                break;
            }
            self.agreed = checkpoint.size;
        }
        Ok(())
    }

    /// Once the log is read: refuses it where it is not what all of them say.
    pub(super) fn agrees(mut self, report: &VerifyReport) -> Outcome {
        if let Some(failure) = self.failed {
            return Err(failure);
        }
        let Some((file, checkpoint)) = self.ahead.pop() else { return Ok(()) };
        let ends = report.tail.next_position.0.saturating_sub(1);
        let Checkpoint { log_id, size, frame, .. } = checkpoint;
        if log_id != report.log_id || size <= ends {
            return Err(self.differs(report.log_id, &file, &checkpoint));
        }
        let last = report.tail.number;
        let why = format!(
            "the log ends at position {ends}, frame {last}, but position {size}, frame {frame} was \
             signed"
        );
        Err(unlike("log_rolled_back", &why, &file))
    }

    fn differs(&self, found: LogId, file: &str, checkpoint: &Checkpoint) -> Failure {
        let Checkpoint { log_id, size, frame, .. } = checkpoint;
        if *log_id != found {
            let why = format!(
                "this is log {found}, position {size}, frame {frame} of {log_id} was signed"
            );
            return unlike("wrong_log", &why, file);
        }
        let since = match self.agreed {
            0 => "no checkpoint before agrees with it".to_owned(),
            agreed => format!("it agrees with what was signed at position {agreed}"),
        };
        let why = format!(
            "at position {size}, frame {frame}, the log is not the one that was signed; {since}"
        );
        unlike("log_diverged", &why, file)
    }
}

/// A log that is not what was signed.
fn unlike(code: &str, why: &str, file: &str) -> Failure {
    Failure::new(Exit::Damaged, format!("{code}: FAIL: {why} ({file})")).hint(
        "keep both as evidence: log and checkpoint are of two nodes or logs, or one was altered; use \
         another backup",
    )
}
