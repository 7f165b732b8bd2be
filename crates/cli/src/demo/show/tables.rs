//! Customers, the reminders to come, and one invoice's life, as tables.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use encours_api::Api;
use encours_proto::v1;
use encours_proto::v1::customer_service_server::CustomerService;
use encours_proto::v1::invoice_service_server::InvoiceService;
use encours_proto::v1::report_service_server::ReportService;
use tonic::Request;

use super::{heading, paragraph};
use crate::client::PAGE;
use crate::demo::company::LEDGER;
use crate::demo::words::Language;
use crate::failure::Outcome;
use crate::output::{self, Cell, Column, Listing, Paint, line_width, render_within};
use crate::verbs::activity;

/// How many customers who owe something are shown,
const CUSTOMERS: usize = 10;
/// and how many who have money left.
const CREDITED: usize = 2;
/// The longest line of counts.
const LINE: usize = 92;
/// How many reminders.
const REMINDERS: usize = 8;

/// A table of these columns, whose headings are in the language already.
fn table(columns: &'static [Column], rows: Vec<Vec<Cell>>, totals: Vec<Vec<Cell>>) -> Listing {
    let (facts, facts_first) = (Vec::new(), false);
    Listing { columns: columns.into(), name: "rows", rows, totals, facts, facts_first }
}

const CUSTOMERS_EN: [Column; 6] = [
    Column::left("customer"),
    Column::right("invoiced").spare(3),
    Column::right("collected").spare(2),
    Column::right("outstanding"),
    Column::right("unapplied").spare(1),
    Column::left("status"),
];
const CUSTOMERS_FR: [Column; 6] = [
    Column::left("client"),
    Column::right("facturé").spare(3),
    Column::right("encaissé").spare(2),
    Column::right("encours"),
    Column::right("reste à utiliser").spare(1),
    Column::left("statut"),
];

/// The customers of the company.
pub(super) async fn every_customer(api: &Api) -> Outcome<Vec<v1::Customer>> {
    let request = v1::ListCustomersRequest {
        ledger_id: LEDGER.to_owned(),
        page_size: PAGE,
        ..Default::default()
    };
    Ok(api.list_customers(Request::new(request)).await?.into_inner().customers)
}

/// Those who owe most, with some who have money left to use, and how many are of each status.
pub(super) async fn customers(api: &Api, lang: Language, all: &[v1::Customer]) -> Outcome<String> {
    let open = |customer: &&v1::Customer| {
        let balance = customer.balances.first().cloned().unwrap_or_default();
        let open = balance.outstanding.map(|money| (money.units, money.nanos));
        std::cmp::Reverse(open.unwrap_or_default())
    };
    let mut by_open: Vec<&v1::Customer> = all.iter().collect();
    by_open.sort_by_key(open);
    let (credited, others): (Vec<&v1::Customer>, Vec<&v1::Customer>) =
        by_open.into_iter().partition(|customer| customer.status() == v1::CustomerStatus::InCredit);
    let shown = others.into_iter().take(CUSTOMERS).chain(credited.into_iter().take(CREDITED));
    let request = v1::GetLedgerTotalsRequest { ledger_id: LEDGER.to_owned(), min_position: 0 };
    let totals = api.get_ledger_totals(Request::new(request)).await?.into_inner();
    let mut rows = Vec::new();
    for customer in shown {
        let balance = customer.balances.first().cloned().unwrap_or_default();
        let status = output::word(customer.status().as_str_name(), "CUSTOMER_STATUS_");
        rows.push(row(&customer.name, &balance, Cell::Status(status))?);
    }
    let balance = totals.balances.first().cloned().unwrap_or_default();
    let total = vec![row("TOTAL", &balance, Cell::Empty)?];
    let columns = match lang {
        Language::En => &CUSTOMERS_EN,
        Language::Fr => &CUSTOMERS_FR,
    };
    let mut out = heading(lang.say("Customers", "Clients"));
    out += &render_within(&table(columns, rows, total), line_width(), lang);
    let customers = totals.customers.unwrap_or_default();
    let invoices = totals.invoices.unwrap_or_default();
    let title = (all.len() as u64, lang.say("customers", "clients"));
    out += &counted(
        lang,
        title,
        &[
            (customers.overdue, lang.say("overdue", "en retard")),
            (customers.awaiting_payment, lang.say("awaiting payment", "en attente de règlement")),
            (customers.in_credit, lang.say("in credit", "créditeurs")),
            (customers.up_to_date, lang.say("up to date", "à jour")),
        ],
    );
    let kinds = [
        (invoices.paid, lang.say("paid", "payées")),
        (invoices.overdue, lang.say("overdue", "en retard")),
        (invoices.partially_paid, lang.say("partially paid", "payées en partie")),
        (invoices.payment_planned, lang.say("payment planned", "paiement prévu")),
        (invoices.not_due, lang.say("not due", "non échues")),
        (invoices.cancelled, lang.say("cancelled", "annulées")),
        (invoices.draft, lang.say("drafts", "brouillons")),
    ];
    let sum = kinds.iter().map(|(count, _)| u64::from(*count)).sum();
    out += &counted(lang, (sum, lang.say("invoices", "factures")), &kinds);
    Ok(out)
}

