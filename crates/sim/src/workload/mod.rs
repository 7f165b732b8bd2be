//! Commands like those of real users, and like those of careless ones, from a seed.
//!
//! The generator looks into the [`Model`] to aim: most commands fit the facts, the rest break one
//! rule each. Ids are always given, so that the same seed gives the same commands everywhere.

mod agreements;
mod aim;
mod break_rules;
mod documents;
mod drafts;
mod kinds;
mod money;
pub(crate) mod values;

use encours_domain::calendar::Calendar;
use encours_domain::commands::{
    AdvanceClock, Command, CreateCustomer, CreateLedger, CustomerDetails, OpenDay, RunDay, Time,
    UpdateCustomer,
};
use encours_domain::dunning::Policy;
use encours_domain::terms::Terms;
use encours_domain::{ClockNo, Currency, Day, Id, Refusal};

use crate::Rng;
use crate::model::Model;

pub use kinds::{Kind, Weights};

/// A seeded source of commands.
#[derive(Clone, Debug)]
pub struct Workload {
    rng: Rng,
    weights: Weights,
    /// Makes ids.
    count: u64,
    /// Commands made before, to repeat now and then.
    earlier: Vec<Command>,
}

/// What the generator writes down about the world it plays in.
const CURRENCIES: [&str; 3] = ["EUR", "JPY", "BHD"];

/// A value that is written in this file and known to be right.
fn known<T>(value: Result<T, Refusal>) -> T {
    match value {
        Ok(value) => value,
        Err(refusal) => unreachable!("{refusal}"),
    }
}

fn id(text: &str) -> Id {
    known(Id::parse("id", text))
}

fn currency(code: &str) -> Currency {
    known(Currency::parse("currency", code))
}

fn ledger(name: &str, code: &str, time: Time) -> CreateLedger {
    CreateLedger {
        ledger_id: Some(id(name)),
        name: format!("Seller {name}"),
        currency: currency(code),
        time_zone: "Europe/Paris".to_owned(),
        time,
        terms: None,
        invoice_pattern: None,
        credit_note_pattern: None,
        calendar: Calendar::France,
        reminders: Policy::ThreeCases,
    }
}

impl Workload {
    /// The generator of this seed.
    #[must_use]
    pub const fn new(seed: u64, weights: Weights) -> Self {
        Self { rng: Rng::new(seed), weights, count: 0, earlier: Vec::new() }
    }

    /// The ledgers to begin with: two on one test clock, one on its own, one on the system's.
    #[must_use]
    pub fn ledgers(&self, start: Day) -> Vec<Command> {
        let test = |clock: &str| Time::Test { clock_id: Some(id(clock)), start: Some(start) };
        let shared = Time::Test { clock_id: Some(id("shared")), start: None };
        let series = CreateLedger {
            terms: Some(Terms::OnReceipt),
            invoice_pattern: Some("FA{seq}".to_owned()),
            credit_note_pattern: Some("AV-{year}/{seq:3}".to_owned()),
            reminders: Policy::None,
            ..ledger("two", "JPY", shared)
        };
        let net = Terms::NetDays { days: 10, grace_days: 5 };
        vec![
            ledger("one", "EUR", test("shared")).into(),
            series.into(),
            CreateLedger {
                terms: Some(net),
                calendar: Calendar::Weekdays,
                ..ledger("three", "BHD", test("alone"))
            }
            .into(),
            ledger("four", "EUR", Time::System).into(),
        ]
    }

    /// The next command.
    pub fn next_command(&mut self, model: &Model) -> Command {
        let command = if !self.earlier.is_empty() && self.rng.one_in(25) {
            let at = self.rng.index(self.earlier.len());
            self.earlier[at].clone()
        } else {
            self.fresh(model)
        };
        self.earlier.push(command.clone());
        command
    }

    fn fresh(&mut self, model: &Model) -> Command {
        let book = self.rng.index(model.books.len());
        let command = self.sensible(model, book);
        if self.rng.one_in(self.weights.careless) {
            self.break_a_rule(model, book, command)
        } else {
            command
        }
    }

