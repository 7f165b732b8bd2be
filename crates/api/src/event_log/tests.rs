use encours_domain::event::WriterOpened;
use encours_log::{
    CommandRecord, Epoch, EventLog as _, EventRecord, FrameDraft, LogId, MemoryLog, Micros,
    SealWith,
};
use tonic_types::StatusExt as _;

use super::*;

/// A watcher at position 40 for whom two messages may wait.
fn watcher(dropped: &Arc<AtomicU64>) -> (Watcher, mpsc::Receiver<Waiting>) {
    let (to, from) = mpsc::channel(2);
    (Watcher::new(to, Position(40), WATCH_STALL, Arc::clone(dropped)), from)
}

/// A log with so many frames of one event.
fn log(frames: u64) -> Arc<dyn LogReader> {
    let log_id = LogId([7; 16]);
    let mut log = MemoryLog::new(log_id);
    let event = encours_schema::encode(&WriterOpened { epoch: 1 }.into()).unwrap();
    let event = EventRecord { kind: event.kind, version: event.version, payload: event.payload };
    let command = CommandRecord {
        request_id: String::new(),
        digest: [0; 32],
        actor: "ada".to_owned(),
        reason: String::new(),
        causation: Position::START,
        event_count: 1,
    };
    for _ in 0..frames {
        let tail = log.tail();
        let mut draft = FrameDraft::new(tail.next_position);
        draft.push(&command, std::slice::from_ref(&event)).unwrap();
        let (number, epoch) = (tail.number.next(), Epoch(1));
        let recorded_at = Micros(i64::try_from(number.0).unwrap());
        let previous = tail.hash;
        log.submit(draft.seal(SealWith { log_id, epoch, number, recorded_at, previous }).unwrap());
        assert!(log.settle().unwrap().1.is_committed());
    }
    log.reader()
}

#[test]
fn a_verification_waits_for_nobody_who_does_not_read() {
    let reader = log(3 * PROGRESS_FRAMES);
    let stopping = watch::Sender::new(false);
    let (to, mut from) = mpsc::channel(1);
    let result = verified(&*reader, &to, &stopping).unwrap();
    assert!(result.intact, "{}", result.problem);
    assert_eq!(result.frames, 3 * PROGRESS_FRAMES);
    // There was room for the first of three.
    let first = from.try_recv().unwrap().unwrap().step.unwrap();
    let v1::verify_log_response::Step::Progress(first) = first else { panic!("{first:?}") };
    assert_eq!(first.frames, PROGRESS_FRAMES);
    assert!(from.try_recv().is_err());
    stopping.send_replace(true);
    assert!(verified(&*reader, &to, &stopping).is_none());
    stopping.send_replace(false);
    drop(from);
    assert!(verified(&*reader, &to, &stopping).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_watcher_that_does_not_read_is_told_where_to_go_on() {
    let dropped = Arc::new(AtomicU64::new(0));
    let (mut watcher, mut from) = watcher(&dropped);
    for position in [41, 45] {
        assert_eq!(watcher.tell(sign_of_life(Position(position))).await, Ok(true));
    }
    let stalled = watcher.tell(sign_of_life(Position(46))).await.unwrap_err();
    assert_eq!(dropped.load(Ordering::Relaxed), 1);
    let status = Status::from(stalled);
    let info = status.get_details_error_info().unwrap();
    assert_eq!((info.reason.as_str(), &*info.metadata["position"]), ("WATCH_STALLED", "45"));
    // What it was told is there for it to read.
    assert_eq!(from.recv().await.unwrap().0.unwrap().position, 41);
    assert_eq!(watcher.tell(sign_of_life(Position(46))).await, Ok(true));
    drop(from);
    assert_eq!(watcher.tell(sign_of_life(Position(47))).await, Ok(false));
}

#[tokio::test(start_paused = true)]
async fn long_events_wait_one_by_one() {
    let dropped = Arc::new(AtomicU64::new(0));
    let (mut watcher, mut from) = watcher(&dropped);
    let long = |position| v1::WatchEventsResponse {
        position,
        event: Some(v1::PublicEvent { reason: "x".repeat(300_000), ..Default::default() }),
    };
    assert_eq!(watcher.tell(long(41)).await, Ok(true));
    assert_eq!(watcher.tell(long(42)).await.map_err(drop), Err(()));
    assert_eq!(watcher.told, Position(41));
    // What was read makes room.
    drop(from.recv().await.unwrap());
    assert_eq!(watcher.tell(long(42)).await, Ok(true));
    drop(from);
    assert_eq!(watcher.tell(long(43)).await, Ok(false));
}
