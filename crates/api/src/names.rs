//! What the dense numbers of events stand for, from the read model.

use encours_domain::{ClockNo, CreditNoteNo, CustomerNo, Id, InvoiceNo, LedgerNo, PaymentNo};
use encours_projections::ReadModel;
use encours_proto::events::{InvoiceName, Names, SourceName};

/// The names that a read model knows.
#[derive(Debug)]
pub(crate) struct ModelNames<'a>(pub(crate) &'a ReadModel);

impl Names for ModelNames<'_> {
    fn clock(&self, clock: ClockNo) -> Option<Id> {
        self.0.clock_id(clock)
    }

    fn ledger(&self, ledger: LedgerNo) -> Option<Id> {
        self.0.ledger_id(ledger)
    }

    fn customer(&self, ledger: LedgerNo, customer: CustomerNo) -> Option<Id> {
        self.0.customer_id(ledger, customer)
    }

    fn invoice(&self, ledger: LedgerNo, invoice: InvoiceNo) -> Option<InvoiceName> {
        let id = self.0.invoice_id(ledger, invoice)?;
        let invoice = self.0.invoice(ledger, id.as_str()).value?;
        Some(InvoiceName {
            id,
            number: invoice.number,
            customer_id: invoice.customer_id,
            currency: invoice.currency,
            total: invoice.total,
            due: invoice.due,
        })
    }

    fn payment(&self, ledger: LedgerNo, payment: PaymentNo) -> Option<SourceName> {
        let id = self.0.payment_id(ledger, payment)?;
        let payment = self.0.payment(ledger, id.as_str()).value?;
        Some(SourceName { id, customer_id: payment.customer_id, currency: payment.currency })
    }

    fn credit_note(&self, ledger: LedgerNo, credit_note: CreditNoteNo) -> Option<SourceName> {
        let id = self.0.credit_note_id(ledger, credit_note)?;
        let note = self.0.credit_note(ledger, id.as_str()).value?;
        Some(SourceName { id, customer_id: note.customer_id, currency: note.currency })
    }
}
