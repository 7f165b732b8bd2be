//! Two nodes over a log that a server keeps, which loses, delays and answers as it likes.
//!
//! Nodes lead, follow, crash and take over from each other, also while the other one still believes
//! that it leads; several frames are on their way at once. What must hold over every seed: a command
//! that was acknowledged is in the log exactly once, where its answer said; one that was refused or
//! denied without effect is not; one whose outcome is not known is there once or not at all; a repeat
//! with the same request id gives the first outcome; the state of every node equals a replay of the
//! log, and the details of every customer open on the node that took over.
//!
//! `ENCOURS_SEEDS` sets how many seeds are run. To repeat one run:
//! `ENCOURS_SEED=<seed> cargo nextest run -p encours-sim --test nodes`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests fail by panicking, and print what they ran"
)]

#[path = "../engine_crash/commands.rs"]
mod commands;
mod facts;
mod node;

use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use encours_domain::{Id, Subject};
use encours_engine::{Denied, Entropy, EntropyError, Reply, Submission, SyncEngine};
use encours_log::{LogId, Micros, Position, verify_reader};
use encours_sim::{Rng, SimClock, SimStream, StreamFaults};

use facts::{bytes, names_open, replay, requests_in};
use node::Node;

const LOG: LogId = LogId([0x44; 16]);
const STEPS: usize = 150;
/// 2026-03-28T12:00:00Z, the day before Paris changes its clocks.
const START: Micros = Micros(1_774_699_200_000_000);

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
    /// It was refused or denied, and nothing of it may be there.
    Absent,
}

/// What a run came to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sum {
    tail: u64,
    acknowledged: u64,
    absent: u64,
    unknown: u64,
    ambiguous: u64,
    fenced: u64,
    unavailable: u64,
    takeovers: u64,
}

