//! The event log: reading with filters, watching, checking, activity.

use encours_proto::v1;
use encours_proto::v1::public_event::Body;

use crate::support::{Client, Server, acme, date, eur, field, invoice, payment, reason, soon};

fn filter(events: &[&str]) -> Option<v1::EventFilter> {
    let events = events.iter().map(|name| (*name).to_owned()).collect();
    Some(v1::EventFilter { ledger_id: "acme".into(), events, ..Default::default() })
}

/// An invoice that fell overdue and was then paid; the last position.
async fn late_and_paid() -> (Server, Client, u64) {
    let (server, mut client) = acme().await;
    client.customer("ada").await;
    let mut request = invoice("F1", "ada", 10_000);
    request.due = Some(v1::issue_invoice_request::Due::DueDate(date(2026, 1, 6)));
    client.invoices.issue_invoice(request).await.unwrap();
    client.advance(2026, 1, 7).await;
    let mut pay = payment("P1", "ada", 10_000);
    pay.invoice_id = "F1".into();
    let position = client.payments.record_payment(pay).await.unwrap().into_inner().position;
    (server, client, position)
}

#[tokio::test]
async fn events_are_read_page_by_page() {
    let (_server, mut client, position) = late_and_paid().await;
    let mut names = Vec::new();
    let mut after = 0;
    loop {
        let read = v1::ReadEventsRequest {
            filter: filter(&[]),
            after_position: after,
            page_size: 3,
            min_position: position,
            ..Default::default()
        };
        let read = client.log.read_events(read).await.unwrap().into_inner();
        assert!(read.events.len() <= 3);
        names.extend(read.events.iter().map(|event| event.event.clone()));
        after = read.last_position;
        if read.end {
            break;
        }
    }
    assert_eq!(
        names,
        [
            "clock.created",
            "ledger.created",
            "customer.created",
            "invoice.issued",
            "clock.advanced",
            "day.opened",
            "invoice.due",
            "day.finished",
            "day.opened",
            "invoice.overdue",
            "day.finished",
            "payment.recorded",
            "allocation.made",
            "invoice.paid",
        ]
    );
}

#[tokio::test]
async fn events_tell_enough_to_act_on() {
    let (_server, mut client, position) = late_and_paid().await;
    let read = v1::ReadEventsRequest {
        filter: filter(&["invoice.overdue", "allocation.made"]),
        min_position: position,
        ..Default::default()
    };
    let read = client.log.read_events(read).await.unwrap().into_inner();
    let [overdue, allocation] = read.events.as_slice() else { panic!("{:?}", read.events) };
    assert_eq!(overdue.customer_id, "ada");
    assert_eq!((overdue.ledger_id.as_str(), overdue.entity.as_str()), ("acme", "invoice"));
    assert_eq!(overdue.log_id, "07".repeat(16));
    let Some(Body::InvoiceOverdue(body)) = &overdue.body else { panic!("{overdue:?}") };
    assert_eq!((body.number.as_str(), body.open.clone()), ("INV-2026-00001", Some(eur(10_000))));
    assert_eq!(body.date, Some(date(2026, 1, 7)));
    let Some(Body::AllocationMade(body)) = &allocation.body else { panic!("{allocation:?}") };
    assert_eq!(body.open_after, Some(eur(0)));
    assert_eq!(body.source, Some(v1::allocation_made::Source::PaymentId("P1".into())));
}

fn of_subjects(ledger_id: &str, subjects: &[&str]) -> Option<v1::EventFilter> {
    let subjects = subjects.iter().map(|subject| (*subject).to_owned()).collect();
    Some(v1::EventFilter { ledger_id: ledger_id.to_owned(), subjects, ..Default::default() })
}

#[tokio::test]
async fn events_are_chosen_by_patterns_of_their_subjects() {
    let (_server, mut client, position) = late_and_paid().await;
    for (ledger, subjects, wanted) in [
        ("", &["payment.>"][..], &["payment.recorded"][..]),
        ("acme", &["payment.recorded", "*.overdue"], &["invoice.overdue", "payment.recorded"]),
        ("", &["encours.v1.acme.payment.*", "*.made"], &["payment.recorded", "allocation.made"]),
        ("", &["encours.v1.*.ledger.>"], &["ledger.created"]),
        ("acme", &["encours.v1.~.*.advanced"], &["clock.advanced"]),
        ("", &["encours.v1.acme.clock.>"], &[]),
        ("", &["encours.v1.~.invoice.>"], &[]),
    ] {
        let read = v1::ReadEventsRequest {
            filter: of_subjects(ledger, subjects),
            min_position: position,
            ..Default::default()
        };
        let read = client.log.read_events(read).await.unwrap().into_inner();
        let names: Vec<_> = read.events.iter().map(|event| event.event.as_str()).collect();
        assert_eq!(names, wanted, "{subjects:?}");
        assert!(read.end);
    }
}

