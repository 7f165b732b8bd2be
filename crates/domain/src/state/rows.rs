//! The rows of the state: one struct per entity, in tables by dense number.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::balance::Balance;
use crate::calendar::Calendar;
use crate::commands::Digest;
use crate::currency::Currency;
use crate::details::DetailKind;
use crate::dunning::{self, Emitted, Policy};
use crate::event::{CreditPolicy, Direction, Draft, Method, ReversalKind};
use crate::id::Id;
use crate::number::{ClockNo, CreditNoteNo, CustomerNo, InvoiceNo, LedgerNo, Source};
use crate::position::{Day, Position};
use crate::table::Table;
use crate::terms::{DueTerms, Terms};

/// Everything that a snapshot of the state holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Rows {
    /// The clocks.
    pub clocks: Table<Clock>,
    /// The ledgers, one a page, since each holds tables of its own.
    pub ledgers: Table<Ledger, 1>,
}

/// A clock.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "as in the event that creates it")]
pub struct Clock {
    pub id: Id,
    pub test: bool,
    pub zone: Arc<str>,
    /// The last day opened.
    pub today: Day,
    /// The last day finished.
    pub finished: Day,
    /// The day that a test clock was told to reach.
    pub target: Day,
    /// Whether a test clock's days before `target` open late.
    pub outage: bool,
    /// The last day that was opened late.
    pub late_until: Option<Day>,
    pub created: Position,
    pub version: Position,
}

impl Clock {
    /// The first day that is not over: no earlier one tells anything any more.
    #[must_use]
    pub fn first_unfinished(&self) -> Day {
        self.finished.plus(1).unwrap_or(Day::MAX)
    }

    /// Whether reminders go out on a day: it was opened on time, and so was every day after it.
    #[must_use]
    pub fn is_on_time(&self, day: Day) -> bool {
        self.late_until.is_none_or(|late| late < day)
    }
}

/// A ledger and all that is in it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "as in the event that creates it")]
pub struct Ledger {
    pub no: LedgerNo,
    pub id: Id,
    pub name: Arc<str>,
    pub currency: Currency,
    pub clock: ClockNo,
    pub terms: Terms,
    pub invoice_series: Series,
    pub credit_note_series: Series,
    pub calendar: Calendar,
    pub reminders: Policy,
    /// By currency: what all documents add up to, whatever became of them.
    pub volume: Vec<(Currency, i64)>,
    pub customers: Table<Customer>,
    pub invoices: Table<Invoice>,
    pub payments: Table<Payment>,
    pub credit_notes: Table<CreditNote>,
    pub created: Position,
    pub version: Position,
    pub digest: Digest,
}

/// A series of document numbers: gapless, unique, in the order of issue dates.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Series {
    /// The pattern, such as `FA-{year}-{seq:5}`.
    pub pattern: Arc<str>,
    /// The year that `next` belongs to, where the pattern names the year.
    pub year: i32,
    /// The next sequence number, from 1.
    pub next: u64,
    /// No number is allotted before it: the issue date of the last one, or the day after the year of
    /// an old document that has a number of this form.
    pub last_date: Option<Day>,
}

/// A customer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "as in the event that creates it")]
pub struct Customer {
    pub id: Id,
    pub currency: Option<Currency>,
    pub terms: Option<Terms>,
    /// Sealed details, by kind.
    pub details: Vec<(DetailKind, Arc<[u8]>)>,
    /// One per currency it was ever invoiced or paid in, by code; all facts counted.
    pub balances: Vec<Balance>,
    /// One per currency it has a limit in, by code.
    pub credit_limits: Vec<CreditLimit>,
    /// The last reminder of all it owes that a person recorded.
    pub reminder: Option<ManualReminder>,
    pub created: Position,
    pub version: Position,
    pub digest: Digest,
}

/// How far a customer may go into debt in a currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "as in the event that sets it")]
pub struct CreditLimit {
    pub currency: Currency,
    pub limit: i64,
    pub policy: CreditPolicy,
}

/// A reminder that a person recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "as in the event that records it")]
pub struct ManualReminder {
    pub level: u8,
    pub date: Day,
}

/// Where the life of an invoice stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// It can be changed and counts nowhere.
    Draft(Arc<Draft>),
    /// The draft was given up.
    Deleted,
    /// It is a claim.
    Issued,
}

