//! Drafts: written, changed, deleted and issued, one by one and in bulk.

use encours_proto::v1;
use encours_proto::v1::command::Command;
use tonic::Code;

use crate::support::{Client, acme, date, eur, field, reason};

fn draft(id: &str, cents: i64) -> v1::CreateDraftRequest {
    v1::CreateDraftRequest {
        ledger_id: "acme".into(),
        invoice_id: id.into(),
        customer_id: "ada".into(),
        total: Some(eur(cents)),
        text: "thank you".into(),
        ..Default::default()
    }
}

fn issue(id: &str) -> v1::IssueInvoiceRequest {
    v1::IssueInvoiceRequest {
        ledger_id: "acme".into(),
        invoice_id: id.into(),
        from_draft: true,
        ..Default::default()
    }
}

fn delete(id: &str) -> v1::DeleteDraftRequest {
    v1::DeleteDraftRequest { ledger_id: "acme".into(), invoice_id: id.into(), ..Default::default() }
}

impl Client {
    async fn get(&mut self, id: &str, view: v1::InvoiceView, position: u64) -> v1::Invoice {
        let request = v1::GetInvoiceRequest {
            ledger_id: "acme".into(),
            invoice: Some(v1::get_invoice_request::Invoice::InvoiceId(id.into())),
            view: view.into(),
            min_position: position,
        };
        self.invoices.get_invoice(request).await.unwrap().into_inner().invoice.unwrap()
    }
}

#[tokio::test]
async fn a_draft_is_written_changed_and_issued() {
    let (_server, mut client) = acme().await;
    client.customer("ada").await;
    let dry = v1::CreateDraftRequest { validate_only: true, ..draft("D1", 4_000) };
    let shown = client.invoices.create_draft(dry).await.unwrap().into_inner();
    assert_eq!(shown.invoice.unwrap().status(), v1::InvoiceStatus::Draft);

    let made = client.invoices.create_draft(draft("D1", 4_000)).await.unwrap().into_inner();
    assert!(!made.repeat, "the dry run bound nothing");
    let shown = made.invoice.unwrap();
    assert_eq!((shown.open, shown.issue_date, shown.due_date), (Some(eur(0)), None, None));
    assert!(shown.number.starts_with("DRAFT-"), "{}", shown.number);
    assert_eq!(shown.labels["clicfacture"], "provisoire");
    assert_eq!(shown.labels["libeo"], "DRAFT");
    let again = client.invoices.create_draft(draft("D1", 4_000)).await.unwrap().into_inner();
    assert!(again.repeat);
    let other = client.invoices.create_draft(draft("D1", 4_001)).await.unwrap_err();
    assert_eq!((other.code(), reason(&other).as_str()), (Code::AlreadyExists, "ID_EXISTS"));

    let update = v1::UpdateDraftRequest {
        ledger_id: "acme".into(),
        invoice_id: "D1".into(),
        customer_id: "ada".into(),
        total: Some(eur(5_000)),
        purchase_order: "PO 7".into(),
        due: Some(v1::update_draft_request::Due::DueDate(date(2026, 3, 1))),
        expected_version: Some(shown.version + 7),
        ..Default::default()
    };
    let stale = client.invoices.update_draft(update.clone()).await.unwrap_err();
    assert_eq!((stale.code(), reason(&stale).as_str()), (Code::Aborted, "VERSION_MISMATCH"));
    let update = v1::UpdateDraftRequest { expected_version: Some(shown.version), ..update };
    let updated = client.invoices.update_draft(update).await.unwrap().into_inner();

    // The full view says what the draft says now, and nothing of what it said before.
    let full = client.get("D1", v1::InvoiceView::Full, updated.position).await;
    let content = full.content.unwrap();
    assert_eq!((content.text.as_str(), content.purchase_order.as_str()), ("", "PO 7"));
    let due = full.draft.unwrap().due;
    assert_eq!(due, Some(v1::draft_fields::Due::DueDate(date(2026, 3, 1))));
    assert!(client.get("D1", v1::InvoiceView::Basic, 0).await.draft.is_none());

    let issued = client.invoices.issue_invoice(issue("D1")).await.unwrap().into_inner();
    let invoice = issued.invoice.unwrap();
    assert_eq!(
        (invoice.number.as_str(), invoice.open.clone()),
        ("INV-2026-00001", Some(eur(5_000)))
    );
    assert_eq!(invoice.issue_date, Some(date(2026, 1, 5)));
    assert_eq!(invoice.due_date, Some(date(2026, 3, 1)));
    let again = client.invoices.issue_invoice(issue("D1")).await.unwrap().into_inner();
    assert!(again.repeat);
    assert_eq!(again.position, issued.position);
    let full = client.get("D1", v1::InvoiceView::Full, issued.position).await;
    assert_eq!((full.content.unwrap().purchase_order.as_str(), full.draft), ("PO 7", None));
}

