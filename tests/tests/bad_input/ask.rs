//! What is asked of the service, in short form: a request that is fine, and what is changed of it.

use encours_proto::v1;
use encours_proto::v1::command::Command;
use encours_tests::{Client, date, eur};
use tonic::Status;

use crate::LEDGER;

/// What is asked.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    Do(Box<Command>),
    GetLedger(v1::GetLedgerRequest),
    GetCustomer(v1::GetCustomerRequest),
    GetInvoice(v1::GetInvoiceRequest),
    GetPayment(v1::GetPaymentRequest),
    GetCreditNote(v1::GetCreditNoteRequest),
    ListInvoices(Box<v1::ListInvoicesRequest>),
    ListCustomers(Box<v1::ListCustomersRequest>),
    GetAgeing(v1::GetAgeingRequest),
    ReadEvents(v1::ReadEventsRequest),
    Execute(v1::ExecuteRequest),
}

/// Answers what a call of its own fails with; `Ok` where it does not fail.
pub(crate) async fn call(client: &Client, ask: Ask) -> Result<(), Status> {
    let mut client = client.clone();
    match ask {
        Ask::Do(command) => call_command(&mut client, *command).await,
        Ask::GetLedger(request) => client.ledgers.get_ledger(request).await.map(drop),
        Ask::GetCustomer(request) => client.customers.get_customer(request).await.map(drop),
        Ask::GetInvoice(request) => client.invoices.get_invoice(request).await.map(drop),
        Ask::GetPayment(request) => client.payments.get_payment(request).await.map(drop),
        Ask::GetCreditNote(request) => client.credit_notes.get_credit_note(request).await.map(drop),
        Ask::ListInvoices(request) => client.invoices.list_invoices(*request).await.map(drop),
        Ask::ListCustomers(request) => client.customers.list_customers(*request).await.map(drop),
        Ask::GetAgeing(request) => client.reports.get_ageing(request).await.map(drop),
        Ask::ReadEvents(request) => client.log.read_events(request).await.map(drop),
        Ask::Execute(request) => client.batch.execute(request).await.map(drop),
    }
}

pub(crate) async fn call_command(client: &mut Client, command: Command) -> Result<(), Status> {
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
        Command::CreateDraft(r) => client.invoices.create_draft(r).await.map(drop),
        Command::UpdateDraft(r) => client.invoices.update_draft(r).await.map(drop),
        Command::DeleteDraft(r) => client.invoices.delete_draft(r).await.map(drop),
        Command::PlanPayment(r) => client.invoices.plan_payment(r).await.map(drop),
        Command::CancelPlannedPayment(r) => {
            client.invoices.cancel_planned_payment(r).await.map(drop)
        }
        Command::StopReminders(r) => client.invoices.stop_reminders(r).await.map(drop),
        Command::RecordReminder(r) => client.invoices.record_reminder(r).await.map(drop),
        Command::AddOpeningItem(r) => client.customers.add_opening_item(r).await.map(drop),
        Command::CorrectOpeningItem(r) => client.customers.correct_opening_item(r).await.map(drop),
        Command::SetCreditLimit(r) => client.customers.set_credit_limit(r).await.map(drop),
        Command::RecordCustomerReminder(r) => client.customers.record_reminder(r).await.map(drop),
        Command::RefundPayment(r) => client.payments.refund_payment(r).await.map(drop),
    }
}

