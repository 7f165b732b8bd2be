//! Events of the follow-up of invoices: disputes, planned payments, reminders.

use std::sync::Arc;

use crate::dunning::{Channel, Step};
use crate::number::{InvoiceNo, LedgerNo};
use crate::position::Day;

facts! {
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
}
