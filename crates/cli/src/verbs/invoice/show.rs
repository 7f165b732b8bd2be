//! `encours invoice show|activity`, and the same of drafts and opening items: one with everything.

use clap::Args;
use encours_proto::v1;

use super::super::{LedgerArgs, activity, filters};
use super::said::line_text;
use super::{COLUMNS, labelled, over_limit, planned, row};
use crate::client::{Client, PAGE};
use crate::failure::Outcome;
use crate::output::{self, Cell, Format, Printer};

#[derive(Args, Debug)]
pub(crate) struct ShowArgs {
    /// Which one: its id, or with --by-number its number
    #[arg(value_name = "INVOICE")]
    invoice: String,
    /// Looks for the number of the document
    #[arg(long)]
    by_number: bool,
    /// Shows the status in the words of this label set: libeo or clicfacture
    #[arg(long, value_name = "SET", value_parser = filters::invoice_labels)]
    labels: Option<String>,
    #[command(flatten)]
    target: LedgerArgs,
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

pub(crate) async fn show(args: &ShowArgs) -> Outcome {
    let common = &args.target.common;
    let client = Client::connect(&common.server).await?;
    let min_position = client.position(&args.target.ledger).await?;
    let invoice = get(&client, args, min_position).await?;
    let row = labelled(row(&invoice)?, &invoice, args.labels.as_deref());
    if common.output.format == Format::Csv {
        let mut printer = Printer::start(common.output, "invoice", COLUMNS)?;
        printer.row(row)?;
        return printer.finish();
    }
    let mut printer = Printer::start(common.output, "activity", &activity::COLUMNS)?;
    printer.facts_first();
    printer.facts(COLUMNS, row);
    facets(&mut printer, &invoice);
    amounts(&mut printer, &invoice)?;
    said(&mut printer, &invoice);
    printer.fact("version", Cell::Count(invoice.version));
    add_activity(&mut printer, &client, &invoice, min_position).await?;
    printer.finish()
}

/// What the status is derived from.
fn facets(printer: &mut Printer, invoice: &v1::Invoice) {
    let facets = invoice.facets.unwrap_or_default();
    if invoice.kind() > v1::InvoiceKind::Invoice {
        printer.fact("kind", word(invoice.kind().as_str_name(), "INVOICE_KIND_"));
    }
    if invoice.deleted {
        printer.fact("deleted", Cell::word("yes"));
    }
    printer.fact("settlement", word(facets.settlement().as_str_name(), "SETTLEMENT_STATE_"));
    printer.fact("timing", word(facets.timing().as_str_name(), "TIMING_STATE_"));
    printer.fact("disputed", Cell::word(if facets.disputed { "yes" } else { "no" }));
    printer.fact("dunning", word(facets.dunning().as_str_name(), "DUNNING_STATE_"));
    printer.fact("sent_on", output::date(invoice.sent_on));
    if let Some(last) = &invoice.last_reminder {
        printer.fact("last_step", Cell::word(&last.template));
        printer.fact("last_step_date", output::date(last.date));
    }
}

/// What else there is in money, where it is not zero.
fn amounts(printer: &mut Printer, invoice: &v1::Invoice) -> Outcome {
    printer.fact("credited", output::money(invoice.credited.as_ref())?);
    let some = |money: &&v1::Money| (money.units, money.nanos) != (0, 0);
    let paid_before = output::money(invoice.paid_before.as_ref().filter(some))?;
    let unapplied = output::money(invoice.unapplied.as_ref().filter(some))?;
    if paid_before != Cell::Empty {
        printer.fact("paid_before", paid_before);
    }
    if unapplied != Cell::Empty {
        printer.fact("unapplied", unapplied);
    }
    for (name, value) in over_limit(invoice)?.into_iter().chain(planned(invoice)?) {
        printer.fact(name, value);
    }
    Ok(())
}

/// What it carries along.
fn said(printer: &mut Printer, invoice: &v1::Invoice) {
    printer.fact("reference", Cell::text(&invoice.reference));
    if let Some(content) = &invoice.content {
        for (name, text) in [("purchase_order", &content.purchase_order), ("text", &content.text)] {
            if !text.is_empty() {
                printer.fact(name, Cell::text(text));
            }
        }
        if !content.lines.is_empty() {
            let lines: Vec<String> = content.lines.iter().map(line_text).collect();
            printer.fact("lines", Cell::text(lines.join("; ")));
        }
        if !content.metadata.is_empty() {
            let pairs = content.metadata.iter().map(|(key, value)| format!("{key}={value}"));
            printer.fact("metadata", Cell::text(pairs.collect::<Vec<_>>().join("; ")));
        }
    }
    let wanted = invoice.draft.as_ref().map(|draft| draft.number.as_str()).unwrap_or_default();
    if !wanted.is_empty() {
        printer.fact("number_wanted", Cell::text(wanted));
    }
}

pub(crate) async fn activity_of(args: &ShowArgs) -> Outcome {
    let common = &args.target.common;
    let client = Client::connect(&common.server).await?;
    let min_position = client.position(&args.target.ledger).await?;
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
