//! The scheduler: draws from a seed what happens next.

use encours_domain::Command;
use encours_log::Micros;

use super::Site;
use super::clients::Clients;
use super::follower::Follower;
use super::pair::Pair;
use super::single::Single;
use super::step::{Ask, Harm, Jump, Step};
use crate::disk::Cut;
use crate::model::Model;
use crate::rng::Rng;
use crate::stream::StreamFaults;
use crate::workload::{Kind, Weights, Workload};

const HOUR: i64 = 3_600;
const YEAR: i64 = 365 * 24 * HOUR;
const SECOND: i64 = 1_000_000;

/// Moments worth being at, in seconds since 1970: just before a change.
const MOMENTS: [(i64, &str); 5] = [
    (1_774_745_990, "2026-03-29T00:59:50Z, before summer time begins in Paris"),
    (1_792_889_990, "2026-10-25T00:59:50Z, before summer time ends in Paris"),
    (1_835_391_590, "2028-02-28T22:59:50Z, before a leap day in Paris"),
    (1_835_477_990, "2028-02-29T22:59:50Z, at the end of a leap day in Paris"),
    (1_798_757_990, "2026-12-31T22:59:50Z, before a new year in Paris"),
];

/// Draws steps.
pub(crate) struct Draw {
    rng: Rng,
    workload: Workload,
    tags: u64,
    start: encours_domain::Day,
}

impl Draw {
    pub(crate) fn new(seed: u64, start: encours_domain::Day, weights: Weights) -> Self {
        let mut rng = Rng::new(seed);
        let workload = Workload::new(rng.next_u64(), weights);
        Self { rng, workload, tags: 0, start }
    }

    /// The next step.
    pub(crate) fn next(&mut self, site: &Site, clients: &Clients) -> Step {
        match site {
            Site::Single(single) => self.of_one(single, clients),
            Site::Pair(pair) => self.of_two(pair, clients),
        }
    }

    fn of_one(&mut self, single: &Single, clients: &Clients) -> Step {
        match single.runs() {
            None => return self.while_down(),
            Some(false) => return Step::End { node: 0, clean: false, cut: self.cut() },
            Some(true) => {}
        }
        if let Some(step) = self.ledgers(0, &single.follower) {
            return step;
        }
        match self.rng.below(100) {
            0..58 => self.ask(0, &single.follower, clients, 1),
            58..70 => self.days(0),
            70..76 => Step::Time(self.jump(single.may_leap())),
            76..84 => Step::DiskStops { calls: 1 + self.rng.below(300) },
            84..86 => Step::SyncFails { syncs: 1 + self.rng.below(30) },
            86..90 if !single.has_room => Step::DiskRoom(None),
            86..88 => Step::DiskRoom(Some(self.rng.below(3_000))),
            88..95 => Step::End { node: 0, clean: self.rng.one_in(2), cut: self.cut() },
            _ => Step::Check { node: 0 },
        }
    }

    fn while_down(&mut self) -> Step {
        let file = self.rng.below(64);
        match self.rng.below(12) {
            0 | 1 => Step::Vandalise { node: 0, file, harm: self.harm() },
            2 => Step::Flip { file, bit: self.rng.next_u64() },
            3 => Step::CutTail { bytes: 1 + self.rng.below(4_096) },
            _ => {
                let stop = self.rng.one_in(3).then(|| 1 + self.rng.below(150));
                Step::Start { stop, cut: self.cut() }
            }
        }
    }

    fn of_two(&mut self, pair: &Pair, clients: &Clients) -> Step {
        let node = self.rng.index(2);
        let leads = [0, 1].into_iter().find(|at| pair.leads(*at));
        if pair.follower(0).witness.model.books.len() < 4 {
            return match leads {
                None => Step::Lead { node: 0, stale: false },
                Some(_) => self.ledgers(0, pair.follower(0)).unwrap_or(Step::Drop { node: 1 }),
            };
        }
        let seen = pair.follower(node).witness.model.books.len();
        match self.rng.below(100) {
            0..55 if pair.leads(node) && seen >= 4 => {
                let groups = 1 + self.rng.index(6);
                self.ask(node, pair.follower(node), clients, groups)
            }
            0..30 => Step::Lead { node, stale: self.rng.one_in(5) },
            30..55 => Step::Follow { node, frames: 1 + self.rng.index(6) },
            55..63 => self.days(node),
            63..77 => self.weather(),
            77..83 => Step::Time(self.jump(true)),
            83..87 => Step::End { node, clean: self.rng.one_in(2), cut: self.cut() },
            87..90 => Step::Drop { node },
            90..93 => Step::Vandalise { node, file: self.rng.below(64), harm: self.harm() },
            93..97 => Step::Lead { node, stale: false },
            _ => Step::Check { node },
        }
    }

