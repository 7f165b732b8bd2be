//! The first balance: a ledger, a customer, an invoice, a payment. Run against `encours serve`:
//! `cargo run -p encours-proto --example first_balance [http://127.0.0.1:50051]`.
#![expect(clippy::print_stdout, reason = "an example shows what it gets")]

use encours_proto::v1::customer_service_client::CustomerServiceClient;
use encours_proto::v1::invoice_service_client::InvoiceServiceClient;
use encours_proto::v1::ledger_service_client::LedgerServiceClient;
use encours_proto::v1::payment_service_client::PaymentServiceClient;
use encours_proto::v1::{
    CreateCustomerRequest, CreateLedgerRequest, GetCustomerRequest, IssueInvoiceRequest, Money,
    PaymentMethod, RecordPaymentRequest,
};

fn euros(units: i64) -> Option<Money> {
    Some(Money { currency_code: "EUR".into(), units, nanos: 0 })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = std::env::args().nth(1).unwrap_or_else(|| "http://127.0.0.1:50051".into());
    let channel = tonic::transport::Endpoint::from_shared(server)?.connect().await?;
    let ledger_id = "rust-first".to_owned();

    // Request ids make every call safe to repeat: run this twice, and nothing is added.
    LedgerServiceClient::new(channel.clone())
        .create_ledger(CreateLedgerRequest {
            request_id: "rust-first-ledger".into(),
            ledger_id: ledger_id.clone(),
            currency_code: "EUR".into(),
            time_zone: "Europe/Paris".into(),
            ..Default::default()
        })
        .await?;
    let mut customers = CustomerServiceClient::new(channel.clone());
    customers
        .create_customer(CreateCustomerRequest {
            request_id: "first-customer".into(),
            ledger_id: ledger_id.clone(),
            customer_id: "dupont".into(),
            name: "Dupont SARL".into(),
            ..Default::default()
        })
        .await?;
    let issued = InvoiceServiceClient::new(channel.clone())
        .issue_invoice(IssueInvoiceRequest {
            request_id: "first-invoice".into(),
            ledger_id: ledger_id.clone(),
            customer_id: "dupont".into(),
            total: euros(1_200),
            ..Default::default()
        })
        .await?;
    let invoice = issued.into_inner().invoice.unwrap_or_default();
    let paid = PaymentServiceClient::new(channel)
        .record_payment(RecordPaymentRequest {
            request_id: "first-payment".into(),
            ledger_id: ledger_id.clone(),
            amount: euros(450),
            method: PaymentMethod::Transfer.into(),
            invoice_id: invoice.invoice_id,
            ..Default::default()
        })
        .await?;
    // Read your own write: the answer is at least as new as the payment.
    let answer = customers
        .get_customer(GetCustomerRequest {
            ledger_id,
            customer_id: "dupont".into(),
            min_position: paid.into_inner().position,
            ..Default::default()
        })
        .await?;
    let customer = answer.into_inner().customer.unwrap_or_default();
    for balance in &customer.balances {
        let units = |money: &Option<Money>| money.as_ref().map_or(0, |money| money.units);
        println!(
            "{}: invoiced {} EUR, outstanding {} EUR ({})",
            customer.name,
            units(&balance.invoiced),
            units(&balance.outstanding),
            invoice.number,
        );
    }
    Ok(())
}
