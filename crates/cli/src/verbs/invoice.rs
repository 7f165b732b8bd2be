//! `encours invoice list|show|issue`.

use clap::{Args, Subcommand, ValueEnum};
use encours_domain::Day;
use encours_proto::v1;

use super::{LedgerArgs, WriteArgs, activity, amount, currency, day, written};
use crate::client::{Client, PAGE};
use crate::failure::Outcome;
use crate::output::{self, Cell, Column, Format, Printer};

#[derive(Subcommand, Debug)]
pub(crate) enum InvoiceVerb {
    /// The invoices of a ledger
    List(ListArgs),
    /// One invoice and everything that happened to it
    Show(ShowArgs),
    /// Issues an invoice
    Issue(IssueArgs),
}

#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    target: LedgerArgs,
    /// Only those of this customer
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    customer: String,
    /// Only those of this status
    #[arg(long, value_enum)]
    status: Vec<Status>,
}

/// The headline status of an invoice.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Status {
    Cancelled,
    Paid,
    Overdue,
    PartiallyPaid,
    NotDue,
}

impl From<Status> for v1::InvoiceStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Cancelled => Self::Cancelled,
            Status::Paid => Self::Paid,
            Status::Overdue => Self::Overdue,
            Status::PartiallyPaid => Self::PartiallyPaid,
            Status::NotDue => Self::NotDue,
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct ShowArgs {
    /// The invoice: its id, or with --by-number its number
    #[arg(value_name = "INVOICE")]
    invoice: String,
    /// Looks for the number of the document
    #[arg(long)]
    by_number: bool,
    #[command(flatten)]
    target: LedgerArgs,
}

#[derive(Args, Debug)]
pub(crate) struct IssueArgs {
    #[command(flatten)]
    target: LedgerArgs,
    /// The customer that owes it
    #[arg(long, value_name = "ID")]
    customer: String,
    /// What is claimed, tax included, such as 1200.00 or "1200.00 USD"
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    total: String,
    /// Id of the new invoice; assigned where left out
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    invoice: String,
    /// Its number; allotted by the ledger's series where left out
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    number: String,
    /// The issue date; the ledger's today where left out
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    date: Option<Day>,
    /// The due date; by the customer's terms where left out
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    due: Option<Day>,
    /// Notes it as sent on its issue date too
    #[arg(long)]
    sent: bool,
    #[command(flatten)]
    write: WriteArgs,
}

const COLUMNS: [Column; 12] = [
    Column::left("invoice_id"),
    Column::left("number"),
    Column::left("customer_id"),
    Column::left("currency"),
    Column::left("issue_date"),
    Column::left("due_date"),
    Column::right("total"),
    Column::right("open"),
    Column::left("status"),
    Column::right("reminder_level"),
    Column::left("next_step"),
    Column::left("next_step_date"),
];

fn row(invoice: &v1::Invoice) -> Outcome<Vec<Cell>> {
    let currency = invoice.total.as_ref().map(|total| total.currency_code.as_str());
    Ok(vec![
        Cell::text(&invoice.invoice_id),
        Cell::text(&invoice.number),
        Cell::text(&invoice.customer_id),
        Cell::text(currency.unwrap_or_default()),
        output::date(invoice.issue_date),
        output::date(invoice.due_date),
        output::money(invoice.total.as_ref())?,
        output::money(invoice.open.as_ref())?,
        Cell::Status(output::word(invoice.status().as_str_name(), "INVOICE_STATUS_")),
        // Nothing has been reminded of: no invoice has a level or a next step.
        Cell::Count(0),
        Cell::Empty,
        Cell::Empty,
    ])
}

pub(crate) async fn run(verb: &InvoiceVerb) -> Outcome {
    match verb {
        InvoiceVerb::List(args) => list(args).await,
        InvoiceVerb::Show(args) => show(args).await,
        InvoiceVerb::Issue(args) => issue(args).await,
    }
}

async fn list(args: &ListArgs) -> Outcome {
    let LedgerArgs { ledger, common } = &args.target;
    let client = Client::connect(&common.server).await?;
    let statuses = args.status.iter().map(|status| v1::InvoiceStatus::from(*status).into());
    let mut request = v1::ListInvoicesRequest {
        ledger_id: ledger.clone(),
        filter: Some(v1::InvoiceFilter {
            customer_id: args.customer.clone(),
            statuses: statuses.collect(),
            ..Default::default()
        }),
        page_size: PAGE,
        page_token: String::new(),
        min_position: client.head().await?.position,
    };
    let mut printer = Printer::start(common.output, "invoices", &COLUMNS)?;
    let mut invoices = 0;
    loop {
        let page = client.invoices().list_invoices(request.clone()).await?.into_inner();
        for invoice in &page.invoices {
            invoices += 1;
            printer.row(row(invoice)?)?;
        }
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            printer.fact("count", Cell::Count(invoices));
            printer.fact("position", Cell::Count(page.position));
            return printer.finish();
        }
    }
}

