//! Opening items: what was owed before the ledger.

use encours_domain::commands::{AddOpeningItem, CorrectOpeningItem};
use encours_domain::event::Direction;
use encours_domain::{Currency, Refusal};

use crate::command::{id, optional_id};
use crate::money::{missing, money, money_in, optional, optional_day, unknown};
use crate::v1;

pub(crate) fn add_opening_item(
    request: v1::AddOpeningItemRequest,
) -> Result<AddOpeningItem, Refusal> {
    let ledger_id = id("ledger_id", &request.ledger_id)?;
    let customer_id = id("customer_id", &request.customer_id)?;
    let direction = direction("direction", request.direction)?;
    let amount = request.amount.ok_or_else(|| missing("amount"))?;
    let amount = money("amount", &amount)?;
    let paid = request.paid.map(|paid| money_in("paid", &paid, amount.currency)).transpose()?;
    Ok(AddOpeningItem {
        ledger_id,
        invoice_id: optional_id("invoice_id", &request.invoice_id)?,
        customer_id,
        direction,
        amount: amount.minor,
        paid: paid.unwrap_or_default(),
        currency: Some(amount.currency),
        date: optional_day("date", request.date)?,
        due_date: optional_day("due_date", request.due_date)?,
        number: optional(request.number),
        reference: optional(request.reference),
        sent_on: optional_day("sent_on", request.sent_on)?,
    })
}

pub(crate) fn correct_opening_item(
    request: &v1::CorrectOpeningItemRequest,
) -> Result<CorrectOpeningItem, Refusal> {
    let amount = request.amount.as_ref().map(|amount| money("amount", amount)).transpose()?;
    let currency: Option<Currency> = amount.map(|amount| amount.currency);
    let paid = match (&request.paid, currency) {
        (None, _) => None,
        (Some(paid), None) => Some(money("paid", paid)?),
        (Some(paid), Some(currency)) => {
            money_in("paid", paid, currency)?;
            Some(money("paid", paid)?)
        }
    };
    Ok(CorrectOpeningItem {
        ledger_id: id("ledger_id", &request.ledger_id)?,
        invoice_id: id("invoice_id", &request.invoice_id)?,
        amount: amount.map(|amount| amount.minor),
        paid: paid.map(|paid| paid.minor),
        currency: amount.or(paid).map(|amount| amount.currency),
        due_date: optional_day("due_date", request.due_date)?,
        date: optional_day("date", request.date)?,
    })
}

/// Reads who owes whom.
///
/// # Errors
/// `UNKNOWN_VALUE` or `MISSING_FIELD`, naming `field`.
pub fn direction(field: &str, number: i32) -> Result<Direction, Refusal> {
    use v1::OpeningItemDirection as D;
    match D::try_from(number).map_err(|_| unknown(field, number))? {
        D::Unspecified => Err(missing(field)),
        D::Owed => Ok(Direction::Owed),
        D::Owing => Ok(Direction::Owing),
    }
}

/// Writes who owes whom.
#[must_use]
pub const fn direction_message(direction: Direction) -> v1::OpeningItemDirection {
    match direction {
        Direction::Owed => v1::OpeningItemDirection::Owed,
        Direction::Owing => v1::OpeningItemDirection::Owing,
    }
}
