//! The server itself: reflection, health, compression, stopping.

use encours_proto::v1;
use encours_proto::v1::batch_service_client::BatchServiceClient;
use encours_proto::v1::ledger_service_client::LedgerServiceClient;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;
use tonic::codec::CompressionEncoding::Gzip;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::support::{Server, acme, invoice, reason, soon};

#[tokio::test]
async fn reflection_lists_every_service_in_both_versions() {
    let server = Server::start().await;
    let channel = server.client().await.channel;
    let v1_names = {
        use tonic_reflection::pb::v1::ServerReflectionRequest;
        use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
        use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
        use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
        let request = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        let mut answers = ServerReflectionClient::new(channel.clone())
            .server_reflection_info(tokio_stream::once(request))
            .await
            .unwrap()
            .into_inner();
        match answers.message().await.unwrap().unwrap().message_response.unwrap() {
            MessageResponse::ListServicesResponse(list) => {
                list.service.into_iter().map(|service| service.name).collect::<Vec<_>>()
            }
            other => panic!("{other:?}"),
        }
    };
    let v1alpha_names = {
        use tonic_reflection::pb::v1alpha::ServerReflectionRequest;
        use tonic_reflection::pb::v1alpha::server_reflection_client::ServerReflectionClient;
        use tonic_reflection::pb::v1alpha::server_reflection_request::MessageRequest;
        use tonic_reflection::pb::v1alpha::server_reflection_response::MessageResponse;
        let request = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        let mut answers = ServerReflectionClient::new(channel)
            .server_reflection_info(tokio_stream::once(request))
            .await
            .unwrap()
            .into_inner();
        match answers.message().await.unwrap().unwrap().message_response.unwrap() {
            MessageResponse::ListServicesResponse(list) => {
                list.service.into_iter().map(|service| service.name).collect::<Vec<_>>()
            }
            other => panic!("{other:?}"),
        }
    };
    for names in [v1_names, v1alpha_names] {
        for service in [
            "Ledger",
            "Customer",
            "Invoice",
            "Payment",
            "CreditNote",
            "Report",
            "Batch",
            "EventLog",
        ] {
            let name = format!("encours.v1.{service}Service");
            assert!(names.contains(&name), "{name} is not in {names:?}");
        }
    }
}

#[tokio::test]
async fn health_is_told_per_service() {
    let server = Server::start().await;
    let mut health = HealthClient::new(server.client().await.channel);
    for service in ["", "encours.v1.LedgerService", "encours.v1.EventLogService"] {
        let request = HealthCheckRequest { service: service.into() };
        let answer = health.check(request).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{service}");
    }
}

#[tokio::test]
async fn no_service_is_healthy_once_the_read_model_has_stopped() {
    let server = Server::start().await;
    let mut health = HealthClient::new(server.client().await.channel);
    let model = server.model.clone();
    tokio::task::spawn_blocking(move || model.stop()).await.unwrap();
    for service in ["", "encours.v1.LedgerService", "encours.v1.BatchService"] {
        let request = HealthCheckRequest { service: service.into() };
        let mut watch = health.watch(request).await.unwrap().into_inner();
        loop {
            let told = soon("the end of health", watch.message()).await.unwrap().unwrap();
            if told.status() == ServingStatus::NotServing {
                break;
            }
        }
    }
}

#[tokio::test]
async fn calls_may_be_compressed() {
    let (_server, client) = acme().await;
    let mut ledgers =
        LedgerServiceClient::new(client.channel).send_compressed(Gzip).accept_compressed(Gzip);
    let request = v1::GetLedgerRequest { ledger_id: "acme".into(), min_position: 4 };
    let answer = ledgers.get_ledger(request).await.unwrap();
    assert_eq!(answer.into_inner().ledger.unwrap().name, "Acme SA");
}

#[tokio::test]
async fn open_streams_end_when_the_server_stops() {
    let (mut server, mut client) = acme().await;
    client.customer("ada").await;
    let mut watch =
        client.log.watch_events(v1::WatchEventsRequest::default()).await.unwrap().into_inner();
    let (to, commands) = mpsc::channel(8);
    let mut stream = BatchServiceClient::new(client.channel.clone())
        .execute_stream(ReceiverStream::new(commands))
        .await
        .unwrap()
        .into_inner();
    let issue = v1::command::Command::IssueInvoice(invoice("F1", "ada", 100));
    let command = Some(v1::Command { command: Some(issue) });
    to.send(v1::ExecuteStreamRequest { command }).await.unwrap();
    soon("the answer", stream.message()).await.unwrap().unwrap();

    server.stop();
    let ended = soon("the end of the commands", stream.message()).await.unwrap_err();
    assert_eq!((ended.code(), reason(&ended).as_str()), (Code::Unavailable, "STOPPING"));
    let ended = loop {
        match soon("the end of the watch", watch.message()).await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the watch ended without a word"),
            Err(status) => break status,
        }
    };
    assert_eq!((ended.code(), reason(&ended).as_str()), (Code::Unavailable, "STOPPING"));
    drop((client, watch, stream, to));
    soon("the end of the server", server.ended.take().unwrap()).await.unwrap();
}
