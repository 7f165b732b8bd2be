//! `encours customer update`: changes what is given and leaves the rest.

use clap::{ArgGroup, Args};
use encours_proto::v1;

use super::super::pages::{self, Written};
use super::super::{ChangeArgs, LedgerArgs, TermsArgs, WriteArgs, ledger};
use super::{COLUMNS, contact, rows};
use crate::client::Client;
use crate::failure::Outcome;

#[derive(Args, Debug)]
#[command(group(
    ArgGroup::new("changes").required(true).multiple(true).args([
        "name", "address", "note", "contact", "no_contacts", "currency", "net_days", "on_receipt",
    ])
))]
pub(crate) struct UpdateArgs {
    /// The customer
    #[arg(value_name = "CUSTOMER")]
    customer: String,
    #[command(flatten)]
    target: LedgerArgs,
    /// Its new name
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// Its new postal address; empty removes it
    #[arg(long, value_name = "TEXT")]
    address: Option<String>,
    /// Its new note; empty removes it
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Somebody to write to, instead of all former ones; may be given several times
    #[arg(long, value_name = "NAME[,MAIL[,PHONE]]", value_parser = contact)]
    contact: Vec<v1::Contact>,
    /// Removes all contacts
    #[arg(long, conflicts_with = "contact")]
    no_contacts: bool,
    /// New ISO 4217 currency of its documents that name none
    #[arg(long, value_name = "CUR")]
    currency: Option<String>,
    #[command(flatten)]
    terms: TermsArgs,
    #[command(flatten)]
    change: ChangeArgs,
}

pub(crate) async fn update(args: &UpdateArgs) -> Outcome {
    let LedgerArgs { ledger: ledger_id, common } = &args.target;
    let client = Client::connect(&common.server).await?;
    let WriteArgs { request_id, validate_only, reason } = args.change.write.clone();
    let contacts = v1::ContactList { contacts: args.contact.clone() };
    let request = v1::UpdateCustomerRequest {
        ledger_id: ledger_id.clone(),
        request_id,
        expected_version: args.change.expected_version,
        validate_only,
        reason,
        customer_id: args.customer.clone(),
        name: args.name.clone(),
        address: args.address.clone(),
        contacts: (args.no_contacts || !args.contact.is_empty()).then_some(contacts),
        note: args.note.clone(),
        currency_code: args.currency.clone().unwrap_or_default(),
        terms: args.terms.terms(),
    };
    let answer = client.write(client.customers().update_customer(request)).await?;
    let customer = answer.customer.unwrap_or_default();
    let currency = ledger(&client, ledger_id, 0).await?.currency_code;
    let (version, position, repeat) = (customer.version, answer.position, answer.repeat);
    let done = Written { version, position, repeat, validate_only };
    let rows = rows(&customer, &currency, None)?;
    pages::written(common.output, "customer", &COLUMNS, rows, Vec::new(), &done)
}
