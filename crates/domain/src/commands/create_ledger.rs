//! `CreateLedger`: opens the receivables of one selling entity.

use super::{Context, Decision, lookup};
use crate::calendar::Calendar;
use crate::content::Content;
use crate::currency::Currency;
use crate::dunning::Policy;
use crate::event::{ClockCreated, Event, LedgerCreated};
use crate::id::Id;
use crate::number::{ClockNo, LedgerNo, Subject};
use crate::position::Day;
use crate::refusal::{Reason, Refusal};
use crate::series::{DEFAULT_CREDIT_NOTE_PATTERN, DEFAULT_INVOICE_PATTERN, Pattern};
use crate::state::{Kind, State};
use crate::terms::Terms;
use crate::text;
use std::sync::Arc;

/// Creates a ledger, and its clock where that does not exist yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateLedger {
    /// Its id; assigned where left out.
    pub ledger_id: Option<Id>,
    /// Name of the selling entity; may be empty.
    pub name: String,
    /// Currency of documents that name none.
    pub currency: Currency,
    /// IANA time zone in which its days are counted, such as `Europe/Paris`.
    pub time_zone: String,
    /// Where its today comes from.
    pub time: Time,
    /// Terms of customers that have none; net 30 where left out.
    pub terms: Option<Terms>,
    /// Pattern of allotted invoice numbers; `INV-{year}-{seq:5}` where left out.
    pub invoice_pattern: Option<String>,
    /// Pattern of allotted credit-note numbers; `CN-{year}-{seq:5}` where left out.
    pub credit_note_pattern: Option<String>,
    /// Which days are business days; France's where nothing is said.
    pub calendar: Calendar,
    /// The plan of its reminders; the built-in one where nothing is said.
    pub reminders: Policy,
}

/// Where a ledger's today comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Time {
    /// The system's clock in the ledger's time zone.
    System,
    /// A test clock, moved by `AdvanceClock` only; shared by all ledgers that name it.
    Test {
        /// Its id; the ledger's id where left out.
        clock_id: Option<Id>,
        /// Its first day. For a clock that exists: left out, or its today.
        start: Option<Day>,
    },
}

impl CreateLedger {
    pub(super) fn content(&self, out: &mut dyn Content) {
        out.optional_text(1, self.ledger_id.as_ref().map(Id::as_str));
        out.text(2, &self.name);
        out.text(3, self.currency.code());
        out.text(4, &self.time_zone);
        if let Time::Test { clock_id, start } = &self.time {
            out.number(5, 1);
            out.optional_text(6, clock_id.as_ref().map(Id::as_str));
            out.optional_number(7, start.map(|day| i64::from(day.number())));
        }
        if let Some(terms) = self.terms {
            terms.content(8, out);
        }
        out.optional_text(9, self.invoice_pattern.as_deref());
        out.optional_text(10, self.credit_note_pattern.as_deref());
        if self.calendar != Calendar::default() {
            out.text(11, self.calendar.id());
        }
        if self.reminders != Policy::default() {
            out.text(12, self.reminders.id());
        }
    }

    pub(super) const fn named(&self, _: &State) -> Option<Subject> {
        None
    }

    pub(super) fn decide(&self, state: &State, context: &Context) -> Result<Decision, Refusal> {
        let id = lookup::assigned(self.ledger_id.as_ref(), "ledger_id")?;
        if let Ok(row) = lookup::ledger(state, &id) {
            return if row.digest == context.digest {
                Ok(Decision::Repeat { subject: Subject::Ledger(row.no), position: row.created })
            } else {
                Err(lookup::id_exists("ledger_id", "ledger", &id))
            };
        }
        lookup::no_version(context)?;
        text::check("name", &self.name)?;
        if let Some(terms) = self.terms {
            terms.check()?;
        }
        let pattern = |field, given: Option<&str>, default: &str| {
            let text = given.unwrap_or(default);
            Pattern::parse(field, text).map(|_| Arc::from(text))
        };
        let (clock, created) = self.clock(state, context, &id)?;
        let ledger = LedgerCreated {
            ledger: LedgerNo(lookup::next_number(state.rows().ledgers.len(), "ledger_id")?),
            id,
            name: self.name.as_str().into(),
            currency: self.currency,
            clock,
            terms: self.terms.unwrap_or(Terms::DEFAULT),
            invoice_pattern: pattern(
                "invoice_number_pattern",
                self.invoice_pattern.as_deref(),
                DEFAULT_INVOICE_PATTERN,
            )?,
            credit_note_pattern: pattern(
                "credit_note_number_pattern",
                self.credit_note_pattern.as_deref(),
                DEFAULT_CREDIT_NOTE_PATTERN,
            )?,
            calendar: self.calendar,
            reminders: self.reminders,
        };
        let mut events: Vec<Event> = created.map(Event::from).into_iter().collect();
        events.push(ledger.into());
        Ok(Decision::Accept(events))
    }

    /// The clock of the new ledger, and the event that creates it where it does not exist.
    fn clock(
        &self,
        state: &State,
        context: &Context,
        ledger_id: &Id,
    ) -> Result<(ClockNo, Option<ClockCreated>), Refusal> {
        let zone_day = context.zone_day.ok_or_else(|| {
            Refusal::new(
                Reason::InvalidTimeZone,
                "time_zone",
                format!("{:?} is no time zone of the IANA database", self.time_zone),
            )
        })?;
        let (id, test, start) = match &self.time {
            Time::System => (Id::of_system_clock(&self.time_zone), false, None),
            Time::Test { clock_id, start } => {
                let id = clock_id.clone().unwrap_or_else(|| ledger_id.clone());
                if id.as_str().starts_with("system:") {
                    return Err(Refusal::new(
                        Reason::InvalidId,
                        "test_clock.clock_id",
                        "ids that start with system: are those of the system's clocks",
                    ));
                }
                (id, true, *start)
            }
        };
        let found = state.indexes().find(Kind::Clock, LedgerNo(0), id.as_str());
        if let Some((no, clock)) = found.and_then(|no| Some((no, state.rows().clocks.get(no)?))) {
            let other = |what: &str| {
                let message = format!("clock {id} exists with another {what}");
                Refusal::new(Reason::IdExists, "test_clock", message).with("today", clock.today)
            };
            if *clock.zone != *self.time_zone {
                return Err(other("time zone"));
            }
            if start.is_some_and(|start| start != clock.today) {
                return Err(other("today"));
            }
            return Ok((ClockNo(no), None));
        }
        let day = match (test, start) {
            (true, None) => return Err(Refusal::missing("test_clock.start_date")),
            (_, start) => start.unwrap_or(zone_day),
        };
        let clock = ClockNo(lookup::next_number(state.rows().clocks.len(), "test_clock")?);
        let zone = self.time_zone.as_str().into();
        Ok((clock, Some(ClockCreated { clock, id, test, zone, day })))
    }
}
