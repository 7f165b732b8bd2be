//! Payments and allocations.

use encours_domain::commands::{
    Allocate, Deallocate, ExplicitAllocation, From, Put, RecordPayment, RefundPayment,
    ReversePayment,
};
use encours_domain::{Currency, Reason, Refusal, resource};

use crate::command::{id, optional_id};
use crate::money::{
    allocation_messages, date_message, method, method_message, missing, money, money_in,
    money_message, optional_day, reversal, reversal_message, unknown,
};
use crate::v1;

pub(crate) fn record_payment(request: v1::RecordPaymentRequest) -> Result<RecordPayment, Refusal> {
    let ledger_id = id("ledger_id", &request.ledger_id)?;
    let amount = request.amount.as_ref().map(|amount| money("amount", amount)).transpose()?;
    let put = put(&request, amount.map(|amount| amount.currency))?;
    Ok(RecordPayment {
        ledger_id,
        payment_id: optional_id("payment_id", &request.payment_id)?,
        customer_id: optional_id("customer_id", &request.customer_id)?,
        amount: amount.map(|amount| amount.minor),
        currency: amount.map(|amount| amount.currency),
        method: method("method", request.method)?,
        received_on: optional_day("received_on", request.received_on)?,
        reference: request.reference,
        put,
    })
}

fn put(request: &v1::RecordPaymentRequest, currency: Option<Currency>) -> Result<Put, Refusal> {
    let given = [
        (!request.allocations.is_empty(), "allocations"),
        (!request.invoice_id.is_empty(), "invoice_id"),
        (request.auto, "auto"),
    ];
    let mut given = given.iter().filter(|(given, _)| *given).map(|(_, field)| *field);
    match (given.next(), given.next()) {
        (Some(first), Some(second)) => Err(Refusal::new(
            Reason::ConflictingFields,
            second,
            format!("{first} and {second} are both given"),
        )),
        (None, _) => Ok(Put::Nothing),
        (Some("invoice_id"), _) => id("invoice_id", &request.invoice_id).map(Put::Invoice),
        (Some("auto"), _) => Ok(Put::Auto),
        (Some(_), _) => {
            let currency = currency.ok_or_else(|| missing("amount"))?;
            let read = |(at, message)| {
                explicit(message, currency)
                    .map_err(|refusal| refusal.within(&format!("allocations[{at}]")))
            };
            request
                .allocations
                .iter()
                .enumerate()
                .map(read)
                .collect::<Result<_, _>>()
                .map(Put::Explicit)
        }
    }
}

fn explicit(
    message: &v1::ExplicitAllocation,
    currency: Currency,
) -> Result<ExplicitAllocation, Refusal> {
    let amount = message.amount.as_ref().ok_or_else(|| missing("amount"))?;
    Ok(ExplicitAllocation {
        invoice_id: id("invoice_id", &message.invoice_id)?,
        amount: money_in("amount", amount, currency)?,
    })
}

pub(crate) fn allocate(request: &v1::AllocateRequest) -> Result<Allocate, Refusal> {
    use v1::allocate_request::Source;
    let amount = request.amount.as_ref().map(|amount| money("amount", amount)).transpose()?;
    Ok(Allocate {
        ledger_id: id("ledger_id", &request.ledger_id)?,
        invoice_id: id("invoice_id", &request.invoice_id)?,
        from: match &request.source {
            None => From::Anything,
            Some(Source::PaymentId(payment)) => From::Payment(id("payment_id", payment)?),
            Some(Source::CreditNoteId(note)) => From::CreditNote(id("credit_note_id", note)?),
            Some(Source::OpeningItemId(item)) => From::OpeningItem(id("opening_item_id", item)?),
            Some(Source::Sources(number)) => sources("sources", *number)?,
        },
        amount: amount.map(|amount| amount.minor),
        currency: amount.map(|amount| amount.currency),
        date: optional_day("date", request.date)?,
    })
}

fn sources(field: &str, number: i32) -> Result<From, Refusal> {
    use v1::AllocationSources as S;
    Ok(match S::try_from(number).map_err(|_| unknown(field, number))? {
        S::Unspecified => From::Anything,
        S::CreditNotes => From::CreditNotes,
        S::Payments => From::Payments,
    })
}

pub(crate) fn deallocate(request: &v1::DeallocateRequest) -> Result<Deallocate, Refusal> {
    use v1::deallocate_request::Source;
    let (mut payment_id, mut credit_note_id, mut opening_item_id) = (None, None, None);
    match &request.source {
        None => return Err(missing("payment_id")),
        Some(Source::PaymentId(payment)) => payment_id = Some(id("payment_id", payment)?),
        Some(Source::CreditNoteId(note)) => credit_note_id = Some(id("credit_note_id", note)?),
        Some(Source::OpeningItemId(item)) => {
            opening_item_id = Some(id("opening_item_id", item)?);
        }
    }
    let amount = request.amount.as_ref().map(|amount| money("amount", amount)).transpose()?;
    Ok(Deallocate {
        ledger_id: id("ledger_id", &request.ledger_id)?,
        invoice_id: id("invoice_id", &request.invoice_id)?,
        payment_id,
        credit_note_id,
        opening_item_id,
        amount: amount.map(|amount| amount.minor),
        currency: amount.map(|amount| amount.currency),
        date: optional_day("date", request.date)?,
    })
}

pub(crate) fn reverse_payment(
    request: &v1::ReversePaymentRequest,
) -> Result<ReversePayment, Refusal> {
    Ok(ReversePayment {
        ledger_id: id("ledger_id", &request.ledger_id)?,
        payment_id: id("payment_id", &request.payment_id)?,
        kind: reversal("kind", request.kind)?,
        date: optional_day("date", request.date)?,
    })
}

pub(crate) fn refund_payment(request: v1::RefundPaymentRequest) -> Result<RefundPayment, Refusal> {
    let amount = request.amount.as_ref().map(|amount| money("amount", amount)).transpose()?;
    let said = request.method != i32::from(v1::PaymentMethod::Unspecified);
    Ok(RefundPayment {
        ledger_id: id("ledger_id", &request.ledger_id)?,
        payment_id: id("payment_id", &request.payment_id)?,
        invoice_id: optional_id("invoice_id", &request.invoice_id)?,
        amount: amount.map(|amount| amount.minor),
        currency: amount.map(|amount| amount.currency),
        method: said.then(|| method("method", request.method)).transpose()?,
        date: optional_day("date", request.date)?,
        reference: request.reference,
    })
}

/// Writes a payment.
#[must_use]
pub fn payment_message(payment: &resource::Payment) -> v1::Payment {
    let money = |minor| Some(money_message(minor, payment.currency));
    v1::Payment {
        ledger_id: payment.ledger_id.to_string(),
        payment_id: payment.id.to_string(),
        customer_id: payment.customer_id.to_string(),
        amount: money(payment.amount),
        unapplied: money(payment.unapplied),
        reversed: money(payment.reversed),
        reversal: payment.reversal.map_or(v1::ReversalKind::Unspecified, reversal_message).into(),
        method: method_message(payment.method).into(),
        received_on: Some(date_message(payment.received_on)),
        reference: payment.reference.to_string(),
        allocations: allocation_messages(&payment.allocations, payment.currency),
        created_position: payment.created.0,
        version: payment.version.0,
        refunded: money(payment.refunded),
    }
}
