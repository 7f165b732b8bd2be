//! Recording: the facts of accepted commands, and what their events say of dates left open.

use std::collections::BTreeMap;

use encours_domain::commands::Command;
use encours_domain::{Day, Event, PaymentNo, Position, Source};

use super::facts::{
    Allocation, Book, Correction, Credit, Dated, Invoice, Payment, Refund, Reversal, Stage,
};
use super::plan::{Fact, When};
use super::{Model, View, creates, numbers};

impl Model {
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
        let at = plan.book;
        let mut touched: BTreeMap<usize, Day> = BTreeMap::new();
        for fact in plan.facts {
            match fact {
                Fact::Ledger(book, clock) => {
                    self.books.push(*book);
                    self.clocks.extend(clock);
                }
                Fact::Target(clock, day) => self.clocks[clock].target = day,
                other => {
                    let changed = self.books[at].add(other, events, last)?;
                    if let Some((invoice, day)) = changed {
                        let latest = touched.entry(invoice).or_insert(day);
                        *latest = day.max(*latest);
                    }
                }
            }
        }
        for (invoice, day) in touched {
            let (today, book) = (self.today(at), &mut self.books[at]);
            let changed = day.max(book.invoices[invoice].date);
            book.clear(at, (invoice, changed, today), events)?;
        }
        self.follow(command, events)?;
        events.iter().try_for_each(|event| self.pass(event))
    }

    /// What events say of the time.
    fn pass(&mut self, event: &Event) -> Result<(), String> {
        match event {
            Event::ClockAdvanced(e) => self.clocks[e.clock.0 as usize].outage = e.outage,
            Event::DayOpened(e) => {
                let clock = &mut self.clocks[e.clock.0 as usize];
                let in_time = !clock.outage || e.day == clock.target;
                if clock.test && e.on_time != in_time {
                    return Err(format!("{event:?}: opened in time is {in_time}"));
                }
                clock.today = e.day;
                if !e.on_time {
                    clock.late = Some(e.day);
                }
            }
            Event::DayFinished(e) => self.clocks[e.clock.0 as usize].finished = e.day,
            _ => {}
        }
        Ok(())
    }
}

impl Book {
    /// Adds a fact; tells the invoices whose open amount it changes, and the day.
    fn add(
        &mut self,
        fact: Fact,
        events: &[Event],
        known: Position,
    ) -> Result<Option<(usize, Day)>, String> {
        match fact {
            Fact::Allocation { source, invoice, amount, date } => {
                let date = self.allocation_date(source, invoice, (amount, date), events)?;
                self.allocations.push(Allocation { source, invoice, amount, date, known });
                if let (Some(planned), Source::Payment(_)) =
                    (&mut self.invoices[invoice].planned, source)
                {
                    planned.remaining = (planned.remaining - amount).clamp(0, planned.amount);
                }
                return Ok(Some((invoice, date)));
            }
            Fact::Corrected { invoice, amount, paid, due, more, date } => {
                let row = &mut self.invoices[invoice];
                row.volume += (amount - row.total).max(0);
                (row.total, row.paid) = (amount, paid);
                if due != row.due {
                    row.overdue_from = due.plus(1).unwrap_or(Day::MAX);
                }
                row.due = due;
                let due = (due, row.overdue_from);
                self.corrections.push(Correction { invoice, more, due, date, known });
                return Ok(Some((invoice, date)));
            }
            Fact::Exceeded(invoice, expected) => check_exceeded(invoice, expected, events)?,
            Fact::Refund { payment, amount, date, with_invoice } => {
                let date = self.refund_date(payment, amount, date, with_invoice);
                check_refund(self, (payment, amount, date), events)?;
                self.refunds.push(Refund { payment, amount, date, known });
            }
            other => self.add_simple(other, events, known)?,
        }
        Ok(None)
    }

    fn allocation_date(
        &self,
        source: Source,
        invoice: usize,
        (amount, date): (i64, When),
        events: &[Event],
    ) -> Result<Day, String> {
        let told = events.iter().find_map(|event| match event {
            Event::Deallocated(e) => {
                let same = e.source == source && e.invoice.0 as usize == invoice;
                same.then_some(e.date)
            }
            _ => None,
        });
        match date {
            When::From(base) => Ok(self.room(source, invoice, amount, base)),
            other => settle(other, told),
        }
    }

    /// The day of a refund: as given, or the first one on which there is something to pay back.
    fn refund_date(&self, payment: usize, amount: i64, date: When, with_invoice: bool) -> Day {
        match date {
            When::On(day) => day,
            When::From(today) | When::Between(today, _) => {
                let off = self.allocations.last().filter(|_| with_invoice).map(|a| a.date);
                self.refundable_from(payment, amount, off.unwrap_or(today))
            }
        }
    }

    fn add_simple(&mut self, fact: Fact, events: &[Event], known: Position) -> Result<(), String> {
        match fact {
            Fact::Replaced(no, row) => self.invoices[no] = Invoice { known, ..row },
            Fact::Deleted(no) => self.invoices[no].stage = Stage::Deleted,
            Fact::Limit(customer, currency, limit) => {
                self.limits.retain(|l| (l.customer, l.currency) != (customer, currency));
                self.limits.extend(limit);
            }
            Fact::Planned(invoice, planned) => self.invoices[invoice].planned = planned,
            Fact::Stopped(invoice) => self.invoices[invoice].stopped = true,
            Fact::Reminded(invoice, level) => {
                let row = &mut self.invoices[invoice];
                row.level = row.level.max(level);
            }
            Fact::CustomerReminded(customer, level, day) => {
                self.customers[customer].reminded = Some((level, day));
            }
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
            Fact::Ledger(..)
            | Fact::Target(..)
            | Fact::Allocation { .. }
            | Fact::Corrected { .. }
            | Fact::Exceeded(..)
            | Fact::Refund { .. } => {}
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

/// A passed credit limit is told right after the issue, and only then.
fn check_exceeded(
    invoice: usize,
    expected: Option<(i64, i64, bool)>,
    events: &[Event],
) -> Result<(), String> {
    let told = events.iter().position(|event| matches!(event, Event::CreditLimitExceeded(_)));
    let found = told.and_then(|at| match &events[at] {
        Event::CreditLimitExceeded(e) if at == 1 && e.invoice.0 as usize == invoice => {
            Some((e.limit, e.exposure, e.overridden))
        }
        _ => None,
    });
    if (found, told.is_some()) == (expected, expected.is_some()) {
        return Ok(());
    }
    Err(format!("credit limit: told {found:?} at {told:?}, expected {expected:?}"))
}

fn check_refund(
    book: &Book,
    (payment, amount, date): (usize, i64, Day),
    events: &[Event],
) -> Result<(), String> {
    let no = PaymentNo(u32::try_from(payment).unwrap_or(u32::MAX));
    let left = book.unapplied(Source::Payment(no), View::ALL) - i128::from(amount);
    let told = events.iter().find_map(|event| match event {
        Event::PaymentRefunded(e) => Some((e.payment, e.amount, e.date, e.unapplied_after.into())),
        _ => None,
    });
    let expected = Some((no, amount, date, left));
    if told == expected {
        return Ok(());
    }
    Err(format!("refund: told {told:?}, expected {expected:?}"))
}
