//! Events: the facts a decision yields, in the past tense, naming entities by dense number.
//!
//! These shapes belong to this build and may change; what lies in a log is frozen in
//! `encours-schema`. Amounts are minor units of the currency of the document; every `date` is the
//! business date from which the fact counts in reads.

use crate::number::{LedgerNo, Subject};

/// The structs of events, one after the other.
macro_rules! facts {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq, Eq)]
            pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }
        )*
    };
}

mod clock;
mod customer;
mod follow_up;
mod invoice;
mod money;
mod values;

pub use clock::*;
pub use customer::*;
pub use follow_up::*;
pub use invoice::*;
pub use money::*;
pub use values::{
    CreditPolicy, Direction, Draft, InvoiceContent, Line, Method, Rate, ReversalKind, Tax,
};

macro_rules! events {
    (of the log { $($of_log:ident,)* } of a ledger { $($of_ledger:ident,)* }) => {
        /// Every event.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each variant holds the struct of its name")]
        pub enum Event { $($of_log($of_log),)* $($of_ledger($of_ledger),)* }

        $(impl From<$of_log> for Event {
            fn from(event: $of_log) -> Self { Self::$of_log(event) }
        })*
        $(impl From<$of_ledger> for Event {
            fn from(event: $of_ledger) -> Self { Self::$of_ledger(event) }
        })*

        impl Event {
            /// The name of the event, such as `InvoiceIssued`.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$of_log(_) => stringify!($of_log),)*
                    $(Self::$of_ledger(_) => stringify!($of_ledger),)*
                }
            }

            /// The ledger the event belongs to; `None` for events of the log and of clocks.
            #[must_use]
            pub const fn ledger(&self) -> Option<LedgerNo> {
                match self {
                    $(Self::$of_log(_) => None,)*
                    $(Self::$of_ledger(event) => Some(event.ledger),)*
                }
            }
        }
    };
}

events! {
    of the log {
        LogCreated, WriterOpened, LogForked, ClockCreated, ClockAdvanced, DayOpened, DayFinished,
    }

    of a ledger {
        LedgerCreated, CustomerCreated, CustomerUpdated, CreditLimitSet, CustomerReminderRecorded,
        DraftCreated, DraftUpdated, DraftDeleted, InvoiceIssued, CreditLimitExceeded,
        OpeningItemAdded, OpeningItemCorrected, PaymentPlanned, PlannedPaymentCancelled,
        PlannedPaymentCleared, PlannedPaymentLapsed, ReminderEmitted, ReminderRecorded,
        RemindersStopped, InvoiceSent, InvoiceDisputed, DisputeResolved, InvoiceDue, InvoiceOverdue,
        InvoicePaid, InvoiceReopened, InvoiceCancelled, PaymentRecorded, PaymentReversed,
        PaymentRefunded, CreditNoteIssued, Allocated, Deallocated,
    }
}

impl Event {
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
