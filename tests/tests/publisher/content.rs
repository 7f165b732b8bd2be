//! What is in the messages.

use encours_proto::{FILE_DESCRIPTOR_SET, Message as _, v1};
use encours_tests::{Client, Company, NatsServer, Server, data_folder};
use prost_reflect::{DescriptorPool, DynamicMessage};

use crate::asyncapi;
use crate::support::{Published, messages, published, publishing, stop};

/// Two ledgers, one of them with an id that is no plain token, and something of most kinds.
async fn business(server: &Server) -> Vec<v1::PublicEvent> {
    let client = Client::connect(&server.url()).await;
    let company = Company::create(client.clone(), "acme", "2024-01-01").await;
    company.customer("dupont", "Dupont SARL").await;
    company.issue("F-1", "dupont", "120.00", "2024-01-10").await;
    company.issue("F/2:b", "dupont", "80.00", "2024-02-10").await;
    company.advance("2024-01-20").await;
    company.pay_invoice("P-1", "F-1", "120.00").await;
    Company::create(client.clone(), "fr/paris:2", "2024-01-01").await;
    client.events_after(0).await
}

fn from_json(body: &[u8]) -> v1::PublicEvent {
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
    let event = pool.get_message_by_name("encours.v1.PublicEvent").unwrap();
    let mut json = serde_json::Deserializer::from_slice(body);
    let message = DynamicMessage::deserialize(event, &mut json).unwrap();
    json.end().unwrap();
    v1::PublicEvent::decode(prost_reflect::prost::Message::encode_to_vec(&message).as_slice())
        .unwrap()
}

fn named<'a>(messages: &'a [Published], subject: &str) -> &'a Published {
    messages.iter().find(|message| message.subject == subject).unwrap_or_else(|| {
        let there: Vec<_> = messages.iter().map(|message| &message.subject).collect();
        panic!("no {subject} in {there:#?}")
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_is_a_cloud_event_in_log_order() {
    let Some(nats) = NatsServer::start() else { return };
    let folder = data_folder();
    let server = publishing(folder.path(), &nats.url(), &[]);
    let events = business(&server).await;
    let stream = published(&nats, events.len() as u64).await;
    let messages = messages(&stream).await;
    assert_eq!(messages.len(), events.len());
    for (event, message) in events.iter().zip(&messages) {
        assert_eq!(from_json(&message.body), *event);
        assert_eq!(message.position(), event.position);
        let id = format!("{}-{}", event.log_id, event.position);
        assert_eq!(message.header("ce-id"), id);
        assert_eq!(message.header("Nats-Msg-Id"), id);
        assert_eq!(message.header("ce-specversion"), "1.0");
        assert_eq!(message.header("ce-type"), format!("encours.v1.{}", event.event));
        assert_eq!(message.header("ce-source"), format!("urn:encours:log:{}", event.log_id));
        assert_eq!(message.header("Encours-Log-Id"), event.log_id);
        assert_eq!(message.header("Encours-Customer"), event.customer_id);
        assert_eq!(message.header("content-type"), "application/json");
        assert_eq!(message.subject.split('.').count(), 5, "{}", message.subject);
        let json: serde_json::Value = serde_json::from_slice(&message.body).unwrap();
        assert_eq!(message.header("ce-time")[..19], json["recordedAt"].as_str().unwrap()[..19]);
    }
    let overdue = named(&messages, "encours.v1.acme.invoice.overdue");
    assert_eq!(overdue.header("ce-subject"), "invoice/F-1");
    assert_eq!(overdue.header("Encours-Customer"), "dupont");
    let json: serde_json::Value = serde_json::from_slice(&overdue.body).unwrap();
    assert_eq!(json["invoiceOverdue"]["open"]["units"], "120");
    assert_eq!(json["invoiceOverdue"]["dueDate"]["day"], 10);
    assert_eq!(json["customerId"], "dupont");
    let other = named(&messages, "encours.v1.fr%2Fparis%3A2.ledger.created");
    assert_eq!(other.header("ce-subject"), "ledger/fr/paris:2");
    assert_eq!(named(&messages, "encours.v1.~.log.created").header("ce-subject"), "");
    named(&messages, "encours.v1.~.day.opened");
    named(&messages, "encours.v1.acme.payment.recorded");
    named(&messages, "encours.v1.acme.invoice.paid");
    asyncapi::check(&messages);
    stop(server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_protobuf_where_that_is_asked_for() {
    let Some(nats) = NatsServer::start() else { return };
    let folder = data_folder();
    let config = folder.path().join("encours.toml");
    let text =
        format!("[serve]\npublish_nats = \"{}\"\npublish_format = \"protobuf\"\n", nats.url());
    std::fs::write(&config, text).unwrap();
    let config = format!("ENCOURS_CONFIG={}", config.display());
    let data = folder.path().join("data");
    let server = Server::try_start_under(&["env", &config], &data).unwrap();
    let events = business(&server).await;
    let messages = messages(&published(&nats, events.len() as u64).await).await;
    assert_eq!(messages.len(), events.len());
    for (event, message) in events.iter().zip(&messages) {
        assert_eq!(v1::PublicEvent::decode(message.body.as_slice()).unwrap(), *event);
        assert_eq!(message.header("content-type"), "application/protobuf");
    }
    stop(server).await;
}
