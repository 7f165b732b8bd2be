//! `encours customer set-credit-limit|check-credit|record-reminder`.

use clap::{ArgGroup, Args};
use encours_proto::v1;

use super::super::choices::Policy;
use super::super::pages::{self, Written};
use super::super::reminder::ReminderArgs;
use super::super::{ChangeArgs, LedgerArgs, WriteArgs, amount, currency, ledger};
use super::{SHOWN, shown_rows};
use crate::client::Client;
use crate::failure::Outcome;
use crate::output::{self, Cell, Column, Printer};

#[derive(Args, Debug)]
#[command(group(ArgGroup::new("change_of_limit").required(true).args(["limit", "lift"])))]
pub(crate) struct LimitArgs {
    /// The customer
    #[arg(value_name = "CUSTOMER")]
    customer: String,
    #[command(flatten)]
    target: LedgerArgs,
    /// The limit: 0 or more, such as 5000 or "5000 USD"
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true, requires = "policy")]
    limit: Option<String>,
    /// What happens to an invoice that passes it
    #[arg(long, value_enum, conflicts_with = "lift")]
    policy: Option<Policy>,
    /// Lifts the limit
    #[arg(long)]
    lift: bool,
    /// The currency of the limit to lift; the customer's where left out
    #[arg(
        long,
        value_name = "CUR",
        default_value = "",
        hide_default_value = true,
        requires = "lift"
    )]
    currency: String,
    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    /// The customer
    #[arg(value_name = "CUSTOMER")]
    customer: String,
    #[command(flatten)]
    target: LedgerArgs,
    /// The total of the invoice asked about; none where left out
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    amount: Option<String>,
    /// The currency; that of --amount, else the customer's, where left out
    #[arg(long, value_name = "CUR", default_value = "", hide_default_value = true)]
    currency: String,
}

#[derive(Args, Debug)]
pub(crate) struct RemindArgs {
    /// The customer
    #[arg(value_name = "CUSTOMER")]
    customer: String,
    #[command(flatten)]
    target: LedgerArgs,
    #[command(flatten)]
    said: ReminderArgs,
    #[command(flatten)]
    change: ChangeArgs,
}

pub(super) async fn set_limit(args: &LimitArgs) -> Outcome {
    let LimitArgs { customer, target, change, .. } = args;
    let client = Client::connect(&target.common.server).await?;
    let limit = match &args.limit {
        None => None,
        Some(text) => {
            let default = currency(&client, &target.ledger, customer).await?;
            Some(amount("--limit", text, &default)?)
        }
    };
    let WriteArgs { request_id, validate_only, reason } = change.write.clone();
    let request = v1::SetCreditLimitRequest {
        ledger_id: target.ledger.clone(),
        request_id,
        expected_version: change.expected_version,
        validate_only,
        reason,
        customer_id: customer.clone(),
        currency_code: args.currency.clone(),
        limit,
        policy: args.policy.map(v1::CreditPolicy::from).unwrap_or_default().into(),
    };
    let answer = client.write(client.customers().set_credit_limit(request)).await?;
    print(&client, target, change, answer.customer, answer.position, answer.repeat).await
}

pub(super) async fn record_reminder(args: &RemindArgs) -> Outcome {
    let RemindArgs { customer, target, said, change } = args;
    let client = Client::connect(&target.common.server).await?;
    let WriteArgs { request_id, validate_only, reason } = change.write.clone();
    let request = v1::CustomerServiceRecordReminderRequest {
        ledger_id: target.ledger.clone(),
        request_id,
        expected_version: change.expected_version,
        validate_only,
        reason,
        customer_id: customer.clone(),
        level: said.level,
        channel: said.channel(),
        date: said.date(),
        text: said.text.clone(),
    };
    let answer = client.write(client.customers().record_reminder(request)).await?;
    print(&client, target, change, answer.customer, answer.position, answer.repeat).await
}

async fn print(
    client: &Client,
    target: &LedgerArgs,
    change: &ChangeArgs,
    customer: Option<v1::Customer>,
    position: u64,
    repeat: bool,
) -> Outcome {
    let customer = customer.unwrap_or_default();
    let default = ledger(client, &target.ledger, 0).await?.currency_code;
    let (version, validate_only) = (customer.version, change.write.validate_only);
    let done = Written { version, position, repeat, validate_only };
    let (rows, more) = (shown_rows(&customer, &default, None)?, super::reminded(&customer));
    pages::written(target.common.output, "customer", &SHOWN, rows, more, &done)
}

const CHECK: [Column; 8] = [
    Column::left("customer_id"),
    Column::left("currency"),
    Column::right("credit_limit"),
    Column::left("policy"),
    Column::right("exposure"),
    Column::right("exposure_after"),
    Column::right("available"),
    Column::left("verdict"),
];

pub(super) async fn check(args: &CheckArgs) -> Outcome {
    let LedgerArgs { ledger, common } = &args.target;
    let client = Client::connect(&common.server).await?;
    let asked = match &args.amount {
        None => None,
        Some(text) => {
            let own = match args.currency.as_str() {
                "" => currency(&client, ledger, &args.customer).await?,
                given => given.to_owned(),
            };
            Some(amount("--amount", text, &own)?)
        }
    };
    let request = v1::CheckCreditRequest {
        ledger_id: ledger.clone(),
        customer_id: args.customer.clone(),
        currency_code: args.currency.clone(),
        amount: asked,
        min_position: client.position(ledger).await?,
    };
    let answer = client.customers().check_credit(request).await?.into_inner();
    let mut printer = Printer::start(common.output, "credit", &CHECK)?;
    let exposure = answer.exposure.clone().unwrap_or_default();
    printer.row(vec![
        Cell::text(&args.customer),
        Cell::text(exposure.currency_code),
        output::money(answer.limit.as_ref())?,
        Cell::word(output::word(answer.policy().as_str_name(), "CREDIT_POLICY_")),
        output::money(answer.exposure.as_ref())?,
        output::money(answer.exposure_after.as_ref())?,
        output::money(answer.available.as_ref())?,
        Cell::Status(output::word(answer.verdict().as_str_name(), "CREDIT_VERDICT_")),
    ])?;
    printer.fact("position", Cell::Count(answer.position));
    printer.finish()
}
