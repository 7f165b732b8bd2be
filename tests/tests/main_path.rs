//! The main job through the real server: from an empty ledger to balances, statuses and ageing, with
//! the past as it was and as it was known.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

use std::collections::BTreeMap;

use encours_proto::v1;
use encours_proto::v1::{
    CustomerStatus, DocumentState, InvoiceStatus, SettlementState, TimingState,
};
use encours_tests::{Client, Company, Server, Told, amount, data_folder, date, eur, money};
use tempfile::TempDir;

const LEDGER: &str = "acme";

async fn company() -> (TempDir, Server, Company) {
    let folder = data_folder();
    let server = Server::start(folder.path());
    let company = Company::create(Client::connect(&server.url()).await, LEDGER, "2024-01-01").await;
    company.customer("ada", "Ada").await;
    company.customer("bob", "Bob").await;
    (folder, server, company)
}

fn bands(ageing: &v1::Ageing) -> String {
    let bands = [
        &ageing.not_due,
        &ageing.days_1_to_30,
        &ageing.days_31_to_60,
        &ageing.days_61_to_90,
        &ageing.days_91_to_120,
        &ageing.days_over_120,
        &ageing.unapplied,
        &ageing.balance,
    ];
    bands.map(|band| amount(band.as_ref())).join(" ")
}

/// The total row in euro, at the end of a day, from what was known at a position.
async fn ageing(company: &Company, day: Option<&str>, known: Option<u64>) -> String {
    let request = v1::GetAgeingRequest {
        as_of_date: day.and_then(date),
        as_known_at: known
            .map(|position| v1::AsKnownAt { at: Some(v1::as_known_at::At::Position(position)) }),
        ..Default::default()
    };
    let answer = company.ageing(request).await;
    let total = answer.totals.iter().find(|total| total.currency_code == "EUR");
    total.map(bands).unwrap_or_default()
}

fn open(invoice: &v1::Invoice) -> String {
    amount(invoice.open.as_ref())
}

