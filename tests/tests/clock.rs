//! A system clock that jumps, and a server that was off: each day and what falls due on it once, in
//! order; a clock that is years ahead opens no day before somebody has confirmed it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and meet the machine's own clock and files"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use encours_proto::v1;
use encours_proto::v1::public_event::Body;
use encours_tests::{
    Client, Company, FakeTime, Server, Told, data_folder, date, day, is_embedded, run,
};
use tonic::Code;

/// 2030-01-15T10:00:00Z.
const START: i64 = 1_894_701_600;
const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
/// The longest wait for something that the server does by itself.
const LIMIT: Duration = Duration::from_secs(60);

/// A time that servers have for themselves.
fn time_at(seconds: i64) -> Option<FakeTime> {
    is_embedded("a node leads by the time of the servers alone")
        .then(|| FakeTime::at(seconds))
        .flatten()
}

/// A server under a time of its own.
fn start(time: &FakeTime, data: &Path, more: &[&str]) -> Server {
    let prefix = time.prefix();
    let prefix: Vec<&str> = prefix.iter().map(String::as_str).collect();
    let more: Vec<&str> = ["--metrics", "127.0.0.1:0"].iter().chain(more).copied().collect();
    Server::try_start_with(&prefix, data, &more).unwrap_or_else(|ran| panic!("{ran}"))
}

/// A ledger on the system's time in Paris.
async fn live(server: &Server) -> Company {
    let client = Client::connect(&server.url()).await;
    let request = v1::CreateLedgerRequest {
        ledger_id: "live".to_owned(),
        name: "Atelier Encours".to_owned(),
        currency_code: "EUR".to_owned(),
        time_zone: "Europe/Paris".to_owned(),
        ..Default::default()
    };
    client.ledgers.clone().create_ledger(request).await.unwrap();
    Company::existing(client, "live")
}

/// Issues an invoice and sends it, so that it has a plan of reminders.
async fn send(company: &Company, id: &str, due: &str) {
    company.issue(id, "ada", "10.00", due).await;
    let request = v1::MarkSentRequest {
        ledger_id: company.ledger.clone(),
        invoice_id: id.to_owned(),
        ..Default::default()
    };
    company.client.invoices.clone().mark_sent(request).await.unwrap();
}

