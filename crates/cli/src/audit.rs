//! Looking through a data folder from outside: every byte, hash and link of its log, every event, and
//! every personal detail with the keys in `keys/`.
//!
//! One pass, of which memory holds the keys and one window of the log at a time; nothing is written, so
//! it may run beside a server. The ledgers that the events make are built by `encours replay`.

use std::collections::BTreeSet;
use std::path::Path;

use encours_domain::details::{DetailKind, Secret};
use encours_domain::{CustomerNo, Event, LedgerNo};
use encours_engine::{EngineError, KeyFileError, KeyStore, read_keys};
use encours_log::{
    Disk, Flaw, Known, LogError, LogId, Passed, VerifyProgress, VerifyReport, inspect,
};
use encours_schema::EventKind;

use crate::failure::{Exit, Failure};
use crate::node::log_dir;

/// Customers whose details do not open before new keys are not looked for any more.
const GIVE_UP: usize = 8;

/// What a check looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Bytes, hashes and links.
    Bytes,
    /// And whether every event can be read.
    Events,
    /// And whether every personal detail opens.
    Keys,
}

/// A folder that was found in order.
#[derive(Clone, Debug)]
pub(crate) struct Audited {
    /// Its log.
    pub(crate) report: VerifyReport,
    /// Customers that have a key; 0 where keys were not looked at.
    pub(crate) keys: u64,
}

/// What is wrong with a folder.
#[derive(Debug)]
pub(crate) struct Broken {
    /// What to end with.
    pub(crate) failure: Failure,
    /// Where it is, where it is in the log.
    pub(crate) flaw: Option<Box<Flaw>>,
}

impl From<Broken> for Failure {
    fn from(broken: Broken) -> Self {
        broken.failure
    }
}

impl From<Box<Flaw>> for Broken {
    fn from(flaw: Box<Flaw>) -> Self {
        let failure = Failure::from(flaw.error.clone());
        let failure = match failure.exit() {
            Exit::Damaged => failure.and_then_say(&place(&flaw)),
            _ => failure,
        };
        Self { failure, flaw: Some(flaw) }
    }
}

/// The name of an event's type, where its bytes tell one that there is.
pub(crate) fn event_type(flaw: &Flaw) -> Option<&'static str> {
    EventKind::name(flaw.event?.kind?.0)
}

/// Where a flaw is, and what is in order before it.
fn place(flaw: &Flaw) -> String {
    let mut said = Vec::new();
    if let Some(event) = flaw.event {
        let name = event_type(flaw).map(|name| format!(" ({name})")).unwrap_or_default();
        said.push(format!("it is the event at position {}{name}", event.position));
    }
    if let Some((from, until)) = flaw.bytes
        && until > from
    {
        let file = flaw.file.as_deref().unwrap_or_default();
        said.push(format!("in bytes {from} to {} of {file}", until - 1));
    }
    let VerifyReport { segments, frames, events, .. } = flaw.good;
    let good =
        format!("{segments} segments, {frames} frames and {events} events before it are in order");
    if said.is_empty() { good } else { format!("{}; {good}", said.join(", ")) }
}

/// Looks through the log and keys of a data folder. `known` are frames that must be in it.
pub(crate) fn audit(
    disk: &dyn Disk,
    data: &Path,
    depth: Depth,
    known: &[Known],
    progress: &mut dyn FnMut(VerifyProgress),
) -> Result<Audited, Broken> {
    audit_frames(disk, data, depth, known, &mut |passed| {
        progress(passed.progress());
        Ok(())
    })
}

