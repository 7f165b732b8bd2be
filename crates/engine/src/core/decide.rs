//! From a submission to events in the frame being filled, or to another answer.

use encours_domain::details::{Detail, Secret};
use encours_domain::limits::MAX_COMMAND_BYTES;
use encours_domain::state::Kind;
use encours_domain::{
    Command, Context, Day, Decision, Event, Id, LedgerNo, Micros, Position, Reason, Refusal,
    Subject,
};
use encours_log::CommandRecord;

use super::{Answer, Core, Entropy, Fault, FirstOutcome, NewKey, Past, Ticket, Unsettled};
use crate::digest::{FullDigest, digest, half};
use crate::requests::{Fingerprint, Scope};
use crate::submission::{Denied, Reply, Submission};

/// What surrounds an offer.
#[derive(Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    /// The time now, by the clock; it may jump.
    pub(crate) now: Micros,
    /// Today in the time zone that the command names, where it names one.
    pub(crate) zone_day: Option<Day>,
    pub(crate) past: &'a dyn Past,
    pub(crate) entropy: &'a dyn Entropy,
    /// Why nothing may be done now, where that is so. What was done before is told all the same.
    pub(crate) closed: Option<&'a Denied>,
}

/// A decision that can go into a frame.
struct Ready {
    events: Vec<Event>,
    keys: Vec<NewKey>,
    /// The details that were sealed, in clear; kept for a dry run only.
    details: Vec<Detail>,
}

