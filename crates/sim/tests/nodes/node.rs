//! One node: its disk, its copy of the log, and what it is just now.

use std::path::Path;
use std::sync::Arc;

use encours_engine::{EngineError, Limits, Standby, StandbyOptions, SyncEngine};
use encours_log::{Clock, Disk, EventLog};
use encours_sim::{Cut, Rng, SimClock, SimCopy, SimDisk, SimStream};

use super::SeededEntropy;

/// What a node is.
enum Role {
    Follows(Box<Standby>),
    Leads(Box<SyncEngine>),
}

/// See the module.
pub(super) struct Node {
    disk: SimDisk,
    copy: SimCopy,
    entropy: Arc<SeededEntropy>,
    /// `None` while it is down.
    role: Option<Role>,
}

impl Node {
    pub(super) fn new(stream: &SimStream, seed: u64, entropy: Arc<SeededEntropy>) -> Self {
        Self { disk: SimDisk::new(seed), copy: stream.copy(), entropy, role: None }
    }

    /// The engine, where the node believes that it leads.
    pub(super) fn engine(&mut self) -> Option<&mut SyncEngine> {
        match &mut self.role {
            Some(Role::Leads(engine)) => Some(engine),
            _ => None,
        }
    }

    /// Takes the standby, opening it where the node is down. `None` where it leads.
    fn standby(&mut self) -> Option<Box<Standby>> {
        match self.role.take() {
            Some(Role::Follows(standby)) => Some(standby),
            Some(leads) => {
                self.role = Some(leads);
                None
            }
            None => {
                let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
                let limits = Limits {
                    snapshot_every: 40,
                    generation_ids: 12,
                    file_ids: 100,
                    ..Limits::default()
                };
                let entropy = Arc::clone(&self.entropy);
                let options = StandbyOptions { reader: self.copy.reader(), disk, entropy, limits };
                self.copy.forget_keys();
                Some(Box::new(Standby::open(options, Path::new("/data")).unwrap()))
            }
        }
    }

    /// Brings in what comes, at most so many frames, and folds it.
    pub(super) fn follow(&mut self, frames: usize) {
        let Some(mut standby) = self.standby() else { return };
        self.copy.pull(frames, |body| standby.add_keys(body)).unwrap();
        let last = standby.follow().unwrap();
        assert_eq!(last.next(), self.copy.reader().tail().next_position);
        self.role = Some(Role::Follows(standby));
    }

    /// Takes over, where it does not lead; `stale` without bringing in all there is. Says whether it
    /// leads then.
    pub(super) fn lead(&mut self, window: usize, clock: &SimClock, stale: bool) -> bool {
        if !stale {
            self.follow(usize::MAX);
        }
        let Some(standby) = self.standby() else { return false };
        let keys = standby.keys();
        let log: Box<dyn EventLog> = Box::new(self.copy.writer(window));
        let clock: Arc<dyn Clock> = Arc::new(clock.clone());
        match SyncEngine::lead(*standby, log, clock) {
            Ok(engine) => {
                assert!(Arc::ptr_eq(&keys, &engine.keys()), "another store of keys");
                self.role = Some(Role::Leads(Box::new(engine)));
                true
            }
            Err(error) => {
                let log = matches!(&error, EngineError::Log(error) if error.is_full());
                let passes = error.is_fenced() || error.is_unavailable() || log;
                // A node that has not seen the keys yet cannot go on from the frames it has.
                assert!(passes || (stale && matches!(error, EngineError::Keys(_))), "{error}");
                false
            }
        }
    }

    /// Drops what it is; what is on its disk stays.
    pub(super) fn step_down(&mut self) {
        self.role = None;
    }

    /// Ends, cleanly or by a cut.
    pub(super) fn crash(&mut self, clean: bool, rng: &mut Rng) {
        match self.role.take() {
            Some(Role::Follows(standby)) if clean => standby.close().unwrap(),
            // The last housekeeping needs no server.
            Some(Role::Leads(engine)) if clean => engine.stop().unwrap(),
            _ => {}
        }
        self.disk.restart(if rng.one_in(2) { Cut::Process } else { Cut::Power });
    }
}
