//! What the tests share: a settable clock, a log that can be held back.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use encours_domain::calendar::Calendar;
use encours_domain::commands::{
    CreateCustomer, CreateLedger, CreditUse, CustomerDetails, IssueCreditNote, IssueInvoice, Put,
    RecordPayment, Time, UpdateCustomer,
};
use encours_domain::dunning::Policy;
use encours_domain::event::Method;
use encours_domain::{Currency, Day, Id, Micros};
use encours_log::{
    AppendOutcome, Clock, EventLog, Frame, FrameNumber, LogError, LogId, LogReader, MemoryLog,
    OsDisk, Tail,
};

use crate::{EngineOptions, Limits, Submission, SyncEngine};

pub(super) const NAME: &str = "Zebulon Quartermaine";
pub(super) const LOG_ID: LogId = LogId([9; 16]);

/// A clock that stands where it was set.
pub(super) struct HandClock(AtomicI64);

impl HandClock {
    pub(super) fn at(text: &str) -> Arc<Self> {
        let clock = Arc::new(Self(AtomicI64::new(0)));
        clock.set(text);
        clock
    }

    pub(super) fn set(&self, text: &str) {
        let time: chrono::DateTime<chrono::Utc> = text.parse().unwrap();
        self.0.store(time.timestamp_micros(), Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Micros {
        Micros(self.0.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::SeqCst).unsigned_abs())
    }
}

/// Gates for a log: whether frames settle, and whether there is room.
#[derive(Default)]
pub(super) struct Gates {
    held: Mutex<bool>,
    moved: Condvar,
    pub(super) full: AtomicBool,
    /// The log says that it has room although it has none.
    pub(super) hides_full: AtomicBool,
    pub(super) fails: AtomicBool,
    pub(super) panics: AtomicBool,
    /// The next append says that its outcome is not known: `Some(true)`, and stores the frame.
    pub(super) unknown: Mutex<Option<bool>>,
}

impl Gates {
    pub(super) fn hold(&self) {
        *self.held.lock().unwrap() = true;
    }

    pub(super) fn release(&self) {
        *self.held.lock().unwrap() = false;
        self.moved.notify_all();
    }
}

/// A memory log behind gates.
pub(super) struct GatedLog {
    pub(super) inner: MemoryLog,
    pub(super) gates: Arc<Gates>,
    in_flight: VecDeque<Frame>,
}

impl GatedLog {
    pub(super) fn new(inner: MemoryLog, gates: Arc<Gates>) -> Self {
        Self { inner, gates, in_flight: VecDeque::new() }
    }
}

impl EventLog for GatedLog {
    fn log_id(&self) -> LogId {
        self.inner.log_id()
    }

    fn tail(&self) -> Tail {
        self.inner.tail()
    }

    fn window(&self) -> usize {
        1
    }

    fn admits(&self) -> Result<(), LogError> {
        let shows =
            self.gates.full.load(Ordering::SeqCst) && !self.gates.hides_full.load(Ordering::SeqCst);
        if shows { Err(LogError::Full { segment_len: 1 }) } else { Ok(()) }
    }

    fn submit(&mut self, frame: Frame) {
        self.in_flight.push_back(frame);
    }

    fn settle(&mut self) -> Option<(FrameNumber, AppendOutcome)> {
        let frame = self.in_flight.pop_front()?;
        let held = self.gates.held.lock().unwrap();
        drop(self.gates.moved.wait_while(held, |held| *held).unwrap());
        let number = frame.header().number;
        assert!(!self.gates.panics.load(Ordering::SeqCst), "books do not balance");
        if self.gates.fails.load(Ordering::SeqCst) {
            let error = LogError::SyncFailed {
                operation: "sync",
                path: "segment".into(),
                source: Arc::new(std::io::Error::other("EIO")),
            };
            return Some((number, AppendOutcome::Unknown(error)));
        }
        if self.gates.full.load(Ordering::SeqCst) {
            let error = LogError::Full { segment_len: 1 };
            return Some((number, AppendOutcome::Rejected(error)));
        }
        let unknown = self.gates.unknown.lock().unwrap().take();
        if unknown != Some(false) {
            self.inner.submit(frame);
            let settled = self.inner.settle();
            if unknown.is_none() {
                return settled;
            }
        }
        let error = LogError::Io {
            operation: "publish",
            path: "stream".into(),
            source: Arc::new(std::io::ErrorKind::TimedOut.into()),
        };
        Some((number, AppendOutcome::Unknown(error)))
    }

    fn maintain(&mut self) -> Result<(), LogError> {
        self.inner.maintain()
    }

    fn reader(&self) -> Arc<dyn LogReader> {
        self.inner.reader()
    }

