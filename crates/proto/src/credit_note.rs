//! Credit notes.

use encours_domain::commands::{CreditUse, IssueCreditNote};
use encours_domain::{Reason, Refusal, resource};

use crate::command::{id, optional_id};
use crate::money::{
    allocation_messages, date_message, money, money_in, money_message, optional, optional_day,
};
use crate::v1;

pub(crate) fn issue_credit_note(
    request: v1::IssueCreditNoteRequest,
) -> Result<IssueCreditNote, Refusal> {
    let amount = request.amount.as_ref().map(|amount| money("amount", amount)).transpose()?;
    let offset = match (&request.offset, amount) {
        (None, _) => None,
        (Some(offset), None) => Some(money("offset", offset)?),
        (Some(offset), Some(amount)) => {
            money_in("offset", offset, amount.currency)?;
            Some(money("offset", offset)?)
        }
    };
    let usage = match (offset, request.keep) {
        (Some(_), true) => {
            return Err(Refusal::new(
                Reason::ConflictingFields,
                "keep",
                "offset and keep are both given",
            ));
        }
        (Some(offset), false) => CreditUse::Offset(offset.minor),
        (None, true) => CreditUse::Keep,
        (None, false) => CreditUse::OffsetThenKeep,
    };
    Ok(IssueCreditNote {
        ledger_id: id("ledger_id", &request.ledger_id)?,
        credit_note_id: optional_id("credit_note_id", &request.credit_note_id)?,
        invoice_id: id("invoice_id", &request.invoice_id)?,
        number: optional(request.number),
        amount: amount.map(|amount| amount.minor),
        currency: amount.or(offset).map(|amount| amount.currency),
        issue_date: optional_day("issue_date", request.issue_date)?,
        usage,
        reason: request.reason,
    })
}

/// Writes a credit note.
#[must_use]
pub fn credit_note_message(note: &resource::CreditNote) -> v1::CreditNote {
    let money = |minor| Some(money_message(minor, note.currency));
    v1::CreditNote {
        ledger_id: note.ledger_id.to_string(),
        credit_note_id: note.id.to_string(),
        number: note.number.to_string(),
        invoice_id: note.invoice_id.to_string(),
        customer_id: note.customer_id.to_string(),
        amount: money(note.amount),
        unapplied: money(note.unapplied),
        issue_date: Some(date_message(note.issue_date)),
        allocations: allocation_messages(&note.allocations, note.currency),
        created_position: note.created.0,
        version: note.version.0,
    }
}
