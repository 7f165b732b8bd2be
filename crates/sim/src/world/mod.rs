//! The simulation: a run of commands, faults and time from a seed, checked after every step.
//!
//! A run is a schedule of [steps](step::Step), drawn one after the other from the seed
//! ([`draw`]), and what they are done to: one node over a journal on a disk, or two nodes over a log
//! that a server keeps. Every reply is held against the log and the rules ([`follower`]); what must
//! hold after crashes, takeovers and at the end is in [`serve`]. A schedule that fails is played again
//! with less and less of it ([`shrink`]).

mod clients;
mod draw;
mod follower;
mod pair;
mod serve;
mod shrink;
mod single;
mod step;
mod tally;

use std::fmt;
use std::panic::AssertUnwindSafe;

use encours_domain::Day;
use encours_engine::local_day;
use encours_log::{Clock, Micros};

pub use tally::Tally;

use crate::clock::SimClock;
use crate::disk::SimDisk;
use crate::rng::Rng;
use crate::workload::{Weights, values};
use crate::{compare, reading};
use clients::Clients;
use draw::Draw;
use follower::Follower;
use pair::Pair;
use serve::Around;
use single::Single;
use step::{Jump, Step};

/// Where runs begin, in seconds since 1970: the day before Paris changes its clocks, a Christmas
/// before a leap year, the days before a leap day.
const STARTS: [i64; 3] = [1_774_699_200, 1_703_073_600, 1_835_179_200];

/// How to run.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Steps of a schedule.
    pub steps: u64,
    /// How often which command is made.
    pub weights: Weights,
}

impl Default for Setup {
    fn default() -> Self {
        Self { steps: 80, weights: Weights::default() }
    }
}

/// What went wrong.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// What does not hold.
    pub message: String,
    schedule: Vec<Step>,
}

impl Failure {
    /// The same failure, or another one, of as short a schedule as is found in so many runs.
    #[must_use]
    pub fn shrink(self, runs: u32) -> Self {
        shrink::shrink(self, runs)
    }

    /// Steps of the schedule.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.schedule.len()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", if is_single(self.seed) { SINGLE } else { PAIR })?;
        for (number, step) in (1..).zip(&self.schedule) {
            writeln!(f, "  {number:>3}. {step}")?;
        }
        write!(f, "  then: {}", self.message)
    }
}

const SINGLE: &str = "One node over a journal on its own disk:";
const PAIR: &str = "Two nodes, 0 and 1, over a log that a server keeps:";

/// What the steps are done to.
pub(crate) enum Site {
    Single(Box<Single>),
    Pair(Box<Pair>),
}

/// Three of five runs are of one node.
const fn is_single(seed: u64) -> bool {
    seed % 5 < 3
}

struct World {
    seed: u64,
    site: Site,
    around: Around,
    start: Day,
}

impl World {
    fn new(seed: u64) -> Result<Self, String> {
        let mut rng = Rng::new(!seed);
        let now = Micros(STARTS[rng.index(STARTS.len())] * 1_000_000);
        let start = local_day("Europe/Paris", now).ok_or("no such day")?;
        let disk = is_single(seed).then(|| SimDisk::new(rng.next_u64()));
        let site = if let Some(disk) = disk.clone() {
            Site::Single(Box::new(Single::new(&mut rng, disk, Follower::new(start))))
        } else {
            Site::Pair(Box::new(Pair::new(&mut rng, || Follower::new(start))))
        };
        let (clients, tally) = (Clients::default(), Tally::default());
        let around = Around { clock: SimClock::new(now), disk, clients, tally, is_tight: false };
        Ok(Self { seed, site, around, start })
    }

    fn apply(&mut self, step: &Step) -> Result<(), String> {
        self.around.tally.steps += 1;
        if let Step::Time(jump) = step {
            self.move_time(*jump);
            return Ok(());
        }
        if let Step::DiskRoom(room) | Step::Weather { room, .. } = step {
            self.around.is_tight = room.is_some();
        }
        match &mut self.site {
            Site::Single(single) => single.apply(step, &mut self.around),
            Site::Pair(pair) => pair.apply(step, &mut self.around),
        }
    }

    fn move_time(&mut self, jump: Jump) {
        let clock = &self.around.clock;
        match jump {
            Jump::On(seconds) => return clock.advance(std::time::Duration::from_secs(seconds)),
            Jump::By(seconds) => clock.set(Micros(clock.now().0 + seconds * 1_000_000)),
            Jump::To(moment, _) => clock.set(moment),
        }
        self.around.tally.time_jumps += 1;
    }

    /// Ends all faults and looks at everything.
    fn finish(&mut self) -> Result<(), String> {
        let (follower, reader) = match &mut self.site {
            Site::Single(single) => {
                single.check(&mut self.around, true)?;
                (&single.follower, single.reader())
            }
            Site::Pair(pair) => {
                let node = usize::from(self.seed.is_multiple_of(2));
                pair.check(node, &mut self.around, true)?;
                (pair.follower(1 - node), Some(pair.reader(1 - node)))
            }
        };
        let (witness, tally) = (&follower.witness, &mut self.around.tally);
        compare::check_past(&witness.model)?;
        let mut rng = Rng::new(self.seed);
        // Every fourth: it costs as much as the rest of a run.
        if self.seed.is_multiple_of(4)
            && let Some(reader) = reader
        {
            reading::check(reader, witness, self.start, &mut rng)?;
            tally.reads += 1;
        }
        for reason in values::check(&mut rng)? {
            *tally.values.entry(format!("{reason:?}")).or_default() += 1;
        }
        tally.frames += follower.frames.len() as u64;
        tally.spells += u64::from(witness.spells());
        tally.told.clone_from(&witness.told);
        let accepted = tally.told.iter().filter(|(told, _)| told.starts_with("DayOpened"));
        let opened = accepted.map(|(_, count)| count).sum();
        tally.outcomes.insert("OpenDay accepted".to_owned(), opened);
        Ok(())
    }
}

/// Runs one seed.
///
/// # Errors
/// What does not hold, with the schedule that shows it.
pub fn run(seed: u64, setup: &Setup) -> Result<Tally, Box<Failure>> {
    let mut schedule = Vec::new();
    let played = caught(|| {
        let mut world = World::new(seed)?;
        let mut draw = Draw::new(seed, world.start, setup.weights.clone());
        for _ in 0..setup.steps {
            let step = draw.next(&world.site, &world.around.clients);
            schedule.push(step.clone());
            world.apply(&step)?;
        }
        world.finish()?;
        Ok(world.around.tally)
    });
    match played {
        Ok(tally) => Ok(Tally { seeds: 1, ..tally }),
        Err(message) => Err(Box::new(Failure { seed, message, schedule })),
    }
}

/// Plays a schedule; what went wrong, where something does, and how many steps it took.
fn play(seed: u64, schedule: &[Step]) -> Option<(String, usize)> {
    let mut taken = 0;
    let played = caught(|| {
        let mut world = World::new(seed)?;
        for step in schedule {
            taken += 1;
            world.apply(step)?;
        }
        world.finish()
    });
    played.err().map(|message| (message, taken))
}

/// A failed assertion of the product is a failure like any other.
fn caught<T>(run: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    std::panic::catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        Err(format!("a failed assertion: {}", text.unwrap_or_default()))
    })
}
