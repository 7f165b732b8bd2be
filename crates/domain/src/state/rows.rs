//! The rows of the state: one struct per entity, in tables by dense number.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::balance::Balance;
use crate::commands::Digest;
use crate::currency::Currency;
use crate::details::DetailKind;
use crate::event::{Method, ReversalKind};
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
    pub created: Position,
    pub version: Position,
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
    /// The issue date of the last number allotted.
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
    pub created: Position,
    pub version: Position,
    pub digest: Digest,
}

/// An invoice.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "as in the event that creates it")]
pub struct Invoice {
    pub id: Id,
    pub number: Arc<str>,
    pub customer: CustomerNo,
    pub currency: Currency,
    pub total: i64,
    /// Total less allocations, all facts counted.
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
    /// The day on which it was reopened after it had been said to be overdue.
    pub overdue_again_from: Option<Day>,
    pub cancelled: bool,
    /// In the order they were made.
    pub allocations: Vec<InvoiceAllocation>,
    /// What was allocated for a time: later allocations must not overlap it.
    pub spells: Vec<Spell>,
    pub created: Position,
    pub version: Position,
    pub digest: Digest,
}

impl Invoice {
    /// What is open on a day, as far as is known now; 0 or more.
    #[must_use]
    pub fn open_on(&self, day: Day) -> i64 {
        let live = self.allocations.iter().filter(|a| a.date <= day).map(|a| a.amount);
        let spells = self.spells.iter().filter(|spell| spell.from <= day && day < spell.to);
        let taken = live.chain(spells.map(|spell| spell.amount)).fold(0, i64::saturating_add);
        self.total.saturating_sub(taken).max(0)
    }

    /// The first day from `from` on, on which something is open; `None` where nothing ever is.
    #[must_use]
    pub fn first_open_day(&self, from: Day) -> Option<Day> {
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

/// A payment.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "as in the event that creates it")]
pub struct Payment {
    pub id: Id,
    pub customer: CustomerNo,
    pub currency: Currency,
    pub amount: i64,
    /// Not allocated and not reversed.
    pub unapplied: i64,
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
