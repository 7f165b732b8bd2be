//! Personal details stand in clear nowhere.

use encours_domain::details::{Detail, DetailKind};
use encours_domain::{CustomerNo, LedgerNo, Resource};

use super::support::*;
use crate::{EngineError, KeyError, KeyFileError, SyncEngine};

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn name_of(engine: &SyncEngine, customer: u32) -> Result<Detail, KeyError> {
    let row = engine.rows().unwrap().ledgers.get(0).unwrap().customers.get(customer).unwrap();
    let (kind, sealed) = &row.details[0];
    engine.keys().open_detail(LedgerNo(0), CustomerNo(customer), *kind, sealed)
}

#[test]
fn a_name_is_sealed_in_every_stored_byte() {
    let world = World::new();
    let mut engine = world.open();
    engine.execute(by_ann(ledger("acme"))).unwrap();
    let reply = engine.execute(by_ann(customer(Some("c1")))).unwrap();
    engine.execute(by_ann(renamed("c1", "Ambrosius Featherstonehaugh"))).unwrap();
    let mut dry = by_ann(renamed("c1", NAME));
    dry.validate_only = true;
    engine.execute(dry).unwrap();
    let Some(Resource::Customer(shown)) = reply.resource else { panic!() };
    let (kind, sealed) = &shown.details[0];
    let keys = engine.keys();
    let opened = keys.open_detail(shown.ledger, shown.no, *kind, sealed).unwrap();
    assert_eq!(opened, Detail::Name(NAME.into()));
    // Bound to customer and kind.
    let other = keys.open_detail(shown.ledger, shown.no, DetailKind::Note, sealed);
    assert_eq!(other, Err(KeyError::Damaged));
    let reader = engine.reader();
    engine.stop().unwrap();

    let mut stored = Vec::new();
    let mut number = encours_log::FrameNumber(1);
    while let Some(frame) = reader.read(number).unwrap() {
        stored.extend_from_slice(frame.bytes());
        number = number.next();
    }
    assert!(number.0 > 3);
    for path in world.files() {
        stored.extend(std::fs::read(path).unwrap());
    }
    assert_eq!(world.files_in("snapshots").len(), 1);
    for text in [NAME, "Quartermaine", "Ambrosius", "Featherstonehaugh"] {
        assert!(!contains(&stored, text), "{text} stands in clear");
    }
}

#[test]
fn keys_outlive_the_engine_and_a_torn_tail() {
    let world = World::new();
    let mut engine = world.open();
    engine.execute(by_ann(ledger("acme"))).unwrap();
    engine.execute(by_ann(customer(Some("c1")))).unwrap();
    engine.execute(by_ann(customer(Some("c2")))).unwrap();
    drop(engine);
    let path = world.files_in("keys").remove(0);
    let whole = std::fs::read(&path).unwrap();
    assert_eq!(whole.len(), 4 * 64);

    // A record that no durable frame rests on is cut, or holes stand before whole ones.
    let stray = world.dir().join("keys/stray");
    for tail in [&[7_u8; 30][..], &[0; 64], &[0; 200]] {
        write(&path, &[&whole, tail].concat());
        write(&stray, b"");
        let mut engine = world.open();
        assert_eq!(name_of(&engine, 0), Ok(Detail::Name(NAME.into())));
        assert_eq!(name_of(&engine, 1), Ok(Detail::Name(NAME.into())));
        assert!(engine.execute(by_ann(customer(Some("c2")))).unwrap().repeated);
        drop(engine);
        assert_eq!(std::fs::read(&path).unwrap().len(), whole.len());
    }

    // A key that a durable frame rests on is missing: refuse.
    for (bytes, expected) in [
        (whole[..3 * 64].to_vec(), 1),
        ([&whole[..2 * 64], &[1; 64], &whole[3 * 64..]].concat(), 1),
        (whole[..2 * 64].to_vec(), 2),
    ] {
        write(&path, &bytes);
        let error = SyncEngine::open(world.options(), world.dir()).err().unwrap();
        let EngineError::Keys(KeyFileError::KeysLost { customers, .. }) = error else {
            panic!("{error}")
        };
        assert_eq!(customers, expected);
    }
    write(&path, &whole[..70]);
    let error = SyncEngine::open(world.options(), world.dir()).err().unwrap();
    assert!(matches!(error, EngineError::Keys(KeyFileError::Damaged { .. })), "{error}");
}

#[test]
fn a_log_without_its_keys_does_not_open() {
    let world = World::new();
    drop(world.open());
    let keys = world.files_in("keys").remove(0);
    std::fs::File::create(&keys).unwrap();
    let error = SyncEngine::open(world.options(), world.dir()).err().unwrap();
    assert!(matches!(error, EngineError::Keys(KeyFileError::Damaged { .. })), "{error}");
    let elsewhere = tempfile::tempdir().unwrap();
    let error = SyncEngine::open(world.options(), elsewhere.path()).err().unwrap();
    assert!(matches!(error, EngineError::Keys(KeyFileError::Missing { .. })), "{error}");
}

fn write(path: &std::path::Path, bytes: &[u8]) {
    use std::io::Write;
    std::fs::File::create(path).unwrap().write_all(bytes).unwrap();
}
