//! Commands like those of real users, and like those of careless ones, from a seed.
//!
//! The generator looks into the [`Model`] to aim: most commands fit the facts, the rest break one
//! rule each. Ids are always given, so that the same seed gives the same commands everywhere.

mod agreements;
mod aim;
mod break_rules;
mod documents;
mod drafts;
mod money;

use encours_domain::calendar::Calendar;
use encours_domain::commands::{
    AdvanceClock, Command, CreateCustomer, CreateLedger, CustomerDetails, Time, UpdateCustomer,
};
use encours_domain::dunning::Policy;
use encours_domain::terms::Terms;
use encours_domain::{Currency, Day, Id, Refusal};

use crate::Rng;
use crate::model::Model;

/// A seeded source of commands.
#[derive(Clone, Debug)]
pub struct Workload {
    rng: Rng,
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

impl Workload {
    /// The generator of this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { rng: Rng::new(seed), count: 0, earlier: Vec::new() }
    }

    /// The ledgers to begin with: two on one test clock, one on its own, one on the system's.
    #[must_use]
    pub fn ledgers(&self, start: Day) -> Vec<Command> {
        let test = |clock: &str| Time::Test { clock_id: Some(id(clock)), start: Some(start) };
        let ledger = |name: &str, code: &str, time: Time| CreateLedger {
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
        };
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
        if self.rng.one_in(7) { self.break_a_rule(model, book, command) } else { command }
    }

    fn sensible(&mut self, model: &Model, at: usize) -> Command {
        let book = &model.books[at];
        let today = model.today(at);
        if book.customers.len() < 2 || self.rng.one_in(40) {
            return self.create_customer(book).into();
        }
        match self.rng.below(146) {
            0..26 => self.issue_invoice(book, today).into(),
            26..48 => self.record_payment(book, today).into(),
            48..56 => self.allocate(book, today).into(),
            56..61 => self.deallocate(book, today).into(),
            61..65 => self.reverse_payment(book, today).into(),
            65..72 => self.issue_credit_note(book, today).into(),
            72..76 => self.cancel_invoice(book, today).into(),
            76..80 => self.dispute(book, today).into(),
            80..84 => self.resolve(book, today).into(),
            84..98 => self.mark_sent(book, today).into(),
            98..101 => self.update_customer(book).into(),
            101..107 => self.create_draft(book, today).into(),
            107..110 => self.update_draft(book, today).into(),
            110..112 => self.delete_draft(book).into(),
            112..117 => self.issue_draft(book, today).into(),
            117..123 => self.add_opening_item(book, today).into(),
            123..127 => self.correct_opening_item(book, today).into(),
            127..131 => self.plan_payment(book, today).into(),
            131 => self.cancel_planned(book).into(),
            132..134 => self.set_credit_limit(book).into(),
            134..137 => self.refund_payment(book, today).into(),
            137 => self.stop_reminders(book).into(),
            138..140 => self.record_reminder(book, today).into(),
            _ => self.move_time(model, at),
        }
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
