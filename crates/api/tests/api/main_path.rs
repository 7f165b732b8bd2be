//! The main path: from a new ledger to paid, overdue, credited and cancelled invoices.

use encours_proto::v1;

use crate::support::{acme, customer, date, eur, invoice, payment};

#[tokio::test]
async fn from_invoice_to_payment() {
    let (_server, mut client) = acme().await;
    let made = client.customer("ada").await;
    assert_eq!(made.name, "Name of ada");
    assert_eq!(made.status, v1::CustomerStatus::UpToDate as i32);

    let issued = client.invoice("F1", "ada", 15_000).await;
    assert_eq!(issued.number, "INV-2026-00001");
    assert_eq!(issued.open, Some(eur(15_000)));
    assert_eq!(issued.due_date, Some(date(2026, 2, 4)));
    assert!(issued.reference.starts_with("RF"));

    let sent = v1::MarkSentRequest {
        ledger_id: "acme".into(),
        invoice_id: "F1".into(),
        expected_version: Some(issued.version),
        ..Default::default()
    };
    let sent = client.invoices.mark_sent(sent).await.unwrap().into_inner().invoice.unwrap();
    assert_eq!(sent.sent_on, Some(date(2026, 1, 5)));
    assert!(sent.version > issued.version);

    // Paid in part, explicitly.
    let mut part = payment("P1", "ada", 5_000);
    part.allocations =
        vec![v1::ExplicitAllocation { invoice_id: "F1".into(), amount: Some(eur(4_000)) }];
    let paid = client.payments.record_payment(part).await.unwrap().into_inner();
    let shown = paid.payment.unwrap();
    assert_eq!(shown.unapplied, Some(eur(1_000)));
    assert_eq!(shown.allocations[0].amount, Some(eur(4_000)));

    // What was just written is read.
    let request = v1::GetCustomerRequest {
        ledger_id: "acme".into(),
        customer_id: "ada".into(),
        min_position: paid.position,
        ..Default::default()
    };
    let answer = client.customers.get_customer(request).await.unwrap().into_inner();
    assert!(answer.position >= paid.position);
    let read = answer.customer.unwrap();
    assert_eq!(read.name, "Name of ada");
    assert_eq!(read.status, v1::CustomerStatus::AwaitingPayment as i32);
    let balance = &read.balances[0];
    assert_eq!(balance.outstanding, Some(eur(11_000)));
    assert_eq!(balance.collected, Some(eur(5_000)));
    assert_eq!(balance.unapplied, Some(eur(1_000)));
    assert_eq!(balance.net, Some(eur(10_000)));

    // The rest, by naming the invoice alone.
    let rest = v1::RecordPaymentRequest {
        ledger_id: "acme".into(),
        invoice_id: "F1".into(),
        ..Default::default()
    };
    let rest = client.payments.record_payment(rest).await.unwrap().into_inner();
    assert_eq!(rest.payment.as_ref().unwrap().amount, Some(eur(11_000)));
    assert!(!rest.payment.unwrap().payment_id.is_empty());

    let full = v1::GetInvoiceRequest {
        ledger_id: "acme".into(),
        invoice: Some(v1::get_invoice_request::Invoice::Number("INV-2026-00001".into())),
        min_position: rest.position,
        ..Default::default()
    };
    let read = client.invoices.get_invoice(full).await.unwrap().into_inner().invoice.unwrap();
    assert_eq!(read.status, v1::InvoiceStatus::Paid as i32);
    assert_eq!(read.content, None);
}

