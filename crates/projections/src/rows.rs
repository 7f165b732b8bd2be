//! The rows of the read model: compact, fixed in size, texts behind a [`Block`].
//!
//! Rows per page are chosen so that a page in postcard has at most [`PAGE_MAX`](crate::checkpoint)
//! bytes whatever the rows hold; a test measures the worst case of each.

use encours_domain::balance::Balance;
use encours_domain::event::{Method, ReversalKind};
use encours_domain::table::Table;
use encours_domain::terms::{DueTerms, Terms};
use encours_domain::{Currency, Day};
use serde::{Deserialize, Serialize};

use crate::heap::Block;

/// No row: the end of a chain or an empty one.
pub(crate) const NONE: u32 = u32::MAX;

pub(crate) type Clocks = Table<ClockRow, 64>;
pub(crate) type Days = Table<DayRow, 128>;
pub(crate) type Ledgers = Table<LedgerRow, 64>;
pub(crate) type Customers = Table<CustomerRow, 60>;
pub(crate) type Balances = Table<BalanceRow, 48>;
pub(crate) type Invoices = Table<InvoiceRow, 38>;
pub(crate) type Payments = Table<PaymentRow, 46>;
pub(crate) type CreditNotes = Table<CreditNoteRow, 56>;
pub(crate) type Allocations = Table<AllocationRow, 160>;
pub(crate) type History = Table<Change, 112>;

/// A clock. Texts: id, zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClockRow {
    pub(crate) texts: Block,
    pub(crate) test: bool,
    pub(crate) today: Day,
    pub(crate) finished: Day,
    pub(crate) target: Day,
}

/// A clock came to a day; tells what *today* was at any position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DayRow {
    pub(crate) position: u64,
    pub(crate) clock: u32,
    pub(crate) day: Day,
}

/// A ledger. Texts: id, name, invoice pattern, credit-note pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LedgerRow {
    pub(crate) texts: Block,
    pub(crate) currency: Currency,
    pub(crate) clock: u32,
    pub(crate) terms: Terms,
    pub(crate) created: u64,
}

/// A customer. Texts: id. Details: pairs of kind and sealed bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CustomerRow {
    pub(crate) texts: Block,
    pub(crate) details: Block,
    pub(crate) currency: Option<Currency>,
    pub(crate) terms: Option<Terms>,
    /// The first of its balances.
    pub(crate) balance: u32,
    pub(crate) created: u64,
    pub(crate) version: u64,
    /// Its changes, the oldest and the newest.
    pub(crate) first: u32,
    pub(crate) last: u32,
}

/// A customer's balance in one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BalanceRow {
    pub(crate) balance: Balance,
    /// The customer's next one.
    pub(crate) next: u32,
}

/// Flags of an invoice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InvoiceFlags(u8);

impl InvoiceFlags {
    /// Its issue date has come, so it counts.
    pub(crate) const COUNTS: u8 = 1;
    pub(crate) const CANCELLED: u8 = 2;
    pub(crate) const DISPUTED: u8 = 4;
    /// It was overdue at some time.
    pub(crate) const EVER_OVERDUE: u8 = 8;

    pub(crate) const fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }

    pub(crate) const fn set(&mut self, flag: u8, on: bool) {
        if on {
            self.0 |= flag;
        } else {
            self.0 &= !flag;
        }
    }
}

/// An invoice. Texts: id, number, reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InvoiceRow {
    pub(crate) texts: Block,
    pub(crate) customer: u32,
    pub(crate) currency: Currency,
    pub(crate) total: i64,
    pub(crate) open: i64,
    pub(crate) credited: i64,
    pub(crate) credit_noted: i64,
    pub(crate) issue_date: Day,
    pub(crate) due: DueTerms,
    pub(crate) sent_on: Option<Day>,
    pub(crate) flags: InvoiceFlags,
    pub(crate) first: u32,
    pub(crate) last: u32,
}

/// A payment. Texts: id, reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PaymentRow {
    pub(crate) texts: Block,
    pub(crate) customer: u32,
    pub(crate) currency: Currency,
    pub(crate) amount: i64,
    pub(crate) unapplied: i64,
    pub(crate) reversed: i64,
    pub(crate) reversal: Option<ReversalKind>,
    pub(crate) method: Method,
    pub(crate) received_on: Day,
    /// The newest of its allocations.
    pub(crate) allocation: u32,
    pub(crate) first: u32,
    pub(crate) last: u32,
}