pub(crate) fn ledger(change: impl FnOnce(&mut v1::CreateLedgerRequest)) -> Ask {
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

pub(crate) fn customer(change: impl FnOnce(&mut v1::CreateCustomerRequest)) -> Ask {
    let mut request = v1::CreateCustomerRequest {
        ledger_id: LEDGER.to_owned(),
        customer_id: "new".to_owned(),
        name: "New".to_owned(),
        ..Default::default()
    };
    change(&mut request);
    Ask::Do(Box::new(Command::CreateCustomer(request)))
}

pub(crate) fn update(change: impl FnOnce(&mut v1::UpdateCustomerRequest)) -> Ask {
    let mut request = v1::UpdateCustomerRequest {
        ledger_id: LEDGER.to_owned(),
        customer_id: "ada".to_owned(),
        name: Some("Ada Byron".to_owned()),
        ..Default::default()
    };
    change(&mut request);
    Ask::Do(Box::new(Command::UpdateCustomer(request)))
}

pub(crate) fn invoice(change: impl FnOnce(&mut v1::IssueInvoiceRequest)) -> Ask {
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

pub(crate) fn due(iso: &str) -> Option<v1::issue_invoice_request::Due> {
    date(iso).map(v1::issue_invoice_request::Due::DueDate)
}

pub(crate) fn payment(change: impl FnOnce(&mut v1::RecordPaymentRequest)) -> Ask {
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

pub(crate) fn explicit(invoice_id: &str, amount: Option<v1::Money>) -> Vec<v1::ExplicitAllocation> {
    vec![v1::ExplicitAllocation { invoice_id: invoice_id.to_owned(), amount }]
}

pub(crate) fn allocate(change: impl FnOnce(&mut v1::AllocateRequest)) -> Ask {
    let mut request = v1::AllocateRequest {
        ledger_id: LEDGER.to_owned(),
        invoice_id: "i1".to_owned(),
        source: Some(v1::allocate_request::Source::PaymentId("p1".to_owned())),
        ..Default::default()
    };
    change(&mut request);
    Ask::Do(Box::new(Command::Allocate(request)))
}

pub(crate) fn deallocate(change: impl FnOnce(&mut v1::DeallocateRequest)) -> Ask {
    let mut request = v1::DeallocateRequest {
        ledger_id: LEDGER.to_owned(),
        invoice_id: "i1".to_owned(),
        source: Some(v1::deallocate_request::Source::PaymentId("p1".to_owned())),
        ..Default::default()
    };
    change(&mut request);
    Ask::Do(Box::new(Command::Deallocate(request)))
}

pub(crate) fn note(change: impl FnOnce(&mut v1::IssueCreditNoteRequest)) -> Ask {
    let mut request = v1::IssueCreditNoteRequest {
        ledger_id: LEDGER.to_owned(),
        invoice_id: "i1".to_owned(),
        amount: eur("10.00"),
        ..Default::default()
    };
    change(&mut request);
    Ask::Do(Box::new(Command::IssueCreditNote(request)))
}

pub(crate) fn reverse(payment_id: &str, kind: i32) -> Ask {
    Ask::Do(Box::new(Command::ReversePayment(v1::ReversePaymentRequest {
        ledger_id: LEDGER.to_owned(),
        payment_id: payment_id.to_owned(),
        kind,
        ..Default::default()
    })))
}

pub(crate) fn cancel(invoice_id: &str) -> Ask {
    Ask::Do(Box::new(Command::CancelInvoice(v1::CancelInvoiceRequest {
        ledger_id: LEDGER.to_owned(),
        invoice_id: invoice_id.to_owned(),
        ..Default::default()
    })))
}

pub(crate) fn resolve(invoice_id: &str) -> Ask {
    Ask::Do(Box::new(Command::ResolveDispute(v1::ResolveDisputeRequest {
        ledger_id: LEDGER.to_owned(),
        invoice_id: invoice_id.to_owned(),
        ..Default::default()
    })))
}

pub(crate) fn sent(invoice_id: &str, day: &str) -> Ask {
    Ask::Do(Box::new(Command::MarkSent(v1::MarkSentRequest {
        ledger_id: LEDGER.to_owned(),
        invoice_id: invoice_id.to_owned(),
        date: date(day),
        ..Default::default()
    })))
}

pub(crate) fn advance(ledger_id: &str, to: Option<v1::Date>) -> Ask {
    Ask::Do(Box::new(Command::AdvanceClock(v1::AdvanceClockRequest {
        ledger_id: ledger_id.to_owned(),
        to,
        ..Default::default()
    })))
}
