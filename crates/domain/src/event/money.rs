//! Events of payments, credit notes and allocations.

use std::sync::Arc;

use super::values::{Method, ReversalKind};
use crate::currency::Currency;
use crate::id::Id;
use crate::number::{CreditNoteNo, CustomerNo, InvoiceNo, LedgerNo, PaymentNo, Source};
use crate::position::Day;

facts! {
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
