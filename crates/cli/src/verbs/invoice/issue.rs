//! `encours invoice issue`.

use clap::Args;
use encours_proto::v1;

use super::super::pages::{self, Written};
use super::super::{LedgerArgs, WriteArgs};
use super::said::{SaidArgs, said};
use super::{COLUMNS, row};
use crate::client::Client;
use crate::failure::Outcome;

pub(super) const ISSUE_EXAMPLES: &str = "\
Examples:
  encours invoice issue --ledger acme --customer dupont --invoice F-1 --total 1200.00 \\
    --net-days 45 --request-id order-4711
  encours invoice issue --ledger acme --customer dupont --line \"Chairs;4;59.90;20\" \\
    --line \"Delivery;1;25;20\" --metadata order=4711";

#[derive(Args, Debug)]
pub(crate) struct IssueArgs {
    #[command(flatten)]
    target: LedgerArgs,
    #[command(flatten)]
    said: SaidArgs,
    /// Id of the new invoice; assigned where left out
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    invoice: String,
    /// Notes it as sent on its issue date too
    #[arg(long)]
    sent: bool,
    /// Issues it though the customer's credit limit would refuse it; the log says so
    #[arg(long)]
    override_credit_limit: bool,
    #[command(flatten)]
    write: WriteArgs,
}

/// Issues an invoice, and notes it as sent where asked.
pub(super) async fn issue(args: &IssueArgs) -> Outcome {
    let LedgerArgs { ledger, common } = &args.target;
    let client = Client::connect(&common.server).await?;
    let total = args.said.total(&client, ledger).await?;
    let WriteArgs { request_id, validate_only, reason } = args.write.clone();
    let request = v1::IssueInvoiceRequest {
        ledger_id: ledger.clone(),
        request_id,
        validate_only,
        reason,
        invoice_id: args.invoice.clone(),
        override_credit_limit: args.override_credit_limit,
        ..said!(IssueInvoiceRequest, issue_invoice_request, &args.said, total)
    };
    let answer = client.write(client.invoices().issue_invoice(request)).await?;
    let mut invoice = answer.invoice.unwrap_or_default();
    let mut position = answer.position;
    // Also after a first try that was cut off between the two.
    if args.sent && !validate_only && invoice.sent_on.is_none() {
        let request = v1::MarkSentRequest {
            ledger_id: ledger.clone(),
            invoice_id: invoice.invoice_id.clone(),
            date: invoice.issue_date,
            ..Default::default()
        };
        let sent = client.write(client.invoices().mark_sent(request)).await?;
        invoice = sent.invoice.unwrap_or(invoice);
        position = sent.position;
    }
    let done = Written { version: invoice.version, position, repeat: answer.repeat, validate_only };
    let rows = vec![row(&invoice)?];
    let more = super::over_limit(&invoice)?;
    pages::written(common.output, "invoice", COLUMNS, rows, more, &done)
}
