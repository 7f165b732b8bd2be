//! Events: the facts a decision yields, in the past tense, naming entities by dense number.
//!
//! These shapes belong to this build and may change; what lies in a log is frozen in
//! `encours-schema`. Amounts are minor units of the currency of the document; every `date` is the
//! business date from which the fact counts in reads.

use std::sync::Arc;

use crate::calendar::Calendar;
use crate::currency::Currency;
use crate::details::{DetailKind, Secret};
use crate::dunning::{Channel, Policy, Step};
use crate::id::Id;
use crate::number::{
    ClockNo, CreditNoteNo, CustomerNo, InvoiceNo, LedgerNo, PaymentNo, Source, Subject,
};
use crate::position::Day;
use crate::terms::{DueTerms, Terms};

mod values;

pub use values::{
    CreditPolicy, Direction, Draft, InvoiceContent, Line, Method, Rate, ReversalKind, Tax,
};

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq, Eq)]
            pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }
        )*

        /// Every event.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each variant holds the struct of its name")]
        pub enum Event { $($name($name),)* }

        $(impl From<$name> for Event {
            fn from(event: $name) -> Self { Self::$name(event) }
        })*

        impl Event {
            /// The name of the event, such as `InvoiceIssued`.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => stringify!($name),)* }
            }
        }
    };
}

