//! Texts and lists that are too long, values that are none, tokens and versions of others.

use encours_proto::v1;

use crate::ask::{Ask, allocate, customer, invoice, payment, reverse, update};
use crate::case::{Case, invalid, outdated};
use crate::{LEDGER, TEXT_MAX};

#[expect(clippy::too_many_lines, reason = "a table")]
pub(crate) fn values() -> Vec<Case> {
    let long = || "x".repeat(TEXT_MAX + 1);
    let wrap = |command: Ask| match command {
        Ask::Do(command) => v1::Command { command: Some(*command) },
        other => panic!("{other:?} is no command"),
    };
    let many = vec![wrap(customer(|_| {})); 1_001];
    let list = |page_size, page_token: &str| {
        Ask::ListInvoices(Box::new(v1::ListInvoicesRequest {
            ledger_id: LEDGER.into(),
            page_size,
            page_token: page_token.into(),
            ..Default::default()
        }))
    };
    let statuses = Ask::ListCustomers(Box::new(v1::ListCustomersRequest {
        ledger_id: LEDGER.into(),
        filter: Some(v1::CustomerFilter { statuses: vec![77], ..Default::default() }),
        ..Default::default()
    }));
    let entities = Ask::ReadEvents(v1::ReadEventsRequest {
        filter: Some(v1::EventFilter { entities: vec!["planet".into()], ..Default::default() }),
        ..Default::default()
    });
    let ageing = Ask::GetAgeing(v1::GetAgeingRequest {
        ledger_id: LEDGER.into(),
        page_token: "ffff".into(),
        ..Default::default()
    });
    vec![
        invalid("a note over 4 KiB", customer(|r| r.note = long()), "TOO_LARGE", "note"),
        invalid("a name over 4 KiB", update(|r| r.name = Some(long())), "TOO_LARGE", "name"),
        invalid("an invoice text over 4 KiB", invoice(|r| r.text = long()), "TOO_LARGE", "text"),
        invalid(
            "4 KiB are bytes",
            customer(|r| r.note = "é".repeat(TEXT_MAX / 2 + 1)),
            "TOO_LARGE",
            "note",
        ),
        invalid("a reason over its limit", customer(|r| r.reason = long()), "TOO_LARGE", "reason"),
        invalid(
            "too many metadata",
            invoice(|r| {
                r.metadata = (0..51).map(|n| (format!("k{n}"), String::new())).collect();
            }),
            "TOO_LARGE",
            "metadata",
        ),
        invalid(
            "too many contacts",
            customer(|r| r.contacts = vec![v1::Contact::default(); 51]),
            "TOO_LARGE",
            "contacts",
        ),
        invalid("no name", customer(|r| r.name = String::new()), "MISSING_FIELD", "name"),
        invalid(
            "too many commands",
            Ask::Execute(v1::ExecuteRequest { commands: many }),
            "TOO_LARGE",
            "commands",
        ),
        invalid("a method that is none", payment(|r| r.method = 99), "UNKNOWN_VALUE", "method"),
        invalid("a reversal that is none", reverse("p1", 99), "UNKNOWN_VALUE", "kind"),
        invalid("no kind of reversal", reverse("p1", 0), "MISSING_FIELD", "kind"),
        invalid("a status that is none", statuses, "UNKNOWN_VALUE", "filter.statuses[0]"),
        invalid("an entity that is none", entities, "UNKNOWN_VALUE", "filter.entities"),
        invalid(
            "a token of another list",
            list(10, "0123456789abcdef0000000000000001"),
            "INVALID_PAGE_TOKEN",
            "page_token",
        ),
        invalid("a token that is none", list(10, "next"), "INVALID_PAGE_TOKEN", "page_token"),
        invalid("a token that is none for ageing", ageing, "INVALID_PAGE_TOKEN", "page_token"),
        invalid("a page too large", list(1_001, ""), "INVALID_PAGE_SIZE", "page_size"),
        invalid("a negative page", list(-1, ""), "INVALID_PAGE_SIZE", "page_size"),
        outdated("an old version", update(|r| r.expected_version = Some(1))),
        outdated("an old version of an invoice", allocate(|r| r.expected_version = Some(2))),
    ]
}
