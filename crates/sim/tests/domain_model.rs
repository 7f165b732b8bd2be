//! The domain against the reference model: random commands, everything compared after each.
//!
//! A failure prints the seed and the line that runs it alone. `ENCOURS_SEED` runs one seed,
//! `ENCOURS_SEEDS` and `ENCOURS_COMMANDS` set how many seeds and commands are run.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod coverage;
mod support;

use std::collections::BTreeMap;

use encours_domain::resource::{self, ItemKind, Resource};
use encours_domain::terms::DueTerms;
use encours_domain::{
    CreditNoteNo, CustomerNo, Day, Event, InvoiceNo, LedgerNo, PaymentNo, Position, Source, State,
    Subject,
};
use encours_sim::model::{Book, Figures, Stage, View};
use encours_sim::workload::Workload;
use support::Bench;

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// A turn of the year before a leap day, or a spring of holidays.
fn start(seed: u64) -> Day {
    let (year, month, day) = if seed.is_multiple_of(2) { (2023, 12, 20) } else { (2025, 4, 10) };
    Day::from_ymd(year, month, day).unwrap()
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
        compare_agreements(&shown, book, no)?;
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
            opening: b.opening.into(),
            invoiced: b.invoiced.into(),
            credited: b.credited.into(),
            collected: b.collected.into(),
            refunded: b.refunded.into(),
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

/// Credit limits, and the last reminder made by hand.
fn compare_agreements(shown: &resource::Customer, book: &Book, no: usize) -> Result<(), String> {
    let (row, limits) = (&book.customers[no], book.limits.iter().filter(|l| l.customer == no));
    let mut limits: Vec<_> = limits.map(|l| (l.currency, l.limit, l.policy)).collect();
    limits.sort_by_key(|(currency, ..)| *currency);
    let found = shown.credit_limits.iter().map(|l| (l.currency, l.limit, l.policy)).collect();
    differ(&format!("credit limits of {}", row.id), found, limits)?;
    let reminded = shown.reminder.map(|reminder| (reminder.level, reminder.date));
    differ(&format!("last reminder of {}", row.id), reminded, row.reminded)
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
    differ(&what("number"), &*shown.number, row.number.as_str())?;
    differ(&what("customer"), &shown.customer_id, &book.customers[row.customer].id)?;
    differ(&what("currency"), shown.currency, row.currency)?;
    differ(&what("total"), shown.total, row.total)?;
    differ(&what("deletion"), shown.deleted, row.stage == Stage::Deleted)?;
    let headline = book.headline(no, View::ALL, today);
    differ(&what("headline"), shown.facets.headline(), headline)?;
    if matches!(row.stage, Stage::Draft(_) | Stage::Deleted) {
        return differ(&what("open amount"), shown.open, 0);
    }
    compare_figures(shown, book, no)?;
    differ(&what("reference"), &*shown.reference, row.reference.as_str())?;
    differ(&what("issue date"), shown.issue_date, Some(row.date))?;
    differ(&what("due date"), shown.due.map(|due| due.date), Some(row.due))?;
    let overdue_from = shown.due.map(DueTerms::overdue_from);
    differ(&what("first overdue day"), overdue_from, Some(row.overdue_from))?;
    differ(&what("settlement"), shown.facets.settlement, book.settlement(no, View::ALL))?;
    differ(&what("timing"), shown.facets.timing, book.timing(no, View::ALL, today))?;
    differ(&what("dunning"), shown.facets.dunning, book.dunning(no))?;
    differ(&what("level"), shown.facets.level, row.level)?;
    differ(&what("dispute"), shown.facets.disputed, book.disputed(no, View::ALL))?;
    let planned = shown.planned.map(|p| (p.amount, p.remaining, p.date));
    differ(&what("plan"), planned, row.planned.map(|p| (p.amount, p.remaining, p.date)))?;
    differ(&what("flag of the plan"), shown.facets.planned, row.planned.is_some())?;
    let last = book.steps.iter().rfind(|out| out.invoice == no);
    let shown_last = shown.last_reminder.map(|out| (out.step, out.planned, out.date));
    differ(&what("last step"), shown_last, last.map(|out| (out.step, out.planned, out.date)))?;
    let next = shown.next_reminder.map(|next| (next.step, next.date));
    differ(&what("next step"), next, book.next_step(no))?;
    let sent = book.sent.iter().find(|s| s.invoice == no).map(|s| s.date);
    differ(&what("sent date"), shown.sent_on, sent)
}

fn compare_figures(shown: &resource::Invoice, book: &Book, no: usize) -> Result<(), String> {
    let row = &book.invoices[no];
    let what = |field: &str| format!("{field} of {}", row.id);
    let kind = match row.stage {
        Stage::Owed => ItemKind::OpeningOwed,
        Stage::Owing => ItemKind::OpeningOwing,
        _ => ItemKind::Invoice,
    };
    differ(&what("kind"), shown.kind, kind)?;
    differ(&what("open amount"), i128::from(shown.open), book.open(no, View::ALL))?;
    differ(&what("paid before"), shown.paid_before, row.paid)?;
    let left = if row.stage == Stage::Owing { book.left(no, View::ALL) } else { 0 };
    differ(&what("unapplied"), i128::from(shown.unapplied), left)?;
    let noted = book.credit_noted(no, View::ALL);
    differ(&what("credit noted"), i128::from(shown.credit_noted), noted)?;
    let credited =
        book.allocated(View::ALL, |source, on| on == no && !matches!(source, Source::Payment(_)));
    differ(&what("credited"), i128::from(shown.credited), credited)?;
    differ(&what("passing of the limit"), shown.over_limit, row.over_limit)
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
                let refunded = book.refunded(no as usize, View::ALL);
                differ(&format!("refunded of {}", row.id), shown.refunded.into(), refunded)?;
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
            // Compared with the invoices; what it is used on, with the open amounts.
            Source::Opening(_) => continue,
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
        days.extend(book.refunds.iter().map(|r| r.date));
        days.extend(book.corrections.iter().map(|c| c.date));
        days.sort();
        days.dedup();
        for day in days {
            let view = View::as_of(day);
            for customer in 0..book.customers.len() {
                for f in book.figures(customer, view, day) {
                    let net = f.opening + f.invoiced - f.credited - f.collected + f.refunded;
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
    let mut bench = Bench::new(seed, start(seed));
    let mut workload = Workload::new(seed);
    for command in workload.ledgers(start(seed)) {
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
    let mut told: BTreeMap<String, u32> = BTreeMap::new();
    for seed in seeds {
        let bench = run(seed, commands).unwrap_or_else(|error| {
            panic!(
                "seed {seed}: {error}\nrun it again with: ENCOURS_SEED={seed} \
                 ENCOURS_COMMANDS={commands} cargo test -p encours-sim --test domain_model"
            )
        });
        spells += bench.audit.spells();
        for (_, event) in &bench.log {
            *told.entry(kind_of(event)).or_default() += 1;
        }
        for (outcome, count) in bench.outcomes {
            *outcomes.entry(outcome).or_default() += count;
        }
    }
    println!("overdue spells: {spells}\n{outcomes:#?}\n{told:#?}");
    if one.is_none() {
        coverage::check_outcomes(&outcomes);
        coverage::check_told(&told);
        assert!(spells > 0, "nothing became overdue");
    }
}

/// The name of an event, and what tells its kinds apart.
fn kind_of(event: &Event) -> String {
    let kind = match event {
        Event::ReminderEmitted(e) => format!(" {:?}", e.step),
        Event::CreditLimitExceeded(e) => format!(" overridden: {}", e.overridden),
        Event::OpeningItemCorrected(e) => format!(" not overdue: {}", e.not_overdue),
        Event::DayOpened(e) => format!(" on time: {}", e.on_time),
        _ => String::new(),
    };
    format!("{}{kind}", event.name())
}
