//! The engine on the caller's thread: every step in a fixed order.
//!
//! For the simulation, which repeats a run exactly from its seed, and for tools that work on a log
//! alone. Same writer, same log side, same background step as [`Engine`](crate::Engine).

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use encours_domain::state::Rows;
use encours_log::{Clock, EventLog, LogReader};

use crate::core::{Answer, Settled, Ticket};
use crate::error::EngineError;
use crate::keeper::{Job, Keeper};
use crate::keys::KeyStore;
use crate::log_side::{LogSide, Outcome};
use crate::patience::Patience;
use crate::recover::RecoveryReport;
use crate::standby::Standby;
use crate::submission::{Denied, Reply, Submission};
use crate::writer::{EngineOptions, Opened, Writer};

/// The engine on one thread.
pub struct SyncEngine {
    /// `None` once the engine has failed.
    writer: Option<Writer>,
    log: LogSide,
    keeper: Keeper,
    keys: Arc<KeyStore>,
    clock: Arc<dyn Clock>,
    report: RecoveryReport,
    reader: Arc<dyn LogReader>,
    answers: BTreeMap<Ticket, Answer>,
    tickets: u64,
    failed: Option<Arc<EngineError>>,
}

impl SyncEngine {
    /// Opens the engine over a log and the folder `dir`.
    ///
    /// # Errors
    /// [`EngineError`] where log, keys or folders cannot be used.
    pub fn open(options: EngineOptions, dir: &Path) -> Result<Self, EngineError> {
        let clock = Arc::clone(&options.clock);
        let patience = Patience::without_pause(Arc::clone(&clock));
        Self::start(Writer::open(options, dir, patience)?, clock)
    }