events! {
    /// The first event of every log.
    LogCreated {
        /// The id of the log, as in every frame.
        log_id: [u8; 16],
    }

    /// A writer took over; from here on frames carry its epoch.
    WriterOpened {
        /// One more than the epoch before.
        epoch: u64,
    }

    /// A clock exists. Its first day is open and finished.
    ClockCreated {
        /// Its number.
        clock: ClockNo,
        /// The id of a test clock; `system:<zone>` for the system's.
        id: Id,
        /// Whether commands move it; else the system's time does.
        test: bool,
        /// IANA time zone that the days are counted in.
        zone: Arc<str>,
        /// The first day.
        day: Day,
    }

    /// A test clock was told to move; its days open one after the other up to `target`.
    ClockAdvanced {
        /// The clock.
        clock: ClockNo,
        /// The day to reach.
        target: Day,
        /// Whether the days before `target` open late, as after downtime.
        outage: bool,
    }

    /// A day began: from here on it is the *today* of the clock's ledgers.
    DayOpened {
        /// The clock.
        clock: ClockNo,
        /// The day, one after the last one opened.
        day: Day,
        /// Whether it was opened on that day (always so for a test clock), not after downtime.
        on_time: bool,
    }

    /// All that falls due on the day has been emitted.
    DayFinished {
        /// The clock.
        clock: ClockNo,
        /// The day, one after the last one finished.
        day: Day,
    }

    /// A ledger exists.
    LedgerCreated {
        /// Its number.
        ledger: LedgerNo,
        /// Its id.
        id: Id,
        /// Name of the selling entity; may be empty.
        name: Arc<str>,
        /// Currency of documents that name none.
        currency: Currency,
        /// The clock that its today comes from.
        clock: ClockNo,
        /// Terms of customers that have none.
        terms: Terms,
        /// Pattern of the numbers allotted to invoices, such as `FA-{year}-{seq:5}`.
        invoice_pattern: Arc<str>,
        /// Pattern of the numbers allotted to credit notes.
        credit_note_pattern: Arc<str>,
        /// Which days are business days.
        calendar: Calendar,
        /// The plan of its reminders.
        reminders: Policy,
    }

    /// A customer exists.
    CustomerCreated {
        /// The ledger.
        ledger: LedgerNo,
        /// Its number.
        customer: CustomerNo,
        /// Its id.
        id: Id,
        /// Currency of documents that name none; the ledger's where missing.
        currency: Option<Currency>,
        /// Terms of invoices that name none; the ledger's where missing.
        terms: Option<Terms>,
        /// Name, contacts and free text, each sealed by itself.
        details: Vec<(DetailKind, Secret)>,
    }

    /// Some of a customer's data changed.
    CustomerUpdated {
        /// The ledger.
        ledger: LedgerNo,
        /// The customer.
        customer: CustomerNo,
        /// New default currency; unchanged where missing.
        currency: Option<Currency>,
        /// New default terms; unchanged where missing.
        terms: Option<Terms>,
        /// The details that changed; the others stay.
        details: Vec<(DetailKind, Secret)>,
    }

    /// How far a customer may go into debt in a currency.
    CreditLimitSet {
        /// The ledger.
        ledger: LedgerNo,
        /// The customer.
        customer: CustomerNo,
        /// The currency of the limit.
        currency: Currency,
        /// The limit, 0 or more; `None` lifts it.
        limit: Option<i64>,
        /// What happens to an invoice that passes it.
        policy: CreditPolicy,
    }

    /// A person reminded a customer, of all it owes.
    CustomerReminderRecorded {
        /// The ledger.
        ledger: LedgerNo,
        /// The customer.
        customer: CustomerNo,
        /// How severe it was: 1 to 9.
        level: u8,
        /// How it went out.
        channel: Channel,
        /// The day.
        date: Day,
        /// What was said; may be empty.
        text: Arc<str>,
    }

    /// A draft of an invoice exists; it counts in no balance.
    DraftCreated {
        /// The ledger.
        ledger: LedgerNo,
        /// The number that the invoice will have in the ledger.
        invoice: InvoiceNo,
        /// Its id, and the invoice's.
        id: Id,
        /// What it says.
        draft: Arc<Draft>,
    }

    /// A draft says something else from here on.
    DraftUpdated {
        /// The ledger.
        ledger: LedgerNo,
        /// The draft.
        invoice: InvoiceNo,
        /// All that it says now.
        draft: Arc<Draft>,
    }

    /// A draft was given up; its id stays used.
    DraftDeleted {
        /// The ledger.
        ledger: LedgerNo,
        /// The draft.
        invoice: InvoiceNo,
    }

    /// An invoice exists: number, customer, dates and amounts are fixed for good. Where it was a
    /// draft, that is issued by this.
    InvoiceIssued {
        /// The ledger.
        ledger: LedgerNo,
        /// Its number in the ledger.
        invoice: InvoiceNo,
        /// Its id.
        id: Id,
        /// The customer that owes it.
        customer: CustomerNo,
        /// The document's number, allotted or given.
        number: Arc<str>,
        /// Whether the ledger's series allotted the number.
        allotted: bool,
        /// The currency of all amounts.
        currency: Currency,
        /// What is claimed, tax included; 0 or more.
        total: i64,
        /// The issue date.
        issue_date: Day,
        /// The due date and the days of grace after it.
        due: DueTerms,
        /// ISO 11649 creditor reference.
        reference: Arc<str>,
        /// Lines, taxes, texts and metadata; not kept in memory.
        content: Arc<InvoiceContent>,
    }

    /// An invoice took its customer past its credit limit.
    CreditLimitExceeded {
        /// The ledger.
        ledger: LedgerNo,
        /// The invoice, issued just before.
        invoice: InvoiceNo,
        /// The customer.
        customer: CustomerNo,
        /// The limit.
        limit: i64,
        /// The net balance with the invoice; above `limit`.
        exposure: i64,
        /// Whether the policy would have refused it and the command overrode that.
        overridden: bool,
    }

    /// An item from before the ledger was brought in: owed by the customer, or owing to it.
    OpeningItemAdded {
        /// The ledger.
        ledger: LedgerNo,
        /// Its number among the invoices of the ledger.
        invoice: InvoiceNo,
        /// Its id.
        id: Id,
        /// The customer.
        customer: CustomerNo,
        /// The number of the old document, or the id.
        number: Arc<str>,
        /// Who owes whom.
        direction: Direction,
        /// The currency of the amounts.
        currency: Currency,
        /// The amount of the old document; above 0.
        amount: i64,
        /// What of it was settled before; 0 to `amount`.
        paid: i64,
        /// The day from which it counts.
        date: Day,
        /// When it is due; of one owing, `date` without grace.
        due: DueTerms,
        /// ISO 11649 creditor reference.
        reference: Arc<str>,
        /// The day the old document was sent, where it is known.
        sent_on: Option<Day>,
    }

    /// What is said of an opening item was corrected.
    OpeningItemCorrected {
        /// The ledger.
        ledger: LedgerNo,
        /// The item.
        invoice: InvoiceNo,
        /// The amount from here on; 0 or more.
        amount: i64,
        /// What of it was settled before; 0 to `amount`.
        paid: i64,
        /// When it is due.
        due: DueTerms,
        /// The day from which the correction counts.
        date: Day,
        /// What is open (owed) or unapplied (owing) after it, all facts counted.
        left_after: i64,
        /// Whether it had been said to be overdue and, by its new due date, is not any more.
        not_overdue: bool,
    }

    /// A customer said when it will pay.
    PaymentPlanned {
        /// The ledger.
        ledger: LedgerNo,
        /// The invoice.
        invoice: InvoiceNo,
        /// What it will pay; above 0.
        amount: i64,
        /// The day on which it will.
        planned_for: Day,
        /// The day on which it was said.
        date: Day,
    }

    /// A planned payment was taken back.
    PlannedPaymentCancelled {
        /// The ledger.
        ledger: LedgerNo,
        /// The invoice.
        invoice: InvoiceNo,
        /// The day.
        date: Day,
    }

    /// A planned payment came.
    PlannedPaymentCleared {
        /// The ledger.
        ledger: LedgerNo,
        /// The invoice.
        invoice: InvoiceNo,
        /// The day.
        date: Day,
    }

    /// The day of a planned payment passed without it.
    PlannedPaymentLapsed {
        /// The ledger.
        ledger: LedgerNo,
        /// The invoice.
        invoice: InvoiceNo,
        /// The day after the one it was planned for, or the day on which that was found out.
        date: Day,
    }

    /// A step of an invoice's reminder plan went out.
    ReminderEmitted {
        /// The ledger.
        ledger: LedgerNo,
        /// The invoice.
        invoice: InvoiceNo,
        /// Which step.
        step: Step,
        /// How severe: 0 for steps up to the due date, then 1, 2 …
        level: u8,
        /// How it is to go out.
        channel: Channel,
        /// The name of the text to send.
        template: Arc<str>,
        /// The day the plan had for it.
        planned: Day,
        /// The day it went out; not before `planned`.
        date: Day,
        /// What was open that day.
        open: i64,
    }

    /// A person reminded a customer of an invoice.
    ReminderRecorded {
        /// The ledger.
        ledger: LedgerNo,
        /// The invoice.
        invoice: InvoiceNo,
        /// How severe it was: 1 to 9.
        level: u8,
        /// How it went out.
        channel: Channel,
        /// The day.
        date: Day,
        /// What was said; may be empty.
        text: Arc<str>,
    }

    /// An invoice is not reminded of any more, for good.
    RemindersStopped {
        /// The ledger.
        ledger: LedgerNo,
        /// The invoice.
        invoice: InvoiceNo,
        /// The day.
        date: Day,
        /// Why; may be empty.
        reason: Arc<str>,
    }

    /// An invoice was sent to its customer. The first such date is its *sent* date.
    InvoiceSent {
        /// The ledger.
        ledger: LedgerNo,
        /// The invoice.
        invoice: InvoiceNo,
        /// The day it was sent.
        date: Day,
    }

    /// A customer contests an invoice; its reminders pause.
    InvoiceDisputed {
        /// The ledger.
        ledger: LedgerNo,
        /// The invoice.
        invoice: InvoiceNo,
        /// The day of the dispute.
        date: Day,
        /// Why; may be empty.
        reason: Arc<str>,
    }

    /// A dispute ended.
    DisputeResolved {
        /// The ledger.
        ledger: LedgerNo,
        /// The invoice.
        invoice: InvoiceNo,
        /// The day it ended.
        date: Day,
    }

    /// The due date of an open invoice has come.
    InvoiceDue {
        /// The ledger.
        ledger: LedgerNo,
        /// The invoice.
        invoice: InvoiceNo,
        /// The day.
        date: Day,
        /// What was open then.
        open: i64,
    }

    /// An open invoice is past its due date and its grace.
    InvoiceOverdue {
        /// The ledger.
        ledger: LedgerNo,
        /// The invoice.
        invoice: InvoiceNo,
        /// The first day overdue; where found out later (issued late, or reopened), that day.
        date: Day,
        /// What was open then.
        open: i64,
    }

    /// Nothing is open on an invoice any more, whatever settled it.
    InvoicePaid {
        /// The ledger.
        ledger: LedgerNo,
        /// The invoice.
        invoice: InvoiceNo,
        /// The day on which the last open cent was settled.
        date: Day,
    }

    /// A paid or cancelled invoice has something open again.
    InvoiceReopened {
        /// The ledger.
        ledger: LedgerNo,
        /// The invoice.
        invoice: InvoiceNo,
        /// The day.
        date: Day,
        /// What is open.
        open: i64,
    }

    /// Credit notes reach the total of an invoice and nothing else is allocated to it.
    InvoiceCancelled {
        /// The ledger.
        ledger: LedgerNo,
        /// The invoice.
        invoice: InvoiceNo,
        /// The day.
        date: Day,
    }

    /// Money was received.
    PaymentRecorded {
        /// The ledger.
        ledger: LedgerNo,
        /// Its number.
        payment: PaymentNo,
        /// Its id.
        id: Id,
        /// Who paid.
        customer: CustomerNo,
        /// The currency of the amount.
        currency: Currency,
        /// What was received; above 0.
        amount: i64,
        /// How it came.
        method: Method,
        /// The day it was received.
        received_on: Day,
        /// The payer's reference; may be empty.
        reference: Arc<str>,
    }

    /// What was left of a payment was taken back; its allocations were undone just before.
    PaymentReversed {
        /// The ledger.
        ledger: LedgerNo,
        /// The payment.
        payment: PaymentNo,
        /// Why it was taken back.
        kind: ReversalKind,
        /// What was taken back.
        amount: i64,
        /// The day.
        date: Day,
    }

    /// Unapplied money of a payment was paid back.
    PaymentRefunded {
        /// The ledger.
        ledger: LedgerNo,
        /// The payment.
        payment: PaymentNo,
        /// What was paid back; above 0.
        amount: i64,
        /// How.
        method: Method,
        /// The day.
        date: Day,
        /// The reference of the refund; may be empty.
        reference: Arc<str>,
        /// What is unapplied of the payment after it, all facts counted.
        unapplied_after: i64,
    }

    /// A numbered credit against one invoice exists.
    CreditNoteIssued {
        /// The ledger.
        ledger: LedgerNo,
        /// Its number in the ledger.
        credit_note: CreditNoteNo,
        /// Its id.
        id: Id,
        /// The invoice it corrects.
        invoice: InvoiceNo,
        /// The customer of that invoice.
        customer: CustomerNo,
        /// The document's number, allotted or given.
        number: Arc<str>,
        /// Whether the ledger's series allotted the number.
        allotted: bool,
        /// The currency of the amount.
        currency: Currency,
        /// What it credits; above 0.
        amount: i64,
        /// The issue date.
        issue_date: Day,
        /// Why; may be empty.
        reason: Arc<str>,
    }

    /// Part of a payment or a credit was put against an invoice.
    Allocated {
        /// The ledger.
        ledger: LedgerNo,
        /// Where the money comes from.
        source: Source,
        /// The invoice.
        invoice: InvoiceNo,
        /// How much; above 0.
        amount: i64,
        /// The latest of the allocation's own date, both documents' dates, and the day from which
        /// there is room for it beside what was allocated for a time.
        date: Day,
        /// What is open on the invoice after it, all facts counted.
        open_after: i64,
        /// What is unapplied of the source after it, all facts counted.
        unapplied_after: i64,
    }

    /// Part of a payment or a credit was taken off an invoice.
    Deallocated {
        /// The ledger.
        ledger: LedgerNo,
        /// Where the money goes back to.
        source: Source,
        /// The invoice.
        invoice: InvoiceNo,
        /// How much; above 0.
        amount: i64,
        /// The day; never before the allocations it undoes.
        date: Day,
        /// What is open on the invoice after it, all facts counted.
        open_after: i64,
        /// What is unapplied of the source after it, all facts counted.
        unapplied_after: i64,
    }
}

