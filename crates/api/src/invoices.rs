//! `InvoiceService`.

use encours_domain::event::{Draft, InvoiceContent};
use encours_domain::{Event, Reason, resource};
use encours_projections::Order;
use encours_proto::command::id;
use encours_proto::draft::draft_message;
use encours_proto::invoice::invoice_message;
use encours_proto::money::{missing, unknown as unknown_value};
use encours_proto::v1;
use encours_proto::v1::invoice_service_server::InvoiceService;
use tonic::{Request, Response, Status};

use crate::api::{Api, blocking, unknown};
use crate::failure::Failure;
use crate::filters::{OF_INVOICES, order};
use crate::paging::List;

/// The most events in an answer about an invoice: each may carry two texts of 4 KiB.
const MAX_ACTIVITY: usize = 200;
/// The most invoices in an answer in the full view: each is read from the log.
const MAX_FULL: usize = 200;

#[tonic::async_trait]
impl InvoiceService for Api {
    async fn issue_invoice(
        &self,
        request: Request<v1::IssueInvoiceRequest>,
    ) -> Result<Response<v1::IssueInvoiceResponse>, Status> {
        self.write(request).await
    }

    async fn mark_sent(
        &self,
        request: Request<v1::MarkSentRequest>,
    ) -> Result<Response<v1::MarkSentResponse>, Status> {
        self.write(request).await
    }

    async fn cancel_invoice(
        &self,
        request: Request<v1::CancelInvoiceRequest>,
    ) -> Result<Response<v1::CancelInvoiceResponse>, Status> {
        self.write(request).await
    }

    async fn dispute_invoice(
        &self,
        request: Request<v1::DisputeInvoiceRequest>,
    ) -> Result<Response<v1::DisputeInvoiceResponse>, Status> {
        self.write(request).await
    }

    async fn resolve_dispute(
        &self,
        request: Request<v1::ResolveDisputeRequest>,
    ) -> Result<Response<v1::ResolveDisputeResponse>, Status> {
        self.write(request).await
    }

    async fn create_draft(
        &self,
        request: Request<v1::CreateDraftRequest>,
    ) -> Result<Response<v1::CreateDraftResponse>, Status> {
        self.write(request).await
    }

    async fn update_draft(
        &self,
        request: Request<v1::UpdateDraftRequest>,
    ) -> Result<Response<v1::UpdateDraftResponse>, Status> {
        self.write(request).await
    }

    async fn delete_draft(
        &self,
        request: Request<v1::DeleteDraftRequest>,
    ) -> Result<Response<v1::DeleteDraftResponse>, Status> {
        self.write(request).await
    }

    async fn plan_payment(
        &self,
        request: Request<v1::PlanPaymentRequest>,
    ) -> Result<Response<v1::PlanPaymentResponse>, Status> {
        self.write(request).await
    }

    async fn cancel_planned_payment(
        &self,
        request: Request<v1::CancelPlannedPaymentRequest>,
    ) -> Result<Response<v1::CancelPlannedPaymentResponse>, Status> {
        self.write(request).await
    }

    async fn stop_reminders(
        &self,
        request: Request<v1::StopRemindersRequest>,
    ) -> Result<Response<v1::StopRemindersResponse>, Status> {
        self.write(request).await
    }

    async fn record_reminder(
        &self,
        request: Request<v1::RecordReminderRequest>,
    ) -> Result<Response<v1::RecordReminderResponse>, Status> {
        self.write(request).await
    }

