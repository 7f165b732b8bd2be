//! The writer without threads: the core, what it reads, and the days that time opens.
//!
//! [`Engine`](crate::Engine) runs it on a thread of its own, [`SyncEngine`](crate::SyncEngine) steps
//! through it on the caller's.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use encours_domain::commands::Time;
use encours_domain::event::{LogCreated, WriterOpened};
use encours_domain::{Command, Micros, Position};
use encours_log::{Clock, Disk, EventLog, Known, LogError, LogReader, Tail};
use tracing::{info, warn};

use crate::clocks::{Days, local_day};
use crate::core::{Abandoned, Answer, Core, Fault, Settings, Surroundings, Ticket};
use crate::entropy::{Entropy, SystemEntropy};
use crate::error::EngineError;
use crate::jump::{ClockLimit, Watch};
use crate::keeper::Keeper;
use crate::keys::{Key, KeyStore};
use crate::log_side::LogSide;
use crate::past::LogPast;
use crate::patience::Patience;
use crate::recover::{Fold, RecoveryReport};
use crate::standby::{Standby, StandbyOptions};
use crate::submission::{Denied, Submission};

/// The ticket of the engine's own commands: nobody waits for them.
const OWN: Ticket = Ticket(0);
/// After which part of what the clock may be ahead a log that nothing is written to gets the time.
const QUIET_PART: u32 = 8;

/// What an engine is opened with.
pub struct EngineOptions {
    /// The log. The engine is its only writer from here on.
    pub log: Box<dyn EventLog>,
    /// The disk that `dir` lies on.
    pub disk: Arc<dyn Disk>,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where randomness comes from.
    pub entropy: Arc<dyn Entropy>,
    /// Limits.
    pub limits: Limits,
}

impl EngineOptions {
    /// Options with the system's randomness and the usual limits.
    #[must_use]
    pub fn new(log: Box<dyn EventLog>, disk: Arc<dyn Disk>, clock: Arc<dyn Clock>) -> Self {
        Self { log, disk, clock, entropy: Arc::new(SystemEntropy), limits: Limits::default() }
    }
}

/// The engine's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Commands that may wait to be decided; more are refused as overloaded.
    pub queue: usize,
    /// Events after which a snapshot is written.
    pub snapshot_every: u64,
    /// Request ids of a generation in memory. The newest one to three generations are there.
    pub generation_ids: usize,
    /// Files of more request ids are not merged any further.
    pub file_ids: usize,
    /// How far the clock may run ahead; `None`: as far as it likes.
    pub clock: Option<ClockLimit>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            queue: 16_384,
            snapshot_every: 1_000_000,
            generation_ids: 500_000,
            file_ids: 2_000_000,
            clock: None,
        }
    }
}

/// The frames that the engine's files under `dir` have seen as durable: pass them to the log when it
/// is opened, so that a log that has lost its end is noticed.
#[must_use]
pub fn known_frames(disk: &dyn Disk, dir: &Path) -> Vec<Known> {
    crate::snapshot::known_frames(disk, &dir.join("snapshots"))
}

/// See the module.
pub(crate) struct Writer {
    pub(crate) core: Core,
    settings: Settings,
    limits: Limits,
    keys: Arc<KeyStore>,
    digest_key: Key,
    past: LogPast,
    entropy: Arc<dyn Entropy>,
    days: Days,
    clock: Watch,
}

/// What opening yields.
pub(crate) struct Opened {
    pub(crate) writer: Writer,
    pub(crate) log: LogSide,
    pub(crate) keeper: Keeper,
    pub(crate) keys: Arc<KeyStore>,
    pub(crate) report: RecoveryReport,
}

impl Writer {
    /// Recovers from `dir` and the log, and drafts the event that this writer took over.
    pub(crate) fn open(
        options: EngineOptions,
        dir: &Path,
        patience: Patience,
    ) -> Result<Opened, EngineError> {
        let EngineOptions { log, disk, clock, entropy, limits } = options;
        let reader = log.reader();
        let standby = Standby::open(StandbyOptions { reader, disk, entropy, limits }, dir)?;
        Self::take_over(standby, log, &clock, patience, false)
    }