#[tokio::test]
async fn wrong_patterns_of_subjects_are_refused_and_the_rule_named() {
    let (_server, mut client, position) = late_and_paid().await;
    let other = v1::CreateLedgerRequest {
        ledger_id: "other".into(),
        currency_code: "EUR".into(),
        time_zone: "Europe/Paris".into(),
        ..Default::default()
    };
    let made = client.ledgers.create_ledger(other).await.unwrap().into_inner().position;
    assert!(made > position);
    let many = ["payment.>"; 65];
    for (ledger, subjects, wanted, said) in [
        ("", &["payment"][..], "INVALID_SUBJECT", "it is <entity>.<event>"),
        ("", &["payment.>", "pay*.>"], "INVALID_SUBJECT", "* and > stand alone between dots"),
        ("", &["bill.>"], "UNKNOWN_VALUE", "invoice, ledger, log, opening_item"),
        ("", &["payment.lost"], "UNKNOWN_VALUE", "payment.refunded"),
        ("", &["encours.v1.nobody.payment.>"], "UNKNOWN_LEDGER", "nobody"),
        ("other", &["encours.v1.acme.payment.>"], "CONFLICTING_FIELDS", "of another ledger"),
        ("", &many, "TOO_LARGE", "65 entries, it can have 64"),
    ] {
        let read = v1::ReadEventsRequest {
            filter: of_subjects(ledger, subjects),
            min_position: made,
            ..Default::default()
        };
        let status = client.log.read_events(read).await.unwrap_err();
        assert_eq!(reason(&status), wanted);
        let about = if wanted == "UNKNOWN_LEDGER" { "" } else { "filter.subjects" };
        assert_eq!(field(&status), about);
        assert!(status.message().contains(said), "{status:?}");
    }
}

#[tokio::test]
async fn the_activity_of_an_invoice_is_every_event_about_it() {
    let (_server, mut client, position) = late_and_paid().await;
    let activity = v1::ListInvoiceActivityRequest {
        ledger_id: "acme".into(),
        invoice_id: "F1".into(),
        page_size: 2,
        min_position: position,
        ..Default::default()
    };
    let page = client.invoices.list_invoice_activity(activity.clone()).await.unwrap().into_inner();
    let next = v1::ListInvoiceActivityRequest {
        page_token: page.next_page_token,
        page_size: 50,
        ..activity
    };
    let next = client.invoices.list_invoice_activity(next).await.unwrap().into_inner();
    let all: Vec<_> =
        page.events.iter().chain(&next.events).map(|event| event.event.as_str()).collect();
    assert_eq!(
        all,
        ["invoice.issued", "invoice.due", "invoice.overdue", "allocation.made", "invoice.paid"]
    );
}

#[tokio::test]
async fn a_watcher_catches_up_and_then_hears_what_comes() {
    let (_server, mut client) = acme().await;
    client.customer("ada").await;
    client.invoice("F1", "ada", 100).await;
    let min_position = client.head().await;
    let request = v1::WatchEventsRequest {
        min_position,
        filter: Some(v1::EventFilter {
            ledger_id: "acme".into(),
            entities: vec!["invoice".into()],
            customer_id: "ada".into(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let mut heard = client.log.watch_events(request).await.unwrap().into_inner();
    let mut next = async || loop {
        let message = soon("an event", heard.message()).await.unwrap().unwrap();
        if let Some(event) = message.event {
            assert_eq!(message.position, event.position);
            return event;
        }
    };
    assert_eq!(next().await.event, "invoice.issued");
    client.customer("bob").await;
    client.invoice("B1", "bob", 100).await;
    client.invoice("F2", "ada", 200).await;
    let event = next().await;
    let Some(Body::InvoiceIssued(body)) = event.body else { panic!("{event:?}") };
    assert_eq!(body.invoice_id, "F2");
}

#[tokio::test]
async fn a_log_is_checked_while_it_runs() {
    let (_server, mut client) = acme().await;
    client.customer("ada").await;
    for no in 0..30 {
        client.invoice(&format!("F{no}"), "ada", 100).await;
    }
    let head = client.log.get_head(v1::GetHeadRequest::default()).await.unwrap().into_inner();
    let mut steps =
        client.log.verify_log(v1::VerifyLogRequest::default()).await.unwrap().into_inner();
    let mut last = None;
    while let Some(step) = soon("a step", steps.message()).await.unwrap() {
        last = step.step;
    }
    let Some(v1::verify_log_response::Step::Result(result)) = last else { panic!("{last:?}") };
    assert!(result.intact, "{}", result.problem);
    assert_eq!((result.events, result.frames), (head.position, head.frame_number));
    assert_eq!(result.frame_hash, head.frame_hash);
    assert_eq!(result.log_id, head.log_id);
    assert!(head.epoch > 0);
}

#[tokio::test]
async fn personal_data_is_no_part_of_events() {
    let (_server, mut client) = acme().await;
    let made = client.customer("ada").await;
    let update = v1::UpdateCustomerRequest {
        ledger_id: "acme".into(),
        customer_id: "ada".into(),
        note: Some("secret note".into()),
        ..Default::default()
    };
    let position = client.customers.update_customer(update).await.unwrap().into_inner().position;
    let read = v1::ReadEventsRequest { min_position: position, ..Default::default() };
    let read = client.log.read_events(read).await.unwrap().into_inner();
    let text = format!("{:?}", read.events);
    assert!(!text.contains(&made.name) && !text.contains("secret note"));
    let updated = read.events.iter().find(|event| event.event == "customer.updated").unwrap();
    let Some(Body::CustomerUpdated(body)) = &updated.body else { panic!("{updated:?}") };
    assert_eq!(body.changed_details, ["note"]);
}
