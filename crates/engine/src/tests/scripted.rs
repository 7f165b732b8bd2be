//! A log kept by servers that do what a script says.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use encours_log::{
    AppendOutcome, ChainError, EventLog, Frame, FrameNumber, LogError, LogId, LogReader, MemoryLog,
    OsDisk, Seen, Tail,
};

use super::support::*;
use crate::entropy::SystemEntropy;
use crate::{EngineError, EngineOptions, Standby, StandbyOptions, SyncEngine};

/// What an append comes to.
#[derive(Clone, Copy)]
pub(super) enum Append {
    Lost,
    Unanswered,
    Unaccepted,
    Full,
}

/// What the servers do next, and what they have seen.
#[derive(Default)]
pub(super) struct Script {
    /// Empty: stored and answered.
    pub(super) appends: VecDeque<Append>,
    /// Questions and keys that find nobody.
    pub(super) silent: u32,
    /// Keys of somebody else have come before ours.
    pub(super) keys_taken: bool,
    pub(super) keys: Vec<Vec<u8>>,
    pub(super) seen: Vec<String>,
}

#[derive(Clone)]
pub(super) struct ScriptedLog {
    log: Arc<Mutex<MemoryLog>>,
    script: Arc<Mutex<Script>>,
    in_flight: VecDeque<(Frame, Option<Append>)>,
    window: usize,
}

impl ScriptedLog {
    pub(super) fn new() -> Self {
        let log = Arc::new(Mutex::new(MemoryLog::new(LOG_ID)));
        Self { log, script: Arc::default(), in_flight: VecDeque::new(), window: 4 }
    }

    pub(super) fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap()
    }

    fn store(&self, frame: Frame) -> AppendOutcome {
        let mut log = self.log.lock().unwrap();
        log.submit(frame);
        log.settle().unwrap().1
    }

    pub(super) fn open(&self, dir: &Path) -> SyncEngine {
        let clock = HandClock::at("2026-03-10T12:00:00Z");
        let log = Box::new(self.clone());
        SyncEngine::open(EngineOptions::new(log, Arc::new(OsDisk), clock), dir).unwrap()
    }

    pub(super) fn standby(&self, dir: &Path) -> Standby {
        let (reader, entropy) = (self.reader(), Arc::new(SystemEntropy));
        let disk = Arc::new(OsDisk);
        let limits = crate::Limits::default();
        Standby::open(StandbyOptions { reader, disk, entropy, limits }, dir).unwrap()
    }

    pub(super) fn lead(&self, standby: Standby) -> Result<SyncEngine, EngineError> {
        let clock = HandClock::at("2026-03-10T12:00:00Z");
        SyncEngine::lead(standby, Box::new(self.clone()), clock)
    }
}

fn away() -> LogError {
    LogError::Unavailable { doing: "publish".into(), why: "no answer".into() }
}

impl EventLog for ScriptedLog {
    fn log_id(&self) -> LogId {
        LOG_ID
    }

    fn tail(&self) -> Tail {
        self.log.lock().unwrap().tail()
    }

    fn window(&self) -> usize {
        self.window
    }

    fn admits(&self) -> Result<(), LogError> {
        Ok(())
    }

    fn submit(&mut self, frame: Frame) {
        assert!(self.in_flight.len() < self.window);
        let mut script = self.script();
        script.seen.push(format!("frame {}", frame.header().number));
        let append = script.appends.pop_front();
        drop(script);
        self.in_flight.push_back((frame, append));
    }

    fn settle(&mut self) -> Option<(FrameNumber, AppendOutcome)> {
        let (frame, append) = self.in_flight.pop_front()?;
        let number = frame.header().number;
        let outcome = match append {
            Some(Append::Lost) => AppendOutcome::Unknown(away()),
            Some(Append::Unanswered) => {
                self.store(frame);
                AppendOutcome::Unknown(away())
            }
            Some(Append::Unaccepted) => AppendOutcome::Rejected(away()),
            Some(Append::Full) => AppendOutcome::Rejected(LogError::Full { segment_len: 1 }),
            None if number > self.tail().number.next() => AppendOutcome::Unknown(away()),
            None if number <= self.tail().number => {
                AppendOutcome::Fenced { by: Some(self.tail().epoch) }
            }
            None => self.store(frame),
        };
        Some((number, outcome))
    }

    fn look(&mut self, frame: &Frame) -> Result<Seen, LogError> {
        let mut script = self.script();
        if script.silent > 0 {
            script.silent -= 1;
            return Err(away());
        }
        drop(script);
        Ok(match self.reader().read(frame.header().number)? {
            Some(stored) if stored.hash() == frame.hash() => Seen::Same,
            Some(stored) => Seen::Other { by: stored.header().epoch },
            None => Seen::Absent,
        })
    }

    fn wants_keys(&self) -> bool {
        self.script().keys.is_empty()
    }

    fn share_keys(&mut self, records: &[u8]) -> Result<(), LogError> {
        let mut script = self.script();
        if script.silent > 0 {
            script.silent -= 1;
            return Err(away());
        }
        if script.keys_taken {
            let frame = FrameNumber(1);
            return Err(LogError::NotNext { frame, source: ChainError::Previous });
        }
        script.keys.push(records.to_vec());
        script.seen.push(format!("{} bytes of keys", records.len()));
        Ok(())
    }

    fn maintain(&mut self) -> Result<(), LogError> {
        Err(away())
    }

    fn reader(&self) -> Arc<dyn LogReader> {
        self.log.lock().unwrap().reader()
    }

    fn close(&mut self) -> Result<(), LogError> {
        Ok(())
    }
}
