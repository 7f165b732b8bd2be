//! Bad input: each gets its canonical code, its reason and its field, and changes nothing. On a call
//! of its own and in a batch alike.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

use encours_proto::v1;
use encours_proto::v1::command::Command;
use encours_tests::{Client, Company, Server, Told, data_folder, date, eur, money};
use tonic::{Code, Request, Status};

const LEDGER: &str = "acme";
const TEXT_MAX: usize = 4_096;

/// What is asked.
#[derive(Clone, Debug)]
enum Ask {
    Do(Box<Command>),
    GetLedger(v1::GetLedgerRequest),
    GetCustomer(v1::GetCustomerRequest),
    GetInvoice(v1::GetInvoiceRequest),
    GetPayment(v1::GetPaymentRequest),
    GetCreditNote(v1::GetCreditNoteRequest),
    ListInvoices(v1::ListInvoicesRequest),
    ListCustomers(v1::ListCustomersRequest),
    GetAgeing(v1::GetAgeingRequest),
    ReadEvents(v1::ReadEventsRequest),
    Execute(v1::ExecuteRequest),
}

/// A case: a name, what is asked, and what must come back. `field` is what the violation names; it
/// is empty where the state, not the input, says no.
struct Case {
    name: &'static str,
    ask: Ask,
    code: Code,
    reason: &'static str,
    field: &'static str,
}

fn case(
    name: &'static str,
    ask: Ask,
    code: Code,
    reason: &'static str,
    field: &'static str,
) -> Case {
    Case { name, ask, code, reason, field }
}

fn invalid(name: &'static str, ask: Ask, reason: &'static str, field: &'static str) -> Case {
    case(name, ask, Code::InvalidArgument, reason, field)
}

fn refused(name: &'static str, ask: Ask, reason: &'static str) -> Case {
    case(name, ask, Code::FailedPrecondition, reason, "")
}

fn unknown(name: &'static str, ask: Ask, reason: &'static str) -> Case {
    case(name, ask, Code::NotFound, reason, "")
}

fn exists(name: &'static str, ask: Ask, reason: &'static str) -> Case {
    case(name, ask, Code::AlreadyExists, reason, "")
}

/// Answers what a call of its own fails with; `Ok` where it does not fail.
async fn call(client: &Client, ask: Ask) -> Result<(), Status> {
    let mut client = client.clone();
    match ask {
        Ask::Do(command) => call_command(&mut client, *command).await,
        Ask::GetLedger(request) => client.ledgers.get_ledger(request).await.map(drop),
        Ask::GetCustomer(request) => client.customers.get_customer(request).await.map(drop),
        Ask::GetInvoice(request) => client.invoices.get_invoice(request).await.map(drop),
        Ask::GetPayment(request) => client.payments.get_payment(request).await.map(drop),
        Ask::GetCreditNote(request) => client.credit_notes.get_credit_note(request).await.map(drop),
        Ask::ListInvoices(request) => client.invoices.list_invoices(request).await.map(drop),
        Ask::ListCustomers(request) => client.customers.list_customers(request).await.map(drop),
        Ask::GetAgeing(request) => client.reports.get_ageing(request).await.map(drop),
        Ask::ReadEvents(request) => client.log.read_events(request).await.map(drop),
        Ask::Execute(request) => client.batch.execute(request).await.map(drop),
    }
}

async fn call_command(client: &mut Client, command: Command) -> Result<(), Status> {
    match command {
        Command::CreateLedger(r) => client.ledgers.create_ledger(r).await.map(drop),
        Command::AdvanceClock(r) => client.ledgers.advance_clock(r).await.map(drop),
        Command::CreateCustomer(r) => client.customers.create_customer(r).await.map(drop),
        Command::UpdateCustomer(r) => client.customers.update_customer(r).await.map(drop),
        Command::IssueInvoice(r) => client.invoices.issue_invoice(r).await.map(drop),
        Command::MarkSent(r) => client.invoices.mark_sent(r).await.map(drop),
        Command::CancelInvoice(r) => client.invoices.cancel_invoice(r).await.map(drop),
        Command::DisputeInvoice(r) => client.invoices.dispute_invoice(r).await.map(drop),
        Command::ResolveDispute(r) => client.invoices.resolve_dispute(r).await.map(drop),
        Command::RecordPayment(r) => client.payments.record_payment(r).await.map(drop),
        Command::Allocate(r) => client.payments.allocate(r).await.map(drop),
        Command::Deallocate(r) => client.payments.deallocate(r).await.map(drop),
        Command::ReversePayment(r) => client.payments.reverse_payment(r).await.map(drop),
        Command::IssueCreditNote(r) => client.credit_notes.issue_credit_note(r).await.map(drop),
    }
}