/// What makes an item of the invoices' space an opening item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// Who owes whom.
    pub direction: Direction,
    /// What of its total was settled before the ledger.
    pub paid: i64,
    /// Of one owing: what is not used yet; else 0.
    pub unapplied: i64,
    /// Of one owing: the invoices it has something on, by number.
    pub invoices: Vec<InvoiceNo>,
    /// Of one owing: what was on an invoice for a time, and what a correction added before its day.
    pub spells: Vec<Spell>,
    /// The day of the last correction.
    pub corrected_on: Option<Day>,
    /// The day of the last correction that lowered what it comes to.
    pub lowered_on: Option<Day>,
}

/// When a customer said it will pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedPayment {
    /// What it will pay; above 0.
    pub amount: i64,
    /// What of it has not come yet by payments allocated since; 0 only until it is cleared.
    pub remaining: i64,
    /// The day on which it will.
    pub date: Day,
}

/// An invoice, a draft of one, or an opening item.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "as in the event that creates it")]
pub struct Invoice {
    pub id: Id,
    /// The document's number; of a draft a provisional one without value.
    pub number: Arc<str>,
    pub stage: Stage,
    pub opening: Option<Box<Opening>>,
    pub customer: CustomerNo,
    pub currency: Currency,
    pub total: i64,
    /// Total less what was settled before and less allocations, all facts counted. 0 for a draft
    /// and for an opening item owing to the customer.
    pub open: i64,
    /// Amounts of the credit notes issued against it.
    pub credit_noted: i64,
    pub issue_date: Day,
    pub due: DueTerms,
    pub sent_on: Option<Day>,
    pub reference: Arc<str>,
    pub dispute: Option<Dispute>,
    /// The day on which the last dispute ended.
    pub resolved_on: Option<Day>,
    /// The credit notes issued against it.
    pub credit_notes: Vec<CreditNoteNo>,
    /// Whether it was said to be due.
    pub due_emitted: bool,
    /// Whether it was said to be overdue since it was issued or reopened last.
    pub overdue_emitted: bool,
    /// Whether its open amount is in the customer's overdue one.
    pub overdue: bool,
    /// No earlier day says that it is due or overdue: the first day that was not over when it came
    /// to be known that more of it is open, or that it has another due date.
    pub told_from: Option<Day>,
    pub cancelled: bool,
    pub planned: Option<PlannedPayment>,
    /// By how much it took its customer past its credit limit when it was issued.
    pub over_limit: i64,
    /// Whether it is not reminded of any more.
    pub reminders_stopped: bool,
    /// The last step of its plan that went out.
    pub last_step: Option<Emitted>,
    /// The highest level of the reminders that went out or were recorded.
    pub reminder_level: u8,
    /// In the order they were made.
    pub allocations: Vec<InvoiceAllocation>,
    /// What was allocated for a time: later allocations must not overlap it.
    pub spells: Vec<Spell>,
    /// Position of the event that says what it carries.
    pub content: Position,
    pub created: Position,
    pub version: Position,
    /// Of the command that created it.
    pub digest: Digest,
    /// Of the command that issued it, where it was a draft.
    pub issue_digest: Option<Digest>,
}

impl Invoice {
    /// What of its total was settled before the ledger.
    #[must_use]
    pub fn paid_before(&self) -> i64 {
        self.opening.as_ref().map_or(0, |opening| opening.paid)
    }

    /// Whether it is an opening item owing to the customer: a credit.
    #[must_use]
    pub fn is_owing(&self) -> bool {
        self.opening.as_ref().is_some_and(|opening| opening.direction == Direction::Owing)
    }

    /// The first day on which it may have been sent or reminded of: the issue date; of an opening
    /// item, which was issued elsewhere and counts from a day of its own, any.
    #[must_use]
    pub fn since(&self) -> Day {
        if self.opening.is_some() { Day::MIN } else { self.issue_date }
    }

    /// What it claims from the customer beyond what was settled before: 0 of a draft and of an
    /// opening item owing to the customer.
    #[must_use]
    pub fn claim(&self) -> i64 {
        if self.is_owing() || self.stage != Stage::Issued {
            return 0;
        }
        self.total - self.paid_before()
    }

