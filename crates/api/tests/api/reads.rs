//! Reads: positions, deadlines, page tokens, limits of messages, who acts.

use std::time::Duration;

use encours_proto::v1;
use tonic::{Code, Request};
use tonic_types::StatusExt as _;

use crate::support::{acme, customer, date, field, reason, soon};

#[tokio::test]
async fn a_position_that_does_not_come_ends_with_both_positions() {
    let (server, mut client) = acme().await;
    let position = client.head().await;
    let mut request =
        Request::new(v1::GetLedgerRequest { ledger_id: "acme".into(), min_position: position + 1 });
    request.set_timeout(Duration::from_secs(3));
    let status = soon("the deadline", client.ledgers.get_ledger(request)).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
    assert_eq!(reason(&status), "POSITION_NOT_REACHED");
    let figures = status.get_error_details().error_info().unwrap().metadata.clone();
    assert_eq!(figures["position"], position.to_string());
    assert_eq!(figures["min_position"], (position + 1).to_string());

    // The same wait ends well where the position comes in time.
    let mut waiting = client.clone();
    let wait = tokio::spawn(async move {
        let request = v1::GetLedgerRequest { ledger_id: "acme".into(), min_position: position + 1 };
        waiting.ledgers.get_ledger(request).await
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    client.customer("ada").await;
    let answer = soon("the position", wait).await.unwrap().unwrap().into_inner();
    assert!(answer.position > position);
    assert_eq!(answer.ledger.unwrap().customer_count, 1);
    drop(server);
}

#[tokio::test]
async fn a_day_that_is_not_finished_in_time_is_told() {
    let (server, mut client) = acme().await;
    server.stop_days();
    let mut request = Request::new(v1::AdvanceClockRequest {
        ledger_id: "acme".into(),
        to: Some(date(2026, 1, 9)),
        ..Default::default()
    });
    request.set_timeout(Duration::from_secs(3));
    let status = soon("the deadline", client.ledgers.advance_clock(request)).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
    assert_eq!(reason(&status), "DAY_NOT_REACHED");
    // A dry run waits for nothing.
    let dry = v1::AdvanceClockRequest {
        ledger_id: "acme".into(),
        to: Some(date(2026, 1, 12)),
        validate_only: true,
        ..Default::default()
    };
    let shown = soon("the answer", client.ledgers.advance_clock(dry)).await.unwrap().into_inner();
    let clock = shown.ledger.unwrap().clock.unwrap();
    assert_eq!(clock.target, Some(date(2026, 1, 12)));
}

#[tokio::test]
async fn what_was_known_later_than_the_read_model_is_waited_for() {
    let (_server, mut client) = acme().await;
    let position = client.head().await;
    let mut request = Request::new(v1::GetAgeingRequest {
        ledger_id: "acme".into(),
        as_known_at: Some(v1::AsKnownAt { at: Some(v1::as_known_at::At::Position(position + 1)) }),
        ..Default::default()
    });
    request.set_timeout(Duration::from_secs(3));
    let status = client.reports.get_ageing(request).await.unwrap_err();
    assert_eq!(reason(&status), "POSITION_NOT_REACHED");
    let time = prost_types::Timestamp { seconds: 0, nanos: 0 };
    let request = v1::GetAgeingRequest {
        ledger_id: "acme".into(),
        as_known_at: Some(v1::AsKnownAt { at: Some(v1::as_known_at::At::Time(time)) }),
        min_position: position,
        ..Default::default()
    };
    let answer = client.reports.get_ageing(request).await.unwrap().into_inner();
    assert_eq!(answer.known_position, 0);
}

#[tokio::test]
async fn page_tokens_belong_to_their_list() {
    let (_server, mut client) = acme().await;
    client.customer("ada").await;
    for no in 0..3 {
        client.invoice(&format!("F{no}"), "ada", 100).await;
    }
    let position = client.head().await;
    let list = |customer: &str, token: &str| v1::ListInvoicesRequest {
        ledger_id: "acme".into(),
        filter: Some(v1::InvoiceFilter { customer_id: customer.into(), ..Default::default() }),
        page_size: 2,
        page_token: token.into(),
        min_position: position,
        ..Default::default()
    };
    let first = client.invoices.list_invoices(list("ada", "")).await.unwrap().into_inner();
    let token = first.next_page_token;
    let second = client.invoices.list_invoices(list("ada", &token)).await.unwrap().into_inner();
    assert_eq!(second.invoices[0].invoice_id, "F2");

    let foreign = client.invoices.list_invoices(list("", &token)).await.unwrap_err();
    let garbled = client.invoices.list_invoices(list("ada", "zz")).await.unwrap_err();
    let customers = v1::ListCustomersRequest {
        ledger_id: "acme".into(),
        page_token: token,
        ..Default::default()
    };
    let other = client.customers.list_customers(customers).await.unwrap_err();
    for status in [foreign, garbled, other] {
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(reason(&status), "INVALID_PAGE_TOKEN");
        assert_eq!(field(&status), "page_token");
    }
    let large = v1::ListInvoicesRequest { page_size: 1_001, ..list("ada", "") };
    let status = client.invoices.list_invoices(large).await.unwrap_err();
    assert_eq!((reason(&status), field(&status)), ("INVALID_PAGE_SIZE".into(), "page_size".into()));
}

#[tokio::test]
async fn a_message_over_the_limit_is_refused_in_words() {
    let (_server, mut client) = acme().await;
    let request = v1::CreateCustomerRequest { note: "n".repeat(1024 * 1024), ..customer("ada") };
    let status = client.customers.create_customer(request).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange, "{status:?}");
    assert!(status.message().contains("1048576"), "{status:?}");
    // The connection goes on.
    client.customer("bob").await;
}

#[tokio::test]
async fn who_acts_is_kept_with_the_fact() {
    let (_server, mut client) = acme().await;
    let mut request = Request::new(v1::CreateCustomerRequest {
        reason: "signed today".into(),
        ..customer("ada")
    });
    request.metadata_mut().insert("encours-actor", "eve@acme.test".parse().unwrap());
    let position = client.customers.create_customer(request).await.unwrap().into_inner().position;
    let read = v1::ReadEventsRequest {
        after_position: position - 1,
        min_position: position,
        ..Default::default()
    };
    let read = client.log.read_events(read).await.unwrap().into_inner();
    let event = &read.events[0];
    assert_eq!((event.actor.as_str(), event.reason.as_str()), ("eve@acme.test", "signed today"));

    let mut request = Request::new(customer("bob"));
    request.metadata_mut().insert("encours-actor", "a".repeat(129).parse().unwrap());
    let status = client.customers.create_customer(request).await.unwrap_err();
    assert_eq!((reason(&status), field(&status)), ("INVALID_ACTOR".into(), "encours-actor".into()));
}

#[tokio::test]
async fn a_page_of_long_details_is_short_and_goes_on() {
    let (_server, mut client) = acme().await;
    for no in 0..150 {
        let long = v1::CreateCustomerRequest {
            note: "n".repeat(4_096),
            address: "a".repeat(4_096),
            name: "m".repeat(4_096),
            contacts: vec![v1::Contact { name: "c".repeat(4_096), ..Default::default() }],
            ..customer(&format!("c{no}"))
        };
        client.customers.create_customer(long).await.unwrap();
    }
    let position = client.head().await;
    let list = |page_token| v1::ListCustomersRequest {
        ledger_id: "acme".into(),
        page_size: 1_000,
        page_token,
        min_position: position,
        ..Default::default()
    };
    let first = client.customers.list_customers(list(String::new())).await.unwrap().into_inner();
    assert!(first.customers.len() < 150, "{}", first.customers.len());
    let rest = list(first.next_page_token);
    let rest = client.customers.list_customers(rest).await.unwrap().into_inner();
    assert_eq!(first.customers.len() + rest.customers.len(), 150);
    assert_eq!(rest.customers.last().unwrap().customer_id, "c149");
}
