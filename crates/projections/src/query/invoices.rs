//! Invoices: by id, by number, and in filtered lists.

use encours_domain::number::{CustomerNo, InvoiceNo, LedgerNo};
use encours_domain::status::{Document, Headline, Settlement, Timing};
use encours_domain::{Position, resource};

use super::{Items, Page, View, numbers, page};
use crate::counts::facets;
use crate::model::{Ledger, Model};
use crate::read_model::ReadModel;
use crate::rows::{ChangeKind, InvoiceFlags, InvoiceRow, Item};

/// Which invoices a list shows: those that meet every condition given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InvoiceFilter {
    /// Of this customer.
    pub customer: Option<CustomerNo>,
    /// With one of these headlines; empty: any.
    pub headlines: Vec<Headline>,
    /// With this document facet.
    pub document: Option<Document>,
    /// With this settlement.
    pub settlement: Option<Settlement>,
    /// With this timing.
    pub timing: Option<Timing>,
    /// Disputed or not.
    pub disputed: Option<bool>,
    /// With something open, or nothing.
    pub open: Option<bool>,
    /// Overdue at some time, or never.
    pub ever_overdue: Option<bool>,
}

impl InvoiceFilter {
    fn admits(&self, row: &InvoiceRow, today: encours_domain::Day) -> bool {
        let facets = facets(row, today);
        let ever_overdue = row.flags.has(InvoiceFlags::EVER_OVERDUE);
        self.customer.is_none_or(|customer| customer.0 == row.customer)
            && (self.headlines.is_empty() || self.headlines.contains(&facets.headline()))
            && self.document.is_none_or(|document| document == facets.document)
            && self.settlement.is_none_or(|settlement| settlement == facets.settlement)
            && self.timing.is_none_or(|timing| timing == facets.timing)
            && self.disputed.is_none_or(|disputed| disputed == facets.disputed)
            && self.open.is_none_or(|open| open == (row.open > 0))
            && self.ever_overdue.is_none_or(|wanted| wanted == ever_overdue)
    }
}

impl ReadModel {
    /// The invoice with this id.
    #[must_use]
    pub fn invoice(&self, ledger: LedgerNo, id: &str) -> View<Option<resource::Invoice>> {
        self.view_ledger(ledger, |model, found| {
            found.invoice(model, ledger, found.index.invoice(&found.tables, id)?)
        })
    }

    /// The invoice with this number on the document.
    #[must_use]
    pub fn invoice_by_number(
        &self,
        ledger: LedgerNo,
        number: &str,
    ) -> View<Option<resource::Invoice>> {
        self.view_ledger(ledger, |model, found| {
            found.invoice(model, ledger, found.index.invoice_number(&found.tables, number)?)
        })
    }

    /// The invoices of a ledger, in order of creation.
    #[must_use]
    pub fn invoices(
        &self,
        ledger: LedgerNo,
        filter: &InvoiceFilter,
        which: Page,
    ) -> View<Items<resource::Invoice>> {
        self.view_ledger(ledger, |model, found| {
            let table = &found.tables.invoices;
            let make = |no| {
                let row = table.get(no)?;
                filter.admits(row, found.today).then(|| found.invoice(model, ledger, no))?
            };
            match filter.customer {
                None => page(which, numbers(which.after, table.len()), make),
                Some(customer) => {
                    let after = which.after.and_then(|no| table.get(no)).map(|row| row.first);
                    let kind = ChangeKind::InvoiceIssued;
                    page(which, found.items_of(customer, kind, after), make)
                }
            }
        })
    }
}

impl Ledger {
    /// The numbers of a customer's invoices or payments, after the one whose history begins at row
    /// `after`.
    pub(super) fn items_of(
        &self,
        customer: CustomerNo,
        kind: ChangeKind,
        after: Option<u32>,
    ) -> impl Iterator<Item = u32> {
        let item = Item::Customer(customer.0);
        // A row of another customer, from a token of another list, would lead astray.
        let after = after.filter(|row| {
            self.tables.history.get(*row).is_some_and(|change| change.other() == Some(item))
        });
        let first = self.tables.customers.get(customer.0).map(|row| row.first);
        let start = after.or(first).unwrap_or(crate::rows::NONE);
        self.chain(start, item)
            .filter(move |(row, change)| change.kind == kind && Some(*row) != after)
            .map(|(_, change)| change.item)
    }

    fn invoice(&self, model: &Model, ledger: LedgerNo, no: u32) -> Option<resource::Invoice> {
        let row = self.tables.invoices.get(no)?;
        Some(resource::Invoice {
            ledger,
            ledger_id: model.ledger_id(ledger.0)?,
            no: InvoiceNo(no),
            id: self.id(row.texts)?,
            number: self.tables.heap.text(row.texts, 1)?.into(),
            customer_id: self.customer_id(row.customer)?,
            currency: row.currency,
            total: row.total,
            open: row.open,
            credited: row.credited,
            credit_noted: row.credit_noted,
            issue_date: row.issue_date,
            due: row.due,
            sent_on: row.sent_on,
            reference: self.tables.heap.text(row.texts, 2)?.into(),
            facets: facets(row, self.today),
            created: Position(self.tables.position(row.first)),
            version: Position(self.tables.position(row.last)),
        })
    }
}
