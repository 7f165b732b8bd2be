//! Every shape of error: code, reason, field, figures.

use encours_domain::Kind;
use encours_proto::v1;
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::support::{acme, customer, date, eur, field, invoice, payment, reason};

/// The code and reason of the answer, the field of its violation, and the request.
pub(crate) type Wrong = (Code, &'static str, &'static str, v1::IssueInvoiceRequest);

fn plain() -> v1::IssueInvoiceRequest {
    invoice("F2", "ada", 100)
}

fn wrong_amounts() -> Vec<Wrong> {
    use Code::InvalidArgument;
    let total = |money| v1::IssueInvoiceRequest { total: Some(money), ..plain() };
    let line = |amount| v1::InvoiceLine { amount: Some(amount), ..Default::default() };
    let currency = |code: &str| v1::Money { currency_code: code.into(), ..eur(1) };
    let (fraction, mixed) = (
        v1::Money { nanos: 5_000_000, ..eur(100) },
        v1::Money { units: 1, nanos: -500_000_000, ..eur(0) },
    );
    let lines = v1::IssueInvoiceRequest {
        lines: vec![line(eur(100)), line(v1::Money { nanos: 1, ..eur(0) })],
        ..plain()
    };
    vec![
        (InvalidArgument, "TOO_MANY_DECIMALS", "total", total(fraction)),
        (InvalidArgument, "INVALID_AMOUNT", "total", total(mixed)),
        (InvalidArgument, "INVALID_CURRENCY", "total.currency_code", total(currency("eur"))),
        (InvalidArgument, "MISSING_FIELD", "total.currency_code", total(currency(""))),
        (
            InvalidArgument,
            "AMOUNT_OVERFLOW",
            "total",
            total(v1::Money { units: i64::MAX, ..eur(0) }),
        ),
        (InvalidArgument, "NOT_POSITIVE", "total", total(eur(-100))),
        (InvalidArgument, "TOO_MANY_DECIMALS", "lines[1].amount", lines),
    ]
}

fn wrong_dates() -> Vec<Wrong> {
    use Code::{FailedPrecondition, InvalidArgument};
    use v1::issue_invoice_request::Due;
    let issued = |day| v1::IssueInvoiceRequest { issue_date: Some(day), ..plain() };
    let due = |due| v1::IssueInvoiceRequest { due: Some(due), ..plain() };
    let net = v1::terms::Terms::NetDays(v1::NetDays { days: -1, grace_days: 0 });
    let net = v1::Terms { terms: Some(net) };
    vec![
        (InvalidArgument, "INVALID_DATE", "issue_date", issued(date(2026, 2, 30))),
        (FailedPrecondition, "ISSUE_DATE_ORDER", "", issued(date(2026, 1, 6))),
        (InvalidArgument, "DUE_BEFORE_ISSUE", "due_date", due(Due::DueDate(date(2026, 1, 4)))),
        (InvalidArgument, "INVALID_TERMS", "terms.net_days.days", due(Due::Terms(net))),
    ]
}

fn wrong_names() -> Vec<Wrong> {
    use Code::{AlreadyExists, InvalidArgument, NotFound};
    let ledger = v1::IssueInvoiceRequest { ledger_id: "nope".into(), ..plain() };
    let text = v1::IssueInvoiceRequest { text: "x".repeat(4_097), ..plain() };
    let number = v1::IssueInvoiceRequest { number: "X-1".into(), ..plain() };
    vec![
        (NotFound, "UNKNOWN_LEDGER", "", ledger),
        (NotFound, "UNKNOWN_CUSTOMER", "", invoice("F2", "nobody", 100)),
        (InvalidArgument, "INVALID_ID", "invoice_id", invoice("F 2", "ada", 100)),
        (InvalidArgument, "MISSING_FIELD", "customer_id", invoice("F2", "", 100)),
        (InvalidArgument, "TOO_LARGE", "text", text),
        (AlreadyExists, "ID_EXISTS", "", invoice("F1", "ada", 4_001)),
        (AlreadyExists, "NUMBER_EXISTS", "", number),
    ]
}