    /// The ledgers to begin with, as long as one of them is missing.
    fn ledgers(&mut self, node: usize, follower: &Follower) -> Option<Step> {
        let model = &follower.witness.model;
        let missing =
            |command: &Command| command.ledger_id().is_some_and(|id| model.book_no(id).is_none());
        let mut ledgers = self.workload.ledgers(self.start);
        ledgers.retain(missing);
        let first = ledgers.is_empty().then_some(()).is_none();
        first.then(|| {
            let asks = ledgers.into_iter().map(|command| self.fresh(command)).collect();
            Step::Ask { node, frames: vec![asks] }
        })
    }

    fn ask(&mut self, node: usize, follower: &Follower, clients: &Clients, groups: usize) -> Step {
        let model = &follower.witness.model;
        let mut group = |most: u64| {
            (0..1 + self.rng.below(most)).map(|_| self.one(model, clients)).collect::<Vec<Ask>>()
        };
        let frames = (0..groups).map(|_| group(if groups > 1 { 2 } else { 4 })).collect();
        Step::Ask { node, frames }
    }

    fn one(&mut self, model: &Model, clients: &Clients) -> Ask {
        if self.rng.one_in(14) {
            let again = clients.any(&mut self.rng).filter(|ask| ask.request.is_some());
            if let Some(ask) = again {
                return ask.clone();
            }
        }
        let command = self.workload.next_command(model);
        let mut ask = self.fresh(command);
        match self.rng.below(60) {
            0 => ask.dry = true,
            1 => ask.stale = !matches!(Kind::of(&ask.command), Kind::RunDay | Kind::OpenDay),
            2 => {
                // Somebody else's request id, for another command.
                let other = clients.any(&mut self.rng).and_then(|ask| ask.request.clone());
                ask.request = other.or(ask.request);
            }
            3 => {
                let wrong = [String::new(), "a b".to_owned(), "x".repeat(65)];
                ask.request = Some(wrong[self.rng.index(3)].clone());
            }
            4..9 => ask.request = None,
            9..14 => {
                if let Some(id) = ask.command.new_id() {
                    *id = None;
                }
            }
            _ => {}
        }
        if matches!(ask.command, Command::RunDay(_) | Command::OpenDay(_)) {
            ask.request = None;
        }
        ask
    }

    fn fresh(&mut self, command: Command) -> Ask {
        self.tags += 1;
        let request = Some(format!("request-{}", self.tags));
        Ask { tag: self.tags, command, request, stale: false, dry: false }
    }

    fn days(&mut self, node: usize) -> Step {
        let limit = 1 + u32::try_from(self.rng.below(4)).unwrap_or_default();
        let most = [3, 20, 60][self.rng.index(3)];
        Step::Days { node, limit, most }
    }

    fn jump(&mut self, may_leap: bool) -> Jump {
        match self.rng.below(if may_leap { 400 } else { 360 }) {
            0..240 => Jump::On(self.rng.below(40_000)),
            240..300 => Jump::By(HOUR),
            300..360 => Jump::By(-HOUR),
            360..370 => Jump::By(-5 * YEAR),
            370..372 => Jump::By(10 * YEAR),
            _ => {
                let (seconds, what) = MOMENTS[self.rng.index(MOMENTS.len())];
                Jump::To(Micros(seconds * SECOND), what)
            }
        }
    }

    fn weather(&mut self) -> Step {
        let mut often = |worst: u64| match self.rng.below(4) {
            0 => 0,
            1 => worst,
            _ => worst * 8,
        };
        let faults =
            StreamFaults { lost: often(3), late: often(3), unanswered: often(3), silent: often(3) };
        // Sometimes longer than an engine has patience for.
        let away = if self.rng.one_in(6) { [5, 40, 130][self.rng.index(3)] } else { 0 };
        let room = self.rng.one_in(12).then(|| self.rng.below(9_000));
        Step::Weather { faults, away, room }
    }

    fn harm(&mut self) -> Harm {
        if self.rng.one_in(2) { Harm::Lost } else { Harm::Flipped(self.rng.next_u64()) }
    }

    fn cut(&mut self) -> Cut {
        if self.rng.one_in(3) { Cut::Process } else { Cut::Power }
    }
}
