//! Events of credit limits.

use encours_domain::event::{self, CreditPolicy};
use encours_domain::{CustomerNo, InvoiceNo, LedgerNo};
use serde::{Deserialize, Serialize};

use super::values;
use crate::error::{InvalidValue, Unfit};
use crate::{EventKind, Frozen};

const fn policy_code(policy: CreditPolicy) -> u8 {
    match policy {
        CreditPolicy::Allow => 1,
        CreditPolicy::Warn => 2,
        CreditPolicy::Refuse => 3,
    }
}

fn policy(code: u8) -> Result<CreditPolicy, InvalidValue> {
    Ok(match code {
        1 => CreditPolicy::Allow,
        2 => CreditPolicy::Warn,
        3 => CreditPolicy::Refuse,
        other => return Err(InvalidValue::new("policy", &other)),
    })
}

#[derive(Serialize, Deserialize)]
pub(crate) struct CreditLimitSet {
    ledger: u32,
    customer: u32,
    currency: [u8; 3],
    limit: Option<i64>,
    policy: u8,
}

impl Frozen<'_> for CreditLimitSet {
    const KIND: EventKind = EventKind::CreditLimitSet;
    const VERSION: u16 = 1;
    type Live = event::CreditLimitSet;

    fn freeze(event: &event::CreditLimitSet) -> Result<Self, Unfit> {
        let limit = |limit| values::not_negative("limit", limit);
        Ok(Self {
            ledger: event.ledger.0,
            customer: event.customer.0,
            currency: values::code(event.currency),
            limit: event.limit.map(limit).transpose()?,
            policy: policy_code(event.policy),
        })
    }

    fn thaw(self) -> Result<event::CreditLimitSet, InvalidValue> {
        let limit = |limit| values::not_negative("limit", limit);
        Ok(event::CreditLimitSet {
            ledger: LedgerNo(self.ledger),
            customer: CustomerNo(self.customer),
            currency: values::currency("currency", self.currency)?,
            limit: self.limit.map(limit).transpose()?,
            policy: policy(self.policy)?,
        })
    }
}

/// An exposure, above the limit that it passes.
fn above(limit: i64, exposure: i64) -> Result<i64, InvalidValue> {
    if exposure > limit {
        Ok(exposure)
    } else {
        Err(InvalidValue::new("exposure", &format_args!("{exposure} with a limit of {limit}")))
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct CreditLimitExceeded {
    ledger: u32,
    invoice: u32,
    customer: u32,
    limit: i64,
    exposure: i64,
    overridden: bool,
}

impl Frozen<'_> for CreditLimitExceeded {
    const KIND: EventKind = EventKind::CreditLimitExceeded;
    const VERSION: u16 = 1;
    type Live = event::CreditLimitExceeded;

    fn freeze(event: &event::CreditLimitExceeded) -> Result<Self, Unfit> {
        Ok(Self {
            ledger: event.ledger.0,
            invoice: event.invoice.0,
            customer: event.customer.0,
            limit: values::not_negative("limit", event.limit)?,
            exposure: above(event.limit, event.exposure)?,
            overridden: event.overridden,
        })
    }

    fn thaw(self) -> Result<event::CreditLimitExceeded, InvalidValue> {
        Ok(event::CreditLimitExceeded {
            ledger: LedgerNo(self.ledger),
            invoice: InvoiceNo(self.invoice),
            customer: CustomerNo(self.customer),
            limit: values::not_negative("limit", self.limit)?,
            exposure: above(self.limit, self.exposure)?,
            overridden: self.overridden,
        })
    }
}
