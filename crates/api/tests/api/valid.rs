//! Something valid to ask of every method of the contract.

use encours_proto::{Message, v1};

use crate::support::{customer, date, eur, invoice, payment};

/// A call: service and method, and the bytes of the request.
type Call = (&'static str, Vec<u8>);

/// A request about the ledger `acme`.
macro_rules! acme {
    ($request:ident $(, $field:ident: $value:expr)* $(,)?) => {
        &v1::$request { ledger_id: "acme".into(), $($field: $value,)* ..Default::default() }
    };
}

/// A call of every method, in an order in which each can be done on a ledger `acme` where there is
/// nothing yet.
pub(crate) fn valid() -> Vec<Call> {
    [customers(), drafts(), documents(), payments(), follow_up(), reads(), lists(), log()].concat()
}

fn call(method: &'static str, message: &impl Message) -> Call {
    (method, message.encode_to_vec())
}

fn ada() -> String {
    "ada".into()
}

fn f1() -> String {
    "F1".into()
}

fn customers() -> Vec<Call> {
    let other = v1::CreateLedgerRequest {
        ledger_id: "other".into(),
        currency_code: "EUR".into(),
        time_zone: "Europe/Paris".into(),
        ..Default::default()
    };
    let note = Some("a note".into());
    let (limit, policy) = (Some(eur(1_000_000)), v1::CreditPolicy::Warn.into());
    let owing = v1::OpeningItemDirection::Owing.into();
    let item = acme!(
        AddOpeningItemRequest,
        invoice_id: "O1".into(),
        customer_id: ada(),
        direction: owing,
        amount: Some(eur(300)),
    );
    let right = Some(eur(400));
    vec![
        call("Ledger/CreateLedger", &other),
        call("Customer/CreateCustomer", &customer("ada")),
        call(
            "Customer/UpdateCustomer",
            acme!(UpdateCustomerRequest, customer_id: ada(), note: note),
        ),
        call(
            "Customer/SetCreditLimit",
            acme!(SetCreditLimitRequest, customer_id: ada(), limit: limit, policy: policy),
        ),
        call("Customer/AddOpeningItem", item),
        call(
            "Customer/CorrectOpeningItem",
            acme!(CorrectOpeningItemRequest, invoice_id: "O1".into(), amount: right),
        ),
    ]
}

fn drafts() -> Vec<Call> {
    let d1 = || "D1".to_owned();
    let draft = acme!(
        CreateDraftRequest,
        invoice_id: d1(),
        customer_id: ada(),
        total: Some(eur(100)),
    );
    let changed = acme!(
        UpdateDraftRequest,
        invoice_id: d1(),
        customer_id: ada(),
        total: Some(eur(200)),
    );
    vec![
        call("Invoice/CreateDraft", draft),
        call("Invoice/UpdateDraft", changed),
        call("Invoice/DeleteDraft", acme!(DeleteDraftRequest, invoice_id: d1())),
    ]
}

fn documents() -> Vec<Call> {
    let issue = |id| {
        let issue = v1::command::Command::IssueInvoice(invoice(id, "ada", 4_000));
        v1::Command { command: Some(issue) }
    };
    let (note, f2) = ("C1".to_owned(), || "F2".to_owned());
    let amount = Some(eur(100));
    vec![
        call("Invoice/IssueInvoice", &invoice("F1", "ada", 4_000)),
        call("Batch/Execute", &v1::ExecuteRequest { commands: vec![issue("F2")] }),
        call("Batch/ExecuteStream", &v1::ExecuteStreamRequest { command: Some(issue("F3")) }),
        call(
            "CreditNote/IssueCreditNote",
            acme!(IssueCreditNoteRequest, credit_note_id: note, invoice_id: f2(), amount: amount),
        ),
        call("Invoice/CancelInvoice", acme!(CancelInvoiceRequest, invoice_id: f2())),
    ]
}

fn payments() -> Vec<Call> {
    let p1 = || "P1".to_owned();
    let on = Some(v1::allocate_request::Source::PaymentId(p1()));
    let off = Some(v1::deallocate_request::Source::PaymentId(p1()));
    let (part, back) = (Some(eur(500)), Some(eur(100)));
    let bounced = v1::ReversalKind::Bounced.into();
    vec![
        call("Payment/RecordPayment", &payment("P1", "ada", 1_000)),
        call(
            "Payment/Allocate",
            acme!(AllocateRequest, invoice_id: f1(), source: on, amount: part),
        ),
        call("Payment/Deallocate", acme!(DeallocateRequest, invoice_id: f1(), source: off)),
        call("Payment/RefundPayment", acme!(RefundPaymentRequest, payment_id: p1(), amount: back)),
        call(
            "Payment/ReversePayment",
            acme!(ReversePaymentRequest, payment_id: p1(), kind: bounced),
        ),
    ]
}

fn follow_up() -> Vec<Call> {
    let channel = v1::ReminderChannel::Letter.into();
    let (planned, to) = (Some(date(2026, 2, 1)), Some(date(2026, 1, 7)));
    let by_hand =
        acme!(CustomerServiceRecordReminderRequest, customer_id: ada(), level: 2, channel: channel);
    vec![
        call("Invoice/MarkSent", acme!(MarkSentRequest, invoice_id: f1())),
        call("Invoice/DisputeInvoice", acme!(DisputeInvoiceRequest, invoice_id: f1())),
        call("Invoice/ResolveDispute", acme!(ResolveDisputeRequest, invoice_id: f1())),
        call("Invoice/PlanPayment", acme!(PlanPaymentRequest, invoice_id: f1(), date: planned)),
        call("Invoice/CancelPlannedPayment", acme!(CancelPlannedPaymentRequest, invoice_id: f1())),
        call(
            "Invoice/RecordReminder",
            acme!(RecordReminderRequest, invoice_id: f1(), level: 1, channel: channel),
        ),
        call("Invoice/StopReminders", acme!(StopRemindersRequest, invoice_id: f1())),
        call("Customer/RecordReminder", by_hand),
        call("Ledger/AdvanceClock", acme!(AdvanceClockRequest, to: to)),
    ]
}

fn reads() -> Vec<Call> {
    let by_id = Some(v1::get_invoice_request::Invoice::InvoiceId(f1()));
    let (note, amount) = ("C1".to_owned(), Some(eur(100)));
    vec![
        call("Ledger/GetLedger", acme!(GetLedgerRequest)),
        call("Customer/GetCustomer", acme!(GetCustomerRequest, customer_id: ada())),
        call("Customer/CheckCredit", acme!(CheckCreditRequest, customer_id: ada(), amount: amount)),
        call("Invoice/GetInvoice", acme!(GetInvoiceRequest, invoice: by_id)),
        call("Invoice/GetReminderPlan", acme!(GetReminderPlanRequest, invoice_id: f1())),
        call("Payment/GetPayment", acme!(GetPaymentRequest, payment_id: "P1".into())),
        call("CreditNote/GetCreditNote", acme!(GetCreditNoteRequest, credit_note_id: note)),
        call("Report/GetLedgerTotals", acme!(GetLedgerTotalsRequest)),
        call("Report/GetAgeing", acme!(GetAgeingRequest)),
    ]
}

fn lists() -> Vec<Call> {
    let rows = v1::export_csv_request::Export::Payments(v1::PaymentsExport::default());
    vec![
        call("Ledger/ListLedgers", &v1::ListLedgersRequest::default()),
        call("Customer/ListCustomers", acme!(ListCustomersRequest)),
        call("Invoice/ListInvoices", acme!(ListInvoicesRequest)),
        call("Invoice/ListInvoiceActivity", acme!(ListInvoiceActivityRequest, invoice_id: f1())),
        call("Invoice/ListUpcomingReminders", acme!(ListUpcomingRemindersRequest)),
        call("Payment/ListPayments", acme!(ListPaymentsRequest)),
        call("CreditNote/ListCreditNotes", acme!(ListCreditNotesRequest)),
        call("Report/ExportCsv", acme!(ExportCsvRequest, export: Some(rows))),
    ]
}

fn log() -> Vec<Call> {
    let filter = v1::EventFilter { ledger_id: "acme".into(), ..Default::default() };
    let read = v1::ReadEventsRequest { filter: Some(filter.clone()), ..Default::default() };
    let watch = v1::WatchEventsRequest { filter: Some(filter), ..Default::default() };
    vec![
        call("EventLog/ReadEvents", &read),
        call("EventLog/WatchEvents", &watch),
        call("EventLog/GetHead", &v1::GetHeadRequest::default()),
        call("EventLog/VerifyLog", &v1::VerifyLogRequest::default()),
        call("EventLog/RebuildReadModel", &v1::RebuildReadModelRequest::default()),
        call("EventLog/GetProof", acme!(GetProofRequest, position: 1, old_tree_size: 1)),
        call("EventLog/GetCheckpoint", acme!(GetCheckpointRequest)),
    ]
}
