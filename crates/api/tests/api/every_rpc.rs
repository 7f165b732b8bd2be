//! Every method of the contract, called with nothing and with bytes that are no message.

use std::time::Duration;

use bytes::{Buf, BufMut};
use encours_proto::{Message, method_paths, v1};
use tokio::time::timeout;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::support::{acme, customer, date, eur, invoice, payment, reason};

/// Sends and receives bytes as they are.
#[derive(Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining()).to_vec()))
    }
}

/// How a call with this one message ends: `Ok` also where its stream goes on for ever.
async fn outcome(channel: &Channel, path: &str, message: &[u8]) -> Result<(), Status> {
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await.unwrap();
    let request = Request::new(tokio_stream::once(message.to_vec()));
    let called = grpc.streaming(request, path.parse().unwrap(), Raw).await?;
    let mut answers = called.into_inner();
    loop {
        match timeout(Duration::from_millis(300), answers.message()).await {
            Ok(Ok(Some(_))) => {}
            Ok(Ok(None)) => return Ok(()),
            Ok(Err(status)) => return Err(status),
            // Only a watch goes on.
            Err(_) => {
                assert!(path.contains("/Watch"), "{path} does not end");
                return Ok(());
            }
        }
    }
}

#[tokio::test]
async fn nothing_and_nonsense_are_answered_by_every_method() {
    let (_server, mut client) = acme().await;
    client.customer("ada").await;
    client.invoices.issue_invoice(invoice("F1", "ada", 4_000)).await.unwrap();
    let head = client.head().await;
    let paths = method_paths();
    assert!(paths.len() >= 30, "{paths:?}");
    let nonsense: [&[u8]; 5] = [
        // A length beyond the end, a wire type that there is none of, a varint without an end, a
        // group that does not end, a text that is no UTF-8 in the place of the first field.
        &[0x0a, 0xff, 0xff, 0x03, 0x00],
        &[0x0f, 0x01],
        &[0xff; 12],
        &[0x0b, 0x08, 0x01],
        &[0x0a, 0x02, 0xc3, 0x28],
    ];
    for path in &paths {
        match outcome(&client.channel, path, &[]).await {
            Ok(()) => {
                // A stream of commands answers the empty one in its place.
                let asks_nothing = ["/Get", "/List", "/Read", "/Watch", "/Verify", "/Execute"];
                assert!(
                    asks_nothing.iter().any(|name| path.contains(name)),
                    "{path} did something"
                );
            }
            Err(status) => {
                assert_eq!(status.code(), Code::InvalidArgument, "{path}: {status:?}");
                assert_eq!(reason(&status), "MISSING_FIELD", "{path}: {status:?}");
            }
        }
        for message in nonsense {
            let Err(status) = outcome(&client.channel, path, message).await else {
                // It happens to be a message without anything that the method knows.
                assert!(path.ends_with("/GetHead") || path.ends_with("/VerifyLog"), "{path}");
                continue;
            };
            assert_eq!(status.code(), Code::InvalidArgument, "{path} {message:?}: {status:?}");
            assert!(!reason(&status).is_empty());
        }
    }
    assert_eq!(client.head().await, head, "something was appended");
}

/// Something valid for every method, in an order in which each can be done: after it the ledger
/// `acme` has the customer `ada` and, among others, the invoices `F1` to `F3`.
fn valid() -> Vec<(&'static str, Vec<u8>)> {
    let mut calls = Vec::new();
    calls.extend(valid_documents());
    calls.extend(valid_follow_up());
    calls.extend(valid_reads());
    calls
}

