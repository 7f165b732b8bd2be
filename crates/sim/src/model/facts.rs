//! The facts of a ledger as plain vectors: nothing derived is stored.

use encours_domain::calendar::Calendar;
use encours_domain::commands::IssueInvoice;
use encours_domain::dunning::{Policy, Step};
use encours_domain::event::CreditPolicy;
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
    /// Whether the days before it open late.
    pub outage: bool,
    /// The last day that opened late.
    pub late: Option<Day>,
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
    /// Its business days.
    pub calendar: Calendar,
    /// The plan of its reminders.
    pub reminders: Policy,
    /// Customers, by dense number.
    pub customers: Vec<Customer>,
    /// Invoices, drafts and opening items, by dense number.
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
    /// What corrections of opening items added, or took away as negative amounts.
    pub corrections: Vec<Correction>,
    /// Money paid back.
    pub refunds: Vec<Refund>,
    /// Credit limits in force.
    pub limits: Vec<Limit>,
    /// Steps of reminder plans that went out.
    pub steps: Vec<StepOut>,
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
    /// Level and day of the last reminder that a person recorded.
    pub reminded: Option<(u8, Day)>,
}

/// What an item of the invoices' space is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// A draft, and what it says.
    Draft(Box<IssueInvoice>),
    /// A draft that was given up.
    Deleted,
    /// An invoice.
    Issued,
    /// An opening item that the customer owes.
    Owed,
    /// An opening item owing to the customer.
    Owing,
}

/// An invoice, a draft or an opening item.
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
    /// What it is.
    pub stage: Stage,
    /// What is claimed, as corrected.
    pub total: i64,
    /// What of it was settled before the ledger, as corrected.
    pub paid: i64,
    /// What was claimed or granted when it was recorded.
    pub claim: i64,
    /// What counts against the limit of the ledger.
    pub volume: i64,
    /// The issue date.
    pub date: Day,
    /// The due date.
    pub due: Day,
    /// The first day overdue.
    pub overdue_from: Day,
    /// Both, before any correction.
    pub first_due: (Day, Day),
    /// Its creditor reference.
    pub reference: String,
    /// When the customer said it will pay.
    pub planned: Option<Planned>,
    /// By how much it passed a credit limit.
    pub over_limit: i64,
    /// The highest level of reminders.
    pub level: u8,
    /// Whether its reminders were stopped.
    pub stopped: bool,
    /// Last position of the command that recorded it.
    pub known: Position,
}

/// A payment that a customer announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planned {
    /// How much.
    pub amount: i64,
    /// What of it has not come.
    pub remaining: i64,
    /// When.
    pub date: Day,
}

/// A correction of an opening item.
#[derive(Clone, Debug)]
pub struct Correction {
    /// The item.
    pub invoice: usize,
    /// What it adds.
    pub more: i64,
    /// The due date and the first day overdue from then on.
    pub due: (Day, Day),
    /// The day from which it counts.
    pub date: Day,
    /// Last position of the command that recorded it.
    pub known: Position,
}

/// Money paid back.
#[derive(Clone, Debug)]
pub struct Refund {
    /// The payment.
    pub payment: usize,
    /// How much of it.
    pub amount: i64,
    /// The day.
    pub date: Day,
    /// Last position of the command that recorded it.
    pub known: Position,
}

/// How far a customer may go into debt.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "as in the command that sets it")]
pub struct Limit {
    pub customer: usize,
    pub currency: Currency,
    pub limit: i64,
    pub policy: CreditPolicy,
}

/// A step of a plan that went out.
#[derive(Clone, Copy, Debug)]
pub struct StepOut {
    /// The invoice.
    pub invoice: usize,
    /// Which step.
    pub step: Step,
    /// The day the plan had for it.
    pub planned: Day,
    /// The day it went out.
    pub date: Day,
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
