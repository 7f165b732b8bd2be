//! How far a customer is from its credit limit.

use encours_domain::Currency;
use encours_domain::balance::Balance;
use encours_domain::event::CreditPolicy;
use encours_domain::number::LedgerNo;

use super::View;
use crate::read_model::ReadModel;

/// What would happen to an invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CreditVerdict {
    /// It would be issued.
    Allowed,
    /// It would be issued, and the log would say that it passed the limit.
    Warned,
    /// It would be refused unless the command overrides that.
    Refused,
}

/// A customer's credit in one currency, in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreditCheck {
    /// The limit; `None`: there is none.
    pub limit: Option<i64>,
    /// What happens to an invoice that passes it, where there is one.
    pub policy: Option<CreditPolicy>,
    /// The net balance: negative where the customer has more left than owed.
    pub exposure: i64,
    /// The net balance with the amount asked for.
    pub exposure_after: i64,
    /// What is left of the limit before the amount asked for; negative where it is passed.
    pub available: Option<i64>,
    /// What would happen to an invoice of the amount asked for.
    pub verdict: CreditVerdict,
}

impl CreditCheck {
    fn of(limit: Option<(i64, CreditPolicy)>, exposure: i64, amount: i64) -> Self {
        let exposure_after = exposure.saturating_add(amount);
        let verdict = match limit {
            Some((limit, policy)) if amount > 0 && exposure_after > limit => match policy {
                CreditPolicy::Allow => CreditVerdict::Allowed,
                CreditPolicy::Warn => CreditVerdict::Warned,
                CreditPolicy::Refuse => CreditVerdict::Refused,
            },
            _ => CreditVerdict::Allowed,
        };
        Self {
            limit: limit.map(|(limit, _)| limit),
            policy: limit.map(|(_, policy)| policy),
            exposure,
            exposure_after,
            available: limit.map(|(limit, _)| limit.saturating_sub(exposure)),
            verdict,
        }
    }
}

impl ReadModel {
    /// What an invoice of `amount` minor units, 0 or more, would be to a customer's credit limit.
    /// `None` where there is no such customer.
    ///
    /// Every fact known at the position of the view counts, those dated after today too, as they do
    /// for the writer: at that position it decides alike.
    #[must_use]
    pub fn check_credit(
        &self,
        ledger: LedgerNo,
        customer_id: &str,
        currency: Currency,
        amount: i64,
    ) -> View<Option<CreditCheck>> {
        self.view_ledger(ledger, |_, found| {
            let tables = &found.tables;
            let no = found.index.customer(tables, customer_id)?;
            let row = tables.customers.get(no)?;
            let balance = tables.balances(row.balance).find(|b| b.currency == currency);
            let ahead = found.index.ahead.get(&(no, currency)).copied().unwrap_or_default();
            let exposure = balance.map_or(0, Balance::net).saturating_add(ahead);
            let mut limits = tables.limits(row.limit).map(|(_, row)| row);
            let limit = limits.find(|row| row.currency == currency);
            let limit = limit.and_then(|row| Some((row.limit?, row.policy)));
            Some(CreditCheck::of(limit, exposure, amount))
        })
    }
}
