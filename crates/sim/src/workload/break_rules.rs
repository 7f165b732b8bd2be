//! Turns a sensible command into one that breaks a rule, where it has a rule to break.

use encours_domain::Day;
use encours_domain::commands::{Command, CreditUse, From, IssueInvoice, Put, RecordPayment};
use encours_domain::limits::{MAX_ADVANCE_DAYS, MAX_TEXT_BYTES, MAX_VOLUME};
use encours_domain::terms::{Due, Terms};

use super::{Workload, currency, id};
use crate::model::{Book, Model};

/// An id that nothing has.
const NOBODY: &str = "nobody";

impl Workload {
    pub(super) fn break_a_rule(&mut self, model: &Model, at: usize, command: Command) -> Command {
        let (book, today) = (&model.books[at], model.today(at));
        let which = self.rng.below(6);
        let wrong = self.wrong_amount();
        let mut command = command;
        match &mut command {
            Command::IssueInvoice(c) => self.break_invoice(c, book, today),
            Command::CreateDraft(c) => self.break_invoice(&mut c.invoice, book, today),
            Command::UpdateDraft(c) => self.break_invoice(&mut c.invoice, book, today),
            Command::RecordPayment(c) => self.break_payment(c, book, which, wrong),
            Command::Allocate(c) => match which {
                0 => c.amount = Some(wrong),
                1 => c.currency = Some(currency("USD")),
                2 | 3 => c.amount = Some(1_000_000_000),
                4 => c.from = From::CreditNote(id(NOBODY)),
                _ => c.invoice_id = self.invoice_id(book),
            },
            Command::Deallocate(c) => match which {
                0 => c.amount = Some(wrong),
                1 => c.currency = Some(currency("USD")),
                2 => c.amount = Some(1_000_000_000),
                3 => c.date = today.plus(-300),
                4 => c.credit_note_id = c.payment_id.clone(),
                _ => {
                    c.payment_id = None;
                    c.credit_note_id = None;
                }
            },
            Command::IssueCreditNote(c) => match which {
                0 => c.amount = Some(wrong),
                1 => c.currency = Some(currency("USD")),
                2 => c.amount = Some(1_000_000_000),
                3 => c.usage = CreditUse::Offset(1_000_000_000),
                4 => c.number = self.taken_credit_number(book),
                _ => c.issue_date = today.plus(3),
            },
            Command::ReversePayment(c) => c.date = today.plus(-500),
            Command::CancelInvoice(c) => c.date = today.plus(2),
            Command::AdvanceClock(c) => {
                let days = if which == 0 { MAX_ADVANCE_DAYS + 1 } else { -1 };
                c.to = today.plus(days).unwrap_or(today);
            }
            Command::CreateCustomer(c) => c.details.name = Some("  ".to_owned()),
            Command::UpdateCustomer(c) => c.customer_id = id(NOBODY),
            Command::MarkSent(c) => c.invoice_id = id(NOBODY),
            Command::DisputeInvoice(c) => match which {
                0..3 => c.ledger_id = id(NOBODY),
                _ => c.reason = "a bell: \u{7}".to_owned(),
            },
            Command::ResolveDispute(c) => c.date = today.plus(-400),
            Command::CreateLedger(_) | Command::OpenDay(_) | Command::RunDay(_) => {}
            other => self.break_agreement(other, book, today),
        }
        command
    }

    fn break_payment(&mut self, c: &mut RecordPayment, book: &Book, which: u64, wrong: i64) {
        match which {
            0 => c.amount = Some(wrong),
            1 => c.currency = Some(currency("USD")),
            2 => c.customer_id = Some(self.other_customer(book)),
            3 => match &mut c.put {
                Put::Explicit(list) => {
                    for part in list.iter_mut().take(1) {
                        part.amount =
                            if self.rng.one_in(2) { wrong } else { part.amount.saturating_add(1) };
                    }
                }
                _ => c.put = Put::Invoice(id(NOBODY)),
            },
            4 => {
                let taken = book.payments.first().map(|p| p.id.clone());
                c.payment_id = taken.or_else(|| c.payment_id.clone());
            }
            _ => c.amount = Some(self.large()),
        }
    }

