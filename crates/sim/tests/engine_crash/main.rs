//! The whole engine over the journal, on a disk that is cut off at any step, over several lives.
//!
//! What must hold after every cut: the engine opens; every acknowledged command is there exactly once
//! (sent again with its request id it answers the same position and thing); one whose outcome is not
//! known is there once or not at all; one that was denied without effect is not there; the log
//! verifies; the state equals a replay of the log from its first frame; the books balance. Snapshots
//! and files of request ids are damaged and removed between lives; disks fill up and syncs fail.
//!
//! To repeat one run: `ENCOURS_SEED=<seed> cargo nextest run -p encours-sim --test engine_crash`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests fail by panicking, and print what they ran"
)]

mod commands;

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use encours_domain::state::{Rows, State};
use encours_domain::{Command, CustomerNo, Id, Subject};
use encours_engine::{
    Denied, EngineError, EngineOptions, Entropy, EntropyError, Limits, Reply, Submission,
    SyncEngine, known_frames,
};
use encours_log::{
    Disk, FrameNumber, Journal, JournalOptions, LogId, LogReader, Micros, Position, verify_reader,
};
use encours_sim::{Cut, Rng, SimClock, SimDisk};

const LOG: LogId = LogId([0x33; 16]);
const LIVES: usize = 6;
/// So many steps that no run comes to them.
const NEVER: u64 = u64::MAX / 2;
/// 2026-03-28T12:00:00Z, the day before Paris changes its clocks.
const START: Micros = Micros(1_774_699_200_000_000);

fn dir() -> &'static Path {
    Path::new("/data")
}

fn id(text: &str) -> Id {
    Id::parse("id", text).unwrap()
}

/// Randomness that a seed repeats.
struct SeededEntropy(Mutex<Rng>);

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        self.0.lock().unwrap().fill(bytes);
        Ok(())
    }
}

/// What is known about a command that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It was acknowledged with this.
    Done(Subject, Position),
    /// It may have happened or not.
    Unknown,
    /// It was denied, and nothing of it may be there.
    Absent,
}

