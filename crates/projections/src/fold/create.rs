//! Payments and credit notes that come to be.

use encours_domain::Position;
use encours_domain::event::{CreditNoteIssued, PaymentRecorded};

use super::{known, next};
use crate::error::FoldError;
use crate::model::Ledger;
use crate::rows::{Change, ChangeKind, CreditNoteRow, NONE, PaymentRow};

impl Ledger {
    pub(super) fn record_payment(
        &mut self,
        position: Position,
        e: &PaymentRecorded,
    ) -> Result<(), FoldError> {
        let no = e.payment.0;
        next("payment", self.tables.payments.len(), no)?;
        known(self.tables.customers.get(e.customer.0), "customer", e.customer.0)?;
        let texts = [e.id.as_str(), &e.reference].map(str::as_bytes);
        let block = self.tables.heap.put(&texts).ok_or(FoldError::NoRoom)?;
        self.tables.payments.push(PaymentRow {
            texts: block,
            customer: e.customer.0,
            currency: e.currency,
            amount: e.amount,
            unapplied: e.amount,
            refunded: 0,
            reversed: 0,
            reversal: None,
            method: e.method,
            received_on: e.received_on,
            allocation: NONE,
            first: self.tables.history.len(),
            last: self.tables.history.len(),
        });
        self.index.payments.insert(texts[0], no);
        self.index.payments_of.add(e.customer.0, no);
        self.record_first(Change {
            position: position.0,
            amount: e.amount,
            item: no,
            other: e.customer.0,
            date: e.received_on,
            kind: ChangeKind::PaymentRecorded,
        })
    }

    pub(super) fn issue_credit_note(
        &mut self,
        position: Position,
        e: &CreditNoteIssued,
    ) -> Result<(), FoldError> {
        let no = e.credit_note.0;
        next("credit note", self.tables.credit_notes.len(), no)?;
        known(self.tables.invoices.get(e.invoice.0), "invoice", e.invoice.0)?;
        known(self.tables.customers.get(e.customer.0), "customer", e.customer.0)?;
        let texts = [e.id.as_str(), &e.number].map(str::as_bytes);
        let block = self.tables.heap.put(&texts).ok_or(FoldError::NoRoom)?;
        self.tables.credit_notes.push(CreditNoteRow {
            texts: block,
            invoice: e.invoice.0,
            customer: e.customer.0,
            currency: e.currency,
            amount: e.amount,
            unapplied: e.amount,
            issue_date: e.issue_date,
            allocation: NONE,
            first: self.tables.history.len(),
            last: self.tables.history.len(),
        });
        self.index.credit_notes.insert(texts[0], no);
        self.record_first(Change {
            position: position.0,
            amount: e.amount,
            item: no,
            other: e.invoice.0,
            date: e.issue_date,
            kind: ChangeKind::CreditNoteIssued,
        })
    }
}
