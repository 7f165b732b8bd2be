//! `InvoiceService`.

use encours_domain::number::{CustomerNo, LedgerNo};
use encours_domain::{Event, Reason, Refusal, resource};
use encours_projections::InvoiceFilter;
use encours_proto::command::{id, optional_id};
use encours_proto::invoice::{document, headline, invoice_message, settlement, timing};
use encours_proto::money::{missing, unknown as unknown_value};
use encours_proto::v1;
use encours_proto::v1::invoice_service_server::InvoiceService;
use tonic::{Request, Response, Status};

use crate::api::{Api, blocking, unknown};
use crate::customers::unknown_customer;
use crate::failure::Failure;
use crate::paging::List;

/// The most events in an answer about an invoice: each may carry two texts of 4 KiB.
const MAX_ACTIVITY: usize = 200;

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
        let invoice = if full { self.full(found).await? } else { invoice_message(&found, None) };
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
        let asked = request.filter.clone().unwrap_or_default();
        let filter = self.filter(ledger, &asked)?;
        let scope = v1::ListInvoicesRequest {
            ledger_id: request.ledger_id,
            filter: Some(asked),
            ..Default::default()
        };
        let list = List::of("ListInvoices", &scope);
        let page = list.page(request.page_size, &request.page_token)?;
        let view = self.model.invoices(ledger, &filter, page);
        let (invoices, next_page_token) = list.answer(
            view.value,
            |invoice| invoice.no.0,
            |found| Ok(invoice_message(&found, None)),
        )?;
        let position = view.position.0;
        Ok(Response::new(v1::ListInvoicesResponse { invoices, next_page_token, position }))
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
        let mut page = list.page(request.page_size, &request.page_token)?;
        page.limit = page.limit.min(MAX_ACTIVITY);
        let api = self.clone();
        let response = blocking(move || {
            let view = api.model.activity(ledger, id.as_str(), page);
            let found = view.value.ok_or_else(|| unknown_invoice("invoice_id", id.as_str()))?;
            let events = api.events().at(&found.items)?;
            let next_page_token =
                found.next.map_or_else(String::new, |next| list.token(u64::from(next)));
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
    /// The invoice with all it carries, which lies in the log where it was created.
    async fn full(&self, invoice: resource::Invoice) -> Result<v1::Invoice, Failure> {
        let api = self.clone();
        blocking(move || match api.events().event(invoice.created)? {
            Event::InvoiceIssued(issued) => Ok(invoice_message(&invoice, Some(&issued.content))),
            _ => Err(Failure::unreadable(invoice.created, "no invoice was issued there")),
        })
        .await
    }

    /// The number of a customer that a filter names.
    pub(crate) fn filtered_customer(
        &self,
        ledger: LedgerNo,
        customer_id: &str,
    ) -> Result<Option<CustomerNo>, Failure> {
        let id = optional_id("customer_id", customer_id)
            .map_err(|refusal| Failure::from(refusal.within("filter")))?;
        let Some(id) = id else { return Ok(None) };
        let found = self.model.customer_no(ledger, id.as_str()).value;
        found.map(Some).ok_or_else(|| unknown_customer(id.as_str()))
    }

    fn filter(
        &self,
        ledger: LedgerNo,
        asked: &v1::InvoiceFilter,
    ) -> Result<InvoiceFilter, Failure> {
        let mut headlines = Vec::with_capacity(asked.statuses.len());
        for (at, status) in asked.statuses.iter().enumerate() {
            headlines.push(headline(&format!("filter.statuses[{at}]"), *status)?);
        }
        Ok(InvoiceFilter {
            customer: self.filtered_customer(ledger, &asked.customer_id)?,
            headlines,
            document: given(asked.document, "filter.document", document)?,
            settlement: given(asked.settlement, "filter.settlement", settlement)?,
            timing: given(asked.timing, "filter.timing", timing)?,
            disputed: asked.disputed,
            open: asked.open,
            ever_overdue: asked.ever_overdue,
        })
    }
}

/// A facet that may be left out: 0 is not said.
fn given<T>(
    number: i32,
    field: &str,
    read: impl Fn(&str, i32) -> Result<T, Refusal>,
) -> Result<Option<T>, Failure> {
    if number == 0 { Ok(None) } else { Ok(Some(read(field, number)?)) }
}
