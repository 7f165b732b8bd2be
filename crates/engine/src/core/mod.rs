//! The heart of the engine: decides commands, fills frames, remembers who waits for what.
//!
//! `Core` has no thread, clock or randomness of its own and touches no file but through what it is
//! handed ([`Past`], [`Entropy`]), so the simulation drives it step by step. It promises:
//!
//! - no answer leaves before every frame that its decision could have read is durable;
//! - the events of a command are never split over frames, and nothing is applied that is not in a
//!   frame;
//! - positions and frame numbers are dense, and the time of recording never goes back.
//!
//! A frame that does not become durable leaves the state ahead of the log. There is one way back:
//! [`Core::abandon`], and a new core from the log.

mod decide;
mod encoded;
mod waiting;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use encours_domain::state::{Kind, Rows, State};
use encours_domain::{ClockNo, CustomerNo, Event, Id, LedgerNo, Micros, Position, Subject};
use encours_log::{
    Epoch, FRAME_TARGET, Frame, FrameDraft, FrameError, FrameNumber, LogId, SealWith, Tail,
};
use encours_schema::SchemaError;

use crate::clocks::{ClockInfo, clock_infos};
use crate::digest::FullDigest;
use crate::entropy::Entropy;
use crate::keys::{Key, KeyError, KeyStore, NewKey};
use crate::requests::{Fingerprint, Generation, Requests};
use crate::snapshot::Snapshot;
use crate::submission::{Denied, Reply};

pub(crate) use decide::Surroundings;
pub(crate) use waiting::{Abandoned, Settled};

use encoded::Encoded;

/// Answers that may be held back for frames under way. WHY a limit beside the size of a frame:
/// refusals, repeats and dry runs take no room in one, and a slow disk holds them all back.
const WAITING_MAX: usize = 16_384;

/// Names a submission until it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Ticket(pub(crate) u64);

/// What a submission is answered in the end.
pub(crate) type Answer = Result<Reply, Denied>;

/// A frame to be made durable, after the keys that it uses.
pub(crate) struct Work {
    pub(crate) frame: Frame,
    pub(crate) keys: Vec<NewKey>,
}

/// What the first outcome of a request was, as the log has it.
#[derive(Clone, Debug)]
pub(crate) struct FirstOutcome {
    pub(crate) digest: FullDigest,
    pub(crate) events: Vec<Event>,
    pub(crate) last: Position,
}

/// What the first outcome of a request was, while it is not durable.
#[derive(Clone, Copy, Debug)]
struct Unsettled {
    digest: FullDigest,
    subject: Subject,
    last: Position,
}

/// The durable past, for repeats.
pub(crate) trait Past {
    /// The command whose first event stands at `position`.
    fn outcome(&self, position: Position) -> Result<FirstOutcome, String>;
}

