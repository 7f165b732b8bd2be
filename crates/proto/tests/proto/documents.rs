//! Requests about drafts, opening items, refunds and credit limits.

use encours_domain::event::{CreditPolicy, Direction, Draft, InvoiceContent, Method};
use encours_domain::terms::{Due, Terms};
use encours_domain::{Command, Currency, CustomerNo, Day, Reason};
use encours_proto::draft::draft_message;
use encours_proto::v1;

use crate::commands::{eur, invoice, read, refused, usd};

const fn date(day: i32) -> v1::Date {
    v1::Date { year: 2026, month: 1, day }
}

fn draft() -> v1::CreateDraftRequest {
    v1::CreateDraftRequest {
        ledger_id: "acme".into(),
        invoice_id: "D1".into(),
        customer_id: "ada".into(),
        number: "X-1".into(),
        issue_date: Some(date(5)),
        due: Some(v1::create_draft_request::Due::DueDate(date(6))),
        currency_code: "EUR".into(),
        total: eur(12),
        lines: vec![v1::InvoiceLine {
            description: "a line".into(),
            amount: eur(10),
            tax_rate: "20".into(),
            ..Default::default()
        }],
        taxes: vec![v1::InvoiceTax { tax_rate: "20".into(), base: eur(10), tax: eur(2) }],
        reference: "RF".into(),
        purchase_order: "PO".into(),
        text: "thanks".into(),
        metadata: [("k".into(), "v".into())].into(),
        ..Default::default()
    }
}

/// The same fields, as an invoice that is issued at once.
fn direct() -> v1::IssueInvoiceRequest {
    let from = draft();
    v1::IssueInvoiceRequest {
        ledger_id: from.ledger_id,
        invoice_id: from.invoice_id,
        customer_id: from.customer_id,
        number: from.number,
        issue_date: from.issue_date,
        due: Some(v1::issue_invoice_request::Due::DueDate(date(6))),
        currency_code: from.currency_code,
        total: from.total,
        lines: from.lines,
        taxes: from.taxes,
        reference: from.reference,
        purchase_order: from.purchase_order,
        text: from.text,
        metadata: from.metadata,
        ..Default::default()
    }
}

#[test]
fn a_draft_says_all_that_its_invoice_would() {
    let Command::IssueInvoice(issue) = read(direct()).unwrap().command else { panic!() };
    let Command::CreateDraft(created) = read(draft()).unwrap().command else { panic!() };
    assert_eq!(created.invoice, issue);
    let from = draft();
    let update = v1::UpdateDraftRequest {
        ledger_id: from.ledger_id,
        invoice_id: from.invoice_id,
        customer_id: from.customer_id,
        number: from.number,
        issue_date: from.issue_date,
        due: Some(v1::update_draft_request::Due::DueDate(date(6))),
        currency_code: from.currency_code,
        total: from.total,
        lines: from.lines,
        taxes: from.taxes,
        reference: from.reference,
        purchase_order: from.purchase_order,
        text: from.text,
        metadata: from.metadata,
        ..Default::default()
    };
    let Command::UpdateDraft(updated) = read(update.clone()).unwrap().command else { panic!() };
    assert_eq!(updated.invoice, issue);
    let nameless = v1::UpdateDraftRequest { invoice_id: String::new(), ..update };
    assert_eq!(refused(nameless), (Reason::MissingField, "invoice_id".into()));
    let wrong = v1::CreateDraftRequest { total: usd(12), ..draft() };
    assert_eq!(refused(wrong), (Reason::CurrencyMismatch, "total.currency_code".into()));
}

