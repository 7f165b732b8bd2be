//! The journal on a disk that is cut off at any step, over several lives.
//!
//! What must hold after every cut: the log is what was written, up to a frame; everything that was
//! acknowledged is in it; a frame that was not acknowledged is in it whole or not at all.
//!
//! To repeat one run: `ENCOURS_SEED=<seed> cargo nextest run -p encours-sim --test journal_crash`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod common;

use std::ops::Range;

use common::{LOG, append, create, dir, frame_of, log, open, options};
use encours_log::{
    AppendOutcome, EventLog, Frame, Journal, JournalOptions, Known, LogError, Recovery, Tail,
    verify, verify_reader,
};
use encours_sim::{Cut, Rng, SimDisk};

/// The next frame after `tail`, with about up to `most` bytes.
fn frame(rng: &mut Rng, tail: &Tail, most: usize) -> Frame {
    let mut payloads = Vec::new();
    let mut left = rng.index(most);
    while left > 0 || payloads.is_empty() {
        let mut payload = vec![0; rng.index(left + 1)];
        // Half of the payloads are full of zeros, which look like space that was never written.
        if rng.one_in(2) {
            rng.fill(&mut payload);
        }
        left = left.saturating_sub(payload.len() + 100);
        payloads.push(payload);
    }
    frame_of(LOG, tail, payloads)
}

/// One log over several lives, beside a model of it.
struct World {
    seed: u64,
    rng: Rng,
    disk: SimDisk,
    segment_len: u64,
    /// Frames that must be in the log.
    acknowledged: Vec<Frame>,
    /// The frame that may be there.
    unsettled: Option<Frame>,
    tail: Tail,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let disk = SimDisk::new(rng.next_u64());
        let segment_len = [4096, 8192, 16384][rng.index(3)];
        Self {
            seed,
            rng,
            disk,
            segment_len,
            acknowledged: Vec::new(),
            unsettled: None,
            tail: Tail::genesis(LOG),
        }
    }

    fn options(&mut self) -> JournalOptions {
        let mut known = Vec::new();
        if !self.acknowledged.is_empty() {
            let seen = &self.acknowledged[self.rng.index(self.acknowledged.len())];
            let (number, hash) = (seen.header().number, seen.hash());
            known.push(Known { source: "the test".to_owned(), number, hash });
        }
        let create = Some(LOG);
        JournalOptions { segment_len: self.segment_len, create, known, ..options() }
    }

    fn open(&mut self) -> Result<(Journal, Recovery), LogError> {
        let options = self.options();
        open(&self.disk, options)
    }

    /// Takes over what recovery decided about the unsettled frame.
    fn settle_tail(&mut self, journal: &Journal) {
        if let Some(frame) = self.unsettled.take()
            && journal.tail().hash == frame.hash()
        {
            self.acknowledge(frame);
        }
        assert_eq!(journal.tail(), self.tail, "seed {}: tail after recovery", self.seed);
    }

    /// Compares an open journal with the model.
    fn check(&mut self, journal: &Journal) {
        self.settle_tail(journal);
        let seed = self.seed;
        let reader = journal.reader();
        for frame in &self.acknowledged {
            let header = frame.header();
            let read = reader.read(header.number).unwrap();
            assert_eq!(read.as_ref(), Some(frame), "seed {seed}: frame {}", header.number);
            let found = reader.frame_of(header.first_position);
            assert_eq!(found, Some(header.number), "seed {seed}: {}", header.first_position);
        }
        assert_eq!(reader.read(self.tail.number.next()).unwrap(), None, "seed {seed}");
        let report = verify_reader(&*reader, &mut |_| {}).unwrap();
        assert_eq!(report.tail, self.tail, "seed {seed}");
    }

    fn acknowledge(&mut self, frame: Frame) {
        self.tail = self.tail.follow(LOG, frame.header()).unwrap();
        self.acknowledged.push(frame);
    }

    /// Works until the journal stops or has done enough.
    fn work(&mut self, journal: &mut Journal, frames: u64) -> Result<(), LogError> {
        let most = usize::try_from(self.segment_len).unwrap() - 1024;
        for _ in 0..frames {
            let most = if self.rng.one_in(4) { most } else { most / 8 };
            let frame = frame(&mut self.rng, &self.tail, most);
            journal.submit(frame.clone());
            match journal.settle().unwrap().1 {
                AppendOutcome::Committed => self.acknowledge(frame),
                AppendOutcome::Rejected(error) => {
                    assert_eq!(journal.tail(), self.tail, "seed {}", self.seed);
                    if error.is_fatal() || self.disk.is_stopped() {
                        return Err(error);
                    }
                }
                AppendOutcome::Unknown(error) => {
                    assert!(error.is_fatal(), "seed {}: {error}", self.seed);
                    self.unsettled = Some(frame);
                    return Err(error);
                }
                AppendOutcome::Fenced { .. } => panic!("seed {}: fenced", self.seed),
            }
            if self.rng.one_in(3)
                && let Err(error) = journal.maintain()
                && error.is_fatal()
            {
                return Err(error);
            }
        }
        if self.rng.one_in(3) { journal.close() } else { Ok(()) }
    }

    /// What the files say before recovery has touched them.
    fn verify(&self) {
        match verify(&self.disk, dir(), &[], &mut |_| {}) {
            Ok(report) => {
                let next = self.unsettled.as_ref().map(Frame::hash);
                let is_expected =
                    report.tail == self.tail || next.is_some_and(|hash| report.tail.hash == hash);
                assert!(is_expected, "seed {}: {report:?}", self.seed);
            }
            Err(LogError::NoLog { .. } | LogError::Io { .. }) if self.acknowledged.is_empty() => {}
            Err(error) => panic!("seed {}: verify says {error}", self.seed),
        }
    }

    fn restart(&mut self) {
        let cut = if self.rng.one_in(3) { Cut::Process } else { Cut::Power };
        self.disk.restart(cut);
    }
}