    async fn get_reminder_plan(
        &self,
        request: Request<v1::GetReminderPlanRequest>,
    ) -> Result<Response<v1::GetReminderPlanResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        Ok(Response::new(self.reminder_plan(&metadata, request).await?))
    }

    async fn list_upcoming_reminders(
        &self,
        request: Request<v1::ListUpcomingRemindersRequest>,
    ) -> Result<Response<v1::ListUpcomingRemindersResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        Ok(Response::new(self.upcoming_reminders(&metadata, request).await?))
    }

    async fn get_invoice(
        &self,
        request: Request<v1::GetInvoiceRequest>,
    ) -> Result<Response<v1::GetInvoiceResponse>, Status> {
        use v1::get_invoice_request::Invoice as By;
        let (metadata, _, request) = request.into_parts();
        self.ready(&metadata, request.min_position).await?;
        let ledger = self.ledger_no(&request.ledger_id)?;
        let full = full_view(request.view)?;
        let by = request.invoice.ok_or_else(|| Failure::from(missing("invoice_id")))?;
        let (view, asked, field) = match &by {
            By::InvoiceId(text) => {
                let id = id("invoice_id", text).map_err(Failure::from)?;
                (self.model.invoice(ledger, id.as_str()), text, "invoice_id")
            }
            By::Number(number) => (self.model.invoice_by_number(ledger, number), number, "number"),
        };
        let found =
            view.value.ok_or_else(|| unknown(Reason::UnknownInvoice, field, "invoice", asked))?;
        let api = self.clone();
        let invoice = if full {
            blocking(move || api.full(&found)).await?
        } else {
            invoice_message(&found, None)
        };
        Ok(Response::new(v1::GetInvoiceResponse {
            invoice: Some(invoice),
            position: view.position.0,
        }))
    }

    async fn list_invoices(
        &self,
        request: Request<v1::ListInvoicesRequest>,
    ) -> Result<Response<v1::ListInvoicesResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        self.ready(&metadata, request.min_position).await?;
        let ledger = self.ledger_no(&request.ledger_id)?;
        let asked = request.filter.unwrap_or_default();
        let filter = self.invoice_filter(ledger, &asked)?;
        let (order, order_by) = order(&request.order_by, OF_INVOICES)?;
        let full = full_view(request.view)?;
        let scope = v1::ListInvoicesRequest {
            ledger_id: request.ledger_id,
            filter: Some(asked),
            order_by: order_by.to_owned(),
            ..Default::default()
        };
        let list = List::of("ListInvoices", &scope);
        let mut page = list.page(request.page_size, &request.page_token, order)?;
        if full {
            page.limit = page.limit.min(MAX_FULL);
        }
        let api = self.clone();
        let response = blocking(move || {
            let view = api.model.invoices(ledger, &filter, page, &api.name_of(ledger));
            let due = |invoice: &resource::Invoice| invoice.due.map(|due| due.date);
            let (invoices, next_page_token) = list.answer(
                view.value,
                |invoice| order.key(invoice.no.0, due(invoice)),
                |found| if full { api.full(&found) } else { Ok(invoice_message(&found, None)) },
            )?;
            let position = view.position.0;
            Ok(v1::ListInvoicesResponse { invoices, next_page_token, position })
        });
        Ok(Response::new(response.await?))
    }

    async fn list_invoice_activity(
        &self,
        request: Request<v1::ListInvoiceActivityRequest>,
    ) -> Result<Response<v1::ListInvoiceActivityResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        self.ready(&metadata, request.min_position).await?;
        let ledger = self.ledger_no(&request.ledger_id)?;
        let id = id("invoice_id", &request.invoice_id).map_err(Failure::from)?;
        let scope = v1::ListInvoiceActivityRequest {
            ledger_id: request.ledger_id,
            invoice_id: request.invoice_id,
            ..Default::default()
        };
        let list = List::of("ListInvoiceActivity", &scope);
        let mut page = list.page(request.page_size, &request.page_token, Order::Created)?;
        page.limit = page.limit.min(MAX_ACTIVITY);
        let api = self.clone();
        let response = blocking(move || {
            let view = api.model.activity(ledger, id.as_str(), page);
            let found = view.value.ok_or_else(|| unknown_invoice("invoice_id", id.as_str()))?;
            let events = api.events().at(&found.items)?;
            let next_page_token = found.next.map_or_else(String::new, |next| list.token(next.0));
            let position = view.position.0;
            Ok(v1::ListInvoiceActivityResponse { events, next_page_token, position })
        });
        Ok(Response::new(response.await?))
    }
}

fn full_view(number: i32) -> Result<bool, Failure> {
    match v1::InvoiceView::try_from(number) {
        Ok(v1::InvoiceView::Full) => Ok(true),
        Ok(v1::InvoiceView::Unspecified | v1::InvoiceView::Basic) => Ok(false),
        Err(_) => Err(unknown_value("view", number).into()),
    }
}

pub(crate) fn unknown_invoice(field: &str, id: &str) -> Failure {
    unknown(Reason::UnknownInvoice, field, "invoice", id)
}

impl Api {
    /// The invoice with all it carries, which lies in the log where it was said last. Reads the disk.
    fn full(&self, invoice: &resource::Invoice) -> Result<v1::Invoice, Failure> {
        let message = |content: &InvoiceContent| invoice_message(invoice, Some(content));
        let of_draft = |draft: &Draft| v1::Invoice {
            draft: Some(draft_message(draft)),
            ..message(&draft.content)
        };
        match self.events().event(invoice.content)? {
            Event::InvoiceIssued(issued) => Ok(message(&issued.content)),
            Event::DraftCreated(created) => Ok(of_draft(&created.draft)),
            Event::DraftUpdated(updated) => Ok(of_draft(&updated.draft)),
            // An opening item carries nothing beside its claim.
            Event::OpeningItemAdded(_) | Event::OpeningItemCorrected(_) => {
                Ok(message(&InvoiceContent::default()))
            }
            _ => Err(Failure::unreadable(invoice.content, "nothing was said of an invoice there")),
        }
    }
}