/// A broken promise of the engine itself: it must stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// An event could not be encoded.
    #[error("an event cannot be encoded: {0}")]
    Schema(#[from] SchemaError),
    /// A command or frame could not be put together.
    #[error("a frame cannot be made: {0}")]
    Frame(#[from] FrameError),
    /// A detail could not be sealed.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// No random bytes for an id.
    #[error(transparent)]
    Entropy(#[from] crate::entropy::EntropyError),
    /// An accepted command names nothing.
    #[error("{command} was accepted, but is about nothing")]
    NoSubject {
        /// The command.
        command: &'static str,
    },
    /// Frames were settled in another order than they were made.
    #[error("frame {found} was settled where {wanted} was expected")]
    Order {
        /// The oldest frame in flight.
        wanted: FrameNumber,
        /// The frame that was settled.
        found: FrameNumber,
    },
}

/// How a core is set up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) log_id: LogId,
    pub(crate) epoch: Epoch,
    /// Events after which a snapshot is due.
    pub(crate) snapshot_every: u64,
}

/// See the module.
pub(crate) struct Core {
    settings: Settings,
    state: State,
    keys: Arc<KeyStore>,
    digest_key: Key,
    requests: Requests,
    /// First outcomes in frames that are not durable yet, where [`Past`] cannot see them.
    unsettled: HashMap<Fingerprint, Unsettled>,
    draft: Draft,
    /// The events of the command being decided.
    encoded: Encoded,
    /// Where what a command says is gathered for its digest.
    content: Vec<u8>,
    in_flight: VecDeque<InFlight>,
    /// Answers that are held back.
    waiting: usize,
    /// The end of the log once all frames in flight are durable.
    sealed: Tail,
    /// The durable end of the log.
    durable: Tail,
    /// The latest moment a command was decided at.
    stamp: Micros,
    snapshot_at: Position,
}

/// The frame that is being filled, and who waits for it.
struct Draft {
    frame: FrameDraft,
    keys: Vec<NewKey>,
    waiting: Vec<(Ticket, Answer)>,
    request_ids: Vec<Fingerprint>,
    clocks_changed: bool,
}

impl Draft {
    const fn new(first: Position) -> Self {
        Self {
            frame: FrameDraft::new(first),
            keys: Vec::new(),
            waiting: Vec::new(),
            request_ids: Vec::new(),
            clocks_changed: false,
        }
    }

    /// The one that follows, with room for as much at once.
    fn following(&self) -> Self {
        Self {
            frame: self.frame.following(),
            keys: Vec::new(),
            waiting: Vec::with_capacity(self.waiting.len()),
            request_ids: Vec::with_capacity(self.request_ids.len()),
            clocks_changed: false,
        }
    }
}

/// A frame on its way to the disk.
struct InFlight {
    tail: Tail,
    keys: Vec<(LedgerNo, CustomerNo)>,
    waiting: Vec<(Ticket, Answer)>,
    request_ids: Vec<Fingerprint>,
    clocks: Option<Arc<[ClockInfo]>>,
    generation: Option<Arc<Generation>>,
    snapshot: Option<Snapshot>,
}

impl Core {
    /// A core that goes on after `tail`, with the state and the request ids up to there.
    pub(crate) fn new(
        settings: Settings,
        tail: Tail,
        state: State,
        keys: Arc<KeyStore>,
        digest_key: Key,
        requests: Requests,
        snapshot_at: Position,
    ) -> Self {
        Self {
            settings,
            state,
            keys,
            digest_key,
            requests,
            unsettled: HashMap::new(),
            draft: Draft::new(tail.next_position),
            encoded: Encoded::default(),
            content: Vec::new(),
            in_flight: VecDeque::new(),
            waiting: 0,
            sealed: tail,
            durable: tail,
            stamp: tail.recorded_at,
            snapshot_at,
        }
    }

    /// Frames on their way to the disk.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Whether the frame being filled takes another command.
    ///
    /// INVARIANT: below the target, the largest command fits under the limit of a frame.
    pub(crate) fn has_room(&self) -> bool {
        self.draft.frame.body_len() < FRAME_TARGET && self.waiting < WAITING_MAX
    }

    /// Whether the frame being filled has nothing but what announces this writer.
    pub(crate) fn is_bare(&self) -> bool {
        self.draft.waiting.is_empty()
    }

    /// Whether nothing waits to become durable.
    pub(crate) fn is_idle(&self) -> bool {
        self.draft.frame.is_empty() && self.in_flight.is_empty()
    }

    /// When the log's newest frame was recorded.
    pub(crate) const fn recorded_at(&self) -> Micros {
        self.durable.recorded_at
    }

    /// The moment that a command decided now is recorded at.
    pub(crate) fn stamp(&self, now: Micros) -> Micros {
        self.stamp.max(now)
    }

    /// Takes the frame being filled, where there is something in it, on its way to the disk.
    pub(crate) fn take_frame(&mut self) -> Result<Option<Work>, Fault> {
        if self.draft.frame.is_empty() {
            return Ok(None);
        }
        let next = self.draft.frame.next_position();
        let following = self.draft.following();
        let draft = std::mem::replace(&mut self.draft, following);
        let frame = draft.frame.seal(SealWith {
            log_id: self.settings.log_id,
            epoch: self.settings.epoch,
            number: self.sealed.number.next(),
            recorded_at: self.stamp,
            previous: self.sealed.hash,
        })?;
        // INVARIANT: what was sealed follows the frame before it without a gap.
        let followed = self.sealed.follow(self.settings.log_id, frame.header());
        assert!(followed.is_ok(), "a sealed frame does not follow: {followed:?}");
        self.sealed = followed.unwrap_or(self.sealed);
        let last = Position(next.0 - 1);
        self.requests.cover(last);
        // WHY here: the state is exactly that after this frame, and the rows are cheap to clone.
        let is_due = last.0 >= self.snapshot_at.0 + self.settings.snapshot_every;
        let snapshot = is_due.then(|| self.snapshot_of(self.sealed));
        let clocks = draft.clocks_changed.then(|| clock_infos(self.state.rows()));
        self.in_flight.push_back(InFlight {
            tail: self.sealed,
            keys: draft.keys.iter().map(|new| (new.ledger, new.customer)).collect(),
            waiting: draft.waiting,
            request_ids: draft.request_ids,
            clocks,
            generation: self.requests.freeze(is_due),
            snapshot,
        });
        Ok(Some(Work { frame, keys: draft.keys }))
    }

    fn snapshot_of(&mut self, tail: Tail) -> Snapshot {
        self.snapshot_at = Position(tail.next_position.0 - 1);
        Snapshot { tail, rows: self.state.rows().clone() }
    }

    /// What a clean stop writes: the newest request ids and, where anything happened since the last
    /// one, a snapshot. Nothing where the core is not idle.
    pub(crate) fn parting(&mut self) -> (Option<Arc<Generation>>, Option<Snapshot>) {
        if !self.is_idle() {
            return (None, None);
        }
        let generation = self.requests.freeze(true);
        let changed = self.snapshot_at.next() < self.durable.next_position;
        (generation, changed.then(|| self.snapshot_of(self.durable)))
    }

    /// The request ids.
    pub(crate) const fn requests_mut(&mut self) -> &mut Requests {
        &mut self.requests
    }

    /// The clocks as they are now, durable or not.
    pub(crate) fn clocks(&self) -> Arc<[ClockInfo]> {
        clock_infos(self.state.rows())
    }

    /// The rows as they are now, durable or not.
    pub(crate) const fn rows(&self) -> &Rows {
        self.state.rows()
    }

    /// The clock that a ledger goes by; `None` where there is no such ledger.
    pub(crate) fn clock_of(&self, ledger: &Id) -> Option<ClockNo> {
        let none = LedgerNo::default();
        let ledger = self.state.indexes().find(Kind::Ledger, none, ledger.as_str())?;
        Some(self.state.rows().ledger(LedgerNo(ledger))?.clock)
    }

    fn resource_reply(&self, subject: Subject, position: Position, repeated: bool) -> Reply {
        Reply {
            subject,
            resource: self.state.resource(subject),
            position,
            repeated,
            previewed_details: Vec::new(),
        }
    }
}
