//! Lists: filters, orders, labels, searches, tokens, views.

use encours_proto::v1;
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::support::{Client, Server, acme, customer, date, eur, field, invoice, payment, reason};

fn list(filter: v1::InvoiceFilter) -> v1::ListInvoicesRequest {
    v1::ListInvoicesRequest { ledger_id: "acme".into(), filter: Some(filter), ..Default::default() }
}

impl Client {
    /// The ids of all pages of two.
    async fn pages(&mut self, request: v1::ListInvoicesRequest) -> Vec<String> {
        let position = self.head().await;
        let mut found = Vec::new();
        let mut token = String::new();
        for _ in 0..20 {
            let page = v1::ListInvoicesRequest {
                page_size: 2,
                page_token: token,
                min_position: position,
                ..request.clone()
            };
            let page = self.invoices.list_invoices(page).await.unwrap().into_inner();
            assert!(page.invoices.len() <= 2);
            found.extend(page.invoices.into_iter().map(|invoice| invoice.invoice_id));
            token = page.next_page_token;
            if token.is_empty() {
                return found;
            }
        }
        panic!("the pages do not end: {found:?}");
    }

    async fn found(&mut self, filter: v1::InvoiceFilter) -> Vec<String> {
        self.pages(list(filter)).await
    }
}

/// Two customers with invoices in many states, on 5 January 2026.
async fn many() -> (Server, Client) {
    let (server, mut client) = acme().await;
    let ada =
        v1::CreateCustomerRequest { name: "Éléonore Dupré SARL".into(), ..customer("ada") };
    client.customers.create_customer(ada).await.unwrap();
    client.customer("bob").await;
    let due = |day| Some(v1::issue_invoice_request::Due::DueDate(date(2026, 1, day)));
    for (id, who, cents, day) in
        [("F1", "ada", 1_000, 20), ("F2", "ada", 2_000, 10), ("F3", "bob", 3_000, 15)]
    {
        let request = v1::IssueInvoiceRequest { due: due(day), ..invoice(id, who, cents) };
        client.invoices.issue_invoice(request).await.unwrap();
    }
    let texts = v1::IssueInvoiceRequest {
        number: "X/2025-77".into(),
        issue_date: Some(date(2025, 12, 1)),
        due: due(1),
        purchase_order: "PO-4711".into(),
        text: "Travaux de rénovation à Besançon".into(),
        metadata: [("project".into(), "Tour Horizon".into())].into(),
        ..invoice("F4", "bob", 4_000)
    };
    client.invoices.issue_invoice(texts).await.unwrap();
    let draft = v1::CreateDraftRequest {
        ledger_id: "acme".into(),
        invoice_id: "D5".into(),
        customer_id: "ada".into(),
        total: Some(eur(500)),
        ..Default::default()
    };
    client.invoices.create_draft(draft).await.unwrap();
    let part = v1::RecordPaymentRequest { invoice_id: "F1".into(), ..payment("P1", "ada", 400) };
    client.payments.record_payment(part).await.unwrap();
    (server, client)
}

