//! `encours invoice`: the claims of a ledger and what happens to them.

mod change;
mod issue;
pub(super) mod said;
mod show;

use clap::{Args, Subcommand};
use encours_proto::v1;

use super::filters::{self, InvoiceFilterArgs, OrderArgs};
use super::{LedgerArgs, pages, reminder};
use crate::client::{Client, PAGE};
use crate::failure::Outcome;
use crate::output::{self, Cell, Column};
use change::{CancelArgs, DatedArgs, PlainArgs, PlanArgs, RemindArgs};
use issue::{ISSUE_EXAMPLES, IssueArgs};
pub(super) use show::{ShowArgs, show};

#[derive(Subcommand, Debug)]
pub(crate) enum InvoiceVerb {
    /// The invoices, drafts and opening items of a ledger
    #[command(after_help = LIST_EXAMPLES)]
    List(Box<ListArgs>),
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
    Issue(Box<IssueArgs>),
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
    /// Notes when the customer will pay; replaces what was planned before
    #[command(after_help = PLAN_EXAMPLE)]
    PlanPayment(PlanArgs),
    /// Takes a planned payment back
    #[command(after_help = "Examples:\n  encours invoice cancel-planned-payment F-1 --ledger acme")]
    CancelPlannedPayment(PlainArgs),
    /// The whole plan of reminders: what went out, what a person did, what is to come
    #[command(after_help = "Examples:\n  encours invoice reminders F-1 --ledger acme")]
    Reminders(reminder::PlanArgs),
    /// Notes a reminder that a person made
    #[command(after_help = REMIND_EXAMPLE)]
    RecordReminder(RemindArgs),
    /// Ends the reminders of an invoice, for good
    #[command(after_help = STOP_EXAMPLE)]
    StopReminders(PlainArgs),
}

const LIST_EXAMPLES: &str = "\
Examples:
  encours invoice list --ledger acme --status overdue --order \"due_date\"
  encours invoice list --ledger acme --due 2026-01-01..2026-01-31 --open 100..500
  encours invoice list --ledger acme --label libeo:planifié --labels libeo --text \"dupont chairs\"";

const CANCEL_EXAMPLE: &str = "\
Examples:
  encours invoice cancel F-1 --ledger acme --keep-unapplied --reason \"billed twice\"";

const DISPUTE_EXAMPLE: &str = "\
Examples:
  encours invoice dispute F-1 --ledger acme --reason \"two boxes missing\"";

const PLAN_EXAMPLE: &str = "\
Examples:
  encours invoice plan-payment F-1 --ledger acme --date 2026-02-10 --amount 300.00";

const REMIND_EXAMPLE: &str = "\
Examples:
  encours invoice record-reminder F-1 --ledger acme --level 2 --channel phone \\
    --text \"promised for Friday\"";

const STOP_EXAMPLE: &str = "\
Examples:
  encours invoice stop-reminders F-1 --ledger acme --reason \"handed to the lawyer\"";

#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    target: LedgerArgs,
    #[command(flatten)]
    filter: InvoiceFilterArgs,
    #[command(flatten)]
    order: OrderArgs,
    /// Shows the status in the words of this label set: libeo or clicfacture
    #[arg(long, value_name = "SET", value_parser = filters::invoice_labels)]
    labels: Option<String>,
    /// Has columns for purchase order, free text, lines and metadata too
    #[arg(long)]
    full: bool,
}

/// The columns of invoices with what they carry along; a narrow table does without the spare ones.
const fn columns(invoice_id: Column, number: Column) -> [Column; 16] {
    [
        invoice_id,
        number,
        Column::left("customer_id"),
        Column::left("currency").spare_if_same(4),
        Column::left("issue_date").spare(5),
        Column::left("due_date"),
        Column::right("total"),
        Column::right("open"),
        Column::left("status"),
        Column::right("reminder_level").spare(3),
        Column::left("next_step").spare(3),
        Column::left("next_step_date").spare(3),
        Column::left("purchase_order").spare(2),
        Column::left("text").spare(1),
        Column::left("lines").spare(1),
        Column::left("metadata").spare(1),
    ]
}

const ID: Column = Column::left("invoice_id");
const NUMBER: Column = Column::left("number");

/// The columns of a list that shows all of the invoices.
const FULL: &[Column] = &columns(ID.spare(6), NUMBER);

/// The columns of a list of invoices: people know them by their numbers.
const LISTED: &[Column] = FULL.split_at(12).0;

/// The columns of drafts and of what a command has written: the next command takes the id.
pub(super) const COLUMNS: &[Column] = columns(ID, NUMBER.spare(6)).split_at(12).0;

