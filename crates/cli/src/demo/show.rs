//! What the demo shows: customers, ageing, the past, an invoice's life, the log.

use std::fmt::Write as _;
use std::path::Path;

use encours_api::Api;
use encours_domain::{Day, Money};
use encours_log::{VerifyProgress, verify_reader};
use encours_proto::v1;
use encours_proto::v1::customer_service_server::CustomerService;
use encours_proto::v1::invoice_service_server::InvoiceService;
use encours_proto::v1::report_service_server::ReportService;
use tonic::Request;

use super::Played;
use super::company::{LEDGER, NAME};
use super::story::Story;
use super::words::Language;
use crate::client::PAGE;
use crate::failure::{Exit, Failure, Outcome};
use crate::node::Node;
use crate::output::{self, Cell, Column, Listing, Paint, line_width, print_text, render_within};
use crate::verbs::activity;

/// How many customers who owe something are shown,
const CUSTOMERS: usize = 12;
/// and how many who have money left.
const CREDITED: usize = 2;
/// The longest bar.
const BAR: i64 = 36;

/// Shows everything.
pub(super) async fn all(
    node: &Node,
    api: &Api,
    lang: Language,
    story: &Story,
    played: &Played,
    last: Day,
) -> Outcome {
    node.caught_up().await?;
    let mut out = headline(node, lang, played);
    out += &customers(api, lang).await?;
    out += &ageing(api, lang, last).await?;
    out += &past(api, lang, last).await?;
    out += &invoice(api, lang, &story.bounced).await?;
    out += &log(node, lang).await?;
    print_text(&out)
}

/// What to do next.
pub(super) fn farewell(lang: Language, kept: Option<&Path>) -> Outcome {
    let mut out = heading(lang.say("And now", "Et maintenant"));
    let lines = match kept {
        Some(path) => format!(
            "encours serve --data {path}\n\
             encours customer list --ledger {LEDGER}\n\
             encours ageing --ledger {LEDGER} --as-of 2026-03-31\n\
             encours log verify --data {path}",
            path = path.display()
        ),
        None => "encours demo --keep ./demo-data\nencours serve --data ./demo-data".to_owned(),
    };
    for line in lines.lines() {
        let _ = writeln!(out, "  {}", Paint::Note.on(line));
    }
    print_text(&out)
}

fn heading(text: &str) -> String {
    format!("\n{}\n", Paint::Strong.on(text))
}

fn grouped(lang: Language, count: u64) -> String {
    Cell::Count(count).shown(lang)
}

fn headline(node: &Node, lang: Language, played: &Played) -> String {
    let tail = node.engine().reader().tail();
    let events = tail.next_position.0.saturating_sub(1);
    let took = format!("{}.{:02} s", played.took.as_secs(), played.took.subsec_millis() / 10);
    let (commands, days) =
        (grouped(lang, played.commands as u64), grouped(lang, played.days as u64));
    let (events, frames) = (grouped(lang, events), grouped(lang, tail.number.0));
    let text = match lang {
        Language::En => format!(
            "{days} days played in {took}: {commands} commands made {events} events in {frames} \
             frames,\neach frame synced to disk before it was answered"
        ),
        Language::Fr => format!(
            "{days} jours joués en {took} : {commands} commandes, {events} événements en {frames} \
             trames,\nchacune écrite sur disque avant d'être confirmée"
        ),
    };
    format!("{}{}\n", heading(&format!("{NAME}, 2025-2026")), Paint::Dim.on(&text))
}

const EN: [Column; 6] = [
    Column::left("customer"),
    Column::right("invoiced"),
    Column::right("collected"),
    Column::right("outstanding"),
    Column::right("unapplied"),
    Column::left("status"),
];
const FR: [Column; 6] = [
    Column::left("client"),
    Column::right("facturé"),
    Column::right("encaissé"),
    Column::right("encours"),
    Column::right("reste à utiliser"),
    Column::left("statut"),
];

