//! `PaymentService`.

use encours_domain::Reason;
use encours_proto::command::id;
use encours_proto::payment::payment_message;
use encours_proto::v1;
use encours_proto::v1::payment_service_server::PaymentService;
use tonic::{Request, Response, Status};

use crate::api::{Api, unknown};
use crate::failure::Failure;
use crate::filters::{BY_CREATION, order};
use crate::paging::List;

#[tonic::async_trait]
impl PaymentService for Api {
    async fn record_payment(
        &self,
        request: Request<v1::RecordPaymentRequest>,
    ) -> Result<Response<v1::RecordPaymentResponse>, Status> {
        self.write(request).await
    }

    async fn allocate(
        &self,
        request: Request<v1::AllocateRequest>,
    ) -> Result<Response<v1::AllocateResponse>, Status> {
        self.write(request).await
    }

    async fn deallocate(
        &self,
        request: Request<v1::DeallocateRequest>,
    ) -> Result<Response<v1::DeallocateResponse>, Status> {
        self.write(request).await
    }

    async fn reverse_payment(
        &self,
        request: Request<v1::ReversePaymentRequest>,
    ) -> Result<Response<v1::ReversePaymentResponse>, Status> {
        self.write(request).await
    }

    async fn refund_payment(
        &self,
        request: Request<v1::RefundPaymentRequest>,
    ) -> Result<Response<v1::RefundPaymentResponse>, Status> {
        self.write(request).await
    }

    async fn get_payment(
        &self,
        request: Request<v1::GetPaymentRequest>,
    ) -> Result<Response<v1::GetPaymentResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        self.ready(&metadata, request.min_position).await?;
        let ledger = self.ledger_no(&request.ledger_id)?;
        let id = id("payment_id", &request.payment_id).map_err(Failure::from)?;
        let view = self.model.payment(ledger, id.as_str());
        let payment = view
            .value
            .ok_or_else(|| unknown(Reason::UnknownPayment, "payment_id", "payment", id.as_str()))?;
        Ok(Response::new(v1::GetPaymentResponse {
            payment: Some(payment_message(&payment)),
            position: view.position.0,
        }))
    }

    async fn list_payments(
        &self,
        request: Request<v1::ListPaymentsRequest>,
    ) -> Result<Response<v1::ListPaymentsResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        self.ready(&metadata, request.min_position).await?;
        let ledger = self.ledger_no(&request.ledger_id)?;
        let asked = request.filter.unwrap_or_default();
        let filter = self.payment_filter(ledger, &asked)?;
        let (order, order_by) = order(&request.order_by, BY_CREATION)?;
        let scope = v1::ListPaymentsRequest {
            ledger_id: request.ledger_id,
            filter: Some(asked),
            order_by: order_by.to_owned(),
            ..Default::default()
        };
        let list = List::of("ListPayments", &scope);
        let page = list.page(request.page_size, &request.page_token, order)?;
        let view = self.model.payments(ledger, filter, page);
        let (payments, next_page_token) = list.answer(
            view.value,
            |payment| order.key(payment.no.0, None),
            |found| Ok(payment_message(&found)),
        )?;
        let position = view.position.0;
        Ok(Response::new(v1::ListPaymentsResponse { payments, next_page_token, position }))
    }
}