/// One data folder over several lives, beside what its clients know.
struct World {
    seed: u64,
    rng: Rng,
    disk: SimDisk,
    clock: SimClock,
    entropy: Arc<SeededEntropy>,
    segment_len: u64,
    sent: Vec<(Submission, Fate)>,
    requests: u64,
    /// Recoveries by what they began with.
    from_snapshot: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let disk = SimDisk::new(rng.next_u64());
        let entropy = Arc::new(SeededEntropy(Mutex::new(rng.split())));
        let segment_len = [32_768, 65_536][rng.index(2)];
        Self {
            seed,
            rng,
            disk,
            clock: SimClock::new(START),
            entropy,
            segment_len,
            sent: Vec::new(),
            requests: 0,
            from_snapshot: 0,
        }
    }

    fn try_open(&self) -> Result<SyncEngine, EngineError> {
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let options = JournalOptions {
            segment_len: self.segment_len,
            create: Some(LOG),
            known: known_frames(&*disk, dir()),
            background: false,
            ..JournalOptions::default()
        };
        let (journal, _) = Journal::open(Arc::clone(&disk), &dir().join("log"), options)?;
        let mut options = EngineOptions::new(Box::new(journal), disk, Arc::new(self.clock.clone()));
        options.entropy = Arc::clone(&self.entropy) as Arc<dyn Entropy>;
        options.limits =
            Limits { snapshot_every: 40, generation_ids: 12, file_ids: 100, ..Limits::default() };
        SyncEngine::open(options, dir())
    }

    /// Opens the engine; the disk may be cut while it does, several times over.
    fn open(&mut self) -> SyncEngine {
        for _ in 0..3 {
            if self.rng.one_in(3) {
                let steps = 1 + self.rng.below(120);
                self.disk.stop_at_step(steps);
            }
            match self.try_open() {
                Ok(engine) if !self.disk.is_stopped() => return engine,
                Ok(_) => {}
                Err(error) => {
                    assert!(self.disk.is_stopped(), "{}: does not open: {error}", self.seed);
                }
            }
            self.cut();
        }
        self.try_open().unwrap_or_else(|error| panic!("{}: does not open: {error}", self.seed))
    }

    fn cut(&mut self) {
        let cut = if self.rng.one_in(3) { Cut::Process } else { Cut::Power };
        self.disk.restart(cut);
    }

    /// Damages or removes files that can be made anew from the log.
    fn vandalise(&mut self) {
        for folder in ["snapshots", "requests"] {
            let folder = dir().join(folder);
            for name in self.disk.list(&folder).unwrap_or_default() {
                let path = folder.join(name);
                match self.rng.below(12) {
                    0 => self.disk.lose(&path),
                    1 => {
                        let bits = self.disk.bytes(&path).unwrap_or_default().len() as u64 * 8;
                        self.disk.flip_bit(&path, self.rng.below(bits));
                    }
                    _ => {}
                }
            }
        }
    }

    fn submission(&mut self) -> Submission {
        self.requests += 1;
        let command = self.command();
        let mut submission = Submission::new(command, "sim");
        if submission.command.ledger_id().is_some() {
            submission = submission.with_request_id(format!("request-{}", self.requests));
        }
        submission
    }

    /// One life: commands until the disk is cut, the engine fails or is stopped.
    fn live(&mut self, mut engine: SyncEngine) {
        if self.rng.one_in(2) {
            let steps = 1 + self.rng.below(400);
            self.disk.stop_at_step(steps);
        }
        let fails = self.rng.one_in(6);
        if fails {
            self.disk.fail_sync(1 + self.rng.below(40));
        }
        let squeeze = self.rng.one_in(5);
        for round in 0..3 + self.rng.below(25) {
            if squeeze && round == 3 {
                let room = self.disk.used() + self.rng.below(3_000);
                self.disk.set_room(Some(room));
            }
            if squeeze && round == 14 {
                self.disk.set_room(None);
            }
            if self.rng.one_in(8) {
                self.clock.advance(Duration::from_secs(self.rng.below(40_000)));
            }
            let batch: Vec<Submission> =
                (0..1 + self.rng.below(6)).map(|_| self.submission()).collect();
            let answers = engine.execute_all(batch.clone());
            for (submission, answer) in batch.into_iter().zip(answers) {
                self.note(submission, answer);
            }
            if engine.failed().is_some() {
                break;
            }
        }
        self.disk.set_room(None);
        if engine.failed().is_none() && self.rng.one_in(2) {
            // A clean stop, which the cut may interrupt.
            let stopped = engine.stop();
            assert!(
                stopped.is_ok() || self.disk.is_stopped() || squeeze || fails,
                "{}: {stopped:?}",
                self.seed
            );
        }
        self.cut();
    }

    fn note(&mut self, submission: Submission, answer: Result<Reply, Denied>) {
        let fate = match answer {
            Ok(reply) if reply.repeated => return,
            Ok(reply) => Fate::Done(reply.subject, reply.position),
            Err(Denied::Refused(_)) => return,
            Err(Denied::OutcomeUnknown) => Fate::Unknown,
            Err(denied) => {
                assert!(denied.is_without_effect());
                Fate::Absent
            }
        };
        if submission.request_id.is_some() {
            self.sent.push((submission, fate));
        }
    }

    /// Everything that must hold after a start.
    fn check(&mut self, engine: &mut SyncEngine) {
        let seed = self.seed;
        engine.open_days().unwrap();
        self.from_snapshot += u64::from(engine.recovery().snapshot.0 > 0);
        let reader = engine.reader();
        let report = verify_reader(&*reader, &mut |_| {}).unwrap_or_else(|e| panic!("{seed}: {e}"));
        assert_eq!(report.frames, reader.tail().number.0, "{seed}");
        let replayed = replay(&*reader);
        let rows = engine.rows().unwrap();
        assert!(bytes(rows) == bytes(&replayed), "{seed}: the state is not that of the log");
        books_balance(rows);
        self.names_open(engine);
        let before = reader.tail();
        let mut settled = Vec::new();
        for (index, (submission, fate)) in self.sent.iter().enumerate() {
            let Fate::Done(subject, position) = *fate else { continue };
            let reply = send_again(engine, submission)
                .unwrap_or_else(|e| panic!("{seed}: acknowledged, now {e}: {submission:?}"));
            assert!(reply.repeated, "{seed}: done twice: {submission:?}");
            assert_eq!((reply.subject, reply.position), (subject, position), "{seed}");
            settled.push(index);
        }
        assert_eq!(reader.tail().next_position, before.next_position, "{seed}: repeats appended");
        // What is not known comes last: sending it again may do it now.
        for index in 0..self.sent.len() {
            let (submission, fate) = self.sent[index].clone();
            let answer = match fate {
                Fate::Done(..) => continue,
                Fate::Unknown | Fate::Absent => send_again(engine, &submission),
            };
            if let Ok(reply) = &answer
                && fate == Fate::Absent
            {
                let is_new = !reply.repeated || another_may_have_done_it(&submission);
                assert!(is_new, "{seed}: denied, but there: {submission:?}");
            }
            self.sent[index].1 = match answer {
                Ok(reply) => Fate::Done(reply.subject, reply.position),
                // The state has moved on and does not allow it any more, so it is not there.
                Err(Denied::Refused(_)) => Fate::Unknown,
                Err(denied) => panic!("{seed}: {denied}: {:?}", engine.failed()),
            };
        }
        // Answers without a request id of their own, such as repeats by id, are not asked again.
        self.sent.retain(|(_, fate)| matches!(fate, Fate::Done(..)));
        self.forget_repeats_by_id(engine);
    }

    /// A command that was answered as a repeat by its id has not taken its request id.
    fn forget_repeats_by_id(&mut self, engine: &mut SyncEngine) {
        let reader = engine.reader();
        self.sent.retain(|(submission, fate)| {
            let Fate::Done(_, position) = fate else { return false };
            let frame = reader.read(reader.frame_of(*position).unwrap()).unwrap().unwrap();
            let command = frame.command_of(*position).unwrap();
            Some(&command.request_id) == submission.request_id.as_ref()
        });
    }

    /// Every customer's details open under its key.
    fn names_open(&self, engine: &SyncEngine) {
        let keys = engine.keys();
        for ledger in engine.rows().unwrap().ledgers.iter() {
            for (no, customer) in (0..).zip(ledger.customers.iter()) {
                for (kind, sealed) in &customer.details {
                    let opened = keys.open_detail(ledger.no, CustomerNo(no), *kind, sealed);
                    assert!(opened.is_ok(), "{}: customer {no}: {opened:?}", self.seed);
                }
            }
        }
    }
}