#[tokio::test]
async fn orders_are_kept_across_pages() {
    let (_server, mut client) = many().await;
    let mut by = async |order: &str| {
        let request =
            v1::ListInvoicesRequest { order_by: order.into(), ..list(Default::default()) };
        client.pages(request).await
    };
    assert_eq!(by("").await, ["F1", "F2", "F3", "F4", "D5"]);
    assert_eq!(by("create_time desc").await, ["D5", "F4", "F3", "F2", "F1"]);
    assert_eq!(by("due_date").await, ["F4", "F2", "F3", "F1"]);
    assert_eq!(by("due_date desc").await, ["F1", "F3", "F2", "F4"]);
    let request = v1::ListInvoicesRequest { order_by: "total".into(), ..list(Default::default()) };
    let refused = client.invoices.list_invoices(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!((reason(&refused), field(&refused)), ("UNKNOWN_VALUE".into(), "order_by".into()));
    assert!(refused.message().contains("due_date desc"), "{refused:?}");

    let newest = v1::ListCustomersRequest {
        ledger_id: "acme".into(),
        order_by: "create_time desc".into(),
        ..Default::default()
    };
    let newest = client.customers.list_customers(newest).await.unwrap().into_inner();
    assert_eq!(newest.customers[0].customer_id, "bob");
    let by_due = v1::ListPaymentsRequest {
        ledger_id: "acme".into(),
        order_by: "due_date".into(),
        ..Default::default()
    };
    let refused = client.payments.list_payments(by_due).await.unwrap_err();
    assert_eq!((reason(&refused), field(&refused)), ("UNKNOWN_VALUE".into(), "order_by".into()));
    let by_due = v1::ListCreditNotesRequest {
        ledger_id: "acme".into(),
        order_by: "amount desc".into(),
        ..Default::default()
    };
    let refused = client.credit_notes.list_credit_notes(by_due).await.unwrap_err();
    assert_eq!(field(&refused), "order_by");
}

#[tokio::test]
async fn a_page_by_due_date_stays_while_items_are_paid_and_added() {
    let (_server, mut client) = many().await;
    let request = v1::ListInvoicesRequest {
        order_by: "due_date".into(),
        page_size: 2,
        min_position: client.head().await,
        ..list(Default::default())
    };
    let first = client.invoices.list_invoices(request.clone()).await.unwrap().into_inner();
    let ids: Vec<&str> = first.invoices.iter().map(|i| i.invoice_id.as_str()).collect();
    assert_eq!(ids, ["F4", "F2"]);
    // What the page ended with is paid, and something due earlier and later is issued.
    let pay = v1::RecordPaymentRequest { invoice_id: "F2".into(), ..payment("P2", "ada", 2_000) };
    client.payments.record_payment(pay).await.unwrap();
    for (id, day) in [("F6", 7), ("F7", 16)] {
        let due = Some(v1::issue_invoice_request::Due::DueDate(date(2026, 1, day)));
        let request = v1::IssueInvoiceRequest { due, ..invoice(id, "ada", 100) };
        client.invoices.issue_invoice(request).await.unwrap();
    }
    let rest = v1::ListInvoicesRequest {
        page_size: 10,
        page_token: first.next_page_token.clone(),
        min_position: client.head().await,
        ..request.clone()
    };
    let rest = client.invoices.list_invoices(rest).await.unwrap().into_inner();
    let ids: Vec<&str> = rest.invoices.iter().map(|i| i.invoice_id.as_str()).collect();
    assert_eq!(ids, ["F3", "F7", "F1"]);
    // The token belongs to this order.
    let other = v1::ListInvoicesRequest {
        order_by: "due_date desc".into(),
        page_token: first.next_page_token,
        ..request
    };
    let refused = client.invoices.list_invoices(other).await.unwrap_err();
    assert_eq!(reason(&refused), "INVALID_PAGE_TOKEN");
}

#[tokio::test]
async fn filters_restrict_together() {
    let (_server, mut client) = many().await;
    let none = v1::InvoiceFilter::default;
    let label = |set: &str, label: &str| v1::InvoiceFilter {
        label: Some(v1::LabelFilter { label_set: set.into(), label: label.into() }),
        ..none()
    };
    assert_eq!(client.found(label("libeo", "solde à encaisser")).await, ["F1"]);
    assert_eq!(client.found(label("libeo", "à encaisser")).await, ["F4"]);
    assert_eq!(client.found(label("libeo", "DRAFT")).await, ["D5"]);
    assert_eq!(client.found(label("clicfacture", "provisoire")).await, ["D5"]);
    let statuses = vec![v1::InvoiceStatus::Overdue.into(), v1::InvoiceStatus::Draft.into()];
    assert_eq!(client.found(v1::InvoiceFilter { statuses, ..none() }).await, ["F4", "D5"]);
    let days = |first, last| Some(v1::DateRange { first, last });
    let due = days(Some(date(2026, 1, 10)), Some(date(2026, 1, 15)));
    assert_eq!(client.found(v1::InvoiceFilter { due_dates: due, ..none() }).await, ["F2", "F3"]);
    let issued = days(None, Some(date(2025, 12, 31)));
    assert_eq!(client.found(v1::InvoiceFilter { issue_dates: issued, ..none() }).await, ["F4"]);
    let open = v1::MoneyRange { least: Some(eur(600)), most: Some(eur(2_000)) };
    let open = v1::InvoiceFilter { open_amounts: Some(open), ..none() };
    assert_eq!(client.found(open.clone()).await, ["F1", "F2"]);
    let both = v1::InvoiceFilter {
        settlement: v1::SettlementState::Unpaid.into(),
        customer_id: "ada".into(),
        ..open
    };
    assert_eq!(client.found(both).await, ["F2"]);
    let dunning = v1::DunningState::None.into();
    let level = v1::InvoiceFilter { dunning, most_reminder_level: Some(0), ..none() };
    assert_eq!(client.found(level).await.len(), 5);
    let level = v1::InvoiceFilter { least_reminder_level: Some(1), ..none() };
    assert!(client.found(level).await.is_empty());
    let kinds = vec![v1::InvoiceKind::OpeningOwed.into()];
    assert!(client.found(v1::InvoiceFilter { kinds, ..none() }).await.is_empty());
    let planned = v1::InvoiceFilter { payment_planned: Some(false), ..none() };
    assert_eq!(client.found(planned).await.len(), 5);
}

#[tokio::test]
async fn words_are_searched_without_case_and_accents() {
    let (_server, mut client) = many().await;
    for (text, wanted) in [
        ("RENOVATION besan", vec!["F4"]),
        ("po-4711", vec!["F4"]),
        ("horizon", vec!["F4"]),
        ("x/2025", vec!["F4"]),
        ("eleonore", vec!["F1", "F2", "D5"]),
        ("dupre 2026-00002", vec!["F2"]),
        ("novation", vec![]),
        ("renovation nobody", vec![]),
    ] {
        let filter = v1::InvoiceFilter { text: text.into(), ..Default::default() };
        assert_eq!(client.found(filter).await, wanted, "{text}");
    }
    let search = |text: String| v1::ListCustomersRequest {
        ledger_id: "acme".into(),
        filter: Some(v1::CustomerFilter { text, ..Default::default() }),
        ..Default::default()
    };
    let found = client.customers.list_customers(search("DUPRÉ".into())).await.unwrap().into_inner();
    let names: Vec<&str> = found.customers.iter().map(|found| found.name.as_str()).collect();
    assert_eq!(names, ["Éléonore Dupré SARL"]);
    let refused = client.customers.list_customers(search("x".repeat(257))).await.unwrap_err();
    assert_eq!((reason(&refused), field(&refused)), ("TOO_LARGE".into(), "filter.text".into()));
}

#[tokio::test]
async fn customers_are_found_by_figures_and_labels() {
    let (_server, mut client) = many().await;
    let mut find = async |filter: v1::CustomerFilter| {
        let request = v1::ListCustomersRequest {
            ledger_id: "acme".into(),
            filter: Some(filter),
            min_position: client.head().await,
            ..Default::default()
        };
        let found = client.customers.list_customers(request).await.unwrap().into_inner();
        found.customers.into_iter().map(|found| found.customer_id).collect::<Vec<_>>()
    };
    let none = v1::CustomerFilter::default;
    let range = |least: i64, most: i64| {
        Some(v1::MoneyRange { least: Some(eur(least)), most: Some(eur(most)) })
    };
    assert_eq!(
        find(v1::CustomerFilter { outstanding: range(2_600, 2_600), ..none() }).await,
        ["ada"]
    );
    assert_eq!(find(v1::CustomerFilter { invoiced: range(7_000, 9_000), ..none() }).await, ["bob"]);
    assert_eq!(find(v1::CustomerFilter { collected: range(1, 400), ..none() }).await, ["ada"]);
    assert_eq!(find(v1::CustomerFilter { overdue: range(1, 9_000), ..none() }).await, ["bob"]);
    assert!(find(v1::CustomerFilter { unapplied: range(1, 9_000), ..none() }).await.is_empty());
    let label = Some(v1::LabelFilter { label_set: "tiime".into(), label: "en retard".into() });
    assert_eq!(find(v1::CustomerFilter { label, ..none() }).await, ["bob"]);
}

#[tokio::test]
async fn unknown_filters_end_in_one_line_that_names_the_known() {
    let (_server, mut client) = many().await;
    let none = v1::InvoiceFilter::default;
    let label = |set: &str, label: &str| {
        Some(v1::LabelFilter { label_set: set.into(), label: label.into() })
    };
    let (first, last) = (Some(date(2026, 2, 1)), Some(date(2026, 1, 1)));
    let dollars = Some(v1::Money { currency_code: "USD".into(), units: 1, nanos: 0 });
    let mixed = v1::MoneyRange { least: Some(eur(1)), most: dollars };
    for (wanted, about, filter) in [
        (
            "UNKNOWN_VALUE",
            "filter.label.label_set",
            v1::InvoiceFilter { label: label("x", ""), ..none() },
        ),
        (
            "UNKNOWN_VALUE",
            "filter.label.label",
            v1::InvoiceFilter { label: label("libeo", "payé"), ..none() },
        ),
        ("UNKNOWN_VALUE", "filter.kinds[0]", v1::InvoiceFilter { kinds: vec![9], ..none() }),
        ("UNKNOWN_VALUE", "filter.dunning", v1::InvoiceFilter { dunning: 9, ..none() }),
        (
            "UNKNOWN_VALUE",
            "filter.least_reminder_level",
            v1::InvoiceFilter { least_reminder_level: Some(10), ..none() },
        ),
        (
            "INVALID_DATE",
            "filter.due_dates.last",
            v1::InvoiceFilter { due_dates: Some(v1::DateRange { first, last }), ..none() },
        ),
        ("CURRENCY_MISMATCH", "", v1::InvoiceFilter { open_amounts: Some(mixed), ..none() }),
    ] {
        let status = client.invoices.list_invoices(list(filter)).await.unwrap_err();
        assert_eq!(
            (reason(&status).as_str(), field(&status).as_str()),
            (wanted, about),
            "{status:?}"
        );
        assert!(!status.message().contains('\n'), "{status:?}");
        assert!(status.message().len() < 300, "{status:?}");
    }
    let status = client
        .invoices
        .list_invoices(list(v1::InvoiceFilter { label: label("libeo", "payé"), ..none() }))
        .await
        .unwrap_err();
    assert!(status.message().contains("non échue"), "{status:?}");
    let view = v1::ListInvoicesRequest { view: 7, ..list(none()) };
    let status = client.invoices.list_invoices(view).await.unwrap_err();
    assert_eq!((reason(&status), field(&status)), ("UNKNOWN_VALUE".into(), "view".into()));
}

#[tokio::test]
async fn the_full_view_of_a_list_carries_contents() {
    let (_server, mut client) = many().await;
    let full = v1::ListInvoicesRequest {
        view: v1::InvoiceView::Full.into(),
        min_position: client.head().await,
        ..list(Default::default())
    };
    let page = client.invoices.list_invoices(full.clone()).await.unwrap().into_inner();
    assert!(page.invoices.iter().all(|invoice| invoice.content.is_some()));
    assert_eq!(page.invoices[3].content.as_ref().unwrap().purchase_order, "PO-4711");
    assert!(page.invoices[4].draft.is_some());
    let basic = v1::ListInvoicesRequest { view: 0, ..full.clone() };
    let page = client.invoices.list_invoices(basic).await.unwrap().into_inner();
    assert!(page.invoices.iter().all(|invoice| invoice.content.is_none()));

    let commands = (0..205).map(|no| {
        let issue = v1::command::Command::IssueInvoice(invoice(&format!("N{no}"), "ada", 100));
        v1::Command { command: Some(issue) }
    });
    let batch = v1::ExecuteRequest { commands: commands.collect() };
    client.batch.execute(batch).await.unwrap();
    let large =
        v1::ListInvoicesRequest { page_size: 1_000, min_position: client.head().await, ..full };
    let page = client.invoices.list_invoices(large.clone()).await.unwrap().into_inner();
    assert_eq!(page.invoices.len(), 200);
    let rest = v1::ListInvoicesRequest { page_token: page.next_page_token, ..large };
    let rest = client.invoices.list_invoices(rest).await.unwrap().into_inner();
    assert_eq!((rest.invoices.len(), rest.next_page_token.as_str()), (10, ""));
}

#[tokio::test]
async fn a_filter_that_cannot_hold_names_its_field() {
    let (_server, mut client) = many().await;
    let levels = v1::InvoiceFilter {
        least_reminder_level: Some(5),
        most_reminder_level: Some(2),
        ..Default::default()
    };
    let refused = client.invoices.list_invoices(list(levels)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(
        (reason(&refused).as_str(), field(&refused).as_str()),
        ("CONFLICTING_FIELDS", "filter.most_reminder_level")
    );
    let nobody = v1::InvoiceFilter { customer_id: "eve".into(), ..Default::default() };
    let refused = client.invoices.list_invoices(list(nobody)).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    let figures = refused.get_error_details().error_info().unwrap().metadata.clone();
    assert_eq!(reason(&refused), "UNKNOWN_CUSTOMER");
    assert_eq!(figures["field"], "filter.customer_id");
    let events = v1::ReadEventsRequest {
        filter: Some(v1::EventFilter {
            ledger_id: "acme".into(),
            customer_id: "eve".into(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let refused = client.log.read_events(events).await.unwrap_err();
    let figures = refused.get_error_details().error_info().unwrap().metadata.clone();
    assert_eq!(figures["field"], "filter.customer_id");
}
