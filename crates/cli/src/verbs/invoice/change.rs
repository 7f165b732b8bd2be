//! `encours invoice send|cancel|dispute|resolve`: what happens to an invoice that is there.

use clap::Args;
use encours_domain::Day;
use encours_proto::v1;

use super::super::pages::{self, Written};
use super::super::{ChangeArgs, LedgerArgs, WriteArgs, day};
use super::{COLUMNS, row};
use crate::client::Client;
use crate::failure::Outcome;
use crate::output::{self, Cell};

/// A dated change of one invoice.
#[derive(Args, Debug)]
pub(crate) struct DatedArgs {
    /// The invoice
    #[arg(value_name = "INVOICE")]
    invoice: String,
    #[command(flatten)]
    target: LedgerArgs,
    /// The day; the ledger's today where left out
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    date: Option<Day>,
    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Args, Debug)]
pub(crate) struct CancelArgs {
    #[command(flatten)]
    dated: DatedArgs,
    /// Payments come off the invoice and stay with the customer; without this an invoice with
    /// payments is not cancelled
    #[arg(long)]
    keep_unapplied: bool,
    /// Id of the credit note; assigned where left out
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    credit_note: String,
    /// Number of the credit note; allotted by the ledger's series where left out
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    number: String,
}

/// Sends a dated change, which differs in its request and answer only.
macro_rules! change {
    ($args:expr, $request:ident, $method:ident { $($field:ident: $value:expr),* }) => {{
        let DatedArgs { invoice, target, date, change } = $args;
        let client = Client::connect(&target.common.server).await?;
        let WriteArgs { request_id, validate_only, reason } = change.write.clone();
        let request = v1::$request {
            ledger_id: target.ledger.clone(),
            request_id,
            expected_version: change.expected_version,
            validate_only,
            reason,
            invoice_id: invoice.clone(),
            date: date.map(output::day),
            $($field: $value,)*
        };
        let answer = client.write(client.invoices().$method(request)).await?;
        print($args, &answer.invoice.unwrap_or_default(), answer.position, answer.repeat)
    }};
}

pub(crate) async fn send(args: &DatedArgs) -> Outcome {
    change!(args, MarkSentRequest, mark_sent {})
}

pub(crate) async fn dispute(args: &DatedArgs) -> Outcome {
    change!(args, DisputeInvoiceRequest, dispute_invoice {})
}

pub(crate) async fn resolve(args: &DatedArgs) -> Outcome {
    change!(args, ResolveDisputeRequest, resolve_dispute {})
}

pub(crate) async fn cancel(args: &CancelArgs) -> Outcome {
    change!(
        &args.dated,
        CancelInvoiceRequest,
        cancel_invoice {
            credit_note_id: args.credit_note.clone(),
            number: args.number.clone(),
            keep_unapplied: args.keep_unapplied
        }
    )
}

fn print(args: &DatedArgs, invoice: &v1::Invoice, position: u64, repeat: bool) -> Outcome {
    let disputed = invoice.facets.is_some_and(|facets| facets.disputed);
    let mut more = vec![("disputed", Cell::word(if disputed { "yes" } else { "no" }))];
    if invoice.sent_on.is_some() {
        more.push(("sent_on", output::date(invoice.sent_on)));
    }
    let (version, validate_only) = (invoice.version, args.change.write.validate_only);
    let done = Written { version, position, repeat, validate_only };
    let (how, rows) = (args.target.common.output, vec![row(invoice)?]);
    pages::written(how, "invoice", &COLUMNS, rows, more, &done)
}
