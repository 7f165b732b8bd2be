//! Requests become commands, or refusals that name the field.

use encours_domain::commands::{CreditUse, From as Source, Put, Time};
use encours_domain::event::Rate;
use encours_domain::terms::Due;
use encours_domain::{Command, Position, Reason, Refusal};
use encours_proto::command::{Write, WriteRequest, write};
use encours_proto::v1;

pub(crate) fn read<R: WriteRequest>(request: R) -> Result<Write, Refusal> {
    write(v1::Command { command: Some(request.into_command()) })
}

pub(crate) fn refused<R: WriteRequest>(request: R) -> (Reason, String) {
    let refusal = read(request).unwrap_err();
    (refusal.reason, refusal.field)
}

pub(crate) fn eur(units: i64) -> Option<v1::Money> {
    Some(v1::Money { currency_code: "EUR".into(), units, nanos: 0 })
}

pub(crate) fn usd(units: i64) -> Option<v1::Money> {
    Some(v1::Money { currency_code: "USD".into(), units, nanos: 0 })
}

pub(crate) fn invoice() -> v1::IssueInvoiceRequest {
    v1::IssueInvoiceRequest {
        ledger_id: "acme".into(),
        customer_id: "ada".into(),
        ..Default::default()
    }
}

fn payment() -> v1::RecordPaymentRequest {
    v1::RecordPaymentRequest {
        ledger_id: "acme".into(),
        customer_id: "ada".into(),
        amount: eur(10),
        ..Default::default()
    }
}

#[test]
fn what_surrounds_a_write_is_read() {
    let request = v1::MarkSentRequest {
        ledger_id: "acme".into(),
        invoice_id: "F1".into(),
        request_id: "r1".into(),
        expected_version: Some(0),
        validate_only: true,
        reason: "posted".into(),
        date: None,
    };
    let write = read(request).unwrap();
    assert_eq!(write.request_id.as_deref(), Some("r1"));
    // 0 is a version, not nothing.
    assert_eq!(write.expected_version, Some(Position(0)));
    assert!(write.validate_only);
    assert_eq!(write.reason, "posted");
    assert_eq!(write.command.name(), "MarkSent");
    assert_eq!(write_of_nothing(), (Reason::MissingField, "command".into()));
}

fn write_of_nothing() -> (Reason, String) {
    let refusal = write(v1::Command { command: None }).unwrap_err();
    (refusal.reason, refusal.field)
}

#[test]
fn a_ledger_has_a_clock() {
    let request = v1::CreateLedgerRequest {
        currency_code: "EUR".into(),
        time_zone: "Europe/Paris".into(),
        test_clock: Some(v1::TestClock {
            clock_id: String::new(),
            start_date: Some(v1::Date { year: 2026, month: 1, day: 5 }),
        }),
        ..Default::default()
    };
    let Command::CreateLedger(ledger) = read(request.clone()).unwrap().command else { panic!() };
    assert_eq!(ledger.ledger_id, None);
    assert!(matches!(ledger.time, Time::Test { clock_id: None, start: Some(_) }));
    assert_eq!(ledger.invoice_pattern, None);
    assert_eq!((ledger.calendar.id(), ledger.reminders.id()), ("france", "three-cases"));
    let named = v1::CreateLedgerRequest {
        calendar_id: "weekdays".into(),
        reminder_policy_id: "none".into(),
        ..request.clone()
    };
    let Command::CreateLedger(ledger) = read(named).unwrap().command else { panic!() };
    assert_eq!((ledger.calendar.id(), ledger.reminders.id()), ("weekdays", "none"));
    let unknown = v1::CreateLedgerRequest { calendar_id: "mars".into(), ..request.clone() };
    assert_eq!(refused(unknown.clone()), (Reason::UnknownValue, "calendar_id".into()));
    assert!(read(unknown).unwrap_err().message.contains("france, weekdays"));
    let unknown = v1::CreateLedgerRequest { reminder_policy_id: "all".into(), ..request.clone() };
    assert_eq!(refused(unknown.clone()), (Reason::UnknownValue, "reminder_policy_id".into()));
    assert!(read(unknown).unwrap_err().message.contains("three-cases, none"));
    let nowhere = v1::CreateLedgerRequest { time_zone: String::new(), ..request.clone() };
    assert_eq!(refused(nowhere), (Reason::MissingField, "time_zone".into()));
    let clock = v1::TestClock { clock_id: "a b".into(), start_date: None };
    let wrong = v1::CreateLedgerRequest { test_clock: Some(clock), ..request };
    assert_eq!(refused(wrong), (Reason::InvalidId, "test_clock.clock_id".into()));
}