async fn customers(api: &Api, lang: Language) -> Outcome<String> {
    let request = v1::ListCustomersRequest {
        ledger_id: LEDGER.to_owned(),
        page_size: PAGE,
        ..Default::default()
    };
    let mut all = api.list_customers(Request::new(request)).await?.into_inner().customers;
    let open = |customer: &v1::Customer| {
        let balance = customer.balances.first().cloned().unwrap_or_default();
        balance.outstanding.map(|money| (money.units, money.nanos)).unwrap_or_default()
    };
    all.sort_by_key(|customer| std::cmp::Reverse(open(customer)));
    // The largest balances, and with them some who have money left to use.
    let (credited, others): (Vec<_>, Vec<_>) =
        all.iter().partition(|customer| customer.status() == v1::CustomerStatus::InCredit);
    let credited = credited.into_iter().take(CREDITED);
    let shown = others.into_iter().take(CUSTOMERS).chain(credited);
    let request = v1::GetLedgerTotalsRequest { ledger_id: LEDGER.to_owned(), min_position: 0 };
    let totals = api.get_ledger_totals(Request::new(request)).await?.into_inner();
    let mut rows = Vec::new();
    for customer in shown {
        let balance = customer.balances.first().cloned().unwrap_or_default();
        let status = output::word(customer.status().as_str_name(), "CUSTOMER_STATUS_");
        rows.push(row(
            &customer.name,
            &balance,
            Cell::Labelled(lang.status(&status).to_owned(), status),
        )?);
    }
    let balance = totals.balances.first().cloned().unwrap_or_default();
    let total = row("TOTAL", &balance, Cell::Empty)?;
    let listing = Listing {
        columns: match lang {
            Language::En => EN.as_slice(),
            Language::Fr => FR.as_slice(),
        }
        .into(),
        name: "customers",
        rows,
        totals: vec![total],
        facts: Vec::new(),
        facts_first: false,
    };
    let counts = totals.customers.unwrap_or_default();
    let mut out = heading(lang.say("Customers", "Clients"));
    out += &render_within(&listing, line_width(), lang);
    let counted = [
        (counts.overdue, "OVERDUE"),
        (counts.awaiting_payment, "AWAITING_PAYMENT"),
        (counts.in_credit, "IN_CREDIT"),
        (counts.up_to_date, "UP_TO_DATE"),
    ];
    let counted = counted.map(|(count, status)| format!("{count} {}", lang.status(status)));
    let counted =
        format!("{} {}: {}", all.len(), lang.say("customers", "clients"), counted.join(", "));
    let _ = writeln!(out, "{}", Paint::Dim.on(&counted));
    Ok(out)
}

fn row(name: &str, balance: &v1::Balance, status: Cell) -> Outcome<Vec<Cell>> {
    Ok(vec![
        Cell::text(name),
        output::money(balance.invoiced.as_ref())?,
        output::money(balance.collected.as_ref())?,
        output::money(balance.outstanding.as_ref())?,
        output::money(balance.unapplied.as_ref())?,
        status,
    ])
}

async fn report(api: &Api, day: Day) -> Outcome<v1::GetAgeingResponse> {
    let request = v1::GetAgeingRequest {
        ledger_id: LEDGER.to_owned(),
        page_size: 1,
        as_of_date: Some(output::day(day)),
        ..Default::default()
    };
    Ok(api.get_ageing(Request::new(request)).await?.into_inner())
}

fn minor(amount: Option<&v1::Money>) -> Outcome<Money> {
    let none = || Failure::new(Exit::Failure, "an amount is missing");
    output::amount(amount.ok_or_else(none)?)
}

/// `value` of `most` as a bar.
fn bar(value: i64, most: i64, paint: Paint) -> String {
    let eighths = (i128::from(value) * i128::from(BAR) * 8 / i128::from(most.max(1))).max(0);
    let eighths = usize::try_from(eighths).unwrap_or_default();
    let part = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
    paint.on(&format!("{}{part}", "█".repeat(eighths / 8)))
}

async fn ageing(api: &Api, lang: Language, day: Day) -> Outcome<String> {
    let report = report(api, day).await?;
    let total = report.totals.first().cloned().unwrap_or_default();
    let bands = [
        (lang.say("not due", "non échu"), &total.not_due, Paint::Good),
        (lang.say("1-30 days", "1-30 jours"), &total.days_1_to_30, Paint::Warn),
        (lang.say("31-60 days", "31-60 jours"), &total.days_31_to_60, Paint::Warn),
        (lang.say("61-90 days", "61-90 jours"), &total.days_61_to_90, Paint::Bad),
        (lang.say("91-120 days", "91-120 jours"), &total.days_91_to_120, Paint::Bad),
        (lang.say("over 120 days", "plus de 120 jours"), &total.days_over_120, Paint::Bad),
    ];
    let amounts: Vec<Money> =
        bands.iter().map(|(_, amount, _)| minor(amount.as_ref())).collect::<Outcome<_>>()?;
    let most = amounts.iter().map(|money| money.minor).max().unwrap_or_default();
    let title = lang.say("Ageing on", "Balance âgée au");
    let mut out = heading(&format!("{title} {}", lang.day(output::day(day))));
    for ((label, _, paint), amount) in bands.iter().zip(&amounts) {
        let shown = Cell::Money(*amount).shown(lang);
        let _ = writeln!(out, "{label:<18} {shown:>12}  {}", bar(amount.minor, most, *paint));
    }
    let unapplied = Cell::Money(minor(total.unapplied.as_ref())?).shown(lang);
    let balance = Cell::Money(minor(total.balance.as_ref())?).shown(lang);
    let label = lang.say("unapplied", "reste à utiliser");
    let _ =
        writeln!(out, "{}", Paint::Dim.on(&format!("{label:<18} {:>12}", format!("-{unapplied}"))));
    let label = lang.say("balance", "solde");
    let open =
        format!("  {} {}", report.open_invoices, lang.say("open invoices", "factures ouvertes"));
    let _ = writeln!(
        out,
        "{}{}",
        Paint::Strong.on(&format!("{label:<18} {balance:>12}")),
        Paint::Dim.on(&open)
    );
    Ok(out)
}

