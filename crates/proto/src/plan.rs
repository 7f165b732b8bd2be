//! Planned payments: what a customer said it will pay.

use encours_domain::commands::{CancelPlannedPayment, PlanPayment};
use encours_domain::state::PlannedPayment;
use encours_domain::{Currency, Refusal};

use crate::command::id;
use crate::money::{date_message, day, missing, money, money_message};
use crate::v1;

pub(crate) fn plan_payment(request: &v1::PlanPaymentRequest) -> Result<PlanPayment, Refusal> {
    let ledger_id = id("ledger_id", &request.ledger_id)?;
    let invoice_id = id("invoice_id", &request.invoice_id)?;
    let amount = request.amount.as_ref().map(|amount| money("amount", amount)).transpose()?;
    Ok(PlanPayment {
        ledger_id,
        invoice_id,
        date: day("date", request.date.ok_or_else(|| missing("date"))?)?,
        amount: amount.map(|amount| amount.minor),
        currency: amount.map(|amount| amount.currency),
    })
}

pub(crate) fn cancel_planned_payment(
    request: &v1::CancelPlannedPaymentRequest,
) -> Result<CancelPlannedPayment, Refusal> {
    Ok(CancelPlannedPayment {
        ledger_id: id("ledger_id", &request.ledger_id)?,
        invoice_id: id("invoice_id", &request.invoice_id)?,
    })
}

/// Writes what is planned to be paid.
#[must_use]
pub fn planned_message(planned: &PlannedPayment, currency: Currency) -> v1::PlannedPayment {
    v1::PlannedPayment {
        amount: Some(money_message(planned.amount, currency)),
        remaining: Some(money_message(planned.remaining, currency)),
        date: Some(date_message(planned.date)),
    }
}
