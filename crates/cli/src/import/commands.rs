//! The commands that a row becomes: always the same, with the same ids.

use encours_domain::Id;
use encours_log::Hash;
use encours_proto::v1::{self, command::Command};

use super::rows::Row;
use crate::output;

/// Creates the customer of a row.
pub(super) fn customer(ledger: &str, row: &Row) -> Command {
    Command::CreateCustomer(v1::CreateCustomerRequest {
        ledger_id: ledger.to_owned(),
        customer_id: row.customer_id.to_string(),
        name: row.customer_name.clone(),
        ..Default::default()
    })
}

/// Issues its invoice; or only asks whether that could be done.
pub(super) fn issue(ledger: &str, row: &Row, validate_only: bool) -> Command {
    let (units, nanos) = row.total.to_units();
    let currency_code = row.total.currency.code().to_owned();
    let due = row.due_date.map(|due| v1::issue_invoice_request::Due::DueDate(output::day(due)));
    Command::IssueInvoice(v1::IssueInvoiceRequest {
        ledger_id: ledger.to_owned(),
        validate_only,
        invoice_id: row.invoice_id.to_string(),
        customer_id: row.customer_id.to_string(),
        number: row.number.clone(),
        issue_date: Some(output::day(row.issue_date)),
        due,
        total: Some(v1::Money { currency_code, units, nanos }),
        reference: row.reference.clone(),
        ..Default::default()
    })
}

/// Notes it as sent on its issue date.
pub(super) fn sent(ledger: &str, row: &Row) -> Command {
    Command::MarkSent(v1::MarkSentRequest {
        ledger_id: ledger.to_owned(),
        request_id: derived(&row.invoice_id, "sent"),
        invoice_id: row.invoice_id.to_string(),
        date: Some(output::day(row.issue_date)),
        ..Default::default()
    })
}

/// Opens its dispute on its issue date.
pub(super) fn dispute(ledger: &str, row: &Row) -> Command {
    Command::DisputeInvoice(v1::DisputeInvoiceRequest {
        ledger_id: ledger.to_owned(),
        request_id: derived(&row.invoice_id, "disputed"),
        reason: "disputed in the imported file".to_owned(),
        invoice_id: row.invoice_id.to_string(),
        date: Some(output::day(row.issue_date)),
        ..Default::default()
    })
}

/// Resolves its dispute on the day it is settled.
pub(super) fn resolve(ledger: &str, row: &Row) -> Command {
    Command::ResolveDispute(v1::ResolveDisputeRequest {
        ledger_id: ledger.to_owned(),
        request_id: derived(&row.invoice_id, "resolved"),
        invoice_id: row.invoice_id.to_string(),
        date: row.paid_on.map(|paid_on| output::day(paid_on.max(row.issue_date))),
        ..Default::default()
    })
}

/// Records the payment of all that is open on it.
pub(super) fn payment(ledger: &str, row: &Row) -> Command {
    Command::RecordPayment(v1::RecordPaymentRequest {
        ledger_id: ledger.to_owned(),
        payment_id: derived(&row.invoice_id, "paid"),
        received_on: row.paid_on.map(output::day),
        invoice_id: row.invoice_id.to_string(),
        ..Default::default()
    })
}

/// An id made from an invoice's: the same each time, never longer than an id may be.
fn derived(invoice_id: &Id, what: &str) -> String {
    let plain = format!("{invoice_id}:{what}");
    if plain.len() <= Id::MAX_LEN {
        return plain;
    }
    // WHY a digest: two long ids may begin alike.
    let digest = Hash::of(invoice_id.as_str().as_bytes()).to_string();
    format!("{}:{}:{what}", &invoice_id.as_str()[..24], &digest[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_ids_are_valid_and_differ() {
        let id = |text: &str| Id::parse("invoice_id", text).unwrap();
        assert_eq!(derived(&id("F1"), "paid"), "F1:paid");
        let (a, b) = ("x".repeat(63) + "a", "x".repeat(63) + "b");
        let (a, b) = (derived(&id(&a), "disputed"), derived(&id(&b), "disputed"));
        assert!(Id::parse("payment_id", &a).is_ok(), "{a}");
        assert_ne!(a, b);
    }
}