/// The same question on earlier days.
async fn past(api: &Api, lang: Language, last: Day) -> Outcome<String> {
    let mut quarters = Vec::new();
    for year in [2025, 2026] {
        for (month, day) in [(3, 31), (6, 30), (9, 30), (12, 31)] {
            quarters.extend(Day::from_ymd(year, month, day).filter(|day| *day <= last));
        }
    }
    let mut rows = Vec::new();
    for day in quarters {
        let total = report(api, day).await?.totals.first().cloned().unwrap_or_default();
        let not_due = minor(total.not_due.as_ref())?;
        let balance = minor(total.balance.as_ref())?.minor;
        let open = balance + minor(total.unapplied.as_ref())?.minor;
        rows.push((day, not_due, Money::new(open, not_due.currency)));
    }
    let most = rows.iter().map(|(_, _, open)| open.minor).max().unwrap_or_default();
    let mut out = heading(lang.say(
        "Outstanding as of any past day: █ not due, ░ past due",
        "Encours à toute date passée : █ non échu, ░ échu",
    ));
    for (day, not_due, open) in rows {
        let late = open.minor - not_due.minor;
        let _ = writeln!(
            out,
            "{:<18} {:>12}  {}{}",
            lang.day(output::day(day)),
            Cell::Money(open).shown(lang),
            bar(not_due.minor, most, Paint::Good),
            Paint::Bad.on(&"░".repeat(usize::try_from(late * BAR / most.max(1)).unwrap_or(0)))
        );
    }
    Ok(out)
}

async fn invoice(api: &Api, lang: Language, id: &str) -> Outcome<String> {
    use v1::get_invoice_request::Invoice;
    let request = v1::GetInvoiceRequest {
        ledger_id: LEDGER.to_owned(),
        invoice: Some(Invoice::InvoiceId(id.to_owned())),
        ..Default::default()
    };
    let invoice = api.get_invoice(Request::new(request)).await?.into_inner().invoice;
    let invoice = invoice.unwrap_or_default();
    let request = v1::ListInvoiceActivityRequest {
        ledger_id: LEDGER.to_owned(),
        invoice_id: id.to_owned(),
        page_size: PAGE,
        ..Default::default()
    };
    let events = api.list_invoice_activity(Request::new(request)).await?.into_inner().events;
    let mut rows = Vec::new();
    for event in &events {
        let mut row = activity::row(event)?;
        row.truncate(5);
        rows.push(row);
    }
    const COLUMNS: [Column; 5] = [
        Column::right("position"),
        Column::left("date"),
        Column::left("event"),
        Column::right("EUR"),
        Column::left("detail"),
    ];
    let listing = Listing {
        columns: COLUMNS.as_slice().into(),
        name: "activity",
        rows,
        totals: Vec::new(),
        facts: Vec::new(),
        facts_first: false,
    };
    let title = lang.say("The life of invoice", "La vie de la facture");
    let why = lang.say("a direct debit that bounced", "un prélèvement rejeté");
    let mut out = heading(&format!("{title} {}: {why}", invoice.number));
    out += &render_within(&listing, line_width(), lang);
    Ok(out)
}

async fn log(node: &Node, lang: Language) -> Outcome<String> {
    let (reader, model) = (node.engine().reader(), node.model());
    let checked = tokio::task::spawn_blocking(move || {
        let report = verify_reader(&*reader, &mut |_: VerifyProgress| {})?;
        Ok::<_, Failure>((report, model.digest().value))
    });
    let checked = checked.await.map_err(|error| Failure::new(Exit::Failure, error.to_string()))?;
    let (report, digest) = checked?;
    let mut out = heading(lang.say("The log, verified", "Le journal, vérifié"));
    let facts = [
        ("result", Cell::Status("OK".to_owned())),
        ("frames", Cell::Count(report.frames)),
        ("events", Cell::Count(report.events)),
        ("bytes", Cell::Count(report.bytes)),
        ("tail_hash", Cell::text(report.tail.hash.to_string())),
        ("digest", Cell::text(digest.to_string())),
    ];
    out += &output::fields(&facts, lang);
    Ok(out)
}
