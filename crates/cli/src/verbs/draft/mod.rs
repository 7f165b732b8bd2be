//! `encours draft`: invoices that are not issued yet.

mod batch;

use clap::{Args, Subcommand};
use encours_proto::v1;

use super::filters::OrderArgs;
use super::invoice::said::{SaidArgs, said};
use super::invoice::{self, ShowArgs};
use super::pages::{self, Written};
use super::{ChangeArgs, LedgerArgs, WriteArgs};
use crate::client::{Client, PAGE};
use crate::failure::Outcome;
use batch::{DeleteArgs, IssueArgs};

#[derive(Subcommand, Debug)]
pub(crate) enum DraftVerb {
    /// The drafts of a ledger
    #[command(after_help = "Examples:\n  encours draft list --ledger acme --customer dupont")]
    List(ListArgs),
    /// One draft and everything that happened to it
    #[command(after_help = "Examples:\n  encours draft show F-1 --ledger acme")]
    Show(ShowArgs),
    /// Writes a draft: it can be changed and deleted, and counts in no balance
    #[command(after_help = CREATE_EXAMPLE)]
    Create(Box<CreateArgs>),
    /// Says all that a draft says from here on; what is left out is not said any more
    #[command(after_help = UPDATE_EXAMPLE)]
    Update(Box<UpdateArgs>),
    /// Issues drafts: number, customer, dates and amounts are fixed for good
    #[command(after_help = ISSUE_EXAMPLES)]
    Issue(Box<IssueArgs>),
    /// Gives drafts up
    #[command(after_help = DELETE_EXAMPLES)]
    Delete(DeleteArgs),
}

const CREATE_EXAMPLE: &str = "\
Examples:
  encours draft create --ledger acme --customer dupont --invoice F-1 --line \"Chairs;4;59.90;20\"";

const UPDATE_EXAMPLE: &str = "\
Examples:
  encours draft update F-1 --ledger acme --customer dupont --line \"Chairs;6;59.90;20\"";

const ISSUE_EXAMPLES: &str = "\
Examples:
  encours draft issue F-1 F-2 --ledger acme --sent
  encours draft issue --all --ledger acme --customer dupont --date 2026-01-31

One line tells what became of each; where any was refused the exit code is 3.";

const DELETE_EXAMPLES: &str = "\
Examples:
  encours draft delete F-1 F-2 --ledger acme --reason \"order withdrawn\"
  encours draft delete --all --ledger acme --customer dupont

One line tells what became of each; where any was refused the exit code is 3.";

#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    target: LedgerArgs,
    /// Only those of this customer
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    customer: String,
    /// Only those with these words, each the beginning of a word of id, purchase order, text,
    /// metadata or the customer's name
    #[arg(long, value_name = "WORDS", default_value = "", hide_default_value = true)]
    text: String,
    #[command(flatten)]
    order: OrderArgs,
}

#[derive(Args, Debug)]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    target: LedgerArgs,
    #[command(flatten)]
    said: SaidArgs,
    /// Id of the draft, and of the invoice it becomes; assigned where left out
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    invoice: String,
    #[command(flatten)]
    write: WriteArgs,
}

#[derive(Args, Debug)]
pub(crate) struct UpdateArgs {
    /// The draft
    #[arg(value_name = "DRAFT")]
    draft: String,
    #[command(flatten)]
    target: LedgerArgs,
    #[command(flatten)]
    said: SaidArgs,
    #[command(flatten)]
    change: ChangeArgs,
}

pub(crate) async fn run(verb: &DraftVerb) -> Outcome {
    match verb {
        DraftVerb::List(args) => list(args).await,
        DraftVerb::Show(args) => invoice::show(args).await,
        DraftVerb::Create(args) => create(args).await,
        DraftVerb::Update(args) => update(args).await,
        DraftVerb::Issue(args) => batch::issue(args).await,
        DraftVerb::Delete(args) => batch::delete(args).await,
    }
}

/// What asks for drafts.
fn filter(customer: &str) -> v1::InvoiceFilter {
    v1::InvoiceFilter {
        customer_id: customer.to_owned(),
        document: v1::DocumentState::Draft.into(),
        ..Default::default()
    }
}

async fn list(args: &ListArgs) -> Outcome {
    let LedgerArgs { ledger, common } = &args.target;
    let client = Client::connect(&common.server).await?;
    let request = v1::ListInvoicesRequest {
        ledger_id: ledger.clone(),
        filter: Some(v1::InvoiceFilter { text: args.text.clone(), ..filter(&args.customer) }),
        page_size: PAGE,
        min_position: client.position(ledger).await?,
        order_by: args.order.order.clone(),
        ..Default::default()
    };
    let rows = |draft: &v1::Invoice| Ok(vec![invoice::row(draft)?]);
    pages::list(common.output, "drafts", invoice::COLUMNS, rows, async |page_token| {
        let request = v1::ListInvoicesRequest { page_token, ..request.clone() };
        client.invoices().list_invoices(request).await
    })
    .await
}

async fn create(args: &CreateArgs) -> Outcome {
    let LedgerArgs { ledger, common } = &args.target;
    let client = Client::connect(&common.server).await?;
    let total = args.said.total(&client, ledger).await?;
    let WriteArgs { request_id, validate_only, reason } = args.write.clone();
    let request = v1::CreateDraftRequest {
        ledger_id: ledger.clone(),
        request_id,
        validate_only,
        reason,
        invoice_id: args.invoice.clone(),
        ..said!(CreateDraftRequest, create_draft_request, &args.said, total)
    };
    let answer = client.write(client.invoices().create_draft(request)).await?;
    let draft = answer.invoice.unwrap_or_default();
    let (version, position, repeat) = (draft.version, answer.position, answer.repeat);
    print(&args.target, &draft, &Written { version, position, repeat, validate_only })
}

async fn update(args: &UpdateArgs) -> Outcome {
    let LedgerArgs { ledger, common } = &args.target;
    let client = Client::connect(&common.server).await?;
    let total = args.said.total(&client, ledger).await?;
    let WriteArgs { request_id, validate_only, reason } = args.change.write.clone();
    let request = v1::UpdateDraftRequest {
        ledger_id: ledger.clone(),
        request_id,
        expected_version: args.change.expected_version,
        validate_only,
        reason,
        invoice_id: args.draft.clone(),
        ..said!(UpdateDraftRequest, update_draft_request, &args.said, total)
    };
    let answer = client.write(client.invoices().update_draft(request)).await?;
    let draft = answer.invoice.unwrap_or_default();
    let (version, position, repeat) = (draft.version, answer.position, answer.repeat);
    print(&args.target, &draft, &Written { version, position, repeat, validate_only })
}

fn print(target: &LedgerArgs, draft: &v1::Invoice, done: &Written) -> Outcome {
    let (how, rows) = (target.common.output, vec![invoice::row(draft)?]);
    pages::written(how, "draft", invoice::COLUMNS, rows, Vec::new(), done)
}
