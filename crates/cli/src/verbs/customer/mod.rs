//! `encours customer`: whom the ledger sells to, with balances, status and credit limits.

mod credit;
mod update;

use clap::{Args, Subcommand};
use encours_proto::v1;

use super::filters::{self, CustomerFilterArgs, OrderArgs};
use super::pages::{self, Written};
use super::{LedgerArgs, PastArgs, TermsArgs, WriteArgs};
use crate::client::{Client, PAGE};
use crate::failure::Outcome;
use crate::output::{self, Cell, Column, Printer};
use credit::{CheckArgs, LimitArgs, RemindArgs};
use update::UpdateArgs;

#[derive(Subcommand, Debug)]
pub(crate) enum CustomerVerb {
    /// The customers of a ledger with their balances and status
    #[command(after_help = LIST_EXAMPLES)]
    List(Box<ListArgs>),
    /// One customer
    #[command(after_help = "Examples:\n  encours customer show dupont --ledger acme")]
    Show(ShowArgs),
    /// Creates a customer
    #[command(after_help = CREATE_EXAMPLE)]
    Create(CreateArgs),
    /// Changes what is given of a customer and leaves the rest
    #[command(after_help = UPDATE_EXAMPLE)]
    Update(UpdateArgs),
    /// Says how far a customer may go into debt, or lifts that
    #[command(after_help = LIMIT_EXAMPLES)]
    SetCreditLimit(LimitArgs),
    /// What is left of the credit limit, and what would become of an invoice
    #[command(after_help = CHECK_EXAMPLE)]
    CheckCredit(CheckArgs),
    /// Notes a reminder of all that a customer owes, made by a person
    #[command(after_help = REMIND_EXAMPLE)]
    RecordReminder(RemindArgs),
}

const LIST_EXAMPLES: &str = "\
Examples:
  encours customer list --ledger acme --status overdue --order \"create_time desc\"
  encours customer list --ledger acme --outstanding 1000.. --text dup --labels tiime";

const LIMIT_EXAMPLES: &str = "\
Examples:
  encours customer set-credit-limit dupont --ledger acme --limit 5000 --policy refuse
  encours customer set-credit-limit dupont --ledger acme --lift";

const CHECK_EXAMPLE: &str = "\
Examples:
  encours customer check-credit dupont --ledger acme --amount 1200.00";

const REMIND_EXAMPLE: &str = "\
Examples:
  encours customer record-reminder dupont --ledger acme --level 3 --channel letter";

const CREATE_EXAMPLE: &str = "\
Examples:
  encours customer create --ledger acme --customer dupont --name \"Dupont SARL\" \\
    --contact \"Jeanne Dupont,jeanne@dupont.example\" --net-days 45";

const UPDATE_EXAMPLE: &str = "\
Examples:
  encours customer update dupont --ledger acme --name \"Dupont et fils\" --net-days 60";

#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    target: LedgerArgs,
    #[command(flatten)]
    past: PastArgs,
    #[command(flatten)]
    filter: CustomerFilterArgs,
    #[command(flatten)]
    order: OrderArgs,
    /// Shows the status in the words of this label set: tiime
    #[arg(long, value_name = "SET", value_parser = filters::customer_labels)]
    labels: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct ShowArgs {
    /// The customer
    #[arg(value_name = "CUSTOMER")]
    customer: String,
    #[command(flatten)]
    target: LedgerArgs,
    #[command(flatten)]
    past: PastArgs,
    /// Shows the status in the words of this label set: tiime
    #[arg(long, value_name = "SET", value_parser = filters::customer_labels)]
    labels: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    target: LedgerArgs,
    /// Id of the new customer; assigned where left out
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    customer: String,
    /// Its name
    #[arg(long, value_name = "TEXT")]
    name: String,
    /// Its postal address
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    address: String,
    /// ISO 4217 currency of its documents that name none
    #[arg(long, value_name = "CUR", default_value = "", hide_default_value = true)]
    currency: String,
    /// Somebody to write to; may be given several times
    #[arg(long, value_name = "NAME[,MAIL[,PHONE]]", value_parser = contact)]
    contact: Vec<v1::Contact>,
    /// Free text
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    note: String,
    #[command(flatten)]
    terms: TermsArgs,
    #[command(flatten)]
    write: WriteArgs,
}

/// Somebody to write to, as on the command line.
fn contact(text: &str) -> Result<v1::Contact, String> {
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let [name, rest @ ..] = parts.as_slice() else { return Err("give a name".to_owned()) };
    if name.is_empty() || rest.len() > 2 {
        return Err("give NAME, or NAME,MAIL, or NAME,MAIL,PHONE".to_owned());
    }
    let part = |at: usize| rest.get(at).copied().unwrap_or_default().to_owned();
    Ok(v1::Contact { name: (*name).to_owned(), email: part(0), phone: part(1) })
}

