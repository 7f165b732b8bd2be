//! Exports: comma-separated text over a stream.

use std::time::Duration;

use encours_proto::v1;
use encours_proto::v1::export_csv_request::Export;
use encours_proto::v1::report_service_client::ReportServiceClient;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

use crate::support::{Client, Server, acme, customer, date, eur, invoice, payment, reason, soon};

fn export(export: Export) -> v1::ExportCsvRequest {
    v1::ExportCsvRequest { ledger_id: "acme".into(), export: Some(export), ..Default::default() }
}

impl Client {
    /// The parts of an export, each at most 64 KiB.
    async fn parts(&mut self, request: v1::ExportCsvRequest) -> Result<Vec<String>, Status> {
        let request = v1::ExportCsvRequest { min_position: self.head().await, ..request };
        let mut stream = self.reports.export_csv(request).await?.into_inner();
        let mut parts = Vec::new();
        while let Some(part) = stream.message().await? {
            assert!(part.position > 0 && part.csv.len() <= 64 * 1024);
            assert!(part.csv.ends_with("\r\n"), "a part is whole lines");
            parts.push(part.csv);
        }
        Ok(parts)
    }

    async fn lines(&mut self, what: Export) -> Vec<String> {
        let text = self.parts(export(what)).await.unwrap().concat();
        text.split_terminator("\r\n").map(str::to_owned).collect()
    }
}

#[tokio::test]
async fn the_three_exports_say_what_their_columns_promise() {
    let (_server, mut client) = acme().await;
    let ada = v1::CreateCustomerRequest { name: "=SUM(A1), \"Ada\"".into(), ..customer("ada") };
    client.customers.create_customer(ada).await.unwrap();
    client.customer("bob").await;
    let numbered = v1::IssueInvoiceRequest { number: "-7".into(), ..invoice("F1", "ada", 123_456) };
    client.invoices.issue_invoice(numbered).await.unwrap();
    let pay = v1::RecordPaymentRequest {
        invoice_id: "F1".into(),
        reference: "@chq 12".into(),
        ..payment("P1", "ada", 200_000)
    };
    client.payments.record_payment(pay).await.unwrap();

    let lines = client.lines(Export::Invoices(v1::InvoicesExport::default())).await;
    assert!(lines[0].starts_with("invoice_id,number,kind,customer_id,customer_name,status,"));
    let columns = lines[0].split(',').count();
    assert_eq!(columns, 23);
    assert!(
        lines[1].starts_with("F1,'-7,INVOICE,ada,\"'=SUM(A1), \"\"Ada\"\"\",PAID,2026-01-05,2026-02-04,,EUR,1234.56,0.00,"),
        "{}",
        lines[1]
    );
    assert!(lines[1].ends_with(",false,,,NONE,0,"), "{}", lines[1]);
    assert_eq!(lines.len(), 2);
    let of_bob = v1::InvoiceFilter { customer_id: "bob".into(), ..Default::default() };
    let of_bob = Export::Invoices(v1::InvoicesExport { filter: Some(of_bob) });
    assert_eq!(client.lines(of_bob).await.len(), 1);

    let lines = client.lines(Export::Customers(v1::CustomersExport::default())).await;
    let zeros = ["0.00"; 10].join(",");
    assert_eq!(lines[2], format!("bob,Name of bob,UP_TO_DATE,EUR,{zeros},"));
    let figures = "0.00,1234.56,0.00,2000.00,0.00,0.00,0.00,0.00,765.44,-765.44,";
    assert_eq!(lines[1], format!("ada,\"'=SUM(A1), \"\"Ada\"\"\",IN_CREDIT,EUR,{figures}"));
    // Before the payment, the invoice and the customer's figures.
    let past = v1::CustomersExport { as_of_date: Some(date(2026, 1, 4)), filter: None };
    let lines = client.lines(Export::Customers(past)).await;
    assert!(lines[1].contains("UP_TO_DATE,EUR,0.00,0.00,0.00"), "{}", lines[1]);

    let lines = client.lines(Export::Payments(v1::PaymentsExport::default())).await;
    assert!(lines[0].ends_with(",reversal,reference,allocations"));
    assert!(
        lines[1]
            .ends_with(",2026-01-05,TRANSFER,EUR,2000.00,765.44,0.00,0.00,,'@chq 12,F1=1234.56"),
        "{}",
        lines[1]
    );
}

