//! `encours credit-note list|show|issue`.

use clap::{Args, Subcommand};
use encours_domain::Day;
use encours_proto::v1;

use super::allocations::{self, Source};
use super::pages::{self, Written};
use super::{ChangeArgs, LedgerArgs, WriteArgs, amount_on, day};
use crate::client::{Client, PAGE};
use crate::failure::Outcome;
use crate::output::{self, Cell, Column};

#[derive(Subcommand, Debug)]
pub(crate) enum CreditNoteVerb {
    /// The credit notes of a ledger
    #[command(after_help = "Examples:\n  encours credit-note list --ledger acme --customer dupont")]
    List(ListArgs),
    /// One credit note and what it is put against
    #[command(after_help = "Examples:\n  encours credit-note show A-1 --ledger acme")]
    Show(ShowArgs),
    /// Issues a credit note against an invoice
    #[command(after_help = ISSUE_EXAMPLE)]
    Issue(IssueArgs),
}

const ISSUE_EXAMPLE: &str = "\
Examples:
  encours credit-note issue --ledger acme --invoice F-1 --amount 120.00 --reason \"goods returned\"
  encours credit-note issue --ledger acme --invoice F-1 --amount 120.00 --keep";

#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    target: LedgerArgs,
    /// Only those of this customer
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    customer: String,
    /// Only those against this invoice
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    invoice: String,
    /// Only those with something unapplied
    #[arg(long)]
    unapplied: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ShowArgs {
    /// The credit note
    #[arg(value_name = "CREDIT_NOTE")]
    credit_note: String,
    #[command(flatten)]
    target: LedgerArgs,
}

#[derive(Args, Debug)]
pub(crate) struct IssueArgs {
    #[command(flatten)]
    target: LedgerArgs,
    /// The invoice it corrects
    #[arg(long, value_name = "ID")]
    invoice: String,
    /// What it credits; all that is creditable where left out
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    amount: Option<String>,
    /// How much of it reduces the invoice, the rest being kept; as much as is open where left out
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true, conflicts_with = "keep")]
    offset: Option<String>,
    /// Keeps all of it as credit of the customer, for any of its invoices
    #[arg(long)]
    keep: bool,
    /// Id of the new credit note; assigned where left out
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    credit_note: String,
    /// Its number; allotted by the ledger's series where left out
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    number: String,
    /// The issue date; the ledger's today where left out
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    date: Option<Day>,
    #[command(flatten)]
    change: ChangeArgs,
}

const COLUMNS: [Column; 8] = [
    Column::left("credit_note_id"),
    Column::left("number"),
    Column::left("invoice_id"),
    Column::left("customer_id"),
    Column::left("issue_date"),
    Column::left("currency"),
    Column::right("amount"),
    Column::right("unapplied"),
];

fn row(note: &v1::CreditNote) -> Outcome<Vec<Cell>> {
    let currency = note.amount.as_ref().map(|amount| amount.currency_code.as_str());
    Ok(vec![
        Cell::text(&note.credit_note_id),
        Cell::text(&note.number),
        Cell::text(&note.invoice_id),
        Cell::text(&note.customer_id),
        output::date(note.issue_date),
        Cell::text(currency.unwrap_or_default()),
        output::money(note.amount.as_ref())?,
        output::money(note.unapplied.as_ref())?,
    ])
}

pub(crate) async fn run(verb: &CreditNoteVerb) -> Outcome {
    match verb {
        CreditNoteVerb::List(args) => list(args).await,
        CreditNoteVerb::Show(args) => show(args).await,
        CreditNoteVerb::Issue(args) => issue(args).await,
    }
}

async fn list(args: &ListArgs) -> Outcome {
    let LedgerArgs { ledger, common } = &args.target;
    let client = Client::connect(&common.server).await?;
    let request = v1::ListCreditNotesRequest {
        ledger_id: ledger.clone(),
        filter: Some(v1::CreditNoteFilter {
            customer_id: args.customer.clone(),
            invoice_id: args.invoice.clone(),
            has_unapplied: args.unapplied.then_some(true),
        }),
        page_size: PAGE,
        min_position: client.position(ledger).await?,
        ..Default::default()
    };
    let rows = |note: &v1::CreditNote| Ok(vec![row(note)?]);
    pages::list(common.output, "credit_notes", &COLUMNS, rows, async |page_token| {
        let request = v1::ListCreditNotesRequest { page_token, ..request.clone() };
        client.credit_notes().list_credit_notes(request).await
    })
    .await
}

async fn show(args: &ShowArgs) -> Outcome {
    let LedgerArgs { ledger, common } = &args.target;
    let client = Client::connect(&common.server).await?;
    let request = v1::GetCreditNoteRequest {
        ledger_id: ledger.clone(),
        credit_note_id: args.credit_note.clone(),
        min_position: client.position(ledger).await?,
    };
    let answer = client.credit_notes().get_credit_note(request).await?.into_inner();
    let note = answer.credit_note.unwrap_or_default();
    let source = Source {
        name: "credit_note",
        columns: &COLUMNS,
        row: row(&note)?,
        shown: COLUMNS.len(),
        more: vec![("version", Cell::Count(note.version))],
        allocations: &note.allocations,
    };
    allocations::show(common.output, source)
}

async fn issue(args: &IssueArgs) -> Outcome {
    let IssueArgs { target, invoice, .. } = args;
    let client = Client::connect(&target.common.server).await?;
    let amount = amount_on(&client, target, invoice, "--amount", args.amount.as_ref()).await?;
    let offset = amount_on(&client, target, invoice, "--offset", args.offset.as_ref()).await?;
    let WriteArgs { request_id, validate_only, reason } = args.change.write.clone();
    let request = v1::IssueCreditNoteRequest {
        ledger_id: target.ledger.clone(),
        request_id,
        expected_version: args.change.expected_version,
        validate_only,
        reason,
        credit_note_id: args.credit_note.clone(),
        invoice_id: invoice.clone(),
        number: args.number.clone(),
        amount,
        issue_date: args.date.map(output::day),
        offset,
        keep: args.keep,
    };
    let answer = client.write(client.credit_notes().issue_credit_note(request)).await?;
    let note = answer.credit_note.unwrap_or_default();
    let (version, position, repeat) = (note.version, answer.position, answer.repeat);
    let done = Written { version, position, repeat, validate_only };
    let (how, rows) = (target.common.output, vec![row(&note)?]);
    pages::written(how, "credit_note", &COLUMNS, rows, Vec::new(), &done)
}
