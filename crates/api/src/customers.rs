//! `CustomerService`.

use encours_domain::{Reason, Refusal, resource};
use encours_projections::{AsOf, CreditVerdict};
use encours_proto::command::id;
use encours_proto::credit::{amount_in, policy_message};
use encours_proto::customer::customer_message;
use encours_proto::money::{currency, money_message};
use encours_proto::v1;
use encours_proto::v1::customer_service_server::CustomerService;
use tonic::{Request, Response, Status};

use crate::api::{Api, blocking, unknown};
use crate::failure::Failure;
use crate::filters::{BY_CREATION, customer_filter, order};
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

    async fn add_opening_item(
        &self,
        request: Request<v1::AddOpeningItemRequest>,
    ) -> Result<Response<v1::AddOpeningItemResponse>, Status> {
        self.write(request).await
    }

    async fn correct_opening_item(
        &self,
        request: Request<v1::CorrectOpeningItemRequest>,
    ) -> Result<Response<v1::CorrectOpeningItemResponse>, Status> {
        self.write(request).await
    }

    async fn set_credit_limit(
        &self,
        request: Request<v1::SetCreditLimitRequest>,
    ) -> Result<Response<v1::SetCreditLimitResponse>, Status> {
        self.write(request).await
    }

    async fn check_credit(
        &self,
        request: Request<v1::CheckCreditRequest>,
    ) -> Result<Response<v1::CheckCreditResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        self.ready(&metadata, request.min_position).await?;
        Ok(Response::new(self.credit(&request)?))
    }

    async fn record_reminder(
        &self,
        request: Request<v1::CustomerServiceRecordReminderRequest>,
    ) -> Result<Response<v1::CustomerServiceRecordReminderResponse>, Status> {
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
        let asked = request.filter.clone().unwrap_or_default();
        let filter = customer_filter(&asked)?;
        let (order, order_by) = order(&request.order_by, BY_CREATION)?;
        let list = List::of("ListCustomers", &scope(&request, asked, order_by));
        let page = list.page(request.page_size, &request.page_token, order)?;
        let api = self.clone();
        let response = blocking(move || {
            let name = api.name_of(ledger);
            let view = api.model.customers(ledger, &filter, as_of, page, &name);
            let place = |customer: &resource::Customer| order.key(customer.no.0, None);
            let (customers, next_page_token) =
                list.answer(view.value, place, |found| api.customer(&found))?;
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

    /// What is left of a customer's credit limit, and what would become of an invoice.
    fn credit(&self, request: &v1::CheckCreditRequest) -> Result<v1::CheckCreditResponse, Failure> {
        let no = self.ledger_no(&request.ledger_id)?;
        let id = id("customer_id", &request.customer_id)?;
        let amount = amount_in("amount", request.amount.as_ref(), &request.currency_code)?;
        if let Some(amount) = amount.filter(|amount| amount.minor < 0) {
            let message = format!("amount is {amount}, it must be 0 or more");
            return Err(Refusal::new(Reason::NotPositive, "amount", message).into());
        }
        let missing = || unknown_customer(id.as_str());
        let named = currency("currency_code", &request.currency_code)?;
        let currency = match amount.map(|amount| amount.currency).or(named) {
            Some(currency) => currency,
            None => {
                let found = self.model.customer(no, id.as_str(), AsOf::default()).value;
                let own = found.ok_or_else(missing)?.currency;
                own.map_or_else(|| Ok(self.ledger(&request.ledger_id)?.currency), Ok::<_, Failure>)?
            }
        };
        let asked = amount.map_or(0, |amount| amount.minor);
        let view = self.model.check_credit(no, id.as_str(), currency, asked);
        let check = view.value.ok_or_else(missing)?;
        encours_domain::money::add("amount", check.exposure, asked)?;
        let money = |minor| money_message(minor, currency);
        let policy = check.policy.map(policy_message).unwrap_or_default();
        Ok(v1::CheckCreditResponse {
            limit: check.limit.map(money),
            policy: policy.into(),
            exposure: Some(money(check.exposure)),
            exposure_after: Some(money(check.exposure_after)),
            available: check.available.map(money),
            verdict: verdict_message(check.verdict).into(),
            position: view.position.0,
        })
    }
}

const fn verdict_message(verdict: CreditVerdict) -> v1::CreditVerdict {
    match verdict {
        CreditVerdict::Allowed => v1::CreditVerdict::Allowed,
        CreditVerdict::Warned => v1::CreditVerdict::Warned,
        CreditVerdict::Refused => v1::CreditVerdict::Refused,
    }
}

fn scope(
    request: &v1::ListCustomersRequest,
    asked: v1::CustomerFilter,
    order_by: &str,
) -> v1::ListCustomersRequest {
    v1::ListCustomersRequest {
        ledger_id: request.ledger_id.clone(),
        filter: Some(asked),
        as_of_date: request.as_of_date,
        as_known_at: request.as_known_at,
        order_by: order_by.to_owned(),
        ..Default::default()
    }
}

pub(crate) fn unknown_customer(id: &str) -> Failure {
    unknown(Reason::UnknownCustomer, "customer_id", "customer", id)
}