/// Invoices that are refused where `ada` has the invoices F1, of 40 euros, and X-1.
pub(crate) fn all_wrong() -> Vec<Wrong> {
    [wrong_amounts(), wrong_dates(), wrong_names()].concat()
}

#[tokio::test]
async fn bad_input_names_the_field_and_changes_nothing() {
    let (_server, mut client) = acme().await;
    client.customer("ada").await;
    client.invoice("F1", "ada", 4_000).await;
    let numbered = v1::IssueInvoiceRequest { number: "X-1".into(), ..invoice("F0", "ada", 4_000) };
    client.invoices.issue_invoice(numbered).await.unwrap();
    let before = client.head().await;
    for (code, wanted, about, request) in all_wrong() {
        let status = client.invoices.issue_invoice(request).await.unwrap_err();
        assert_eq!(reason(&status), wanted, "{status:?}");
        assert_eq!(status.code(), code, "{status:?}");
        assert_eq!(field(&status), about, "{status:?}");
    }
    assert_eq!(client.head().await, before);
}

#[tokio::test]
async fn rules_refuse_with_figures() {
    let (_server, mut client) = acme().await;
    client.customer("ada").await;
    client.customer("bob").await;
    let issued = client.invoice("F1", "ada", 4_000).await;
    let before = client.head().await;

    let mut pay = payment("P1", "ada", 10_000);
    pay.allocations =
        vec![v1::ExplicitAllocation { invoice_id: "F1".into(), amount: Some(eur(5_000)) }];
    let status = client.payments.record_payment(pay.clone()).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::FailedPrecondition, "OVER_ALLOCATION")
    );
    assert!(status.message().contains("40.00 EUR"), "{status:?}");
    assert!(status.message().contains("50.00 EUR"), "{status:?}");
    let figures = status.get_error_details().error_info().unwrap().metadata.clone();
    assert_eq!(figures["asked"], "50.00 EUR");

    pay.allocations[0].amount = Some(v1::Money { currency_code: "USD".into(), ..eur(1) });
    let status = client.payments.record_payment(pay.clone()).await.unwrap_err();
    assert_eq!(reason(&status), "CURRENCY_MISMATCH");
    pay.allocations[0].amount = None;
    let status = client.payments.record_payment(pay.clone()).await.unwrap_err();
    assert_eq!(
        (reason(&status), field(&status)),
        ("MISSING_FIELD".into(), "allocations[0].amount".into())
    );
    pay.auto = true;
    let status = client.payments.record_payment(pay.clone()).await.unwrap_err();
    assert_eq!((reason(&status), field(&status)), ("CONFLICTING_FIELDS".into(), "auto".into()));

    let other = v1::RecordPaymentRequest { invoice_id: "F1".into(), ..payment("P1", "bob", 100) };
    let status = client.payments.record_payment(other).await.unwrap_err();
    assert_eq!(reason(&status), "CUSTOMER_MISMATCH");

    let note = v1::IssueCreditNoteRequest {
        ledger_id: "acme".into(),
        invoice_id: "F1".into(),
        amount: Some(v1::Money { currency_code: "JPY".into(), units: 5, nanos: 0 }),
        ..Default::default()
    };
    let status = client.credit_notes.issue_credit_note(note).await.unwrap_err();
    assert_eq!(reason(&status), "CURRENCY_MISMATCH");

    let stale = v1::MarkSentRequest {
        ledger_id: "acme".into(),
        invoice_id: "F1".into(),
        expected_version: Some(issued.version - 1),
        ..Default::default()
    };
    let status = client.invoices.mark_sent(stale).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Aborted, "VERSION_MISMATCH"));

    let back = v1::AdvanceClockRequest {
        ledger_id: "acme".into(),
        to: Some(date(2026, 1, 4)),
        ..Default::default()
    };
    let status = client.ledgers.advance_clock(back).await.unwrap_err();
    assert_eq!(reason(&status), "DAY_BACKWARDS");
    assert_eq!(client.head().await, before);
}

