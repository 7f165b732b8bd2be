//! `CreditNoteService`.

use encours_domain::Reason;
use encours_projections::CreditNoteFilter;
use encours_proto::command::{id, optional_id};
use encours_proto::credit_note::credit_note_message;
use encours_proto::v1;
use encours_proto::v1::credit_note_service_server::CreditNoteService;
use tonic::{Request, Response, Status};

use crate::api::{Api, unknown};
use crate::failure::Failure;
use crate::filters::{BY_CREATION, order};
use crate::invoices::unknown_invoice;
use crate::paging::List;

#[tonic::async_trait]
impl CreditNoteService for Api {
    async fn issue_credit_note(
        &self,
        request: Request<v1::IssueCreditNoteRequest>,
    ) -> Result<Response<v1::IssueCreditNoteResponse>, Status> {
        self.write(request).await
    }

    async fn get_credit_note(
        &self,
        request: Request<v1::GetCreditNoteRequest>,
    ) -> Result<Response<v1::GetCreditNoteResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        self.ready(&metadata, request.min_position).await?;
        let ledger = self.ledger_no(&request.ledger_id)?;
        let id = id("credit_note_id", &request.credit_note_id).map_err(Failure::from)?;
        let view = self.model.credit_note(ledger, id.as_str());
        let note = view.value.ok_or_else(|| {
            unknown(Reason::UnknownCreditNote, "credit_note_id", "credit note", id.as_str())
        })?;
        Ok(Response::new(v1::GetCreditNoteResponse {
            credit_note: Some(credit_note_message(&note)),
            position: view.position.0,
        }))
    }

    async fn list_credit_notes(
        &self,
        request: Request<v1::ListCreditNotesRequest>,
    ) -> Result<Response<v1::ListCreditNotesResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        self.ready(&metadata, request.min_position).await?;
        let ledger = self.ledger_no(&request.ledger_id)?;
        let asked = request.filter.clone().unwrap_or_default();
        let invoice_id = optional_id("invoice_id", &asked.invoice_id)
            .map_err(|refusal| Failure::from(refusal.within("filter")))?;
        let invoice = match invoice_id {
            None => None,
            Some(id) => {
                let found = self.model.invoice(ledger, id.as_str()).value;
                let found = found.ok_or_else(|| unknown_invoice("invoice_id", id.as_str()))?;
                Some(found.no)
            }
        };
        let filter = CreditNoteFilter {
            customer: self.filtered_customer(ledger, &asked.customer_id)?,
            invoice,
            has_unapplied: asked.has_unapplied,
        };
        let (order, order_by) = order(&request.order_by, BY_CREATION)?;
        let scope = v1::ListCreditNotesRequest {
            ledger_id: request.ledger_id,
            filter: Some(asked),
            order_by: order_by.to_owned(),
            ..Default::default()
        };
        let list = List::of("ListCreditNotes", &scope);
        let page = list.page(request.page_size, &request.page_token, order)?;
        let view = self.model.credit_notes(ledger, filter, page);
        let (credit_notes, next_page_token) = list.answer(
            view.value,
            |note| order.key(note.no.0, None),
            |found| Ok(credit_note_message(&found)),
        )?;
        let position = view.position.0;
        Ok(Response::new(v1::ListCreditNotesResponse { credit_notes, next_page_token, position }))
    }
}
