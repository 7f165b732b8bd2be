//! The commands of a load, each known by its request id.

use encours_proto::v1;
use encours_proto::v1::command::Command;
use encours_sim::Rng;
use tonic::Response;

use super::LOAD_LEDGER;
use crate::client::{Client, Told};
use crate::values::eur;

/// A command that was sent: its request id says which one it is.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The id that the client gave.
    pub request_id: String,
    /// What was asked for.
    pub command: Command,
}

impl Sent {
    /// The n-th command of a client: mostly invoices and payments for them, sometimes a customer.
    pub(super) fn new(stem: &str, n: u64, customers: u64, rng: &mut Rng) -> Self {
        let request_id = format!("{stem}-{n}");
        let (ledger_id, id) = (LOAD_LEDGER.to_owned(), request_id.clone());
        let cents = format!("{}.{:02}", 1 + rng.below(900), rng.below(100));
        let customer_id = format!("c{}", rng.below(customers));
        let command = match (n % 3, rng.below(4)) {
            (0, 0) => Command::CreateCustomer(v1::CreateCustomerRequest {
                ledger_id,
                request_id: id.clone(),
                customer_id: id.clone(),
                name: format!("Customer {id}"),
                ..Default::default()
            }),
            (1, 0..3) => Command::RecordPayment(v1::RecordPaymentRequest {
                ledger_id,
                request_id: id.clone(),
                payment_id: id,
                customer_id,
                amount: eur(&cents),
                auto: true,
                ..Default::default()
            }),
            _ => Command::IssueInvoice(v1::IssueInvoiceRequest {
                ledger_id,
                request_id: id.clone(),
                invoice_id: id,
                customer_id,
                total: eur(&cents),
                ..Default::default()
            }),
        };
        Self { request_id, command }
    }
}

/// Sends a command on its own; its position, and whether it had been done before.
///
/// # Errors
/// What the server or the transport told.
pub async fn send(client: &Client, sent: &Sent) -> Result<(u64, bool), Box<Told>> {
    let mut client = client.clone();
    match sent.command.clone() {
        Command::CreateCustomer(request) => {
            let answer = client.customers.create_customer(request).await;
            answer.map(Response::into_inner).map(|answer| (answer.position, answer.repeat))
        }
        Command::RecordPayment(request) => {
            let answer = client.payments.record_payment(request).await;
            answer.map(Response::into_inner).map(|answer| (answer.position, answer.repeat))
        }
        Command::IssueInvoice(request) => {
            let answer = client.invoices.issue_invoice(request).await;
            answer.map(Response::into_inner).map(|answer| (answer.position, answer.repeat))
        }
        other => unreachable!("{other:?} is not sent here"),
    }
    .map_err(|status| Box::new(Told::from(&status)))
}

/// Sends commands on one call; what became of each.
pub(super) async fn send_batch(
    client: &Client,
    sent: &[Sent],
) -> Vec<Result<(u64, bool), Box<Told>>> {
    let wrap = |sent: &Sent| v1::Command { command: Some(sent.command.clone()) };
    let request = v1::ExecuteRequest { commands: sent.iter().map(wrap).collect() };
    let results = match client.batch.clone().execute(request).await {
        Ok(answer) => answer.into_inner().results,
        Err(status) => return vec![Err(Box::new(Told::from(&status))); sent.len()],
    };
    assert_eq!(results.len(), sent.len(), "one result per command");
    let outcome = |result: v1::CommandResult| match result.result.expect("a result") {
        v1::command_result::Result::Outcome(outcome) => Ok((outcome.position, outcome.repeat)),
        v1::command_result::Result::Error(error) => Err(Box::new(Told::from(error))),
    };
    results.into_iter().map(outcome).collect()
}
