//! Ids, numbers and request ids that are unknown, malformed or taken, and documents in another state.

use encours_proto::v1;
use encours_tests::eur;

use crate::LEDGER;
use crate::ask::{
    Ask, cancel, customer, explicit, invoice, ledger, payment, resolve, reverse, sent, update,
};
use crate::case::{Case, exists, invalid, refused, unknown};

#[expect(clippy::too_many_lines, reason = "a table")]
pub(crate) fn ids() -> Vec<Case> {
    let get_invoice = |id: &str| {
        Ask::GetInvoice(v1::GetInvoiceRequest {
            ledger_id: LEDGER.to_owned(),
            invoice: Some(v1::get_invoice_request::Invoice::InvoiceId(id.to_owned())),
            ..Default::default()
        })
    };
    let get_customer = |ledger: &str, id: &str| {
        Ask::GetCustomer(v1::GetCustomerRequest {
            ledger_id: ledger.to_owned(),
            customer_id: id.to_owned(),
            ..Default::default()
        })
    };
    let of = |ledger_id: &str, id: &str| (ledger_id.to_owned(), id.to_owned());
    let (ledger_id, payment_id) = of(LEDGER, "nobody");
    let get_payment =
        Ask::GetPayment(v1::GetPaymentRequest { ledger_id, payment_id, min_position: 0 });
    let (ledger_id, credit_note_id) = of(LEDGER, "nothing");
    let get_note =
        Ask::GetCreditNote(v1::GetCreditNoteRequest { ledger_id, credit_note_id, min_position: 0 });
    let (ledger_id, _) = of("nowhere", "");
    let get_ledger = Ask::GetLedger(v1::GetLedgerRequest { ledger_id, min_position: 0 });
    vec![
        unknown("no such ledger", customer(|r| r.ledger_id = "nowhere".into()), "UNKNOWN_LEDGER"),
        unknown("no such ledger to read", get_ledger, "UNKNOWN_LEDGER"),
        unknown("a customer of no ledger", get_customer("nowhere", "ada"), "UNKNOWN_LEDGER"),
        unknown(
            "no such customer",
            invoice(|r| r.customer_id = "nobody".into()),
            "UNKNOWN_CUSTOMER",
        ),
        unknown("no such customer to read", get_customer(LEDGER, "nobody"), "UNKNOWN_CUSTOMER"),
        unknown(
            "no such customer to change",
            update(|r| r.customer_id = "eve".into()),
            "UNKNOWN_CUSTOMER",
        ),
        unknown("no such invoice", sent("nothing", "2024-01-01"), "UNKNOWN_INVOICE"),
        unknown("no such invoice to read", get_invoice("nothing"), "UNKNOWN_INVOICE"),
        unknown(
            "a payment for no invoice",
            payment(|r| r.invoice_id = "nothing".into()),
            "UNKNOWN_INVOICE",
        ),
        unknown(
            "an allocation to no invoice",
            payment(|r| r.allocations = explicit("nothing", eur("1.00"))),
            "UNKNOWN_INVOICE",
        ),
        unknown("no such payment", reverse("nobody", 1), "UNKNOWN_PAYMENT"),
        unknown("no such payment to read", get_payment, "UNKNOWN_PAYMENT"),
        unknown("no such credit note", get_note, "UNKNOWN_CREDIT_NOTE"),
        invalid(
            "a space in an id",
            customer(|r| r.customer_id = "a b".into()),
            "INVALID_ID",
            "customer_id",
        ),
        invalid(
            "an accent in an id",
            invoice(|r| r.invoice_id = "é".into()),
            "INVALID_ID",
            "invoice_id",
        ),
        invalid(
            "a slash is fine, a quote not",
            payment(|r| r.payment_id = "a/'".into()),
            "INVALID_ID",
            "payment_id",
        ),
        invalid(
            "a long id",
            customer(|r| r.customer_id = "x".repeat(65)),
            "INVALID_ID",
            "customer_id",
        ),
        invalid(
            "a control character",
            ledger(|r| r.ledger_id = "a\u{0}b".into()),
            "INVALID_ID",
            "ledger_id",
        ),
        invalid(
            "no ledger id",
            customer(|r| r.ledger_id = String::new()),
            "MISSING_FIELD",
            "ledger_id",
        ),
        invalid(
            "no customer",
            invoice(|r| r.customer_id = String::new()),
            "MISSING_FIELD",
            "customer_id",
        ),
        invalid(
            "a request id with a space",
            customer(|r| r.request_id = "a b".into()),
            "INVALID_ID",
            "request_id",
        ),
        invalid(
            "a long request id",
            customer(|r| r.request_id = "r".repeat(65)),
            "INVALID_ID",
            "request_id",
        ),
        exists(
            "a customer id with other content",
            customer(|r| r.customer_id = "ada".into()),
            "ID_EXISTS",
        ),
        exists(
            "an invoice id with other content",
            invoice(|r| r.invoice_id = "i1".into()),
            "ID_EXISTS",
        ),
        exists(
            "a payment id with other content",
            payment(|r| r.payment_id = "p1".into()),
            "ID_EXISTS",
        ),
        exists(
            "a ledger id with other content",
            ledger(|r| r.ledger_id = LEDGER.into()),
            "ID_EXISTS",
        ),
        exists(
            "a request id with other content",
            invoice(|r| r.request_id = "once".into()),
            "REQUEST_ID_REUSED",
        ),
        exists("a number used twice", invoice(|r| r.number = "GIVEN-1".into()), "NUMBER_EXISTS"),
        refused(
            "a number of the series",
            invoice(|r| r.number = "INV-2024-00009".into()),
            "NUMBER_RESERVED",
        ),
        refused("an invoice cancelled before", cancel("cancelled"), "WRONG_STATE"),
        refused("an invoice with money on it", cancel("i1"), "MONEY_ALLOCATED"),
        refused("a dispute that is none", resolve("i1"), "WRONG_STATE"),
    ]
}
