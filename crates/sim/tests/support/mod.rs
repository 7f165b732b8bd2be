//! Runs commands through `Command::decide` and `State::apply`, with the reference model beside.

use std::collections::BTreeMap;

use encours_domain::commands::{Command, Context, Decision, Digest, OpenDay, RunDay};
use encours_domain::content::Content;
use encours_domain::details::{Detail, Secret};
use encours_domain::event::LogCreated;
use encours_domain::{ClockNo, Day, Event, Position, State};
use encours_schema::{decode, encode};
use encours_sim::Rng;
use encours_sim::model::{Audit, Model, Verdict, ZONES};

/// The id of the log that the events make.
pub(crate) const LOG_ID: [u8; 16] = *b"reference model!";

/// The domain and the model, fed with the same commands.
pub(crate) struct Bench {
    pub(crate) state: State,
    pub(crate) model: Model,
    pub(crate) audit: Audit,
    /// Every event that was applied, with the digest of its command.
    pub(crate) log: Vec<(Digest, Event)>,
    /// The last position of every command that yielded events.
    pub(crate) boundaries: Vec<Position>,
    /// Commands by outcome.
    pub(crate) outcomes: BTreeMap<String, u32>,
    zone_day: Day,
    rng: Rng,
}

/// Digests the content of a command; 128 bits of FNV-1a are enough for tests.
struct Fnv(u128);

impl Fnv {
    fn feed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u128::from(*byte)).wrapping_mul(0x0100_0000_0000_0000_0000_013b);
        }
    }
}

impl Content for Fnv {
    fn bytes(&mut self, field: u16, value: &[u8]) {
        self.feed(&field.to_le_bytes());
        self.feed(&value.len().to_le_bytes());
        self.feed(value);
    }

    fn personal(&mut self, field: u16, value: &Detail) {
        self.bytes(field, &clear_bytes(value));
    }
}

fn clear_bytes(detail: &Detail) -> Vec<u8> {
    match detail {
        Detail::Name(text) | Detail::Address(text) | Detail::Note(text) => text.clone().into(),
        Detail::Contacts(list) => list.iter().flat_map(|c| c.name.bytes()).collect(),
    }
}

/// Stands in for the engine's encryption.
fn seal(event: &mut Event) {
    let details = match event {
        Event::CustomerCreated(e) => &mut e.details,
        Event::CustomerUpdated(e) => &mut e.details,
        _ => return,
    };
    for (_, secret) in details {
        if let Secret::Clear(detail) = secret {
            let sealed: Vec<u8> = clear_bytes(detail).iter().map(|byte| byte ^ 0x5a).collect();
            *secret = Secret::Sealed(sealed.into());
        }
    }
}

impl Bench {
    pub(crate) fn new(seed: u64, zone_day: Day) -> Self {
        let created: Event = LogCreated { log_id: LOG_ID }.into();
        let mut state = State::default();
        state.apply(Position(1), [0; 16], &created);
        Self {
            state,
            model: Model::new(zone_day),
            audit: Audit::default(),
            log: vec![([0; 16], created)],
            boundaries: vec![Position(1)],
            outcomes: BTreeMap::new(),
            zone_day,
            rng: Rng::new(!seed),
        }
    }

    /// The position of the last event.
    pub(crate) fn last(&self) -> Position {
        Position(self.log.len() as u64)
    }

    /// Decides and applies one command, and compares what the rules say.
    pub(crate) fn submit(&mut self, command: &Command) -> Result<(), String> {
        let verdict = self.model.judge(command);
        let mut digest = Fnv(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d);
        command.content(&mut digest);
        let digest = digest.0.to_le_bytes();
        let zone = match command {
            Command::CreateLedger(c) => ZONES.contains(&c.time_zone.as_str()),
            _ => false,
        };
        let context = Context {
            position: self.last().next(),
            digest,
            expected_version: None,
            zone_day: zone.then_some(self.zone_day),
        };
        let decision = command.decide(&self.state, &context);
        self.count(command, &decision);
        match (&verdict, decision) {
            (Verdict::Accept | Verdict::Silent, Ok(Decision::Accept(events))) => {
                self.apply(command, digest, events)
            }
            (Verdict::Refuse(reasons), Err(refusal)) if reasons.contains(&refusal.reason) => Ok(()),
            (Verdict::Silent, Err(_)) => Ok(()),
            (Verdict::Repeat | Verdict::Silent, Ok(Decision::Repeat { .. })) => Ok(()),
            (verdict, decision) => Err(format!("the rules say {verdict:?}, decided {decision:?}")),
        }
    }

