//! The client verbs: one file per thing they are about. All of them ask a server over gRPC.

pub(crate) mod activity;
pub(crate) mod ageing;
mod allocations;
mod checkpoint;
mod choices;
pub(crate) mod clock;
pub(crate) mod credit_note;
pub(crate) mod customer;
pub(crate) mod draft;
pub(crate) mod events;
pub(crate) mod export;
mod filters;
pub(crate) mod invoice;
pub(crate) mod ledger;
pub(crate) mod log;
mod log_copy;
pub(crate) mod opening_item;
mod pages;
pub(crate) mod payment;
mod prove;
mod ranges;
pub(crate) mod read_model;
pub(crate) mod reminder;

use chrono::NaiveDate;
use clap::Args;
use encours_domain::{Currency, Day, Money};
use encours_proto::v1;

use crate::client::{Client, ServerArgs};
use crate::failure::{Failure, Outcome};
use crate::output::{self, OutputArgs};

/// What every verb takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct VerbArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,

    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// What every verb about a ledger takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct LedgerArgs {
    /// The ledger
    #[arg(long, env = "ENCOURS_LEDGER", value_name = "ID")]
    pub(crate) ledger: String,

    #[command(flatten)]
    pub(crate) common: VerbArgs,
}

/// What every write takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct WriteArgs {
    /// Makes a repeat of this command recognisable
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    request_id: String,

    /// Answers as if it were done, and appends nothing
    #[arg(long = "dry-run", alias = "validate-only")]
    validate_only: bool,

    /// Why; kept with the fact
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,
}

/// What every write takes that changes something which is there.
#[derive(Args, Clone, Debug)]
pub(crate) struct ChangeArgs {
    /// Refused where its version is another by now; `show` and the answers of writes tell it
    #[arg(long, value_name = "VERSION")]
    expected_version: Option<u64>,

    #[command(flatten)]
    write: WriteArgs,
}

/// When something is due, counted from the issue date.
#[derive(Args, Clone, Debug)]
pub(crate) struct TermsArgs {
    /// Due this many days after the issue date
    #[arg(long, value_name = "DAYS", conflicts_with = "on_receipt")]
    net_days: Option<i32>,

    /// Days after the due date on which nothing is overdue yet
    #[arg(long, value_name = "DAYS", requires = "net_days")]
    grace_days: Option<i32>,

    /// Due on the issue date, with 3 days of grace
    #[arg(long)]
    on_receipt: bool,
}

impl TermsArgs {
    fn terms(&self) -> Option<v1::Terms> {
        use v1::terms::Terms;
        let grace_days = self.grace_days.unwrap_or_default();
        let net = |days| Terms::NetDays(v1::NetDays { days, grace_days });
        let terms = if self.on_receipt {
            Some(Terms::OnReceipt(v1::OnReceipt {}))
        } else {
            self.net_days.map(net)
        };
        terms.map(|terms| v1::Terms { terms: Some(terms) })
    }
}

/// The point in the past to ask for.
#[derive(Args, Clone, Debug)]
pub(crate) struct PastArgs {
    /// At the end of this business day; the ledger's today where left out
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    as_of: Option<Day>,

    /// From what the log knew up to this position; all of it where left out
    #[arg(long, value_name = "POSITION")]
    as_known: Option<u64>,
}

impl PastArgs {
    fn date(&self) -> Option<v1::Date> {
        self.as_of.map(output::day)
    }

    fn known(&self) -> Option<v1::AsKnownAt> {
        self.as_known
            .map(|position| v1::AsKnownAt { at: Some(v1::as_known_at::At::Position(position)) })
    }
}

/// A day of the command line.
fn day(text: &str) -> Result<Day, String> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .ok()
        .and_then(Day::from_date)
        .ok_or_else(|| format!("give a day from {} to {} as YYYY-MM-DD", Day::MIN, Day::MAX))
}

/// An amount of the command line: `1200.00`, or `1200.00 EUR`.
fn amount(flag: &str, text: &str, currency_code: &str) -> Outcome<v1::Money> {
    let (number, code) = text.split_once(' ').unwrap_or((text, currency_code));
    let usage = |refusal: encours_domain::Refusal| Failure::usage(refusal.message);
    let currency = Currency::parse("currency", code.trim()).map_err(usage)?;
    let money = Money::parse(flag, number.trim(), currency).map_err(usage)?;
    let (units, nanos) = money.to_units();
    Ok(v1::Money { currency_code: currency.code().to_owned(), units, nanos })
}

/// A ledger as it is at `min_position`.
async fn ledger(client: &Client, id: &str, min_position: u64) -> Outcome<v1::Ledger> {
    let request = v1::GetLedgerRequest { ledger_id: id.to_owned(), min_position };
    Ok(client.ledgers().get_ledger(request).await?.into_inner().ledger.unwrap_or_default())
}

/// The currency that amounts of a customer have where none is said.
async fn currency(client: &Client, ledger_id: &str, customer_id: &str) -> Outcome<String> {
    let min_position = client.position(ledger_id).await?;
    if !customer_id.is_empty() {
        let request = v1::GetCustomerRequest {
            ledger_id: ledger_id.to_owned(),
            customer_id: customer_id.to_owned(),
            min_position,
            ..Default::default()
        };
        let answer = client.customers().get_customer(request).await?.into_inner();
        let own = answer.customer.unwrap_or_default().currency_code;
        if !own.is_empty() {
            return Ok(own);
        }
    }
    Ok(ledger(client, ledger_id, min_position).await?.currency_code)
}

/// An invoice as it is now, without what it carries.
async fn invoice(client: &Client, ledger_id: &str, invoice_id: &str) -> Outcome<v1::Invoice> {
    let request = v1::GetInvoiceRequest {
        ledger_id: ledger_id.to_owned(),
        invoice: Some(v1::get_invoice_request::Invoice::InvoiceId(invoice_id.to_owned())),
        view: v1::InvoiceView::Basic.into(),
        min_position: client.position(ledger_id).await?,
    };
    Ok(client.invoices().get_invoice(request).await?.into_inner().invoice.unwrap_or_default())
}

/// An amount of the command line for an invoice; in its currency where it names none.
async fn amount_on(
    client: &Client,
    target: &LedgerArgs,
    invoice_id: &str,
    flag: &str,
    text: Option<&String>,
) -> Outcome<Option<v1::Money>> {
    let Some(text) = text else { return Ok(None) };
    let total = invoice(client, &target.ledger, invoice_id).await?.total.unwrap_or_default();
    amount(flag, text, &total.currency_code).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_bring_their_currency_or_take_the_default() {
        let money = amount("--total", "1200.5", "EUR").unwrap();
        assert_eq!((money.units, money.nanos), (1_200, 500_000_000));
        assert_eq!(amount("--total", "5 JPY", "EUR").unwrap().currency_code, "JPY");
        let refused = amount("--total", "5.5 JPY", "EUR").unwrap_err().to_string();
        assert_eq!(refused, "--total is 5.5: JPY has 0 fraction digits");
    }

    #[test]
    fn days_are_iso() {
        assert_eq!(day("2013-06-30").unwrap().to_string(), "2013-06-30");
        assert!(day("30/06/2013").is_err());
        assert!(day("2013-02-30").is_err());
    }
}
