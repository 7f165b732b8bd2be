//! Batches: order, errors in their places, streams.

use encours_proto::v1;
use encours_proto::v1::command::Command as C;
use encours_proto::v1::command_outcome::Resource;
use encours_proto::v1::command_result::Result as R;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use crate::support::{acme, customer, invoice, payment, reason, soon};

fn command(command: C) -> v1::Command {
    v1::Command { command: Some(command) }
}

#[tokio::test]
async fn results_come_in_the_order_of_the_commands() {
    let (_server, mut client) = acme().await;
    let mut commands = vec![command(C::CreateCustomer(customer("ada")))];
    for no in 0..400 {
        commands.push(command(C::IssueInvoice(invoice(&format!("F{no}"), "ada", 100))));
        commands.push(command(C::RecordPayment(v1::RecordPaymentRequest {
            invoice_id: format!("F{no}"),
            ..payment(&format!("P{no}"), "ada", 100)
        })));
    }
    // Wrong ones do not stop the others.
    commands.insert(3, command(C::IssueInvoice(invoice("F0", "ada", 5))));
    commands.insert(5, v1::Command { command: None });
    commands.insert(7, command(C::IssueInvoice(invoice("F 0", "ada", 5))));
    let count = commands.len();
    let results = client.batch.execute(v1::ExecuteRequest { commands }).await.unwrap();
    let results = results.into_inner().results;
    assert_eq!(results.len(), count);
    let mut last = 0;
    for (at, result) in results.into_iter().enumerate() {
        match (at, result.result.unwrap()) {
            (3, R::Error(error)) => {
                assert_eq!((error.reason.as_str(), error.code), ("ID_EXISTS", 6));
            }
            (5, R::Error(error)) => assert_eq!(error.field, "command"),
            (7, R::Error(error)) => {
                assert_eq!((error.reason.as_str(), error.code), ("INVALID_ID", 3));
            }
            (at, R::Outcome(outcome)) => {
                assert!(outcome.position > last, "{at}");
                last = outcome.position;
                if let Some(Resource::Payment(payment)) = outcome.resource {
                    assert_eq!(payment.allocations.len(), 1);
                }
            }
            (at, result) => panic!("{at}: {result:?}"),
        }
    }
}

#[tokio::test]
async fn a_batch_has_a_limit() {
    let (_server, mut client) = acme().await;
    let commands = vec![v1::Command { command: None }; 1_001];
    let status = client.batch.execute(v1::ExecuteRequest { commands }).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "TOO_LARGE"));
}

#[tokio::test]
async fn a_stream_answers_each_command_in_turn() {
    let (_server, mut client) = acme().await;
    client.customer("ada").await;
    let (to, commands) = mpsc::channel(8);
    let mut answers =
        client.batch.execute_stream(ReceiverStream::new(commands)).await.unwrap().into_inner();
    let send = tokio::spawn(async move {
        for no in 0..1_000 {
            let issue = invoice(&format!("F{no}"), "ada", 100 + no);
            let command = Some(command(C::IssueInvoice(issue)));
            to.send(v1::ExecuteStreamRequest { command }).await.unwrap();
        }
    });
    for no in 0..1_000 {
        let answer = soon("an answer", answers.message()).await.unwrap().unwrap();
        let Some(R::Outcome(outcome)) = answer.result.unwrap().result else { panic!("{no}") };
        let Some(Resource::Invoice(invoice)) = outcome.resource else { panic!("{no}") };
        assert_eq!(invoice.invoice_id, format!("F{no}"));
        assert_eq!(invoice.number, format!("INV-2026-{:05}", no + 1));
    }
    assert!(soon("the end", answers.message()).await.unwrap().is_none());
    send.await.unwrap();
}