/// How many there are, and of which status.
fn counted(lang: Language, title: (u64, &str), kinds: &[(u32, &str)]) -> String {
    let number = |count: u64| Cell::Count(count).shown(lang);
    let kinds = kinds.iter().filter(|(count, _)| *count > 0);
    let kinds: Vec<String> =
        kinds.map(|(count, status)| format!("{} {status}", number(u64::from(*count)))).collect();
    let colon = lang.say(":", "\u{a0}:");
    let mut line = format!("{} {}{colon} ", number(title.0), title.1);
    let most = line_width().map_or(LINE, |width| width.min(LINE));
    let mut out = String::new();
    for (at, kind) in kinds.iter().enumerate() {
        let comma = if at + 1 < kinds.len() { ", " } else { "" };
        if format!("{line}{kind}{comma}").trim_end().chars().count() > most {
            let _ = writeln!(out, "{}", Paint::Dim.on(line.trim_end()));
            line = "  ".to_owned();
        }
        line += &format!("{kind}{comma}");
    }
    let _ = writeln!(out, "{}", Paint::Dim.on(line.trim_end()));
    out
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

const REMINDERS_EN: [Column; 6] = [
    Column::left("date"),
    Column::left("reminder"),
    Column::left("invoice").spare(2),
    Column::left("customer"),
    Column::left("due").spare(1),
    Column::right("open"),
];
const REMINDERS_FR: [Column; 6] = [
    Column::left("date"),
    Column::left("relance"),
    Column::left("facture").spare(2),
    Column::left("client"),
    Column::left("échéance").spare(1),
    Column::right("reste dû"),
];

/// The next reminders, and how many go out in the month to come.
pub(super) async fn reminders(
    api: &Api,
    lang: Language,
    customers: &[v1::Customer],
) -> Outcome<String> {
    let names: BTreeMap<&str, &str> = customers
        .iter()
        .map(|customer| (customer.customer_id.as_str(), customer.name.as_str()))
        .collect();
    let request = v1::ListUpcomingRemindersRequest {
        ledger_id: LEDGER.to_owned(),
        page_size: PAGE,
        ..Default::default()
    };
    let answer = api.list_upcoming_reminders(Request::new(request)).await?.into_inner();
    let mut rows = Vec::new();
    for upcoming in answer.reminders.iter().take(REMINDERS) {
        let next = upcoming.reminder.clone().unwrap_or_default();
        let name = names.get(upcoming.customer_id.as_str()).copied();
        rows.push(vec![
            output::date(next.date),
            Cell::word(next.template),
            Cell::text(&upcoming.number),
            Cell::text(name.unwrap_or_default()),
            output::date(upcoming.due_date),
            output::money(upcoming.open.as_ref())?,
        ]);
    }
    let columns = match lang {
        Language::En => &REMINDERS_EN,
        Language::Fr => &REMINDERS_FR,
    };
    let mut out = heading(lang.say("The next reminders", "Les prochaines relances"));
    out += &render_within(&table(columns, rows, Vec::new()), line_width(), lang);
    let count = Cell::Count(answer.reminders.len() as u64).shown(lang);
    let text =
        lang.say("invoices will be reminded of in 30 days", "factures à relancer en 30 jours");
    out += &paragraph(&format!("{count} {text}"), Paint::Dim);
    Ok(out)
}

const ACTIVITY: [Column; 5] = [
    Column::right("position").spare(1),
    Column::left("date"),
    Column::left("event"),
    Column::right("EUR").spare(2),
    Column::left("detail"),
];

/// Everything that happened to an invoice.
pub(super) async fn invoice(api: &Api, lang: Language, id: &str) -> Outcome<String> {
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
        row.truncate(ACTIVITY.len());
        rows.push(row);
    }
    let title = lang.say("The life of invoice", "La vie de la facture");
    let why = lang.say(": a direct debit that bounced", "\u{a0}: un prélèvement rejeté");
    let mut out = heading(&format!("{title} {}{why}", invoice.number));
    out += &render_within(&table(&ACTIVITY, rows, Vec::new()), line_width(), lang);
    Ok(out)
}