/// A stream and two nodes, beside what the clients know.
struct World {
    seed: u64,
    rng: Rng,
    stream: SimStream,
    clock: SimClock,
    nodes: Vec<Node>,
    window: usize,
    sent: Vec<(Submission, Fate)>,
    requests: u64,
    sum: Sum,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let stream = SimStream::new(LOG, rng.next_u64());
        let clock = SimClock::new(START);
        let entropy = || Arc::new(SeededEntropy(Mutex::new(Rng::new(seed ^ 0x5eed))));
        let nodes = (0..2).map(|n| Node::new(&stream, rng.next_u64() ^ n, entropy())).collect();
        let window = [1, 4, 8][rng.index(3)];
        Self {
            seed,
            rng,
            stream,
            clock,
            nodes,
            window,
            sent: Vec::new(),
            requests: 0,
            sum: Sum::default(),
        }
    }

    /// Draws what goes wrong from here on.
    fn weather(&mut self) {
        let mut often = |worst: u64| match self.rng.below(4) {
            0 => 0,
            1 => worst,
            _ => worst * 8,
        };
        let faults =
            StreamFaults { lost: often(3), late: often(3), unanswered: often(3), silent: often(3) };
        self.stream.set_faults(faults);
        if self.rng.one_in(6) {
            // Sometimes longer than an engine has patience for.
            let messages = [5, 40, 130][self.rng.index(3)];
            self.stream.go_away(messages);
        }
        let room = self.rng.one_in(12).then(|| self.rng.below(9_000));
        self.stream.set_room(room);
    }

    fn submission(&mut self) -> Submission {
        self.requests += 1;
        let command = self.command();
        let submission = Submission::new(command, "sim");
        if submission.command.ledger_id().is_none() {
            return submission;
        }
        // Some are sent again, whatever became of them.
        if self.rng.one_in(12) && !self.sent.is_empty() {
            let again = self.rng.index(self.sent.len());
            return self.sent[again].0.clone();
        }
        submission.with_request_id(format!("request-{}", self.requests))
    }

    /// A node decides commands, several frames on their way at once.
    fn work(&mut self, at: usize) {
        let groups = 1 + self.rng.below(10);
        let frames: Vec<Vec<Submission>> = (0..groups)
            .map(|_| (0..1 + self.rng.below(3)).map(|_| self.submission()).collect())
            .collect();
        let Some(engine) = self.nodes[at].engine() else { return };
        let before = engine.ambiguous();
        let answers = engine.execute_in_frames(frames.clone());
        self.sum.ambiguous += engine.ambiguous() - before;
        if let Some(error) = engine.failed() {
            let (fenced, unavailable) = (error.is_fenced(), error.is_unavailable());
            assert!(fenced || unavailable, "{}: {error}", self.seed);
            self.sum.fenced += u64::from(fenced);
            self.sum.unavailable += u64::from(unavailable);
            self.nodes[at].step_down();
        }
        for (submission, answer) in frames.into_iter().flatten().zip(answers) {
            self.note(submission, answer);
        }
    }

    fn note(&mut self, submission: Submission, answer: Result<Reply, Denied>) {
        let Some(request) = submission.request_id.clone() else { return };
        let fate = match answer {
            Ok(reply) if reply.repeated => return self.repeated(&request, &reply),
            Ok(reply) => Fate::Done(reply.subject, reply.position),
            Err(Denied::OutcomeUnknown) => Fate::Unknown,
            Err(denied) => {
                assert!(denied.is_without_effect());
                Fate::Absent
            }
        };
        let known = self.sent.iter_mut().find(|(sent, _)| sent.request_id == submission.request_id);
        match known {
            None => self.sent.push((submission, fate)),
            // Sent again: done for the first time now, or still not known.
            Some((_, Fate::Done(..))) => {
                assert!(!matches!(fate, Fate::Done(..)), "{}: {request} done twice", self.seed);
            }
            Some((_, before)) => {
                if matches!(fate, Fate::Done(..)) || *before == Fate::Absent {
                    *before = fate;
                }
            }
        }
    }

    /// A repeat by request id gives the first outcome. By the id of a thing there may be none.
    fn repeated(&mut self, request: &str, reply: &Reply) {
        let of = |(sent, _): &&(Submission, Fate)| sent.request_id.as_deref() == Some(request);
        if let Some((_, Fate::Done(subject, position))) = self.sent.iter().find(of) {
            assert_eq!((reply.subject, reply.position), (*subject, *position), "{}", self.seed);
        }
    }

    /// The first node makes the ledgers.
    fn begin(&mut self) {
        assert!(self.nodes[0].lead(self.window, &self.clock, false));
        let ledgers: Vec<Submission> =
            ["l0", "l1"].map(|ledger| Submission::new(self.party(0, id(ledger)), "sim")).into();
        let engine = self.nodes[0].engine().unwrap();
        assert!(engine.execute_all(ledgers).iter().all(Result::is_ok));
    }

    /// Something happens.
    fn step(&mut self) {
        let at = self.rng.index(self.nodes.len());
        if self.rng.one_in(5) {
            self.weather();
        }
        match self.rng.below(24) {
            0..16 => self.work(at),
            16..19 => {
                let frames = 1 + self.rng.index(6);
                self.nodes[at].follow(frames);
            }
            19..21 => {
                let stale = self.rng.one_in(5);
                if self.nodes[at].lead(self.window, &self.clock, stale) {
                    self.sum.takeovers += 1;
                }
            }
            21 => {
                let clean = self.rng.one_in(2);
                self.nodes[at].crash(clean, &mut self.rng);
            }
            22 => self.clock.advance(Duration::from_secs(self.rng.below(40_000))),
            _ => self.nodes[at].step_down(),
        }
    }

    /// The weather clears, and a node takes over: everything that must hold.
    fn check(&mut self) {
        self.stream.heal();
        let at = self.rng.index(self.nodes.len());
        self.nodes[at].step_down();
        assert!(self.nodes[at].lead(self.window, &self.clock, false), "{}", self.seed);
        let seed = self.seed;
        let engine = self.nodes[at].engine().unwrap();
        engine.open_days().unwrap();
        let reader = engine.reader();
        verify_reader(&*reader, &mut |_| {}).unwrap_or_else(|error| panic!("{seed}: {error}"));
        let rows = engine.rows().unwrap();
        assert!(bytes(rows) == bytes(&replay(&*reader)), "{seed}: not the state of the log");
        names_open(seed, engine);
        let there = requests_in(&*reader);
        for (submission, fate) in &mut self.sent {
            let request = submission.request_id.as_deref().unwrap();
            let found = there.get(request).map_or(&[][..], Vec::as_slice);
            match *fate {
                Fate::Done(_, position) => assert_eq!(found, [position], "{seed}: {request}"),
                Fate::Absent => assert!(found.is_empty(), "{seed}: denied, but there: {request}"),
                Fate::Unknown => assert!(found.len() <= 1, "{seed}: done twice: {request}"),
            }
            let tail = reader.tail();
            let Fate::Done(subject, position) = *fate else { continue };
            let reply = send_again(engine, submission).unwrap_or_else(|e| panic!("{seed}: {e}"));
            assert!(reply.repeated, "{seed}: done again: {request}");
            assert_eq!((reply.subject, reply.position), (subject, position), "{seed}");
            assert_eq!(reader.tail(), tail, "{seed}: a repeat appended");
        }
        self.sum.tail = reader.tail().number.0;
        self.check_follower(1 - at);
    }

    /// The other node follows to the same state, and its keys open the same details.
    fn check_follower(&mut self, at: usize) {
        self.nodes[at].step_down();
        self.nodes[at].follow(usize::MAX);
        assert!(self.nodes[at].lead(self.window, &self.clock, false), "{}", self.seed);
        let engine = self.nodes[at].engine().unwrap();
        let reader = engine.reader();
        let replayed = replay(&*reader);
        assert!(bytes(engine.rows().unwrap()) == bytes(&replayed), "{}", self.seed);
        names_open(self.seed, engine);
    }
}