impl Event {
    /// The ledger the event belongs to; `None` for events of the log and of clocks.
    #[must_use]
    pub const fn ledger(&self) -> Option<LedgerNo> {
        match self {
            Self::LogCreated(_)
            | Self::WriterOpened(_)
            | Self::ClockCreated(_)
            | Self::ClockAdvanced(_)
            | Self::DayOpened(_)
            | Self::DayFinished(_) => None,
            Self::LedgerCreated(e) => Some(e.ledger),
            Self::CustomerCreated(e) => Some(e.ledger),
            Self::CustomerUpdated(e) => Some(e.ledger),
            Self::InvoiceIssued(e) => Some(e.ledger),
            Self::InvoiceSent(e) => Some(e.ledger),
            Self::InvoiceDisputed(e) => Some(e.ledger),
            Self::DisputeResolved(e) => Some(e.ledger),
            Self::InvoiceDue(e) => Some(e.ledger),
            Self::InvoiceOverdue(e) => Some(e.ledger),
            Self::InvoicePaid(e) => Some(e.ledger),
            Self::InvoiceReopened(e) => Some(e.ledger),
            Self::InvoiceCancelled(e) => Some(e.ledger),
            Self::PaymentRecorded(e) => Some(e.ledger),
            Self::PaymentReversed(e) => Some(e.ledger),
            Self::CreditNoteIssued(e) => Some(e.ledger),
            Self::Allocated(e) => Some(e.ledger),
            Self::Deallocated(e) => Some(e.ledger),
            Self::CreditLimitSet(e) => Some(e.ledger),
            Self::CustomerReminderRecorded(e) => Some(e.ledger),
            Self::DraftCreated(e) => Some(e.ledger),
            Self::DraftUpdated(e) => Some(e.ledger),
            Self::DraftDeleted(e) => Some(e.ledger),
            Self::CreditLimitExceeded(e) => Some(e.ledger),
            Self::OpeningItemAdded(e) => Some(e.ledger),
            Self::OpeningItemCorrected(e) => Some(e.ledger),
            Self::PaymentPlanned(e) => Some(e.ledger),
            Self::PlannedPaymentCancelled(e) => Some(e.ledger),
            Self::PlannedPaymentCleared(e) => Some(e.ledger),
            Self::PlannedPaymentLapsed(e) => Some(e.ledger),
            Self::ReminderEmitted(e) => Some(e.ledger),
            Self::ReminderRecorded(e) => Some(e.ledger),
            Self::RemindersStopped(e) => Some(e.ledger),
            Self::PaymentRefunded(e) => Some(e.ledger),
        }
    }

    /// What the event created, where it created something.
    #[must_use]
    pub const fn created(&self) -> Option<Subject> {
        match self {
            Self::ClockCreated(e) => Some(Subject::Clock(e.clock)),
            Self::LedgerCreated(e) => Some(Subject::Ledger(e.ledger)),
            Self::CustomerCreated(e) => Some(Subject::Customer(e.ledger, e.customer)),
            Self::DraftCreated(e) => Some(Subject::Invoice(e.ledger, e.invoice)),
            Self::InvoiceIssued(e) => Some(Subject::Invoice(e.ledger, e.invoice)),
            Self::OpeningItemAdded(e) => Some(Subject::Invoice(e.ledger, e.invoice)),
            Self::PaymentRecorded(e) => Some(Subject::Payment(e.ledger, e.payment)),
            Self::CreditNoteIssued(e) => Some(Subject::CreditNote(e.ledger, e.credit_note)),
            _ => None,
        }
    }
}
