//! Days that do not exist, or do not follow.

use encours_proto::v1;
use encours_tests::date;

use crate::LEDGER;
use crate::ask::{advance, customer, deallocate, due, invoice, ledger, payment, sent};
use crate::case::{Case, beyond, invalid, refused};

#[expect(clippy::too_many_lines, reason = "a table")]
pub(crate) fn dates() -> Vec<Case> {
    let wrong = |year, month, day| Some(v1::Date { year, month, day });
    vec![
        invalid(
            "due before issue",
            invoice(|r| r.due = due("2023-12-31")),
            "DUE_BEFORE_ISSUE",
            "due_date",
        ),
        invalid(
            "February 30",
            invoice(|r| r.issue_date = wrong(2024, 2, 30)),
            "INVALID_DATE",
            "issue_date",
        ),
        invalid(
            "month 13",
            payment(|r| r.received_on = wrong(2024, 13, 1)),
            "INVALID_DATE",
            "received_on",
        ),
        invalid(
            "the year 0",
            invoice(|r| r.issue_date = wrong(0, 1, 1)),
            "INVALID_DATE",
            "issue_date",
        ),
        invalid("a day after the last", advance(LEDGER, wrong(2200, 1, 1)), "INVALID_DATE", "to"),
        invalid("no day to reach", advance(LEDGER, None), "MISSING_FIELD", "to"),
        refused("a day moved backwards", advance(LEDGER, date("2024-01-09")), "DAY_BACKWARDS"),
        beyond("more than ten years", advance(LEDGER, date("2034-03-01"))),
        refused(
            "a system clock is moved by nobody",
            advance("system", date("2199-01-01")),
            "NOT_A_TEST_CLOCK",
        ),
        refused(
            "a number dated before the last",
            invoice(|r| r.issue_date = date("2024-01-01")),
            "ISSUE_DATE_ORDER",
        ),
        refused(
            "a number dated after today",
            invoice(|r| r.issue_date = date("2024-01-11")),
            "ISSUE_DATE_ORDER",
        ),
        refused("sent before it was issued", sent("i1", "2023-12-31"), "DATED_BEFORE_FACT"),
        refused(
            "undone before it was done",
            deallocate(|r| r.date = date("2024-01-01")),
            "DATED_BEFORE_FACT",
        ),
        invalid(
            "no such time zone",
            ledger(|r| r.time_zone = "Europe/Atlantis".into()),
            "INVALID_TIME_ZONE",
            "time_zone",
        ),
        invalid(
            "a number pattern without a count",
            ledger(|r| r.invoice_number_pattern = "X".into()),
            "INVALID_PATTERN",
            "invoice_number_pattern",
        ),
        invalid(
            "terms out of range",
            customer(|r| {
                let net = v1::NetDays { days: 367, grace_days: 0 };
                r.terms = Some(v1::Terms { terms: Some(v1::terms::Terms::NetDays(net)) });
            }),
            "INVALID_TERMS",
            "terms.net_days.days",
        ),
    ]
}
