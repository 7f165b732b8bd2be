//! Opening items, refunds and credit limits.

use encours_proto::v1;
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::support::{Client, Server, acme, date, eur, invoice, payment, reason};

fn item(id: &str, direction: v1::OpeningItemDirection, cents: i64) -> v1::AddOpeningItemRequest {
    v1::AddOpeningItemRequest {
        ledger_id: "acme".into(),
        invoice_id: id.into(),
        customer_id: "ada".into(),
        direction: direction.into(),
        amount: Some(eur(cents)),
        ..Default::default()
    }
}

impl Client {
    async fn balance(&mut self) -> v1::Balance {
        let request = v1::GetCustomerRequest {
            ledger_id: "acme".into(),
            customer_id: "ada".into(),
            min_position: self.head().await,
            ..Default::default()
        };
        let found = self.customers.get_customer(request).await.unwrap().into_inner();
        found.customer.unwrap().balances.remove(0)
    }
}

#[tokio::test]
async fn what_was_owed_before_ages_and_is_corrected() {
    use v1::OpeningItemDirection::{Owed, Owing};
    let (_server, mut client) = acme().await;
    client.customer("ada").await;
    let owed = v1::AddOpeningItemRequest {
        paid: Some(eur(2_000)),
        due_date: Some(date(2026, 1, 1)),
        date: Some(date(2025, 12, 1)),
        number: "OLD-1".into(),
        request_id: "r1".into(),
        ..item("O1", Owed, 10_000)
    };
    let added = client.customers.add_opening_item(owed.clone()).await.unwrap().into_inner();
    let shown = added.invoice.unwrap();
    assert_eq!(shown.kind(), v1::InvoiceKind::OpeningOwed);
    assert_eq!(shown.status(), v1::InvoiceStatus::Overdue);
    assert_eq!((shown.open, shown.paid_before), (Some(eur(8_000)), Some(eur(2_000))));
    let again = client.customers.add_opening_item(owed).await.unwrap().into_inner();
    assert!(again.repeat);
    client.customers.add_opening_item(item("O2", Owing, 3_000)).await.unwrap();

    let put = v1::AllocateRequest {
        ledger_id: "acme".into(),
        invoice_id: "O1".into(),
        source: Some(v1::allocate_request::Source::OpeningItemId("O2".into())),
        amount: Some(eur(1_000)),
        ..Default::default()
    };
    let put = client.payments.allocate(put).await.unwrap().into_inner().invoice.unwrap();
    assert_eq!((put.open, put.credited), (Some(eur(7_000)), Some(eur(1_000))));
    let figures = client.balance().await;
    assert_eq!((figures.opening, figures.invoiced), (Some(eur(5_000)), Some(eur(0))));
    assert_eq!((figures.outstanding, figures.unapplied), (Some(eur(7_000)), Some(eur(2_000))));

    let correct = |cents| v1::CorrectOpeningItemRequest {
        ledger_id: "acme".into(),
        invoice_id: "O1".into(),
        amount: Some(eur(cents)),
        ..Default::default()
    };
    let refused = client.customers.correct_opening_item(correct(2_500)).await.unwrap_err();
    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (Code::FailedPrecondition, "OVER_ALLOCATION")
    );
    let corrected = client.customers.correct_opening_item(correct(3_500)).await.unwrap();
    assert_eq!(corrected.into_inner().invoice.unwrap().open, Some(eur(500)));
    let again = client.customers.correct_opening_item(correct(3_500)).await.unwrap();
    assert!(again.into_inner().repeat);

    let off = v1::DeallocateRequest {
        ledger_id: "acme".into(),
        invoice_id: "O1".into(),
        source: Some(v1::deallocate_request::Source::OpeningItemId("O2".into())),
        ..Default::default()
    };
    let off = client.payments.deallocate(off).await.unwrap().into_inner().invoice.unwrap();
    assert_eq!(off.open, Some(eur(1_500)));
    let credit = v1::CancelInvoiceRequest {
        ledger_id: "acme".into(),
        invoice_id: "O1".into(),
        ..Default::default()
    };
    let refused = client.invoices.cancel_invoice(credit).await.unwrap_err();
    assert_eq!(reason(&refused), "WRONG_STATE");
}

#[tokio::test]
async fn money_is_paid_back_from_what_is_free_and_from_an_invoice() {
    let (_server, mut client) = acme().await;
    client.customer("ada").await;
    client.invoice("F1", "ada", 4_000).await;
    let pay = v1::RecordPaymentRequest { invoice_id: "F1".into(), ..payment("P1", "ada", 5_000) };
    client.payments.record_payment(pay).await.unwrap();
    let refund = |cents: Option<i64>, invoice: &str| v1::RefundPaymentRequest {
        ledger_id: "acme".into(),
        payment_id: "P1".into(),
        invoice_id: invoice.into(),
        amount: cents.map(eur),
        ..Default::default()
    };
    let refused = client.payments.refund_payment(refund(Some(1_001), "")).await.unwrap_err();
    assert_eq!(reason(&refused), "OVER_ALLOCATION");
    let figures = refused.get_error_details().error_info().unwrap().metadata.clone();
    assert_eq!(figures["asked"], "10.01 EUR");
    let once = v1::RefundPaymentRequest { request_id: "r1".into(), ..refund(Some(400), "") };
    let shown = client.payments.refund_payment(once.clone()).await.unwrap().into_inner();
    let shown = shown.payment.unwrap();
    assert_eq!((shown.unapplied, shown.refunded), (Some(eur(600)), Some(eur(400))));
    assert!(client.payments.refund_payment(once).await.unwrap().into_inner().repeat);
    let shown = client.payments.refund_payment(refund(None, "F1")).await.unwrap().into_inner();
    let shown = shown.payment.unwrap();
    assert_eq!((shown.unapplied, shown.refunded), (Some(eur(600)), Some(eur(4_400))));
    assert!(shown.allocations.is_empty());
    let figures = client.balance().await;
    assert_eq!((figures.refunded, figures.outstanding), (Some(eur(4_400)), Some(eur(4_000))));
    assert_eq!(figures.net, Some(eur(3_400)));
}

