//! Reading events from the log and telling them as public events.
//!
//! Only up to the position of the read model, which knows what the numbers in events stand for.
//! Everything here reads the disk: call it off the async workers.

use std::sync::Arc;

use encours_domain::{ClockNo, Event, Id, LedgerNo, Position, Reason, Refusal};
use encours_log::{CommandRecord, EventRef, Frame, LogReader};
use encours_projections::ReadModel;
use encours_proto::Message as _;
use encours_proto::command::optional_id;
use encours_proto::events::{EVENT_NAMES, Envelope, entity_of, event_name, public_event};
use encours_proto::money::unknown_word;
use encours_proto::subject::{OfLedger, Pattern};
use encours_proto::v1;

use crate::api::{Api, unknown};
use crate::failure::{Failure, INVALID_SUBJECT};
use crate::names::ModelNames;
use crate::paging::MAX_PAGE_BYTES;

/// The most events that one call looks at.
pub(crate) const MAX_SCAN: u64 = 20_000;

/// The most patterns of subjects in a filter.
const MAX_SUBJECTS: usize = 64;

/// The events of a log, as far as a read model knows them.
#[derive(Clone)]
pub(crate) struct Events {
    pub(crate) model: ReadModel,
    pub(crate) reader: Arc<dyn LogReader>,
}

/// Which events a caller asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    /// The ledger and its clock.
    ledger: Option<(LedgerNo, ClockNo)>,
    entities: Vec<String>,
    names: Vec<String>,
    customer: Option<Id>,
    subjects: Vec<Subjects>,
}

/// Events of subjects that fit a pattern.
#[derive(Clone, Debug)]
struct Subjects {
    ledger: Owner,
    pattern: Pattern,
}

/// Whose events are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Any,
    NoLedger,
    Ledger(LedgerNo),
}

/// What a look at a part of the log has found.
#[derive(Clone, Debug)]
pub(crate) struct Scan {
    /// What passed the filter.
    pub(crate) events: Vec<v1::PublicEvent>,
    /// The last position looked at.
    pub(crate) last: Position,
}

impl Api {
    pub(crate) fn events(&self) -> Events {
        Events { model: self.model.clone(), reader: Arc::clone(&self.reader) }
    }

    /// Reads a filter.
    pub(crate) fn event_filter(&self, asked: Option<v1::EventFilter>) -> Result<Filter, Failure> {
        let asked = asked.unwrap_or_default();
        known("filter.entities", &asked.entities, entity_of)?;
        known("filter.events", &asked.events, |name| name)?;
        let within = |refusal: Refusal| Failure::from(refusal.within("filter"));
        let ledger = match optional_id("ledger_id", &asked.ledger_id).map_err(within)? {
            None => None,
            Some(id) => Some(self.ledger_named("filter.ledger_id", id.as_str())?),
        };
        let customer = optional_id("customer_id", &asked.customer_id).map_err(within)?;
        match (&customer, ledger) {
            (Some(_), None) => {
                return Err(encours_proto::money::missing("filter.ledger_id").into());
            }
            (Some(id), Some((ledger, _))) => {
                let found = self.model.customer_no(ledger, id.as_str()).value;
                let field = "filter.customer_id";
                found.ok_or_else(|| {
                    unknown(Reason::UnknownCustomer, field, "customer", id.as_str())
                })?;
            }
            (None, _) => {}
        }
        let subjects = self.subjects(&asked.subjects, ledger.map(|(no, _)| no))?;
        Ok(Filter { ledger, entities: asked.entities, names: asked.events, customer, subjects })
    }

    /// A ledger and its clock.
    fn ledger_named(&self, field: &str, id: &str) -> Result<(LedgerNo, ClockNo), Failure> {
        let found = self.model.ledger(id).value;
        let found = found.ok_or_else(|| unknown(Reason::UnknownLedger, field, "ledger", id))?;
        Ok((found.no, found.clock.no))
    }

    /// Reads patterns of subjects, beside a filter for this ledger.
    fn subjects(&self, asked: &[String], of: Option<LedgerNo>) -> Result<Vec<Subjects>, Failure> {
        const FIELD: &str = "filter.subjects";
        if asked.len() > MAX_SUBJECTS {
            let count = asked.len();
            let why = format!("{FIELD} has {count} entries, it can have {MAX_SUBJECTS}");
            let refusal = Refusal::new(Reason::TooLarge, FIELD, why).with("limit", MAX_SUBJECTS);
            return Err(refusal.into());
        }
        let read = |text: &String| {
            let pattern = Pattern::parse(text)
                .map_err(|why| Failure::new(INVALID_SUBJECT, why.to_string()).about(FIELD))?;
            if let Some(known) = pattern.known_instead() {
                return Err(unknown_word(FIELD, text, &known).into());
            }
            let ledger = match pattern.ledger() {
                OfLedger::Any => Owner::Any,
                OfLedger::None => Owner::NoLedger,
                OfLedger::Id(id) => Owner::Ledger(self.ledger_named(FIELD, id)?.0),
            };
            match (ledger, of) {
                (Owner::Ledger(one), Some(other)) if one != other => {
                    let why = format!("{text:?} is of another ledger than filter.ledger_id");
                    Err(Refusal::new(Reason::ConflictingFields, FIELD, why).into())
                }
                _ => Ok(Subjects { ledger, pattern }),
            }
        };
        asked.iter().map(read).collect()
    }
}