// === What is asked, in short form ===

fn ledger(change: impl FnOnce(&mut v1::CreateLedgerRequest)) -> Ask {
    let mut request = v1::CreateLedgerRequest {
        ledger_id: "new".to_owned(),
        currency_code: "EUR".to_owned(),
        time_zone: "Europe/Paris".to_owned(),
        test_clock: Some(v1::TestClock { clock_id: String::new(), start_date: date("2024-01-01") }),
        ..Default::default()
    };
    change(&mut request);
    Ask::Do(Box::new(Command::CreateLedger(request)))
}

fn customer(change: impl FnOnce(&mut v1::CreateCustomerRequest)) -> Ask {
    let mut request = v1::CreateCustomerRequest {
        ledger_id: LEDGER.to_owned(),
        customer_id: "new".to_owned(),
        name: "New".to_owned(),
        ..Default::default()
    };
    change(&mut request);
    Ask::Do(Box::new(Command::CreateCustomer(request)))
}

fn update(change: impl FnOnce(&mut v1::UpdateCustomerRequest)) -> Ask {
    let mut request = v1::UpdateCustomerRequest {
        ledger_id: LEDGER.to_owned(),
        customer_id: "ada".to_owned(),
        name: Some("Ada Byron".to_owned()),
        ..Default::default()
    };
    change(&mut request);
    Ask::Do(Box::new(Command::UpdateCustomer(request)))
}

fn invoice(change: impl FnOnce(&mut v1::IssueInvoiceRequest)) -> Ask {
    let mut request = v1::IssueInvoiceRequest {
        ledger_id: LEDGER.to_owned(),
        invoice_id: "new".to_owned(),
        customer_id: "ada".to_owned(),
        total: eur("10.00"),
        ..Default::default()
    };
    change(&mut request);
    Ask::Do(Box::new(Command::IssueInvoice(request)))
}

fn due(iso: &str) -> Option<v1::issue_invoice_request::Due> {
    date(iso).map(v1::issue_invoice_request::Due::DueDate)
}

fn payment(change: impl FnOnce(&mut v1::RecordPaymentRequest)) -> Ask {
    let mut request = v1::RecordPaymentRequest {
        ledger_id: LEDGER.to_owned(),
        payment_id: "new".to_owned(),
        customer_id: "ada".to_owned(),
        amount: eur("10.00"),
        ..Default::default()
    };
    change(&mut request);
    Ask::Do(Box::new(Command::RecordPayment(request)))
}

fn explicit(invoice_id: &str, amount: Option<v1::Money>) -> Vec<v1::ExplicitAllocation> {
    vec![v1::ExplicitAllocation { invoice_id: invoice_id.to_owned(), amount }]
}

fn allocate(change: impl FnOnce(&mut v1::AllocateRequest)) -> Ask {
    let mut request = v1::AllocateRequest {
        ledger_id: LEDGER.to_owned(),
        invoice_id: "i1".to_owned(),
        source: Some(v1::allocate_request::Source::PaymentId("p1".to_owned())),
        ..Default::default()
    };
    change(&mut request);
    Ask::Do(Box::new(Command::Allocate(request)))
}

fn deallocate(change: impl FnOnce(&mut v1::DeallocateRequest)) -> Ask {
    let mut request = v1::DeallocateRequest {
        ledger_id: LEDGER.to_owned(),
        invoice_id: "i1".to_owned(),
        source: Some(v1::deallocate_request::Source::PaymentId("p1".to_owned())),
        ..Default::default()
    };
    change(&mut request);
    Ask::Do(Box::new(Command::Deallocate(request)))
}

fn note(change: impl FnOnce(&mut v1::IssueCreditNoteRequest)) -> Ask {
    let mut request = v1::IssueCreditNoteRequest {
        ledger_id: LEDGER.to_owned(),
        invoice_id: "i1".to_owned(),
        amount: eur("10.00"),
        ..Default::default()
    };
    change(&mut request);
    Ask::Do(Box::new(Command::IssueCreditNote(request)))
}

