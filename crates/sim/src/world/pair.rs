//! Two nodes over a log that a server keeps, which loses, delays and answers as it likes.

use std::path::Path;
use std::sync::Arc;

use encours_engine::{EngineError, Entropy, Standby, StandbyOptions, SyncEngine};
use encours_log::{Clock, Disk, EventLog, LogId, LogReader};

use super::follower::Follower;
use super::serve::{self, Around};
use super::single::{limits, vandalise};
use super::step::Step;
use crate::disk::{Cut, SimDisk};
use crate::entropy::SeededEntropy;
use crate::rng::Rng;
use crate::stream::{SimCopy, SimStream};

const LOG: LogId = LogId([0x44; 16]);

/// What a node is.
enum Role {
    Follows(Box<Standby>),
    Leads(Box<SyncEngine>),
}

/// One node: its disk, its copy of the log, and what it is just now.
struct Node {
    disk: SimDisk,
    copy: SimCopy,
    entropy: Arc<SeededEntropy>,
    follower: Follower,
    /// `None` while it is down.
    role: Option<Role>,
}

/// See the module.
pub(crate) struct Pair {
    stream: SimStream,
    nodes: Vec<Node>,
    window: usize,
}

impl Node {
    fn leads(&self) -> bool {
        matches!(self.role, Some(Role::Leads(_)))
    }

    /// Takes the standby, opening it where the node is down. `None` where it leads.
    fn standby(&mut self) -> Result<Option<Box<Standby>>, String> {
        match self.role.take() {
            Some(Role::Follows(standby)) => Ok(Some(standby)),
            Some(leads) => {
                self.role = Some(leads);
                Ok(None)
            }
            None => {
                let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
                let entropy = Arc::clone(&self.entropy) as Arc<dyn Entropy>;
                let reader = self.copy.reader();
                let options = StandbyOptions { reader, disk, entropy, limits: limits() };
                self.copy.forget_keys();
                let standby = Standby::open(options, Path::new("/data"));
                Ok(Some(Box::new(standby.map_err(|e| format!("it does not open: {e}"))?)))
            }
        }
    }

    /// Brings in what comes, at most so many frames, and folds it.
    fn follow(&mut self, frames: usize, around: &Around) -> Result<(), String> {
        let Some(mut standby) = self.standby()? else { return Ok(()) };
        let pulled = self.copy.pull(frames, |body| standby.add_keys(body));
        pulled.map_err(|e| format!("keys do not come in: {e}"))?;
        let last = standby.follow().map_err(|e| format!("it does not follow: {e}"))?;
        let reader = self.copy.reader();
        if last.next() != reader.tail().next_position {
            return Err(format!("it followed to {last} of {}", reader.tail().next_position));
        }
        self.role = Some(Role::Follows(standby));
        self.follower.take_all(&*reader, &around.clients)
    }

    /// Takes over, where it does not lead; `stale` without bringing in all there is. Says whether it
    /// leads then.
    fn lead(&mut self, window: usize, stale: bool, around: &mut Around) -> Result<bool, String> {
        if !stale {
            self.follow(usize::MAX, around)?;
        }
        let Some(standby) = self.standby()? else { return Ok(false) };
        let keys = standby.keys();
        let log: Box<dyn EventLog> = Box::new(self.copy.writer(window));
        let clock: Arc<dyn Clock> = Arc::new(around.clock.clone());
        match SyncEngine::lead(*standby, log, clock) {
            Ok(engine) => {
                if !Arc::ptr_eq(&keys, &engine.keys()) {
                    return Err("it leads with another store of keys".to_owned());
                }
                self.follower.take_all(&*engine.reader(), &around.clients)?;
                self.role = Some(Role::Leads(Box::new(engine)));
                Ok(true)
            }
            Err(error) => {
                let log = matches!(&error, EngineError::Log(error) if error.is_full());
                let passes = error.is_fenced() || error.is_unavailable() || log;
                // A node that has not seen the keys yet cannot go on from the frames it has.
                if passes || (stale && matches!(error, EngineError::Keys(_))) {
                    return Ok(false);
                }
                Err(format!("it does not take over: {error}"))
            }
        }
    }