/// Refuses names that no event has, and tells those that there are: of the same entity, where it
/// has some.
fn known(field: &str, asked: &[String], part: impl Fn(&str) -> &str) -> Result<(), Failure> {
    let wrong = |name: &&String| EVENT_NAMES.iter().all(|known| part(known) != name.as_str());
    let Some(name) = asked.iter().find(wrong) else { return Ok(()) };
    let mut known: Vec<&str> = EVENT_NAMES.iter().map(|known| part(known)).collect();
    known.dedup();
    if known.iter().any(|known| entity_of(known) == entity_of(name)) {
        known.retain(|known| entity_of(known) == entity_of(name));
    }
    Err(unknown_word(field, name, &known).into())
}

impl Filter {
    /// What can be told without names.
    fn admits(&self, event: &Event) -> bool {
        let name = event_name(event);
        self.ledger.is_none_or(|(ledger, clock)| match event.ledger() {
            Some(of) => of == ledger,
            None => clock_of(event) == Some(clock),
        }) && (self.names.is_empty() || self.names.iter().any(|wanted| wanted == name))
            && (self.entities.is_empty()
                || self.entities.iter().any(|wanted| wanted == entity_of(name)))
            && (self.subjects.is_empty()
                || self.subjects.iter().any(|wanted| wanted.admits(event.ledger(), name)))
    }

    fn admits_customer(&self, event: &v1::PublicEvent) -> bool {
        self.customer.as_ref().is_none_or(|customer| customer.as_str() == event.customer_id)
    }
}

impl Subjects {
    fn admits(&self, ledger: Option<LedgerNo>, name: &str) -> bool {
        let is_of_owner = match self.ledger {
            Owner::Any => true,
            Owner::NoLedger => ledger.is_none(),
            Owner::Ledger(wanted) => ledger == Some(wanted),
        };
        is_of_owner && self.pattern.admits(name)
    }
}

const fn clock_of(event: &Event) -> Option<ClockNo> {
    match event {
        Event::ClockCreated(e) => Some(e.clock),
        Event::ClockAdvanced(e) => Some(e.clock),
        Event::DayOpened(e) => Some(e.clock),
        Event::DayFinished(e) => Some(e.clock),
        _ => None,
    }
}

impl Events {
    /// The event at a position.
    pub(crate) fn event(&self, position: Position) -> Result<Event, Failure> {
        event_in(&self.frame(position)?, position)
    }

    /// The events at these positions, in their order.
    pub(crate) fn at(&self, positions: &[Position]) -> Result<Vec<v1::PublicEvent>, Failure> {
        let mut read: Option<Frame> = None;
        let mut events = Vec::with_capacity(positions.len());
        for position in positions {
            let frame = match read.take().filter(|frame| holds(frame, *position)) {
                Some(frame) => frame,
                None => self.frame(*position)?,
            };
            let command = frame
                .command_of(*position)
                .ok_or_else(|| Failure::unreadable(*position, "no command has caused it"))?;
            events.push(self.tell(&frame, *position, &command, &event_in(&frame, *position)?)?);
            read = Some(frame);
        }
        Ok(events)
    }

    /// Looks at the events after `after` up to `until`, until `limit` have passed the filter or
    /// [`MAX_SCAN`] have been looked at.
    pub(crate) fn scan(
        &self,
        after: Position,
        until: Position,
        filter: &Filter,
        limit: usize,
    ) -> Result<Scan, Failure> {
        let mut scan = Scan { events: Vec::new(), last: after };
        let mut bytes = 0;
        while scan.last < until && scan.last.0 - after.0 < MAX_SCAN {
            let frame = self.frame(scan.last.next())?;
            let mut commands = frame.commands();
            let mut command = commands.next();
            for (position, stored) in frame.events() {
                while command.as_ref().is_some_and(|(record, first)| {
                    position.0 >= first.0 + u64::from(record.event_count)
                }) {
                    command = commands.next();
                }
                if position <= scan.last {
                    continue;
                }
                if position > until || scan.events.len() == limit || bytes > MAX_PAGE_BYTES {
                    return Ok(scan);
                }
                let event = decode(position, stored)?;
                scan.last = position;
                if let Some((record, _)) = command.as_ref().filter(|_| filter.admits(&event)) {
                    let told = self.tell(&frame, position, record, &event)?;
                    if filter.admits_customer(&told) {
                        bytes += told.encoded_len();
                        scan.events.push(told);
                    }
                }
            }
        }
        Ok(scan)
    }

    fn frame(&self, position: Position) -> Result<Frame, Failure> {
        let missing = || Failure::unreadable(position, "no frame holds it");
        let number = self.reader.frame_of(position).ok_or_else(missing)?;
        self.reader.read(number)?.ok_or_else(missing)
    }

    fn tell(
        &self,
        frame: &Frame,
        position: Position,
        command: &CommandRecord,
        event: &Event,
    ) -> Result<v1::PublicEvent, Failure> {
        let log_id = self.reader.log_id().to_string();
        let envelope = Envelope {
            log_id: &log_id,
            position,
            recorded_at: frame.header().recorded_at,
            actor: &command.actor,
            reason: &command.reason,
            request_id: &command.request_id,
        };
        public_event(envelope, event, &ModelNames(&self.model))
            .ok_or_else(|| Failure::internal(format!("the event at {position} has no names")))
    }
}

fn holds(frame: &Frame, position: Position) -> bool {
    frame.header().first_position <= position && position <= frame.last_position()
}

fn event_in(frame: &Frame, position: Position) -> Result<Event, Failure> {
    let stored = frame
        .event(position)
        .ok_or_else(|| Failure::unreadable(position, "the frame does not hold it"))?;
    decode(position, stored)
}

fn decode(position: Position, stored: EventRef<'_>) -> Result<Event, Failure> {
    encours_schema::decode(stored.kind, stored.version, stored.payload)
        .map_err(|error| Failure::unreadable(position, error))
}
