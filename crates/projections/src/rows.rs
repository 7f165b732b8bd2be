//! The rows of the read model: compact, fixed in size, texts behind a [`Block`].
//!
//! Rows per page are chosen so that a page in postcard has at most [`PAGE_MAX`](crate::checkpoint)
//! bytes whatever the rows hold; a test measures the worst case of each.

use encours_domain::balance::Balance;
use encours_domain::calendar::Calendar;
use encours_domain::dunning::{self, Channel, Emitted, Planned, Policy, Step};
use encours_domain::event::{CreditPolicy, Method, ReversalKind};
use encours_domain::state::{ManualReminder, PlannedPayment};
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
pub(crate) type Customers = Table<CustomerRow, 50>;
pub(crate) type Balances = Table<BalanceRow, 46>;
pub(crate) type Limits = Table<LimitRow, 160>;
pub(crate) type Invoices = Table<InvoiceRow, 24>;
pub(crate) type Corrections = Table<CorrectionRow, 150>;
pub(crate) type Reminders = Table<ReminderRow, 400>;
pub(crate) type Payments = Table<PaymentRow, 44>;
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
    pub(crate) plans: Plans,
    pub(crate) created: u64,
}

/// What the reminder plans of a ledger are made of, besides each invoice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plans {
    pub(crate) policy: Policy,
    pub(crate) calendar: Calendar,
}

impl Plans {
    /// The steps to come of an invoice, as if its plan were never paused.
    pub(crate) fn to_come(self, row: &InvoiceRow) -> impl Iterator<Item = Planned> + use<> {
        let Self { policy, calendar } = self;
        let facts = row.due.map(|due| dunning::Facts {
            sent_on: row.sent_on,
            due,
            opening: row.flags.has(InvoiceFlags::OPENING),
            last: row.last_step,
        });
        facts.into_iter().flat_map(move |facts| dunning::to_come(policy, calendar, &facts))
    }

    /// Whether some step of an invoice's plan went out and none is to come.
    pub(crate) fn is_exhausted(self, row: &InvoiceRow) -> bool {
        row.last_step.is_some() && self.to_come(row).next().is_none()
    }

    /// The next step of an invoice whose plan runs.
    pub(crate) fn next(self, row: &InvoiceRow) -> Option<Planned> {
        if row.is_reminded() { self.to_come(row).next() } else { None }
    }
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
    /// The first of its credit limits.
    pub(crate) limit: u32,
    /// The last reminder of all it owes that a person recorded.
    pub(crate) reminder: Option<ManualReminder>,
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

/// How far a customer may go into debt in a currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LimitRow {
    pub(crate) currency: Currency,
    /// `None`: lifted.
    pub(crate) limit: Option<i64>,
    pub(crate) policy: CreditPolicy,
    /// The customer's next one.
    pub(crate) next: u32,
}

/// Flags of an invoice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InvoiceFlags(u16);

impl InvoiceFlags {
    /// Its issue date has come, so it counts.
    pub(crate) const COUNTS: u16 = 1;
    /// Never stored, since figures and a flag could contradict each other: see
    /// [`InvoiceRow::is_cancelled`]. The digest shows it here.
    pub(crate) const CANCELLED: u16 = 2;
    pub(crate) const DISPUTED: u16 = 4;
    /// It was overdue at some time.
    pub(crate) const EVER_OVERDUE: u16 = 8;
    /// It is not issued.
    pub(crate) const DRAFT: u16 = 16;
    /// A draft that was given up.
    pub(crate) const DELETED: u16 = 32;
    pub(crate) const OPENING: u16 = 64;
    /// An opening item owing to the customer: money to be used, no claim.
    pub(crate) const OWING: u16 = 128;
    /// It is not reminded of any more.
    pub(crate) const STOPPED: u16 = 256;
    /// A dispute holds its reminders: from when it is known to the day on which it ends.
    pub(crate) const HELD: u16 = 512;

    /// Whether it has one of these.
    pub(crate) const fn has(self, flags: u16) -> bool {
        self.0 & flags != 0
    }

    pub(crate) const fn set(&mut self, flag: u16, on: bool) {
        if on {
            self.0 |= flag;
        } else {
            self.0 &= !flag;
        }
    }
}

/// An invoice, a draft or an opening item. Texts: id, number, reference, folded words of what it
/// carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InvoiceRow {
    pub(crate) texts: Block,
    pub(crate) customer: u32,
    pub(crate) currency: Currency,
    pub(crate) total: i64,
    /// What is open; of an opening item owing what is not used; of a draft 0.
    pub(crate) left: i64,
    pub(crate) credited: i64,
    pub(crate) credit_noted: i64,
    /// What is allocated to it but for credit notes against it: payments, other credit.
    pub(crate) by_others: i64,
    pub(crate) paid_before: i64,
    pub(crate) over_limit: i64,
    /// `None` only of a draft.
    pub(crate) issue_date: Option<Day>,
    /// `None` only of a draft.
    pub(crate) due: Option<DueTerms>,
    pub(crate) sent_on: Option<Day>,
    pub(crate) flags: InvoiceFlags,
    pub(crate) planned: Option<PlannedPayment>,
    pub(crate) last_step: Option<Emitted>,
    /// The highest level of the reminders that went out or were recorded.
    pub(crate) level: u8,
    /// The position of the event that says what it carries.
    pub(crate) content: u64,
    /// Of an opening item owing: the newest of its allocations.
    pub(crate) allocation: u32,
    pub(crate) first: u32,
    pub(crate) last: u32,
}