#[tokio::test]
async fn a_long_export_comes_in_parts_and_in_order() {
    let (_server, mut client) = acme().await;
    client.customer("ada").await;
    for thousand in 0..3 {
        let commands = (0..1_000).map(|no| {
            let id = format!("F{:04}", thousand * 1_000 + no);
            let issue = v1::command::Command::IssueInvoice(invoice(&id, "ada", 100));
            v1::Command { command: Some(issue) }
        });
        client.batch.execute(v1::ExecuteRequest { commands: commands.collect() }).await.unwrap();
    }
    let what = export(Export::Invoices(v1::InvoicesExport::default()));
    let parts = client.parts(what.clone()).await.unwrap();
    assert!(parts.len() > 3, "{}", parts.len());
    let text = parts.concat();
    let ids: Vec<&str> = text.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(ids.len(), 3_000);
    assert!(ids.is_sorted());

    // A caller that leaves after the first part leaves nothing behind: the next export is whole.
    let mut stream = client.reports.export_csv(what.clone()).await.unwrap().into_inner();
    soon("the first part", stream.message()).await.unwrap().unwrap();
    drop(stream);
    assert_eq!(client.parts(what).await.unwrap().concat(), text);
}

/// A server where the lines of an export of invoices have 4 KB, so that a page of 500 is far more than
/// may wait on the way; and a client that takes 64 KB before it reads.
async fn wide() -> (Server, Client, ReportServiceClient<Channel>) {
    let (server, mut client) = acme().await;
    let wide = v1::CreateCustomerRequest { name: "n".repeat(4_000), ..customer("ada") };
    client.customers.create_customer(wide).await.unwrap();
    let commands = (0..1_000).map(|no| {
        let issue = v1::command::Command::IssueInvoice(invoice(&format!("F{no:03}"), "ada", 100));
        v1::Command { command: Some(issue) }
    });
    client.batch.execute(v1::ExecuteRequest { commands: commands.collect() }).await.unwrap();
    let narrow = Endpoint::from_shared(server.address.clone()).unwrap();
    let narrow = narrow.initial_stream_window_size(65_535).connect().await.unwrap();
    (server, client, ReportServiceClient::new(narrow))
}

#[tokio::test]
async fn an_export_that_is_not_read_in_time_ends_with_a_word() {
    let (_server, mut client, mut narrow) = wide().await;
    let mut what = export(Export::Invoices(v1::InvoicesExport::default()));
    what.min_position = client.head().await;
    let mut request = Request::new(what);
    request.set_timeout(Duration::from_secs(3));
    let mut stream = narrow.export_csv(request).await.unwrap().into_inner();
    tokio::time::sleep(Duration::from_secs(4)).await;
    let ended = soon("the end of the export", async {
        loop {
            match stream.message().await {
                Ok(part) => assert!(part.is_some(), "it ended as if it were whole"),
                Err(status) => return status,
            }
        }
    });
    let ended = ended.await;
    assert_eq!(ended.code(), Code::DeadlineExceeded, "{ended:?}");
    assert_eq!(reason(&ended), "EXPORT_NOT_FINISHED");
}

#[tokio::test]
async fn a_caller_that_does_not_read_pauses_the_reading() {
    let (server, mut client, mut narrow) = wide().await;
    let mut request = export(Export::Invoices(v1::InvoicesExport::default()));
    request.min_position = client.head().await;
    let mut stream = narrow.export_csv(request).await.unwrap().into_inner();
    let first = soon("the first part", stream.message()).await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    // The pages behind were not read ahead: the last one knows of what is issued only now.
    client.invoice("LATE", "ada", 100).await;
    let head = client.head().await;
    server.model.wait_for(encours_domain::Position(head)).await.unwrap();
    let (mut text, mut position) = (first.csv, first.position);
    assert!(position < head);
    while let Some(part) = soon("the next part", stream.message()).await.unwrap() {
        assert!(part.position >= position);
        position = part.position;
        text.push_str(&part.csv);
    }
    assert_eq!(position, head);
    let ids: Vec<&str> = text.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!((ids.len(), ids.last()), (1_001, Some(&"LATE")));
}

