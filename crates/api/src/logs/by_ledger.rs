//! The services whose every method names a ledger.

use encours_proto::v1;
use encours_proto::v1::credit_note_service_server::CreditNoteService;
use encours_proto::v1::customer_service_server::CustomerService;
use encours_proto::v1::invoice_service_server::InvoiceService;
use encours_proto::v1::payment_service_server::PaymentService;
use encours_proto::v1::report_service_server::ReportService;
use tonic::{Request, Response, Status};

use super::Logs;
use crate::api::Api;

/// Hands every method on to the log of the ledger that its request names.
macro_rules! by_ledger {
    ($service:ident $({ $(type $stream:ident;)* })? :
        $($method:ident($request:ident) -> $answer:ty;)*) => {
        #[tonic::async_trait]
        impl $service for Logs {
            $($(type $stream = <Api as $service>::$stream;)*)?

            $(async fn $method(
                &self,
                request: Request<v1::$request>,
            ) -> Result<Response<$answer>, Status> {
                let log = self.of_ledger(&request.get_ref().ledger_id).await?;
                <Api as $service>::$method(&log.api, request).await
            })*
        }
    };
}

by_ledger! { CustomerService:
    create_customer(CreateCustomerRequest) -> v1::CreateCustomerResponse;
    update_customer(UpdateCustomerRequest) -> v1::UpdateCustomerResponse;
    add_opening_item(AddOpeningItemRequest) -> v1::AddOpeningItemResponse;
    correct_opening_item(CorrectOpeningItemRequest) -> v1::CorrectOpeningItemResponse;
    set_credit_limit(SetCreditLimitRequest) -> v1::SetCreditLimitResponse;
    check_credit(CheckCreditRequest) -> v1::CheckCreditResponse;
    record_reminder(CustomerServiceRecordReminderRequest)
        -> v1::CustomerServiceRecordReminderResponse;
    get_customer(GetCustomerRequest) -> v1::GetCustomerResponse;
    list_customers(ListCustomersRequest) -> v1::ListCustomersResponse;
}

by_ledger! { InvoiceService:
    create_draft(CreateDraftRequest) -> v1::CreateDraftResponse;
    update_draft(UpdateDraftRequest) -> v1::UpdateDraftResponse;
    delete_draft(DeleteDraftRequest) -> v1::DeleteDraftResponse;
    issue_invoice(IssueInvoiceRequest) -> v1::IssueInvoiceResponse;
    mark_sent(MarkSentRequest) -> v1::MarkSentResponse;
    cancel_invoice(CancelInvoiceRequest) -> v1::CancelInvoiceResponse;
    dispute_invoice(DisputeInvoiceRequest) -> v1::DisputeInvoiceResponse;
    resolve_dispute(ResolveDisputeRequest) -> v1::ResolveDisputeResponse;
    plan_payment(PlanPaymentRequest) -> v1::PlanPaymentResponse;
    cancel_planned_payment(CancelPlannedPaymentRequest) -> v1::CancelPlannedPaymentResponse;
    stop_reminders(StopRemindersRequest) -> v1::StopRemindersResponse;
    record_reminder(RecordReminderRequest) -> v1::RecordReminderResponse;
    get_reminder_plan(GetReminderPlanRequest) -> v1::GetReminderPlanResponse;
    list_upcoming_reminders(ListUpcomingRemindersRequest) -> v1::ListUpcomingRemindersResponse;
    get_invoice(GetInvoiceRequest) -> v1::GetInvoiceResponse;
    list_invoices(ListInvoicesRequest) -> v1::ListInvoicesResponse;
    list_invoice_activity(ListInvoiceActivityRequest) -> v1::ListInvoiceActivityResponse;
}

by_ledger! { PaymentService:
    record_payment(RecordPaymentRequest) -> v1::RecordPaymentResponse;
    allocate(AllocateRequest) -> v1::AllocateResponse;
    deallocate(DeallocateRequest) -> v1::DeallocateResponse;
    reverse_payment(ReversePaymentRequest) -> v1::ReversePaymentResponse;
    refund_payment(RefundPaymentRequest) -> v1::RefundPaymentResponse;
    get_payment(GetPaymentRequest) -> v1::GetPaymentResponse;
    list_payments(ListPaymentsRequest) -> v1::ListPaymentsResponse;
}

by_ledger! { CreditNoteService:
    issue_credit_note(IssueCreditNoteRequest) -> v1::IssueCreditNoteResponse;
    get_credit_note(GetCreditNoteRequest) -> v1::GetCreditNoteResponse;
    list_credit_notes(ListCreditNotesRequest) -> v1::ListCreditNotesResponse;
}

by_ledger! { ReportService { type ExportCsvStream; }:
    get_ledger_totals(GetLedgerTotalsRequest) -> v1::GetLedgerTotalsResponse;
    get_ageing(GetAgeingRequest) -> v1::GetAgeingResponse;
    export_csv(ExportCsvRequest) -> Self::ExportCsvStream;
}
