//! `encours invoice issue`.

use clap::Args;
use encours_domain::Day;
use encours_proto::v1;

use super::super::pages::{self, Written};
use super::super::{LedgerArgs, TermsArgs, WriteArgs, amount, currency, day};
use super::{COLUMNS, row};
use crate::client::Client;
use crate::failure::Outcome;
use crate::output;

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
    /// The customer that owes it
    #[arg(long, value_name = "ID")]
    customer: String,
    /// What is claimed, tax included, such as 1200.00 or "1200.00 USD"
    #[arg(
        long,
        value_name = "AMOUNT",
        allow_hyphen_values = true,
        required_unless_present = "line"
    )]
    total: Option<String>,
    /// A line: what is sold, how many, the price of one without tax, the tax rate in percent; may be
    /// given several times. They must add up to --total, or say it where that is left out
    #[arg(long, value_name = "WHAT;QUANTITY;PRICE[;TAX]", value_parser = line)]
    line: Vec<v1::InvoiceLine>,
    /// A pair of the caller's own; may be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    metadata: Vec<(String, String)>,
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
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day,
          conflicts_with_all = ["net_days", "on_receipt"])]
    due: Option<Day>,
    #[command(flatten)]
    terms: TermsArgs,
    /// ISO 11649 creditor reference; made from the number where left out
    #[arg(long, value_name = "RF...", default_value = "", hide_default_value = true)]
    reference: String,
    /// The customer's purchase-order number
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    purchase_order: String,
    /// Free text
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    text: String,
    /// Notes it as sent on its issue date too
    #[arg(long)]
    sent: bool,
    #[command(flatten)]
    write: WriteArgs,
}

/// A line, as on the command line; whether its numbers are some, the server says.
fn line(text: &str) -> Result<v1::InvoiceLine, String> {
    let parts: Vec<&str> = text.split(';').map(str::trim).collect();
    let (description, quantity, unit_price, tax_rate) = match parts.as_slice() {
        [what, quantity, price] => (what, quantity, price, &""),
        [what, quantity, price, tax] => (what, quantity, price, tax),
        _ => return Err("give WHAT;QUANTITY;PRICE, or WHAT;QUANTITY;PRICE;TAX".to_owned()),
    };
    Ok(v1::InvoiceLine {
        description: (*description).to_owned(),
        quantity: (*quantity).to_owned(),
        unit_price: (*unit_price).to_owned(),
        amount: None,
        tax_rate: (*tax_rate).to_owned(),
    })
}

/// A line for people, such as `4 x Chairs at 59.90, 20% tax`.
pub(super) fn line_text(line: &v1::InvoiceLine) -> String {
    let mut text = line.description.clone();
    if !line.quantity.is_empty() {
        text = format!("{} x {text}", line.quantity);
    }
    if !line.unit_price.is_empty() {
        text = format!("{text} at {}", line.unit_price);
    }
    if !line.tax_rate.is_empty() {
        text = format!("{text}, {}% tax", line.tax_rate);
    }
    text
}

/// A pair, as on the command line.
fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("give KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Issues an invoice, and notes it as sent where asked.
pub(super) async fn issue(args: &IssueArgs) -> Outcome {
    use v1::issue_invoice_request::Due;
    let LedgerArgs { ledger, common } = &args.target;
    let client = Client::connect(&common.server).await?;
    let currency_code = currency(&client, ledger, &args.customer).await?;
    let total = args.total.as_ref().map(|total| amount("--total", total, &currency_code));
    let WriteArgs { request_id, validate_only, reason } = args.write.clone();
    let date = args.due.map(|due| Due::DueDate(output::day(due)));
    let request = v1::IssueInvoiceRequest {
        ledger_id: ledger.clone(),
        request_id,
        validate_only,
        reason,
        invoice_id: args.invoice.clone(),
        customer_id: args.customer.clone(),
        number: args.number.clone(),
        issue_date: args.date.map(output::day),
        due: date.or(args.terms.terms().map(Due::Terms)),
        reference: args.reference.clone(),
        purchase_order: args.purchase_order.clone(),
        text: args.text.clone(),
        total: total.transpose()?,
        lines: args.line.clone(),
        metadata: args.metadata.iter().cloned().collect(),
        ..Default::default()
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
    pages::written(common.output, "invoice", &COLUMNS, rows, Vec::new(), &done)
}
