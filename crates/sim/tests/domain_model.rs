//! The domain against the reference model: random commands, everything compared after each.
//!
//! A failure prints the seed and the line that runs it alone. `ENCOURS_SEED` runs one seed,
//! `ENCOURS_SEEDS` and `ENCOURS_COMMANDS` set how many seeds and commands are run.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod support;

use std::collections::BTreeMap;

use encours_domain::resource::{self, Resource};
use encours_domain::{
    CreditNoteNo, CustomerNo, Day, InvoiceNo, LedgerNo, PaymentNo, Position, Source, State, Subject,
};
use encours_sim::model::{Figures, View};
use encours_sim::workload::Workload;
use support::Bench;

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

fn start() -> Day {
    Day::from_ymd(2023, 12, 20).unwrap()
}

fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap()
}

#[expect(clippy::needless_pass_by_value, reason = "figures are compared where they are made")]
fn differ<T: PartialEq + std::fmt::Debug>(what: &str, domain: T, model: T) -> Result<(), String> {
    if domain == model {
        return Ok(());
    }
    Err(format!("{what}: the domain has {domain:?}, the model {model:?}"))
}

/// Every resource of one ledger.
fn compare_ledger(bench: &Bench, at: usize) -> Result<(), String> {
    let (model, ledger) = (&bench.model, LedgerNo(number(at)));
    let (book, today) = (&model.books[at], model.today(at));
    for (no, row) in book.customers.iter().enumerate() {
        let subject = Subject::Customer(ledger, CustomerNo(number(no)));
        let Some(Resource::Customer(shown)) = bench.state.resource(subject) else {
            return Err(format!("there is no customer {}", row.id));
        };
        // The writer counts as overdue what was told so: behind by the days still to be run.
        let clock = &model.clocks[book.clock];
        let day = if clock.finished == today { Some(today) } else { None };
        compare_customer(&shown, &book.figures(no, View::ALL, today), day)?;
        if day.is_some() {
            let status = book.customer_status(no, View::ALL, today);
            differ(&format!("status of {}", row.id), shown.status, status)?;
        }
    }
    for (no, row) in book.invoices.iter().enumerate() {
        let subject = Subject::Invoice(ledger, InvoiceNo(number(no)));
        let Some(Resource::Invoice(shown)) = bench.state.resource(subject) else {
            return Err(format!("there is no invoice {}", row.id));
        };
        compare_invoice(&shown, bench, at, no)?;
    }
    compare_sources(bench, at)
}

fn compare_customer(
    shown: &resource::Customer,
    model: &[Figures],
    day: Option<Day>,
) -> Result<(), String> {
    let mut domain: Vec<Figures> = shown
        .balances
        .iter()
        .map(|b| Figures {
            currency: b.currency,
            invoiced: b.invoiced.into(),
            credited: b.credited.into(),
            collected: b.collected.into(),
            outstanding: b.outstanding.into(),
            overdue: b.overdue.into(),
            unapplied: b.unapplied.into(),
        })
        .collect();
    if let Some(wrong) = domain.iter().find(|figures| !figures.holds()) {
        return Err(format!("the identity does not hold for {}: {wrong:?}", shown.id));
    }
    if day.is_none() {
        for (domain, model) in domain.iter_mut().zip(model) {
            domain.overdue = model.overdue;
        }
    }
    differ(&format!("balances of {}", shown.id), domain.as_slice(), model)
}

fn compare_invoice(
    shown: &resource::Invoice,
    bench: &Bench,
    at: usize,
    no: usize,
) -> Result<(), String> {
    let (book, today) = (&bench.model.books[at], bench.model.today(at));
    let row = &book.invoices[no];
    let what = |field: &str| format!("{field} of {}", row.id);
    let open = book.open(no, View::ALL);
    differ(&what("number"), &*shown.number, row.number.as_str())?;
    differ(&what("reference"), &*shown.reference, row.reference.as_str())?;
    differ(&what("total"), shown.total, row.total)?;
    differ(&what("issue date"), shown.issue_date, row.date)?;
    differ(&what("due date"), shown.due.date, row.due)?;
    differ(&what("first overdue day"), shown.due.overdue_from(), row.overdue_from)?;
    differ(&what("open amount"), i128::from(shown.open), open)?;
    let noted = book.credit_noted(no, View::ALL);
    differ(&what("credit noted"), i128::from(shown.credit_noted), noted)?;
    let credited =
        book.allocated(View::ALL, |source, on| on == no && matches!(source, Source::CreditNote(_)));
    differ(&what("credited"), i128::from(shown.credited), credited)?;
    let headline = book.headline(no, View::ALL, today);
    differ(&what("headline"), shown.facets.headline(), headline)?;
    let disputed = book.disputed(no, View::ALL);
    differ(&what("dispute"), shown.facets.disputed, disputed)?;
    let sent = book.sent.iter().find(|s| s.invoice == no).map(|s| s.date);
    differ(&what("sent date"), shown.sent_on, sent)
}