#[test]
fn an_issue_from_a_draft_says_nothing_that_the_draft_says() {
    let request = v1::IssueInvoiceRequest {
        ledger_id: "acme".into(),
        invoice_id: "D1".into(),
        from_draft: true,
        issue_date: Some(date(5)),
        number: "X-1".into(),
        override_credit_limit: true,
        ..Default::default()
    };
    let Command::IssueDraft(issue) = read(request.clone()).unwrap().command else { panic!() };
    assert_eq!((issue.number.as_deref(), issue.override_credit_limit), (Some("X-1"), true));
    assert!(issue.issue_date.is_some());
    let unnamed = v1::IssueInvoiceRequest { invoice_id: String::new(), ..request.clone() };
    assert_eq!(refused(unnamed), (Reason::MissingField, "invoice_id".into()));
    let of_terms = v1::issue_invoice_request::Due::Terms(v1::Terms::default());
    let full = direct();
    let base = || request.clone();
    for (field, wrong) in [
        ("customer_id", v1::IssueInvoiceRequest { customer_id: full.customer_id, ..base() }),
        ("terms", v1::IssueInvoiceRequest { due: Some(of_terms), ..base() }),
        ("due_date", v1::IssueInvoiceRequest { due: full.due, ..base() }),
        ("currency_code", v1::IssueInvoiceRequest { currency_code: "EUR".into(), ..base() }),
        ("total", v1::IssueInvoiceRequest { total: eur(1), ..base() }),
        ("lines", v1::IssueInvoiceRequest { lines: full.lines, ..base() }),
        ("taxes", v1::IssueInvoiceRequest { taxes: full.taxes, ..base() }),
        ("reference", v1::IssueInvoiceRequest { reference: full.reference, ..base() }),
        ("purchase_order", v1::IssueInvoiceRequest { purchase_order: "x".into(), ..base() }),
        ("text", v1::IssueInvoiceRequest { text: full.text, ..base() }),
        ("metadata", v1::IssueInvoiceRequest { metadata: full.metadata, ..base() }),
    ] {
        assert_eq!(refused(wrong), (Reason::ConflictingFields, field.into()));
    }
    // Without a draft the override travels along.
    let at_once = v1::IssueInvoiceRequest { override_credit_limit: true, ..invoice() };
    let Command::IssueInvoice(issue) = read(at_once).unwrap().command else { panic!() };
    assert!(issue.override_credit_limit);
}

#[test]
fn a_draft_shows_what_it_leaves_open() {
    let mut draft = Draft {
        customer: CustomerNo(0),
        currency: Currency::parse("currency", "EUR").unwrap(),
        total: 1,
        number: None,
        issue_date: None,
        due: None,
        reference: None,
        content: InvoiceContent::default(),
    };
    assert_eq!(draft_message(&draft), v1::DraftFields::default());
    draft.due = Some(Due::Terms(Terms::OnReceipt));
    draft.number = Some("X-1".into());
    let shown = draft_message(&draft);
    assert_eq!(shown.number, "X-1");
    assert!(matches!(shown.due, Some(v1::draft_fields::Due::Terms(_))));
    draft.due = Some(Due::Date(Day::from_ymd(2026, 1, 6).unwrap()));
    let due = draft_message(&draft).due;
    assert_eq!(due, Some(v1::draft_fields::Due::DueDate(date(6))));
}

#[test]
fn an_opening_item_has_a_direction_and_one_currency() {
    let request = v1::AddOpeningItemRequest {
        ledger_id: "acme".into(),
        customer_id: "ada".into(),
        direction: v1::OpeningItemDirection::Owing.into(),
        amount: eur(10),
        paid: eur(4),
        ..Default::default()
    };
    let Command::AddOpeningItem(add) = read(request.clone()).unwrap().command else { panic!() };
    assert_eq!((add.direction, add.amount, add.paid), (Direction::Owing, 1_000, 400));
    assert_eq!((add.invoice_id, add.number, add.sent_on), (None, None, None));
    let whole = v1::AddOpeningItemRequest { paid: None, ..request.clone() };
    let Command::AddOpeningItem(add) = read(whole).unwrap().command else { panic!() };
    assert_eq!(add.paid, 0);
    let unsaid = v1::AddOpeningItemRequest { direction: 0, ..request.clone() };
    assert_eq!(refused(unsaid), (Reason::MissingField, "direction".into()));
    let unknown = v1::AddOpeningItemRequest { direction: 3, ..request.clone() };
    assert_eq!(refused(unknown), (Reason::UnknownValue, "direction".into()));
    let free = v1::AddOpeningItemRequest { amount: None, ..request.clone() };
    assert_eq!(refused(free), (Reason::MissingField, "amount".into()));
    let mixed = v1::AddOpeningItemRequest { paid: usd(4), ..request };
    assert_eq!(refused(mixed), (Reason::CurrencyMismatch, "paid.currency_code".into()));
}