#[tokio::test]
async fn a_caller_that_reads_nothing_for_a_minute_is_left() {
    let (_server, mut client, mut narrow) = wide().await;
    let mut what = export(Export::Invoices(v1::InvoicesExport::default()));
    what.min_position = client.head().await;
    let mut stream = narrow.export_csv(what).await.unwrap().into_inner();
    // The first page is read then; soon everything on the way is full.
    soon("the first part", stream.message()).await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(61)).await;
    tokio::time::resume();
    let ended = soon("the end of the export", async {
        loop {
            match stream.message().await {
                Ok(part) => assert!(part.is_some(), "it ended as if it were whole"),
                Err(status) => return status,
            }
        }
    });
    let ended = ended.await;
    assert_eq!(reason(&ended), "EXPORT_NOT_FINISHED");
    assert!(ended.message().contains("60s without anything read"), "{ended:?}");
}

#[tokio::test]
async fn so_many_exports_at_a_time_and_a_place_is_free_again() {
    let (_server, mut client, mut narrow) = wide().await;
    let mut what = export(Export::Invoices(v1::InvoicesExport::default()));
    what.min_position = client.head().await;
    let mut under_way = Vec::new();
    for _ in 0..encours_api::MAX_EXPORTS {
        under_way.push(narrow.export_csv(what.clone()).await.unwrap().into_inner());
    }
    let one_more = client.reports.export_csv(what.clone()).await.unwrap_err();
    assert_eq!(one_more.code(), Code::ResourceExhausted);
    assert_eq!(reason(&one_more), "EXPORTS_RUNNING");
    under_way.pop();
    let again = soon("a free place", async {
        loop {
            match client.reports.export_csv(what.clone()).await {
                Ok(stream) => return stream.into_inner(),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    });
    let mut again = again.await;
    assert!(soon("a part", again.message()).await.unwrap().is_some());
}

#[tokio::test]
async fn another_reader_of_csv_gets_back_what_was_written() {
    let (_server, mut client) = acme().await;
    let names = ["a, b", "say \"x\"", "two\r\nlines", " spaces ", "é€", "'", "=1", "-", "\ttab"];
    for (at, name) in names.iter().enumerate() {
        let request =
            v1::CreateCustomerRequest { name: (*name).to_owned(), ..customer(&format!("c{at}")) };
        client.customers.create_customer(request).await.unwrap();
    }
    let what = export(Export::Customers(v1::CustomersExport::default()));
    let text = client.parts(what).await.unwrap().concat();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let column = reader.headers().unwrap().iter().position(|name| name == "name").unwrap();
    let read: Vec<String> =
        reader.records().map(|record| record.unwrap()[column].to_owned()).collect();
    let written = names.map(|name| match name.chars().next() {
        Some('=' | '-' | '\t') => format!("'{name}"),
        _ => name.to_owned(),
    });
    assert_eq!(read, written);
}

#[tokio::test]
async fn what_cannot_be_exported_is_refused_before_the_first_part() {
    let (_server, mut client) = acme().await;
    let min_position = client.head().await;
    let nothing =
        v1::ExportCsvRequest { ledger_id: "acme".into(), min_position, ..Default::default() };
    let refused = client.reports.export_csv(nothing).await.unwrap_err();
    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (Code::InvalidArgument, "MISSING_FIELD")
    );
    let of_nobody = v1::PaymentFilter { customer_id: "eve".into(), ..Default::default() };
    let of_nobody = export(Export::Payments(v1::PaymentsExport { filter: Some(of_nobody) }));
    let refused = client.reports.export_csv(of_nobody).await.unwrap_err();
    assert_eq!(reason(&refused), "UNKNOWN_CUSTOMER");
    let mut elsewhere = export(Export::Payments(v1::PaymentsExport::default()));
    elsewhere.ledger_id = "nope".into();
    let refused = client.reports.export_csv(elsewhere).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::NotFound, "UNKNOWN_LEDGER"));
    let open = v1::MoneyRange { least: Some(eur(2)), most: Some(eur(1)) };
    let filter = v1::InvoiceFilter { open_amounts: Some(open), ..Default::default() };
    let wrong = export(Export::Invoices(v1::InvoicesExport { filter: Some(filter) }));
    let refused = client.reports.export_csv(wrong).await.unwrap_err();
    assert_eq!(reason(&refused), "INVALID_AMOUNT");
}