/// Waits until the server has done something by itself.
async fn until(server: &Server, what: &str, is_so: impl Fn(&Server) -> bool) {
    let begun = Instant::now();
    while !is_so(server) {
        assert!(begun.elapsed() < LIMIT, "{what}: {}", server.said());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until the clock of the ledger has finished a day.
async fn finished(client: &Client, iso: &str) {
    let begun = Instant::now();
    loop {
        let min_position = client.head().await.position;
        let request = v1::GetLedgerRequest { ledger_id: "live".to_owned(), min_position };
        let answer = client.ledgers.clone().get_ledger(request).await.unwrap().into_inner();
        let clock = answer.ledger.unwrap().clock.unwrap();
        if clock.finished == date(iso) {
            return;
        }
        assert!(begun.elapsed() < LIMIT, "{iso} is finished: {clock:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What the log says of days and of what fell due, in its order.
#[derive(Debug, Default)]
struct Story {
    /// Days opened, and whether on time.
    days: Vec<(String, bool)>,
    finished: Vec<String>,
    /// The day on which each invoice became due, overdue.
    due: BTreeMap<String, String>,
    overdue: BTreeMap<String, String>,
    /// By invoice: the day that a reminder went out and the one that the plan had for it.
    reminders: BTreeMap<String, Vec<(String, String)>>,
    /// Seconds since 1970 of the newest event.
    newest: i64,
}

/// Reads the log, and checks what is true of every log: time never goes back, each day comes once and
/// in order, nothing falls due twice.
async fn story(client: &Client) -> Story {
    let mut story = Story::default();
    let mut newest = (0, 0);
    for event in client.events_after(0).await {
        let recorded = event.recorded_at.unwrap();
        let recorded = (recorded.seconds, recorded.nanos);
        assert!(recorded >= newest, "time went back at {}", event.position);
        newest = recorded;
        let once = |map: &mut BTreeMap<String, String>, id: &str, on: String| {
            assert_eq!(map.insert(id.to_owned(), on), None, "{id} twice");
        };
        // Days that were missed are all open before the first of them is run.
        let today = story.days.get(story.finished.len()).map(|(today, _)| today.clone());
        match event.body.unwrap() {
            Body::DayOpened(body) => story.days.push((day(body.day.as_ref()), body.on_time)),
            Body::DayFinished(body) => story.finished.push(day(body.day.as_ref())),
            Body::InvoiceDue(body) => {
                assert_eq!(Some(day(body.date.as_ref())), today);
                once(&mut story.due, &body.invoice_id, day(body.date.as_ref()));
            }
            Body::InvoiceOverdue(body) => {
                assert_eq!(Some(day(body.date.as_ref())), today);
                once(&mut story.overdue, &body.invoice_id, day(body.date.as_ref()));
            }
            Body::ReminderEmitted(body) => {
                let on = (day(body.date.as_ref()), day(body.planned_date.as_ref()));
                story.reminders.entry(body.invoice_id).or_default().push(on);
            }
            _ => {}
        }
    }
    assert!(story.days.is_sorted_by(|(a, _), (b, _)| a < b), "{:?}", story.days);
    let opened: Vec<_> = story.days.iter().map(|(day, _)| day.clone()).collect();
    assert!(opened.starts_with(&story.finished), "days are finished in order");
    for (invoice, reminders) in &story.reminders {
        let planned: Vec<_> = reminders.iter().map(|(_, planned)| planned).collect();
        assert!(planned.is_sorted_by(|a, b| a < b), "{invoice}: each step once: {reminders:?}");
    }
    story.newest = newest.0;
    story
}

/// A refusal of a command on the system's time.
async fn refused(company: &Company) -> Told {
    let request = v1::CreateCustomerRequest {
        ledger_id: company.ledger.clone(),
        name: "Too late".to_owned(),
        ..Default::default()
    };
    let refused = company.client.customers.clone().create_customer(request).await;
    let told = Told::from(&refused.unwrap_err());
    assert_eq!((told.code, told.reason.as_str()), (Code::Unavailable, "CLOCK_JUMP"), "{told:?}");
    told
}

/// Sets the clock five years back: that is told, nothing comes twice, and time stands until it is
/// caught up with.
async fn five_years_back(time: &FakeTime, server: &Server, company: &Company, before: &Story) {
    let lines = server.said().lines().count();
    time.set(START + 5 * 365 * DAY);
    until(server, "the way back is told", |server| {
        let said = server.said();
        said.lines().skip(lines).any(|line| line.contains("clock_jump: the clock went back"))
    })
    .await;
    company.issue("back", "ada", "10.00", "2040-02-01").await;
    let back = story(&company.client).await;
    assert_eq!(back.days.len(), before.days.len());
    assert!(back.newest >= before.newest);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_ten_years_ahead_changes_nothing_before_it_is_confirmed() {
    let Some(time) = time_at(START) else { return };
    let folder = data_folder();
    let server = start(&time, folder.path(), &[]);
    let company = live(&server).await;
    let trial = Company::create(company.client.clone(), "trial", "2024-01-01").await;
    company.customer("ada", "Ada").await;
    send(&company, "soon", "2030-01-20").await;
    send(&company, "late", "2034-06-30").await;

    time.set(START + 3_653 * DAY);
    until(&server, "the jump is told", |server| server.said().contains("clock_jump")).await;
    let told = refused(&company).await;
    for part in ["2040-01-16T", "2030-01-15T10:0", "--confirm-clock 2040-01-16"] {
        assert!(told.message.contains(part), "{told:?}");
    }
    // A ledger on a test clock goes on, and time is not used up.
    trial.customer("bob", "Bob").await;
    let held = story(&company.client).await;
    assert!(held.days.is_empty(), "{:?}", held.days);
    assert!((START..START + HOUR).contains(&held.newest), "{}", held.newest);
    let ahead = server.metric("encours_clock_jump_seconds").unwrap();
    assert!(ahead.abs_diff(3_653 * 86_400) < 3_600, "{ahead}");
    assert_eq!(server.metric("encours_scheduler_lag_days{kind=\"system\"}"), Some(3_653));
    assert!(server.metric("encours_scheduler_lag_seconds").unwrap() > 3_652 * 86_400);

    // The clock is set right: no restart is needed.
    time.set(START + HOUR);
    until(&server, "the clock is right", |server| {
        server.metric("encours_clock_jump_seconds") == Some(0)
    })
    .await;
    company.customer("eve", "Eve").await;

    // Off over such a jump, it is held against the log.
    time.set(START + 3_653 * DAY);
    server.kill9();
    let server = start(&time, folder.path(), &[]);
    let company = Company::existing(Client::connect(&server.url()).await, "live");
    let _ = refused(&company).await;
    assert!(story(&company.client).await.days.is_empty());
    assert!(server.said().contains("clock_jump"), "{}", server.said());
    let stopped = server.stop();
    assert_eq!(stopped.ran.code, Some(0), "{}", stopped.ran);

    // Ten years have passed: each day once; of the reminders the last one due, once.
    let server = start(&time, folder.path(), &["--confirm-clock", "2040-01-16"]);
    let client = Client::connect(&server.url()).await;
    finished(&client, "2040-01-16").await;
    let after = story(&client).await;
    assert_eq!(after.days.len(), 3_653);
    assert_eq!(after.days.iter().filter(|(_, on_time)| *on_time).count(), 1);
    assert_eq!(after.due["soon"], "2030-01-20");
    assert_eq!(after.due["late"], "2034-06-30");
    assert_eq!(after.overdue.len(), 2);
    for (invoice, reminders) in &after.reminders {
        let late = reminders.iter().filter(|(on, _)| on.as_str() > "2030-01-15");
        let late: Vec<_> = late.map(|(on, _)| on.as_str()).collect();
        assert_eq!(late, ["2040-01-16"], "{invoice}: {reminders:?}");
    }
    assert_eq!(after.reminders.len(), 2, "both are owed for");

    let company = Company::existing(client, "live");
    five_years_back(&time, &server, &company, &after).await;
    drop(server);
    let _ = run(["log", "verify", "--data", folder.path().to_str().unwrap()]).ok();
    println!(
        "{} days after a confirmed jump, {} reminders",
        after.days.len(),
        after.reminders.len()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_either_way_and_summer_time_open_each_day_once() {
    // 2030-03-30T22:30:00Z: half an hour to midnight in Paris, and to the night of the change.
    let night = START + 74 * DAY + 12 * HOUR + HOUR / 2;
    let Some(time) = time_at(night) else { return };
    let folder = data_folder();
    let server = start(&time, folder.path(), &[]);
    let company = live(&server).await;
    company.customer("ada", "Ada").await;
    company.issue("i", "ada", "10.00", "2030-03-31").await;
    // An hour ahead it is the next day; back again, the day stays open; and then it comes.
    time.set(night + HOUR);
    finished(&company.client, "2030-03-31").await;
    time.set(night);
    until(&server, "the way back is told", |server| server.said().contains("went back")).await;
    company.customer("bob", "Bob").await;
    time.set(night + HOUR);
    company.customer("eve", "Eve").await;
    // Through the hour that is missing, to a midnight that comes an hour earlier.
    for (hours, opened) in [(2, 1), (3, 1), (4, 1), (23, 1), (24, 2), (25, 2)] {
        time.set(night + hours * HOUR - HOUR / 4);
        company.customer(&format!("c{hours}"), "C").await;
        let days = story(&company.client).await.days;
        assert_eq!(days.len(), opened, "{hours} hours on: {days:?}");
    }
    finished(&company.client, "2030-04-01").await;
    let story = story(&company.client).await;
    let days = ["2030-03-31", "2030-04-01"].map(|day| (day.to_owned(), true));
    assert_eq!(story.days, days);
    assert_eq!(story.due["i"], "2030-03-31");
    assert_eq!(story.overdue["i"], "2030-04-01");
}

#[tokio::test(flavor = "multi_thread")]
async fn three_days_off_over_a_month_end_are_made_up_for_in_order() {
    // 2030-01-29T10:00:00Z.
    let evening = START + 14 * DAY;
    let Some(time) = time_at(START) else { return };
    let folder = data_folder();
    let server = start(&time, folder.path(), &[]);
    let company = live(&server).await;
    company.customer("ada", "Ada").await;
    for (id, due) in [
        ("early", "2030-01-20"),
        ("before", "2030-01-29"),
        ("thirtieth", "2030-01-30"),
        ("month-end", "2030-01-31"),
        ("first", "2030-02-01"),
        ("after", "2030-02-03"),
    ] {
        send(&company, id, due).await;
    }
    time.set(evening);
    finished(&company.client, "2030-01-29").await;
    let before = story(&company.client).await;
    server.kill9();
    time.set(evening + 4 * DAY);
    let server = start(&time, folder.path(), &[]);
    let client = Client::connect(&server.url()).await;
    finished(&client, "2030-02-02").await;
    assert_eq!(server.metric("encours_scheduler_lag_seconds"), Some(0));
    assert_eq!(server.metric("encours_clock_jump_seconds"), Some(0), "within the limit");
    let after = story(&client).await;
    let made_up: Vec<_> = after.days[before.days.len()..].to_vec();
    let missed = ["2030-01-30", "2030-01-31", "2030-02-01"].map(|day| (day.to_owned(), false));
    assert_eq!(made_up[..3], missed);
    assert_eq!(made_up[3..], [("2030-02-02".to_owned(), true)]);
    let due = [("thirtieth", "2030-01-30"), ("month-end", "2030-01-31"), ("first", "2030-02-01")];
    for (id, on) in due {
        assert_eq!(after.due[id], on);
        assert!(after.overdue[id].as_str() > on, "{id}");
    }
    assert_eq!(after.overdue["before"], "2030-01-30");
    assert!(!after.due.contains_key("after"));
    // What went out before goes out no more; of what was missed, one each, on the day it goes out.
    for (id, reminders) in &after.reminders {
        let old = before.reminders.get(id).map_or(0, Vec::len);
        let new = &reminders[old..];
        assert_eq!(&reminders[..old], before.reminders.get(id).map_or(&[][..], Vec::as_slice));
        assert!(new.len() <= 1, "{id}: {new:?}");
        assert!(new.iter().all(|(on, _)| on == "2030-02-02"), "{id}: {new:?}");
    }
    let late = after.reminders.values().flatten().filter(|(on, planned)| on > planned).count();
    assert!(late > 0, "some reminder was missed: {:?}", after.reminders);
    println!("{} days made up for, {late} reminders late", made_up.len());
}
