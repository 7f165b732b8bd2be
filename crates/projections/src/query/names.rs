//! From dense numbers to ids: what translating an event needs.

use encours_domain::Id;
use encours_domain::number::{ClockNo, CreditNoteNo, CustomerNo, InvoiceNo, LedgerNo, PaymentNo};

use crate::read_model::ReadModel;

/// Each method gives `None` where the read model does not know the number (yet).
impl ReadModel {
    /// The id of a clock.
    #[must_use]
    pub fn clock_id(&self, clock: ClockNo) -> Option<Id> {
        self.clock(clock).value.map(|clock| clock.id)
    }

    /// The id of a ledger.
    #[must_use]
    pub fn ledger_id(&self, ledger: LedgerNo) -> Option<Id> {
        self.view(|model| model.ledger_id(ledger.0)).value
    }

    /// The id of a customer.
    #[must_use]
    pub fn customer_id(&self, ledger: LedgerNo, customer: CustomerNo) -> Option<Id> {
        self.view_ledger(ledger, |_, found| found.customer_id(customer.0)).value
    }

    /// The id of an invoice.
    #[must_use]
    pub fn invoice_id(&self, ledger: LedgerNo, invoice: InvoiceNo) -> Option<Id> {
        self.view_ledger(ledger, |_, found| found.invoice_id(invoice.0)).value
    }

    /// The id of a payment.
    #[must_use]
    pub fn payment_id(&self, ledger: LedgerNo, payment: PaymentNo) -> Option<Id> {
        self.view_ledger(ledger, |_, found| {
            found.tables.id(found.tables.payments.get(payment.0)?.texts)
        })
        .value
    }

    /// The id of a credit note.
    #[must_use]
    pub fn credit_note_id(&self, ledger: LedgerNo, credit_note: CreditNoteNo) -> Option<Id> {
        self.view_ledger(ledger, |_, found| {
            found.tables.id(found.tables.credit_notes.get(credit_note.0)?.texts)
        })
        .value
    }
}