    fn with_engine(
        &mut self,
        around: &mut Around,
        act: impl FnOnce(&mut SyncEngine, &mut Follower, &mut Around) -> Result<(), String>,
    ) -> Result<(), String> {
        let Some(Role::Leads(engine)) = &mut self.role else { return Ok(()) };
        act(engine, &mut self.follower, around)?;
        let Some(error) = engine.failed() else { return Ok(()) };
        around.tally.fenced += u64::from(error.is_fenced());
        around.tally.unavailable += u64::from(error.is_unavailable());
        self.role = None;
        if error.is_fenced() || error.is_unavailable() {
            return Ok(());
        }
        Err(format!("the engine has failed: {error}"))
    }

    fn end(&mut self, clean: bool, cut: Cut, around: &mut Around) -> Result<(), String> {
        let stopped = match self.role.take() {
            Some(Role::Follows(standby)) if clean => standby.close(),
            // The last housekeeping needs no server.
            Some(Role::Leads(engine)) if clean => engine.stop(),
            _ => Ok(()),
        };
        stopped.map_err(|error| format!("it does not stop: {error}"))?;
        self.disk.restart(cut);
        around.tally.crashes += u64::from(!clean);
        around.tally.stops += u64::from(clean);
        Ok(())
    }
}

impl Pair {
    pub(crate) fn new(rng: &mut Rng, mut follower: impl FnMut() -> Follower) -> Self {
        let stream = SimStream::new(LOG, rng.next_u64());
        let mut secrets = rng.next_u64();
        let mut node = || {
            // Each draws its own: a key that both make is two keys, and ids never meet.
            secrets = !secrets;
            Node {
                disk: SimDisk::new(rng.next_u64()),
                copy: stream.copy(),
                entropy: Arc::new(SeededEntropy::new(secrets)),
                follower: follower(),
                role: None,
            }
        };
        let nodes = vec![node(), node()];
        Self { stream, nodes, window: [1, 4, 8][rng.index(3)] }
    }

    /// Whether a node leads, as far as it knows.
    pub(crate) fn leads(&self, node: usize) -> bool {
        self.nodes[node].leads()
    }

    /// Whether a node is down.
    pub(crate) fn is_down(&self, node: usize) -> bool {
        self.nodes[node].role.is_none()
    }

    /// What a node has seen.
    pub(crate) fn follower(&self, node: usize) -> &Follower {
        &self.nodes[node].follower
    }

    /// Does one step.
    ///
    /// # Errors
    /// What is wrong.
    pub(crate) fn apply(&mut self, step: &Step, around: &mut Around) -> Result<(), String> {
        match step {
            Step::Ask { node, frames } => self.nodes[*node]
                .with_engine(around, |engine, follower, around| {
                    serve::ask(engine, follower, around, frames)
                }),
            Step::Days { node, limit, most } => {
                self.nodes[*node].with_engine(around, |engine, follower, around| {
                    serve::run_days(engine, follower, around, (*limit, *most))
                })
            }
            Step::Weather { faults, away, room } => {
                self.stream.set_faults(*faults);
                self.stream.go_away(*away);
                self.stream.set_room(*room);
                Ok(())
            }
            Step::Follow { node, frames } => self.nodes[*node].follow(*frames, around),
            Step::Lead { node, stale } => {
                let leads = self.nodes[*node].lead(self.window, *stale, around)?;
                around.tally.takeovers += u64::from(leads);
                Ok(())
            }
            Step::Drop { node } => {
                self.nodes[*node].role = None;
                Ok(())
            }
            Step::End { node, clean, cut } => self.nodes[*node].end(*clean, *cut, around),
            Step::Vandalise { node, file, harm } if self.is_down(*node) => {
                vandalise(&self.nodes[*node].disk, *file, *harm, around);
                Ok(())
            }
            Step::Check { node } => self.check(*node, around, false),
            _ => Ok(()),
        }
    }

    /// The weather clears, a node takes over, and after it the other one.
    pub(crate) fn check(
        &mut self,
        node: usize,
        around: &mut Around,
        last: bool,
    ) -> Result<(), String> {
        self.stream.heal();
        for at in [node, 1 - node] {
            self.nodes[at].role = None;
            if !self.nodes[at].lead(self.window, false, around)? {
                return Err(format!("node {at} does not take over, though nothing is wrong"));
            }
            self.nodes[at].with_engine(around, |engine, follower, around| {
                serve::check(engine, follower, around, last)
            })?;
            if !self.nodes[at].leads() {
                return Err(format!("node {at} has failed, though nothing is wrong"));
            }
        }
        Ok(())
    }

    /// The log, for a reader of its own, and the follower that has seen it.
    pub(crate) fn reader(&self, node: usize) -> Arc<dyn LogReader> {
        self.nodes[node].copy.reader()
    }
}