/// Payments and credit notes, with what they have on which invoice.
fn compare_sources(bench: &Bench, at: usize) -> Result<(), String> {
    let (book, ledger) = (&bench.model.books[at], LedgerNo(number(at)));
    for source in book.sources() {
        let (id, unapplied, allocations) = match source {
            Source::Payment(PaymentNo(no)) => {
                let subject = Subject::Payment(ledger, PaymentNo(no));
                let Some(Resource::Payment(shown)) = bench.state.resource(subject) else {
                    return Err(format!("there is no {source:?}"));
                };
                let row = &book.payments[no as usize];
                let reversed = book.reversed(no as usize, View::ALL);
                differ("payment id", &shown.id, &row.id)?;
                differ(&format!("reversed of {}", row.id), shown.reversed.into(), reversed)?;
                (row.id.clone(), shown.unapplied, shown.allocations)
            }
            Source::CreditNote(CreditNoteNo(no)) => {
                let subject = Subject::CreditNote(ledger, CreditNoteNo(no));
                let Some(Resource::CreditNote(shown)) = bench.state.resource(subject) else {
                    return Err(format!("there is no {source:?}"));
                };
                let row = &book.credits[no as usize];
                differ("credit note number", &*shown.number, row.number.as_str())?;
                (row.id.clone(), shown.unapplied, shown.allocations)
            }
        };
        let model = book.unapplied(source, View::ALL);
        differ(&format!("unapplied of {id}"), i128::from(unapplied), model)?;
        let shown: BTreeMap<String, i128> =
            allocations.iter().map(|a| (a.invoice_id.to_string(), i128::from(a.amount))).collect();
        let mut model = BTreeMap::new();
        for (no, row) in book.invoices.iter().enumerate() {
            let there = book.allocated(View::ALL, |from, on| from == source && on == no);
            if there != 0 {
                model.insert(row.id.to_string(), there);
            }
        }
        differ(&format!("allocations of {id}"), shown, model)?;
    }
    Ok(())
}

/// As of every day on which something happened, the identity holds, and nothing is below zero.
fn check_past(bench: &Bench) -> Result<(), String> {
    for (at, book) in bench.model.books.iter().enumerate() {
        let mut days: Vec<Day> = book.allocations.iter().map(|a| a.date).collect();
        days.extend(book.reversals.iter().map(|r| r.date));
        days.sort();
        days.dedup();
        for day in days {
            let view = View::as_of(day);
            for customer in 0..book.customers.len() {
                for f in book.figures(customer, view, day) {
                    let net = f.invoiced - f.credited - f.collected;
                    differ(&format!("net in ledger {at} as of {day}"), f.net(), net)?;
                }
            }
            for no in 0..book.invoices.len() {
                let (open, id) = (book.open(no, view), &book.invoices[no].id);
                differ(&format!("{id} below zero as of {day}"), open.min(0), 0)?;
            }
            for source in book.sources() {
                let left = book.unapplied(source, view);
                differ(&format!("{source:?} below zero as of {day}"), left.min(0), 0)?;
            }
        }
    }
    Ok(())
}

/// The events alone give the same state, and so do the rows of a snapshot.
fn check_replay(bench: &Bench) -> Result<(), String> {
    let mut again = State::default();
    for (at, (digest, event)) in bench.log.iter().enumerate() {
        again.apply(Position(at as u64 + 1), *digest, event);
    }
    let rows = |state: &State| format!("{:?}", state.rows());
    if rows(&again) != rows(&bench.state) {
        return Err("replayed events give another state".to_owned());
    }
    let restored = State::from_rows(bench.state.rows().clone());
    if format!("{:?}", restored.indexes()) != format!("{:?}", again.indexes()) {
        return Err("indexes built from rows differ from indexes kept up to date".to_owned());
    }
    Ok(())
}