/// As a client does it: what can be tried again, is. A damaged file of request ids denies once.
fn send_again(engine: &mut SyncEngine, submission: &Submission) -> Result<Reply, Denied> {
    match engine.execute(submission.clone()) {
        Err(Denied::Unavailable { .. }) => engine.execute(submission.clone()),
        other => other,
    }
}

fn lives(seed: u64) -> Sum {
    let mut world = World::new(seed);
    world.begin();
    for _ in 0..3 {
        for _ in 0..STEPS / 3 {
            world.step();
        }
        world.check();
    }
    for (_, fate) in &world.sent {
        match fate {
            Fate::Done(..) => world.sum.acknowledged += 1,
            Fate::Unknown => world.sum.unknown += 1,
            Fate::Absent => world.sum.absent += 1,
        }
    }
    world.sum
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}

/// Runs a quarter of the seeds.
fn run(quarter: u64) {
    let count = from_environment("ENCOURS_SEEDS").unwrap_or(200).div_ceil(4);
    let seeds: Range<u64> = match from_environment("ENCOURS_SEED") {
        Some(seed) => seed..seed + 1,
        None => quarter * count..(quarter + 1) * count,
    };
    let mut sum = Sum::default();
    for seed in seeds.clone() {
        let one = std::panic::catch_unwind(|| lives(seed)).unwrap_or_else(|panic| {
            println!(
                "repeat with: ENCOURS_SEED={seed} cargo nextest run -p encours-sim --test nodes"
            );
            std::panic::resume_unwind(panic)
        });
        sum.tail += one.tail;
        sum.acknowledged += one.acknowledged;
        sum.absent += one.absent;
        sum.unknown += one.unknown;
        sum.ambiguous += one.ambiguous;
        sum.fenced += one.fenced;
        sum.unavailable += one.unavailable;
        sum.takeovers += one.takeovers;
    }
    println!("seeds {seeds:?}: {sum:?}");
    assert!(sum.acknowledged > 0, "nothing was tried");
}

#[test]
fn no_command_is_lost_or_doubled_between_two_nodes_0() {
    run(0);
}

#[test]
fn no_command_is_lost_or_doubled_between_two_nodes_1() {
    run(1);
}

#[test]
fn no_command_is_lost_or_doubled_between_two_nodes_2() {
    run(2);
}

#[test]
fn no_command_is_lost_or_doubled_between_two_nodes_3() {
    run(3);
}

#[test]
fn a_seed_repeats_its_run_exactly() {
    assert_eq!(lives(7), lives(7));
}