#[tokio::test]
async fn an_invoice_falls_due_and_is_aged() {
    let (_server, mut client) = acme().await;
    client.customer("ada").await;
    client.customer("bob").await;
    let mut request = invoice("F1", "ada", 10_000);
    request.due = Some(v1::issue_invoice_request::Due::DueDate(date(2026, 1, 10)));
    client.invoices.issue_invoice(request).await.unwrap();
    client.invoice("F2", "bob", 2_000).await;
    let position = client.advance(2026, 1, 31).await;

    let get = v1::GetLedgerRequest { ledger_id: "acme".into(), min_position: position };
    let ledger = client.ledgers.get_ledger(get).await.unwrap().into_inner().ledger.unwrap();
    let clock = ledger.clock.unwrap();
    assert_eq!((clock.today, clock.finished), (Some(date(2026, 1, 31)), Some(date(2026, 1, 31))));
    assert_eq!((ledger.customer_count, ledger.invoice_count), (2, 2));

    let totals = v1::GetLedgerTotalsRequest { ledger_id: "acme".into(), min_position: position };
    let totals = client.reports.get_ledger_totals(totals).await.unwrap().into_inner();
    assert_eq!(totals.balances[0].overdue, Some(eur(10_000)));
    assert_eq!(totals.balances[0].not_due, Some(eur(2_000)));
    assert_eq!((totals.open_invoices, totals.ever_overdue_invoices), (2, 1));
    assert_eq!(totals.customers.unwrap().overdue, 1);
    assert_eq!(totals.invoices.unwrap().not_due, 1);

    let ageing = |as_of_date| v1::GetAgeingRequest {
        ledger_id: "acme".into(),
        page_size: 1,
        min_position: position,
        as_of_date,
        ..Default::default()
    };
    let now = client.reports.get_ageing(ageing(None)).await.unwrap().into_inner();
    assert_eq!(now.as_of_date, Some(date(2026, 1, 31)));
    assert_eq!(now.rows[0].ageing.as_ref().unwrap().days_1_to_30, Some(eur(10_000)));
    assert_eq!(now.totals[0].balance, Some(eur(12_000)));
    let next = v1::GetAgeingRequest { page_token: now.next_page_token, ..ageing(None) };
    let next = client.reports.get_ageing(next).await.unwrap().into_inner();
    assert_eq!(next.rows[0].customer_id, "bob");
    assert!(next.next_page_token.is_empty());

    let past = ageing(Some(date(2026, 1, 10)));
    let past = client.reports.get_ageing(past).await.unwrap().into_inner();
    assert_eq!(past.totals[0].not_due, Some(eur(12_000)));
    assert_eq!(past.customers.unwrap().awaiting_payment, 2);

    // As known before anything was recorded.
    let unknown = v1::GetAgeingRequest {
        as_known_at: Some(v1::AsKnownAt { at: Some(v1::as_known_at::At::Position(3)) }),
        ..ageing(None)
    };
    let unknown = client.reports.get_ageing(unknown).await.unwrap().into_inner();
    assert!(unknown.rows.is_empty());
    assert_eq!(unknown.known_position, 3);
}