/// The same, with each frame that is in order shown to `each`, which may refuse it.
pub(crate) fn audit_frames(
    disk: &dyn Disk,
    data: &Path,
    depth: Depth,
    known: &[Known],
    each: &mut dyn FnMut(&Passed<'_>) -> Result<(), LogError>,
) -> Result<Audited, Broken> {
    let dir = log_dir(data);
    if !disk.exists(&dir).map_err(broken)? {
        return Err(broken(LogError::NoLog { dir }));
    }
    let mut details = Details { disk, data, keys: None, missing: None, closed: BTreeSet::new() };
    let report = inspect(disk, &dir, known, &mut |passed| {
        if depth != Depth::Bytes {
            look(passed, (depth == Depth::Keys).then_some(&mut details))?;
        }
        each(passed)
    })?;
    let keys = match depth {
        Depth::Keys => details.told(report.log_id, report.frames)?,
        Depth::Bytes | Depth::Events => 0,
    };
    Ok(Audited { report, keys })
}

fn broken(error: impl Into<Failure>) -> Broken {
    Broken { failure: error.into(), flaw: None }
}

/// Reads every event of a frame.
fn look(passed: &Passed<'_>, mut details: Option<&mut Details<'_>>) -> Result<(), LogError> {
    let (frame, log_id) = (passed.header().number, passed.header().log_id);
    for (position, event) in passed.events() {
        let event = encours_schema::decode(event.kind, event.version, event.payload)
            .map_err(|error| LogError::Unreadable { position, frame, why: error.to_string() })?;
        if let Some(details) = &mut details {
            details.open_all(log_id, &event);
        }
    }
    Ok(())
}

/// Whether personal details open.
struct Details<'a> {
    disk: &'a dyn Disk,
    data: &'a Path,
    keys: Option<KeyStore>,
    /// Why there are no keys.
    missing: Option<KeyFileError>,
    /// Customers that have details which no key opens.
    closed: BTreeSet<(LedgerNo, CustomerNo)>,
}

impl Details<'_> {
    fn open_all(&mut self, log_id: LogId, event: &Event) {
        let (ledger, customer, details) = match event {
            Event::CustomerCreated(e) => (e.ledger, e.customer, &e.details),
            Event::CustomerUpdated(e) => (e.ledger, e.customer, &e.details),
            _ => return,
        };
        for (kind, secret) in details {
            // None lies in a log in clear: such an event is not decoded.
            let Secret::Sealed(sealed) = secret else { continue };
            if self.opens(ledger, customer, *kind, sealed) {
                continue;
            }
            // A server that runs beside may have made the key just now: it is durable before the frame
            // that rests on it.
            if self.closed.len() < GIVE_UP {
                self.load(log_id);
            }
            if !self.opens(ledger, customer, *kind, sealed) {
                self.closed.insert((ledger, customer));
            }
        }
    }

    fn opens(&self, ledger: LedgerNo, customer: CustomerNo, kind: DetailKind, it: &[u8]) -> bool {
        let opened = |keys: &KeyStore| keys.open_detail(ledger, customer, kind, it).is_ok();
        self.keys.as_ref().is_some_and(opened)
    }

    fn load(&mut self, log_id: LogId) {
        let read = read_keys(self.disk, &self.data.join("keys"), log_id);
        // What could not be read for a moment is not missing.
        self.missing = match read {
            Ok(keys) => {
                self.keys = Some(keys);
                None
            }
            Err(error) => Some(error),
        };
    }

    /// How many customers have a key, once the log was looked through.
    fn told(mut self, log_id: LogId, frames: u64) -> Result<u64, Broken> {
        if frames == 0 {
            return Ok(0);
        }
        // Also where no customer has details: without its head the folder does not start.
        self.load(log_id);
        if let Some(error) = self.missing {
            return Err(broken(EngineError::Keys(error)));
        }
        if !self.closed.is_empty() {
            let message = format!(
                "keys: {} customers have details that no key of {} opens",
                self.closed.len(),
                self.data.display()
            );
            let failure = Failure::new(Exit::Damaged, message);
            return Err(broken(failure.hint("restore keys/ from a backup")));
        }
        Ok(self.keys.map_or(0, |keys| keys.len() as u64))
    }
}
