//! Reads a node's log and holds every answer against it, in the order of the log.

use std::collections::{BTreeMap, VecDeque};

use encours_domain::commands::{Digest, OpenDay, RunDay};
use encours_domain::state::Rows;
use encours_domain::{ClockNo, Command, Day, Event, Position, Reason};
use encours_engine::{Denied, Reply, local_day};
use encours_log::{CommandRecord, Frame, FrameNumber, LogReader, Micros};

use super::clients::{Clients, Fate};
use super::step::Ask;
use super::tally::Tally;
use crate::compare;
use crate::model::Verdict;
use crate::witness::{Witness, fill_id};

/// A command in the log that was not taken in yet.
struct Written {
    record: CommandRecord,
    digest: Digest,
    last: Position,
    events: Vec<Event>,
}

/// What a command must come to, as far as the log is known.
enum Expected {
    /// Its request id was used for the same command, with this outcome.
    Known(Position),
    /// Its request id was used for another command.
    Reused,
    /// It has not been asked before.
    Rules(Verdict),
}

/// Follows one log.
pub(crate) struct Follower {
    pub(crate) witness: Witness,
    /// All frames read.
    pub(crate) frames: Vec<Frame>,
    recorded_at: Micros,
    queue: VecDeque<Written>,
    /// Where the commands of clients stand.
    pub(crate) done: BTreeMap<u64, Position>,
    /// The request ids in the log, by scope.
    requests: BTreeMap<(String, String), (Command, Position)>,
}

impl Follower {
    pub(crate) fn new(zone_day: Day) -> Self {
        Self {
            witness: Witness::new(zone_day),
            frames: Vec::new(),
            recorded_at: Micros(i64::MIN),
            queue: VecDeque::new(),
            done: BTreeMap::new(),
            requests: BTreeMap::new(),
        }
    }

    /// After a start: what was read before is still there.
    ///
    /// # Errors
    /// The frame that is gone or another one.
    pub(crate) fn still_there(&self, reader: &dyn LogReader) -> Result<(), String> {
        let Some(last) = self.frames.last() else { return Ok(()) };
        let number = last.header().number;
        match reader.read(number) {
            Ok(Some(frame)) if frame == *last => Ok(()),
            Ok(Some(_)) => Err(format!("frame {number}, which was read before, is another one")),
            Ok(None) => {
                let tail = reader.tail().number;
                Err(format!("frame {number} was read before; now the log ends at {tail}"))
            }
            Err(error) => Err(format!("frame {number}, which was read before: {error}")),
        }
    }

    /// Reads what is new, and takes all of it in.
    pub(crate) fn take_all(
        &mut self,
        reader: &dyn LogReader,
        clients: &Clients,
    ) -> Result<(), String> {
        self.pull(reader)?;
        while !self.queue.is_empty() {
            self.take_next(clients)?;
        }
        Ok(())
    }

    /// Reads what is new.
    pub(crate) fn pull(&mut self, reader: &dyn LogReader) -> Result<(), String> {
        loop {
            let number = FrameNumber(self.frames.len() as u64 + 1);
            let frame = reader.read(number).map_err(|e| format!("frame {number}: {e}"))?;
            let Some(frame) = frame else { return Ok(()) };
            if frame.header().recorded_at < self.recorded_at {
                return Err(format!("frame {number} was recorded before the one before it"));
            }
            self.recorded_at = frame.header().recorded_at;
            let mut events = frame.events();
            for (record, first) in frame.commands() {
                let mut digest = [0; 16];
                digest.copy_from_slice(&record.digest[..16]);
                let count = record.event_count;
                let mut own = Vec::new();
                for (position, event) in events.by_ref().take(count as usize) {
                    let read = encours_schema::decode(event.kind, event.version, event.payload);
                    own.push(read.map_err(|e| format!("the event at {position}: {e}"))?);
                }
                let last = Position(first.0 + u64::from(count) - 1);
                self.queue.push_back(Written { record, digest, last, events: own });
            }
            drop(events);
            self.frames.push(frame);
        }
    }

