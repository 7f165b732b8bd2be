//! What happens to an invoice that is there: sent, contested, planned to be paid, cancelled, its
//! reminders stopped.

use clap::Args;
use encours_domain::Day;
use encours_proto::v1;

use super::super::pages::{self, Written};
use super::super::reminder::ReminderArgs;
use super::super::{ChangeArgs, LedgerArgs, WriteArgs, amount_on, day};
use super::{COLUMNS, planned, row};
use crate::client::Client;
use crate::failure::Outcome;
use crate::output::{self, Cell};

/// A change of one invoice.
#[derive(Args, Debug)]
pub(crate) struct PlainArgs {
    /// The invoice
    #[arg(value_name = "INVOICE")]
    invoice: String,
    #[command(flatten)]
    target: LedgerArgs,
    #[command(flatten)]
    change: ChangeArgs,
}

/// A dated change of one invoice.
#[derive(Args, Debug)]
pub(crate) struct DatedArgs {
    #[command(flatten)]
    plain: PlainArgs,
    /// The day; the ledger's today where left out
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    date: Option<Day>,
}

#[derive(Args, Debug)]
pub(crate) struct CancelArgs {
    #[command(flatten)]
    dated: DatedArgs,
    /// Payments come off the invoice and stay with the customer; without this an invoice with
    /// payments is not cancelled
    #[arg(long)]
    keep_unapplied: bool,
    /// Id of the credit note; assigned where left out
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    credit_note: String,
    /// Number of the credit note; allotted by the ledger's series where left out
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    number: String,
}

#[derive(Args, Debug)]
pub(crate) struct RemindArgs {
    #[command(flatten)]
    plain: PlainArgs,
    #[command(flatten)]
    said: ReminderArgs,
}

#[derive(Args, Debug)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    plain: PlainArgs,
    /// The day on which it will be paid: the ledger's today or later
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    date: Day,
    /// What will be paid; all that is open where left out
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    amount: Option<String>,
}

/// Sends a change, which differs in its request and answer only.
macro_rules! change {
    ($client:expr, $args:expr, $request:ident, $method:ident {
        $($field:ident: $value:expr),* $(,)?
    }) => {{
        let (client, args): (&Client, &PlainArgs) = (&$client, $args);
        let WriteArgs { request_id, validate_only, reason } = args.change.write.clone();
        let request = v1::$request {
            ledger_id: args.target.ledger.clone(),
            request_id,
            expected_version: args.change.expected_version,
            validate_only,
            reason,
            invoice_id: args.invoice.clone(),
            $($field: $value,)*
        };
        let answer = client.write(client.invoices().$method(request)).await?;
        print(args, &answer.invoice.unwrap_or_default(), answer.position, answer.repeat)
    }};
}

async fn connect(args: &PlainArgs) -> Outcome<Client> {
    Client::connect(&args.target.common.server).await
}

pub(super) async fn send(args: &DatedArgs) -> Outcome {
    let (client, date) = (connect(&args.plain).await?, args.date.map(output::day));
    change!(client, &args.plain, MarkSentRequest, mark_sent { date: date })
}

pub(super) async fn dispute(args: &DatedArgs) -> Outcome {
    let (client, date) = (connect(&args.plain).await?, args.date.map(output::day));
    change!(client, &args.plain, DisputeInvoiceRequest, dispute_invoice { date: date })
}

pub(super) async fn resolve(args: &DatedArgs) -> Outcome {
    let (client, date) = (connect(&args.plain).await?, args.date.map(output::day));
    change!(client, &args.plain, ResolveDisputeRequest, resolve_dispute { date: date })
}

pub(super) async fn cancel(args: &CancelArgs) -> Outcome {
    let plain = &args.dated.plain;
    change!(
        connect(plain).await?,
        plain,
        CancelInvoiceRequest,
        cancel_invoice {
            date: args.dated.date.map(output::day),
            credit_note_id: args.credit_note.clone(),
            number: args.number.clone(),
            keep_unapplied: args.keep_unapplied,
        }
    )
}

pub(super) async fn plan(args: &PlanArgs) -> Outcome {
    let PlainArgs { invoice, target, .. } = &args.plain;
    let client = connect(&args.plain).await?;
    let amount = amount_on(&client, target, invoice, "--amount", args.amount.as_ref()).await?;
    let date = Some(output::day(args.date));
    change!(client, &args.plain, PlanPaymentRequest, plan_payment { date: date, amount: amount })
}

pub(super) async fn cancel_plan(args: &PlainArgs) -> Outcome {
    let client = connect(args).await?;
    change!(client, args, CancelPlannedPaymentRequest, cancel_planned_payment {})
}

pub(super) async fn stop_reminders(args: &PlainArgs) -> Outcome {
    let client = connect(args).await?;
    change!(client, args, StopRemindersRequest, stop_reminders {})
}

pub(super) async fn record_reminder(args: &RemindArgs) -> Outcome {
    let client = connect(&args.plain).await?;
    change!(
        client,
        &args.plain,
        RecordReminderRequest,
        record_reminder {
            level: args.said.level,
            channel: args.said.channel(),
            date: args.said.date(),
            text: args.said.text.clone(),
        }
    )
}

fn print(args: &PlainArgs, invoice: &v1::Invoice, position: u64, repeat: bool) -> Outcome {
    let disputed = invoice.facets.is_some_and(|facets| facets.disputed);
    let mut more = vec![("disputed", Cell::word(if disputed { "yes" } else { "no" }))];
    if invoice.sent_on.is_some() {
        more.push(("sent_on", output::date(invoice.sent_on)));
    }
    more.extend(planned(invoice)?);
    let (version, validate_only) = (invoice.version, args.change.write.validate_only);
    let done = Written { version, position, repeat, validate_only };
    let (how, rows) = (args.target.common.output, vec![row(invoice)?]);
    pages::written(how, "invoice", COLUMNS, rows, more, &done)
}
