//! A subscriber that nobody here wrote the library of: Python's `nats-py`, with a durable consumer.

use std::fs;

use encours_tests::{Client, Company, NatsServer, data_folder, python, root, run_program};

use crate::support::{customers, published, publishing, stop};

/// What the subscriber has to have done, from the log.
async fn expected(client: &Client) -> Vec<String> {
    use encours_proto::v1::public_event::Body;
    let events = client.events_after(0).await;
    let effects = events.iter().filter_map(|event| {
        let customer = &event.customer_id;
        let what = match event.body.as_ref()? {
            Body::PaymentRecorded(payment) => {
                format!("received {} EUR from {customer}", payment.amount.as_ref()?.units)
            }
            Body::InvoiceOverdue(invoice) => format!("call {customer} about {}", invoice.number),
            _ => return None,
        };
        Some(format!("{} {what}", event.position))
    });
    effects.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_durable_consumer_acts_once_over_restarts_of_both_sides() {
    let Some(mut nats) = NatsServer::start() else { return };
    let interpreter = match python() {
        Ok(interpreter) => interpreter,
        Err(why) => {
            println!("skipped: {why}");
            return;
        }
    };
    let folder = data_folder();
    let data = folder.path().join("data");
    let effects = folder.path().join("effects");
    let script = root().join("tests/python/subscriber.py");
    let subscribe = |nats: &NatsServer, last: u64, crash_after: u32| {
        let words = [nats.url(), effects.display().to_string(), last.to_string()];
        let crash = (crash_after > 0).then(|| crash_after.to_string());
        let words = [script.display().to_string()].into_iter().chain(words).chain(crash);
        run_program(&interpreter, words.collect::<Vec<_>>())
    };
    let mut server = publishing(&data, &nats.url(), &[]);
    for round in 0..3_u32 {
        let client = Client::connect(&server.url()).await;
        let company = Company::create(client, "acme", "2024-01-01").await;
        customers(&company, round * 5..round * 5 + 5).await;
        for n in round * 5..round * 5 + 5 {
            let due = format!("2024-0{}-20", round + 1);
            company.issue(&format!("F{n}"), &format!("c{n}"), "100.00", &due).await;
            company.pay_invoice(&format!("P{n}"), &format!("F{n}"), "40.00").await;
        }
        company.advance(&format!("2024-0{}-01", round + 2)).await;
        // Killed, all of it: the publisher, the stream's server, the subscriber.
        server.kill9();
        nats.kill9();
        nats.restart();
        server = publishing(&data, &nats.url(), &[]);
        published(&nats, company.position()).await;
        let _ = subscribe(&nats, u64::MAX, 7).fails(9);
    }
    let client = Client::connect(&server.url()).await;
    // The last event of the ledger: those of its clock have another subject.
    let of_acme = client.events_after(0).await;
    let last = of_acme.iter().rfind(|event| event.ledger_id == "acme").unwrap().position;
    let told = subscribe(&nats, last, 0).ok().stdout;
    assert!(told.trim().ends_with("messages, 1 of them again"), "{told}");
    let done = fs::read_to_string(&effects).unwrap();
    let expected = expected(&client).await;
    assert!(expected.len() >= 30, "{expected:#?}");
    assert_eq!(done.lines().collect::<Vec<_>>(), expected);
    stop(server).await;
}