    fn count(&mut self, command: &Command, decision: &Result<Decision, encours_domain::Refusal>) {
        let outcome = match decision {
            Ok(Decision::Accept(_)) => "accepted".to_owned(),
            Ok(Decision::Repeat { .. }) => "repeated".to_owned(),
            Err(refusal) => format!("{:?}", refusal.reason),
        };
        *self.outcomes.entry(format!("{} {outcome}", command.name())).or_default() += 1;
    }

    fn apply(
        &mut self,
        command: &Command,
        digest: Digest,
        events: Vec<Event>,
    ) -> Result<(), String> {
        let mut stored = Vec::new();
        for mut event in events {
            seal(&mut event);
            let bytes = encode(&event).map_err(|e| format!("{event:?}: {e}"))?;
            let read = decode(bytes.kind, bytes.version, &bytes.payload);
            let read = read.map_err(|e| format!("{event:?}: {e}"))?;
            if read != event {
                return Err(format!("{event:?} came back as {read:?}"));
            }
            self.state.apply(self.last().next(), digest, &event);
            self.log.push((digest, event.clone()));
            stored.push(event);
        }
        let last = self.last();
        self.boundaries.push(last);
        self.model.record(command, &stored, last)?;
        let audited = self.audit.check(&self.model, &stored);
        audited.map_err(|told| format!("{told}\ndecided {stored:?}"))
    }

    /// Runs every unfinished day of every clock, in steps of random size.
    pub(crate) fn run_days(&mut self) -> Result<(), String> {
        for at in 0..self.model.clocks.len() {
            while self.model.clocks[at].finished < self.day_to_reach(at) {
                self.run_day(at)?;
            }
        }
        Ok(())
    }

    fn day_to_reach(&self, clock: usize) -> Day {
        let row = &self.model.clocks[clock];
        row.today.max(row.target)
    }

    fn run_day(&mut self, at: usize) -> Result<(), String> {
        let clock = ClockNo(u32::try_from(at).map_err(|e| e.to_string())?);
        let day = self.model.clocks[at].finished.plus(1).ok_or("end of the calendar")?;
        let limit = 1 + u32::try_from(self.rng.below(3)).map_err(|e| e.to_string())?;
        let before = self.log.len();
        self.submit(&RunDay { clock, day, limit }.into())?;
        if self.log.len() == before {
            return Err(format!("RunDay of {day} yields nothing and does not finish"));
        }
        let facts = self.log[before..]
            .iter()
            .filter(|(_, event)| !matches!(event, Event::DayFinished(_) | Event::DayOpened(_)));
        if facts.count() > limit as usize {
            return Err(format!("RunDay of {day} emits more than its limit of {limit} items"));
        }
        Ok(())
    }

    /// Opens the next day of the system's clocks, in time or late.
    pub(crate) fn open_system_days(&mut self) -> Result<(), String> {
        for at in 0..self.model.clocks.len() {
            if !self.model.clocks[at].test {
                let clock = ClockNo(u32::try_from(at).map_err(|e| e.to_string())?);
                let day = self.model.clocks[at].today.plus(1).ok_or("end of the calendar")?;
                let on_time = self.rng.one_in(2);
                self.submit(&OpenDay { clock, day, on_time }.into())?;
            }
        }
        Ok(())
    }

    /// A day that was finished is not run again.
    pub(crate) fn repeat_a_day(&mut self) -> Result<(), String> {
        let day = self.model.clocks[0].finished;
        let before = self.log.len();
        self.submit(&RunDay { clock: ClockNo(0), day, limit: 1_000 }.into())?;
        if self.log.len() == before {
            return Ok(());
        }
        Err(format!("RunDay of {day}, which is finished, yields {:?}", &self.log[before..]))
    }
}