    /// Goes on from a standby over a log that another machine may have written.
    pub(crate) fn lead(
        standby: Standby,
        log: Box<dyn EventLog>,
        clock: &Arc<dyn Clock>,
        patience: Patience,
    ) -> Result<Opened, EngineError> {
        Self::take_over(standby, log, clock, patience, true)
    }

    /// Folds what is left of the log, sees to the keys and drafts the event that this writer took
    /// over.
    fn take_over(
        mut standby: Standby,
        log: Box<dyn EventLog>,
        clock: &Arc<dyn Clock>,
        patience: Patience,
        is_foreign: bool,
    ) -> Result<Opened, EngineError> {
        let (reader, log_id) = (log.reader(), log.log_id());
        let expected = standby.options.reader.log_id();
        if log_id != expected {
            let file = "the log to be written".to_owned();
            return Err(LogError::WrongLog { file, found: log_id, expected }.into());
        }
        standby.fold.follow(&*reader, &mut standby.keeper)?;
        let tail = standby.fold.tail();
        let Standby { options, keys, keeper, fold } = standby;
        let is_empty = tail.next_position == Position(1);
        let own = keys.lead(&*options.disk, fold.rows(), is_empty, &*options.entropy)?;
        let (keys, digest_key) = (Arc::clone(&own.store), own.digest_key.clone());
        let none = log.wants_keys();
        let unshared = own.unshared(none);
        let mut log = LogSide::new(log, own.file, patience);
        log.share(none.then_some(&digest_key), &unshared)?;
        let settings = Settings {
            log_id,
            epoch: tail.epoch.next(),
            snapshot_every: options.limits.snapshot_every,
        };
        let report = fold.report();
        let mut core = fold.into_core(settings, Arc::clone(&keys), digest_key.clone());
        let newest = (!is_empty).then_some(tail.recorded_at);
        let mut clock = Watch::new(Arc::clone(clock), options.limits.clock, newest, is_foreign);
        announce(&mut core, settings, &tail, (clock.time_now(), &*options.entropy))?;
        info!(
            snapshot = report.snapshot.0,
            frames = report.frames,
            events = report.events,
            request_ids = report.request_ids,
            tail = tail.number.0,
            epoch = settings.epoch.0,
            "recovered"
        );
        let writer = Self {
            core,
            settings,
            limits: options.limits,
            keys: Arc::clone(&keys),
            digest_key,
            past: LogPast(reader),
            entropy: options.entropy,
            days: Days::default(),
            clock,
        };
        Ok(Opened { writer, log, keeper, keys, report })
    }