    /// Takes in the next command; tells whose it was.
    fn take_next(&mut self, clients: &Clients) -> Result<Option<u64>, String> {
        let Some(written) = self.queue.pop_front() else { return Ok(None) };
        let Written { record, digest, last, events } = written;
        let told = |error: String| format!("{} at {last}: {error}", record.actor);
        let (who, rest) = record.actor.split_once('-').unwrap_or((&record.actor, ""));
        let mut tag = None;
        match who {
            "system" => match events.first() {
                Some(Event::DayOpened(e)) => {
                    let (clock, day, on_time) = (e.clock, e.day, e.on_time);
                    let open = OpenDay { clock, day, on_time };
                    self.witness.take(open.into(), digest, &events).map_err(told)?;
                }
                _ => self.witness.note(digest, &events),
            },
            "scheduler" => {
                let run = scheduled(rest).ok_or_else(|| told("no such scheduler".to_owned()))?;
                let items = events
                    .iter()
                    .filter(|event| !matches!(event, Event::DayFinished(_) | Event::DayOpened(_)));
                if items.count() > run.limit as usize {
                    return Err(told(format!("emits more than its limit of {} items", run.limit)));
                }
                self.witness.take(run.into(), digest, &events).map_err(told)?;
            }
            _ => {
                let known = rest.parse().ok().and_then(|tag| clients.ask(tag));
                let ask = known.ok_or_else(|| told("nobody has sent it".to_owned()))?;
                tag = Some(ask.tag);
                self.take_asked(ask, digest, last, &events).map_err(told)?;
                if record.request_id != ask.request.clone().unwrap_or_default() {
                    return Err(told(format!("has the request id {:?}", record.request_id)));
                }
            }
        }
        if self.witness.last() != last {
            return Err(format!("{last} is not the position after those before"));
        }
        Ok(tag)
    }

    fn take_asked(
        &mut self,
        ask: &Ask,
        digest: Digest,
        last: Position,
        events: &[Event],
    ) -> Result<(), String> {
        if ask.dry || ask.stale {
            return Err(format!("must not be in the log: {ask}"));
        }
        if let Some(first) = self.done.insert(ask.tag, last) {
            return Err(format!("was done at {first} already: {ask}"));
        }
        let known = self.scope(ask);
        self.witness
            .take(ask.command.clone(), digest, events)
            .map_err(|e| format!("{ask}: {e}"))?;
        if let Some(key) = known
            && self.requests.insert(key, (ask.command.clone(), last)).is_some()
        {
            return Err(format!("its request id was used before: {ask}"));
        }
        Ok(())
    }

    /// Where the request id of a command counts, and the id.
    fn scope(&self, ask: &Ask) -> Option<(String, String)> {
        let request = ask.request.clone()?;
        let model = &self.witness.model;
        let scope = match &ask.command {
            Command::CreateLedger(_) => "log".to_owned(),
            Command::AdvanceClock(c) => {
                format!("clock {}", model.books[model.book_no(&c.ledger_id)?].clock)
            }
            other => format!("ledger {}", model.book_no(other.ledger_id()?)?),
        };
        Some((scope, request))
    }

    fn expected(&self, ask: &Ask) -> Expected {
        if ask.request.as_ref().is_some_and(|id| !is_request_id(id)) {
            return Expected::Rules(Verdict::Refuse([Reason::InvalidId].into()));
        }
        match self.scope(ask).and_then(|key| self.requests.get(&key)) {
            Some((command, position)) if *command == ask.command => Expected::Known(*position),
            Some(_) => Expected::Reused,
            None => {
                let mut command = ask.command.clone();
                fill_id(&mut command, "to-be-assigned");
                Expected::Rules(self.witness.model.judge(&command))
            }
        }
    }

    /// Holds an answer against the log and the rules; those before it were held already.
    ///
    /// # Errors
    /// What is wrong about the answer.
    pub(crate) fn answered(
        &mut self,
        ask: &Ask,
        answer: &Result<Reply, Denied>,
        clients: &mut Clients,
        tally: &mut Tally,
    ) -> Result<(), String> {
        let outcome = match answer {
            Ok(reply) if reply.repeated || ask.dry => self.repeated(ask, reply, clients),
            Ok(reply) => self.accepted(ask, reply, clients, tally),
            Err(Denied::Refused(refusal)) => {
                let excused = ask.stale
                    && matches!(
                        refusal.reason,
                        Reason::VersionMismatch | Reason::ConflictingFields
                    );
                match self.expected(ask) {
                    _ if excused => Ok(format!("{:?}", refusal.reason)),
                    Expected::Reused if refusal.reason == Reason::RequestIdReused => {
                        Ok("RequestIdReused".to_owned())
                    }
                    Expected::Rules(Verdict::Refuse(reasons))
                        if reasons.contains(&refusal.reason) =>
                    {
                        Ok(format!("{:?}", refusal.reason))
                    }
                    Expected::Rules(Verdict::Silent) => Ok(format!("{:?}", refusal.reason)),
                    Expected::Known(position) => Err(format!("it was done at {position}")),
                    Expected::Reused => Err("its request id was used before".to_owned()),
                    Expected::Rules(verdict) => Err(format!("the rules say {verdict:?}")),
                }
            }
            Err(Denied::OutcomeUnknown) => {
                clients.note(ask.tag, Fate::Unknown)?;
                tally.unknown += 1;
                return Ok(());
            }
            Err(denied) => {
                if !denied.is_without_effect() {
                    return Err(format!("{denied} may have an effect"));
                }
                clients.note(ask.tag, Fate::Absent)?;
                tally.denied += 1;
                tally.full += u64::from(*denied == Denied::LogFull);
                return Ok(());
            }
        };
        let outcome = outcome.map_err(|e| format!("{ask}\n  answered {answer:?}\n  but {e}"))?;
        if outcome != "accepted" {
            clients.note(ask.tag, Fate::Absent)?;
        }
        *tally.outcomes.entry(format!("{} {outcome}", ask.command.name())).or_default() += 1;
        Ok(())
    }