fn lives(seed: u64, lives: u64) -> usize {
    let mut world = World::new(seed);
    for _ in 0..lives {
        match world.rng.below(8) {
            0 => {}
            1 | 2 => world.disk.fail_sync(1 + world.rng.below(20)),
            3 => world.disk.stop_at_step(1 + world.rng.below(25)),
            _ => world.disk.stop_at_step(1 + world.rng.below(250)),
        }
        match world.open() {
            Ok((mut journal, _)) => {
                world.settle_tail(&journal);
                let frames = world.rng.below(30);
                // An error ends this life, as a crash does.
                let _ = world.work(&mut journal, frames);
            }
            Err(error) => {
                let is_cut = world.disk.is_stopped();
                let is_fault = matches!(error, LogError::SyncFailed { .. } | LogError::Io { .. });
                assert!(is_cut || is_fault, "seed {seed}: open says {error}");
            }
        }
        world.restart();
        world.verify();
    }
    world.disk.restart(Cut::Power);
    let (journal, _) = world.open().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    world.check(&journal);
    world.acknowledged.len()
}

/// Runs these seeds, or the one that the environment names.
fn run(usual: Range<u64>) {
    let seeds = match std::env::var("ENCOURS_SEED").ok().and_then(|seed| seed.parse().ok()) {
        Some(seed) => seed..seed + 1,
        None => usual,
    };
    let frames: usize = seeds.map(|seed| lives(seed, 6)).sum();
    assert!(frames > 0, "nothing was tried");
}

#[test]
fn acknowledged_frames_outlive_every_crash() {
    run(0..1_000);
}

#[test]
fn acknowledged_frames_outlive_every_crash_of_a_second_thousand() {
    run(1_000..2_000);
}

/// One workload, stopped at each of its steps in turn; then the process goes on, and the power fails.
#[test]
fn no_step_is_a_bad_one_to_stop_at() {
    const LENS: [usize; 7] = [600, 300, 100, 1000, 20, 700, 200];
    let mut at_step = 1;
    loop {
        let mut stopped = false;
        for seed in 0..12 {
            let disk = SimDisk::new(seed);
            let mut acknowledged = create(&disk).tail();
            disk.stop_at_step(at_step);
            if let Ok((mut journal, _)) = open(&disk, options()) {
                for len in LENS {
                    if !append(&mut journal, len).is_committed() || journal.maintain().is_err() {
                        break;
                    }
                }
                acknowledged = journal.tail();
            }
            stopped = disk.is_stopped();
            disk.restart(if seed % 2 == 0 { Cut::Process } else { Cut::Power });
            let said = format!("seed {seed}, step {at_step}");
            let mut journal = open(&disk, options()).unwrap_or_else(|e| panic!("{said}: {e}")).0;
            assert!(journal.tail().number >= acknowledged.number, "{said}");
            assert!(append(&mut journal, 30).is_committed(), "{said}");
            let tail = journal.tail();
            disk.restart(Cut::Power);
            let journal = open(&disk, options()).unwrap_or_else(|e| panic!("{said}: {e}")).0;
            assert_eq!(journal.tail(), tail, "{said}");
        }
        if !stopped {
            break;
        }
        at_step += 1;
    }
    assert!(at_step > 60, "{at_step} steps");
}

/// The anchor's sync fails, its new slot is shown all the same, and the next write of it is torn.
#[test]
fn a_failed_sync_of_the_anchor_never_costs_both_slots() {
    for seed in 0..400 {
        let made = log(&[100, 200], seed % 2 == 0);
        for at_step in 1..5 {
            let disk = made.copy(seed);
            let mut journal = open(&disk, options()).unwrap().0;
            assert!(append(&mut journal, 50).is_committed());
            disk.fail_sync(1);
            assert!(journal.close().unwrap_err().is_fatal());
            disk.restart(Cut::Process);
            let mut journal = open(&disk, options()).unwrap().0;
            assert!(append(&mut journal, 50).is_committed());
            let tail = journal.tail();
            disk.stop_at_step(at_step);
            drop(journal.close());
            disk.restart(Cut::Power);
            let opened = open(&disk, options());
            let journal = opened.unwrap_or_else(|e| panic!("seed {seed}, step {at_step}: {e}")).0;
            assert_eq!(journal.tail(), tail, "seed {seed}, step {at_step}");
        }
    }
}
