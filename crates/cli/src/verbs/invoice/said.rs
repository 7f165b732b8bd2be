//! What an invoice is to say: the flags that `invoice issue` and `draft create|update` share.

use clap::Args;
use encours_domain::Day;
use encours_proto::v1;

use super::super::{TermsArgs, amount, currency, day};
use crate::client::Client;
use crate::failure::Outcome;

#[derive(Args, Clone, Debug)]
pub(crate) struct SaidArgs {
    /// The customer that owes it
    #[arg(long, value_name = "ID")]
    pub(crate) customer: String,
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
    pub(crate) line: Vec<v1::InvoiceLine>,
    /// A pair of the caller's own; may be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) metadata: Vec<(String, String)>,
    /// Its number; allotted by the ledger's series where left out
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) number: String,
    /// The issue date; the day on which it is issued where left out
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    pub(crate) date: Option<Day>,
    /// The due date; by the customer's terms where left out
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day,
          conflicts_with_all = ["net_days", "on_receipt"])]
    pub(crate) due: Option<Day>,
    #[command(flatten)]
    terms: TermsArgs,
    /// ISO 11649 creditor reference; made from the number where left out
    #[arg(long, value_name = "RF...", default_value = "", hide_default_value = true)]
    pub(crate) reference: String,
    /// The customer's purchase-order number
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) purchase_order: String,
    /// Free text
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) text: String,
}

impl SaidArgs {
    /// What is claimed, in the customer's currency where none is named.
    pub(crate) async fn total(&self, client: &Client, ledger: &str) -> Outcome<Option<v1::Money>> {
        let currency_code = currency(client, ledger, &self.customer).await?;
        self.total.as_ref().map(|total| amount("--total", total, &currency_code)).transpose()
    }

    /// The terms, where it says some.
    pub(crate) fn terms(&self) -> Option<v1::Terms> {
        self.terms.terms()
    }
}

/// A request that says what an invoice is to be; what else it takes is left out.
macro_rules! said {
    ($request:ident, $due:ident, $said:expr, $total:expr) => {{
        let said: &SaidArgs = $said;
        let date = said.due.map(|due| v1::$due::Due::DueDate(crate::output::day(due)));
        v1::$request {
            customer_id: said.customer.clone(),
            number: said.number.clone(),
            issue_date: said.date.map(crate::output::day),
            due: date.or(said.terms().map(v1::$due::Due::Terms)),
            reference: said.reference.clone(),
            purchase_order: said.purchase_order.clone(),
            text: said.text.clone(),
            total: $total,
            lines: said.line.clone(),
            metadata: said.metadata.iter().cloned().collect(),
            ..Default::default()
        }
    }};
}
pub(crate) use said;

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
