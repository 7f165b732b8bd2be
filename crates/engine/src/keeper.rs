//! The background step: writes snapshots and request ids, merges and repairs their files.
//!
//! Nothing here is needed for correctness: a failure is a warning and costs time at the next start.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use encours_domain::Position;
use encours_log::{Disk, LogReader};
use tracing::{info, warn};

use crate::error::EngineError;
use crate::past::ids_between;
use crate::requests::{Generation, IdFileError, IdFiles, Lookup};
use crate::snapshot::{Snapshot, Snapshots};

/// Something to be done in the background.
pub(crate) enum Job {
    /// Write these request ids to a file.
    RequestIds(Arc<Generation>),
    /// Write this snapshot.
    Snapshot(Box<Snapshot>),
    /// Try again what could not be written.
    Retry,
    /// A file of request ids is damaged: check all, and make the damaged ones anew.
    Repair,
}

/// The folders beside the log that can be made anew from it.
pub(crate) struct Keeper {
    log: Arc<dyn LogReader>,
    ids: IdFiles,
    /// Not written yet, oldest first. Bounded: the index takes no new ids when eight wait.
    unwritten: VecDeque<Arc<Generation>>,
    pub(crate) snapshots: Snapshots,
}

impl Keeper {
    /// Opens `snapshots/` and `requests/` below `dir`.
    pub(crate) fn open(
        disk: &Arc<dyn Disk>,
        dir: &Path,
        log: Arc<dyn LogReader>,
        file_ids_max: usize,
    ) -> Result<Self, EngineError> {
        let tail = log.tail();
        let durable = Position(tail.next_position.0 - 1);
        let snapshots = Snapshots::open(Arc::clone(disk), dir.join("snapshots"), log.log_id())?;
        let ids = IdFiles::open(
            Arc::clone(disk),
            dir.join("requests"),
            log.log_id(),
            durable,
            file_ids_max,
        )?;
        Ok(Self { log, ids, unwritten: VecDeque::new(), snapshots })
    }

    /// What request ids are looked up in that are not in memory.
    pub(crate) fn lookup(&self) -> Lookup {
        self.ids.lookup()
    }

    /// Does a job. Answers with the files to look ids up in, where they changed.
    pub(crate) fn run(&mut self, job: Job) -> Option<Lookup> {
        match job {
            Job::Snapshot(snapshot) => {
                let frame = snapshot.tail.number.0;
                match self.snapshots.write(&snapshot) {
                    Ok(bytes) => info!(frame, bytes, "snapshot written"),
                    Err(error) => warn!(frame, %error, "snapshot_failed"),
                }
                None
            }
            Job::RequestIds(generation) => {
                self.unwritten.push_back(generation);
                self.write_ids()
            }
            Job::Retry => self.write_ids(),
            Job::Repair => {
                if let Err(error) = self.repair() {
                    warn!(%error, "request_ids_failed");
                }
                Some(self.lookup())
            }
        }
    }

    fn write_ids(&mut self) -> Option<Lookup> {
        while let Some(generation) = self.unwritten.front() {
            let generation = Arc::clone(generation);
            if let Err(error) = self.add(&generation) {
                warn!(%error, waiting = self.unwritten.len(), "request_ids_failed");
                break;
            }
            self.unwritten.pop_front();
        }
        Some(self.lookup())
    }

    /// Writes a generation, unless the files have it already, and merges.
    pub(crate) fn add(&mut self, generation: &Generation) -> Result<(), IdFileError> {
        if self.ids.covers(generation) {
            return Ok(());
        }
        self.ids.add(generation)?;
        let log = Arc::clone(&self.log);
        self.ids.merge(&|first, last| ids_between(&*log, first, last))
    }

    fn repair(&mut self) -> Result<usize, IdFileError> {
        let log = Arc::clone(&self.log);
        self.ids.repair(&|first, last| ids_between(&*log, first, last))
    }
}
