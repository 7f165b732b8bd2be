//! What a check of the log's bytes does not see: that every event can be read, that the ledgers can be
//! built from them, and that `keys/` opens every personal detail.
//!
//! The folder is opened as a node opens it, on a disk that takes writes into memory: snapshots and the
//! files of request ids are left out of it, so that all comes from the log and the keys alone.

use std::path::Path;
use std::sync::Arc;

use encours_domain::CustomerNo;
use encours_engine::{EngineError, EngineOptions, SyncEngine};
use encours_log::{
    Disk, EventLog, FrameNumber, Journal, JournalOptions, LogError, LogReader, SystemClock,
};

use crate::failure::{Exit, Failure, Outcome};
use crate::node::log_dir;
use crate::overlay::Overlay;

/// Bytes of a segment that opening may make, in memory.
const SEGMENT_LEN: u64 = 1 << 20;
/// How often damage is looked at again before it is believed: a server may be writing there.
const LOOKS: u32 = 4;

/// Reads every event of a log; answers how many there are.
pub(crate) fn events(data: &Path) -> Outcome<u64> {
    let (_, journal) = open(data)?;
    Ok(decode(&*journal.reader())?)
}

/// Builds the ledgers from the log and opens every personal detail; answers how many customers have a
/// key.
pub(crate) fn keys(data: &Path) -> Outcome<u64> {
    let (disk, journal) = open(data)?;
    let options = EngineOptions::new(Box::new(journal), disk, Arc::new(SystemClock::new()));
    let engine = SyncEngine::open(options, data)?;
    let keys = engine.keys();
    let mut closed = 0_u64;
    for ledger in engine.rows().into_iter().flat_map(|rows| rows.ledgers.iter()) {
        for (customer, row) in (0..).map(CustomerNo).zip(ledger.customers.iter()) {
            let opens = row
                .details
                .iter()
                .all(|(kind, sealed)| keys.open_detail(ledger.no, customer, *kind, sealed).is_ok());
            closed += u64::from(!opens);
        }
    }
    if closed > 0 {
        let message = format!(
            "keys: {closed} customers have details that no key of {} opens",
            data.display()
        );
        return Err(Failure::new(Exit::Damaged, message).hint("restore keys/ from a backup"));
    }
    Ok(keys.len() as u64)
}

fn open(data: &Path) -> Outcome<(Arc<dyn Disk>, Journal)> {
    let mut looks = 1;
    loop {
        let hidden = vec![data.join("snapshots"), data.join("requests")];
        let disk: Arc<dyn Disk> = Arc::new(Overlay::hiding(hidden));
        let options = JournalOptions {
            segment_len: SEGMENT_LEN,
            background: false,
            ..JournalOptions::default()
        };
        match Journal::open(Arc::clone(&disk), &log_dir(data), options) {
            Ok((journal, _)) => return Ok((disk, journal)),
            Err(_) if looks < LOOKS => {
                looks += 1;
                std::thread::yield_now();
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Reads every event; answers how many there are.
fn decode(reader: &dyn LogReader) -> Result<u64, EngineError> {
    let last = reader.tail().number;
    let (mut number, mut events) = (FrameNumber(1), 0);
    while number <= last {
        let frame = reader.read(number)?.ok_or(LogError::NoSegment { frame: number })?;
        for (position, event) in frame.events() {
            encours_schema::decode(event.kind, event.version, event.payload)
                .map_err(|source| EngineError::Event { position, source })?;
            events += 1;
        }
        number = number.next();
    }
    Ok(events)
}