pub(super) fn row(invoice: &v1::Invoice) -> Outcome<Vec<Cell>> {
    let currency = invoice.total.as_ref().map(|total| total.currency_code.as_str());
    let level = invoice.facets.unwrap_or_default().reminder_level;
    let next = invoice.next_reminder.as_ref();
    Ok(vec![
        Cell::text(&invoice.invoice_id),
        Cell::text(&invoice.number),
        Cell::text(&invoice.customer_id),
        Cell::text(currency.unwrap_or_default()),
        output::date(invoice.issue_date),
        output::date(invoice.due_date),
        output::money(invoice.total.as_ref())?,
        output::money(invoice.open.as_ref())?,
        Cell::Status(status(invoice)),
        Cell::Count(u64::try_from(level).unwrap_or_default()),
        next.map_or(Cell::Empty, |next| Cell::word(&next.template)),
        output::date(next.and_then(|next| next.date)),
    ])
}

fn status(invoice: &v1::Invoice) -> String {
    output::word(invoice.status().as_str_name(), "INVOICE_STATUS_")
}

/// A row whose status is in the words of a label set, where one is asked for.
fn labelled(mut row: Vec<Cell>, invoice: &v1::Invoice, set: Option<&str>) -> Vec<Cell> {
    let label = set.and_then(|set| invoice.labels.get(set)).cloned();
    for cell in &mut row {
        if let (Cell::Status(status), Some(label)) = (&*cell, &label) {
            *cell = Cell::Labelled(label.clone(), status.clone());
        }
    }
    row
}

/// What an invoice carries along, as the columns of the full view.
fn carried(invoice: &v1::Invoice) -> [Cell; 4] {
    let content = invoice.content.clone().unwrap_or_default();
    let lines: Vec<String> = content.lines.iter().map(said::line_text).collect();
    let mut pairs: Vec<String> =
        content.metadata.iter().map(|(key, value)| format!("{key}={value}")).collect();
    pairs.sort();
    [content.purchase_order, content.text, lines.join("; "), pairs.join("; ")].map(Cell::Text)
}

/// How far an invoice took its customer past the credit limit, where it did.
pub(super) fn over_limit(invoice: &v1::Invoice) -> Outcome<Vec<(&'static str, Cell)>> {
    let passed = |money: &&v1::Money| (money.units, money.nanos) > (0, 0);
    let Some(over) = invoice.over_limit.as_ref().filter(passed) else { return Ok(Vec::new()) };
    Ok(vec![("over_limit", output::money(Some(over))?)])
}

/// What is planned to be paid on an invoice, where something is.
fn planned(invoice: &v1::Invoice) -> Outcome<Vec<(&'static str, Cell)>> {
    let Some(plan) = &invoice.planned_payment else { return Ok(Vec::new()) };
    let amount = output::money(plan.amount.as_ref())?;
    let remaining = output::money(plan.remaining.as_ref())?;
    let mut facts = vec![("planned_date", output::date(plan.date)), ("planned_amount", amount)];
    if plan.remaining != plan.amount {
        facts.push(("planned_remaining", remaining));
    }
    Ok(facts)
}

pub(crate) async fn run(verb: &InvoiceVerb) -> Outcome {
    match verb {
        InvoiceVerb::List(args) => list(args).await,
        InvoiceVerb::Show(args) => show(args).await,
        InvoiceVerb::Activity(args) => show::activity_of(args).await,
        InvoiceVerb::Issue(args) => issue::issue(args).await,
        InvoiceVerb::Send(args) => change::send(args).await,
        InvoiceVerb::Cancel(args) => change::cancel(args).await,
        InvoiceVerb::Dispute(args) => change::dispute(args).await,
        InvoiceVerb::Resolve(args) => change::resolve(args).await,
        InvoiceVerb::PlanPayment(args) => change::plan(args).await,
        InvoiceVerb::CancelPlannedPayment(args) => change::cancel_plan(args).await,
        InvoiceVerb::Reminders(args) => reminder::plan(args).await,
        InvoiceVerb::RecordReminder(args) => change::record_reminder(args).await,
        InvoiceVerb::StopReminders(args) => change::stop_reminders(args).await,
    }
}

async fn list(args: &ListArgs) -> Outcome {
    let LedgerArgs { ledger, common } = &args.target;
    let client = Client::connect(&common.server).await?;
    let request = v1::ListInvoicesRequest {
        ledger_id: ledger.clone(),
        filter: Some(args.filter.filter(&client, ledger).await?),
        page_size: PAGE,
        min_position: client.position(ledger).await?,
        order_by: args.order.order.clone(),
        view: if args.full { v1::InvoiceView::Full } else { v1::InvoiceView::Basic }.into(),
        ..Default::default()
    };
    let columns = if args.full { FULL } else { LISTED };
    let rows = |invoice: &v1::Invoice| {
        let mut row = labelled(row(invoice)?, invoice, args.labels.as_deref());
        if args.full {
            row.extend(carried(invoice));
        }
        Ok(vec![row])
    };
    pages::list(common.output, "invoices", columns, rows, async |page_token| {
        let request = v1::ListInvoicesRequest { page_token, ..request.clone() };
        client.invoices().list_invoices(request).await
    })
    .await
}
