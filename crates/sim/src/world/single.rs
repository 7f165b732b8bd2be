//! One node over a journal on a disk of its own, over several lives.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use encours_engine::{EngineError, EngineOptions, Entropy, Limits, SyncEngine, known_frames};
use encours_log::{Clock, Disk, Journal, JournalOptions, LogId, LogReader, Recovery};

use super::follower::Follower;
use super::serve::{self, Around};
use super::step::{Harm, Step};
use crate::clock::SimClock;
use crate::disk::{Cut, SimDisk};
use crate::entropy::SeededEntropy;
use crate::rng::Rng;

const LOG: LogId = LogId([0x33; 16]);

/// Segments that a run fills several of. Hundreds of days opened at once do not fit one.
const SHORT: u64 = 32_768;

/// Small enough that snapshots and files of request ids come and go in a short run.
pub(crate) fn limits() -> Limits {
    Limits { snapshot_every: 40, generation_ids: 12, file_ids: 100, ..Limits::default() }
}

fn dir() -> &'static Path {
    Path::new("/data")
}

/// See the module.
pub(crate) struct Single {
    disk: SimDisk,
    entropy: Arc<SeededEntropy>,
    segment_len: u64,
    engine: Option<SyncEngine>,
    pub(crate) follower: Follower,
    /// A fault was set since the disk was restarted, so that the engine may fail.
    excused: bool,
    sync_fails: bool,
    pub(crate) has_room: bool,
    /// It was stopped cleanly, so that the anchor reaches the end of the log.
    is_anchored: bool,
}

impl Single {
    pub(crate) fn new(rng: &mut Rng, disk: SimDisk, follower: Follower) -> Self {
        Self {
            disk,
            entropy: Arc::new(SeededEntropy::new(rng.next_u64())),
            segment_len: [SHORT, 131_072][rng.index(2)],
            engine: None,
            follower,
            excused: false,
            sync_fails: false,
            has_room: true,
            is_anchored: false,
        }
    }

    /// Whether it runs, and whether it has failed.
    pub(crate) fn runs(&self) -> Option<bool> {
        self.engine.as_ref().map(|engine| engine.failed().is_none())
    }

    /// Whether so many days may be opened at once.
    pub(crate) const fn may_leap(&self) -> bool {
        self.segment_len > SHORT
    }

    fn open(
        &self,
        disk: &SimDisk,
        clock: &SimClock,
    ) -> Result<(SyncEngine, Recovery), EngineError> {
        let disk: Arc<dyn Disk> = Arc::new(disk.clone());
        let options = JournalOptions {
            segment_len: self.segment_len,
            create: Some(LOG),
            known: known_frames(&*disk, dir()),
            background: false,
            ..JournalOptions::default()
        };
        let (journal, recovery) = Journal::open(Arc::clone(&disk), &dir().join("log"), options)?;
        let clock: Arc<dyn Clock> = Arc::new(clock.clone());
        let mut options = EngineOptions::new(Box::new(journal), disk, clock);
        options.entropy = Arc::clone(&self.entropy) as Arc<dyn Entropy>;
        options.limits = limits();
        Ok((SyncEngine::open(options, dir())?, recovery))
    }

    /// Does one step.
    ///
    /// # Errors
    /// What is wrong.
    pub(crate) fn apply(&mut self, step: &Step, around: &mut Around) -> Result<(), String> {
        match step {
            Step::Ask { frames, .. } => self.with_engine(around, |engine, follower, around| {
                serve::ask(engine, follower, around, frames)
            }),
            Step::Days { limit, most, .. } => {
                self.with_engine(around, |engine, follower, around| {
                    serve::run_days(engine, follower, around, (*limit, *most))
                })
            }
            Step::DiskStops { calls } => {
                self.excused = true;
                self.disk.stop_at_step(*calls);
                Ok(())
            }
            Step::SyncFails { syncs } => {
                (self.excused, self.sync_fails) = (true, true);
                self.disk.fail_sync(*syncs);
                Ok(())
            }
            Step::DiskRoom(room) => {
                self.excused |= room.is_some();
                self.has_room = room.is_none();
                self.disk.set_room(room.map(|room| self.disk.used() + room));
                Ok(())
            }
            Step::Start { stop, cut } => self.start(*stop, *cut, around),
            Step::End { clean, cut, .. } => self.end(*clean, *cut, around),
            Step::Vandalise { file, harm, .. } if self.engine.is_none() => {
                vandalise(&self.disk, *file, *harm, around);
                Ok(())
            }
            Step::Flip { file, bit } if self.engine.is_none() => self.flip(*file, *bit, around),
            Step::CutTail { bytes } if self.engine.is_none() => self.cut_tail(*bytes, around),
            Step::Check { .. } => self.check(around, false),
            _ => Ok(()),
        }
    }

