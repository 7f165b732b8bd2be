//! `encours invoice list|show|activity|issue|send|cancel|dispute|resolve`.

mod change;
mod issue;

use clap::{Args, Subcommand, ValueEnum};
use encours_proto::v1;

use super::{LedgerArgs, activity, pages};
use crate::client::{Client, PAGE};
use crate::failure::Outcome;
use crate::output::{self, Cell, Column, Format, Printer};
use change::{CancelArgs, DatedArgs};
use issue::{ISSUE_EXAMPLES, IssueArgs};

#[derive(Subcommand, Debug)]
pub(crate) enum InvoiceVerb {
    /// The invoices of a ledger
    #[command(after_help = "Examples:\n  encours invoice list --ledger acme --status overdue")]
    List(ListArgs),
    /// One invoice and everything that happened to it
    #[command(
        after_help = "Examples:\n  encours invoice show INV-2026-00001 --by-number --ledger acme"
    )]
    Show(ShowArgs),
    /// Everything that happened to an invoice: who did what when, and why
    #[command(after_help = "Examples:\n  encours invoice activity F-1 --ledger acme --output csv")]
    Activity(ShowArgs),
    /// Issues an invoice
    #[command(after_help = ISSUE_EXAMPLES)]
    Issue(IssueArgs),
    /// Notes the day on which an invoice went out
    #[command(after_help = "Examples:\n  encours invoice send F-1 --ledger acme --date 2026-01-05")]
    Send(DatedArgs),
    /// Cancels an invoice by a credit note over all that is still creditable
    #[command(after_help = CANCEL_EXAMPLE)]
    Cancel(CancelArgs),
    /// Notes that the customer contests an invoice
    #[command(after_help = DISPUTE_EXAMPLE)]
    Dispute(DatedArgs),
    /// Ends a dispute
    #[command(after_help = "Examples:\n  encours invoice resolve F-1 --ledger acme")]
    Resolve(DatedArgs),
}

const CANCEL_EXAMPLE: &str = "\
Examples:
  encours invoice cancel F-1 --ledger acme --keep-unapplied --reason \"billed twice\"";

const DISPUTE_EXAMPLE: &str = "\
Examples:
  encours invoice dispute F-1 --ledger acme --reason \"two boxes missing\"";

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
    /// Only those with something open
    #[arg(long)]
    open: bool,
    /// Only those that are contested
    #[arg(long)]
    disputed: bool,
    /// Only those that were overdue at some time
    #[arg(long)]
    ever_overdue: bool,
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

pub(super) const COLUMNS: [Column; 12] = [
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

pub(super) fn row(invoice: &v1::Invoice) -> Outcome<Vec<Cell>> {
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
        InvoiceVerb::Activity(args) => activity_of(args).await,
        InvoiceVerb::Issue(args) => issue::issue(args).await,
        InvoiceVerb::Send(args) => change::send(args).await,
        InvoiceVerb::Cancel(args) => change::cancel(args).await,
        InvoiceVerb::Dispute(args) => change::dispute(args).await,
        InvoiceVerb::Resolve(args) => change::resolve(args).await,
    }
}

async fn list(args: &ListArgs) -> Outcome {
    let LedgerArgs { ledger, common } = &args.target;
    let client = Client::connect(&common.server).await?;
    let statuses = args.status.iter().map(|status| v1::InvoiceStatus::from(*status).into());
    let request = v1::ListInvoicesRequest {
        ledger_id: ledger.clone(),
        filter: Some(v1::InvoiceFilter {
            customer_id: args.customer.clone(),
            statuses: statuses.collect(),
            open: args.open.then_some(true),
            disputed: args.disputed.then_some(true),
            ever_overdue: args.ever_overdue.then_some(true),
            ..Default::default()
        }),
        page_size: PAGE,
        min_position: client.head().await?.position,
        ..Default::default()
    };
    let rows = |invoice: &v1::Invoice| Ok(vec![row(invoice)?]);
    pages::list(common.output, "invoices", &COLUMNS, rows, async |page_token| {
        let request = v1::ListInvoicesRequest { page_token, ..request.clone() };
        client.invoices().list_invoices(request).await
    })
    .await
}

/// The invoice that a command names, with all it carries.
async fn get(client: &Client, args: &ShowArgs, min_position: u64) -> Outcome<v1::Invoice> {
    use v1::get_invoice_request::Invoice;
    let name = args.invoice.clone();
    let request = v1::GetInvoiceRequest {
        ledger_id: args.target.ledger.clone(),
        invoice: Some(if args.by_number {
            Invoice::Number(name)
        } else {
            Invoice::InvoiceId(name)
        }),
        view: v1::InvoiceView::Full.into(),
        min_position,
    };
    Ok(client.invoices().get_invoice(request).await?.into_inner().invoice.unwrap_or_default())
}

async fn show(args: &ShowArgs) -> Outcome {
    let common = &args.target.common;
    let client = Client::connect(&common.server).await?;
    let min_position = client.head().await?.position;
    let invoice = get(&client, args, min_position).await?;
    if common.output.format == Format::Csv {
        let mut printer = Printer::start(common.output, "invoice", &COLUMNS)?;
        printer.row(row(&invoice)?)?;
        return printer.finish();
    }
    let mut printer = Printer::start(common.output, "activity", &activity::COLUMNS)?;
    printer.facts_first();
    printer.facts(&COLUMNS, row(&invoice)?);
    let facets = invoice.facets.unwrap_or_default();
    printer.fact("settlement", word(facets.settlement().as_str_name(), "SETTLEMENT_STATE_"));
    printer.fact("timing", word(facets.timing().as_str_name(), "TIMING_STATE_"));
    printer.fact("disputed", Cell::word(if facets.disputed { "yes" } else { "no" }));
    printer.fact("sent_on", output::date(invoice.sent_on));
    printer.fact("credited", output::money(invoice.credited.as_ref())?);
    printer.fact("reference", Cell::text(&invoice.reference));
    if let Some(content) = &invoice.content {
        for (name, text) in [("purchase_order", &content.purchase_order), ("text", &content.text)] {
            if !text.is_empty() {
                printer.fact(name, Cell::text(text));
            }
        }
        if !content.lines.is_empty() {
            let lines: Vec<String> = content.lines.iter().map(issue::line_text).collect();
            printer.fact("lines", Cell::text(lines.join("; ")));
        }
        if !content.metadata.is_empty() {
            let pairs = content.metadata.iter().map(|(key, value)| format!("{key}={value}"));
            printer.fact("metadata", Cell::text(pairs.collect::<Vec<_>>().join("; ")));
        }
    }
    printer.fact("version", Cell::Count(invoice.version));
    add_activity(&mut printer, &client, &invoice, min_position).await?;
    printer.finish()
}

async fn activity_of(args: &ShowArgs) -> Outcome {
    let common = &args.target.common;
    let client = Client::connect(&common.server).await?;
    let min_position = client.head().await?.position;
    let invoice = get(&client, args, min_position).await?;
    let mut printer = Printer::start(common.output, "activity", &activity::COLUMNS)?;
    add_activity(&mut printer, &client, &invoice, min_position).await?;
    printer.finish()
}

/// Prints every event about an invoice.
async fn add_activity(
    printer: &mut Printer,
    client: &Client,
    invoice: &v1::Invoice,
    min_position: u64,
) -> Outcome {
    let mut request = v1::ListInvoiceActivityRequest {
        ledger_id: invoice.ledger_id.clone(),
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
            return Ok(());
        }
    }
}

fn word(name: &str, prefix: &str) -> Cell {
    Cell::word(output::word(name, prefix))
}
