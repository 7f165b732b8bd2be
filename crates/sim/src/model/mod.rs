//! The reference model: what the ledgers should look like, worked out the slow way.
//!
//! Written from the reference of behaviour alone. It shares the types of commands, events and
//! refusals with `encours-domain`, and none of its code: it keeps plain lists of facts and computes
//! every figure from all of them whenever it is asked. Where the reference is silent, the model
//! says so ([`Verdict::Silent`]) and follows what was decided.

mod audit;
mod documents;
mod facts;
mod figures;
mod money;
mod numbers;
mod plan;

use std::collections::{BTreeMap, BTreeSet};

use encours_domain::commands::Command;
use encours_domain::limits::MAX_VOLUME;
use encours_domain::{Currency, Day, Event, Id, Position, Reason};

pub use audit::Audit;
pub use facts::{Allocation, Book, Clock, Credit, Customer, Dated, Invoice, Payment, Reversal};
pub use figures::{Figures, View};
pub(crate) use numbers::reference;
use plan::{Fact, Plan, When};

/// The time zones that exist, as far as tests go.
pub const ZONES: [&str; 2] = ["UTC", "Europe/Paris"];

/// What the rules say about a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It must be accepted.
    Accept,
    /// It must be refused, for one of these reasons.
    Refuse(BTreeSet<Reason>),
    /// It was done before, and must change nothing.
    Repeat,
    /// The reference is silent: it may be refused, repeated or accepted.
    Silent,
}

/// All facts of a log.
#[derive(Clone, Debug)]
pub struct Model {
    /// Clocks, by dense number.
    pub clocks: Vec<Clock>,
    /// Ledgers, by dense number.
    pub books: Vec<Book>,
    /// The commands that created something, by ledger, kind and id.
    creators: BTreeMap<(String, &'static str, String), Command>,
    /// Today of the system's clock, in every zone.
    zone_day: Day,
}

impl Model {
    /// Nothing yet; `zone_day` is the day on which system clocks begin.
    #[must_use]
    pub const fn new(zone_day: Day) -> Self {
        Self { clocks: vec![], books: vec![], creators: BTreeMap::new(), zone_day }
    }

    /// The ledger with this id, by place.
    #[must_use]
    pub fn book_no(&self, id: &Id) -> Option<usize> {
        self.books.iter().position(|book| &book.id == id)
    }

    /// Today in a ledger.
    #[must_use]
    pub fn today(&self, book: usize) -> Day {
        self.clocks[self.books[book].clock].today
    }

    /// What the rules say about a command, now.
    #[must_use]
    pub fn judge(&self, command: &Command) -> Verdict {
        let mut plan = self.plan(command);
        plan.refuse_if(self.passes_volume(&plan), Reason::AmountOverflow);
        if let Some(first) = creates(command).and_then(|key| self.creators.get(&key)) {
            if first == command {
                return Verdict::Repeat;
            }
            plan.refuse(Reason::IdExists);
        }
        if !plan.refusals.is_empty() {
            return Verdict::Refuse(plan.refusals);
        }
        if plan.silent { Verdict::Silent } else { Verdict::Accept }
    }

    /// Whether the documents of a ledger in one currency would add up to more than they may.
    fn passes_volume(&self, plan: &Plan) -> bool {
        let Some(book) = self.books.get(plan.book) else { return false };
        let mut sums = BTreeMap::new();
        let mut add = |currency: Currency, amount: i64| {
            let sum: &mut i128 = sums.entry(currency).or_default();
            *sum += i128::from(amount.max(0));
            *sum > i128::from(MAX_VOLUME)
        };
        for row in &book.invoices {
            add(row.currency, row.total);
        }
        for row in &book.payments {
            add(row.currency, row.amount);
        }
        for row in &book.credits {
            add(book.invoices[row.invoice].currency, row.amount);
        }
        plan.facts.iter().any(|fact| match fact {
            Fact::Invoice(row) => add(row.currency, row.total),
            Fact::Payment(row) => add(row.currency, row.amount),
            Fact::Credit { invoice, amount, .. } => add(book.invoices[*invoice].currency, *amount),
            _ => false,
        })
    }