/// Why there is nothing to put into a frame.
enum Stop {
    /// The answer is another one. Boxed, because it is large and rare.
    Answer(Box<Answer>),
    /// It would be done only now, and nothing may be.
    Closed(Denied),
    Fault(Fault),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Answer(Box::new(Err(Denied::Refused(refusal))))
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Core {
    /// Decides a submission. On acceptance its events are in the frame being filled and applied.
    /// Gives the answer where everything the decision read is durable; else it comes out of
    /// [`settled`](Core::settled).
    ///
    /// Call only while [`has_room`](Core::has_room).
    pub(crate) fn offer(
        &mut self,
        ticket: Ticket,
        submission: Submission,
        around: Surroundings<'_>,
    ) -> Result<Option<Answer>, Fault> {
        assert!(self.has_room(), "a command was offered to a full frame");
        self.stamp = self.stamp.max(around.now);
        let answer = match self.decide(submission, around) {
            Ok(reply) => Ok(reply),
            Err(Stop::Answer(answer)) => *answer,
            Err(Stop::Closed(denied)) => return Ok(Some(Err(denied))),
            Err(Stop::Fault(fault)) => return Err(fault),
        };
        // WHY: on a full log what announces this writer waits for room, and nothing reads it.
        let reads_draft = around.closed.is_none() || !self.is_bare();
        Ok(self.after_what_was_read(ticket, answer, reads_draft))
    }

    /// Puts the engine's own events into the frame being filled. No other engine's may be the same to
    /// the byte, so they have a random number for a digest.
    pub(crate) fn record(
        &mut self,
        now: Micros,
        entropy: &dyn Entropy,
        events: &[Event],
    ) -> Result<(), Fault> {
        let mut digest = FullDigest::default();
        entropy.fill(&mut digest)?;
        self.stamp = self.stamp.max(now);
        self.encoded.clear();
        events.iter().try_for_each(|event| self.encoded.add(event))?;
        let command = CommandRecord {
            request_id: String::new(),
            digest,
            actor: "system".into(),
            reason: String::new(),
            causation: Position::START,
            event_count: self.encoded.count(),
        };
        self.draft.frame.push_each(&command, self.encoded.iter())?;
        self.apply(&command.digest, events);
        Ok(())
    }

    fn decide(&mut self, submission: Submission, around: Surroundings<'_>) -> Result<Reply, Stop> {
        submission.check()?;
        let Submission { mut command, request_id, actor, reason, .. } = submission;
        let digest = digest(&command, &self.digest_key, &mut self.content);
        let id = self.fingerprint(&command, request_id.as_deref());
        if let Some(id) = &id
            && let Some(reply) = self.repeat(&command, &digest, id, around.past)?
        {
            return Ok(reply);
        }
        fill_id(&mut command, around).map_err(Stop::Fault)?;
        let first = self.draft.frame.next_position();
        let context = Context {
            position: first,
            digest: half(&digest),
            expected_version: submission.expected_version,
            zone_day: around.zone_day,
        };
        let events = match (command.decide(&self.state, &context), around.closed) {
            (Ok(Decision::Repeat { subject, position }), _) => {
                return Ok(self.resource_reply(subject, position, true));
            }
            // WHY refusals, too: days that could not be opened are missing from what they read, and
            // who is refused does not come again.
            (_, Some(denied)) => return Err(Stop::Closed(denied.clone())),
            (Ok(Decision::Accept(events)), None) => events,
            (Err(refusal), None) => return Err(refusal.into()),
        };
        let ready = self.seal(events, around.entropy)?;
        if submission.validate_only {
            return Ok(self.preview(&command, &digest, ready)?);
        }
        if ready.events.is_empty() {
            let subject = self.subject(&command, &[])?;
            return Ok(self.resource_reply(subject, Position(first.0 - 1), false));
        }
        let record = CommandRecord {
            // The engine's own commands have no scope: they repeat by their day.
            request_id: id.and(request_id).unwrap_or_default(),
            digest,
            actor,
            reason,
            causation: Position::START,
            event_count: self.encoded.count(),
        };
        Ok(self.accept(&command, &record, ready, id)?)
    }

    /// Puts a decided command into the frame being filled and applies its events.
    fn accept(
        &mut self,
        command: &Command,
        record: &CommandRecord,
        ready: Ready,
        id: Option<Fingerprint>,
    ) -> Result<Reply, Fault> {
        let first = self.draft.frame.next_position();
        self.draft.frame.push_each(record, self.encoded.iter())?;
        for new in ready.keys {
            self.keys.keep(&new);
            self.draft.keys.push(new);
        }
        self.apply(&record.digest, &ready.events);
        let last = Position(self.draft.frame.next_position().0 - 1);
        assert_eq!(first.0 + ready.events.len() as u64, last.0 + 1, "positions have a gap");
        let subject = self.subject(command, &ready.events)?;
        if let Some(id) = id {
            self.requests.insert(id, first);
            self.draft.request_ids.push(id);
            self.unsettled.insert(id, Unsettled { digest: record.digest, subject, last });
        }
        Ok(self.resource_reply(subject, last, false))
    }

    fn apply(&mut self, digest: &FullDigest, events: &[Event]) {
        let behind = self.draft.frame.next_position().0 - events.len() as u64;
        self.state.apply_all(Position(behind), half(digest), events);
        self.draft.clocks_changed |= events.iter().any(|event| {
            matches!(
                event,
                Event::ClockCreated(_)
                    | Event::ClockAdvanced(_)
                    | Event::DayOpened(_)
                    | Event::DayFinished(_)
            )
        });
    }

    fn preview(
        &self,
        command: &Command,
        digest: &FullDigest,
        ready: Ready,
    ) -> Result<Reply, Fault> {
        let first = self.draft.frame.next_position();
        let subject = self.subject(command, &ready.events)?;
        Ok(Reply {
            subject,
            resource: self.state.preview(first, half(digest), &ready.events, subject),
            position: Position(first.0 - 1),
            repeated: false,
            previewed_details: ready.details,
        })
    }

    fn subject(&self, command: &Command, events: &[Event]) -> Result<Subject, Fault> {
        command.subject(&self.state, events).ok_or(Fault::NoSubject { command: command.name() })
    }

    /// The fingerprint of a request id; `None` without one, for the engine's own commands, and where
    /// the command names a ledger that does not exist: that is refused anyway.
    fn fingerprint(&self, command: &Command, request_id: Option<&str>) -> Option<Fingerprint> {
        let indexes = self.state.indexes();
        let ledger =
            |id: &Id| indexes.find(Kind::Ledger, LedgerNo::default(), id.as_str()).map(LedgerNo);
        let scope = match command {
            Command::CreateLedger(_) => Scope::Log,
            Command::AdvanceClock(command) => {
                let ledger = ledger(&command.ledger_id)?;
                Scope::Clock(self.state.rows().ledger(ledger)?.clock)
            }
            other => Scope::Ledger(ledger(other.ledger_id()?)?),
        };
        Some(scope.fingerprint(request_id?))
    }

    /// The answer to a request id that was used before; `None` where it was not.
    fn repeat(
        &self,
        command: &Command,
        digest: &FullDigest,
        id: &Fingerprint,
        past: &dyn Past,
    ) -> Result<Option<Reply>, Stop> {
        let unavailable = |why: String| {
            let reason = format!("earlier requests cannot be looked up: {why}");
            Stop::Answer(Box::new(Err(Denied::Unavailable { reason })))
        };
        // INVARIANT: what the first one was about is only asked once the two are known to be the same:
        // another command may be about nothing that is there.
        let (subject, last) = match self.unsettled.get(id) {
            Some(first) if first.digest != *digest => return Err(reused(first.last)),
            Some(first) => (first.subject, first.last),
            None => match self.requests.get(id).map_err(|e| unavailable(e.to_string()))? {
                Some(position) => {
                    let first: FirstOutcome = past.outcome(position).map_err(unavailable)?;
                    if first.digest != *digest {
                        return Err(reused(first.last));
                    }
                    (self.subject(command, &first.events)?, first.last)
                }
                None if self.requests.is_behind() => {
                    return Err(unavailable("their index is being written".into()));
                }
                None => return Ok(None),
            },
        };
        Ok(Some(self.resource_reply(subject, last, true)))
    }

    /// Seals personal details and encodes the events.
    fn seal(&mut self, events: Vec<Event>, entropy: &dyn Entropy) -> Result<Ready, Stop> {
        let mut ready = Ready { events, keys: Vec::new(), details: Vec::new() };
        for event in &mut ready.events {
            let (ledger, customer, details) = match event {
                Event::CustomerCreated(e) => (e.ledger, e.customer, &mut e.details),
                Event::CustomerUpdated(e) => (e.ledger, e.customer, &mut e.details),
                _ => continue,
            };
            for (_, secret) in details {
                let Secret::Clear(detail) = secret else { continue };
                let own = ready.keys.iter().find(|k| k.ledger == ledger && k.customer == customer);
                let (sealed, new) = self
                    .keys
                    .seal(entropy, own, ledger, customer, detail)
                    .map_err(|error| Stop::Fault(error.into()))?;
                ready.keys.extend(new);
                ready.details.push(detail.clone());
                *secret = Secret::Sealed(sealed);
            }
        }
        self.encoded.clear();
        for event in &ready.events {
            self.encoded.add(event).map_err(Fault::from)?;
            if self.encoded.stored_len() > MAX_COMMAND_BYTES {
                return Err(Refusal::new(
                    Reason::TooLarge,
                    "command",
                    format!("its events have more than {MAX_COMMAND_BYTES} bytes"),
                )
                .with("limit", MAX_COMMAND_BYTES)
                .into());
            }
        }
        Ok(ready)
    }
}

/// The refusal of a request id that stands for another command, up to this position.
fn reused(last: Position) -> Stop {
    Refusal::new(
        Reason::RequestIdReused,
        "request_id",
        "request_id was used before for a command with other content",
    )
    .with("position", last)
    .into()
}

/// Gives what the command creates an id where the caller left it out: a UUIDv7.
fn fill_id(command: &mut Command, around: Surroundings<'_>) -> Result<(), Fault> {
    let Some(id @ None) = command.new_id() else { return Ok(()) };
    let mut random = [0; 10];
    around.entropy.fill(&mut random)?;
    let millis = u64::try_from(around.now.0 / 1_000).unwrap_or_default();
    let uuid = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
    *id = Id::parse("id", &uuid.hyphenated().to_string()).ok();
    Ok(())
}