/// A credit note. Texts: id, number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CreditNoteRow {
    pub(crate) texts: Block,
    pub(crate) invoice: u32,
    pub(crate) customer: u32,
    pub(crate) currency: Currency,
    pub(crate) amount: i64,
    pub(crate) unapplied: i64,
    pub(crate) issue_date: Day,
    /// The newest of its allocations.
    pub(crate) allocation: u32,
    pub(crate) first: u32,
    pub(crate) last: u32,
}

/// What a payment or credit note put on an invoice at one time and has there still. An amount of 0
/// marks a free row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AllocationRow {
    pub(crate) invoice: u32,
    pub(crate) amount: i64,
    pub(crate) date: Day,
    /// The one before it of the same source.
    pub(crate) next: u32,
}

/// What a row of the history says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ChangeKind {
    CustomerCreated,
    CustomerUpdated,
    /// Amount: the total. Other: the customer.
    InvoiceIssued,
    InvoiceSent,
    InvoiceDisputed,
    DisputeResolved,
    /// Amount: what was open; also of the next.
    InvoiceDue,
    InvoiceOverdue,
    InvoicePaid,
    /// Amount: what is open.
    InvoiceReopened,
    InvoiceCancelled,
    /// Other: the customer.
    PaymentRecorded,
    /// Other: the code of the [`ReversalKind`].
    PaymentReversed,
    /// Other: the invoice.
    CreditNoteIssued,
    /// Item: the invoice; also of the next three. Other: the payment.
    PaymentAllocated,
    PaymentDeallocated,
    /// Other: the credit note.
    CreditAllocated,
    CreditDeallocated,
}

/// A thing that has a history of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Customer(u32),
    Invoice(u32),
    Payment(u32),
    CreditNote(u32),
}

/// A row of the history: one event of a ledger, with the one or two items that it changed. Rows are
/// in log order and never updated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Change {
    pub(crate) position: u64,
    /// Minor units.
    pub(crate) amount: i64,
    pub(crate) item: u32,
    pub(crate) other: u32,
    /// The day from which it counts.
    pub(crate) date: Day,
    pub(crate) kind: ChangeKind,
}

impl Change {
    /// What it is about.
    pub(crate) const fn item(&self) -> Item {
        match self.kind {
            ChangeKind::CustomerCreated | ChangeKind::CustomerUpdated => Item::Customer(self.item),
            ChangeKind::PaymentRecorded | ChangeKind::PaymentReversed => Item::Payment(self.item),
            ChangeKind::CreditNoteIssued => Item::CreditNote(self.item),
            _ => Item::Invoice(self.item),
        }
    }

    /// What else it is about.
    pub(crate) const fn other(&self) -> Option<Item> {
        match self.kind {
            ChangeKind::InvoiceIssued | ChangeKind::PaymentRecorded => {
                Some(Item::Customer(self.other))
            }
            ChangeKind::CreditNoteIssued => Some(Item::Invoice(self.other)),
            ChangeKind::PaymentAllocated | ChangeKind::PaymentDeallocated => {
                Some(Item::Payment(self.other))
            }
            ChangeKind::CreditAllocated | ChangeKind::CreditDeallocated => {
                Some(Item::CreditNote(self.other))
            }
            _ => None,
        }
    }
}

/// The code of a kind of reversal in [`Change::other`].
pub(crate) const fn reversal_code(kind: ReversalKind) -> u32 {
    match kind {
        ReversalKind::EntryError => 0,
        ReversalKind::Duplicate => 1,
        ReversalKind::Bounced => 2,
        ReversalKind::Chargeback => 3,
    }
}

/// The kind of reversal with this code.
pub(crate) const fn reversal_kind(code: u32) -> ReversalKind {
    match code {
        1 => ReversalKind::Duplicate,
        2 => ReversalKind::Bounced,
        3 => ReversalKind::Chargeback,
        _ => ReversalKind::EntryError,
    }
}