#[test]
fn a_correction_says_only_what_changes() {
    let request = v1::CorrectOpeningItemRequest {
        ledger_id: "acme".into(),
        invoice_id: "O1".into(),
        ..Default::default()
    };
    let read = |request| {
        let Command::CorrectOpeningItem(correct) = read(request).unwrap().command else { panic!() };
        (correct.amount, correct.paid, correct.currency.map(|currency| currency.to_string()))
    };
    assert_eq!(read(request.clone()), (None, None, None));
    let paid = v1::CorrectOpeningItemRequest { paid: eur(4), ..request.clone() };
    assert_eq!(read(paid.clone()), (None, Some(400), Some("EUR".into())));
    let mixed = v1::CorrectOpeningItemRequest { amount: usd(9), ..paid };
    assert_eq!(refused(mixed), (Reason::CurrencyMismatch, "paid.currency_code".into()));
}

#[test]
fn a_limit_needs_a_policy_and_lifting_it_does_not() {
    let request = v1::SetCreditLimitRequest {
        ledger_id: "acme".into(),
        customer_id: "ada".into(),
        limit: eur(500),
        policy: v1::CreditPolicy::Warn.into(),
        ..Default::default()
    };
    let Command::SetCreditLimit(set) = read(request.clone()).unwrap().command else { panic!() };
    assert_eq!((set.limit, set.policy), (Some(50_000), CreditPolicy::Warn));
    assert_eq!(set.currency.unwrap().code(), "EUR");
    let lax = v1::SetCreditLimitRequest { policy: 0, ..request.clone() };
    assert_eq!(refused(lax.clone()), (Reason::MissingField, "policy".into()));
    let forgotten = v1::SetCreditLimitRequest { limit: None, ..request.clone() };
    assert_eq!(refused(forgotten), (Reason::ConflictingFields, "policy".into()));
    let lifted = v1::SetCreditLimitRequest { limit: None, currency_code: "USD".into(), ..lax };
    let Command::SetCreditLimit(set) = read(lifted).unwrap().command else { panic!() };
    assert_eq!((set.limit, set.currency.unwrap().code()), (None, "USD"));
    let mixed = v1::SetCreditLimitRequest { currency_code: "USD".into(), ..request.clone() };
    assert_eq!(refused(mixed), (Reason::CurrencyMismatch, "limit.currency_code".into()));
    let unknown = v1::SetCreditLimitRequest { policy: 9, ..request };
    assert_eq!(refused(unknown), (Reason::UnknownValue, "policy".into()));
}

#[test]
fn a_refund_goes_back_as_the_payment_came_where_nothing_is_said() {
    let request = v1::RefundPaymentRequest {
        ledger_id: "acme".into(),
        payment_id: "P1".into(),
        ..Default::default()
    };
    let Command::RefundPayment(refund) = read(request.clone()).unwrap().command else { panic!() };
    assert_eq!((refund.amount, refund.invoice_id, refund.method), (None, None, None));
    let by_card = v1::RefundPaymentRequest {
        method: v1::PaymentMethod::Card.into(),
        amount: eur(2),
        invoice_id: "F1".into(),
        ..request.clone()
    };
    let Command::RefundPayment(refund) = read(by_card).unwrap().command else { panic!() };
    assert_eq!((refund.amount, refund.method), (Some(200), Some(Method::Card)));
    let unknown = v1::RefundPaymentRequest { method: 17, ..request };
    assert_eq!(refused(unknown), (Reason::UnknownValue, "method".into()));
}