impl InvoiceRow {
    /// What is open.
    pub(crate) const fn open(&self) -> i64 {
        if self.flags.has(InvoiceFlags::OWING) { 0 } else { self.left }
    }

    /// Whether it is cancelled by its figures, as they count today: credit notes against it reach
    /// its total, nothing is open, and nothing else is allocated. A total of 0 is paid instead.
    ///
    /// WHY not by `InvoiceCancelled` and `InvoiceReopened`: they tell what all facts come to, those
    /// of days to come among them, and of several days only one.
    pub(crate) const fn is_cancelled(&self) -> bool {
        self.total > 0 && self.credit_noted == self.total && self.left == 0 && self.by_others == 0
    }

    /// When the claim is due; `None` where there is none: of a draft, of an opening item owing.
    pub(crate) fn claim_due(&self) -> Option<DueTerms> {
        self.due.filter(|_| !self.flags.has(InvoiceFlags::DRAFT | InvoiceFlags::OWING))
    }

    /// Whether it is overdue on a day where something is open.
    pub(crate) fn is_late(&self, day: Day) -> bool {
        self.claim_due().is_some_and(|due| due.overdue_from() <= day)
    }

    /// Whether its reminder plan runs.
    pub(crate) const fn is_reminded(&self) -> bool {
        self.open() > 0 && !self.flags.has(InvoiceFlags::STOPPED | InvoiceFlags::HELD)
    }
}

/// An opening item was corrected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CorrectionRow {
    pub(crate) invoice: u32,
    pub(crate) position: u64,
    pub(crate) date: Day,
    /// When it was due before.
    pub(crate) before: DueTerms,
}

/// A reminder of an invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReminderRow {
    /// The step of the plan; `None`: a person recorded it.
    pub(crate) step: Option<Step>,
    pub(crate) level: u8,
    pub(crate) channel: Channel,
    pub(crate) planned: Day,
}

/// A payment. Texts: id, reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PaymentRow {
    pub(crate) texts: Block,
    pub(crate) customer: u32,
    pub(crate) currency: Currency,
    pub(crate) amount: i64,
    pub(crate) unapplied: i64,
    pub(crate) refunded: i64,
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
    /// Item: the customer; also of the next three.
    CustomerCreated,
    CustomerUpdated,
    LimitSet,
    CustomerReminded,
    /// Other: the customer. Amount: the total.
    InvoiceIssued,
    /// Other: the customer. Amount: what it claims, or has to be used.
    OpeningAdded,
    /// Amount: how much more it claims, or has to be used. Other: the row of the corrections.
    OpeningCorrected,
    DraftCreated,
    DraftUpdated,
    DraftDeleted,
    /// Amount: what is above the limit.
    LimitExceeded,
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
    /// Amount: what will be paid. Other: the number of the day.
    PaymentPlanned,
    PlanCancelled,
    PlanCleared,
    PlanLapsed,
    /// Amount: what was open. Other: the row of the reminders; also of the next.
    ReminderEmitted,
    ReminderRecorded,
    RemindersStopped,
    /// Other: the customer.
    PaymentRecorded,
    /// Other: the code of the [`ReversalKind`].
    PaymentReversed,
    PaymentRefunded,
    /// Other: the invoice.
    CreditNoteIssued,
    /// Item: the invoice; also of the next five. Other: the payment.
    PaymentAllocated,
    PaymentDeallocated,
    /// Other: the credit note.
    CreditAllocated,
    CreditDeallocated,
    /// Other: the opening item that is used.
    OpeningAllocated,
    OpeningDeallocated,
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
            ChangeKind::CustomerCreated
            | ChangeKind::CustomerUpdated
            | ChangeKind::LimitSet
            | ChangeKind::CustomerReminded => Item::Customer(self.item),
            ChangeKind::PaymentRecorded
            | ChangeKind::PaymentReversed
            | ChangeKind::PaymentRefunded => Item::Payment(self.item),
            ChangeKind::CreditNoteIssued => Item::CreditNote(self.item),
            _ => Item::Invoice(self.item),
        }
    }

    /// What else it is about.
    pub(crate) const fn other(&self) -> Option<Item> {
        match self.kind {
            ChangeKind::InvoiceIssued | ChangeKind::OpeningAdded | ChangeKind::PaymentRecorded => {
                Some(Item::Customer(self.other))
            }
            ChangeKind::CreditNoteIssued
            | ChangeKind::OpeningAllocated
            | ChangeKind::OpeningDeallocated => Some(Item::Invoice(self.other)),
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
