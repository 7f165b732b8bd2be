//! Resources: what answers show. Made from the writer's state for the answer to a command, and
//! from the read model for a query. Amounts are minor units.

use std::sync::Arc;

use crate::balance::Balance;
use crate::calendar::Calendar;
use crate::currency::Currency;
use crate::details::DetailKind;
use crate::dunning::{Emitted, Planned, Policy};
use crate::event::{Method, ReversalKind};
use crate::id::Id;
use crate::number::{ClockNo, CreditNoteNo, CustomerNo, InvoiceNo, LedgerNo, PaymentNo};
use crate::position::{Day, Position};
use crate::state::{CreditLimit, ManualReminder, PlannedPayment};
use crate::status::{CustomerStatus, Facets};
use crate::terms::{DueTerms, Terms};

/// The resource that a command was about, after it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant holds the struct of its name")]
pub enum Resource {
    Clock(Clock),
    Ledger(Ledger),
    Customer(Customer),
    Invoice(Invoice),
    Payment(Payment),
    CreditNote(CreditNote),
}

/// A clock.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Clock {
    pub no: ClockNo,
    pub id: Id,
    pub test: bool,
    pub zone: Arc<str>,
    /// The last day opened.
    pub today: Day,
    /// The last day finished.
    pub finished: Day,
    /// The day a test clock was told to reach.
    pub target: Day,
}

/// A ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Ledger {
    pub no: LedgerNo,
    pub id: Id,
    pub name: Arc<str>,
    pub currency: Currency,
    pub clock: Clock,
    pub terms: Terms,
    pub invoice_pattern: Arc<str>,
    pub credit_note_pattern: Arc<str>,
    pub calendar: Calendar,
    pub reminders: Policy,
    pub customers: u32,
    pub invoices: u32,
    pub payments: u32,
    pub credit_notes: u32,
    /// Position of the event that created it.
    pub created: Position,
    /// Position of the last event about it.
    pub version: Position,
}

/// A customer with its balances.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Customer {
    pub ledger: LedgerNo,
    pub ledger_id: Id,
    pub no: CustomerNo,
    pub id: Id,
    /// Its own default currency, where it has one.
    pub currency: Option<Currency>,
    /// Its own default terms, where it has some.
    pub terms: Option<Terms>,
    /// Sealed personal details.
    pub details: Vec<(DetailKind, Arc<[u8]>)>,
    /// One per currency, by code.
    pub balances: Vec<Balance>,
    /// One per currency that has one, by code.
    pub credit_limits: Vec<CreditLimit>,
    /// The last reminder of all it owes that a person recorded.
    pub reminder: Option<ManualReminder>,
    pub status: CustomerStatus,
    pub created: Position,
    pub version: Position,
}

/// What an item of the invoices' space is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum ItemKind {
    Invoice,
    OpeningOwed,
    OpeningOwing,
}

/// An invoice, a draft or an opening item; lines and texts are read from the log at `content`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Invoice {
    pub ledger: LedgerNo,
    pub ledger_id: Id,
    pub no: InvoiceNo,
    pub id: Id,
    pub kind: ItemKind,
    /// Whether it was a draft that was given up.
    pub deleted: bool,
    /// The document's number; of a draft a provisional one without value.
    pub number: Arc<str>,
    pub customer_id: Id,
    pub currency: Currency,
    pub total: i64,
    pub open: i64,
    /// Of an opening item: what was settled before the ledger; else 0.
    pub paid_before: i64,
    /// Of an opening item owing to the customer: what is not used yet; else 0.
    pub unapplied: i64,
    /// What credit notes allocated to it settle.
    pub credited: i64,
    /// What credit notes were issued against it, allocated or not.
    pub credit_noted: i64,
    /// Of a draft only where it says so.
    pub issue_date: Option<Day>,
    /// Of a draft only where it says a date.
    pub due: Option<DueTerms>,
    pub sent_on: Option<Day>,
    pub reference: Arc<str>,
    pub facets: Facets,
    pub planned: Option<PlannedPayment>,
    /// By how much it took its customer past its credit limit when it was issued.
    pub over_limit: i64,
    /// The last step of its plan that went out.
    pub last_reminder: Option<Emitted>,
    /// The next step of its plan; `None` where none is to come, or the plan is paused or over.
    pub next_reminder: Option<Planned>,
    /// Position of the event that says what it carries.
    pub content: Position,
    pub created: Position,
    pub version: Position,
}

/// A payment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Payment {
    pub ledger: LedgerNo,
    pub ledger_id: Id,
    pub no: PaymentNo,
    pub id: Id,
    pub customer_id: Id,
    pub currency: Currency,
    pub amount: i64,
    pub unapplied: i64,
    pub refunded: i64,
    pub reversed: i64,
    pub reversal: Option<ReversalKind>,
    pub method: Method,
    pub received_on: Day,
    pub reference: Arc<str>,
    /// What it is put against, in the order of the invoices' numbers.
    pub allocations: Vec<Allocation>,
    pub created: Position,
    pub version: Position,
}

/// A credit note.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct CreditNote {
    pub ledger: LedgerNo,
    pub ledger_id: Id,
    pub no: CreditNoteNo,
    pub id: Id,
    pub number: Arc<str>,
    pub invoice_id: Id,
    pub customer_id: Id,
    pub currency: Currency,
    pub amount: i64,
    pub unapplied: i64,
    pub issue_date: Day,
    /// What it is put against, in the order of the invoices' numbers.
    pub allocations: Vec<Allocation>,
    pub created: Position,
    pub version: Position,
}

/// What a payment or credit note has on an invoice, all its allocations there taken together.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Allocation {
    pub invoice_id: Id,
    pub amount: i64,
    /// The latest day from which part of it counts.
    pub date: Day,
}