    fn accepted(
        &mut self,
        ask: &Ask,
        reply: &Reply,
        clients: &mut Clients,
        tally: &mut Tally,
    ) -> Result<String, String> {
        if ask.stale {
            return Err("the version that it expects is not there".to_owned());
        }
        if let Expected::Known(position) = self.expected(ask) {
            return Err(format!("it was done at {position} already"));
        }
        loop {
            let Some(next) = self.queue.front().map(|next| next.last) else {
                return Err("it is not in the log".to_owned());
            };
            let tag = self.take_next(clients)?;
            if next == reply.position && tag == Some(ask.tag) {
                break;
            }
            if next >= reply.position || tag.is_some() {
                return Err(format!("client {tag:?} has position {next}"));
            }
        }
        self.same_resource(reply)?;
        tally.acknowledged += 1;
        clients.note(ask.tag, Fate::Done(reply.subject, reply.position))?;
        Ok("accepted".to_owned())
    }

    fn same_resource(&self, reply: &Reply) -> Result<(), String> {
        let there = self.witness.state.resource(reply.subject);
        if reply.resource == there {
            return Ok(());
        }
        Err(format!("the log makes {there:?}"))
    }

    fn repeated(&self, ask: &Ask, reply: &Reply, clients: &Clients) -> Result<String, String> {
        match self.expected(ask) {
            Expected::Known(position) => {
                if !reply.repeated || reply.position != position {
                    return Err(format!("its first outcome was {position}"));
                }
                if let Some(Fate::Done(subject, _)) = clients.fate(ask.tag)
                    && subject != reply.subject
                {
                    return Err(format!("its first answer was about {subject:?}"));
                }
                self.same_resource(reply)?;
            }
            Expected::Rules(Verdict::Repeat | Verdict::Silent) if reply.repeated => {
                self.same_resource(reply)?;
            }
            // A dry run of what would be done.
            Expected::Rules(Verdict::Accept | Verdict::Silent) if !reply.repeated && !ask.stale => {
                return Ok("tried".to_owned());
            }
            Expected::Rules(verdict) => return Err(format!("the rules say {verdict:?}")),
            Expected::Reused => return Err("its request id was used before".to_owned()),
        }
        Ok("repeated".to_owned())
    }

    /// The writer's state against the log's and the model's.
    ///
    /// # Errors
    /// What differs.
    pub(crate) fn compare(&self, rows: &Rows) -> Result<(), String> {
        let books = 0..self.witness.model.books.len();
        books.into_iter().try_for_each(|at| compare::compare_ledger(rows, &self.witness, at))
    }

    /// The writer's state is that of the log, bit for bit.
    pub(crate) fn same_state(&self, rows: &Rows) -> Result<(), String> {
        if format!("{rows:?}") == format!("{:?}", self.witness.state.rows()) {
            return Ok(());
        }
        Err("the state of the writer is not the one that the log makes".to_owned())
    }

    /// Every day that has begun by the system's time is open.
    pub(crate) fn days_are_open(&self, now: Micros) -> Result<(), String> {
        for clock in self.witness.model.clocks.iter().filter(|clock| !clock.test) {
            if local_day(&clock.zone, now).is_some_and(|day| day > clock.today) {
                return Err(format!("clock {} is at {}, and it is later", clock.id, clock.today));
            }
        }
        Ok(())
    }
}

/// The command of a scheduler by this name.
fn scheduled(name: &str) -> Option<RunDay> {
    let mut parts = name.split('/');
    let clock = ClockNo(parts.next()?.parse().ok()?);
    let day = Day::from_number(parts.next()?.parse().ok()?)?;
    Some(RunDay { clock, day, limit: parts.next()?.parse().ok()? })
}

fn is_request_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}