#[tokio::test]
async fn a_request_id_belongs_to_its_content() {
    let (_server, mut client) = acme().await;
    let request = v1::CreateCustomerRequest { request_id: "r1".into(), ..customer("ada") };
    client.customers.create_customer(request).await.unwrap();
    let other = v1::CreateCustomerRequest { request_id: "r1".into(), ..customer("bob") };
    let status = client.customers.create_customer(other).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::AlreadyExists, "REQUEST_ID_REUSED")
    );
    let spaced = v1::CreateCustomerRequest { request_id: "a b".into(), ..customer("bob") };
    let status = client.customers.create_customer(spaced).await.unwrap_err();
    assert_eq!((reason(&status), field(&status)), ("INVALID_ID".into(), "request_id".into()));
}

#[tokio::test]
async fn what_this_version_does_not_know_is_refused() {
    let (_server, mut client) = acme().await;
    client.customer("ada").await;
    let mut pay = payment("P1", "ada", 100);
    pay.method = 99;
    let status = client.payments.record_payment(pay).await.unwrap_err();
    assert_eq!((reason(&status), field(&status)), ("UNKNOWN_VALUE".into(), "method".into()));

    let list = v1::ListInvoicesRequest {
        ledger_id: "acme".into(),
        filter: Some(v1::InvoiceFilter { statuses: vec![2, 42], ..Default::default() }),
        min_position: client.head().await,
        ..Default::default()
    };
    let status = client.invoices.list_invoices(list).await.unwrap_err();
    assert_eq!(
        (reason(&status), field(&status)),
        ("UNKNOWN_VALUE".into(), "filter.statuses[1]".into())
    );

    let read = v1::ReadEventsRequest {
        filter: Some(v1::EventFilter {
            events: vec!["invoice.eaten".into()],
            ..Default::default()
        }),
        ..Default::default()
    };
    let status = client.log.read_events(read).await.unwrap_err();
    assert_eq!((reason(&status), field(&status)), ("UNKNOWN_VALUE".into(), "filter.events".into()));
    assert!(status.message().contains("invoice.disputed, invoice.due, "), "{status:?}");
    assert!(!status.message().contains("payment.recorded"), "{status:?}");

    let read = v1::ReadEventsRequest {
        filter: Some(v1::EventFilter { entities: vec!["bill".into()], ..Default::default() }),
        ..Default::default()
    };
    let status = client.log.read_events(read).await.unwrap_err();
    assert!(status.message().contains("invoice, ledger, log, opening_item"), "{status:?}");
}

/// The page of errors.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/errors.md");

/// The heading of its table.
const HEADING: &str = "| reason | code | meaning |\n| --- | --- | --- |\n";

/// The canonical name of a code, such as `INVALID_ARGUMENT`.
fn canonical(code: Code) -> String {
    let mut name = String::new();
    for (index, letter) in format!("{code:?}").char_indices() {
        if index > 0 && letter.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

/// The table of the page of errors.
fn table() -> String {
    use std::fmt::Write as _;
    let of_domain = encours_domain::Reason::ALL.iter().map(|reason| {
        let code = match reason.rule().kind {
            Kind::InvalidArgument => Code::InvalidArgument,
            Kind::NotFound => Code::NotFound,
            Kind::AlreadyExists => Code::AlreadyExists,
            Kind::FailedPrecondition => Code::FailedPrecondition,
            Kind::Aborted => Code::Aborted,
            Kind::ResourceExhausted => Code::ResourceExhausted,
        };
        (reason.rule().code, code, reason.describe())
    });
    let mut table = String::from(HEADING);
    for (reason, code, meaning) in of_domain.chain(encours_api::REASONS.iter().copied()) {
        writeln!(table, "| `{reason}` | `{}` | {} |", canonical(code), meaning.trim()).unwrap();
    }
    table
}

#[test]
fn the_page_of_errors_lists_every_reason() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let (text, _) = page.split_once(HEADING).expect("the page has its table");
    let wanted = format!("{text}{}", table());
    if std::env::var_os("ENCOURS_UPDATE_REFERENCE").is_some() {
        #[expect(clippy::disallowed_methods, reason = "rewrites a page of the documentation")]
        std::fs::write(PAGE, wanted).unwrap();
        return;
    }
    assert!(
        page == wanted,
        "docs/reference/errors.md must end with the table below; \
         ENCOURS_UPDATE_REFERENCE=1 cargo test -p encours-api --test api the_page_of_errors \
         writes it:\n{}",
        table()
    );
}
