//! The facts of a ledger as plain vectors: nothing derived is stored.

use encours_domain::terms::Terms;
use encours_domain::{Currency, Day, Id, Position, Source};

/// A clock.
#[derive(Clone, Debug)]
pub struct Clock {
    /// Its id.
    pub id: String,
    /// Whether commands move it.
    pub test: bool,
    /// Its time zone.
    pub zone: String,
    /// The last day opened.
    pub today: Day,
    /// The last day finished.
    pub finished: Day,
    /// The day to reach.
    pub target: Day,
}

/// A ledger and its facts, each list in the order in which they were recorded.
#[derive(Clone, Debug)]
pub struct Book {
    /// Its id.
    pub id: Id,
    /// Its clock, by place in the model.
    pub clock: usize,
    /// Its default currency.
    pub currency: Currency,
    /// Its default terms.
    pub terms: Terms,
    /// Pattern of allotted invoice numbers.
    pub invoice_pattern: String,
    /// Pattern of allotted credit-note numbers.
    pub credit_pattern: String,
    /// Customers, by dense number.
    pub customers: Vec<Customer>,
    /// Invoices, by dense number.
    pub invoices: Vec<Invoice>,
    /// Credit notes, by dense number.
    pub credits: Vec<Credit>,
    /// Payments, by dense number.
    pub payments: Vec<Payment>,
    /// What was put on invoices, and taken off them as negative amounts.
    pub allocations: Vec<Allocation>,
    /// Payments taken back.
    pub reversals: Vec<Reversal>,
    /// Invoices sent.
    pub sent: Vec<Dated>,
    /// Disputes opened.
    pub disputes: Vec<Dated>,
    /// Disputes resolved.
    pub resolutions: Vec<Dated>,
}

/// A customer.
#[derive(Clone, Debug)]
pub struct Customer {
    /// Its id.
    pub id: Id,
    /// Its default currency.
    pub currency: Option<Currency>,
    /// Its default terms.
    pub terms: Option<Terms>,
}

/// An invoice.
#[derive(Clone, Debug)]
pub struct Invoice {
    /// Its id.
    pub id: Id,
    /// Its number.
    pub number: String,
    /// Whether the series allotted the number.
    pub allotted: bool,
    /// Its customer, by place in the book.
    pub customer: usize,
    /// Its currency.
    pub currency: Currency,
    /// What is claimed.
    pub total: i64,
    /// The issue date.
    pub date: Day,
    /// The due date.
    pub due: Day,
    /// The first day overdue.
    pub overdue_from: Day,
    /// Its creditor reference.
    pub reference: String,
    /// Last position of the command that recorded it.
    pub known: Position,
}

/// A credit note.
#[derive(Clone, Debug)]
pub struct Credit {
    /// Its id.
    pub id: Id,
    /// Its number.
    pub number: String,
    /// Whether the series allotted the number.
    pub allotted: bool,
    /// The invoice that it corrects.
    pub invoice: usize,
    /// What it credits.
    pub amount: i64,
    /// The issue date.
    pub date: Day,
    /// Last position of the command that recorded it.
    pub known: Position,
}

/// A payment.
#[derive(Clone, Debug)]
pub struct Payment {
    /// Its id.
    pub id: Id,
    /// Who paid.
    pub customer: usize,
    /// Its currency.
    pub currency: Currency,
    /// What was received.
    pub amount: i64,
    /// The day it was received.
    pub date: Day,
    /// Last position of the command that recorded it.
    pub known: Position,
}

/// Money put on an invoice, or taken off it where the amount is negative.
#[derive(Clone, Debug)]
pub struct Allocation {
    /// Where the money comes from.
    pub source: Source,
    /// The invoice.
    pub invoice: usize,
    /// How much.
    pub amount: i64,
    /// The day from which it counts.
    pub date: Day,
    /// Last position of the command that recorded it.
    pub known: Position,
}

/// A payment taken back.
#[derive(Clone, Debug)]
pub struct Reversal {
    /// The payment.
    pub payment: usize,
    /// How much of it.
    pub amount: i64,
    /// The day.
    pub date: Day,
    /// Last position of the command that recorded it.
    pub known: Position,
}

/// Something that happened to an invoice on a day.
#[derive(Clone, Debug)]
pub struct Dated {
    /// The invoice.
    pub invoice: usize,
    /// The day.
    pub date: Day,
    /// Last position of the command that recorded it.
    pub known: Position,
}