#[tokio::test]
async fn lists_filter_and_page() {
    let (_server, mut client) = acme().await;
    client.customer("ada").await;
    client.customer("bob").await;
    for no in 0..5 {
        client.invoice(&format!("A{no}"), "ada", 1_000 + no).await;
        client.invoice(&format!("B{no}"), "bob", 2_000).await;
    }
    let mut pay = payment("P1", "ada", 1_000);
    pay.invoice_id = "A0".into();
    let position = client.payments.record_payment(pay).await.unwrap().into_inner().position;

    let list = |token: String| v1::ListInvoicesRequest {
        ledger_id: "acme".into(),
        filter: Some(v1::InvoiceFilter {
            customer_id: "ada".into(),
            open: Some(true),
            ..Default::default()
        }),
        page_size: 3,
        page_token: token,
        min_position: position,
        ..Default::default()
    };
    let mut seen = Vec::new();
    let mut token = String::new();
    loop {
        let page = client.invoices.list_invoices(list(token)).await.unwrap().into_inner();
        seen.extend(page.invoices.into_iter().map(|invoice| invoice.invoice_id));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, ["A1", "A2", "A3", "A4"]);

    let paid = v1::ListInvoicesRequest {
        ledger_id: "acme".into(),
        filter: Some(v1::InvoiceFilter {
            statuses: vec![v1::InvoiceStatus::Paid.into()],
            settlement: v1::SettlementState::Paid.into(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let paid = client.invoices.list_invoices(paid).await.unwrap().into_inner();
    assert_eq!(paid.invoices.len(), 1);
    let awaiting = v1::ListCustomersRequest {
        ledger_id: "acme".into(),
        filter: Some(v1::CustomerFilter {
            statuses: vec![v1::CustomerStatus::AwaitingPayment.into()],
            ..Default::default()
        }),
        ..Default::default()
    };
    let awaiting = client.customers.list_customers(awaiting).await.unwrap().into_inner();
    let names: Vec<_> = awaiting.customers.iter().map(|found| found.name.as_str()).collect();
    assert_eq!(names, ["Name of ada", "Name of bob"]);
    let payments = v1::ListPaymentsRequest { ledger_id: "acme".into(), ..Default::default() };
    let payments = client.payments.list_payments(payments).await.unwrap().into_inner();
    assert_eq!(payments.payments[0].allocations[0].invoice_id, "A0");
    let ledgers = client.ledgers.list_ledgers(v1::ListLedgersRequest::default()).await.unwrap();
    assert_eq!(ledgers.into_inner().ledgers.len(), 1);
}

#[tokio::test]
async fn credit_notes_are_used_and_taken_back() {
    let (_server, mut client) = acme().await;
    client.customer("ada").await;
    client.invoice("F1", "ada", 10_000).await;
    client.invoice("F2", "ada", 3_000).await;
    let note = v1::IssueCreditNoteRequest {
        ledger_id: "acme".into(),
        invoice_id: "F1".into(),
        amount: Some(eur(2_500)),
        reason: "damaged goods".into(),
        keep: true,
        ..Default::default()
    };
    let note = client.credit_notes.issue_credit_note(note).await.unwrap().into_inner();
    let note = note.credit_note.unwrap();
    assert_eq!((note.number.as_str(), note.unapplied), ("CN-2026-00001", Some(eur(2_500))));

    let use_it = v1::AllocateRequest {
        ledger_id: "acme".into(),
        invoice_id: "F2".into(),
        source: Some(v1::allocate_request::Source::CreditNoteId(note.credit_note_id.clone())),
        ..Default::default()
    };
    let after = client.payments.allocate(use_it).await.unwrap().into_inner().invoice.unwrap();
    assert_eq!((after.open, after.credited), (Some(eur(500)), Some(eur(2_500))));
    let undo = v1::DeallocateRequest {
        ledger_id: "acme".into(),
        invoice_id: "F2".into(),
        source: Some(v1::deallocate_request::Source::CreditNoteId(note.credit_note_id)),
        amount: Some(eur(1_000)),
        ..Default::default()
    };
    let after = client.payments.deallocate(undo).await.unwrap().into_inner().invoice.unwrap();
    assert_eq!(after.open, Some(eur(1_500)));
}

#[tokio::test]
async fn payments_reverse_and_credit_notes_cancel() {
    let (_server, mut client) = acme().await;
    client.customer("ada").await;
    client.invoice("F1", "ada", 10_000).await;
    client.invoice("F2", "ada", 3_000).await;
    let mut auto = payment("P1", "ada", 9_000);
    auto.auto = true;
    client.payments.record_payment(auto).await.unwrap();
    let back = v1::ReversePaymentRequest {
        ledger_id: "acme".into(),
        payment_id: "P1".into(),
        kind: v1::ReversalKind::Bounced.into(),
        ..Default::default()
    };
    let back = client.payments.reverse_payment(back).await.unwrap().into_inner().payment.unwrap();
    assert_eq!(back.reversed, Some(eur(9_000)));
    assert_eq!(back.reversal, v1::ReversalKind::Bounced as i32);

    let dispute = v1::DisputeInvoiceRequest {
        ledger_id: "acme".into(),
        invoice_id: "F2".into(),
        reason: "not ordered".into(),
        ..Default::default()
    };
    let disputed = client.invoices.dispute_invoice(dispute).await.unwrap().into_inner();
    assert!(disputed.invoice.unwrap().facets.unwrap().disputed);
    let resolve = v1::ResolveDisputeRequest {
        ledger_id: "acme".into(),
        invoice_id: "F2".into(),
        ..Default::default()
    };
    client.invoices.resolve_dispute(resolve).await.unwrap();
    let cancel = v1::CancelInvoiceRequest {
        ledger_id: "acme".into(),
        invoice_id: "F2".into(),
        credit_note_id: "C2".into(),
        ..Default::default()
    };
    let cancelled = client.invoices.cancel_invoice(cancel).await.unwrap().into_inner();
    let position = cancelled.position;
    assert_eq!(cancelled.invoice.unwrap().status, v1::InvoiceStatus::Cancelled as i32);

    let get = v1::GetCreditNoteRequest {
        ledger_id: "acme".into(),
        credit_note_id: "C2".into(),
        min_position: position,
    };
    let second = client.credit_notes.get_credit_note(get).await.unwrap().into_inner();
    assert_eq!(second.credit_note.unwrap().amount, Some(eur(3_000)));
    let notes = v1::ListCreditNotesRequest {
        ledger_id: "acme".into(),
        filter: Some(v1::CreditNoteFilter { invoice_id: "F2".into(), ..Default::default() }),
        ..Default::default()
    };
    let notes = client.credit_notes.list_credit_notes(notes).await.unwrap().into_inner();
    assert_eq!(notes.credit_notes.len(), 1);
}

#[tokio::test]
async fn what_an_invoice_carries_comes_back() {
    let (_server, mut client) = acme().await;
    client.customer("ada").await;
    let line = |description: &str, quantity: &str, price: &str, rate: &str| v1::InvoiceLine {
        description: description.into(),
        quantity: quantity.into(),
        unit_price: price.into(),
        amount: None,
        tax_rate: rate.into(),
    };
    let request = v1::IssueInvoiceRequest {
        total: None,
        lines: vec![line("paper", "3", "19.995", "20"), line("book", "1", "10", "5.5")],
        purchase_order: "PO 7".into(),
        text: "Thank you\nfor your order".into(),
        metadata: [("project".into(), "north".into())].into(),
        ..invoice("F1", "ada", 0)
    };
    let issued = client.invoices.issue_invoice(request).await.unwrap().into_inner();
    // 3 × 19.995 = 59.99 (half up), 12.00 of tax; 10.00 and 0.55 of tax.
    assert_eq!(issued.invoice.unwrap().total, Some(eur(8_254)));
    let full = v1::GetInvoiceRequest {
        ledger_id: "acme".into(),
        invoice: Some(v1::get_invoice_request::Invoice::InvoiceId("F1".into())),
        view: v1::InvoiceView::Full.into(),
        min_position: issued.position,
    };
    let read = client.invoices.get_invoice(full).await.unwrap().into_inner().invoice.unwrap();
    let content = read.content.unwrap();
    assert_eq!(content.lines[0].amount, Some(eur(5_999)));
    assert_eq!(content.lines[1].tax_rate, "5.5");
    assert_eq!(content.taxes.len(), 2);
    assert_eq!(content.taxes[0].tax, Some(eur(55)));
    assert_eq!((content.purchase_order.as_str(), content.metadata.len()), ("PO 7", 1));
}

#[tokio::test]
async fn a_repeat_answers_and_changes_nothing() {
    let (_server, mut client) = acme().await;
    let request = v1::CreateCustomerRequest { request_id: "r1".into(), ..customer("") };
    let first = client.customers.create_customer(request.clone()).await.unwrap().into_inner();
    let again = client.customers.create_customer(request).await.unwrap().into_inner();
    assert!(!first.repeat && again.repeat);
    assert_eq!(first.position, again.position);
    let (first, again) = (first.customer.unwrap(), again.customer.unwrap());
    assert_eq!(first, again);
    assert_eq!(again.name, "Name of ");

    let before = client.head().await;
    let dry = v1::UpdateCustomerRequest {
        ledger_id: "acme".into(),
        customer_id: again.customer_id,
        name: Some("Another".into()),
        note: Some("a note".into()),
        validate_only: true,
        ..Default::default()
    };
    let shown = client.customers.update_customer(dry).await.unwrap().into_inner();
    let shown = shown.customer.unwrap();
    assert_eq!((shown.name.as_str(), shown.note.as_str()), ("Another", "a note"));
    let mut dry = invoice("F1", &shown.customer_id, 100);
    dry.validate_only = true;
    let shown = client.invoices.issue_invoice(dry).await.unwrap().into_inner().invoice.unwrap();
    assert_eq!(shown.number, "INV-2026-00001");
    assert_eq!(client.head().await, before);
}