fn valid_documents() -> Vec<(&'static str, Vec<u8>)> {
    let acme = || "acme".to_owned();
    let draft = |id: &str| v1::CreateDraftRequest {
        ledger_id: acme(),
        invoice_id: id.into(),
        customer_id: "ada".into(),
        total: Some(eur(100)),
        ..Default::default()
    };
    let item = v1::AddOpeningItemRequest {
        ledger_id: acme(),
        invoice_id: "O1".into(),
        customer_id: "ada".into(),
        direction: v1::OpeningItemDirection::Owing.into(),
        amount: Some(eur(300)),
        ..Default::default()
    };
    vec![
        call(
            "Ledger/CreateLedger",
            &v1::CreateLedgerRequest {
                ledger_id: "other".into(),
                currency_code: "EUR".into(),
                time_zone: "Europe/Paris".into(),
                ..Default::default()
            },
        ),
        call("Customer/CreateCustomer", &customer("ada")),
        call(
            "Customer/UpdateCustomer",
            &v1::UpdateCustomerRequest {
                ledger_id: acme(),
                customer_id: "ada".into(),
                note: Some("a note".into()),
                ..Default::default()
            },
        ),
        call(
            "Customer/SetCreditLimit",
            &v1::SetCreditLimitRequest {
                ledger_id: acme(),
                customer_id: "ada".into(),
                limit: Some(eur(1_000_000)),
                policy: v1::CreditPolicy::Warn.into(),
                ..Default::default()
            },
        ),
        call("Customer/AddOpeningItem", &item),
        call(
            "Customer/CorrectOpeningItem",
            &v1::CorrectOpeningItemRequest {
                ledger_id: acme(),
                invoice_id: "O1".into(),
                amount: Some(eur(400)),
                ..Default::default()
            },
        ),
        call("Invoice/CreateDraft", &draft("D1")),
        call(
            "Invoice/UpdateDraft",
            &v1::UpdateDraftRequest {
                ledger_id: acme(),
                invoice_id: "D1".into(),
                customer_id: "ada".into(),
                total: Some(eur(200)),
                ..Default::default()
            },
        ),
        call(
            "Invoice/DeleteDraft",
            &v1::DeleteDraftRequest {
                ledger_id: acme(),
                invoice_id: "D1".into(),
                ..Default::default()
            },
        ),
        call("Invoice/IssueInvoice", &invoice("F1", "ada", 4_000)),
        call("Batch/Execute", &v1::ExecuteRequest { commands: vec![issued("F2")] }),
        call("Batch/ExecuteStream", &v1::ExecuteStreamRequest { command: Some(issued("F3")) }),
        call("Payment/RecordPayment", &payment("P1", "ada", 1_000)),
        call(
            "Payment/Allocate",
            &v1::AllocateRequest {
                ledger_id: acme(),
                invoice_id: "F1".into(),
                source: Some(v1::allocate_request::Source::PaymentId("P1".into())),
                amount: Some(eur(500)),
                ..Default::default()
            },
        ),
        call(
            "Payment/Deallocate",
            &v1::DeallocateRequest {
                ledger_id: acme(),
                invoice_id: "F1".into(),
                source: Some(v1::deallocate_request::Source::PaymentId("P1".into())),
                ..Default::default()
            },
        ),
        call(
            "Payment/RefundPayment",
            &v1::RefundPaymentRequest {
                ledger_id: acme(),
                payment_id: "P1".into(),
                amount: Some(eur(100)),
                ..Default::default()
            },
        ),
        call(
            "Payment/ReversePayment",
            &v1::ReversePaymentRequest {
                ledger_id: acme(),
                payment_id: "P1".into(),
                kind: v1::ReversalKind::Bounced.into(),
                ..Default::default()
            },
        ),
        call(
            "CreditNote/IssueCreditNote",
            &v1::IssueCreditNoteRequest {
                ledger_id: acme(),
                credit_note_id: "C1".into(),
                invoice_id: "F2".into(),
                amount: Some(eur(100)),
                ..Default::default()
            },
        ),
        call(
            "Invoice/CancelInvoice",
            &v1::CancelInvoiceRequest {
                ledger_id: acme(),
                invoice_id: "F2".into(),
                ..Default::default()
            },
        ),
    ]
}

fn issued(id: &str) -> v1::Command {
    let issue = v1::command::Command::IssueInvoice(invoice(id, "ada", 4_000));
    v1::Command { command: Some(issue) }
}

fn valid_follow_up() -> Vec<(&'static str, Vec<u8>)> {
    let (ledger_id, invoice_id) = ("acme".to_owned(), "F1".to_owned());
    let channel = v1::ReminderChannel::Letter.into();
    macro_rules! about_invoice {
        ($request:ident $(, $field:ident: $value:expr)*) => {
            &v1::$request {
                ledger_id: ledger_id.clone(),
                invoice_id: invoice_id.clone(),
                $($field: $value,)*
                ..Default::default()
            }
        };
    }
    let day = Some(date(2026, 2, 1));
    vec![
        call("Invoice/MarkSent", about_invoice!(MarkSentRequest)),
        call("Invoice/DisputeInvoice", about_invoice!(DisputeInvoiceRequest)),
        call("Invoice/ResolveDispute", about_invoice!(ResolveDisputeRequest)),
        call("Invoice/PlanPayment", about_invoice!(PlanPaymentRequest, date: day)),
        call("Invoice/CancelPlannedPayment", about_invoice!(CancelPlannedPaymentRequest)),
        call(
            "Invoice/RecordReminder",
            about_invoice!(RecordReminderRequest, level: 1, channel: channel),
        ),
        call("Invoice/StopReminders", about_invoice!(StopRemindersRequest)),
        call(
            "Customer/RecordReminder",
            &v1::CustomerServiceRecordReminderRequest {
                ledger_id: ledger_id.clone(),
                customer_id: "ada".into(),
                level: 2,
                channel,
                ..Default::default()
            },
        ),
        call(
            "Ledger/AdvanceClock",
            &v1::AdvanceClockRequest {
                ledger_id: ledger_id.clone(),
                to: Some(date(2026, 1, 7)),
                ..Default::default()
            },
        ),
    ]
}

