//! Amounts and currencies that do not fit.

use encours_proto::v1;
use encours_tests::{eur, money};

use crate::ask::{allocate, deallocate, explicit, invoice, ledger, note, payment, reverse};
use crate::case::{Case, invalid, refused};

#[expect(clippy::too_many_lines, reason = "a table")]
pub(crate) fn amounts() -> Vec<Case> {
    let raw = |units, nanos| Some(v1::Money { currency_code: "EUR".into(), units, nanos });
    vec![
        invalid(
            "too many decimals",
            invoice(|r| r.total = eur("10.001")),
            "TOO_MANY_DECIMALS",
            "total",
        ),
        invalid(
            "yen have no decimals",
            invoice(|r| r.total = Some(money("JPY", "10.5"))),
            "TOO_MANY_DECIMALS",
            "total",
        ),
        invalid(
            "too many decimals received",
            payment(|r| r.amount = eur("1.999")),
            "TOO_MANY_DECIMALS",
            "amount",
        ),
        invalid("a negative invoice", invoice(|r| r.total = eur("-1.00")), "NOT_POSITIVE", "total"),
        invalid("a zero payment", payment(|r| r.amount = eur("0.00")), "NOT_POSITIVE", "amount"),
        invalid(
            "a negative payment",
            payment(|r| r.amount = eur("-5.00")),
            "NOT_POSITIVE",
            "amount",
        ),
        invalid("a zero credit note", note(|r| r.amount = eur("0")), "NOT_POSITIVE", "amount"),
        invalid("a negative credit note", note(|r| r.amount = eur("-3")), "NOT_POSITIVE", "amount"),
        invalid("a zero allocation", allocate(|r| r.amount = eur("0")), "NOT_POSITIVE", "amount"),
        invalid(
            "a negative explicit allocation",
            payment(|r| r.allocations = explicit("i1", eur("-1.00"))),
            "NOT_POSITIVE",
            "allocations[0].amount",
        ),
        invalid(
            "signs that differ",
            invoice(|r| r.total = raw(1, -500_000_000)),
            "INVALID_AMOUNT",
            "total",
        ),
        invalid(
            "nanos out of range",
            invoice(|r| r.total = raw(1, 1_000_000_000)),
            "INVALID_AMOUNT",
            "total",
        ),
        invalid(
            "more than 64 bits of cents",
            invoice(|r| r.total = raw(i64::MAX, 0)),
            "AMOUNT_OVERFLOW",
            "total",
        ),
        invalid(
            "no such currency",
            invoice(|r| r.total = Some(money("XQX", "1"))),
            "INVALID_CURRENCY",
            "total.currency_code",
        ),
        invalid(
            "a currency in small letters",
            ledger(|r| r.currency_code = "eur".into()),
            "INVALID_CURRENCY",
            "currency_code",
        ),
        invalid(
            "no currency of an amount",
            invoice(|r| r.total = Some(money("", "1"))),
            "MISSING_FIELD",
            "total.currency_code",
        ),
        refused(
            "an allocation in another currency",
            payment(|r| r.allocations = explicit("i1", Some(money("USD", "1.00")))),
            "CURRENCY_MISMATCH",
        ),
        refused(
            "dollars for an invoice in euro",
            payment(|r| {
                r.amount = Some(money("USD", "10.00"));
                r.invoice_id = "i1".into();
            }),
            "CURRENCY_MISMATCH",
        ),
        refused(
            "credit in another currency",
            note(|r| r.amount = Some(money("USD", "1.00"))),
            "CURRENCY_MISMATCH",
        ),
        refused(
            "more than is open",
            payment(|r| {
                r.amount = eur("500.00");
                r.allocations = explicit("i1", eur("60.01"));
            }),
            "OVER_ALLOCATION",
        ),
        refused(
            "more than was received",
            payment(|r| r.allocations = explicit("i1", eur("10.01"))),
            "OVER_ALLOCATION",
        ),
        refused("more than is unapplied", allocate(|r| r.amount = eur("5.01")), "OVER_ALLOCATION"),
        refused("more off than is on", deallocate(|r| r.amount = eur("40.01")), "OVER_ALLOCATION"),
        refused(
            "another customer's invoice",
            payment(|r| {
                r.customer_id = "bob".into();
                r.invoice_id = "i1".into();
            }),
            "CUSTOMER_MISMATCH",
        ),
        refused("more credit than the invoice", note(|r| r.amount = eur("100.01")), "OVER_CREDIT"),
        refused(
            "an offset above what is open",
            note(|r| {
                r.amount = eur("90.00");
                r.offset = eur("60.01");
            }),
            "OVER_CREDIT",
        ),
        invalid(
            "an offset and a keep",
            note(|r| {
                r.offset = eur("5.00");
                r.keep = true;
            }),
            "CONFLICTING_FIELDS",
            "keep",
        ),
        invalid(
            "one invoice and auto",
            payment(|r| {
                r.invoice_id = "i1".into();
                r.auto = true;
            }),
            "CONFLICTING_FIELDS",
            "auto",
        ),
        refused("a payment reversed before", reverse("p-reversed", 1), "WRONG_STATE"),
        invalid(
            "lines that do not add up",
            invoice(|r| {
                r.lines = vec![v1::InvoiceLine {
                    description: "Work".into(),
                    amount: eur("9.99"),
                    ..Default::default()
                }];
            }),
            "TOTAL_MISMATCH",
            "total",
        ),
    ]
}