fn limit(cents: Option<i64>, policy: v1::CreditPolicy) -> v1::SetCreditLimitRequest {
    v1::SetCreditLimitRequest {
        ledger_id: "acme".into(),
        customer_id: "ada".into(),
        currency_code: "EUR".into(),
        limit: cents.map(eur),
        policy: policy.into(),
        ..Default::default()
    }
}

/// `ada` may owe 50 EUR and owes 30.
async fn limited() -> (Server, Client) {
    let (server, mut client) = acme().await;
    client.customer("ada").await;
    let refuse = limit(Some(5_000), v1::CreditPolicy::Refuse);
    client.customers.set_credit_limit(refuse).await.unwrap();
    client.invoice("F1", "ada", 3_000).await;
    (server, client)
}

#[tokio::test]
async fn a_credit_limit_is_set_once_and_lifted() {
    let (_server, mut client) = limited().await;
    let refuse = limit(Some(5_000), v1::CreditPolicy::Refuse);
    let again = client.customers.set_credit_limit(refuse).await.unwrap().into_inner();
    assert!(again.repeat);
    let limits = again.customer.unwrap().credit_limits;
    assert_eq!(limits[0].limit, Some(eur(5_000)));
    assert_eq!(limits[0].policy(), v1::CreditPolicy::Refuse);
    let lifted = limit(None, v1::CreditPolicy::Unspecified);
    let lifted = client.customers.set_credit_limit(lifted).await.unwrap().into_inner();
    assert!(lifted.customer.unwrap().credit_limits.is_empty());
}

#[tokio::test]
async fn what_is_left_of_a_limit_is_told_before_it_is_passed() {
    let (_server, mut client) = limited().await;
    let check = |cents: i64, position| v1::CheckCreditRequest {
        ledger_id: "acme".into(),
        customer_id: "ada".into(),
        amount: Some(eur(cents)),
        min_position: position,
        ..Default::default()
    };
    let head = client.head().await;
    let told = client.customers.check_credit(check(2_000, head)).await.unwrap().into_inner();
    assert_eq!(told.verdict(), v1::CreditVerdict::Allowed);
    assert_eq!(
        (told.exposure.clone(), told.available.clone()),
        (Some(eur(3_000)), Some(eur(2_000)))
    );
    let told = client.customers.check_credit(check(2_001, head)).await.unwrap().into_inner();
    assert_eq!(told.verdict(), v1::CreditVerdict::Refused);
    assert_eq!(told.exposure_after, Some(eur(5_001)));
    // Without an amount: in the customer's currency, else the ledger's.
    let plain = v1::CheckCreditRequest { amount: None, ..check(0, head) };
    let told = client.customers.check_credit(plain.clone()).await.unwrap().into_inner();
    assert_eq!(told.limit, Some(eur(5_000)));
    let dollars = v1::CheckCreditRequest { currency_code: "USD".into(), ..plain };
    let told = client.customers.check_credit(dollars).await.unwrap().into_inner();
    assert_eq!((told.limit, told.available, told.policy), (None, None, 0));
    let below = client.customers.check_credit(check(-1, 0)).await.unwrap_err();
    assert_eq!(reason(&below), "NOT_POSITIVE");
    let nobody = v1::CheckCreditRequest { customer_id: "eve".into(), ..check(1, 0) };
    let nobody = client.customers.check_credit(nobody).await.unwrap_err();
    assert_eq!((nobody.code(), reason(&nobody).as_str()), (Code::NotFound, "UNKNOWN_CUSTOMER"));
}

#[tokio::test]
async fn a_credit_limit_refuses_until_it_is_overridden() {
    let (_server, mut client) = limited().await;
    let refused = client.invoices.issue_invoice(invoice("F2", "ada", 2_001)).await.unwrap_err();
    assert_eq!(reason(&refused), "CREDIT_LIMIT_EXCEEDED");
    let figures = refused.get_error_details().error_info().unwrap().metadata.clone();
    assert_eq!(
        (figures["limit"].as_str(), figures["exposure"].as_str()),
        ("50.00 EUR", "50.01 EUR")
    );
    let anyway =
        v1::IssueInvoiceRequest { override_credit_limit: true, ..invoice("F2", "ada", 2_001) };
    let issued = client.invoices.issue_invoice(anyway).await.unwrap().into_inner();
    assert_eq!(issued.invoice.unwrap().over_limit, Some(eur(1)));
    let head = client.head().await;
    let request = v1::ListInvoicesRequest {
        ledger_id: "acme".into(),
        filter: Some(v1::InvoiceFilter { over_limit: Some(true), ..Default::default() }),
        min_position: head,
        ..Default::default()
    };
    let over = client.invoices.list_invoices(request).await.unwrap().into_inner().invoices;
    assert_eq!(over.len(), 1);
    let read = v1::ReadEventsRequest {
        filter: Some(v1::EventFilter {
            events: vec!["invoice.credit_limit_exceeded".into()],
            ..Default::default()
        }),
        min_position: head,
        ..Default::default()
    };
    let events = client.log.read_events(read).await.unwrap().into_inner().events;
    let Some(v1::public_event::Body::InvoiceCreditLimitExceeded(told)) = &events[0].body else {
        panic!("{events:?}")
    };
    assert!(told.overridden);
}