    /// Decides the next day that the system's time has to open, where there is one and room for it.
    /// Returns whether there may be more: then commands have to wait.
    pub(crate) fn open_days(&mut self, now: Micros) -> Result<bool, Fault> {
        let now = self.clock.time(now);
        if self.clock.jump().is_some() {
            return Ok(false);
        }
        let now = self.core.stamp(now);
        while self.core.has_room() {
            let Some(open) = self.days.next(self.core.rows(), now) else {
                self.keep_time(now)?;
                return Ok(false);
            };
            let around = Surroundings {
                now,
                zone_day: None,
                past: &self.past,
                entropy: &*self.entropy,
                closed: None,
            };
            let (clock, day) = (open.clock.0, open.day);
            let submission = Submission::new(open, "system");
            if let Some(Err(denied)) = self.core.offer(OWN, submission, around)? {
                // A day that cannot be opened must not hold up everything else for ever.
                warn!(clock, %day, %denied, "day_not_opened");
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Writes the time into a log that nothing else is written to: else the next start would hold the
    /// clock against a time long gone, and not believe one that is right.
    fn keep_time(&mut self, now: Micros) -> Result<(), Fault> {
        let Some(limit) = self.limits.clock else { return Ok(()) };
        // Often enough that the server may be off for most of what is allowed.
        let after = i64::try_from((limit.ahead / QUIET_PART).as_micros()).unwrap_or(i64::MAX);
        let since = now.0.saturating_sub(self.core.recorded_at().0);
        if since <= after || !self.core.is_idle() {
            return Ok(());
        }
        let epoch = self.settings.epoch.0;
        self.core.record(now, &*self.entropy, &[WriterOpened { epoch }.into()])
    }

    /// Decides a command. The core must have room, and days that are due must be open, except where
    /// the log `is_full`: then, as where the clock is not believed, only what was done before is told.
    pub(crate) fn offer(
        &mut self,
        ticket: Ticket,
        submission: Submission,
        now: Micros,
        is_full: bool,
    ) -> Result<Option<Answer>, Fault> {
        let now = self.clock.time(now);
        let closed = match self.clock.jump() {
            _ if is_full => Some(Denied::LogFull),
            Some(jump) if self.goes_by_system_time(&submission.command) => {
                Some(Denied::ClockJump(jump))
            }
            _ => None,
        };
        let now = self.core.stamp(now);
        let zone_day = match &submission.command {
            Command::CreateLedger(command) => local_day(&command.time_zone, now),
            _ => None,
        };
        let around = Surroundings {
            now,
            zone_day,
            past: &self.past,
            entropy: &*self.entropy,
            closed: closed.as_ref(),
        };
        self.core.offer(ticket, submission, around)
    }

    /// Drops memory and folds the durable log again, after frames that found no room.
    pub(crate) fn restart(mut self, keeper: &mut Keeper) -> Result<(Self, Abandoned), EngineError> {
        let abandoned = self.core.abandon();
        let mut fold = Fold::open(&*self.past.0, keeper, self.limits.generation_ids)?;
        fold.follow(&*self.past.0, keeper)?;
        let report = fold.report();
        warn!(frames = report.frames, events = report.events, "state rolled back to the log");
        self.core = fold.into_core(self.settings, Arc::clone(&self.keys), self.digest_key.clone());
        self.days = Days::default();
        let now = self.clock.time_now();
        let tail = self.past.0.tail();
        announce(&mut self.core, self.settings, &tail, (now, &*self.entropy))?;
        Ok((self, abandoned))
    }

    pub(crate) fn reader(&self) -> Arc<dyn LogReader> {
        Arc::clone(&self.past.0)
    }

    /// Whether what a command does depends on the system's time.
    fn goes_by_system_time(&self, command: &Command) -> bool {
        let rows = self.core.rows();
        let clock = match command {
            Command::CreateLedger(command) => return command.time == Time::System,
            Command::OpenDay(command) => Some(command.clock),
            Command::RunDay(command) => Some(command.clock),
            other => other.ledger_id().and_then(|id| self.core.clock_of(id)),
        };
        clock.and_then(|clock| rows.clocks.get(clock.0)).is_some_and(|clock| !clock.test)
    }

    /// Seconds that a clock which is not believed is ahead; 0 while it is.
    pub(crate) fn clock_ahead_s(&self) -> Arc<AtomicU64> {
        self.clock.ahead_s()
    }
}

/// Drafts the events by which this writer takes the log over, unless they are durable already.
///
/// INVARIANT: no two writers draft the same frame. Of two that take over after the same frame in the
/// same microsecond, the later one would find its own bytes in the log, believe that it leads, and
/// share keys for customers that the other one has made.
fn announce(
    core: &mut Core,
    settings: Settings,
    tail: &Tail,
    (now, entropy): (Micros, &dyn Entropy),
) -> Result<(), Fault> {
    if tail.epoch == settings.epoch {
        return Ok(());
    }
    let mut events = Vec::new();
    if tail.next_position == Position(1) {
        events.push(LogCreated { log_id: settings.log_id.0 }.into());
    }
    events.push(WriterOpened { epoch: settings.epoch.0 }.into());
    core.record(now, entropy, &events)
}