/// Somebody to write to, as on the command line.
fn contact_text(contact: &v1::Contact) -> String {
    let parts = [contact.name.as_str(), contact.email.as_str(), contact.phone.as_str()];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(", ")
}

/// The columns of customers; a narrow table keeps who it is, what is owed and how late.
const COLUMNS: [Column; 11] = [
    Column::left("customer_id"),
    Column::left("name"),
    Column::left("currency").spare_if_same(1),
    Column::left("status"),
    Column::right("invoiced").spare(6),
    Column::right("credited").spare(4),
    Column::right("collected").spare(5),
    Column::right("outstanding"),
    Column::right("overdue"),
    Column::right("unapplied").spare(3),
    Column::right("net").spare(2),
];

/// The columns of one customer.
const SHOWN: [Column; 14] = [
    Column::left("customer_id"),
    Column::left("name"),
    Column::left("currency"),
    Column::left("status"),
    Column::right("opening"),
    Column::right("invoiced"),
    Column::right("credited"),
    Column::right("collected"),
    Column::right("refunded"),
    Column::right("outstanding"),
    Column::right("overdue"),
    Column::right("unapplied"),
    Column::right("net"),
    Column::right("credit_limit"),
];

/// The balances of a customer; one of zeros where it has no figures yet.
fn balances(customer: &v1::Customer, ledger_currency: &str) -> Vec<v1::Balance> {
    let limits = customer.credit_limits.iter().filter_map(|limit| limit.limit.as_ref());
    let mut balances = customer.balances.clone();
    for limit in limits {
        if balances.iter().all(|balance| balance.currency_code != limit.currency_code) {
            balances.push(zeros(&limit.currency_code));
        }
    }
    if balances.is_empty() {
        let own = Some(customer.currency_code.as_str()).filter(|code| !code.is_empty());
        balances.push(zeros(own.unwrap_or(ledger_currency)));
    }
    balances
}

fn zeros(currency_code: &str) -> v1::Balance {
    let zero = || Some(v1::Money { currency_code: currency_code.to_owned(), ..Default::default() });
    v1::Balance {
        currency_code: currency_code.to_owned(),
        invoiced: zero(),
        credited: zero(),
        collected: zero(),
        outstanding: zero(),
        overdue: zero(),
        not_due: zero(),
        unapplied: zero(),
        net: zero(),
        opening: zero(),
        refunded: zero(),
    }
}

/// What a row begins with.
fn head(customer: &v1::Customer, currency: &str, labels: Option<&str>) -> Vec<Cell> {
    let status = output::word(customer.status().as_str_name(), "CUSTOMER_STATUS_");
    let label = labels.and_then(|set| customer.labels.get(set)).cloned();
    vec![
        Cell::text(&customer.customer_id),
        Cell::text(&customer.name),
        Cell::text(currency),
        match label {
            Some(label) => Cell::Labelled(label, status),
            None => Cell::Status(status),
        },
    ]
}

/// One row per currency; a customer without any figures has one row of zeros.
fn rows(
    customer: &v1::Customer,
    ledger_currency: &str,
    labels: Option<&str>,
) -> Outcome<Vec<Vec<Cell>>> {
    let rows = balances(customer, ledger_currency).into_iter().map(|balance| {
        let mut row = head(customer, &balance.currency_code, labels);
        for amount in [
            &balance.invoiced,
            &balance.credited,
            &balance.collected,
            &balance.outstanding,
            &balance.overdue,
            &balance.unapplied,
            &balance.net,
        ] {
            row.push(output::money(amount.as_ref())?);
        }
        Ok(row)
    });
    rows.collect()
}

/// The same with everything that is told of one customer.
fn shown_rows(
    customer: &v1::Customer,
    ledger_currency: &str,
    labels: Option<&str>,
) -> Outcome<Vec<Vec<Cell>>> {
    let rows = balances(customer, ledger_currency).into_iter().map(|balance| {
        let mut row = head(customer, &balance.currency_code, labels);
        for amount in [
            &balance.opening,
            &balance.invoiced,
            &balance.credited,
            &balance.collected,
            &balance.refunded,
            &balance.outstanding,
            &balance.overdue,
            &balance.unapplied,
            &balance.net,
        ] {
            row.push(output::money(amount.as_ref())?);
        }
        let limits = customer.credit_limits.iter().filter_map(|limit| limit.limit.as_ref());
        let mut limits = limits.filter(|limit| limit.currency_code == balance.currency_code);
        row.push(output::money(limits.next())?);
        Ok(row)
    });
    rows.collect()
}