    fn close(&mut self) -> Result<(), LogError> {
        self.inner.close()
    }
}

/// A log, a folder and a clock that outlive the engines opened over them.
pub(super) struct World {
    pub(super) log: MemoryLog,
    pub(super) dir: tempfile::TempDir,
    pub(super) clock: Arc<HandClock>,
    pub(super) gates: Arc<Gates>,
    pub(super) limits: Limits,
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            log: MemoryLog::new(LOG_ID),
            dir: tempfile::tempdir().unwrap(),
            clock: HandClock::at("2026-03-10T12:00:00Z"),
            gates: Arc::default(),
            limits: Limits::default(),
        }
    }

    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(super) fn options(&self) -> EngineOptions {
        let log = GatedLog::new(self.log.reopen(), Arc::clone(&self.gates));
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let mut options = EngineOptions::new(Box::new(log), Arc::new(OsDisk), clock);
        options.limits = self.limits;
        options
    }

    pub(super) fn open(&self) -> SyncEngine {
        SyncEngine::open(self.options(), self.dir()).unwrap()
    }

    /// Every file under the folder.
    pub(super) fn files(&self) -> Vec<std::path::PathBuf> {
        let mut files = Vec::new();
        for folder in ["keys", "snapshots", "requests"] {
            let Ok(entries) = std::fs::read_dir(self.dir().join(folder)) else { continue };
            files.extend(entries.map(|entry| entry.unwrap().path()));
        }
        files.sort();
        files
    }

    pub(super) fn files_in(&self, folder: &str) -> Vec<std::path::PathBuf> {
        let folder = self.dir().join(folder);
        self.files().into_iter().filter(|path| path.starts_with(&folder)).collect()
    }
}

pub(super) fn id(text: &str) -> Id {
    Id::parse("id", text).unwrap()
}

pub(super) fn day(text: &str) -> Day {
    Day::from_date(text.parse().unwrap()).unwrap()
}

pub(super) fn ledger(text: &str) -> CreateLedger {
    CreateLedger {
        ledger_id: Some(id(text)),
        name: "Seller".into(),
        currency: Currency::parse("currency", "EUR").unwrap(),
        time_zone: "Europe/Paris".into(),
        time: Time::System,
        terms: None,
        invoice_pattern: None,
        credit_note_pattern: None,
        calendar: Calendar::default(),
        reminders: Policy::default(),
    }
}

pub(super) fn test_ledger(text: &str, start: &str) -> CreateLedger {
    let time = Time::Test { clock_id: None, start: Some(day(start)) };
    CreateLedger { time, ..ledger(text) }
}

pub(super) fn customer(text: Option<&str>) -> CreateCustomer {
    CreateCustomer {
        ledger_id: id("acme"),
        customer_id: text.map(id),
        currency: None,
        terms: None,
        details: CustomerDetails { name: Some(NAME.into()), ..CustomerDetails::default() },
    }
}

pub(super) fn renamed(text: &str, name: &str) -> UpdateCustomer {
    UpdateCustomer {
        ledger_id: id("acme"),
        customer_id: id(text),
        currency: None,
        terms: None,
        details: CustomerDetails { name: Some(name.into()), ..CustomerDetails::default() },
    }
}

pub(super) fn invoice(text: Option<&str>, total: i64) -> IssueInvoice {
    IssueInvoice {
        ledger_id: id("acme"),
        invoice_id: text.map(id),
        customer_id: id("c1"),
        number: None,
        issue_date: None,
        due: None,
        currency: None,
        total: Some(total),
        lines: Vec::new(),
        taxes: Vec::new(),
        reference: None,
        purchase_order: String::new(),
        text: String::new(),
        metadata: std::collections::BTreeMap::default(),
        override_credit_limit: false,
    }
}

pub(super) fn by_ann(command: impl Into<encours_domain::Command>) -> Submission {
    Submission::new(command, "ann")
}

/// The rows as bytes, to compare states.
pub(super) fn bytes(engine: &SyncEngine) -> Vec<u8> {
    postcard::to_allocvec(engine.rows().unwrap()).unwrap()
}

pub(super) fn payment(of: &str, amount: i64) -> RecordPayment {
    RecordPayment {
        ledger_id: id("acme"),
        payment_id: None,
        customer_id: Some(id("c1")),
        amount: Some(amount),
        currency: None,
        method: Method::Transfer,
        received_on: None,
        reference: String::new(),
        put: Put::Invoice(id(of)),
    }
}

pub(super) fn credit_note(of: &str, amount: i64) -> IssueCreditNote {
    IssueCreditNote {
        ledger_id: id("acme"),
        credit_note_id: None,
        invoice_id: id(of),
        number: None,
        amount: Some(amount),
        currency: None,
        issue_date: None,
        usage: CreditUse::OffsetThenKeep,
        reason: String::new(),
    }
}