    /// As [`Standby::lead`], on the caller's thread.
    ///
    /// # Errors
    /// As those of [`Standby::lead`].
    pub fn lead(
        standby: Standby,
        log: Box<dyn EventLog>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, EngineError> {
        let patience = Patience::without_pause(Arc::clone(&clock));
        Self::start(Writer::lead(standby, log, &clock, patience)?, clock)
    }

    fn start(opened: Opened, clock: Arc<dyn Clock>) -> Result<Self, EngineError> {
        let Opened { writer, log, keeper, keys, report } = opened;
        let reader = writer.reader();
        let mut engine = Self {
            writer: Some(writer),
            log,
            keeper,
            keys,
            clock,
            report,
            reader,
            answers: BTreeMap::new(),
            tickets: 0,
            failed: None,
        };
        engine.commit_all()?;
        Ok(engine)
    }

    /// Decides a command and makes it durable.
    ///
    /// # Errors
    /// [`Denied`]; after [`Denied::OutcomeUnknown`] see [`failed`](Self::failed).
    pub fn execute(&mut self, submission: Submission) -> Result<Reply, Denied> {
        self.execute_all(vec![submission]).pop().unwrap_or(Err(Denied::OutcomeUnknown))
    }

    /// Decides commands in order, committing them together where they fit one frame.
    pub fn execute_all(&mut self, submissions: Vec<Submission>) -> Vec<Result<Reply, Denied>> {
        self.execute_in_frames(vec![submissions])
    }

    /// Decides commands in order, each group in a frame of its own while the log's window is open: so
    /// several frames are on their way at once.
    pub fn execute_in_frames(
        &mut self,
        frames: Vec<Vec<Submission>>,
    ) -> Vec<Result<Reply, Denied>> {
        let first = self.tickets + 1;
        for group in frames {
            for submission in group {
                self.tickets += 1;
                if self.failed.is_none()
                    && let Err(error) = self.offer(Ticket(self.tickets), submission)
                {
                    self.fail(error);
                }
            }
            if self.failed.is_none()
                && let Err(error) = self.send()
            {
                self.fail(error);
            }
        }
        if self.failed.is_none()
            && let Err(error) = self.commit_all()
        {
            self.fail(error);
        }
        (first..=self.tickets)
            .map(|number| {
                let none =
                    if self.failed.is_some() { Denied::Stopping } else { Denied::OutcomeUnknown };
                self.answers.remove(&Ticket(number)).unwrap_or(Err(none))
            })
            .collect()
    }

    /// Opens the days that the clock has come to.
    ///
    /// # Errors
    /// [`EngineError`] where the engine has failed; it stays so.
    pub fn open_days(&mut self) -> Result<(), Arc<EngineError>> {
        let opened = self.open_due_days().and_then(|()| self.commit_all());
        if let Err(error) = opened {
            self.fail(error);
        }
        self.failed.clone().map_or(Ok(()), Err)
    }

    /// How many appends had an outcome that was not known at first.
    #[must_use]
    pub fn ambiguous(&self) -> u64 {
        self.log.patience.doubts.count()
    }

    /// Why the engine does nothing any more, where it has failed.
    #[must_use]
    pub fn failed(&self) -> Option<Arc<EngineError>> {
        self.failed.clone()
    }

    /// The rows of the state: durable whenever no method is under way. `None` after a failure.
    #[must_use]
    pub fn rows(&self) -> Option<&Rows> {
        self.writer.as_ref().map(|writer| writer.core.rows())
    }

    /// The keys of customers.
    #[must_use]
    pub fn keys(&self) -> Arc<KeyStore> {
        Arc::clone(&self.keys)
    }

    /// A reading end of the log.
    #[must_use]
    pub fn reader(&self) -> Arc<dyn LogReader> {
        Arc::clone(&self.reader)
    }

    /// What opening had to do.
    #[must_use]
    pub const fn recovery(&self) -> RecoveryReport {
        self.report
    }

    /// Checks the files of request ids in full, and makes damaged ones anew from the log. Done by
    /// itself after a [`Denied::Unavailable`].
    pub fn repair_request_ids(&mut self) {
        if let Some(lookup) = self.keeper.run(Job::Repair)
            && let Some(writer) = &mut self.writer
        {
            writer.core.requests_mut().written(lookup);
        }
    }

    /// Ends cleanly: request ids and a snapshot are written, the log is closed.
    ///
    /// # Errors
    /// [`EngineError`] where closing the log fails.
    pub fn stop(mut self) -> Result<(), EngineError> {
        if let Some(writer) = &mut self.writer {
            let (generation, snapshot) = writer.core.parting();
            if let Some(generation) = generation {
                self.keeper.run(Job::RequestIds(generation));
            }
            if let Some(snapshot) = snapshot {
                self.keeper.run(Job::Snapshot(Box::new(snapshot)));
            }
        }
        self.log.close()
    }

    fn offer(&mut self, ticket: Ticket, submission: Submission) -> Result<(), EngineError> {
        self.open_due_days()?;
        let is_full = self.is_full()?;
        let now = self.clock.now();
        let Some(writer) = &mut self.writer else { return Ok(()) };
        if let Some(answer) = writer.offer(ticket, submission, now, is_full)? {
            if matches!(answer, Err(Denied::Unavailable { .. })) {
                self.repair_request_ids();
            }
            self.answers.insert(ticket, answer);
        }
        Ok(())
    }

    fn is_full(&self) -> Result<bool, EngineError> {
        match self.log.admits() {
            Ok(()) => Ok(false),
            Err(error) if error.is_full() => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens due days, where the log has room for them, and leaves room for a command.
    fn open_due_days(&mut self) -> Result<(), EngineError> {
        loop {
            let (now, is_full) = (self.clock.now(), self.is_full()?);
            let Some(writer) = &mut self.writer else { return Ok(()) };
            if (is_full || !writer.open_days(now)?) && writer.core.has_room() {
                return Ok(());
            }
            if !self.commit_one()? {
                return Ok(());
            }
        }
    }

    fn commit_all(&mut self) -> Result<(), EngineError> {
        while self.commit_one()? {}
        Ok(())
    }

    /// Sends what is drafted where the window is open.
    fn send(&mut self) -> Result<(), EngineError> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        while self.log.has_window()
            && let Some(work) = writer.core.take_frame()?
        {
            self.log.submit(work);
        }
        Ok(())
    }

    /// Sends what is drafted and settles one frame; `false` where there is nothing left to do.
    fn commit_one(&mut self) -> Result<bool, EngineError> {
        self.send()?;
        let Some(writer) = &mut self.writer else { return Ok(false) };
        match self.log.settle() {
            None => Ok(false),
            Some(Outcome::Durable(number)) => {
                let settled = writer.core.settled(number)?;
                self.settled(settled);
                self.log.maintain()?;
                Ok(true)
            }
            Some(Outcome::Full) => {
                let Some(writer) = self.writer.take() else { return Ok(false) };
                let (writer, abandoned) = writer.restart(&mut self.keeper)?;
                self.writer = Some(writer);
                for ticket in abandoned.in_flight.into_iter().chain(abandoned.drafted) {
                    self.answers.insert(ticket, Err(Denied::LogFull));
                }
                self.log.maintain()?;
                Ok(false)
            }
            Some(Outcome::Stop(error)) => Err(error),
        }
    }

    fn settled(&mut self, settled: Settled) {
        self.answers.extend(settled.answers);
        let jobs = [
            settled.generation.map(Job::RequestIds),
            settled.snapshot.map(|snapshot| Job::Snapshot(Box::new(snapshot))),
        ];
        for job in jobs.into_iter().flatten() {
            if let Some(lookup) = self.keeper.run(job)
                && let Some(writer) = &mut self.writer
            {
                writer.core.requests_mut().written(lookup);
            }
        }
    }

    fn fail(&mut self, error: EngineError) {
        self.failed.get_or_insert_with(|| Arc::new(error));
        let Some(writer) = self.writer.take() else { return };
        let abandoned = writer.core.abandon();
        for ticket in abandoned.in_flight {
            self.answers.insert(ticket, Err(Denied::OutcomeUnknown));
        }
        for ticket in abandoned.drafted {
            self.answers.insert(ticket, Err(Denied::Stopping));
        }
    }
}