/// The last reminder of all it owes that a person made.
fn reminded(customer: &v1::Customer) -> Vec<(&'static str, Cell)> {
    let Some(last) = &customer.last_reminder else { return Vec::new() };
    let level = u64::try_from(last.level).unwrap_or_default();
    vec![("reminder_level", Cell::Count(level)), ("reminded_on", output::date(last.date))]
}

pub(crate) async fn run(verb: &CustomerVerb) -> Outcome {
    match verb {
        CustomerVerb::List(args) => list(args).await,
        CustomerVerb::Show(args) => show(args).await,
        CustomerVerb::Create(args) => create(args).await,
        CustomerVerb::Update(args) => update::update(args).await,
        CustomerVerb::SetCreditLimit(args) => credit::set_limit(args).await,
        CustomerVerb::CheckCredit(args) => credit::check(args).await,
        CustomerVerb::RecordReminder(args) => credit::record_reminder(args).await,
    }
}

async fn list(args: &ListArgs) -> Outcome {
    let LedgerArgs { ledger, common } = &args.target;
    let client = Client::connect(&common.server).await?;
    let min_position = client.position(ledger).await?;
    let currency = super::ledger(&client, ledger, min_position).await?.currency_code;
    let request = v1::ListCustomersRequest {
        ledger_id: ledger.clone(),
        filter: Some(args.filter.filter(&client, ledger).await?),
        page_size: PAGE,
        min_position,
        as_of_date: args.past.date(),
        as_known_at: args.past.known(),
        order_by: args.order.order.clone(),
        ..Default::default()
    };
    let rows = |customer: &v1::Customer| rows(customer, &currency, args.labels.as_deref());
    pages::list(common.output, "customers", &COLUMNS, rows, async |page_token| {
        let request = v1::ListCustomersRequest { page_token, ..request.clone() };
        client.customers().list_customers(request).await
    })
    .await
}

async fn show(args: &ShowArgs) -> Outcome {
    let LedgerArgs { ledger, common } = &args.target;
    let client = Client::connect(&common.server).await?;
    let min_position = client.position(ledger).await?;
    let request = v1::GetCustomerRequest {
        ledger_id: ledger.clone(),
        customer_id: args.customer.clone(),
        min_position,
        as_of_date: args.past.date(),
        as_known_at: args.past.known(),
    };
    let answer = client.customers().get_customer(request).await?.into_inner();
    let customer = answer.customer.unwrap_or_default();
    let currency = super::ledger(&client, ledger, min_position).await?.currency_code;
    let mut printer = Printer::start(common.output, "customer", &SHOWN)?;
    for row in shown_rows(&customer, &currency, args.labels.as_deref())? {
        printer.row(row)?;
    }
    for (name, text) in [("address", &customer.address), ("note", &customer.note)] {
        if !text.is_empty() {
            printer.fact(name, Cell::text(text));
        }
    }
    if !customer.contacts.is_empty() {
        let contacts: Vec<String> = customer.contacts.iter().map(contact_text).collect();
        printer.fact("contacts", Cell::text(contacts.join("; ")));
    }
    for limit in &customer.credit_limits {
        let policy = output::word(limit.policy().as_str_name(), "CREDIT_POLICY_");
        printer.fact("policy", Cell::word(policy));
    }
    for (name, value) in reminded(&customer) {
        printer.fact(name, value);
    }
    printer.fact("version", Cell::Count(customer.version));
    printer.fact("position", Cell::Count(answer.position));
    printer.finish()
}

async fn create(args: &CreateArgs) -> Outcome {
    let LedgerArgs { ledger, common } = &args.target;
    let client = Client::connect(&common.server).await?;
    let WriteArgs { request_id, validate_only, reason } = args.write.clone();
    let request = v1::CreateCustomerRequest {
        ledger_id: ledger.clone(),
        request_id,
        validate_only,
        reason,
        customer_id: args.customer.clone(),
        name: args.name.clone(),
        address: args.address.clone(),
        currency_code: args.currency.clone(),
        contacts: args.contact.clone(),
        note: args.note.clone(),
        terms: args.terms.terms(),
        ..Default::default()
    };
    let answer = client.write(client.customers().create_customer(request)).await?;
    let customer = answer.customer.unwrap_or_default();
    let currency = super::ledger(&client, ledger, 0).await?.currency_code;
    let (version, position, repeat) = (customer.version, answer.position, answer.repeat);
    let done = Written { version, position, repeat, validate_only };
    let rows = rows(&customer, &currency, None)?;
    pages::written(common.output, "customer", &COLUMNS, rows, Vec::new(), &done)
}