#[test]
fn an_update_tells_what_is_set_from_what_is_not() {
    let request = v1::UpdateCustomerRequest {
        ledger_id: "acme".into(),
        customer_id: "ada".into(),
        address: Some(String::new()),
        contacts: Some(v1::ContactList::default()),
        ..Default::default()
    };
    let Command::UpdateCustomer(update) = read(request).unwrap().command else { panic!() };
    assert_eq!(update.details.name, None);
    assert_eq!(update.details.address.as_deref(), Some(""));
    assert_eq!(update.details.contacts, Some(Vec::new()));
    assert_eq!(update.details.note, None);
}

#[test]
fn all_amounts_of_an_invoice_have_one_currency() {
    let line = |amount| v1::InvoiceLine { amount, tax_rate: "5.5".into(), ..Default::default() };
    let request = v1::IssueInvoiceRequest { lines: vec![line(None), line(eur(7))], ..invoice() };
    let Command::IssueInvoice(issue) = read(request).unwrap().command else { panic!() };
    assert_eq!(issue.currency.map(|currency| currency.to_string()).as_deref(), Some("EUR"));
    assert_eq!((issue.total, issue.lines[1].amount), (None, Some(700)));
    assert_eq!(issue.lines[1].rate, Rate(5_500));

    let mixed = v1::IssueInvoiceRequest {
        total: eur(7),
        lines: vec![line(eur(3)), line(usd(4))],
        ..invoice()
    };
    let (reason, field) = refused(mixed);
    assert_eq!(reason, Reason::CurrencyMismatch);
    assert_eq!(field, "lines[1].amount.currency_code");
    let named = v1::IssueInvoiceRequest { currency_code: "USD".into(), total: eur(7), ..invoice() };
    assert_eq!(refused(named).0, Reason::CurrencyMismatch);
    // Nothing names a currency: the customer's, which the domain knows.
    let none = v1::IssueInvoiceRequest {
        lines: vec![v1::InvoiceLine {
            quantity: "2".into(),
            unit_price: "1.5".into(),
            ..line(None)
        }],
        ..invoice()
    };
    let Command::IssueInvoice(issue) = read(none).unwrap().command else { panic!() };
    assert_eq!(issue.currency, None);
}

#[test]
fn numbers_of_a_line_are_decimals() {
    let line = |quantity: &str, tax_rate: &str| v1::IssueInvoiceRequest {
        total: eur(1),
        lines: vec![v1::InvoiceLine {
            quantity: quantity.into(),
            tax_rate: tax_rate.into(),
            ..Default::default()
        }],
        ..invoice()
    };
    for rate in ["", "0", "100", "5.5", "19.600", "0.001"] {
        assert!(read(line("1", rate)).is_ok(), "{rate}");
    }
    for (rate, reason) in [
        ("100.001", Reason::InvalidAmount),
        ("-1", Reason::InvalidAmount),
        ("5.1234", Reason::TooManyDecimals),
        ("five", Reason::InvalidAmount),
        ("79228162514264337593543950335", Reason::InvalidAmount),
        ("1e3", Reason::InvalidAmount),
    ] {
        assert_eq!(refused(line("1", rate)), (reason, "lines[0].tax_rate".into()), "{rate}");
    }
    for quantity in ["1,5", "1.2.3", "NaN", &"9".repeat(40)] {
        let (reason, field) = refused(line(quantity, ""));
        assert_eq!((reason, field.as_str()), (Reason::InvalidAmount, "lines[0].quantity"));
    }
}

#[test]
fn an_invoice_is_due_by_terms_or_on_a_day() {
    use v1::issue_invoice_request::Due as D;
    let due = |due| {
        let request = v1::IssueInvoiceRequest { due, ..invoice() };
        let Command::IssueInvoice(issue) = read(request).unwrap().command else { panic!() };
        issue.due
    };
    assert_eq!(due(None), None);
    let on_receipt = v1::terms::Terms::OnReceipt(v1::OnReceipt {});
    let by_terms = due(Some(D::Terms(v1::Terms { terms: Some(on_receipt) })));
    assert!(matches!(by_terms, Some(Due::Terms(_))));
    let date = v1::Date { year: 2026, month: 1, day: 5 };
    assert!(matches!(due(Some(D::DueDate(date))), Some(Due::Date(_))));
    let none =
        v1::IssueInvoiceRequest { due: Some(D::Terms(v1::Terms { terms: None })), ..invoice() };
    assert_eq!(refused(none).0, Reason::MissingField);
}