    /// Records the facts of a command that was accepted; `last` is the position of its last event.
    ///
    /// # Errors
    /// What does not fit the rules: a date that they leave open, but not that far.
    pub fn record(
        &mut self,
        command: &Command,
        events: &[Event],
        last: Position,
    ) -> Result<(), String> {
        let plan = self.plan(command);
        // Cancelling an invoice by credits that were kept needs no credit note of its own.
        let created = events.iter().any(|event| event.created().is_some());
        if let Some(key) = creates(command).filter(|_| created) {
            self.creators.insert(key, command.clone());
        }
        for fact in plan.facts {
            match fact {
                Fact::Ledger(book, clock) => {
                    self.books.push(*book);
                    self.clocks.extend(clock);
                }
                Fact::Target(clock, day) => self.clocks[clock].target = day,
                other => self.books[plan.book].add(other, events, last)?,
            }
        }
        for event in events {
            match event {
                Event::DayOpened(e) => self.clocks[e.clock.0 as usize].today = e.day,
                Event::DayFinished(e) => self.clocks[e.clock.0 as usize].finished = e.day,
                _ => {}
            }
        }
        Ok(())
    }
}

/// Where the id of what a command creates must be unique.
fn creates(command: &Command) -> Option<(String, &'static str, String)> {
    let (kind, id) = match command {
        Command::CreateLedger(c) => {
            return c.ledger_id.as_ref().map(|id| (String::new(), "ledger", id.to_string()));
        }
        Command::CreateCustomer(c) => ("customer", c.customer_id.as_ref()?),
        Command::IssueInvoice(c) => ("invoice", c.invoice_id.as_ref()?),
        Command::RecordPayment(c) => ("payment", c.payment_id.as_ref()?),
        Command::IssueCreditNote(c) => ("credit note", c.credit_note_id.as_ref()?),
        Command::CancelInvoice(c) => ("credit note", c.credit_note_id.as_ref()?),
        _ => return None,
    };
    Some((command.ledger_id()?.to_string(), kind, id.to_string()))
}

impl Book {
    /// The customer with this id, by place.
    #[must_use]
    pub fn customer_no(&self, id: &Id) -> Option<usize> {
        self.customers.iter().position(|row| &row.id == id)
    }

    /// The invoice with this id, by place.
    #[must_use]
    pub fn invoice_no(&self, id: &Id) -> Option<usize> {
        self.invoices.iter().position(|row| &row.id == id)
    }

    fn add(&mut self, fact: Fact, events: &[Event], known: Position) -> Result<(), String> {
        match fact {
            Fact::Ledger(..) | Fact::Target(..) => {}
            Fact::Customer(row) => self.customers.push(row),
            Fact::CustomerDefaults(customer, currency, terms) => {
                let row = &mut self.customers[customer];
                row.currency = currency.or(row.currency);
                row.terms = terms.or(row.terms);
            }
            Fact::Invoice(row) => self.invoices.push(Invoice { known, ..row }),
            Fact::Credit { id, number, invoice, amount, date } => {
                let allotted = number.is_none();
                let earlier = self.credits.iter().filter(|c| c.allotted).map(|c| c.date);
                let next = numbers::next(&self.credit_pattern, date, earlier);
                let number = number.unwrap_or(next);
                self.credits.push(Credit { id, number, allotted, invoice, amount, date, known });
            }
            Fact::Payment(row) => self.payments.push(Payment { known, ..row }),
            Fact::Allocation { source, invoice, amount, date } => {
                let told = events.iter().find_map(|event| match event {
                    Event::Deallocated(e) => {
                        let same = e.source == source && e.invoice.0 as usize == invoice;
                        same.then_some(e.date)
                    }
                    _ => None,
                });
                let date = match date {
                    When::From(base) => self.room(source, invoice, amount, base),
                    other => settle(other, told)?,
                };
                self.allocations.push(Allocation { source, invoice, amount, date, known });
            }
            Fact::Reversal { payment, amount, date } => {
                let told = events.iter().find_map(|event| match event {
                    Event::PaymentReversed(e) => Some(e.date),
                    _ => None,
                });
                let date = settle(date, told)?;
                self.reversals.push(Reversal { payment, amount, date, known });
            }
            Fact::Sent(invoice, date) => self.sent.push(Dated { invoice, date, known }),
            Fact::Disputed(invoice, date) => self.disputes.push(Dated { invoice, date, known }),
            Fact::Resolved(invoice, date) => self.resolutions.push(Dated { invoice, date, known }),
        }
        Ok(())
    }
}

/// The date that was told, where the rules leave it open within bounds.
fn settle(date: When, told: Option<Day>) -> Result<Day, String> {
    match (date, told) {
        (When::On(day) | When::From(day), _) => Ok(day),
        (When::Between(first, last), Some(day)) if (first..=last).contains(&day) => Ok(day),
        (When::Between(first, last), told) => {
            Err(format!("a date from {first} to {last} was expected, got {told:?}"))
        }
    }
}
