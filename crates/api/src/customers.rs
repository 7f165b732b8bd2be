//! `CustomerService`.

use encours_domain::{Reason, resource};
use encours_projections::CustomerFilter;
use encours_proto::command::id;
use encours_proto::customer::{customer_message, customer_status};
use encours_proto::v1;
use encours_proto::v1::customer_service_server::CustomerService;
use tonic::{Request, Response, Status};

use crate::api::{Api, blocking, unknown};
use crate::failure::Failure;
use crate::paging::List;

#[tonic::async_trait]
impl CustomerService for Api {
    async fn create_customer(
        &self,
        request: Request<v1::CreateCustomerRequest>,
    ) -> Result<Response<v1::CreateCustomerResponse>, Status> {
        self.write(request).await
    }

    async fn update_customer(
        &self,
        request: Request<v1::UpdateCustomerRequest>,
    ) -> Result<Response<v1::UpdateCustomerResponse>, Status> {
        self.write(request).await
    }

    async fn get_customer(
        &self,
        request: Request<v1::GetCustomerRequest>,
    ) -> Result<Response<v1::GetCustomerResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        self.ready(&metadata, request.min_position).await?;
        let as_of = self.as_of(&metadata, request.as_of_date, request.as_known_at).await?;
        let ledger = self.ledger_no(&request.ledger_id)?;
        let id = id("customer_id", &request.customer_id).map_err(Failure::from)?;
        let api = self.clone();
        let response = blocking(move || {
            let view = api.model.customer(ledger, id.as_str(), as_of);
            let found = view.value.ok_or_else(|| unknown_customer(id.as_str()))?;
            let customer = Some(api.customer(&found)?);
            Ok(v1::GetCustomerResponse { customer, position: view.position.0 })
        });
        Ok(Response::new(response.await?))
    }

    async fn list_customers(
        &self,
        request: Request<v1::ListCustomersRequest>,
    ) -> Result<Response<v1::ListCustomersResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        self.ready(&metadata, request.min_position).await?;
        let as_of = self.as_of(&metadata, request.as_of_date, request.as_known_at).await?;
        let ledger = self.ledger_no(&request.ledger_id)?;
        let mut filter = CustomerFilter::default();
        for (at, status) in request.filter.iter().flat_map(|filter| &filter.statuses).enumerate() {
            let status = customer_status(&format!("filter.statuses[{at}]"), *status);
            filter.statuses.push(status.map_err(Failure::from)?);
        }
        let list = List::of("ListCustomers", &scope(&request));
        let page = list.page(request.page_size, &request.page_token)?;
        let api = self.clone();
        let response = blocking(move || {
            let view = api.model.customers(ledger, &filter, as_of, page);
            let (customers, next_page_token) =
                list.answer(view.value, |customer| customer.no.0, |found| api.customer(&found))?;
            let position = view.position.0;
            Ok(v1::ListCustomersResponse { customers, next_page_token, position })
        });
        Ok(Response::new(response.await?))
    }
}

impl Api {
    fn customer(&self, customer: &resource::Customer) -> Result<v1::Customer, Failure> {
        let details = self.details(customer, Vec::new())?;
        Ok(customer_message(customer, details))
    }
}

fn scope(request: &v1::ListCustomersRequest) -> v1::ListCustomersRequest {
    v1::ListCustomersRequest {
        page_size: 0,
        page_token: String::new(),
        min_position: 0,
        ..request.clone()
    }
}

pub(crate) fn unknown_customer(id: &str) -> Failure {
    unknown(Reason::UnknownCustomer, "customer_id", "customer", id)
}
