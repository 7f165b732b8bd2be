//! Events of drafts, invoices and opening items.

use std::sync::Arc;

use super::values::{Direction, Draft, InvoiceContent};
use crate::currency::Currency;
use crate::id::Id;
use crate::number::{CustomerNo, InvoiceNo, LedgerNo};
use crate::position::Day;
use crate::terms::DueTerms;

facts! {
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

    /// An invoice was sent to its customer. The first such date is its *sent* date.
    InvoiceSent {
        /// The ledger.
        ledger: LedgerNo,
        /// The invoice.
        invoice: InvoiceNo,
        /// The day it was sent.
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
}