    fn with_engine(
        &mut self,
        around: &mut Around,
        act: impl FnOnce(&mut SyncEngine, &mut Follower, &mut Around) -> Result<(), String>,
    ) -> Result<(), String> {
        let Some(engine) = &mut self.engine else { return Ok(()) };
        if engine.failed().is_some() {
            return Ok(());
        }
        act(engine, &mut self.follower, around)?;
        match engine.failed() {
            Some(error) if !self.excused => Err(format!("the engine has failed: {error}")),
            _ => Ok(()),
        }
    }

    fn start(&mut self, stop: Option<u64>, cut: Cut, around: &mut Around) -> Result<(), String> {
        if self.engine.is_some() {
            return Ok(());
        }
        self.is_anchored = false;
        if let Some(calls) = stop {
            self.excused = true;
            self.disk.stop_at_step(calls);
        }
        match self.open(&self.disk, &around.clock) {
            Ok((engine, recovery)) if !self.disk.is_stopped() => {
                around.tally.torn_tails += u64::from(recovery.torn_bytes > 0);
                around.tally.from_snapshot += u64::from(engine.recovery().snapshot.0 > 0);
                let (reader, follower) = (engine.reader(), &mut self.follower);
                around.observe(|around| {
                    follower.still_there(&*reader)?;
                    follower.take_all(&*reader, &around.clients)
                })?;
                if let Some(rows) = engine.rows() {
                    self.follower.same_state(rows)?;
                }
                self.engine = Some(engine);
                Ok(())
            }
            Ok(_) => {
                self.restart(cut, around);
                Ok(())
            }
            Err(_) if self.disk.is_stopped() || !self.has_room || self.sync_fails => {
                self.restart(cut, around);
                Ok(())
            }
            Err(error) => Err(format!("it does not open: {error}")),
        }
    }

    fn restart(&mut self, cut: Cut, around: &mut Around) {
        self.engine = None;
        self.disk.set_room(None);
        self.disk.restart(cut);
        (self.excused, self.sync_fails, self.has_room) = (false, false, true);
        around.tally.crashes += 1;
    }

    fn end(&mut self, clean: bool, cut: Cut, around: &mut Around) -> Result<(), String> {
        let Some(engine) = self.engine.take() else { return Ok(()) };
        let failed = engine.failed();
        around.tally.failed_syncs += u64::from(self.sync_fails && failed.is_some());
        if clean && failed.is_none() {
            let stopped = engine.stop();
            self.is_anchored = stopped.is_ok();
            if let Err(error) = stopped
                && !self.excused
            {
                return Err(format!("it does not stop: {error}"));
            }
            around.tally.stops += 1;
        }
        self.restart(cut, around);
        around.tally.crashes -= u64::from(clean);
        Ok(())
    }

    /// Faults end, the node is started where it is down.
    pub(crate) fn check(&mut self, around: &mut Around, last: bool) -> Result<(), String> {
        if self.excused || self.runs() != Some(true) {
            match self.engine {
                Some(_) => self.end(false, Cut::Process, around)?,
                None => self.restart(Cut::Process, around),
            }
            self.start(None, Cut::Process, around)?;
        }
        let Some(engine) = &mut self.engine else { return Err("it does not start".to_owned()) };
        serve::check(engine, &mut self.follower, around, last)
    }

    /// The log, for a reader of its own.
    pub(crate) fn reader(&self) -> Option<Arc<dyn LogReader>> {
        self.engine.as_ref().map(SyncEngine::reader)
    }

    /// Files under some folders, in order.
    fn files(&self, folders: &[&str]) -> Vec<PathBuf> {
        files(&self.disk, folders)
    }