#[test]
fn a_payment_is_for_one_thing() {
    let put = |request| {
        let Command::RecordPayment(record) = read(request).unwrap().command else { panic!() };
        record.put
    };
    assert_eq!(put(payment()), Put::Nothing);
    assert_eq!(put(v1::RecordPaymentRequest { auto: true, ..payment() }), Put::Auto);
    let one = v1::RecordPaymentRequest { invoice_id: "F1".into(), ..payment() };
    assert!(matches!(put(one.clone()), Put::Invoice(_)));
    let both = v1::RecordPaymentRequest { auto: true, ..one };
    assert_eq!(refused(both), (Reason::ConflictingFields, "auto".into()));

    let explicit = |amount| v1::ExplicitAllocation { invoice_id: "F1".into(), amount };
    let some = |allocations| v1::RecordPaymentRequest { allocations, ..payment() };
    let Put::Explicit(parts) = put(some(vec![explicit(eur(4)), explicit(eur(6))])) else {
        panic!()
    };
    assert_eq!(parts[1].amount, 600);
    let missing = some(vec![explicit(eur(4)), explicit(None)]);
    assert_eq!(refused(missing), (Reason::MissingField, "allocations[1].amount".into()));
    let other = some(vec![explicit(usd(4))]);
    assert_eq!(refused(other).0, Reason::CurrencyMismatch);
    let of_nothing = v1::RecordPaymentRequest { amount: None, ..some(vec![explicit(eur(4))]) };
    assert_eq!(refused(of_nothing), (Reason::MissingField, "amount".into()));
    let unknown = v1::RecordPaymentRequest { method: 17, ..payment() };
    assert_eq!(refused(unknown), (Reason::UnknownValue, "method".into()));
}

#[test]
fn an_allocation_has_a_source() {
    use v1::allocate_request::Source as S;
    let request = |source| v1::AllocateRequest {
        ledger_id: "acme".into(),
        invoice_id: "F1".into(),
        source,
        amount: eur(3),
        ..Default::default()
    };
    let from = |source| {
        let Command::Allocate(allocate) = read(request(source)).unwrap().command else { panic!() };
        assert_eq!(allocate.currency.map(|currency| currency.to_string()).as_deref(), Some("EUR"));
        allocate.from
    };
    assert_eq!(from(None), Source::Anything);
    assert_eq!(from(Some(S::Sources(2))), Source::Payments);
    assert!(matches!(from(Some(S::CreditNoteId("C1".into()))), Source::CreditNote(_)));
    assert!(matches!(from(Some(S::OpeningItemId("O1".into()))), Source::OpeningItem(_)));
    let unknown = request(Some(S::Sources(3)));
    assert_eq!(refused(unknown), (Reason::UnknownValue, "sources".into()));
    let empty = request(Some(S::PaymentId(String::new())));
    assert_eq!(refused(empty), (Reason::MissingField, "payment_id".into()));
    let nothing = v1::DeallocateRequest {
        ledger_id: "acme".into(),
        invoice_id: "F1".into(),
        ..Default::default()
    };
    assert_eq!(refused(nothing.clone()), (Reason::MissingField, "payment_id".into()));
    let item = v1::deallocate_request::Source::OpeningItemId("O1".into());
    let request = v1::DeallocateRequest { source: Some(item), ..nothing };
    let Command::Deallocate(deallocate) = read(request).unwrap().command else { panic!() };
    assert_eq!(deallocate.opening_item_id.unwrap().as_str(), "O1");
    assert_eq!((deallocate.payment_id, deallocate.credit_note_id), (None, None));
}

#[test]
fn a_credit_note_is_offset_or_kept() {
    let request = |offset, keep| v1::IssueCreditNoteRequest {
        ledger_id: "acme".into(),
        invoice_id: "F1".into(),
        amount: eur(5),
        offset,
        keep,
        ..Default::default()
    };
    let usage = |offset, keep| {
        let command = read(request(offset, keep)).unwrap().command;
        let Command::IssueCreditNote(issue) = command else { panic!() };
        issue.usage
    };
    assert_eq!(usage(None, false), CreditUse::OffsetThenKeep);
    assert_eq!(usage(None, true), CreditUse::Keep);
    assert_eq!(usage(eur(2), false), CreditUse::Offset(200));
    assert_eq!(refused(request(eur(2), true)), (Reason::ConflictingFields, "keep".into()));
    assert_eq!(refused(request(usd(2), false)).0, Reason::CurrencyMismatch);
}

#[test]
fn a_reversal_has_a_kind() {
    let request = |kind| v1::ReversePaymentRequest {
        ledger_id: "acme".into(),
        payment_id: "P1".into(),
        kind,
        ..Default::default()
    };
    assert!(read(request(4)).is_ok());
    assert_eq!(refused(request(0)), (Reason::MissingField, "kind".into()));
    assert_eq!(refused(request(5)), (Reason::UnknownValue, "kind".into()));
    assert_eq!(refused(request(-1)), (Reason::UnknownValue, "kind".into()));
}
