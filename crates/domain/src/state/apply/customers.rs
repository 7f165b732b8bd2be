//! Applying events of customers.

use super::{At, must};
use crate::details::{DetailKind, Secret};
use crate::event::{CreditLimitSet, CustomerCreated, CustomerReminderRecorded, CustomerUpdated};
use crate::number::CustomerNo;
use crate::state::rows::{CreditLimit, Customer, Ledger, ManualReminder};

impl Ledger {
    pub(super) fn create_customer(&mut self, e: &CustomerCreated, at: At) {
        let no = self.customers.push(Customer {
            id: e.id.clone(),
            currency: e.currency,
            terms: e.terms,
            details: Vec::new(),
            balances: Vec::new(),
            credit_limits: Vec::new(),
            reminder: None,
            created: at.position,
            version: at.position,
            digest: at.digest,
        });
        assert_eq!(CustomerNo(no), e.customer, "customer numbers are dense");
        self.set_details(e.customer, &e.details, at);
    }

    pub(super) fn update_customer(&mut self, e: &CustomerUpdated, at: At) {
        let row = must(self.customers.get_mut(e.customer.0), "customer", at);
        row.version = at.position;
        row.currency = e.currency.or(row.currency);
        row.terms = e.terms.or(row.terms);
        self.set_details(e.customer, &e.details, at);
    }

    fn set_details(&mut self, no: CustomerNo, details: &[(DetailKind, Secret)], at: At) {
        let row = must(self.customers.get_mut(no.0), "customer", at);
        for (kind, secret) in details {
            let sealed = match secret {
                Secret::Sealed(sealed) => Some(sealed.clone()),
                Secret::Clear(_) => None,
            };
            // INVARIANT: clear details never get into rows, of which snapshots are made.
            let sealed = must(sealed, "sealing of a detail", at);
            match row.details.binary_search_by_key(kind, |(kind, _)| *kind) {
                Ok(index) => row.details[index].1 = sealed,
                Err(index) => row.details.insert(index, (*kind, sealed)),
            }
        }
    }

    pub(super) fn set_credit_limit(&mut self, e: &CreditLimitSet, at: At) {
        let row = must(self.customers.get_mut(e.customer.0), "customer", at);
        row.version = at.position;
        let found = row.credit_limits.binary_search_by_key(&e.currency, |limit| limit.currency);
        let new = |limit| CreditLimit { currency: e.currency, limit, policy: e.policy };
        match (found, e.limit) {
            (Ok(index), Some(limit)) => row.credit_limits[index] = new(limit),
            (Ok(index), None) => drop(row.credit_limits.remove(index)),
            (Err(index), Some(limit)) => row.credit_limits.insert(index, new(limit)),
            (Err(_), None) => {}
        }
    }

    pub(super) fn remind_customer(&mut self, e: &CustomerReminderRecorded, at: At) {
        let row = must(self.customers.get_mut(e.customer.0), "customer", at);
        row.version = at.position;
        row.reminder = Some(ManualReminder { level: e.level, date: e.date });
    }
}