#[tokio::test(flavor = "multi_thread")]
async fn invoices_are_numbered_paid_and_become_overdue() {
    let (_folder, _server, company) = company().await;
    let first = company.issue("i1", "ada", "100.00", "2024-01-31").await;
    let second = company.issue("i2", "ada", "150.00", "2024-02-10").await;
    assert_eq!(
        (first.number.as_str(), second.number.as_str()),
        ("INV-2024-00001", "INV-2024-00002")
    );
    assert!(first.reference.starts_with("RF"), "{}", first.reference);
    let given = v1::IssueInvoiceRequest {
        ledger_id: LEDGER.to_owned(),
        invoice_id: "i3".to_owned(),
        customer_id: "bob".to_owned(),
        number: "B-77/3".to_owned(),
        total: eur("80.00"),
        ..Default::default()
    };
    let given = company.client.invoices.clone().issue_invoice(given).await.unwrap().into_inner();
    company.saw(given.position);
    let third = given.invoice.unwrap();
    assert_eq!((third.number.as_str(), third.due_date), ("B-77/3", date("2024-01-31")), "net 30");

    // Part of one, more than the other: the rest stays with the customer.
    company.pay_invoice("p1", "i1", "40.00").await;
    let over = company.pay_invoice("p2", "i2", "500.00").await;
    assert_eq!(amount(over.unapplied.as_ref()), "350.00");
    company
        .expect_balance(
            "ada",
            "invoiced 250.00, collected 540.00, outstanding 60.00, unapplied 350.00, net -290.00",
        )
        .await;
    let [i1, i2] = [company.invoice("i1").await, company.invoice("i2").await];
    assert_eq!((i1.status(), open(&i1)), (InvoiceStatus::PartiallyPaid, "60.00".to_owned()));
    assert_eq!((i2.status(), open(&i2)), (InvoiceStatus::Paid, "0.00".to_owned()));
    assert_eq!(company.get_customer("ada").await.status(), CustomerStatus::AwaitingPayment);

    // Due on its day, overdue from the next one on.
    company.advance("2024-01-31").await;
    let facets = company.invoice("i1").await.facets.unwrap();
    assert_eq!(
        (facets.timing(), facets.settlement()),
        (TimingState::Due, SettlementState::PartiallyPaid)
    );
    company.advance("2024-02-01").await;
    assert_eq!(company.invoice("i1").await.status(), InvoiceStatus::Overdue);
    assert_eq!(company.get_customer("ada").await.status(), CustomerStatus::Overdue);
    let totals = company.totals().await;
    assert_eq!(amount(totals.balances[0].overdue.as_ref()), "140.00");
    assert_eq!((totals.ever_overdue_invoices, totals.open_invoices), (2, 2));

    // What is left settles the rest; Bob's stays.
    let allocate = v1::AllocateRequest {
        ledger_id: LEDGER.to_owned(),
        invoice_id: "i1".to_owned(),
        ..Default::default()
    };
    let answer = company.client.payments.clone().allocate(allocate).await.unwrap().into_inner();
    company.saw(answer.position);
    assert_eq!(answer.invoice.unwrap().status(), InvoiceStatus::Paid);
    company.expect_balance("ada", "outstanding 0.00, overdue 0.00, unapplied 290.00").await;
    assert_eq!(company.get_customer("ada").await.status(), CustomerStatus::InCredit);
    assert_eq!(company.get_customer("bob").await.status(), CustomerStatus::Overdue);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_past_is_as_it_was_and_as_it_was_known() {
    let (_folder, _server, company) = company().await;
    company.issue("i1", "ada", "100.00", "2024-01-10").await;
    company.issue("i2", "bob", "30.00", "2024-03-01").await;
    company.advance("2024-02-20").await;
    let known = company.position();
    assert_eq!(ageing(&company, None, None).await, "30.00 0.00 100.00 0.00 0.00 0.00 0.00 130.00");
    assert_eq!(
        ageing(&company, Some("2024-01-20"), None).await,
        "30.00 100.00 0.00 0.00 0.00 0.00 0.00 130.00"
    );
    // Money that was received in January becomes known in February.
    let late = v1::RecordPaymentRequest {
        payment_id: "late".to_owned(),
        invoice_id: "i1".to_owned(),
        amount: eur("25.00"),
        received_on: date("2024-01-15"),
        ..Default::default()
    };
    company.pay(late).await;
    assert_eq!(
        ageing(&company, Some("2024-01-20"), None).await,
        "30.00 75.00 0.00 0.00 0.00 0.00 0.00 105.00"
    );
    assert_eq!(
        ageing(&company, Some("2024-01-20"), Some(known)).await,
        "30.00 100.00 0.00 0.00 0.00 0.00 0.00 130.00",
        "what was known then does not change"
    );
    // A reversal is dated on its own day: January keeps the payment.
    company.advance("2024-02-25").await;
    let before = company.position();
    let reverse = v1::ReversePaymentRequest {
        ledger_id: LEDGER.to_owned(),
        payment_id: "late".to_owned(),
        kind: v1::ReversalKind::Bounced.into(),
        ..Default::default()
    };
    let reversed = company.client.payments.clone().reverse_payment(reverse).await.unwrap();
    company.saw(reversed.into_inner().position);
    assert_eq!(ageing(&company, None, None).await, "30.00 0.00 100.00 0.00 0.00 0.00 0.00 130.00");
    assert_eq!(
        ageing(&company, Some("2024-01-20"), None).await,
        "30.00 75.00 0.00 0.00 0.00 0.00 0.00 105.00"
    );
    assert_eq!(
        ageing(&company, None, Some(before)).await,
        "30.00 0.00 75.00 0.00 0.00 0.00 0.00 105.00"
    );
    let customer = v1::GetCustomerRequest {
        ledger_id: LEDGER.to_owned(),
        customer_id: "ada".to_owned(),
        as_of_date: date("2024-01-05"),
        min_position: company.position(),
        ..Default::default()
    };
    let answer = company.client.customers.clone().get_customer(customer).await.unwrap();
    let then = answer.into_inner().customer.unwrap();
    assert_eq!(then.status(), CustomerStatus::AwaitingPayment);
    assert_eq!(amount(then.balances[0].not_due.as_ref()), "100.00");
    company.expect_balance("ada", "collected 0.00, outstanding 100.00, overdue 100.00").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn money_is_moved_on_and_off_invoices() {
    let (_folder, _server, company) = company().await;
    for (id, total, due) in [
        ("i1", "10.00", "2024-03-01"),
        ("i2", "20.00", "2024-02-01"),
        ("i3", "30.00", "2024-01-20"),
    ] {
        company.issue(id, "ada", total, due).await;
    }
    // Exactly one open amount, else oldest due first.
    let auto = |id: &str, cents: &str| v1::RecordPaymentRequest {
        payment_id: id.to_owned(),
        customer_id: "ada".to_owned(),
        amount: eur(cents),
        auto: true,
        ..Default::default()
    };
    let exact = company.pay(auto("p1", "20.00")).await;
    assert_eq!(exact.allocations[0].invoice_id, "i2");
    let oldest = company.pay(auto("p2", "35.00")).await;
    let put: BTreeMap<_, _> = oldest
        .allocations
        .iter()
        .map(|allocation| (allocation.invoice_id.as_str(), amount(allocation.amount.as_ref())))
        .collect();
    assert_eq!(put, BTreeMap::from([("i1", "5.00".to_owned()), ("i3", "30.00".to_owned())]));
    let explicit = v1::RecordPaymentRequest {
        payment_id: "p3".to_owned(),
        customer_id: "ada".to_owned(),
        amount: eur("6.00"),
        allocations: vec![v1::ExplicitAllocation {
            invoice_id: "i1".to_owned(),
            amount: eur("4.00"),
        }],
        ..Default::default()
    };
    let explicit = company.pay(explicit).await;
    assert_eq!(amount(explicit.unapplied.as_ref()), "2.00");
    assert_eq!(open(&company.invoice("i1").await), "1.00");

    let off = v1::DeallocateRequest {
        ledger_id: LEDGER.to_owned(),
        invoice_id: "i2".to_owned(),
        source: Some(v1::deallocate_request::Source::PaymentId("p1".to_owned())),
        ..Default::default()
    };
    let answer = company.client.payments.clone().deallocate(off).await.unwrap().into_inner();
    company.saw(answer.position);
    let i2 = answer.invoice.unwrap();
    assert_eq!((i2.status(), open(&i2)), (InvoiceStatus::NotDue, "20.00".to_owned()));
    assert_eq!(amount(company.payment("p1").await.unapplied.as_ref()), "20.00");
    company.expect_balance("ada", "collected 61.00, outstanding 21.00, unapplied 22.00").await;

    let request = v1::ListInvoiceActivityRequest {
        ledger_id: LEDGER.to_owned(),
        invoice_id: "i2".to_owned(),
        min_position: company.position(),
        ..Default::default()
    };
    let activity = company.client.invoices.clone().list_invoice_activity(request).await.unwrap();
    let activity: Vec<_> =
        activity.into_inner().events.into_iter().map(|event| event.event).collect();
    assert_eq!(
        activity,
        [
            "invoice.issued",
            "allocation.made",
            "invoice.paid",
            "allocation.undone",
            "invoice.reopened"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn credit_notes_offset_are_kept_and_cancel() {
    let (_folder, _server, company) = company().await;
    for id in ["i1", "i2", "i3"] {
        company.issue(id, "ada", "100.00", "2024-02-01").await;
    }
    let note = |id: &str, invoice: &str, cents: &str, keep: bool| v1::IssueCreditNoteRequest {
        ledger_id: LEDGER.to_owned(),
        credit_note_id: id.to_owned(),
        invoice_id: invoice.to_owned(),
        amount: eur(cents),
        keep,
        ..Default::default()
    };
    let mut notes = company.client.credit_notes.clone();
    let offset =
        notes.issue_credit_note(note("n1", "i1", "30.00", false)).await.unwrap().into_inner();
    let kept = notes.issue_credit_note(note("n2", "i2", "40.00", true)).await.unwrap().into_inner();
    company.saw(kept.position);
    assert_eq!(offset.credit_note.as_ref().unwrap().number, "CN-2024-00001");
    assert_eq!(amount(offset.credit_note.unwrap().unapplied.as_ref()), "0.00");
    assert_eq!(amount(kept.credit_note.unwrap().unapplied.as_ref()), "40.00");
    let [i1, i2] = [company.invoice("i1").await, company.invoice("i2").await];
    assert_eq!([open(&i1), open(&i2)], ["70.00", "100.00"]);
    assert_eq!(amount(i2.credit_noted.as_ref()), "40.00");
    company
        .expect_balance("ada", "credited 70.00, outstanding 270.00, unapplied 40.00, net 230.00")
        .await;

    let cancel = |invoice: &str, keep_unapplied| v1::CancelInvoiceRequest {
        ledger_id: LEDGER.to_owned(),
        invoice_id: invoice.to_owned(),
        keep_unapplied,
        ..Default::default()
    };
    let mut invoices = company.client.invoices.clone();
    let cancelled = invoices.cancel_invoice(cancel("i3", false)).await.unwrap().into_inner();
    company.saw(cancelled.position);
    let cancelled = cancelled.invoice.unwrap();
    assert_eq!(cancelled.status(), InvoiceStatus::Cancelled);
    assert_eq!(cancelled.facets.unwrap().document(), DocumentState::Cancelled);
    // With money on it, cancelling must say what becomes of the money.
    company.pay_invoice("p1", "i1", "20.00").await;
    let refused = invoices.cancel_invoice(cancel("i1", false)).await.unwrap_err();
    assert_eq!(Told::from(&refused).reason, "MONEY_ALLOCATED");
    let cancelled = invoices.cancel_invoice(cancel("i1", true)).await.unwrap().into_inner();
    company.saw(cancelled.position);
    assert_eq!(cancelled.invoice.unwrap().status(), InvoiceStatus::Cancelled);
    company
        .expect_balance(
            "ada",
            "credited 240.00, collected 20.00, outstanding 100.00, unapplied 60.00",
        )
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn disputes_reversals_and_sending_are_facts_of_their_own() {
    let (_folder, _server, company) = company().await;
    company.issue("i1", "ada", "100.00", "2024-01-10").await;
    let mut invoices = company.client.invoices.clone();
    let sent = v1::MarkSentRequest {
        ledger_id: LEDGER.to_owned(),
        invoice_id: "i1".to_owned(),
        date: date("2024-01-02"),
        ..Default::default()
    };
    let sent = invoices.mark_sent(sent).await.unwrap().into_inner().invoice.unwrap();
    assert_eq!(sent.sent_on, date("2024-01-02"));
    let dispute = v1::DisputeInvoiceRequest {
        ledger_id: LEDGER.to_owned(),
        invoice_id: "i1".to_owned(),
        reason: "Wrong quantity".to_owned(),
        ..Default::default()
    };
    let disputed = invoices.dispute_invoice(dispute.clone()).await.unwrap().into_inner();
    assert!(disputed.invoice.unwrap().facets.unwrap().disputed);
    let again = invoices.dispute_invoice(dispute).await.unwrap_err();
    assert_eq!(Told::from(&again).reason, "WRONG_STATE");
    company.saw(disputed.position);
    let list = |filter| v1::ListInvoicesRequest {
        ledger_id: LEDGER.to_owned(),
        filter: Some(filter),
        min_position: company.position(),
        ..Default::default()
    };
    let filter = v1::InvoiceFilter { disputed: Some(true), ..Default::default() };
    let listed = invoices.list_invoices(list(filter)).await.unwrap().into_inner().invoices;
    assert_eq!(
        listed.iter().map(|invoice| invoice.invoice_id.as_str()).collect::<Vec<_>>(),
        ["i1"]
    );
    let resolve = v1::ResolveDisputeRequest {
        ledger_id: LEDGER.to_owned(),
        invoice_id: "i1".to_owned(),
        ..Default::default()
    };
    let resolved = invoices.resolve_dispute(resolve).await.unwrap().into_inner();
    assert!(!resolved.invoice.unwrap().facets.unwrap().disputed);

    company.pay_invoice("p1", "i1", "100.00").await;
    company.advance("2024-01-20").await;
    let reverse = v1::ReversePaymentRequest {
        ledger_id: LEDGER.to_owned(),
        payment_id: "p1".to_owned(),
        kind: v1::ReversalKind::Chargeback.into(),
        ..Default::default()
    };
    let reversed =
        company.client.payments.clone().reverse_payment(reverse).await.unwrap().into_inner();
    company.saw(reversed.position);
    assert_eq!(amount(reversed.payment.unwrap().reversed.as_ref()), "100.00");
    let reopened = company.invoice("i1").await;
    assert_eq!(
        (reopened.status(), reopened.due_date),
        (InvoiceStatus::Overdue, date("2024-01-10"))
    );
    let events = company.client.events_after(0).await;
    let names: Vec<_> = events
        .iter()
        .filter(|event| event.entity == "invoice")
        .map(|event| event.event.trim_start_matches("invoice."))
        .collect();
    let expected =
        ["issued", "sent", "disputed", "dispute_resolved", "paid", "reopened", "overdue"];
    assert_eq!(names, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn currencies_never_mix() {
    let (_folder, _server, company) = company().await;
    company.issue("i1", "ada", "100.00", "2024-02-01").await;
    for (id, total) in [("y1", money("JPY", "1200")), ("b1", money("BHD", "1.234"))] {
        let request = v1::IssueInvoiceRequest {
            ledger_id: LEDGER.to_owned(),
            invoice_id: id.to_owned(),
            customer_id: "ada".to_owned(),
            total: Some(total.clone()),
            ..Default::default()
        };
        let answer =
            company.client.invoices.clone().issue_invoice(request).await.unwrap().into_inner();
        company.saw(answer.position);
        assert_eq!(answer.invoice.unwrap().open, Some(total));
    }
    let balances = company.get_customer("ada").await.balances;
    let outstanding: Vec<_> = balances
        .iter()
        .map(|balance| (balance.currency_code.as_str(), amount(balance.outstanding.as_ref())))
        .collect();
    let expected = [("BHD", "1.234"), ("EUR", "100.00"), ("JPY", "1200.00")];
    assert_eq!(outstanding, expected.map(|(code, text)| (code, text.to_owned())));
}
