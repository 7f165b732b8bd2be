//! The read model against the reference model: the log, folded, gives the same balances, statuses and
//! ageing, today, as of past days and as known before.

use std::collections::BTreeMap;
use std::sync::Arc;

use encours_domain::balance::Balance;
use encours_domain::event::CreditPolicy;
use encours_domain::resource;
use encours_domain::status::{CustomerStatus, Headline};
use encours_domain::{Currency, Day, Id, LedgerNo, PaymentNo, Position, Source};
use encours_log::{LogReader, SystemClock};
use encours_projections::{
    AgeingFigures, AsOf, CreditVerdict, Order, Page, ReadModel, ReadModelOptions,
};

use crate::Rng;
use crate::model::{Book, Figures, Model, Stage, View};
use crate::witness::Witness;

/// Past days looked at in each ledger.
const LOOKS: usize = 8;

fn ledger_no(at: usize) -> LedgerNo {
    LedgerNo(u32::try_from(at).unwrap_or(u32::MAX))
}

/// Folds the log and compares what it shows with what `witness` knows. All days are to be finished.
///
/// # Errors
/// What differs.
pub(crate) fn check(
    reader: Arc<dyn LogReader>,
    witness: &Witness,
    start: Day,
    rng: &mut Rng,
) -> Result<(), String> {
    let clock = Arc::new(SystemClock::new());
    let options = ReadModelOptions { reader, checkpoint: None, clock };
    let read = ReadModel::open(options).map_err(|e| format!("the read model: {e}"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.map_err(|e| format!("no runtime: {e}"))?;
    let there = runtime.block_on(read.wait_for(witness.last()));
    there.map_err(|e| format!("the read model: {e:?}"))?;
    let compared = compare(&read, witness, start, rng);
    read.stop();
    compared
}

fn compare(read: &ReadModel, witness: &Witness, start: Day, rng: &mut Rng) -> Result<(), String> {
    let model = &witness.model;
    for (at, book) in model.books.iter().enumerate() {
        let (ledger, today) = (ledger_no(at), model.today(at));
        compare_today(read, model, at)?;
        let days = today.since(start).unsigned_abs() + 40;
        for _ in 0..LOOKS {
            let back = i32::try_from(rng.below(days.into())).unwrap_or_default();
            let day = today.plus(10 - back).unwrap_or(today);
            let known = witness.boundaries[rng.index(witness.boundaries.len())];
            let known = if rng.one_in(2) { Some(known) } else { None };
            compare_past(read, book, ledger, (day, known))?;
        }
    }
    Ok(())
}

fn differ<T: PartialEq + std::fmt::Debug>(what: &str, shown: &T, model: &T) -> Result<(), String> {
    if shown == model {
        return Ok(());
    }
    Err(format!("{what}: the read model has {shown:?}, the reference {model:?}"))
}

/// The figures in use, by currency.
fn of_balances(balances: &[Balance]) -> Vec<Figures> {
    balances.iter().map(Figures::from).filter(in_use).collect()
}

/// Whether there is anything to show: a currency whose facts all lie ahead has no figures yet.
fn in_use(f: &Figures) -> bool {
    let facts = [f.opening, f.invoiced, f.credited, f.collected, f.refunded];
    facts != [0; 5] || (f.outstanding, f.unapplied) != (0, 0)
}

/// One ledger today.
fn compare_today(read: &ReadModel, model: &Model, at: usize) -> Result<(), String> {
    let (book, today) = (&model.books[at], model.today(at));
    let (ledger, view) = (ledger_no(at), View::as_of(today));
    for (no, row) in book.customers.iter().enumerate() {
        let shown = read.customer(ledger, row.id.as_str(), AsOf::default()).value;
        let shown = shown.ok_or_else(|| format!("there is no customer {}", row.id))?;
        let mut model = book.figures(no, view, today);
        model.retain(in_use);
        differ(&format!("balances of {}", row.id), &of_balances(&shown.balances), &model)?;
        let status = book.customer_status(no, view, today);
        differ(&format!("status of {}", row.id), &shown.status, &status)?;
        compare_credit(read, (book, ledger), (no, &shown))?;
    }
    let mut upcoming = vec![];
    for (no, row) in book.invoices.iter().enumerate() {
        let shown = read.invoice(ledger, row.id.as_str()).value;
        let shown = shown.ok_or_else(|| format!("there is no invoice {}", row.id))?;
        let what = |field: &str| format!("{field} of {} in ledger {at} on {today}", row.id);
        differ(&what("number"), &&*shown.number, &row.number.as_str())?;
        if matches!(row.stage, Stage::Draft(_) | Stage::Deleted) {
            differ(&what("deletion"), &shown.deleted, &(row.stage == Stage::Deleted))?;
            differ(&what("headline"), &shown.facets.headline(), &Headline::Draft)?;
            differ(&what("total"), &shown.total, &row.total)?;
            differ(&what("customer"), &shown.customer_id, &book.customers[row.customer].id)?;
            continue;
        }
        if !book.sees_invoice(no, view) {
            // Issued later than today: how its figures show until then is left open.
            continue;
        }
        differ(&what("open amount"), &i128::from(shown.open), &book.open(no, view))?;
        let noted = book.credit_noted(no, view);
        differ(&what("credit noted"), &i128::from(shown.credit_noted), &noted)?;
        let headline = book.headline(no, view, today);
        differ(&what("headline"), &shown.facets.headline(), &headline)?;
        differ(&what("dispute"), &shown.facets.disputed, &book.disputed(no, view))?;
        let timing = book.timing(no, view, today);
        differ(&what("timing"), &shown.facets.timing, &timing)?;
        differ(&what("settlement"), &shown.facets.settlement, &book.settlement(no, view))?;
        compare_follow_up(&shown, book, no, today)?;
        let plan = read.reminder_plan(ledger, row.id.as_str()).value;
        let plan = plan.ok_or_else(|| what("no plan"))?;
        let sent = plan.sent.iter().filter_map(|out| Some((out.step?, out.planned, out.date)));
        let steps = book.steps.iter().filter(|out| out.invoice == no);
        let steps: Vec<_> = steps.map(|out| (out.step, out.planned, out.date)).collect();
        differ(&what("steps"), &sent.collect(), &steps)?;
        upcoming.extend(shown.next_reminder.map(|next| (next.date, no, next.step)));
    }
    upcoming.retain(|(date, ..)| today.plus(20).is_some_and(|until| *date <= until));
    upcoming.sort_by_key(|(date, no, _)| (*date, *no));
    let page = Page { after: None, limit: 1_000, order: Order::default() };
    let listed = read.upcoming_reminders(ledger, today.plus(20).unwrap_or(Day::MAX), page).value;
    let listed = listed
        .items
        .iter()
        .map(|item| (item.next.date, item.invoice.no.0 as usize, item.next.step));
    differ("upcoming reminders", &listed.collect(), &upcoming)?;
    for (no, row) in (0..).zip(&book.payments) {
        let shown = read.payment(ledger, row.id.as_str()).value;
        let shown = shown.ok_or_else(|| format!("there is no payment {}", row.id))?;
        if row.date <= today {
            let left = book.unapplied(Source::Payment(PaymentNo(no)), view);
            differ(&format!("unapplied of {}", row.id), &i128::from(shown.unapplied), &left)?;
            let refunded = book.refunded(no as usize, view);
            differ(&format!("refunded of {}", row.id), &i128::from(shown.refunded), &refunded)?;
        }
    }
    Ok(())
}

/// Plans and reminders of an invoice.
fn compare_follow_up(
    shown: &resource::Invoice,
    book: &Book,
    no: usize,
    today: Day,
) -> Result<(), String> {
    let row = &book.invoices[no];
    let what = |field: &str| format!("{field} of {} on {today}", row.id);
    let planned = row.planned.map(|p| (p.amount, p.remaining, p.date));
    differ(&what("plan"), &shown.planned.map(|p| (p.amount, p.remaining, p.date)), &planned)?;
    differ(&what("passing of the limit"), &shown.over_limit, &row.over_limit)?;
    differ(&what("level"), &shown.facets.level, &row.level)?;
    let last = book.steps.iter().rfind(|out| out.invoice == no);
    let last = last.map(|out| (out.step, out.planned, out.date));
    let shown_last = shown.last_reminder.map(|out| (out.step, out.planned, out.date));
    differ(&what("last step"), &shown_last, &last)?;
    let dated = book.sent.iter().chain(&book.disputes).chain(&book.resolutions);
    let ahead = dated.into_iter().any(|fact| fact.invoice == no && fact.date > today);
    let settled_later = (book.open(no, View::ALL) == 0) != (book.open(no, View::as_of(today)) == 0);
    if ahead || settled_later {
        // What is dated ahead binds the writer at once; how a read shows it until then is left open.
        return Ok(());
    }
    let next = shown.next_reminder.map(|next| (next.step, next.date));
    differ(&what("next step"), &next, &book.next_step(no))?;
    differ(&what("dunning"), &shown.facets.dunning, &book.dunning(no))
}

/// Credit limits, and what they say to invoices of any size.
fn compare_credit(
    read: &ReadModel,
    (book, ledger): (&Book, LedgerNo),
    (no, shown): (usize, &resource::Customer),
) -> Result<(), String> {
    let row = &book.customers[no];
    let mut limits: Vec<_> = book.limits.iter().filter(|l| l.customer == no).collect();
    limits.sort_by_key(|limit| limit.currency);
    let found: Vec<_> =
        shown.credit_limits.iter().map(|l| (l.currency, l.limit, l.policy)).collect();
    let known = limits.iter().map(|l| (l.currency, l.limit, l.policy)).collect();
    differ(&format!("credit limits of {}", row.id), &found, &known)?;
    let reminded = shown.reminder.map(|reminder| (reminder.level, reminder.date));
    differ(&format!("last reminder of {}", row.id), &reminded, &row.reminded)?;
    for (limit, amount) in limits.iter().flat_map(|l| [(l, 0), (l, 1), (l, 30_000)]) {
        let check = read.check_credit(ledger, row.id.as_str(), limit.currency, amount).value;
        let check = check.ok_or_else(|| format!("no credit of {}", row.id))?;
        let figures = book.figures(no, View::ALL, Day::MIN);
        let net = figures.iter().find(|f| f.currency == limit.currency).map_or(0, Figures::net);
        let passed = amount > 0 && net + i128::from(amount) > i128::from(limit.limit);
        let verdict = match limit.policy {
            CreditPolicy::Warn if passed => CreditVerdict::Warned,
            CreditPolicy::Refuse if passed => CreditVerdict::Refused,
            _ => CreditVerdict::Allowed,
        };
        let told = (check.limit, i128::from(check.exposure), check.verdict);
        differ(&format!("credit of {}", row.id), &told, &(Some(limit.limit), net, verdict))?;
    }
    Ok(())
}

type Row = (Id, Currency);

/// What ageing has to show: open by age, then unapplied, for each customer and currency with any.
fn ageing_of(book: &Book, view: View, day: Day) -> BTreeMap<Row, [i128; 8]> {
    let mut rows = BTreeMap::new();
    for (no, customer) in book.customers.iter().enumerate() {
        for figures in book.figures(no, view, day) {
            let [a, b, c, d, e, f] = book.ageing(no, figures.currency, view, day);
            let row = [a, b, c, d, e, f, figures.unapplied, figures.net()];
            if row != [0; 8] {
                rows.insert((customer.id.clone(), figures.currency), row);
            }
        }
    }
    rows
}

fn shown_figures(f: AgeingFigures) -> [i128; 8] {
    [f.not_due, f.d1_30, f.d31_60, f.d61_90, f.d91_120, f.d121_plus, f.unapplied, f.balance]
        .map(i128::from)
}

/// Ageing and balances of one ledger as of a day and as known at a position.
fn compare_past(
    read: &ReadModel,
    book: &Book,
    ledger: LedgerNo,
    (day, known): (Day, Option<Position>),
) -> Result<(), String> {
    let view = View { as_of: Some(day), known_at: known };
    let as_of = AsOf { date: Some(day), known };
    let what = |what: &str| format!("{what} of {ledger:?} as of {day}, known at {known:?}");
    let ageing = read.ageing(ledger, as_of, false).value.ok_or_else(|| what("no ageing"))?;
    let mut shown: BTreeMap<Row, [i128; 8]> = BTreeMap::new();
    let mut totals: BTreeMap<Currency, [i128; 8]> = BTreeMap::new();
    for row in &ageing.rows {
        let figures = shown_figures(row.figures);
        shown.insert((row.customer_id.clone(), row.currency), figures);
        let total = totals.entry(row.currency).or_default();
        for (sum, figure) in total.iter_mut().zip(figures) {
            *sum += figure;
        }
    }
    differ(&what("ageing"), &shown, &ageing_of(book, view, day))?;
    let told = ageing.totals.iter().map(|(code, figures)| (*code, shown_figures(*figures)));
    differ(&what("totals of ageing"), &told.collect(), &totals)?;
    let open = (0..book.invoices.len()).filter(|&no| book.open(no, view) > 0).count();
    differ(&what("open items"), &(ageing.open_items as usize), &open)?;
    for status in [CustomerStatus::Overdue, CustomerStatus::AwaitingPayment] {
        let all = (0..book.customers.len()).map(|no| book.customer_status(no, view, day));
        let count = all.filter(|of| *of == status).count();
        differ(&what(status.name()), &(ageing.customers.get(status) as usize), &count)?;
    }
    for (no, row) in book.customers.iter().enumerate() {
        let found = read.customer(ledger, row.id.as_str(), as_of).value;
        let mut model = book.figures(no, view, day);
        model.retain(in_use);
        // Not known at that position: then it has no figures either.
        let shown = found.map_or(vec![], |customer| of_balances(&customer.balances));
        differ(&what(&format!("balances of {}", row.id)), &shown, &model)?;
    }
    Ok(())
}