fn valid_reads() -> Vec<(&'static str, Vec<u8>)> {
    let ledger_id = || "acme".to_owned();
    let (customer_id, payment_id) = ("ada".to_owned(), "P1".to_owned());
    macro_rules! of_ledger {
        ($request:ident $(, $field:ident: $value:expr)*) => {
            &v1::$request { ledger_id: ledger_id(), $($field: $value,)* ..Default::default() }
        };
    }
    let by_id = Some(v1::get_invoice_request::Invoice::InvoiceId("F1".into()));
    let rows = v1::export_csv_request::Export::Payments(v1::PaymentsExport::default());
    let filter = v1::EventFilter { ledger_id: ledger_id(), ..Default::default() };
    let events = v1::ReadEventsRequest { filter: Some(filter.clone()), ..Default::default() };
    let watch = v1::WatchEventsRequest { filter: Some(filter), ..Default::default() };
    let amount = Some(eur(100));
    vec![
        call("Ledger/GetLedger", of_ledger!(GetLedgerRequest)),
        call("Ledger/ListLedgers", &v1::ListLedgersRequest::default()),
        call(
            "Customer/GetCustomer",
            of_ledger!(GetCustomerRequest, customer_id: customer_id.clone()),
        ),
        call("Customer/ListCustomers", of_ledger!(ListCustomersRequest)),
        call(
            "Customer/CheckCredit",
            of_ledger!(CheckCreditRequest, customer_id: customer_id, amount: amount),
        ),
        call("Invoice/GetInvoice", of_ledger!(GetInvoiceRequest, invoice: by_id)),
        call("Invoice/ListInvoices", of_ledger!(ListInvoicesRequest)),
        call(
            "Invoice/ListInvoiceActivity",
            of_ledger!(ListInvoiceActivityRequest, invoice_id: "F1".into()),
        ),
        call(
            "Invoice/GetReminderPlan",
            of_ledger!(GetReminderPlanRequest, invoice_id: "F1".into()),
        ),
        call("Invoice/ListUpcomingReminders", of_ledger!(ListUpcomingRemindersRequest)),
        call("Payment/GetPayment", of_ledger!(GetPaymentRequest, payment_id: payment_id)),
        call("Payment/ListPayments", of_ledger!(ListPaymentsRequest)),
        call(
            "CreditNote/GetCreditNote",
            of_ledger!(GetCreditNoteRequest, credit_note_id: "C1".into()),
        ),
        call("CreditNote/ListCreditNotes", of_ledger!(ListCreditNotesRequest)),
        call("Report/GetLedgerTotals", of_ledger!(GetLedgerTotalsRequest)),
        call("Report/GetAgeing", of_ledger!(GetAgeingRequest)),
        call("Report/ExportCsv", of_ledger!(ExportCsvRequest, export: Some(rows))),
        call("EventLog/ReadEvents", &events),
        call("EventLog/WatchEvents", &watch),
        call("EventLog/GetHead", &v1::GetHeadRequest {}),
        call("EventLog/VerifyLog", &v1::VerifyLogRequest {}),
    ]
}

fn call(method: &'static str, message: &impl Message) -> (&'static str, Vec<u8>) {
    (method, message.encode_to_vec())
}

#[tokio::test]
async fn something_valid_is_done_by_every_method() {
    let (server, client) = acme().await;
    let calls = valid();
    let mut called: Vec<String> = Vec::new();
    for (method, message) in &calls {
        let path = format!("/encours.v1.{}", method.replacen('/', "Service/", 1));
        // What was written is to be read.
        let head = client.clone().head().await;
        server.model.wait_for(encours_domain::Position(head)).await.unwrap();
        let ended = outcome(&client.channel, &path, message).await;
        assert!(ended.is_ok(), "{path}: {ended:?}");
        called.push(path);
    }
    let mut paths = method_paths();
    called.sort();
    paths.sort();
    assert_eq!(called, paths);
}
