//! Payments and credit notes with what they are put against.

use encours_domain::number::{CustomerNo, InvoiceNo, LedgerNo};
use encours_domain::resource;

use super::page::page;
use super::resources::Scope;
use super::{Items, Page, View};
use crate::read_model::ReadModel;

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
            let no = found.index.payment(&found.tables, id)?;
            Scope::of(model, found, ledger)?.payment(&found.tables, no)
        })
    }

    /// The payments of a ledger.
    #[must_use]
    pub fn payments(
        &self,
        ledger: LedgerNo,
        filter: PaymentFilter,
        which: Page,
    ) -> View<Items<resource::Payment>> {
        self.view_ledger(ledger, |model, found| {
            let Some(scope) = Scope::of(model, found, ledger) else { return Items::default() };
            let table = &found.tables.payments;
            let make = |no| {
                let row = table.get(no)?;
                let admits = filter.customer.is_none_or(|customer| customer.0 == row.customer)
                    && filter.has_unapplied.is_none_or(|wanted| wanted == (row.unapplied > 0));
                admits.then(|| scope.payment(&found.tables, no))?
            };
            match filter.customer {
                None => page(which, which.numbers(table.len()), make),
                Some(customer) => {
                    page(which, which.among(found.index.payments_of.of(customer.0)), make)
                }
            }
        })
    }

    /// The credit note with this id.
    #[must_use]
    pub fn credit_note(&self, ledger: LedgerNo, id: &str) -> View<Option<resource::CreditNote>> {
        self.view_ledger(ledger, |model, found| {
            let no = found.index.credit_note(&found.tables, id)?;
            Scope::of(model, found, ledger)?.credit_note(&found.tables, no)
        })
    }

    /// The credit notes of a ledger.
    #[must_use]
    pub fn credit_notes(
        &self,
        ledger: LedgerNo,
        filter: CreditNoteFilter,
        which: Page,
    ) -> View<Items<resource::CreditNote>> {
        self.view_ledger(ledger, |model, found| {
            let Some(scope) = Scope::of(model, found, ledger) else { return Items::default() };
            let table = &found.tables.credit_notes;
            page(which, which.numbers(table.len()), |no| {
                let row = table.get(no)?;
                let admits = filter.customer.is_none_or(|customer| customer.0 == row.customer)
                    && filter.invoice.is_none_or(|invoice| invoice.0 == row.invoice)
                    && filter.has_unapplied.is_none_or(|wanted| wanted == (row.unapplied > 0));
                admits.then(|| scope.credit_note(&found.tables, no))?
            })
        })
    }
}
