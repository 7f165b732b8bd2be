//! Words of the protocol that flags take, each with the value that is sent for it.

use clap::ValueEnum;
use encours_proto::v1;

macro_rules! choices {
    ($($(#[$doc:meta])* $name:ident for $target:ident {
        $($(#[$what:meta])* $variant:ident,)*
    })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
        pub(crate) enum $name {
            $($(#[$what])* $variant,)*
        }

        impl From<$name> for v1::$target {
            fn from(choice: $name) -> Self {
                match choice {
                    $($name::$variant => Self::$variant,)*
                }
            }
        }
    )*};
}

choices! {
    /// The headline status of an invoice.
    InvoiceStatus for InvoiceStatus {
        Draft,
        Cancelled,
        Paid,
        Overdue,
        PartiallyPaid,
        PaymentPlanned,
        NotDue,
    }

    /// The life of the document.
    Document for DocumentState {
        Draft,
        Issued,
        Cancelled,
    }

    /// The open amount against the total.
    Settlement for SettlementState {
        Unpaid,
        PartiallyPaid,
        Paid,
    }

    /// Today against the due date.
    Timing for TimingState {
        NotDue,
        Due,
        Overdue,
    }

    /// How far the follow-up went.
    Dunning for DunningState {
        /// No reminder after the due date went out, or nothing is open
        None,
        /// Reminders of some level went out
        Level,
        /// A dispute pauses the plan
        OnHold,
        /// Reminders were stopped for good
        Stopped,
        /// Every step went out
        Exhausted,
    }

    /// What stands among the invoices.
    Kind for InvoiceKind {
        /// An invoice, or a draft of one
        Invoice,
        /// An opening item that the customer owes
        OpeningOwed,
        /// An opening item that is owing to the customer
        OpeningOwing,
    }

    /// The status of a customer.
    CustomerStatus for CustomerStatus {
        Overdue,
        AwaitingPayment,
        InCredit,
        UpToDate,
    }

    /// How money came or went.
    Method for PaymentMethod {
        Transfer,
        Card,
        DirectDebit,
        Cheque,
        Cash,
        Other,
    }

    /// Why a payment is taken back.
    Reversal for ReversalKind {
        /// It was typed in wrongly
        EntryError,
        /// It was recorded twice
        Duplicate,
        /// The cheque or direct debit bounced
        Bounced,
        /// The card holder took it back
        Chargeback,
    }

    /// What unapplied money an allocation may use.
    Sources for AllocationSources {
        CreditNotes,
        Payments,
    }

    /// How a reminder goes out.
    Reminding for ReminderChannel {
        Email,
        Letter,
        Sms,
        Phone,
    }

    /// What happens to an invoice that passes a credit limit.
    Policy for CreditPolicy {
        /// It is issued; the limit is only shown
        Allow,
        /// It is issued, and an event says that it passed the limit
        Warn,
        /// It is refused, unless that is overridden
        Refuse,
    }

    /// Who owes whom in an opening item.
    Direction for OpeningItemDirection {
        /// The customer owes it
        Owed,
        /// It is owing to the customer
        Owing,
    }
}

/// The one or the other side of a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Side {
    Yes,
    No,
}

impl Side {
    /// Whether it is the first.
    pub(super) fn is_yes(self) -> bool {
        self == Self::Yes
    }
}
