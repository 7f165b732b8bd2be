//! What a log and an engine's state say.

use std::collections::BTreeMap;

use encours_domain::CustomerNo;
use encours_domain::state::{Rows, State};
use encours_engine::SyncEngine;
use encours_log::{FrameNumber, LogReader, Position};

pub(super) fn bytes(rows: &Rows) -> Vec<u8> {
    postcard::to_allocvec(rows).unwrap()
}

/// The rows that the log makes, read from its first frame.
pub(super) fn replay(reader: &dyn LogReader) -> Rows {
    let mut state = State::default();
    let mut number = FrameNumber(1);
    while let Some(frame) = reader.read(number).unwrap() {
        for (position, event) in frame.events() {
            let mut digest = [0; 16];
            digest.copy_from_slice(&frame.command_of(position).unwrap().digest[..16]);
            let event = encours_schema::decode(event.kind, event.version, event.payload).unwrap();
            state.apply(position, digest, &event);
        }
        number = number.next();
    }
    state.rows().clone()
}

/// The last positions of the commands in the log, by request id.
pub(super) fn requests_in(reader: &dyn LogReader) -> BTreeMap<String, Vec<Position>> {
    let mut requests: BTreeMap<String, Vec<Position>> = BTreeMap::new();
    let mut number = FrameNumber(1);
    while let Some(frame) = reader.read(number).unwrap() {
        for (command, first) in frame.commands() {
            let last = Position(first.0 + u64::from(command.event_count) - 1);
            requests.entry(command.request_id).or_default().push(last);
        }
        number = number.next();
    }
    requests
}

/// Every customer's details open under its key.
pub(super) fn names_open(seed: u64, engine: &SyncEngine) {
    let keys = engine.keys();
    for ledger in engine.rows().unwrap().ledgers.iter() {
        for (no, customer) in (0..).zip(ledger.customers.iter()) {
            for (kind, sealed) in &customer.details {
                let opened = keys.open_detail(ledger.no, CustomerNo(no), *kind, sealed);
                assert!(opened.is_ok(), "{seed}: customer {no}: {opened:?}");
            }
        }
    }
}
