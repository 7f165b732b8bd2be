//! The scheduler against a real engine over a log in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use encours_domain::calendar::Calendar;
use encours_domain::commands::{
    AdvanceClock, CreateCustomer, CreateLedger, CustomerDetails, IssueInvoice, MarkSent, Time,
};
use encours_domain::dunning::Policy;
use encours_domain::terms::Due;
use encours_domain::{ClockNo, Currency, Day, Event, Id, Micros, Position, Subject};
use encours_engine::{ClockJump, Engine, EngineOptions};
use encours_log::{Clock, FrameNumber, LogId, LogReader, MemoryLog, OsDisk};

use super::*;

struct HandClock(AtomicI64);

impl HandClock {
    fn set(&self, day: &str, hour: i64) {
        let micros = (i64::from(self::day(day).number()) * 24 + hour) * 3_600_000_000;
        self.0.store(micros, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Micros {
        Micros(self.0.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

fn day(text: &str) -> Day {
    let mut parts = text.split('-').map(|part| part.parse::<u32>().unwrap());
    let (year, month, day) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    Day::from_ymd(i32::try_from(year).unwrap(), month, day).unwrap()
}

fn id(text: &str) -> Id {
    Id::parse("id", text).unwrap()
}

fn ledger(time: Time) -> CreateLedger {
    CreateLedger {
        ledger_id: Some(id("acme")),
        name: String::new(),
        currency: Currency::parse("currency", "EUR").unwrap(),
        time_zone: "UTC".into(),
        time,
        terms: None,
        invoice_pattern: None,
        credit_note_pattern: None,
        calendar: Calendar::default(),
        reminders: Policy::default(),
    }
}

fn customer() -> CreateCustomer {
    let details = CustomerDetails { name: Some("A customer".into()), ..CustomerDetails::default() };
    CreateCustomer {
        ledger_id: id("acme"),
        customer_id: Some(id("c1")),
        currency: None,
        terms: None,
        details,
    }
}

fn invoice() -> IssueInvoice {
    IssueInvoice {
        ledger_id: id("acme"),
        invoice_id: None,
        customer_id: id("c1"),
        number: None,
        issue_date: None,
        due: None,
        currency: None,
        total: Some(100),
        lines: Vec::new(),
        taxes: Vec::new(),
        reference: None,
        purchase_order: String::new(),
        text: String::new(),
        metadata: std::collections::BTreeMap::default(),
        override_credit_limit: false,
    }
}

struct World {
    log: MemoryLog,
    dir: tempfile::TempDir,
    clock: Arc<HandClock>,
}

impl World {
    fn new() -> Self {
        let world = Self {
            log: MemoryLog::new(LogId([5; 16])),
            dir: tempfile::tempdir().unwrap(),
            clock: Arc::new(HandClock(AtomicI64::new(0))),
        };
        world.clock.set("2026-01-30", 12);
        world
    }

    fn open(&self) -> Engine {
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let options = EngineOptions::new(Box::new(self.log.reopen()), Arc::new(OsDisk), clock);
        Engine::open(options, self.dir.path()).unwrap()
    }
}

fn count(reader: &dyn LogReader, name: &str) -> usize {
    let mut found = 0;
    let mut number = FrameNumber(1);
    while let Some(frame) = reader.read(number).unwrap() {
        for (_, event) in frame.events() {
            let event = encours_schema::decode(event.kind, event.version, event.payload).unwrap();
            found += usize::from(Event::name(&event) == name);
        }
        number = number.next();
    }
    found
}

async fn finished(engine: &EngineHandle, until: &str) {
    let until = day(until);
    let mut clocks = engine.clocks();
    let reached = |clocks: &Arc<[ClockInfo]>| {
        clocks.first().is_some_and(|clock| clock.finished == until && clock.today == until)
    };
    let wait = clocks.wait_for(reached);
    drop(tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap().unwrap());
}

async fn execute(engine: &EngineHandle, command: impl Into<encours_domain::Command>) {
    engine.execute(Submission::new(command, "ann")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_clock_reaches_its_target_and_invoices_fall_due() {
    let world = World::new();
    let running = world.open();
    let engine = running.handle();
    let scheduler = Scheduler::spawn(engine.clone());
    let start = Some(day("2013-01-01"));
    execute(&engine, ledger(Time::Test { clock_id: None, start })).await;
    execute(&engine, customer()).await;
    // More than one step of 1,000 items on the due day.
    for _ in 0..2_500 {
        execute(&engine, invoice()).await;
    }
    execute(&engine, AdvanceClock { ledger_id: id("acme"), to: day("2013-03-01"), outage: false })
        .await;
    finished(&engine, "2013-03-01").await;
    let reader = engine.reader();
    assert_eq!(count(&*reader, "DayOpened"), 59);
    assert_eq!(count(&*reader, "DayFinished"), 59);
    assert_eq!(count(&*reader, "InvoiceDue"), 2_500);
    assert_eq!(count(&*reader, "InvoiceOverdue"), 2_500);
    scheduler.stop().await;
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_days_of_downtime_over_a_month_end_are_made_up_once() {
    let world = World::new();
    let running = world.open();
    let engine = running.handle();
    execute(&engine, ledger(Time::System)).await;
    execute(&engine, customer()).await;
    execute(&engine, invoice()).await;
    engine.stop().await.unwrap();
    drop(running);
    world.clock.set("2026-02-02", 9);
    for _ in 0..2 {
        let running = world.open();
        let engine = running.handle();
        let scheduler = Scheduler::spawn(engine.clone());
        finished(&engine, "2026-02-02").await;
        assert_eq!(count(&*engine.reader(), "DayOpened"), 3);
        assert_eq!(count(&*engine.reader(), "DayFinished"), 3);
        scheduler.stop().await;
        engine.stop().await.unwrap();
    }
}

/// What was told of reminders, due and overdue: name and day; of reminders also the step's day.
fn told(reader: &dyn LogReader) -> Vec<(String, Day, Day)> {
    let mut found = Vec::new();
    let mut number = FrameNumber(1);
    while let Some(frame) = reader.read(number).unwrap() {
        for (_, event) in frame.events() {
            let event = encours_schema::decode(event.kind, event.version, event.payload).unwrap();
            match event {
                Event::InvoiceDue(e) => found.push(("is due".into(), e.date, e.date)),
                Event::InvoiceOverdue(e) => found.push(("is overdue".into(), e.date, e.date)),
                Event::ReminderEmitted(e) => {
                    found.push((e.template.to_string(), e.planned, e.date));
                }
                _ => {}
            }
        }
        number = number.next();
    }
    found
}

/// Days that were slept through tell what fell due on them; of the reminders only the latest goes
/// out, on the first day that is opened in time, and the next ones keep their distance from it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_downtime_only_the_latest_reminder_goes_out_on_the_day_it_is() {
    let world = World::new();
    let running = world.open();
    let engine = running.handle();
    execute(&engine, ledger(Time::System)).await;
    execute(&engine, customer()).await;
    let due = Some(Due::Date(day("2026-02-09")));
    execute(&engine, IssueInvoice { invoice_id: Some(id("i1")), due, ..invoice() }).await;
    let sent = MarkSent { ledger_id: id("acme"), invoice_id: id("i1"), date: None };
    execute(&engine, sent).await;
    engine.stop().await.unwrap();
    drop(running);
    // Asleep over the midpoint, the due date and the first two reminders after it; then over the
    // weekend and the days up to the last one.
    for morning in ["2026-02-25", "2026-03-04"] {
        world.clock.set(morning, 9);
        let running = world.open();
        let engine = running.handle();
        let scheduler = Scheduler::spawn(engine.clone());
        finished(&engine, morning).await;
        scheduler.stop().await;
        engine.stop().await.unwrap();
    }
    let running = world.open();
    let engine = running.handle();
    let expected = [
        ("issue-notice", "2026-01-30", "2026-01-30"),
        ("is due", "2026-02-09", "2026-02-09"),
        ("is overdue", "2026-02-10", "2026-02-10"),
        ("overdue-2", "2026-02-23", "2026-02-25"),
        ("overdue-3", "2026-03-04", "2026-03-04"),
    ];
    let expected = expected.map(|(what, of, on)| (what.to_owned(), day(of), day(on)));
    assert_eq!(told(&*engine.reader()), expected);
    engine.stop().await.unwrap();
}

/// A test clock plays that; without an outage every step goes out on its day.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_clock_plays_an_outage() {
    let late = vec!["issue-notice", "is due", "is overdue", "overdue-1"];
    let daily = vec!["issue-notice", "before-due", "is due", "due", "is overdue", "overdue-1"];
    for (outage, expected, date) in [(true, late, "2026-02-17"), (false, daily, "2026-02-16")] {
        let world = World::new();
        let running = world.open();
        let engine = running.handle();
        let scheduler = Scheduler::spawn(engine.clone());
        let start = Some(day("2026-01-30"));
        execute(&engine, ledger(Time::Test { clock_id: None, start })).await;
        execute(&engine, customer()).await;
        let due = Some(Due::Date(day("2026-02-09")));
        execute(&engine, IssueInvoice { invoice_id: Some(id("i1")), due, ..invoice() }).await;
        let sent = MarkSent { ledger_id: id("acme"), invoice_id: id("i1"), date: None };
        execute(&engine, sent).await;
        let to = day("2026-02-17");
        execute(&engine, AdvanceClock { ledger_id: id("acme"), to, outage }).await;
        finished(&engine, "2026-02-17").await;
        let told = told(&*engine.reader());
        assert_eq!(told.iter().map(|(what, ..)| what.as_str()).collect::<Vec<_>>(), expected);
        assert_eq!(told.last().unwrap().2, day(date), "outage: {outage}");
        scheduler.stop().await;
        engine.stop().await.unwrap();
    }
}

/// A clock with a day to run.
fn clock_behind() -> ClockInfo {
    ClockInfo {
        no: ClockNo(0),
        id: id("c"),
        test: false,
        zone: "UTC".into(),
        today: day("2026-01-02"),
        finished: day("2026-01-01"),
        target: day("2026-01-02"),
    }
}

#[tokio::test(start_paused = true)]
async fn denials_are_tried_again_with_a_growing_pause() {
    let (sender, clocks) = watch::channel(Arc::from([clock_behind()]));
    let (_stop, stopped) = watch::channel(false);
    let tries = AtomicU32::new(0);
    let start = tokio::time::Instant::now();
    let run = follow(clocks, stopped, |command| {
        assert_eq!(command.day, day("2026-01-02"));
        let denied = match tries.fetch_add(1, Ordering::SeqCst) {
            0..4 => Denied::Overloaded { limit: 1 },
            4..12 => Denied::LogFull,
            _ => Denied::Stopping,
        };
        async { Err(denied) }
    });
    tokio::time::timeout(Duration::from_secs(60), run).await.unwrap();
    assert_eq!(tries.load(Ordering::SeqCst), 13);
    assert!(start.elapsed() >= Duration::from_secs(20), "{:?}", start.elapsed());
    drop(sender);
}

/// Counts lines by level.
#[derive(Default)]
struct Lines {
    warn: AtomicU32,
    info: AtomicU32,
}

impl tracing::Subscriber for Lines {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let count = match *event.metadata().level() {
            tracing::Level::WARN => &self.warn,
            tracing::Level::INFO => &self.info,
            _ => return,
        };
        count.fetch_add(1, Ordering::SeqCst);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test(start_paused = true)]
async fn a_hindrance_is_told_as_it_begins_every_hour_and_when_it_is_over() {
    let lines = Arc::new(Lines::default());
    let _told = tracing::subscriber::set_default(Arc::clone(&lines));
    let clock = clock_behind();
    let mut done = clock.clone();
    done.finished = done.today;
    let (sender, clocks) = watch::channel(Arc::from([clock]));
    let (_stop, stopped) = watch::channel(false);
    let start = tokio::time::Instant::now();
    let tries = AtomicU32::new(0);
    let run = follow(clocks, stopped, |_| {
        let tried = tries.fetch_add(1, Ordering::SeqCst);
        let hour = start.elapsed().as_secs() / 3_600;
        let (warn, info) = (lines.warn.load(Ordering::SeqCst), lines.info.load(Ordering::SeqCst));
        assert_eq!(info, 0);
        let answer = match hour {
            0..3 if tried % 7 == 6 => Err(Denied::LogFull),
            0..3 => Err(Denied::ClockJump(ClockJump { clock: Micros(2), known: Micros(1) })),
            _ => {
                assert_eq!(warn, 6, "two kinds, in each of three hours");
                sender.send_replace(Arc::from([done.clone()]));
                let (subject, position) = (Subject::Clock(ClockNo(0)), Position(1));
                let previewed_details = Vec::new();
                Ok(Reply { subject, resource: None, position, repeated: false, previewed_details })
            }
        };
        async { answer }
    });
    // It goes on to wait for the next day.
    tokio::time::timeout(Duration::from_secs(4 * 3_600), run).await.unwrap_err();
    assert!(tries.load(Ordering::SeqCst) > 2_000);
    assert_eq!(lines.warn.load(Ordering::SeqCst), 6);
    assert_eq!(lines.info.load(Ordering::SeqCst), 1, "that it is over");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_stops_when_told_and_when_the_engine_does() {
    let world = World::new();
    let running = world.open();
    let engine = running.handle();
    let scheduler = Scheduler::spawn(engine.clone());
    tokio::time::timeout(Duration::from_secs(5), scheduler.stop()).await.unwrap();
    engine.stop().await.unwrap();
}
