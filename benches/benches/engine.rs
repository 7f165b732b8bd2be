//! The engine on the real disk: durable commands a second from many callers at once, compared with
//! the same commands decided and applied in memory by one thread, without log, answers or disk.
//!
//! `cargo bench -p encours-benches --bench engine`; `TMPDIR` chooses the disk.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark fails by panicking")]

use std::sync::Arc;

use encours_benches::{Took, line};
use encours_domain::calendar::Calendar;
use encours_domain::commands::{
    CreateCustomer, CreateLedger, CustomerDetails, IssueInvoice, Put, RecordPayment, Time,
};
use encours_domain::details::Secret;
use encours_domain::dunning::Policy;
use encours_domain::event::Method;
use encours_domain::{Command, Context, Currency, Day, Decision, Event, Id, Position, State};
use encours_engine::{Engine, EngineHandle, EngineOptions, Submission};
use encours_log::{Journal, JournalOptions, LogId, OsDisk, SystemClock};

const CUSTOMERS: u64 = 1_000;
const INVOICES: u64 = 100_000;
/// Callers that wait for their answers, as a batch stream with this window does.
const CALLERS: u64 = 2_048;

fn id(text: &str) -> Id {
    Id::parse("id", text).unwrap()
}

fn set_up() -> Vec<Command> {
    let ledger = CreateLedger {
        ledger_id: Some(id("bench")),
        name: String::new(),
        currency: Currency::parse("currency", "EUR").unwrap(),
        time_zone: "Europe/Paris".into(),
        time: Time::Test { clock_id: None, start: Day::from_ymd(2026, 1, 1) },
        terms: None,
        invoice_pattern: None,
        credit_note_pattern: None,
        calendar: Calendar::default(),
        reminders: Policy::default(),
    };
    let customer = |n| CreateCustomer {
        ledger_id: id("bench"),
        customer_id: Some(id(&format!("c{n}"))),
        currency: None,
        terms: None,
        details: CustomerDetails { name: Some(format!("Customer {n}")), ..Default::default() },
    };
    std::iter::once(ledger.into()).chain((0..CUSTOMERS).map(|n| customer(n).into())).collect()
}

/// An invoice and its payment, in turn.
fn work(n: u64) -> Command {
    let invoice = n / 2;
    let customer = id(&format!("c{}", invoice % CUSTOMERS));
    if n.is_multiple_of(2) {
        return IssueInvoice {
            ledger_id: id("bench"),
            invoice_id: Some(id(&format!("i{invoice}"))),
            customer_id: customer,
            number: None,
            issue_date: None,
            due: None,
            currency: None,
            total: Some(12_000),
            lines: vec![],
            taxes: vec![],
            reference: None,
            purchase_order: String::new(),
            text: String::new(),
            metadata: Default::default(),
            override_credit_limit: false,
        }
        .into();
    }
    RecordPayment {
        ledger_id: id("bench"),
        payment_id: Some(id(&format!("p{invoice}"))),
        customer_id: Some(customer),
        amount: Some(12_000),
        currency: None,
        method: Method::Transfer,
        received_on: None,
        reference: String::new(),
        put: Put::Invoice(id(&format!("i{invoice}"))),
    }
    .into()
}

/// The limit: decide and apply, nothing else.
fn in_memory() -> Took {
    let mut state = State::default();
    let mut position = Position(1);
    let mut run = |command: &Command| {
        let zone_day = Day::from_ymd(2026, 1, 1);
        let context = Context { position, digest: [0; 16], expected_version: None, zone_day };
        let Ok(Decision::Accept(events)) = command.decide(&state, &context) else {
            unreachable!("every command of the benchmark is accepted once")
        };
        for mut event in events {
            if let Event::CustomerCreated(created) = &mut event {
                for (_, secret) in &mut created.details {
                    *secret = Secret::Sealed([0; 40].into());
                }
            }
            state.apply(position, [0; 16], &event);
            position = position.next();
        }
    };
    set_up().iter().for_each(&mut run);
    let commands: Vec<_> = (0..INVOICES * 2).map(work).collect();
    Took::of(INVOICES * 2, || commands.iter().for_each(run))
}

async fn one_caller(handle: EngineHandle, caller: u64) {
    // A caller issues an invoice and, when that is answered, pays it.
    for invoice in (caller..INVOICES).step_by(usize::try_from(CALLERS).unwrap()) {
        for n in [invoice * 2, invoice * 2 + 1] {
            let submission = Submission::new(work(n), "bench").with_request_id(format!("r{n}"));
            handle.execute(submission).await.unwrap();
        }
    }
}

fn durable(dir: &std::path::Path) -> (Took, String) {
    let disk = Arc::new(OsDisk);
    let options = JournalOptions { create: Some(LogId([1; 16])), ..Default::default() };
    let (journal, _) = Journal::open(disk.clone(), &dir.join("log"), options).unwrap();
    let options = EngineOptions::new(Box::new(journal), disk, Arc::new(SystemClock::default()));
    let engine = Engine::open(options, dir).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let handle = engine.handle();
    runtime.block_on(async {
        for command in set_up() {
            handle.execute(Submission::new(command, "bench")).await.unwrap();
        }
    });
    let before = handle.metrics();
    let took = Took::of(INVOICES * 2, || {
        runtime.block_on(async {
            let callers: Vec<_> = (0..CALLERS)
                .map(|caller| tokio::spawn(one_caller(handle.clone(), caller)))
                .collect();
            for caller in callers {
                caller.await.unwrap();
            }
        });
    });
    let frames = handle.metrics().frames - before.frames;
    runtime.block_on(handle.stop()).unwrap();
    (took, format!("{} commands a frame", INVOICES * 2 / frames.max(1)))
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn main() {
    let dir = tempfile::tempdir().unwrap();
    println!("{INVOICES} invoices issued and paid, {CALLERS} callers");
    let limit = in_memory();
    line("  decide and apply in memory (the limit)", limit, limit);
    let (took, frames) = durable(dir.path());
    line("  durable, answered, with request ids", took, limit);
    println!("  {frames}");
}
