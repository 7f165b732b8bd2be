//! Customers with their balances, now or as of a past day.

use encours_domain::number::{CustomerNo, LedgerNo};
use encours_domain::status::CustomerStatus;
use encours_domain::{Position, resource};

use super::{AsOf, Items, MAX_PAST_SCAN, MAX_SCAN, Page, View, numbers, page_within};
use crate::fold::read_details;
use crate::model::{Ledger, Model};
use crate::query::past::Past;
use crate::read_model::ReadModel;

/// Which customers a list shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CustomerFilter {
    /// One of these statuses; empty: any.
    pub statuses: Vec<CustomerStatus>,
}

impl ReadModel {
    /// The customer with this id, with its balances and status as of a past day or as known at a
    /// past position. Everything else about it is as now. `None` also where it was not known yet.
    #[must_use]
    pub fn customer(
        &self,
        ledger: LedgerNo,
        id: &str,
        as_of: AsOf,
    ) -> View<Option<resource::Customer>> {
        self.view_ledger(ledger, |model, found| {
            let no = found.index.customer(&found.tables, id)?;
            found.customer(model, ledger, no, Past::of(model, found, as_of))
        })
    }

    /// The number of the customer with this id.
    #[must_use]
    pub fn customer_no(&self, ledger: LedgerNo, id: &str) -> View<Option<CustomerNo>> {
        self.view_ledger(ledger, |_, found| found.index.customer(&found.tables, id).map(CustomerNo))
    }

    /// The customers of a ledger, in order of creation, with balances and status as of a past day or
    /// as known at a past position.
    #[must_use]
    pub fn customers(
        &self,
        ledger: LedgerNo,
        filter: &CustomerFilter,
        as_of: AsOf,
        which: Page,
    ) -> View<Items<resource::Customer>> {
        self.view_ledger(ledger, |model, found| {
            let past = Past::of(model, found, as_of);
            let wanted = |status| filter.statuses.is_empty() || filter.statuses.contains(&status);
            let scan = if past.is_some() { MAX_PAST_SCAN } else { MAX_SCAN };
            let all = numbers(which.after, found.tables.customers.len());
            page_within(scan, which, all, |no| {
                // WHY before the resource is made: a filter that few meet costs no texts.
                let first = found.tables.customers.get(no)?.balance;
                if past.is_none() && !wanted(found.tables.status(first)) {
                    return None;
                }
                let customer = found.customer(model, ledger, no, past)?;
                wanted(customer.status).then_some(customer)
            })
        })
    }
}

impl Ledger {
    fn customer(
        &self,
        model: &Model,
        ledger: LedgerNo,
        no: u32,
        past: Option<Past>,
    ) -> Option<resource::Customer> {
        let row = self.tables.customers.get(no)?;
        let balances = match past {
            None => self.tables.balances(row.balance).copied().collect(),
            Some(past) if row.created > past.known => return None,
            Some(past) => self.balances_at(row, no, past),
        };
        let details = read_details(&self.tables.heap, row.details);
        Some(resource::Customer {
            ledger,
            ledger_id: model.ledger_id(ledger.0)?,
            no: CustomerNo(no),
            id: self.id(row.texts)?,
            currency: row.currency,
            terms: row.terms,
            details: details.into_iter().map(|(kind, sealed)| (kind, sealed.into())).collect(),
            status: crate::counts::status(&balances),
            balances,
            created: Position(row.created),
            version: Position(row.version),
        })
    }
}