async fn show(args: &ShowArgs) -> Outcome {
    use v1::get_invoice_request::Invoice;
    let LedgerArgs { ledger, common } = &args.target;
    let client = Client::connect(&common.server).await?;
    let min_position = client.head().await?.position;
    let name = args.invoice.clone();
    let request = v1::GetInvoiceRequest {
        ledger_id: ledger.clone(),
        invoice: Some(if args.by_number {
            Invoice::Number(name)
        } else {
            Invoice::InvoiceId(name)
        }),
        view: v1::InvoiceView::Full.into(),
        min_position,
    };
    let answer = client.invoices().get_invoice(request).await?.into_inner();
    let invoice = answer.invoice.unwrap_or_default();
    if common.output == Format::Csv {
        let mut printer = Printer::start(common.output, "invoice", &COLUMNS)?;
        printer.row(row(&invoice)?)?;
        return printer.finish();
    }
    let mut printer = Printer::start(common.output, "activity", &activity::COLUMNS)?;
    printer.facts_first();
    for (column, cell) in COLUMNS.iter().zip(row(&invoice)?) {
        if cell != Cell::Empty {
            printer.fact(column.name, cell);
        }
    }
    let facets = invoice.facets.unwrap_or_default();
    printer.fact("settlement", word(facets.settlement().as_str_name(), "SETTLEMENT_STATE_"));
    printer.fact("timing", word(facets.timing().as_str_name(), "TIMING_STATE_"));
    printer.fact("disputed", Cell::text(if facets.disputed { "yes" } else { "no" }));
    printer.fact("sent_on", output::date(invoice.sent_on));
    printer.fact("credited", output::money(invoice.credited.as_ref())?);
    printer.fact("reference", Cell::text(&invoice.reference));
    if let Some(content) = &invoice.content {
        for (name, text) in [("purchase_order", &content.purchase_order), ("text", &content.text)] {
            if !text.is_empty() {
                printer.fact(name, Cell::text(text));
            }
        }
    }
    printer.fact("version", Cell::Count(invoice.version));
    let mut request = v1::ListInvoiceActivityRequest {
        ledger_id: ledger.clone(),
        invoice_id: invoice.invoice_id.clone(),
        page_size: PAGE,
        page_token: String::new(),
        min_position,
    };
    loop {
        let page = client.invoices().list_invoice_activity(request.clone()).await?.into_inner();
        for event in &page.events {
            printer.row(activity::row(event)?)?;
        }
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return printer.finish();
        }
    }
}

fn word(name: &str, prefix: &str) -> Cell {
    Cell::text(output::word(name, prefix))
}

async fn issue(args: &IssueArgs) -> Outcome {
    let LedgerArgs { ledger, common } = &args.target;
    let client = Client::connect(&common.server).await?;
    let default = currency(&client, ledger, &args.customer).await?;
    let WriteArgs { request_id, validate_only, reason } = args.write.clone();
    let request = v1::IssueInvoiceRequest {
        ledger_id: ledger.clone(),
        request_id,
        validate_only,
        reason,
        invoice_id: args.invoice.clone(),
        customer_id: args.customer.clone(),
        number: args.number.clone(),
        issue_date: args.date.map(output::day),
        due: args.due.map(|due| v1::issue_invoice_request::Due::DueDate(output::day(due))),
        total: Some(amount("--total", &args.total, &default)?),
        ..Default::default()
    };
    let answer = client.invoices().issue_invoice(request).await?.into_inner();
    let mut invoice = answer.invoice.unwrap_or_default();
    let mut position = answer.position;
    if args.sent && !validate_only && !answer.repeat {
        let request = v1::MarkSentRequest {
            ledger_id: ledger.clone(),
            invoice_id: invoice.invoice_id.clone(),
            date: invoice.issue_date,
            ..Default::default()
        };
        let sent = client.invoices().mark_sent(request).await?.into_inner();
        invoice = sent.invoice.unwrap_or(invoice);
        position = sent.position;
    }
    let mut printer = Printer::start(common.output, "invoice", &COLUMNS)?;
    printer.row(row(&invoice)?)?;
    for (name, value) in written(position, answer.repeat, validate_only) {
        printer.fact(name, value);
    }
    printer.finish()
}
