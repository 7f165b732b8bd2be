//! Credit limits: how far a customer may go into debt.

use encours_domain::commands::SetCreditLimit;
use encours_domain::event::CreditPolicy;
use encours_domain::state::CreditLimit;
use encours_domain::{Money, Reason, Refusal};

use crate::command::id;
use crate::money::{currency, missing, money, money_in, money_message, unknown};
use crate::v1;

pub(crate) fn set_credit_limit(
    request: &v1::SetCreditLimitRequest,
) -> Result<SetCreditLimit, Refusal> {
    let ledger_id = id("ledger_id", &request.ledger_id)?;
    let customer_id = id("customer_id", &request.customer_id)?;
    let limit = amount_in("limit", request.limit.as_ref(), &request.currency_code)?;
    let policy = match (policy("policy", request.policy)?, limit) {
        (Some(policy), Some(_)) => policy,
        (None, Some(_)) => return Err(missing("policy")),
        // Somebody who forgot the limit does not mean to lift it.
        (Some(_), None) => {
            let message = "policy is given without a limit: lifting a limit takes none";
            return Err(Refusal::new(Reason::ConflictingFields, "policy", message));
        }
        // A limit that is lifted has none.
        (None, None) => CreditPolicy::Allow,
    };
    Ok(SetCreditLimit {
        ledger_id,
        customer_id,
        currency: match limit {
            Some(limit) => Some(limit.currency),
            None => currency("currency_code", &request.currency_code)?,
        },
        limit: limit.map(|limit| limit.minor),
        policy,
    })
}

/// Reads an amount that may be left out, in the currency that the field beside it names.
///
/// # Errors
/// As [`money()`], `INVALID_CURRENCY` for the currency named, and `CURRENCY_MISMATCH` where they
/// differ.
pub fn amount_in(
    field: &str,
    amount: Option<&v1::Money>,
    currency_code: &str,
) -> Result<Option<Money>, Refusal> {
    let named = currency("currency_code", currency_code)?;
    let Some(amount) = amount else { return Ok(None) };
    if let Some(named) = named {
        money_in(field, amount, named)?;
    }
    money(field, amount).map(Some)
}

/// Reads what happens to an invoice that passes a limit; `None` where it is not said.
fn policy(field: &str, number: i32) -> Result<Option<CreditPolicy>, Refusal> {
    use v1::CreditPolicy as P;
    Ok(match P::try_from(number).map_err(|_| unknown(field, number))? {
        P::Unspecified => None,
        P::Allow => Some(CreditPolicy::Allow),
        P::Warn => Some(CreditPolicy::Warn),
        P::Refuse => Some(CreditPolicy::Refuse),
    })
}

/// Writes what happens to an invoice that passes a limit.
#[must_use]
pub const fn policy_message(policy: CreditPolicy) -> v1::CreditPolicy {
    match policy {
        CreditPolicy::Allow => v1::CreditPolicy::Allow,
        CreditPolicy::Warn => v1::CreditPolicy::Warn,
        CreditPolicy::Refuse => v1::CreditPolicy::Refuse,
    }
}

/// Writes a credit limit.
#[must_use]
pub fn credit_limit_message(limit: &CreditLimit) -> v1::CreditLimit {
    v1::CreditLimit {
        limit: Some(money_message(limit.limit, limit.currency)),
        policy: policy_message(limit.policy).into(),
    }
}
