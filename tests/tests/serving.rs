//! How the service answers whatever the command: dry runs, batches, pages, watchers, positions.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

use std::path::Path;
use std::time::Duration;

use encours_proto::v1;
use encours_proto::v1::command::Command;
use encours_tests::{
    Client, Company, Server, Told, amount, data_folder, date, day, eur, run_program,
};
use tempfile::TempDir;

const LEDGER: &str = "acme";

async fn company() -> (TempDir, Server, Company) {
    let folder = data_folder();
    let server = Server::start(folder.path());
    let company = Company::create(Client::connect(&server.url()).await, LEDGER, "2024-01-01").await;
    company.customer("ada", "Ada").await;
    (folder, server, company)
}

/// Has a server check its whole log; what came last.
async fn verify(client: &Client) -> Result<v1::VerifyLogResponse, tonic::Status> {
    let steps = client.log.clone().verify_log(v1::VerifyLogRequest::default()).await;
    let mut steps = steps?.into_inner();
    let mut last = None;
    while let Some(step) = steps.message().await? {
        last = Some(step);
    }
    Ok(last.expect("a result"))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_verification_runs_at_a_time() {
    let (_folder, _server, company) = company().await;
    let customer = |n: usize| v1::CreateCustomerRequest {
        ledger_id: LEDGER.to_owned(),
        customer_id: format!("c{n}"),
        name: "A customer".to_owned(),
        ..Default::default()
    };
    let command = |n| v1::Command { command: Some(Command::CreateCustomer(customer(n))) };
    let request = v1::ExecuteRequest { commands: (0..1_000).map(command).collect() };
    company.client.batch.clone().execute(request).await.unwrap();
    for _ in 0..100 {
        // Both at once; the first one may have ended all the same before the second one began.
        let (one, other) = tokio::join!(verify(&company.client), verify(&company.client));
        let told = match (one, other) {
            (Ok(_), Ok(_)) => continue,
            (Ok(_), Err(status)) | (Err(status), Ok(_)) => Told::from(&status),
            (one, other) => panic!("neither: {one:?}, {other:?}"),
        };
        let is = (told.code, &*told.reason);
        assert_eq!(is, (tonic::Code::ResourceExhausted, "VERIFICATION_RUNNING"), "{told:?}");
        assert!(told.retry_ms > 0, "{told:?}");
        tokio::time::sleep(Duration::from_millis(told.retry_ms.try_into().unwrap())).await;
        verify(&company.client).await.expect("then it is its turn");
        return;
    }
    panic!("a hundred times the one had ended before the other one began");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_answers_in_full_and_appends_nothing() {
    let (_folder, _server, company) = company().await;
    let head = company.client.head().await;
    let request = v1::IssueInvoiceRequest {
        ledger_id: LEDGER.to_owned(),
        request_id: "r1".to_owned(),
        validate_only: true,
        invoice_id: "i1".to_owned(),
        customer_id: "ada".to_owned(),
        total: eur("100.00"),
        ..Default::default()
    };
    let mut invoices = company.client.invoices.clone();
    for _ in 0..2 {
        let dry = invoices.issue_invoice(request.clone()).await.unwrap().into_inner();
        let invoice = dry.invoice.unwrap();
        assert_eq!(
            (invoice.number.as_str(), amount(invoice.open.as_ref())),
            ("INV-2024-00001", "100.00".to_owned())
        );
    }
    let after = company.client.head().await;
    assert_eq!((after.position, after.frame_number), (head.position, head.frame_number));
    let refused = v1::IssueInvoiceRequest { customer_id: "nobody".to_owned(), ..request.clone() };
    let refused = invoices.issue_invoice(refused).await.unwrap_err();
    assert_eq!(Told::from(&refused).reason, "UNKNOWN_CUSTOMER");
    // The number was not allotted and the request id not used.
    let wet = v1::IssueInvoiceRequest { validate_only: false, ..request };
    let wet = invoices.issue_invoice(wet).await.unwrap().into_inner();
    assert_eq!((wet.repeat, wet.invoice.unwrap().number.as_str()), (false, "INV-2024-00001"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_does_what_it_can_and_says_what_it_cannot() {
    let (_folder, _server, company) = company().await;
    let invoice = |n: u32| {
        Command::IssueInvoice(v1::IssueInvoiceRequest {
            ledger_id: LEDGER.to_owned(),
            request_id: format!("b{n}"),
            invoice_id: format!("i{n}"),
            customer_id: "ada".to_owned(),
            total: eur(&format!("{}.00", n + 1)),
            ..Default::default()
        })
    };
    let too_much = Command::RecordPayment(v1::RecordPaymentRequest {
        ledger_id: LEDGER.to_owned(),
        customer_id: "ada".to_owned(),
        amount: eur("10.00"),
        allocations: vec![v1::ExplicitAllocation {
            invoice_id: "i0".to_owned(),
            amount: eur("9.00"),
        }],
        ..Default::default()
    });
    let mut commands: Vec<_> = (0..500).map(invoice).collect();
    commands.insert(1, too_much);
    let wrap = |command| v1::Command { command: Some(command) };
    let commands: Vec<_> = commands.into_iter().map(wrap).collect();
    let request = v1::ExecuteRequest { commands };
    let mut batch = company.client.batch.clone();
    let answer = batch.execute(request.clone()).await.unwrap().into_inner();
    assert_eq!(answer.results.len(), 501);
    let mut positions = Vec::new();
    for (n, result) in answer.results.iter().enumerate() {
        match result.result.as_ref().unwrap() {
            v1::command_result::Result::Outcome(outcome) => positions.push(outcome.position),
            v1::command_result::Result::Error(error) => {
                assert_eq!((n, error.reason.as_str()), (1, "OVER_ALLOCATION"), "{error:?}");
                assert_eq!(error.code, tonic::Code::FailedPrecondition as i32);
                assert!(error.figures.values().any(|figure| figure.contains("1.00")), "{error:?}");
            }
        }
    }
    assert_eq!(positions.len(), 500);
    assert!(positions.is_sorted_by(|a, b| a < b), "in their order");
    let again = batch.execute(request).await.unwrap().into_inner();
    for (first, second) in answer.results.iter().zip(&again.results) {
        if let (
            Some(v1::command_result::Result::Outcome(first)),
            Some(v1::command_result::Result::Outcome(second)),
        ) = (&first.result, &second.result)
        {
            assert_eq!((first.position, second.repeat), (second.position, true));
        }
    }
    company.saw(*positions.last().unwrap());
    company.expect_balance("ada", "invoiced 125250.00, outstanding 125250.00").await;
    assert_eq!(
        every_invoice(&company, 77).await,
        (0..500).map(|n| format!("i{n}")).collect::<Vec<_>>()
    );
}

/// The ids of all invoices, page by page.
async fn every_invoice(company: &Company, page_size: i32) -> Vec<String> {
    let mut listed = Vec::new();
    let mut request = v1::ListInvoicesRequest {
        ledger_id: LEDGER.to_owned(),
        page_size,
        min_position: company.position(),
        ..Default::default()
    };
    loop {
        let page = company.client.invoices.clone().list_invoices(request.clone()).await.unwrap();
        let page = page.into_inner();
        listed.extend(page.invoices.into_iter().map(|invoice| invoice.invoice_id));
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return listed;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_catches_up_and_then_hears_at_once() {
    let (_folder, server, company) = company().await;
    for n in 0..20 {
        company.issue(&format!("i{n}"), "ada", "10.00", "2024-02-01").await;
    }
    let watch = v1::WatchEventsRequest {
        filter: Some(v1::EventFilter {
            ledger_id: LEDGER.to_owned(),
            entities: vec!["invoice".to_owned(), "payment".to_owned()],
            ..Default::default()
        }),
        ..Default::default()
    };
    let mut stream = company.client.log.clone().watch_events(watch).await.unwrap().into_inner();
    let heard = async {
        let mut heard = Vec::new();
        while heard.len() < 22 {
            let message = stream.message().await.unwrap().unwrap();
            let Some(event) = message.event else { continue };
            assert_eq!(event.position, message.position);
            heard.push(event.event);
            if heard.len() == 20 {
                // It has caught up; what comes now is live.
                company.pay_invoice("p1", "i0", "10.00").await;
            }
        }
        heard
    };
    let heard = tokio::time::timeout(Duration::from_secs(30), heard).await.unwrap();
    assert!(heard[..20].iter().all(|name| name == "invoice.issued"), "{heard:?}");
    assert_eq!(heard[20..], ["payment.recorded", "invoice.paid"]);
    assert_eq!(server.stop().ran.code, Some(0));
    let end = tokio::time::timeout(Duration::from_secs(10), async {
        loop {
            match stream.message().await {
                Ok(Some(_)) => {}
                Ok(None) => return None,
                Err(status) => return Some(status.code()),
            }
        }
    });
    assert_eq!(end.await.unwrap(), Some(tonic::Code::Unavailable), "it says why it ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_reads_what_one_has_written() {
    let (_folder, _server, company) = company().await;
    for n in 0..200 {
        let id = format!("i{n}");
        company.issue(&id, "ada", "1.00", "2024-02-01").await;
        assert_eq!(company.invoice(&id).await.invoice_id, id);
        let totals = company.totals().await;
        assert!(totals.position >= company.position());
        assert_eq!(amount(totals.balances[0].outstanding.as_ref()), format!("{}.00", n + 1));
    }
    // A position that is not there yet is waited for, no longer than the call's own deadline.
    let mut ledgers = company.client.ledgers.clone();
    let min_position = company.position() + 1_000;
    let ahead = v1::GetLedgerRequest { ledger_id: LEDGER.to_owned(), min_position };
    let mut ahead = tonic::Request::new(ahead);
    ahead.set_timeout(Duration::from_millis(500));
    let status = ledgers.get_ledger(ahead).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::DeadlineExceeded, "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ledgers_share_a_clock_and_nothing_else() {
    let (_folder, _server, company) = company().await;
    let request = v1::CreateLedgerRequest {
        ledger_id: "other".to_owned(),
        currency_code: "USD".to_owned(),
        time_zone: "Europe/Paris".to_owned(),
        test_clock: Some(v1::TestClock { clock_id: LEDGER.to_owned(), start_date: None }),
        ..Default::default()
    };
    let mut ledgers = company.client.ledgers.clone();
    ledgers.create_ledger(request).await.unwrap();
    company.advance("2024-03-01").await;
    let request = v1::ListLedgersRequest { min_position: company.position(), ..Default::default() };
    let listed = ledgers.list_ledgers(request).await.unwrap().into_inner().ledgers;
    let todays: Vec<_> = listed
        .iter()
        .map(|ledger| (ledger.ledger_id.as_str(), ledger.clock.as_ref().unwrap().today))
        .collect();
    assert_eq!(todays, [(LEDGER, date("2024-03-01")), ("other", date("2024-03-01"))]);
    let request = v1::GetCustomerRequest {
        ledger_id: "other".to_owned(),
        customer_id: "ada".to_owned(),
        min_position: company.position(),
        ..Default::default()
    };
    let status = company.client.customers.clone().get_customer(request).await.unwrap_err();
    assert_eq!(Told::from(&status).reason, "UNKNOWN_CUSTOMER");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_without_a_test_clock_lives_today() {
    let (_folder, _server, company) = company().await;
    let request = v1::CreateLedgerRequest {
        ledger_id: "live".to_owned(),
        currency_code: "EUR".to_owned(),
        time_zone: "UTC".to_owned(),
        ..Default::default()
    };
    let ran = || run_program(Path::new("date"), ["-u", "+%Y-%m-%d"]).ok().stdout;
    let before = ran();
    let answer = company.client.ledgers.clone().create_ledger(request).await.unwrap().into_inner();
    let clock = answer.ledger.unwrap().clock.unwrap();
    // Midnight may come in between.
    let today = day(clock.today.as_ref());
    assert!([before.trim(), ran().trim()].contains(&today.as_str()), "{clock:?}");
    assert_eq!((clock.clock_id.as_str(), clock.test), ("system:UTC", false));
    assert_eq!(clock.finished, clock.today);
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_told_per_service() {
    let (_folder, server, _company) = company().await;
    let channel = tonic::transport::Endpoint::from_shared(server.url()).unwrap().connect().await;
    let mut health = tonic_health::pb::health_client::HealthClient::new(channel.unwrap());
    for service in ["", "encours.v1.LedgerService", "encours.v1.EventLogService"] {
        let request = tonic_health::pb::HealthCheckRequest { service: service.to_owned() };
        let answer = health.check(request).await.unwrap().into_inner();
        let serving = tonic_health::pb::health_check_response::ServingStatus::Serving;
        assert_eq!(answer.status(), serving, "{service:?}");
    }
    let request = tonic_health::pb::HealthCheckRequest { service: "no.such".to_owned() };
    assert_eq!(health.check(request).await.unwrap_err().code(), tonic::Code::NotFound);
}