fn reverse(payment_id: &str, kind: i32) -> Ask {
    Ask::Do(Box::new(Command::ReversePayment(v1::ReversePaymentRequest {
        ledger_id: LEDGER.to_owned(),
        payment_id: payment_id.to_owned(),
        kind,
        ..Default::default()
    })))
}

fn sent(invoice_id: &str, day: &str) -> Ask {
    Ask::Do(Box::new(Command::MarkSent(v1::MarkSentRequest {
        ledger_id: LEDGER.to_owned(),
        invoice_id: invoice_id.to_owned(),
        date: date(day),
        ..Default::default()
    })))
}

fn advance(ledger_id: &str, to: Option<v1::Date>) -> Ask {
    Ask::Do(Box::new(Command::AdvanceClock(v1::AdvanceClockRequest {
        ledger_id: ledger_id.to_owned(),
        to,
        ..Default::default()
    })))
}

// === The cases ===

fn ids() -> Vec<Case> {
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
    ]
}

fn amounts() -> Vec<Case> {
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
        refused("nothing left to reverse", reverse("p-reversed", 1), "NOTHING_LEFT"),
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

fn dates() -> Vec<Case> {
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
        case(
            "more than ten years",
            advance(LEDGER, date("2034-03-01")),
            Code::ResourceExhausted,
            "LIMIT_REACHED",
            "",
        ),
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

fn sizes_and_values() -> Vec<Case> {
    let long = || "x".repeat(TEXT_MAX + 1);
    let wrap = |command: Ask| match command {
        Ask::Do(command) => v1::Command { command: Some(*command) },
        other => panic!("{other:?} is no command"),
    };
    let many = vec![wrap(customer(|_| {})); 1_001];
    let list = |page_size, page_token: &str| {
        Ask::ListInvoices(v1::ListInvoicesRequest {
            ledger_id: LEDGER.into(),
            page_size,
            page_token: page_token.into(),
            ..Default::default()
        })
    };
    let statuses = Ask::ListCustomers(v1::ListCustomersRequest {
        ledger_id: LEDGER.into(),
        filter: Some(v1::CustomerFilter { statuses: vec![77] }),
        ..Default::default()
    });
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
        case(
            "an old version",
            update(|r| r.expected_version = Some(1)),
            Code::Aborted,
            "VERSION_MISMATCH",
            "",
        ),
        case(
            "an old version of an invoice",
            allocate(|r| r.expected_version = Some(2)),
            Code::Aborted,
            "VERSION_MISMATCH",
            "",
        ),
    ]
}

/// Two customers; Ada's invoice of 100 with 40 paid by `p1` of 45; a reversed payment.
async fn prepare(client: Client) -> Company {
    let company = Company::create(client, LEDGER, "2024-01-05").await;
    company.customer("ada", "Ada").await;
    company.customer("bob", "Bob").await;
    company.issue("i1", "ada", "100.00", "2024-02-01").await;
    let paid = v1::RecordPaymentRequest {
        payment_id: "p1".into(),
        customer_id: "ada".into(),
        amount: eur("45.00"),
        allocations: explicit("i1", eur("40.00")),
        ..Default::default()
    };
    company.pay(paid).await;
    let lost = v1::RecordPaymentRequest {
        payment_id: "p-reversed".into(),
        customer_id: "bob".into(),
        amount: eur("1.00"),
        ..Default::default()
    };
    company.pay(lost).await;
    let given = invoice(|r| {
        r.invoice_id = "given".into();
        r.request_id = "once".into();
        r.customer_id = "bob".into();
        r.number = "GIVEN-1".into();
    });
    let system = ledger(|r| {
        r.ledger_id = "system".into();
        r.test_clock = None;
    });
    for ask in [reverse("p-reversed", 1), given, system] {
        call(&company.client, ask).await.unwrap();
    }
    company.advance("2024-01-10").await;
    company
}

/// Checks an answer; what is wrong with it, if anything.
fn judge(case: &Case, status: Result<(), Status>) -> Option<String> {
    let Err(status) = status else { return Some(format!("{}: it was done", case.name)) };
    let told = Told::from(&status);
    let fields: Vec<_> = told.fields.iter().map(String::as_str).collect();
    let fields_fit = if case.field.is_empty() { fields.is_empty() } else { fields == [case.field] };
    let fits = told.code == case.code
        && told.reason == case.reason
        && told.domain == "encours"
        && fields_fit
        && !told.message.is_empty();
    let Case { name, code, reason, field, .. } = case;
    (!fits).then(|| format!("{name}: expected {code:?} {reason} {field:?}, got {told:?}"))
}

/// The same command in a batch: the same code, reason and field.
async fn judge_in_batch(client: &Client, case: &Case) -> Option<String> {
    let Ask::Do(command) = &case.ask else { return None };
    let command = v1::Command { command: Some(command.as_ref().clone()) };
    let request = v1::ExecuteRequest { commands: vec![command] };
    let answer = client.batch.clone().execute(request).await.unwrap().into_inner();
    let result = answer.results.into_iter().next().unwrap().result.unwrap();
    let v1::command_result::Result::Error(error) = result else {
        return Some(format!("{}: it was done in a batch", case.name));
    };
    let field_fits = case.field.is_empty() || error.field == case.field;
    let fits = error.code == case.code as i32 && error.reason == case.reason && field_fits;
    (!fits).then(|| format!("{} in a batch: {error:?}", case.name))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_input_is_told_and_changes_nothing() {
    let folder = data_folder();
    let server = Server::start(folder.path());
    let company = prepare(Client::connect(&server.url()).await).await;
    let head = company.client.head().await;
    let totals = company.totals().await;
    let mut wrong = Vec::new();
    let cases: Vec<_> =
        [ids(), amounts(), dates(), sizes_and_values()].into_iter().flatten().collect();
    for case in &cases {
        wrong.extend(judge(case, call(&company.client, case.ask.clone()).await));
        wrong.extend(judge_in_batch(&company.client, case).await);
        let after = company.client.head().await;
        if (after.position, &after.frame_hash) != (head.position, &head.frame_hash) {
            wrong.push(format!(
                "{}: the log went from {} to {}",
                case.name, head.position, after.position
            ));
            break;
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert_eq!(company.totals().await, totals);
    println!("{} bad inputs, the log stays at position {}", cases.len(), head.position);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_tells_the_figures() {
    let folder = data_folder();
    let server = Server::start(folder.path());
    let company = prepare(Client::connect(&server.url()).await).await;
    let over = payment(|r| {
        r.amount = eur("500.00");
        r.allocations = explicit("i1", eur("75.50"));
    });
    let told = Told::from(&call(&company.client, over).await.unwrap_err());
    for figure in ["60.00", "75.50"] {
        assert!(told.message.contains(figure), "{told:?}");
        assert!(told.figures.values().any(|value| value.contains(figure)), "{told:?}");
    }
    println!("{}: {} {:?}", told.reason, told.message, told.figures);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_over_the_limit_are_refused_at_the_door() {
    let folder = data_folder();
    let server = Server::start(folder.path());
    let company = prepare(Client::connect(&server.url()).await).await;
    let head = company.client.head().await.position;
    let huge = customer(|r| r.note = "x".repeat(2 << 20));
    let status = call(&company.client, huge).await.unwrap_err();
    assert!(
        matches!(status.code(), Code::OutOfRange | Code::ResourceExhausted | Code::InvalidArgument),
        "{status:?}"
    );
    // Metadata over the limit, and an actor that cannot be kept.
    let mut request = Request::new(v1::GetHeadRequest {});
    request.metadata_mut().insert("x-large", "v".repeat(64 << 10).parse().unwrap());
    assert!(company.client.log.clone().get_head(request).await.is_err());
    let mut request = Request::new(v1::CreateCustomerRequest {
        ledger_id: LEDGER.into(),
        name: "New".into(),
        ..Default::default()
    });
    request.metadata_mut().insert("encours-actor", "a".repeat(129).parse().unwrap());
    let status = company.client.customers.clone().create_customer(request).await.unwrap_err();
    assert_eq!(Told::from(&status).reason, "INVALID_ACTOR");
    assert_eq!(company.client.head().await.position, head);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_grpc_does_no_harm() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let folder = data_folder();
    let server = Server::start(folder.path());
    let company = prepare(Client::connect(&server.url()).await).await;
    let address = server.url().trim_start_matches("http://").to_owned();
    for garbage in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 4096], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff"]
    {
        let mut socket = tokio::net::TcpStream::connect(&address).await.unwrap();
        drop(socket.write_all(garbage).await);
        let mut answer = vec![0; 1024];
        let read =
            tokio::time::timeout(std::time::Duration::from_secs(2), socket.read(&mut answer));
        drop(read.await);
    }
    company.customer("eve", "The server still answers").await;
    assert!(!server.said().contains("panicked"), "{}", server.said());
}
