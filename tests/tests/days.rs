//! Days and what falls due on them: each once and in order, also when the server is killed on the way.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use encours_proto::v1;
use encours_proto::v1::public_event::Body;
use encours_sim::Rng;
use encours_tests::{Client, Company, Server, Told, data_folder, date, day, run};
use tonic::Request;

const LEDGER: &str = "acme";
const START: &str = "2024-01-01";
const TARGET: &str = "2026-12-31";
/// Days from the one to the other: 2024 is a leap year.
const DAYS: usize = 1_095;
const INVOICES: usize = 120;
const KILLS: usize = 6;

fn advance(request_id: &str, to: &str) -> v1::AdvanceClockRequest {
    v1::AdvanceClockRequest {
        ledger_id: LEDGER.to_owned(),
        request_id: request_id.to_owned(),
        to: date(to),
        ..Default::default()
    }
}

async fn clock(client: &Client) -> v1::Clock {
    let min_position = client.head().await.position;
    let request = v1::GetLedgerRequest { ledger_id: LEDGER.to_owned(), min_position };
    let answer = client.ledgers.clone().get_ledger(request).await.unwrap().into_inner();
    answer.ledger.unwrap().clock.unwrap()
}

/// Waits until the clock has finished a day, by itself.
async fn finished(client: &Client, iso: &str) -> v1::Clock {
    let begun = Instant::now();
    loop {
        let clock = clock(client).await;
        if clock.finished == date(iso) {
            return clock;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "it goes on by itself: {clock:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Invoices due all over the years; some are paid, so that nothing falls due for them.
async fn prepare(company: &Company) -> BTreeMap<String, String> {
    company.customer("ada", "Ada").await;
    let mut due = BTreeMap::new();
    for n in 0..INVOICES {
        let id = format!("i{n}");
        let on = format!("{}-{:02}-{:02}", 2024 + n % 3, 1 + n % 12, 2 + n % 26);
        company.issue(&id, "ada", "10.00", &on).await;
        if n % 5 == 0 {
            company.pay_invoice(&format!("p{n}"), &id, "10.00").await;
        } else {
            due.insert(id, on);
        }
    }
    due
}

/// Every day was opened and finished once, in order; every open invoice became due and overdue once,
/// on its days.
fn check(events: &[v1::PublicEvent], due: &BTreeMap<String, String>) {
    let (mut opened, mut closed) = (Vec::new(), Vec::new());
    let (mut became_due, mut became_overdue) = (BTreeMap::new(), BTreeMap::new());
    let mut today = START.to_owned();
    for event in events {
        match event.body.as_ref().unwrap() {
            Body::DayOpened(body) => {
                today = day(body.day.as_ref());
                assert!(body.on_time, "a test clock opens its days on time");
                opened.push(today.clone());
            }
            Body::DayFinished(body) => closed.push(day(body.day.as_ref())),
            Body::InvoiceDue(body) => {
                assert_eq!(day(body.date.as_ref()), today, "{body:?}");
                let before = became_due.insert(body.invoice_id.clone(), today.clone());
                assert_eq!(before, None, "{} is due once", body.invoice_id);
            }
            Body::InvoiceOverdue(body) => {
                assert_eq!(day(body.date.as_ref()), today, "{body:?}");
                assert!(today > day(body.due_date.as_ref()), "{body:?}");
                let before = became_overdue.insert(body.invoice_id.clone(), today.clone());
                assert_eq!(before, None, "{} is overdue once", body.invoice_id);
            }
            _ => {}
        }
    }
    assert!(opened.is_sorted_by(|a, b| a < b), "days come in order, each once");
    assert_eq!(opened.len(), DAYS);
    assert_eq!(opened, closed, "every day is finished, in order");
    assert_eq!(&became_due, due, "each became due on its due date");
    assert_eq!(became_overdue.len(), due.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn days_are_opened_once_however_often_the_server_is_killed() {
    let seed = 17;
    let mut rng = Rng::new(seed);
    let folder = data_folder();
    let mut server = Server::start(folder.path());
    let company = Company::create(Client::connect(&server.url()).await, LEDGER, START).await;
    let due = prepare(&company).await;
    let mut reached = Vec::new();
    let mut ledgers = company.client.ledgers.clone();
    let moving = tokio::spawn(async move { ledgers.advance_clock(advance("go", TARGET)).await });
    for kill in 0..KILLS {
        let client = Client::connect(&server.url()).await;
        tokio::time::sleep(Duration::from_millis(5 + rng.below(60))).await;
        reached.push(day(clock(&client).await.today.as_ref()));
        server.kill9();
        let ran = run(["log", "verify", "--data", folder.path().to_str().unwrap()]);
        assert_eq!(ran.code, Some(0), "kill {kill} (seed {seed}): {ran}");
        server = Server::start(folder.path());
    }
    drop(moving.await.unwrap());
    let client = Client::connect(&server.url()).await;
    // The command may have died with the first kill; sent again it is done once all the same.
    let again = client.ledgers.clone().advance_clock(advance("go", TARGET)).await.unwrap();
    let again = again.into_inner().ledger.unwrap().clock.unwrap();
    assert_eq!((again.today, again.finished), (date(TARGET), date(TARGET)));
    let events = client.events_after(0).await;
    check(&events, &due);
    println!("{KILLS} kills on the way, at {reached:?}; {} events", events.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_goes_on_where_the_caller_does_not_wait() {
    let folder = data_folder();
    let server = Server::start(folder.path());
    let company = Company::create(Client::connect(&server.url()).await, LEDGER, START).await;
    let due = prepare(&company).await;
    let mut impatient = Request::new(advance("go", TARGET));
    impatient.set_timeout(Duration::from_millis(40));
    match company.client.ledgers.clone().advance_clock(impatient).await {
        Ok(_) => println!("three years took less than 40 ms"),
        Err(status) => {
            let told = Told::from(&status);
            let is_late =
                matches!(told.code, tonic::Code::DeadlineExceeded | tonic::Code::Cancelled);
            assert!(is_late, "{told:?}");
        }
    }
    let clock = finished(&company.client, TARGET).await;
    assert_eq!(clock.today, date(TARGET));
    check(&company.client.events_after(0).await, &due);
}
