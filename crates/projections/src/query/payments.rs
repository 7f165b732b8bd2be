//! Payments and credit notes with what they are put against.

use std::collections::BTreeMap;

use encours_domain::number::{CreditNoteNo, CustomerNo, InvoiceNo, LedgerNo, PaymentNo};
use encours_domain::{Position, resource};

use super::{Items, Page, View, numbers, page};
use crate::model::{Ledger, Model};
use crate::read_model::ReadModel;
use crate::rows::ChangeKind;

/// Which payments a list shows: those that meet every condition given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PaymentFilter {
    /// Of this customer.
    pub customer: Option<CustomerNo>,
    /// With something unapplied, or nothing.
    pub has_unapplied: Option<bool>,
}

/// Which credit notes a list shows: those that meet every condition given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CreditNoteFilter {
    /// Of this customer.
    pub customer: Option<CustomerNo>,
    /// Against this invoice.
    pub invoice: Option<InvoiceNo>,
    /// With something unapplied, or nothing.
    pub has_unapplied: Option<bool>,
}

impl ReadModel {
    /// The payment with this id.
    #[must_use]
    pub fn payment(&self, ledger: LedgerNo, id: &str) -> View<Option<resource::Payment>> {
        self.view_ledger(ledger, |model, found| {
            found.payment(model, ledger, found.index.payment(&found.tables, id)?)
        })
    }

    /// The payments of a ledger, in order of creation.
    #[must_use]
    pub fn payments(
        &self,
        ledger: LedgerNo,
        filter: PaymentFilter,
        which: Page,
    ) -> View<Items<resource::Payment>> {
        self.view_ledger(ledger, |model, found| {
            let table = &found.tables.payments;
            let make = |no| {
                let row = table.get(no)?;
                let admits = filter.customer.is_none_or(|customer| customer.0 == row.customer)
                    && filter.has_unapplied.is_none_or(|wanted| wanted == (row.unapplied > 0));
                admits.then(|| found.payment(model, ledger, no))?
            };
            match filter.customer {
                None => page(which, numbers(which.after, table.len()), make),
                Some(customer) => {
                    let after = which.after.and_then(|no| table.get(no)).map(|row| row.first);
                    let kind = ChangeKind::PaymentRecorded;
                    page(which, found.items_of(customer, kind, after), make)
                }
            }
        })
    }

    /// The credit note with this id.
    #[must_use]
    pub fn credit_note(&self, ledger: LedgerNo, id: &str) -> View<Option<resource::CreditNote>> {
        self.view_ledger(ledger, |model, found| {
            found.credit_note(model, ledger, found.index.credit_note(&found.tables, id)?)
        })
    }

    /// The credit notes of a ledger, in order of creation.
    #[must_use]
    pub fn credit_notes(
        &self,
        ledger: LedgerNo,
        filter: CreditNoteFilter,
        which: Page,
    ) -> View<Items<resource::CreditNote>> {
        self.view_ledger(ledger, |model, found| {
            let table = &found.tables.credit_notes;
            page(which, numbers(which.after, table.len()), |no| {
                let row = table.get(no)?;
                let admits = filter.customer.is_none_or(|customer| customer.0 == row.customer)
                    && filter.invoice.is_none_or(|invoice| invoice.0 == row.invoice)
                    && filter.has_unapplied.is_none_or(|wanted| wanted == (row.unapplied > 0));
                admits.then(|| found.credit_note(model, ledger, no))?
            })
        })
    }
}

impl Ledger {
    fn payment(&self, model: &Model, ledger: LedgerNo, no: u32) -> Option<resource::Payment> {
        let row = self.tables.payments.get(no)?;
        Some(resource::Payment {
            ledger,
            ledger_id: model.ledger_id(ledger.0)?,
            no: PaymentNo(no),
            id: self.id(row.texts)?,
            customer_id: self.customer_id(row.customer)?,
            currency: row.currency,
            amount: row.amount,
            unapplied: row.unapplied,
            reversed: row.reversed,
            reversal: row.reversal,
            method: row.method,
            received_on: row.received_on,
            reference: self.tables.heap.text(row.texts, 1)?.into(),
            allocations: self.allocations(row.allocation),
            created: Position(self.tables.position(row.first)),
            version: Position(self.tables.position(row.last)),
        })
    }

    fn credit_note(
        &self,
        model: &Model,
        ledger: LedgerNo,
        no: u32,
    ) -> Option<resource::CreditNote> {
        let row = self.tables.credit_notes.get(no)?;
        Some(resource::CreditNote {
            ledger,
            ledger_id: model.ledger_id(ledger.0)?,
            no: CreditNoteNo(no),
            id: self.id(row.texts)?,
            number: self.tables.heap.text(row.texts, 1)?.into(),
            invoice_id: self.invoice_id(row.invoice)?,
            customer_id: self.customer_id(row.customer)?,
            currency: row.currency,
            amount: row.amount,
            unapplied: row.unapplied,
            issue_date: row.issue_date,
            allocations: self.allocations(row.allocation),
            created: Position(self.tables.position(row.first)),
            version: Position(self.tables.position(row.last)),
        })
    }

    /// The allocations of a source, added up per invoice. A source has at most 1,000 live ones.
    fn allocations(&self, newest: u32) -> Vec<resource::Allocation> {
        let mut by_invoice = BTreeMap::new();
        let mut at = newest;
        while let Some(row) = self.tables.allocations.get(at) {
            let (amount, date) = by_invoice.entry(row.invoice).or_insert((0, row.date));
            *amount += row.amount;
            *date = row.date.max(*date);
            at = row.next;
        }
        by_invoice
            .into_iter()
            .filter_map(|(invoice, (amount, date))| {
                let invoice_id = self.invoice_id(invoice)?;
                Some(resource::Allocation { invoice_id, amount, date })
            })
            .collect()
    }
}
