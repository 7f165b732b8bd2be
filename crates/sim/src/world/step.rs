//! What happens in a run, step by step, and how it is told.

use std::fmt;

use encours_domain::{Command, Position};
use encours_engine::Submission;
use encours_log::Micros;

use crate::disk::Cut;
use crate::stream::StreamFaults;

/// A command as a client sends it.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    /// Which client, and so which command in the log is this one.
    pub(crate) tag: u64,
    pub(crate) command: Command,
    pub(crate) request: Option<String>,
    /// Expects a version that nothing has.
    pub(crate) stale: bool,
    /// Only asks what would become of it.
    pub(crate) dry: bool,
}

impl Ask {
    /// What goes to the engine.
    pub(crate) fn submission(&self) -> Submission {
        let mut submission = Submission::new(self.command.clone(), format!("client-{}", self.tag));
        submission.request_id.clone_from(&self.request);
        submission.expected_version = self.stale.then_some(Position(u64::MAX / 2));
        submission.validate_only = self.dry;
        submission
    }
}

/// How the civil time moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Jump {
    /// It goes on by so many seconds.
    On(u64),
    /// It is set, by so many seconds from what it is.
    By(i64),
    /// It is set to a moment worth being at.
    To(Micros, &'static str),
}

/// What is damaged while a node is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Harm {
    /// A file is gone.
    Lost,
    /// A bit has flipped: the one at this place, counted around.
    Flipped(u64),
}

/// Something that happens.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Commands arrive at a node, each group in a frame of its own.
    Ask {
        node: usize,
        frames: Vec<Vec<Ask>>,
    },
    /// The scheduler runs days that are due, at most so many steps of so many facts each.
    Days {
        node: usize,
        limit: u32,
        most: u32,
    },
    Time(Jump),
    /// The disk stops at a call to come.
    DiskStops {
        calls: u64,
    },
    /// A sync to come fails.
    SyncFails {
        syncs: u64,
    },
    /// The disk has so much room beyond what is used, or as much as anybody wants.
    DiskRoom(Option<u64>),
    /// The node starts; the disk may stop meanwhile.
    Start {
        stop: Option<u64>,
        cut: Cut,
    },
    /// The node ends, cleanly or not.
    End {
        node: usize,
        clean: bool,
        cut: Cut,
    },
    /// Files that can be made anew from the log are damaged.
    Vandalise {
        node: usize,
        file: u64,
        harm: Harm,
    },
    /// On a copy of the disk a bit of the log, the anchor or the keys flips.
    Flip {
        file: u64,
        bit: u64,
    },
    /// On a copy of the disk the end of the log is cut off.
    CutTail {
        bytes: u64,
    },
    Weather {
        faults: StreamFaults,
        away: u32,
        room: Option<u64>,
    },
    Follow {
        node: usize,
        frames: usize,
    },
    /// A node takes over, with all that there is of the log or without.
    Lead {
        node: usize,
        stale: bool,
    },
    Drop {
        node: usize,
    },
    /// Faults end, and everything that must hold is looked at.
    Check {
        node: usize,
    },
}

impl fmt::Display for Jump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::On(seconds) => write!(f, "time goes on by {seconds} s"),
            Self::By(seconds) => write!(f, "the clock is set by {seconds:+} s"),
            Self::To(_, what) => write!(f, "the clock is set to {what}"),
        }
    }
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "client {}", self.tag)?;
        if let Some(request) = &self.request {
            write!(f, ", request {request}")?;
        }
        if self.stale {
            write!(f, ", expecting a version that is not there")?;
        }
        if self.dry {
            write!(f, ", as a dry run")?;
        }
        write!(f, ": {:?}", self.command)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ask { node, frames } => {
                let count: usize = frames.iter().map(Vec::len).sum();
                write!(f, "node {node} is sent {count} commands in {} groups", frames.len())?;
                frames.iter().flatten().try_for_each(|ask| write!(f, "\n       {ask}"))
            }
            Self::Days { node, limit, most } => {
                write!(f, "node {node} runs due days: at most {most} steps of {limit} facts")
            }
            Self::Time(jump) => write!(f, "{jump}"),
            Self::DiskStops { calls } => write!(f, "the disk will stop at call {calls} from now"),
            Self::SyncFails { syncs } => write!(f, "sync {syncs} from now will fail"),
            Self::DiskRoom(Some(bytes)) => write!(f, "the disk has room for {bytes} bytes more"),
            Self::DiskRoom(None) => write!(f, "the disk has room again"),
            Self::Start { stop: None, .. } => write!(f, "the node starts"),
            Self::Start { stop: Some(calls), cut } => {
                write!(f, "the node starts; the disk will stop at call {calls} (ends by {cut:?})")
            }
            Self::End { node, clean: true, cut } => {
                write!(f, "node {node} is stopped, then ends ({cut:?})")
            }
            Self::End { node, clean: false, cut } => write!(f, "node {node} is cut off ({cut:?})"),
            Self::Vandalise { node, file, harm } => {
                write!(f, "a file of node {node} that can be made anew: {harm:?} ({file})")
            }
            Self::Flip { file, bit } => write!(f, "a bit flips: file {file}, bit {bit} (a copy)"),
            Self::CutTail { bytes } => write!(f, "the log loses its last {bytes} bytes (a copy)"),
            Self::Weather { faults, away, room } => write!(
                f,
                "the server, once in so many messages: lost {}, late {}, unanswered {}, silent {}; \
                 away for {away}; room {room:?}",
                faults.lost, faults.late, faults.unanswered, faults.silent
            ),
            Self::Follow { node, frames } => write!(f, "node {node} follows {frames} frames"),
            Self::Lead { node, stale: false } => write!(f, "node {node} takes over"),
            Self::Lead { node, stale: true } => {
                write!(f, "node {node} takes over without what it has not seen")
            }
            Self::Drop { node } => write!(f, "node {node} drops what it is"),
            Self::Check { node } => write!(f, "faults end; node {node} is looked at"),
        }
    }
}