    /// A bit of what cannot be made anew flips: that is noticed, or nothing is wrong.
    fn flip(&mut self, file: u64, bit: u64, around: &mut Around) -> Result<(), String> {
        let files = self.files(&["log", "keys"]);
        let Some(path) = pick(&files, file) else { return Ok(()) };
        let copy = self.disk.copy(bit);
        let bytes = copy.bytes(path).unwrap_or_default();
        let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 9);
        let bits = used.min(bytes.len()) as u64 * 8;
        if bits == 0 {
            return Ok(());
        }
        copy.flip_bit(path, bit % bits);
        around.tally.bit_flips += 1;
        let what = format!("bit {} of {}", bit % bits, path.display());
        match self.open(&copy, &around.clock) {
            Err(error) if harmless(&error) => Err(format!("{what}: opening says {error}")),
            Err(_) => {
                around.tally.flips_refused += 1;
                Ok(())
            }
            Ok((engine, _)) => {
                self.still_whole(&engine, 0).map_err(|e| format!("{what}, not noticed: {e}"))
            }
        }
    }

    /// The log loses its end: what is left is a part of what was there, or it is noticed.
    fn cut_tail(&mut self, bytes: u64, around: &mut Around) -> Result<(), String> {
        let mut files = self.files(&["log"]);
        files.retain(|path| path.extension().is_some_and(|end| end == "seg"));
        files.retain(|path| !path.ends_with("spare.seg"));
        let Some(path) = files.last() else { return Ok(()) };
        let copy = self.disk.copy(bytes);
        let mut left = copy.bytes(path).unwrap_or_default();
        let used = left.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
        left.truncate(used.saturating_sub(usize::try_from(bytes).unwrap_or(usize::MAX)));
        copy.set_bytes(path, left);
        around.tally.tails_cut += 1;
        match self.open(&copy, &around.clock) {
            Err(error) if harmless(&error) => Err(format!("cut by {bytes}: opening says {error}")),
            Err(_) => {
                around.tally.cuts_refused += 1;
                Ok(())
            }
            Ok(_) if self.is_anchored => {
                Err(format!("cut by {bytes} after a clean stop, and not noticed"))
            }
            Ok((engine, _)) => {
                self.still_whole(&engine, usize::MAX).map_err(|e| format!("cut by {bytes}: {e}"))
            }
        }
    }

    /// The log of a copy is the one that was read, but for so many frames at its end at most; its
    /// state is the log's, and every detail opens.
    fn still_whole(&self, engine: &SyncEngine, may_lose: usize) -> Result<(), String> {
        let reader = engine.reader();
        if may_lose == 0 {
            self.follower.still_there(&*reader)?;
        }
        let sure = self.follower.frames.len().saturating_sub(may_lose);
        for (at, known) in self.follower.frames.iter().enumerate() {
            let number = known.header().number;
            match reader.read(number).map_err(|e| e.to_string())? {
                Some(frame) if frame == *known => {}
                // The next writer's first frame stands where the lost ones were.
                Some(frame) if at < sure || !is_opening(&frame) => {
                    return Err(format!("frame {number} is another one"));
                }
                None if at < sure => return Err(format!("frame {number} is gone")),
                _ => break,
            }
        }
        let replayed = serve::replay(&*reader)?;
        let rows = engine.rows().ok_or("the engine has failed")?;
        if format!("{:?}", replayed.rows()) != format!("{rows:?}") {
            return Err("the state is not the one that the log makes".to_owned());
        }
        serve::details_open(engine)
    }
}

/// Whether a frame holds nothing but that a writer took the log over.
fn is_opening(frame: &encours_log::Frame) -> bool {
    frame.header().event_count <= 2
        && frame.commands().all(|(command, _)| command.actor == "system")
}

/// Errors that say nothing about damage.
fn harmless(error: &EngineError) -> bool {
    matches!(error, EngineError::Fault(_) | EngineError::Fenced { .. })
        || matches!(error, EngineError::Log(error) if error.is_full() || error.is_unavailable())
}

fn pick(files: &[PathBuf], at: u64) -> Option<&PathBuf> {
    let len = files.len() as u64;
    files.get(usize::try_from(at.checked_rem(len)?).unwrap_or_default())
}

/// Files under some folders, in order.
fn files(disk: &SimDisk, folders: &[&str]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in folders.iter().map(|folder| dir().join(folder)) {
        let names = disk.list(&folder).unwrap_or_default();
        let lasting = names.into_iter().filter(|name| name != "lock");
        files.extend(lasting.map(|name| folder.join(name)));
    }
    files
}

/// Damages or removes a file that can be made anew from the log.
pub(crate) fn vandalise(disk: &SimDisk, file: u64, harm: Harm, around: &mut Around) {
    let files = files(disk, &["snapshots", "requests"]);
    let Some(path) = pick(&files, file) else { return };
    match harm {
        Harm::Lost => {
            disk.lose(path);
            around.tally.files_lost += 1;
        }
        Harm::Flipped(bit) => {
            let bits = disk.bytes(path).unwrap_or_default().len() as u64 * 8;
            if let Some(bit) = bit.checked_rem(bits) {
                disk.flip_bit(path, bit);
                around.tally.bit_flips += 1;
            }
        }
    }
}
