//! What runs came across.

use std::collections::BTreeMap;

/// Counts over one run or many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Runs.
    pub seeds: u64,
    /// Steps of their schedules.
    pub steps: u64,
    /// Commands sent.
    pub commands: u64,
    /// Commands acknowledged as new.
    pub acknowledged: u64,
    /// Commands without a known outcome.
    pub unknown: u64,
    /// Commands denied without effect, for want of room, of a server or of a leader.
    pub denied: u64,
    /// Frames in the logs at the end.
    pub frames: u64,
    /// Nodes that ended without a clean stop.
    pub crashes: u64,
    /// Clean stops.
    pub stops: u64,
    /// Starts that found a snapshot.
    pub from_snapshot: u64,
    /// Starts that dropped the torn end of a log.
    pub torn_tails: u64,
    /// Syncs that failed.
    pub failed_syncs: u64,
    /// Times at which a disk or a stream ran out of room.
    pub full: u64,
    /// Bits flipped, in the log, its anchor, keys, snapshots and files of request ids.
    pub bit_flips: u64,
    /// Flipped bits for which a start was refused.
    pub flips_refused: u64,
    /// Files lost that can be made anew.
    pub files_lost: u64,
    /// Ends of a log cut off.
    pub tails_cut: u64,
    /// Cut ends for which a start was refused.
    pub cuts_refused: u64,
    /// Takeovers by another node.
    pub takeovers: u64,
    /// Writers fenced by another one.
    pub fenced: u64,
    /// Writers that gave up for want of a server.
    pub unavailable: u64,
    /// Appends whose outcome was not known at first.
    pub ambiguous: u64,
    /// Jumps of the clock.
    pub time_jumps: u64,
    /// Days run to their end.
    pub days: u64,
    /// Overdue spells told.
    pub spells: u64,
    /// Logs folded by the read model and compared.
    pub reads: u64,
    /// Commands by name and outcome.
    pub outcomes: BTreeMap<String, u64>,
    /// Refusals of values before there is a command, by reason.
    pub values: BTreeMap<String, u64>,
    /// Events by kind.
    pub told: BTreeMap<String, u64>,
}

impl Tally {
    /// Adds what another run came across.
    pub fn add(&mut self, other: &Self) {
        for ((_, sum), (_, more)) in self.counts_mut().into_iter().zip(other.clone().counts_mut()) {
            *sum += *more;
        }
        for (sums, more) in [
            (&mut self.outcomes, &other.outcomes),
            (&mut self.values, &other.values),
            (&mut self.told, &other.told),
        ] {
            for (name, count) in more {
                *sums.entry(name.clone()).or_default() += count;
            }
        }
    }

    /// The plain counts by name, in the order of a summary.
    #[must_use]
    pub fn counts(&self) -> Vec<(&'static str, u64)> {
        self.clone().counts_mut().into_iter().map(|(name, count)| (name, *count)).collect()
    }

    /// Refusals by reason, of commands and of values.
    #[must_use]
    pub fn refusals(&self) -> BTreeMap<&str, u64> {
        let mut refusals: BTreeMap<&str, u64> = BTreeMap::new();
        let told =
            self.outcomes.iter().filter_map(|(outcome, n)| Some((outcome.split_once(' ')?.1, n)));
        let told = told.filter(|(outcome, _)| !matches!(*outcome, "accepted" | "repeated"));
        for (reason, count) in
            told.chain(self.values.iter().map(|(reason, n)| (reason.as_str(), n)))
        {
            *refusals.entry(reason).or_default() += count;
        }
        refusals
    }

    fn counts_mut(&mut self) -> Vec<(&'static str, &mut u64)> {
        vec![
            ("seeds", &mut self.seeds),
            ("steps", &mut self.steps),
            ("commands", &mut self.commands),
            ("acknowledged", &mut self.acknowledged),
            ("outcome unknown", &mut self.unknown),
            ("denied", &mut self.denied),
            ("frames", &mut self.frames),
            ("days run", &mut self.days),
            ("overdue spells", &mut self.spells),
            ("crashes", &mut self.crashes),
            ("clean stops", &mut self.stops),
            ("starts from a snapshot", &mut self.from_snapshot),
            ("torn tails", &mut self.torn_tails),
            ("failed syncs", &mut self.failed_syncs),
            ("out of room", &mut self.full),
            ("bit flips", &mut self.bit_flips),
            ("bit flips refused", &mut self.flips_refused),
            ("files lost", &mut self.files_lost),
            ("tails cut", &mut self.tails_cut),
            ("cut tails refused", &mut self.cuts_refused),
            ("takeovers", &mut self.takeovers),
            ("writers fenced", &mut self.fenced),
            ("server out of reach", &mut self.unavailable),
            ("ambiguous appends", &mut self.ambiguous),
            ("time jumps", &mut self.time_jumps),
            ("read models compared", &mut self.reads),
        ]
    }
}
