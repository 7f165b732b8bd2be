//! What the engine benchmarks play: a company that issues invoices and is paid.

use encours_domain::calendar::Calendar;
use encours_domain::commands::{
    CreateCustomer, CreateLedger, CustomerDetails, IssueInvoice, Put, RecordPayment, Time,
};
use encours_domain::details::Secret;
use encours_domain::dunning::Policy;
use encours_domain::event::Method;
use encours_domain::{Command, Context, Currency, Day, Decision, Event, Id, Position, State};
use encours_engine::{EngineHandle, Submission};
use futures_util::stream::{self, StreamExt as _};

use crate::Took;

/// Customers of the company.
pub const CUSTOMERS: u64 = 1_000;
/// Callers that wait for their answers.
pub const CALLERS: u64 = 2_048;
/// Streams of commands, and how many commands of each are on their way: as the service's batch
/// streams.
pub const STREAMS: u64 = 8;
const WINDOW: usize = 256;

fn id(text: &str) -> Id {
    Id::parse("id", text).unwrap()
}

/// The ledger and its customers.
#[must_use]
pub fn set_up() -> Vec<Command> {
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
#[must_use]
pub fn work(n: u64) -> Command {
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

/// The limit: this many invoices issued and paid in memory by one thread; decide and apply, nothing
/// else.
#[must_use]
pub fn in_memory(invoices: u64) -> Took {
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
    let commands: Vec<_> = (0..invoices * 2).map(work).collect();
    Took::of(invoices * 2, || commands.iter().for_each(run))
}

/// Has the streams issue and pay this many invoices, each paying an invoice right after it issued it.
pub async fn play_by_batches(handle: &EngineHandle, invoices: u64) {
    let streams: Vec<_> = (0..STREAMS)
        .map(|stream| tokio::spawn(one_stream(handle.clone(), stream, invoices)))
        .collect();
    for stream in streams {
        stream.await.unwrap();
    }
}

async fn one_stream(handle: EngineHandle, stream: u64, invoices: u64) {
    let own = (stream..invoices).step_by(usize::try_from(STREAMS).unwrap());
    let mut answers = stream::iter(own.flat_map(|invoice| [invoice * 2, invoice * 2 + 1]))
        .map(|n| handle.execute(submission(n)))
        .buffered(WINDOW);
    while let Some(answer) = answers.next().await {
        let _outcome = answer.unwrap();
    }
}

fn submission(n: u64) -> Submission {
    Submission::new(work(n), "bench").with_request_id(format!("r{n}"))
}

/// Has the callers issue and pay this many invoices, each paying an invoice once it is issued.
pub async fn play(handle: &EngineHandle, invoices: u64) {
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| tokio::spawn(one_caller(handle.clone(), caller, invoices)))
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
}

async fn one_caller(handle: EngineHandle, caller: u64, invoices: u64) {
    for invoice in (caller..invoices).step_by(usize::try_from(CALLERS).unwrap()) {
        for n in [invoice * 2, invoice * 2 + 1] {
            handle.execute(submission(n)).await.unwrap();
        }
    }
}

/// Creates the ledger and its customers.
pub async fn prepare(handle: &EngineHandle) {
    for command in set_up() {
        handle.execute(Submission::new(command, "bench")).await.unwrap();
    }
}