    /// What its reminder plan is a function of.
    #[must_use]
    pub fn dunning_facts(&self) -> dunning::Facts {
        dunning::Facts {
            sent_on: self.sent_on,
            due: self.due,
            opening: self.opening.is_some(),
            last: self.last_step,
        }
    }

    /// Whether its plan runs: something is open, all facts counted, and nothing stops or pauses it.
    #[must_use]
    pub fn is_reminded(&self) -> bool {
        self.open > 0 && !self.reminders_stopped && self.dispute.is_none()
    }

    /// What is open on a day, as far as is known now; 0 or more. Nothing before the issue date.
    #[must_use]
    pub fn open_on(&self, day: Day) -> i64 {
        if day < self.issue_date {
            return 0;
        }
        let live = self.allocations.iter().filter(|a| a.date <= day).map(|a| a.amount);
        let spells = self.spells.iter().filter(|spell| spell.from <= day && day < spell.to);
        let taken = live.chain(spells.map(|spell| spell.amount)).fold(0, i64::saturating_add);
        self.claim().saturating_sub(taken).max(0)
    }

    /// The first day from `from` on, on which something is open; `None` where nothing ever is.
    #[must_use]
    pub fn first_open_day(&self, from: Day) -> Option<Day> {
        let from = from.max(self.issue_date);
        let ends = self.spells.iter().map(|spell| spell.to).filter(|to| *to > from);
        ends.chain([from]).filter(|day| self.open_on(*day) > 0).min()
    }
}

/// An open dispute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispute {
    /// The day it began.
    pub since: Day,
}

/// What a payment or credit note put on an invoice at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoiceAllocation {
    /// Where the money comes from.
    pub source: Source,
    /// Minor units; above 0.
    pub amount: i64,
    /// The day from which it counts.
    pub date: Day,
}

/// Money that was allocated for a time and taken off again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spell {
    /// The day from which it counted.
    pub from: Day,
    /// The day on which it came off.
    pub to: Day,
    /// Minor units; above 0.
    pub amount: i64,
}

/// Money paid back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// The day.
    pub date: Day,
    /// Minor units; above 0.
    pub amount: i64,
}

/// A payment.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "as in the event that creates it")]
pub struct Payment {
    pub id: Id,
    pub customer: CustomerNo,
    pub currency: Currency,
    pub amount: i64,
    /// Not allocated, not refunded and not reversed.
    pub unapplied: i64,
    /// What was paid back, and when.
    pub refunds: Vec<Refund>,
    pub reversed: i64,
    pub reversal: Option<ReversalKind>,
    pub method: Method,
    pub received_on: Day,
    pub reference: Arc<str>,
    /// The invoices it has something on, by number.
    pub invoices: Vec<InvoiceNo>,
    /// What was on an invoice for a time: later allocations must not overlap it.
    pub spells: Vec<Spell>,
    pub created: Position,
    pub version: Position,
    pub digest: Digest,
}

/// A credit note.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "as in the event that creates it")]
pub struct CreditNote {
    pub id: Id,
    pub number: Arc<str>,
    pub invoice: InvoiceNo,
    pub customer: CustomerNo,
    pub currency: Currency,
    pub amount: i64,
    pub unapplied: i64,
    pub issue_date: Day,
    /// The invoices it has something on, by number.
    pub invoices: Vec<InvoiceNo>,
    /// What was on an invoice for a time: later allocations must not overlap it.
    pub spells: Vec<Spell>,
    pub created: Position,
    pub version: Position,
    pub digest: Digest,
}

impl Rows {
    /// The ledger with this number.
    #[must_use]
    pub fn ledger(&self, ledger: LedgerNo) -> Option<&Ledger> {
        self.ledgers.get(ledger.0)
    }
}

impl Payment {
    /// What was paid back.
    #[must_use]
    pub fn refunded(&self) -> i64 {
        self.refunds.iter().map(|refund| refund.amount).sum()
    }
}

impl Ledger {
    /// What all documents in a currency add up to, whatever became of them.
    #[must_use]
    pub fn volume_in(&self, currency: Currency) -> i64 {
        self.volume.iter().find(|(known, _)| *known == currency).map_or(0, |(_, sum)| *sum)
    }

    /// The credit note with this number.
    #[must_use]
    pub fn credit_note(&self, number: CreditNoteNo) -> Option<&CreditNote> {
        self.credit_notes.get(number.0)
    }
}
