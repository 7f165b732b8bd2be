//! `encours opening-item add|correct|show`: what was owed before the ledger.

use clap::{ArgGroup, Args, Subcommand};
use encours_domain::Day;
use encours_proto::v1;

use super::choices::Direction;
use super::invoice::{self, ShowArgs};
use super::pages::{self, Written};
use super::{ChangeArgs, LedgerArgs, WriteArgs, amount, amount_on, currency, day};
use crate::client::Client;
use crate::failure::Outcome;
use crate::output::{self, Cell};

#[derive(Subcommand, Debug)]
pub(crate) enum OpeningItemVerb {
    /// Brings in what a customer owed, or was owed, before the ledger
    #[command(after_help = ADD_EXAMPLES)]
    Add(Box<AddArgs>),
    /// Corrects what is said of an opening item; what is left out stays
    #[command(after_help = CORRECT_EXAMPLE)]
    Correct(CorrectArgs),
    /// One opening item and everything that happened to it
    #[command(after_help = "Examples:\n  encours opening-item show OLD-17 --ledger acme")]
    Show(ShowArgs),
}

const ADD_EXAMPLES: &str = "\
Examples:
  encours opening-item add --ledger acme --customer dupont --amount 800.00 --paid 300.00 \\
    --item OLD-17 --date 2025-11-03 --due 2025-12-03
  encours opening-item add --ledger acme --customer dupont --amount 50.00 --direction owing";

const CORRECT_EXAMPLE: &str = "\
Examples:
  encours opening-item correct OLD-17 --ledger acme --paid 350.00 --reason \"late bank slip\"";

#[derive(Args, Debug)]
pub(crate) struct AddArgs {
    #[command(flatten)]
    target: LedgerArgs,
    /// The customer
    #[arg(long, value_name = "ID")]
    customer: String,
    /// The amount of the old document
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    amount: String,
    /// What of it was settled before
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    paid: Option<String>,
    /// Who owes whom
    #[arg(long, value_enum, default_value = "owed")]
    direction: Direction,
    /// Id of the new item, one of the ids of invoices; assigned where left out
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    item: String,
    /// The number of the old document; the id where left out
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    number: String,
    /// The day from which it counts; the ledger's today where left out
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    date: Option<Day>,
    /// When it is due; --date where left out
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    due: Option<Day>,
    /// The day the old document was sent; its reminders wait for `invoice send` where left out
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    sent: Option<Day>,
    /// ISO 11649 creditor reference; made from the number where left out
    #[arg(long, value_name = "RF...", default_value = "", hide_default_value = true)]
    reference: String,
    #[command(flatten)]
    write: WriteArgs,
}

#[derive(Args, Debug)]
#[command(group(
    ArgGroup::new("corrected").required(true).multiple(true).args(["amount", "paid", "due"])
))]
pub(crate) struct CorrectArgs {
    /// The opening item
    #[arg(value_name = "ITEM")]
    item: String,
    #[command(flatten)]
    target: LedgerArgs,
    /// The right amount of the old document
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    amount: Option<String>,
    /// What of it was settled before, in truth
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    paid: Option<String>,
    /// When it is due
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    due: Option<Day>,
    /// The day from which the correction counts; the ledger's today where left out
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    date: Option<Day>,
    #[command(flatten)]
    change: ChangeArgs,
}

pub(crate) async fn run(verb: &OpeningItemVerb) -> Outcome {
    match verb {
        OpeningItemVerb::Add(args) => add(args).await,
        OpeningItemVerb::Correct(args) => correct(args).await,
        OpeningItemVerb::Show(args) => invoice::show(args).await,
    }
}

async fn add(args: &AddArgs) -> Outcome {
    let LedgerArgs { ledger, common } = &args.target;
    let client = Client::connect(&common.server).await?;
    let own = currency(&client, ledger, &args.customer).await?;
    let total = amount("--amount", &args.amount, &own)?;
    let paid = args.paid.as_ref().map(|paid| amount("--paid", paid, &total.currency_code));
    let WriteArgs { request_id, validate_only, reason } = args.write.clone();
    let request = v1::AddOpeningItemRequest {
        ledger_id: ledger.clone(),
        request_id,
        expected_version: None,
        validate_only,
        reason,
        invoice_id: args.item.clone(),
        customer_id: args.customer.clone(),
        direction: v1::OpeningItemDirection::from(args.direction).into(),
        paid: paid.transpose()?,
        amount: Some(total),
        date: args.date.map(output::day),
        due_date: args.due.map(output::day),
        number: args.number.clone(),
        reference: args.reference.clone(),
        sent_on: args.sent.map(output::day),
    };
    let answer = client.write(client.customers().add_opening_item(request)).await?;
    let item = answer.invoice.unwrap_or_default();
    let (version, position, repeat) = (item.version, answer.position, answer.repeat);
    print(&args.target, &item, &Written { version, position, repeat, validate_only })
}

async fn correct(args: &CorrectArgs) -> Outcome {
    let CorrectArgs { item, target, .. } = args;
    let client = Client::connect(&target.common.server).await?;
    let amount = amount_on(&client, target, item, "--amount", args.amount.as_ref()).await?;
    let paid = amount_on(&client, target, item, "--paid", args.paid.as_ref()).await?;
    let WriteArgs { request_id, validate_only, reason } = args.change.write.clone();
    let request = v1::CorrectOpeningItemRequest {
        ledger_id: target.ledger.clone(),
        request_id,
        expected_version: args.change.expected_version,
        validate_only,
        reason,
        invoice_id: item.clone(),
        amount,
        paid,
        due_date: args.due.map(output::day),
        date: args.date.map(output::day),
    };
    let answer = client.write(client.customers().correct_opening_item(request)).await?;
    let item = answer.invoice.unwrap_or_default();
    let (version, position, repeat) = (item.version, answer.position, answer.repeat);
    print(target, &item, &Written { version, position, repeat, validate_only })
}

fn print(target: &LedgerArgs, item: &v1::Invoice, done: &Written) -> Outcome {
    let kind = output::word(item.kind().as_str_name(), "INVOICE_KIND_");
    let mut more = vec![("kind", Cell::word(kind))];
    more.push(("paid_before", output::money(item.paid_before.as_ref())?));
    if item.kind() == v1::InvoiceKind::OpeningOwing {
        more.push(("unapplied", output::money(item.unapplied.as_ref())?));
    }
    let (how, rows) = (target.common.output, vec![invoice::row(item)?]);
    pages::written(how, "opening_item", invoice::COLUMNS, rows, more, done)
}
