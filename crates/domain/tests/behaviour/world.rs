//! A ledger whose days are run as the engine runs them, and the reminders that went out.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use encours_domain::calendar::Calendar;
use encours_domain::commands::*;
use encours_domain::dunning::{Policy, Step};
use encours_domain::event::ReminderEmitted;
use encours_domain::resource::Invoice;
use encours_domain::state::{Kind, State};
use encours_domain::terms::{Due, Terms};
use encours_domain::{
    Command, Context, Day, Decision, Event, InvoiceNo, LedgerNo, Position, Refusal, Resource,
    Subject,
};

use crate::almanac::to_day;
use crate::scenario::{create_customer, currency, id, seal};

/// The ledger `acme` with the customer `dupont` on a test clock.
pub(crate) struct World {
    pub(crate) state: State,
    position: Position,
    /// Of each `RunDay`.
    limit: u32,
    /// By invoice: what went out, in order.
    pub(crate) sent: BTreeMap<InvoiceNo, Vec<ReminderEmitted>>,
}

impl World {
    pub(crate) fn new(start: NaiveDate, limit: u32) -> Self {
        Self::with(start, limit, Calendar::France, Policy::ThreeCases)
    }

    pub(crate) fn with(
        start: NaiveDate,
        limit: u32,
        calendar: Calendar,
        reminders: Policy,
    ) -> Self {
        let (state, sent) = (State::default(), BTreeMap::new());
        let mut world = Self { state, position: Position(1), limit, sent };
        world.accept(CreateLedger {
            ledger_id: Some(id("acme")),
            name: String::new(),
            currency: currency("EUR"),
            time_zone: "Europe/Paris".into(),
            time: Time::Test { clock_id: None, start: Some(to_day(start)) },
            terms: None,
            invoice_pattern: None,
            credit_note_pattern: None,
            calendar,
            reminders,
        });
        world.accept(create_customer("dupont"));
        world
    }

    pub(crate) fn try_do(&mut self, command: impl Into<Command>) -> Result<Vec<Event>, Refusal> {
        let command = command.into();
        let digest = u128::from(self.position.0).to_le_bytes();
        let (position, zone_day) = (self.position, Some(Day::MIN));
        let context = Context { position, digest, expected_version: None, zone_day };
        let Decision::Accept(mut events) = command.decide(&self.state, &context)? else {
            return Ok(Vec::new());
        };
        for event in &mut events {
            seal(event);
            self.state.apply(self.position, digest, event);
            self.position = self.position.next();
            if let Event::ReminderEmitted(e) = event {
                self.sent.entry(e.invoice).or_default().push(e.clone());
            }
        }
        Ok(events)
    }

    pub(crate) fn accept(&mut self, command: impl Into<Command>) -> Vec<Event> {
        self.try_do(command).unwrap()
    }

    /// Moves the clock and runs every day on the way; the events of the days.
    pub(crate) fn run_to(&mut self, to: NaiveDate) -> Vec<Event> {
        let mut events = self.advance(to, false);
        events.extend(self.run());
        events
    }

    /// The same, the days before the last one opened late.
    pub(crate) fn outage_to(&mut self, to: NaiveDate) -> Vec<Event> {
        let mut events = self.advance(to, true);
        events.extend(self.run());
        events
    }

    /// Moves the clock; nothing is run yet.
    pub(crate) fn advance(&mut self, to: NaiveDate, outage: bool) -> Vec<Event> {
        self.accept(AdvanceClock { ledger_id: id("acme"), to: to_day(to), outage })
    }

    /// Runs the days that are open.
    pub(crate) fn run(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while self.finished() < self.state.rows().clocks.get(0).unwrap().target {
            events.extend(self.run_one());
        }
        events
    }

    /// Runs the next unfinished day once.
    pub(crate) fn run_one(&mut self) -> Vec<Event> {
        let (clock, day) = (encours_domain::ClockNo(0), self.finished().plus(1).unwrap());
        let chunk = self.accept(RunDay { clock, day, limit: self.limit });
        assert!(!chunk.is_empty(), "every run of a day gets further");
        let ends = matches!(chunk.last(), Some(Event::DayFinished(_) | Event::DayOpened(_)));
        assert!(ends || chunk.len() == self.limit as usize, "a day ends when nothing is left");
        chunk
    }

    fn finished(&self) -> Day {
        self.state.rows().clocks.get(0).unwrap().finished
    }

    pub(crate) fn today(&self) -> Day {
        self.state.rows().clocks.get(0).unwrap().today
    }

    /// An invoice over 100.00 EUR issued today, due `net_days` later.
    pub(crate) fn issue(&mut self, invoice: &str, net_days: u16, grace_days: u8) -> InvoiceNo {
        let terms = Terms::NetDays { days: net_days, grace_days };
        self.accept(IssueInvoice {
            due: Some(Due::Terms(terms)),
            ..crate::scenario::invoice(invoice, 10_000)
        });
        self.no(invoice)
    }

    pub(crate) fn mark_sent(&mut self, invoice: &str, date: Option<NaiveDate>) -> Vec<Event> {
        let (ledger_id, invoice_id) = (id("acme"), id(invoice));
        self.accept(MarkSent { ledger_id, invoice_id, date: date.map(to_day) })
    }

    pub(crate) fn dispute(&mut self, invoice: &str) {
        let (ledger_id, invoice_id) = (id("acme"), id(invoice));
        self.accept(DisputeInvoice { ledger_id, invoice_id, date: None, reason: String::new() });
    }

    pub(crate) fn resolve(&mut self, invoice: &str, date: Option<NaiveDate>) -> Vec<Event> {
        let (ledger_id, invoice_id) = (id("acme"), id(invoice));
        self.accept(ResolveDispute { ledger_id, invoice_id, date: date.map(to_day) })
    }

    fn no(&self, invoice: &str) -> InvoiceNo {
        InvoiceNo(self.state.indexes().find(Kind::Invoice, LedgerNo(0), invoice).unwrap())
    }

    pub(crate) fn invoice(&self, invoice: &str) -> Invoice {
        match self.state.resource(Subject::Invoice(LedgerNo(0), self.no(invoice))) {
            Some(Resource::Invoice(invoice)) => invoice,
            other => panic!("{other:?}"),
        }
    }

    /// What went out about an invoice: step and day.
    pub(crate) fn steps(&self, invoice: &str) -> Vec<(Step, NaiveDate)> {
        let sent = self.sent.get(&self.no(invoice)).map_or(&[][..], Vec::as_slice);
        sent.iter().map(|e| (e.step, e.date.date())).collect()
    }

    /// Indexes made of the rows are those that the events left.
    pub(crate) fn check_replay(&self) {
        let anew = State::from_rows(self.state.rows().clone());
        assert_eq!(format!("{anew:?}"), format!("{:?}", self.state));
    }
}