#[tokio::test]
async fn a_draft_refuses_what_only_invoices_take() {
    let (_server, mut client) = acme().await;
    client.customer("ada").await;
    client.invoices.create_draft(draft("D1", 4_000)).await.unwrap();
    let before = client.head().await;
    let sent = v1::MarkSentRequest {
        ledger_id: "acme".into(),
        invoice_id: "D1".into(),
        ..Default::default()
    };
    let refused = client.invoices.mark_sent(sent).await.unwrap_err();
    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (Code::FailedPrecondition, "WRONG_STATE")
    );
    assert!(refused.message().contains("draft"), "{refused:?}");
    // Its id is taken, and what it says is said by it alone.
    let direct = v1::IssueInvoiceRequest {
        from_draft: false,
        customer_id: "ada".into(),
        total: Some(eur(4_000)),
        ..issue("D1")
    };
    let refused = client.invoices.issue_invoice(direct).await.unwrap_err();
    assert_eq!(reason(&refused), "ID_EXISTS");
    let both = v1::IssueInvoiceRequest { total: Some(eur(1)), ..issue("D1") };
    let refused = client.invoices.issue_invoice(both).await.unwrap_err();
    assert_eq!((reason(&refused), field(&refused)), ("CONFLICTING_FIELDS".into(), "total".into()));
    let refused = client.invoices.issue_invoice(issue("D9")).await.unwrap_err();
    assert_eq!(reason(&refused), "UNKNOWN_INVOICE");
    assert_eq!(client.head().await, before);
}

#[tokio::test]
async fn drafts_are_issued_and_deleted_in_bulk() {
    let (_server, mut client) = acme().await;
    client.customer("ada").await;
    let commands = |commands: Vec<Command>| {
        let commands = commands.into_iter().map(|c| v1::Command { command: Some(c) }).collect();
        v1::ExecuteRequest { commands }
    };
    let ids: Vec<String> = (0..5).map(|no| format!("D{no}")).collect();
    let made = ids.iter().map(|id| Command::CreateDraft(draft(id, 100))).collect();
    client.batch.execute(commands(made)).await.unwrap();
    let ended = vec![
        Command::IssueInvoice(issue("D0")),
        Command::DeleteDraft(delete("D1")),
        Command::IssueInvoice(issue("D2")),
        Command::DeleteDraft(delete("D2")),
        Command::DeleteDraft(delete("D1")),
        Command::IssueInvoice(issue("D1")),
    ];
    let results = client.batch.execute(commands(ended)).await.unwrap().into_inner().results;
    let told: Vec<String> = results.into_iter().map(told).collect();
    let issued = |number: &str| format!("{number} false");
    assert_eq!(
        told,
        [
            issued("INV-2026-00001"),
            "DRAFT-2 false".into(),
            issued("INV-2026-00002"),
            "WRONG_STATE".into(),
            "DRAFT-2 true".into(),
            "WRONG_STATE".into(),
        ]
    );
    let position = client.head().await;
    let mut list = async |filter: v1::InvoiceFilter| {
        let request = v1::ListInvoicesRequest {
            ledger_id: "acme".into(),
            filter: Some(filter),
            min_position: position,
            ..Default::default()
        };
        let found = client.invoices.list_invoices(request).await.unwrap().into_inner();
        found.invoices.into_iter().map(|found| found.invoice_id).collect::<Vec<_>>()
    };
    // Deleted drafts are in no list.
    assert_eq!(list(v1::InvoiceFilter::default()).await, ["D0", "D2", "D3", "D4"]);
    let hidden = v1::InvoiceFilter { hide_drafts: true, ..Default::default() };
    assert_eq!(list(hidden).await, ["D0", "D2"]);
    let drafts =
        v1::InvoiceFilter { document: v1::DocumentState::Draft.into(), ..Default::default() };
    assert_eq!(list(drafts).await, ["D3", "D4"]);
    let deleted = client.get("D1", v1::InvoiceView::Full, 0).await;
    assert!(deleted.deleted);
    let totals = v1::GetLedgerTotalsRequest { ledger_id: "acme".into(), min_position: position };
    let totals = client.reports.get_ledger_totals(totals).await.unwrap().into_inner();
    assert_eq!(totals.balances[0].invoiced, Some(eur(200)));
    assert_eq!(totals.invoices.unwrap().draft, 2);
}

fn told(result: v1::CommandResult) -> String {
    use v1::command_outcome::Resource;
    match result.result.unwrap() {
        v1::command_result::Result::Error(error) => error.reason,
        v1::command_result::Result::Outcome(outcome) => match outcome.resource.unwrap() {
            Resource::Invoice(invoice) => format!("{} {}", invoice.number, outcome.repeat),
            other => panic!("{other:?}"),
        },
    }
}