fn run(seed: u64, commands: u64) -> Result<Bench, String> {
    let mut bench = Bench::new(seed, start());
    let mut workload = Workload::new(seed);
    for command in workload.ledgers(start()) {
        bench.submit(&command).map_err(|e| format!("{command:?}\n{e}"))?;
    }
    for step in 0..commands {
        let command = workload.next_command(&bench.model);
        let told = |e: String| format!("command {step}: {command:?}\n{e}");
        bench.submit(&command).map_err(told)?;
        // Days are run at once, or some commands later.
        if step % 3 == 0 {
            bench.run_days().map_err(told)?;
        }
        if step % 10 == 0 {
            bench.open_system_days().map_err(told)?;
            bench.repeat_a_day().map_err(told)?;
        }
        for at in 0..bench.model.books.len() {
            compare_ledger(&bench, at).map_err(told)?;
        }
    }
    bench.run_days()?;
    check_past(&bench)?;
    check_replay(&bench)?;
    Ok(bench)
}

#[test]
fn random_commands_agree_with_the_model() {
    let commands = from_environment("ENCOURS_COMMANDS", 200);
    let one = std::env::var("ENCOURS_SEED").ok().map(|seed| seed.parse::<u64>().unwrap());
    let seeds = match one {
        Some(seed) => seed..seed + 1,
        None => 0..from_environment("ENCOURS_SEEDS", 100),
    };
    let mut outcomes: BTreeMap<String, u32> = BTreeMap::new();
    let mut spells = 0;
    for seed in seeds {
        let bench = run(seed, commands).unwrap_or_else(|error| {
            panic!(
                "seed {seed}: {error}\nrun it again with: ENCOURS_SEED={seed} \
                 ENCOURS_COMMANDS={commands} cargo test -p encours-sim --test domain_model"
            )
        });
        spells += bench.audit.spells();
        for (outcome, count) in bench.outcomes {
            *outcomes.entry(outcome).or_default() += count;
        }
    }
    println!("overdue spells: {spells}\n{outcomes:#?}");
    if one.is_none() {
        check_coverage(&outcomes);
        assert!(spells > 0, "nothing became overdue");
    }
}

/// What a workload worth its name comes across.
fn check_coverage(outcomes: &BTreeMap<String, u32>) {
    let accepted = [
        "CreateLedger",
        "AdvanceClock",
        "CreateCustomer",
        "UpdateCustomer",
        "IssueInvoice",
        "MarkSent",
        "DisputeInvoice",
        "ResolveDispute",
        "CancelInvoice",
        "RecordPayment",
        "Allocate",
        "Deallocate",
        "ReversePayment",
        "IssueCreditNote",
        "OpenDay",
        "RunDay",
    ];
    let refused = [
        "AdvanceClock DayBackwards",
        "AdvanceClock NotATestClock",
        "Allocate CurrencyMismatch",
        "Allocate NothingLeft",
        "Allocate OverAllocation",
        "CancelInvoice MoneyAllocated",
        "CancelInvoice WrongState",
        "Deallocate DatedBeforeFact",
        "Deallocate OverAllocation",
        "IssueCreditNote IssueDateOrder",
        "IssueCreditNote NothingLeft",
        "IssueCreditNote NumberReserved",
        "IssueCreditNote OverCredit",
        "IssueInvoice AmountOverflow",
        "IssueInvoice DueBeforeIssue",
        "IssueInvoice IdExists",
        "IssueInvoice InvalidReference",
        "IssueInvoice IssueDateOrder",
        "IssueInvoice NotPositive",
        "IssueInvoice NumberExists",
        "IssueInvoice NumberReserved",
        "IssueInvoice TooLarge",
        "IssueInvoice UnknownCustomer",
        "IssueInvoice repeated",
        "RecordPayment AmountOverflow",
        "RecordPayment CurrencyMismatch",
        "RecordPayment CustomerMismatch",
        "RecordPayment IdExists",
        "RecordPayment NotPositive",
        "RecordPayment OverAllocation",
        "RecordPayment UnknownInvoice",
        "RecordPayment repeated",
        "ResolveDispute WrongState",
        "ReversePayment DatedBeforeFact",
        "ReversePayment WrongState",
        "RunDay repeated",
    ];
    let accepted = accepted.iter().map(|name| format!("{name} accepted"));
    for outcome in accepted.chain(refused.iter().map(ToString::to_string)) {
        assert!(outcomes.contains_key(&outcome), "never came across: {outcome}");
    }
}
