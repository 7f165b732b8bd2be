//! `encours customer list|show|create|update`.

mod update;

use clap::{Args, Subcommand, ValueEnum};
use encours_domain::{Currency, Money};
use encours_proto::v1;

use super::pages::{self, Written};
use super::{LedgerArgs, PastArgs, TermsArgs, WriteArgs};
use crate::client::{Client, PAGE};
use crate::failure::{Failure, Outcome};
use crate::output::{self, Cell, Column, Printer};
use update::UpdateArgs;

#[derive(Subcommand, Debug)]
pub(crate) enum CustomerVerb {
    /// The customers of a ledger with their balances and status
    #[command(after_help = "Examples:\n  encours customer list --ledger acme --status overdue")]
    List(ListArgs),
    /// One customer
    #[command(after_help = "Examples:\n  encours customer show dupont --ledger acme")]
    Show(ShowArgs),
    /// Creates a customer
    #[command(after_help = CREATE_EXAMPLE)]
    Create(CreateArgs),
    /// Changes what is given of a customer and leaves the rest
    #[command(after_help = UPDATE_EXAMPLE)]
    Update(UpdateArgs),
}

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
    /// Only those of this status
    #[arg(long, value_enum)]
    status: Vec<Status>,
}

/// The status of a customer.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Status {
    Overdue,
    AwaitingPayment,
    InCredit,
    UpToDate,
}

impl From<Status> for v1::CustomerStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Overdue => Self::Overdue,
            Status::AwaitingPayment => Self::AwaitingPayment,
            Status::InCredit => Self::InCredit,
            Status::UpToDate => Self::UpToDate,
        }
    }
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

const COLUMNS: [Column; 11] = [
    Column::left("customer_id"),
    Column::left("name"),
    Column::left("currency"),
    Column::left("status"),
    Column::right("invoiced"),
    Column::right("credited"),
    Column::right("collected"),
    Column::right("outstanding"),
    Column::right("overdue"),
    Column::right("unapplied"),
    Column::right("net"),
];

/// One row per currency; a customer without any figures has one row of zeros.
fn rows(customer: &v1::Customer, ledger_currency: &str) -> Outcome<Vec<Vec<Cell>>> {
    let status = output::word(customer.status().as_str_name(), "CUSTOMER_STATUS_");
    let head = |currency: &str| {
        vec![
            Cell::text(&customer.customer_id),
            Cell::text(&customer.name),
            Cell::text(currency),
            Cell::Status(status.clone()),
        ]
    };
    if customer.balances.is_empty() {
        let own = Some(customer.currency_code.as_str()).filter(|code| !code.is_empty());
        let currency = Currency::parse("currency", own.unwrap_or(ledger_currency))
            .map_err(|refusal| Failure::usage(refusal.message))?;
        let mut row = head(currency.code());
        row.resize(COLUMNS.len(), Cell::Money(Money::new(0, currency)));
        return Ok(vec![row]);
    }
    customer
        .balances
        .iter()
        .map(|balance| {
            let mut row = head(&balance.currency_code);
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
        })
        .collect()
}

pub(crate) async fn run(verb: &CustomerVerb) -> Outcome {
    match verb {
        CustomerVerb::List(args) => list(args).await,
        CustomerVerb::Show(args) => show(args).await,
        CustomerVerb::Create(args) => create(args).await,
        CustomerVerb::Update(args) => update::update(args).await,
    }
}

async fn list(args: &ListArgs) -> Outcome {
    let LedgerArgs { ledger, common } = &args.target;
    let client = Client::connect(&common.server).await?;
    let min_position = client.head().await?.position;
    let currency = super::ledger(&client, ledger, min_position).await?.currency_code;
    let statuses = args.status.iter().map(|status| v1::CustomerStatus::from(*status).into());
    let request = v1::ListCustomersRequest {
        ledger_id: ledger.clone(),
        filter: Some(v1::CustomerFilter { statuses: statuses.collect(), ..Default::default() }),
        page_size: PAGE,
        min_position,
        as_of_date: args.past.date(),
        as_known_at: args.past.known(),
        ..Default::default()
    };
    let rows = |customer: &v1::Customer| rows(customer, &currency);
    pages::list(common.output, "customers", &COLUMNS, rows, async |page_token| {
        let request = v1::ListCustomersRequest { page_token, ..request.clone() };
        client.customers().list_customers(request).await
    })
    .await
}

async fn show(args: &ShowArgs) -> Outcome {
    let LedgerArgs { ledger, common } = &args.target;
    let client = Client::connect(&common.server).await?;
    let min_position = client.head().await?.position;
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
    let mut printer = Printer::start(common.output, "customer", &COLUMNS)?;
    for row in rows(&customer, &currency)? {
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
    let rows = rows(&customer, &currency)?;
    pages::written(common.output, "customer", &COLUMNS, rows, Vec::new(), &done)
}