    fn sensible(&mut self, model: &Model, at: usize) -> Command {
        let book = &model.books[at];
        let today = model.today(at);
        if book.customers.len() < 2 || self.rng.one_in(40) {
            return self.create_customer(book).into();
        }
        let place = self.rng.below(self.weights.total());
        match self.weights.at(place) {
            Kind::CreateLedger => self.another_ledger(model).into(),
            Kind::AdvanceClock => self.move_time(model, at),
            Kind::CreateCustomer => self.create_customer(book).into(),
            Kind::UpdateCustomer => self.update_customer(book).into(),
            Kind::IssueInvoice => self.issue_invoice(book, today).into(),
            Kind::MarkSent => self.mark_sent(book, today).into(),
            Kind::DisputeInvoice => self.dispute(book, today).into(),
            Kind::ResolveDispute => self.resolve(book, today).into(),
            Kind::CancelInvoice => self.cancel_invoice(book, today).into(),
            Kind::RecordPayment => self.record_payment(book, today).into(),
            Kind::Allocate => self.allocate(book, today).into(),
            Kind::Deallocate => self.deallocate(book, today).into(),
            Kind::ReversePayment => self.reverse_payment(book, today).into(),
            Kind::IssueCreditNote => self.issue_credit_note(book, today).into(),
            Kind::CreateDraft => self.create_draft(book, today).into(),
            Kind::UpdateDraft => self.update_draft(book, today).into(),
            Kind::DeleteDraft => self.delete_draft(book).into(),
            Kind::IssueDraft => self.issue_draft(book, today).into(),
            Kind::AddOpeningItem => self.add_opening_item(book, today).into(),
            Kind::CorrectOpeningItem => self.correct_opening_item(book, today).into(),
            Kind::PlanPayment => self.plan_payment(book, today).into(),
            Kind::CancelPlannedPayment => self.cancel_planned(book).into(),
            Kind::SetCreditLimit => self.set_credit_limit(book).into(),
            Kind::RefundPayment => self.refund_payment(book, today).into(),
            Kind::StopReminders => self.stop_reminders(book).into(),
            Kind::RecordReminder => self.record_reminder(book, today).into(),
            Kind::OpenDay => {
                OpenDay { clock: self.any_clock(model), day: today, on_time: true }.into()
            }
            Kind::RunDay => self.run_any_day(model),
        }
    }

    /// A ledger more, mostly one that cannot be.
    fn another_ledger(&mut self, model: &Model) -> CreateLedger {
        let there = model.books.len();
        let name = format!("more-{there}");
        let start = Day::from_ymd(2024, 2, 27);
        let own = Time::Test { clock_id: None, start };
        let mut wanted = ledger(&name, CURRENCIES[there % 3], own);
        match self.rng.below(5) {
            0 if there < 6 => {}
            1 => wanted.invoice_pattern = Some("FA-{sequence}".to_owned()),
            2 => wanted.time_zone = "Europe/Atlantis".to_owned(),
            3 => wanted.time = Time::Test { clock_id: Some(id("system:UTC")), start },
            _ => wanted.ledger_id = Some(model.books[self.rng.index(there)].id.clone()),
        }
        wanted
    }

    fn any_clock(&mut self, model: &Model) -> ClockNo {
        ClockNo(u32::try_from(self.rng.index(model.clocks.len() + 1)).unwrap_or_default())
    }

    /// As a scheduler that is late, early, or sent to no clock at all.
    fn run_any_day(&mut self, model: &Model) -> Command {
        let clock = self.any_clock(model);
        let finished = model.clocks.get(clock.0 as usize).map_or(Day::MIN, |row| row.finished);
        let days = i32::try_from(self.rng.below(4)).unwrap_or_default();
        let day = finished.plus(days - 1).unwrap_or(finished);
        RunDay { clock, day, limit: 10 }.into()
    }

    /// Moves a test clock by a day, some days or some weeks.
    fn move_time(&mut self, model: &Model, at: usize) -> Command {
        let days = match self.rng.below(10) {
            0..4 => 1,
            4..8 => 2 + self.rng.below(6),
            8 => 20 + self.rng.below(20),
            _ => 0,
        };
        let to = model.today(at).plus(i32::try_from(days).unwrap_or_default());
        let to = to.unwrap_or(Day::MAX);
        let outage = self.rng.one_in(5);
        AdvanceClock { ledger_id: model.books[at].id.clone(), to, outage }.into()
    }

    fn create_customer(&mut self, book: &crate::model::Book) -> CreateCustomer {
        let currency = self.maybe(3, Self::any_currency);
        let terms = self.maybe(3, Self::any_terms);
        CreateCustomer {
            ledger_id: book.id.clone(),
            customer_id: Some(self.new_id("c")),
            currency,
            terms,
            details: CustomerDetails {
                name: Some(format!("Customer {}", self.count)),
                ..CustomerDetails::default()
            },
        }
    }

    fn update_customer(&mut self, book: &crate::model::Book) -> UpdateCustomer {
        let at = self.rng.index(book.customers.len());
        let name = format!("Renamed {}", self.count);
        let currency = self.maybe(4, Self::any_currency);
        let terms = self.maybe(2, Self::any_terms);
        UpdateCustomer {
            ledger_id: book.id.clone(),
            customer_id: book.customers[at].id.clone(),
            currency,
            terms,
            details: CustomerDetails { name: Some(name), ..CustomerDetails::default() },
        }
    }
}