/// Whether another command may have had the same effect: it names what it creates, or says how
/// something is to be from then on.
fn another_may_have_done_it(submission: &Submission) -> bool {
    let mut command = submission.command.clone();
    let sets = matches!(
        command,
        Command::MarkSent(_)
            | Command::UpdateDraft(_)
            | Command::DeleteDraft(_)
            | Command::IssueDraft(_)
            | Command::CorrectOpeningItem(_)
            | Command::PlanPayment(_)
            | Command::SetCreditLimit(_)
            | Command::StopReminders(_)
    );
    sets || command.new_id().is_some_and(|id| id.is_some())
}

/// As a client does it: what can be tried again, is. A damaged file of request ids denies once.
fn send_again(engine: &mut SyncEngine, submission: &Submission) -> Result<Reply, Denied> {
    match engine.execute(submission.clone()) {
        Err(Denied::Unavailable { .. }) => engine.execute(submission.clone()),
        other => other,
    }
}

fn bytes(rows: &Rows) -> Vec<u8> {
    postcard::to_allocvec(rows).unwrap()
}

/// The rows that the log makes, read from its first frame by a reader that shares no code with the
/// engine's recovery.
fn replay(reader: &dyn LogReader) -> Rows {
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

fn books_balance(rows: &Rows) {
    for ledger in rows.ledgers.iter() {
        for (no, customer) in (0..).zip(ledger.customers.iter()) {
            for balance in &customer.balances {
                assert!(balance.balances(), "customer {no}: {balance:?}");
            }
            let of = |invoice: &&encours_domain::state::Invoice| invoice.customer.0 == no;
            let open: i64 = ledger.invoices.iter().filter(of).map(|invoice| invoice.open).sum();
            let outstanding: i64 = customer.balances.iter().map(|b| b.outstanding).sum();
            assert_eq!(open, outstanding, "customer {no}");
        }
    }
}

/// What a run came to.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    tail: encours_log::Hash,
    acknowledged: usize,
    from_snapshot: u64,
}

fn lives(seed: u64) -> Outcome {
    let mut world = World::new(seed);
    for _ in 0..LIVES {
        let engine = world.open();
        world.live(engine);
        if world.rng.one_in(3) {
            world.vandalise();
        }
        let mut engine = world.open();
        world.disk.stop_at_step(NEVER);
        world.check(&mut engine);
        drop(engine);
        world.disk.restart(Cut::Process);
    }
    let mut engine = world.open();
    world.disk.stop_at_step(NEVER);
    world.check(&mut engine);
    Outcome {
        tail: engine.reader().tail().hash,
        acknowledged: world.sent.len(),
        from_snapshot: world.from_snapshot,
    }
}

fn run(usual: Range<u64>) {
    let seeds = match std::env::var("ENCOURS_SEED").ok().and_then(|seed| seed.parse().ok()) {
        Some(seed) => seed..seed + 1,
        None => usual,
    };
    let (mut acknowledged, mut from_snapshot, count) = (0, 0, seeds.clone().count());
    for seed in seeds {
        let outcome = std::panic::catch_unwind(|| lives(seed)).unwrap_or_else(|panic| {
            println!(
                "repeat with: ENCOURS_SEED={seed} cargo nextest run -p encours-sim --test engine_crash"
            );
            std::panic::resume_unwind(panic)
        });
        acknowledged += outcome.acknowledged;
        from_snapshot += outcome.from_snapshot;
    }
    println!("{count} seeds, {acknowledged} acknowledged, {from_snapshot} starts from a snapshot");
    assert!(acknowledged > 0, "nothing was tried");
}

#[test]
fn acknowledged_commands_outlive_every_crash_0() {
    run(0..50);
}

#[test]
fn acknowledged_commands_outlive_every_crash_1() {
    run(50..100);
}

#[test]
fn acknowledged_commands_outlive_every_crash_2() {
    run(100..150);
}

#[test]
fn acknowledged_commands_outlive_every_crash_3() {
    run(150..200);
}

#[test]
fn a_seed_repeats_its_run_exactly() {
    assert_eq!(lives(7), lives(7));
}
