//! `SetCreditLimit`: says how far a customer may go into debt.

use super::{Context, Decision, lookup};
use crate::content::Content;
use crate::currency::Currency;
use crate::event::{CreditLimitSet, CreditPolicy};
use crate::id::Id;
use crate::limits::MAX_VOLUME;
use crate::money::Money;
use crate::number::Subject;
use crate::refusal::{Reason, Refusal};
use crate::state::{CreditLimit, State};

/// Sets or lifts the credit limit of a customer in a currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetCreditLimit {
    /// The ledger.
    pub ledger_id: Id,
    /// The customer.
    pub customer_id: Id,
    /// The currency; the customer's, else the ledger's, where left out.
    pub currency: Option<Currency>,
    /// The limit in minor units, 0 or more; left out, it is lifted.
    pub limit: Option<i64>,
    /// What happens to an invoice that passes it.
    pub policy: CreditPolicy,
}

impl SetCreditLimit {
    pub(super) fn content(&self, out: &mut dyn Content) {
        out.text(1, self.ledger_id.as_str());
        out.text(2, self.customer_id.as_str());
        out.optional_text(3, self.currency.as_ref().map(Currency::code));
        out.optional_number(4, self.limit);
        out.number(5, self.policy as i64);
    }

    pub(super) fn named(&self, state: &State) -> Option<Subject> {
        let ledger = lookup::ledger(state, &self.ledger_id).ok()?;
        let (no, _) = lookup::customer(state, ledger, &self.customer_id).ok()?;
        Some(Subject::Customer(ledger.no, no))
    }

    pub(super) fn decide(&self, state: &State, context: &Context) -> Result<Decision, Refusal> {
        let ledger = lookup::ledger(state, &self.ledger_id)?;
        let (customer, row) = lookup::customer(state, ledger, &self.customer_id)?;
        lookup::check_version(context, row.version)?;
        let currency = self.currency.or(row.currency).unwrap_or(ledger.currency);
        let (limit, policy) = (self.limit, self.policy);
        if let Some(limit) = limit {
            check_limit(Money::new(limit, currency))?;
        }
        let known = row.credit_limits.iter().find(|known| known.currency == currency).copied();
        if known == limit.map(|limit| CreditLimit { currency, limit, policy }) {
            let subject = Subject::Customer(ledger.no, customer);
            return Ok(Decision::Repeat { subject, position: row.version });
        }
        let event = CreditLimitSet { ledger: ledger.no, customer, currency, limit, policy };
        Ok(Decision::Accept(vec![event.into()]))
    }
}

/// A limit is 0 or more, and not above what a ledger's documents may add up to.
fn check_limit(limit: Money) -> Result<(), Refusal> {
    let most = Money::new(MAX_VOLUME, limit.currency);
    let (reason, why) = match limit.minor {
        ..0 => (Reason::NotPositive, "the limit must be 0 or more".to_owned()),
        0..=MAX_VOLUME => return Ok(()),
        _ => (Reason::AmountOverflow, format!("the limit must be at most {most}")),
    };
    Err(Refusal::new(reason, "limit", format!("{why}, is {limit}")).with("limit", limit))
}