    fn break_agreement(&mut self, command: &mut Command, book: &Book, today: Day) {
        let (which, wrong) = (self.rng.below(4), self.wrong_amount());
        match command {
            Command::DeleteDraft(c) => c.invoice_id = self.invoice_id(book),
            Command::IssueDraft(c) => match which {
                0 | 1 => c.number = self.taken_number(book),
                2 => c.issue_date = today.plus(if self.rng.one_in(2) { 1 } else { -400 }),
                _ => c.invoice_id = self.invoice_id(book),
            },
            Command::AddOpeningItem(c) => match which {
                0 => c.amount = wrong,
                1 => c.paid = c.amount + 1,
                2 => c.number = self.taken_number(book),
                _ => c.due_date = Some(today),
            },
            Command::CorrectOpeningItem(c) => match which {
                0 => c.amount = Some(-1),
                1 => c.paid = Some(1_000_000_000),
                2 => c.date = today.plus(-400),
                _ => c.invoice_id = self.invoice_id(book),
            },
            Command::PlanPayment(c) => match which {
                0 => c.amount = Some(wrong),
                1 => c.amount = Some(1_000_000_000),
                2 => c.date = today.plus(-1).unwrap_or(today),
                _ => c.currency = Some(currency("USD")),
            },
            Command::RefundPayment(c) => match which {
                0 => c.amount = Some(wrong),
                1 => c.amount = Some(1_000_000_000),
                2 => c.date = today.plus(-400),
                _ => c.currency = Some(currency("USD")),
            },
            Command::SetCreditLimit(c) => c.limit = Some(-1),
            Command::RecordReminder(c) => match which {
                0 | 1 => c.level = if self.rng.one_in(2) { 0 } else { 10 },
                _ => c.date = today.plus(1),
            },
            Command::CancelPlannedPayment(c) => c.invoice_id = id(NOBODY),
            Command::StopReminders(c) => c.reason = "x".repeat(MAX_TEXT_BYTES + 1),
            _ => {}
        }
    }

    fn break_invoice(&mut self, c: &mut IssueInvoice, book: &Book, today: Day) {
        match self.rng.below(6) {
            0 => c.customer_id = id(NOBODY),
            1 => c.total = Some(-1),
            2 => c.due = c.issue_date.unwrap_or(today).plus(-1).map(Due::Date),
            3 => c.number = self.taken_number(book),
            4 => {
                c.number = None;
                c.issue_date = today.plus(if self.rng.one_in(2) { 1 } else { -400 });
            }
            _ => match self.rng.below(9) {
                6 => c.text = "a bell: \u{7}".to_owned(),
                7 => {
                    c.lines = vec![];
                    c.total = Some(1);
                    c.lines.push(encours_domain::commands::InvoiceLine {
                        description: "Off by one".to_owned(),
                        quantity: None,
                        unit_price: None,
                        amount: Some(100),
                        rate: encours_domain::event::Rate(0),
                    });
                }
                8 => c.due = Some(Due::Date(Day::MAX)),
                0 => c.text = "x".repeat(MAX_TEXT_BYTES + 1),
                1 => c.reference = Some("RF19 5390 0754 7034".to_owned()),
                2 => {
                    c.due = Some(Due::Terms(Terms::NetDays { days: 367, grace_days: 0 }));
                }
                3 => {
                    c.lines = vec![];
                    c.total = None;
                }
                4 => {
                    c.lines = vec![];
                    c.total = Some(self.large());
                }
                _ => c.invoice_id = self.taken_id(book),
            },
        }
    }

    /// An amount about the limits, which may be accepted once or twice.
    fn large(&mut self) -> i64 {
        [i64::MAX, MAX_VOLUME, MAX_VOLUME / 3][self.rng.index(3)]
    }

    fn wrong_amount(&mut self) -> i64 {
        if self.rng.one_in(2) { 0 } else { -5 }
    }

    fn other_customer(&mut self, book: &Book) -> encours_domain::Id {
        let at = self.rng.index(book.customers.len());
        book.customers.get(at).map_or_else(|| id(NOBODY), |row| row.id.clone())
    }

    fn taken_id(&mut self, book: &Book) -> Option<encours_domain::Id> {
        book.invoices.first().map(|row| row.id.clone()).or_else(|| Some(self.new_id("i")))
    }

    /// A number that an invoice has, or one that only the series may allot.
    fn taken_number(&mut self, book: &Book) -> Option<String> {
        let at = self.rng.index(book.invoices.len());
        let taken = book.invoices.get(at).map(|row| row.number.clone());
        match self.rng.below(4) {
            0 | 1 => taken,
            2 => Some(reserved(&book.invoice_pattern, "2031")),
            // Of a year before: an old document may have it.
            _ => Some(reserved(&book.invoice_pattern, "2024")),
        }
    }

    fn taken_credit_number(&mut self, book: &Book) -> Option<String> {
        let at = self.rng.index(book.credits.len());
        let taken = book.credits.get(at).map(|row| row.number.clone());
        if self.rng.one_in(2) { Some(reserved(&book.credit_pattern, "2031")) } else { taken }
    }
}

/// A number far ahead in a series.
fn reserved(pattern: &str, year: &str) -> String {
    let text = pattern.replace("{year}", year);
    text.replace("{seq:5}", "98765").replace("{seq:3}", "987").replace("{seq}", "98765")
}
